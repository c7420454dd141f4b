// SPDX-License-Identifier: GPL-2.0-only
/* Lines as perf script of Linux 6.1 to 7.3 prints them (tools/perf/builtin-script.c). */
#include <errno.h>
#include <sys/stat.h>

#include "perf.h"
#include "tap.h"
#include "tree.h"

static const struct {
	const char *line;
	uint64_t addr;
	double weight;
	uint64_t time_ns;
} good[] = {
	{ "       13f4a1040", 0x13f4a1040, 1, 0 },
	{ " 1234.567890:        13f4a1040", 0x13f4a1040, 1, UINT64_C(1234567890000) },
	{ " 1234.567890123:        13f4a1040", 0x13f4a1040, 1, UINT64_C(1234567890123) },
	{ "12345.000001:     100003 cpu/mem-loads,ldlat=30/P:         7f0012345678    13f4a1040",
	  0x13f4a1040, 100003, UINT64_C(12345000001000) },
	{ "  redis-server    4711/4713    [003]  1234.500000:       2000       minor-faults:  "
	  "       13f4a1fff 4K", 0x13f4a1fff, 2000, UINT64_C(1234500000000) },
	{ "            perf 99 1.000000:        1          ibs_op//:     7ffd0 68501042 |OP LOAD"
	  "|LVL L3 hit   250     55ad7 main+0x7 (/bin/x)       200000 2M N/A",
	  0x200000, 1, UINT64_C(1000000000) },
	/* Not a period: no event's name follows, or no time goes before. */
	{ " 5.000000:        77   13f4a1040", 0x13f4a1040, 1, UINT64_C(5000000000) },
	{ " 4711 faults:   13f4a1040", 0x13f4a1040, 1, 0 },
	/* A thread's name may hold about anything. */
	{ "   a#b 1.x: x    7 [000]    2.000000:       3 faults:    1000", 0x1000, 3,
	  UINT64_C(2000000000) },
	{ "ffffffffffffffff", UINT64_MAX, 1, 0 },
	{ " 1.000000:    0 faults:   1000", 0x1000, 1, UINT64_C(1000000000) },
	/* More seconds than 64 bits of nanoseconds hold are no time of perf's. */
	{ " 99999999999.000000:    7 faults:   1000", 0x1000, 1, 0 },
};

static void reads_lines(void)
{
	struct mpp_record record;
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const char *line = good[i].line;

		if (mpp_perf_script_parse(line, strlen(line), 0, &why, &record)) {
			tap_fail(__FILE__, __LINE__, "\"%s\" was refused", line);
			continue;
		}
		CHECK_INT(record.addr, good[i].addr);
		CHECK_INT(record.time_ns, good[i].time_ns);
		CHECK(record.weight == good[i].weight);
		CHECK_INT(record.size_bytes, 1);
		CHECK_INT(record.source, MPP_SOURCE_PERF);
	}
}

static void refuses_others(void)
{
	static const char *const bad[] = {
		"perf 99 1.000000: cycles: 55ad7 main+0x7 (/bin/x)", "x", "0x1000", "13F4A1040",
		"12345.678901:", "1.0: 1 2 3g", "00000000000000001", "4K", "1000 4K 4K 4K",
		"13f4a1040 K", "-1",
	};
	struct mpp_record record = { .addr = 77 };
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why = "";
		if (mpp_perf_script_parse(bad[i], strlen(bad[i]), 0, &why, &record) != -EBADMSG)
			tap_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i]);
		CHECK_HAS(why, "phys_addr");
	}
	CHECK_INT(mpp_perf_script_parse("1.0:  0", 7, 0, &why, &record), 1);
	CHECK_INT(mpp_perf_script_parse("", 0, 0, NULL, &record), -EBADMSG);
	CHECK_INT(record.addr, 77);
}

static void reads_a_file(void)
{
	struct mpp_perf_stats stats = { .size = sizeof(stats) };
	struct mpp_record records[8];
	struct mpp_source *src;

	tree_make();
	tree_write("script", "# captured on    : Mon Nov 23 2026\n#\n"
		   "  a#b 7 [000]  1.000000:    2 faults:  13f4a1040\n\n"
		   "  thing 7 [000]  1.000001:    1 faults:          0\n"
		   "  rubbish\n"
		   "  thing 7 [000]  1.000002:    1 faults:  13f4a2000\n"
		   "  thing 7 [000]  1.000003:    1 faults:  13f4");
	CHECK_INT(mpp_perf_script_open(tree_path("none"), &src), -ENOENT);
	CHECK_INT(mpp_perf_script_open(tree_path("script"), &src), 0);
	CHECK_INT(mpp_source_read(src, 8, records), 1);
	CHECK_INT(records[0].addr, 0x13f4a1040);
	CHECK_INT(mpp_source_read(src, 8, records), -EBADMSG);
	CHECK_HAS(mpp_source_error(src), "script:6: \"rubbish\": no physical address");
	CHECK_INT(mpp_source_read(src, 8, records), 1);
	CHECK_INT(records[0].time_ns, 1000002000);
	/* Cut short, it would be another address. */
	CHECK_INT(mpp_source_read(src, 8, records), -EBADMSG);
	CHECK_HAS(mpp_source_error(src), "the last line has no newline");
	CHECK_INT(mpp_source_read(src, 8, records), 0);
	CHECK_INT(mpp_perf_stats(src, &stats), 0);
	CHECK_INT(stats.nr_samples, 2);
	CHECK_INT(stats.nr_no_address, 1);
	CHECK(!mpp_perf_event_name(src));
	mpp_source_unref(src);

	/* Other sources have no such counts. */
	CHECK_INT(mpp_text_open(tree_path("script"), 0, &src), 0);
	CHECK_INT(mpp_perf_stats(src, &stats), -EINVAL);
	mpp_source_unref(src);
	tree_remove();
}

TAP_MAIN(
	{ "lines with various fields", reads_lines },
	{ "lines that hold no address", refuses_others },
	{ "a file with comments and bad lines", reads_a_file },
)
