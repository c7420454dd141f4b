// SPDX-License-Identifier: GPL-2.0-only
/* DAMON's sysfs, from recorded trees: reading a monitor, and what starting one writes. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "damon.h"
#include "tap.h"
#include "tree.h"

#define ADMIN	"sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT	ADMIN "0/contexts/0/"
#define REGION	CONTEXT "schemes/0/tried_regions/"

static struct mpp_roots roots;
static char sys_path[PATH_MAX];

static void start_tree(const char *recording)
{
	char path[PATH_MAX];

	snprintf(sys_path, sizeof(sys_path), "%s/sys", tree_make());
	roots = (struct mpp_roots) { .proc = "/nonexistent", .sys = sys_path };
	if (!recording)
		return;
	snprintf(path, sizeof(path), "%s/%s", getenv("UNIT_DATA"), recording);
	tree_replay(path);
}

static void expect_file(const char *name, const char *want)
{
	char text[64];
	int len = mpp_read_file(tree_path(name), sizeof(text), text);

	text[len < 0 ? 0 : strcspn(text, "\n")] = '\0';
	if (len < 0 || strcmp(text, want))
		tap_fail(__FILE__, __LINE__, "%s has \"%s\", not \"%s\"", name, text, want);
}

static struct mpp_damon_options all(void)
{
	return (struct mpp_damon_options) {
		.size = sizeof(struct mpp_damon_options),
		.flags = MPP_DAMON_ACCESSED | MPP_DAMON_IDLE,
		.nr_snapshots = 1,
	};
}

static struct mpp_source *open_all(const struct mpp_damon_options *options)
{
	struct mpp_source *src = NULL;

	CHECK_INT(mpp_damon_open_at(&roots, options, &src), 0);
	return src;
}

static void reads(const char *recording)
{
	struct mpp_damon_options options = all();
	struct mpp_damon_region region;
	struct mpp_record records[8];
	struct mpp_source *src;
	uint64_t next = 0x20000000;

	start_tree(recording);
	tree_write(REGION "1/nr_accesses", "7\n");
	src = open_all(&options);
	CHECK_INT(mpp_source_ready(src), 0);
	CHECK_INT(mpp_source_read(src, 3, records), 3);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(records[i].addr, next);
		CHECK_INT(records[i].source, MPP_SOURCE_DAMON);
		CHECK(records[i].time_ns);
		CHECK(records[i].weight == (i == 1 ? 7.0 * (double)(records[1].size_bytes / 4096) : 0));
		next += records[i].size_bytes;
	}
	CHECK_INT(mpp_damon_region(src, 1, &region), 0);
	CHECK_INT(region.nr_accesses, 7);
	CHECK_INT(region.max_accesses, 20);
	CHECK_INT(mpp_damon_region(src, 3, &region), -ERANGE);
	CHECK_INT(mpp_source_ready(src), 1);
	CHECK(mpp_source_read(src, 8, records) > 0);
	CHECK_INT(mpp_source_read(src, 8, records), 0);
	expect_file(ADMIN "0/state", "update_schemes_tried_regions");
	mpp_source_unref(src);
	/* A monitor that was there before stays. */
	expect_file(ADMIN "nr_kdamonds", "1");
	expect_file(ADMIN "0/state", "update_schemes_tried_regions");
	tree_remove();
}

static void reads_612(void)
{
	reads("damon-6.12.txt");
}

static void reads_73(void)
{
	reads("damon-7.3.txt");
}

static void picks_what_is_wanted(void)
{
	struct mpp_damon_options options = all();
	struct mpp_record records[8];
	struct mpp_source *src;

	start_tree("damon-7.3.txt");
	tree_write(REGION "1/nr_accesses", "7\n");
	tree_write(REGION "2/nr_accesses", "1\n");
	/* Addresses in units of 16 bytes, for machines with more of them than a long has. */
	tree_write(CONTEXT "addr_unit", "16\n");
	options.flags = MPP_DAMON_ACCESSED;
	src = open_all(&options);
	CHECK_INT(mpp_source_read(src, 8, records), 2);
	CHECK_INT(records[0].addr, UINT64_C(671055872) * 16);
	CHECK_INT(records[0].size_bytes, (UINT64_C(805240832) - 671055872) * 16);
	mpp_source_unref(src);

	tree_write(ADMIN "0/state", "on\n");
	options.min_accesses = 2;
	src = open_all(&options);
	CHECK_INT(mpp_source_read(src, 8, records), 1);
	mpp_source_unref(src);

	tree_write(ADMIN "0/state", "on\n");
	options.flags = MPP_DAMON_IDLE;
	options.nr_snapshots = 0;
	src = open_all(&options);
	CHECK_INT(mpp_source_read(src, 8, records), 2);
	CHECK(records[0].weight == 0);
	mpp_source_cancel(src);
	CHECK_INT(mpp_source_read(src, 8, records), -ECANCELED);
	mpp_source_unref(src);

	/* Of two schemes, the one that only looks. */
	tree_write(ADMIN "0/state", "on\n");
	tree_write(CONTEXT "schemes/nr_schemes", "2\n");
	tree_write(CONTEXT "schemes/0/action", "pageout\n");
	tree_write(CONTEXT "schemes/1/action", "stat\n");
	tree_write(CONTEXT "schemes/1/tried_regions/0/start", "4096\n");
	tree_write(CONTEXT "schemes/1/tried_regions/0/end", "8192\n");
	tree_write(CONTEXT "schemes/1/tried_regions/0/nr_accesses", "0\n");
	tree_write(CONTEXT "schemes/1/tried_regions/0/age", "3\n");
	options.nr_snapshots = 1;
	src = open_all(&options);
	CHECK_INT(mpp_source_read(src, 8, records), 1);
	CHECK_INT(records[0].addr, 4096 * 16);
	mpp_source_unref(src);
	tree_remove();
}

static void expect_open(const char *file, const char *text, int want)
{
	struct mpp_damon_options options = all();
	struct mpp_source *src = NULL;
	int err;

	start_tree("damon-7.3.txt");
	if (file)
		tree_write(file, text);
	err = mpp_damon_open_at(&roots, &options, &src);
	if (err != want)
		tap_fail(__FILE__, __LINE__, "%s: %d, not %d", file ? file : "", err, want);
	if (!err)
		mpp_source_unref(src);
	tree_remove();
}

static void tells_why_not(void)
{
	struct mpp_damon_options options = all();
	struct mpp_source *src = NULL;
	struct mpp_record records[2];

	expect_open(NULL, NULL, 0);
	expect_open(ADMIN "nr_kdamonds", "0\n", -ENODEV);
	expect_open(ADMIN "0/state", "off\n", -ESRCH);
	expect_open(CONTEXT "operations", "vaddr\n", -ENOTSUP);
	expect_open(CONTEXT "schemes/nr_schemes", "0\n", -ENODATA);
	start_tree(NULL);
	CHECK_INT(mpp_damon_open_at(&roots, &options, &src), -ENOENT);
	options.flags |= MPP_DAMON_START;
	CHECK_INT(mpp_damon_open_at(&roots, &options, &src), -ENOENT);
	tree_remove();

	start_tree("damon-7.3.txt");
	CHECK_INT(mpp_damon_open_at(&roots, &options, &src), -EBUSY);
	expect_file(ADMIN "nr_kdamonds", "1");
	options.kdamond = 1;
	CHECK_INT(mpp_damon_open_at(&roots, &options, &src), -EINVAL);
	options = all();
	options.flags = 0;
	CHECK_INT(mpp_damon_open_at(&roots, &options, &src), -EINVAL);
	options.flags = MPP_DAMON_IDLE;
	options.sample_ns = 5;
	CHECK_INT(mpp_damon_open_at(&roots, &options, &src), -EINVAL);
	options.sample_ns = 0;
	options.size--;
	CHECK_INT(mpp_damon_open_at(&roots, &options, &src), -EINVAL);
	CHECK(!src);

	/* The kernel takes no more commands, and the monitor has gone. */
	options = all();
	src = open_all(&options);
	unlink(tree_path(ADMIN "0/state"));
	rmdir(tree_path(ADMIN "0/state"));
	tree_write(ADMIN "0/state/x", "");
	CHECK_INT(mpp_source_read(src, 2, records), -ESRCH);
	CHECK_STR(mpp_source_error(src), "kdamond 0 has stopped");
	CHECK_INT(mpp_source_read(src, 2, records), -ESRCH);
	mpp_source_unref(src);
	tree_remove();

	start_tree("damon-7.3.txt");
	tree_write(REGION "1/end", "rubbish\n");
	src = open_all(&options);
	CHECK_INT(mpp_source_read(src, 2, records), -EPROTO);
	CHECK_HAS(mpp_source_error(src), "kdamond 0");
	mpp_source_unref(src);
	tree_remove();
}

static void starts_one(void)
{
	const struct mpp_record ranges[] = {
		{ .addr = 0x1000, .size_bytes = 0x2000 },
		{ .addr = UINT64_C(1) << 40, .size_bytes = UINT64_C(1) << 41 },
	};
	struct mpp_damon_options options = all();
	struct mpp_source *src;

	start_tree("damon-6.12.txt");
	tree_write(ADMIN "nr_kdamonds", "0\n");
	tree_write(ADMIN "0/state", "off\n");
	tree_write(CONTEXT "operations", "vaddr\n");
	tree_write(CONTEXT "schemes/0/action", "pageout\n");
	tree_write(CONTEXT "targets/0/regions/1/start", "0\n");
	tree_write(CONTEXT "targets/0/regions/1/end", "0\n");
	options.flags |= MPP_DAMON_START;
	options.ranges = ranges;
	options.nr_ranges = 2;
	options.sample_ns = 2000000;
	options.aggregate_ns = 50000000;
	options.min_regions = 20;
	options.max_regions = 30;
	src = open_all(&options);
	expect_file(ADMIN "nr_kdamonds", "1");
	expect_file(ADMIN "0/contexts/nr_contexts", "1");
	expect_file(CONTEXT "operations", "paddr");
	expect_file(CONTEXT "monitoring_attrs/intervals/sample_us", "2000");
	expect_file(CONTEXT "monitoring_attrs/intervals/aggr_us", "50000");
	expect_file(CONTEXT "monitoring_attrs/nr_regions/min", "20");
	expect_file(CONTEXT "monitoring_attrs/nr_regions/max", "30");
	expect_file(CONTEXT "targets/0/regions/nr_regions", "2");
	expect_file(CONTEXT "targets/0/regions/0/start", "4096");
	expect_file(CONTEXT "targets/0/regions/0/end", "12288");
	expect_file(CONTEXT "targets/0/regions/1/end", "3298534883328");
	expect_file(CONTEXT "schemes/0/action", "stat");
	expect_file(CONTEXT "schemes/0/access_pattern/sz/max", "18446744073709551615");
	expect_file(ADMIN "0/state", "on");
	mpp_source_unref(src);
	expect_file(ADMIN "0/state", "off");
	expect_file(ADMIN "nr_kdamonds", "0");
	tree_remove();
}

/* Half way: what was made is unmade. */
static void unmakes_what_fails(void)
{
	struct mpp_damon_options options = all();
	const struct mpp_record range = { .addr = 0x1000, .size_bytes = 0x2000 };
	struct mpp_source *src = NULL;

	start_tree("damon-6.12.txt");
	tree_write(ADMIN "nr_kdamonds", "0\n");
	tree_write(ADMIN "0/state", "off\n");
	unlink(tree_path(CONTEXT "schemes/0/action"));
	tree_write(CONTEXT "schemes/0/action/x", "");
	options.flags |= MPP_DAMON_START;
	options.ranges = &range;
	options.nr_ranges = 1;
	CHECK_INT(mpp_damon_open_at(&roots, &options, &src), -EISDIR);
	CHECK(!src);
	expect_file(ADMIN "0/state", "off");
	expect_file(ADMIN "nr_kdamonds", "0");
	tree_remove();
}

int main(void)
{
	static const struct tap_test tests[] = {
		{ "a monitor on Linux 6.12", reads_612 },
		{ "a monitor on Linux 7.3", reads_73 },
		{ "states, a least number of accesses, units, schemes", picks_what_is_wanted },
		{ "what is not there, not running, or in use", tells_why_not },
		{ "starting one", starts_one },
		{ "starting one fails half way", unmakes_what_fails },
	};

	if (!getenv("UNIT_DATA")) {
		puts("1..0 # SKIP UNIT_DATA is to name the recordings: run it by `meson test`");
		return EXIT_SUCCESS;
	}
	return tap_main(tests, ARRAY_LEN(tests));
}
