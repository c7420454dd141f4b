// SPDX-License-Identifier: GPL-2.0-only
/* CXL topology and hot lists, from trees recorded in the testbed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cxl.h"
#include "cxl_cedt.h"
#include "sysfs.h"
#include "tap.h"
#include "tree.h"

#define MIB	(UINT64_C(1) << 20)

static const char *data_dir;
static struct mpp_roots roots;
static char sys_path[PATH_MAX];

/* ---- Recorded trees ---- */

static void record(const char *file_name)
{
	char path[PATH_MAX];

	sysfs_recorded = false;
	snprintf(sys_path, sizeof(sys_path), "%s/sys", tree_make());
	roots = (struct mpp_roots) { .proc = "/nonexistent", .sys = sys_path };
	snprintf(path, sizeof(path), "%s/%s", data_dir, file_name);
	tree_replay(path);
	/* Where links lead, though there is nothing to read. */
	tree_write("sys/devices/pci0000:20/0000:20:00.0/vendor", "0x1b36\n");
	tree_write("sys/devices/pci0000:20/0000:20:01.0/vendor", "0x1b36\n");
	tree_write("sys/devices/pci0000:40/0000:40:00.0/vendor", "0x1b36\n");
	tree_write("sys/devices/pci0000:40/0000:40:01.0/vendor", "0x1b36\n");
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "dev/cxl/mem%d", i);
		tree_write(path, "");
	}
	sysfs_recorded = true;
}

static struct mpp_cxl *open_recorded(void)
{
	struct mpp_cxl *cxl = NULL;

	CHECK_INT(mpp_cxl_open_at(&roots, &cxl), 0);
	return cxl;
}

static void done(struct mpp_cxl *cxl)
{
	sysfs_recorded = false;
	CHECK(!mpp_cxl_unref(cxl));
	tree_remove();
}

static struct mpp_cxl_region region_of(const struct mpp_cxl *cxl)
{
	struct mpp_cxl_region region = { .size = sizeof(region) };

	CHECK_INT(mpp_cxl_get_region(cxl, 0, &region), 0);
	return region;
}

/* ---- Topology ---- */

#define REGION_612	"sys/devices/platform/ACPI0017:00/root0/decoder0.0/region0/"
#define ENDPOINT_612	"sys/devices/platform/ACPI0017:00/root0/port1/endpoint2/decoder2.0/"

static void reads_two_ways(void)
{
	struct mpp_cxl_device device = { .size = sizeof(device) };
	struct mpp_cxl_region region;
	struct mpp_cxl *cxl;
	size_t index = 99;
	uint64_t addr = 0;

	record("cxl-6.12-2.txt");
	cxl = open_recorded();
	CHECK_INT(mpp_cxl_get_device(cxl, 1, &device), 0);
	CHECK_STR(device.name, "mem1");
	CHECK_STR(device.host, "0000:22:00.0");
	CHECK_INT(device.serial, 2);
	CHECK_INT(device.ram_bytes, 256 * MIB);
	CHECK_INT(device.pmem_bytes, 0);
	CHECK_INT(mpp_cxl_get_device(cxl, 2, &device), -ERANGE);
	device.size = 8;
	CHECK_INT(mpp_cxl_get_device(cxl, 0, &device), -EINVAL);
	CHECK_INT(mpp_cxl_find_device(cxl, "mem1 5", 4), 1);
	CHECK_INT(mpp_cxl_find_device(cxl, "mem11", 5), -ENODEV);
	CHECK_INT(mpp_cxl_find_device(cxl, "", 0), -ENODEV);

	region = region_of(cxl);
	CHECK_STR(region.name, "region0");
	CHECK_STR(region.window, "decoder0.0");
	CHECK_STR(region.problem, "");
	CHECK_INT(region.start, 0x190000000);
	CHECK_INT(region.size_bytes, 512 * MIB);
	CHECK_INT(region.ways, 2);
	CHECK_INT(region.granularity, 256);
	CHECK_INT(region.window_ways, 1);
	CHECK_INT(region.nr_parts, 2);
	CHECK_INT(region.part_bytes, 256 * MIB);
	CHECK_INT(mpp_cxl_get_region(cxl, 1, &region), -ERANGE);

	CHECK_INT(mpp_cxl_to_hpa(cxl, 1, 0x1234, &addr), 0);
	CHECK_INT(addr, 0x190000000 + 0x2400 + 0x100 + 0x34);
	CHECK_INT(mpp_cxl_to_dpa(cxl, addr, &index, &addr), 0);
	CHECK_INT(index, 1);
	CHECK_INT(addr, 0x1234);
	CHECK_INT(mpp_cxl_to_hpa(cxl, 2, 0, &addr), -ENXIO);
	CHECK_INT(mpp_cxl_to_hpa(cxl, UINT64_C(1) << 32, 0, &addr), -ENXIO);
	CHECK_INT(mpp_cxl_to_dpa(cxl, 0x1000, &index, &addr), -ENXIO);
	CHECK(mpp_cxl_ref(cxl) == cxl);
	mpp_cxl_unref(cxl);
	done(cxl);
}

static void reads_two_bridges(void)
{
	/* By position, since that is how it was set up. */
	static const unsigned int serials[] = { 1, 2, 3, 4 };
	struct mpp_cxl_device device = { .size = sizeof(device) };
	struct mpp_cxl_region region;
	struct mpp_cxl *cxl;
	uint64_t addr = 0;

	record("cxl-7.3-4x2.txt");
	cxl = open_recorded();
	region = region_of(cxl);
	CHECK_STR(region.problem, "");
	CHECK_INT(region.ways, 4);
	CHECK_INT(region.granularity, 1024);
	CHECK_INT(region.window_ways, 2);
	CHECK_INT(region.nr_xor, 0);
	for (unsigned int i = 0; i < 4; i++) {
		CHECK_INT(mpp_cxl_get_device(cxl, region.parts[i].device, &device), 0);
		CHECK_INT(device.serial, serials[i]);
		CHECK_INT(mpp_cxl_to_hpa(cxl, region.parts[i].device, 0x405, &addr), 0);
		CHECK_INT(addr, region.start + 4096 + i * 1024 + 5);
	}
	done(cxl);
}

/* The same machine, whose firmware says that bridges go by the XOR of bits 10 and 20. */
static void follows_xor_maps(void)
{
	static const unsigned char cxims[] = {
		2, 0, 16, 0, 0, 0, 2, 1, 0, 0x04, 0x10, 0, 0, 0, 0, 0,
	};
	unsigned char table[512];
	struct mpp_cxl_region region;
	struct mpp_cxl *cxl;
	uint64_t addr = 0;
	int len, sum = 0;

	record("cxl-7.3-4x2.txt");
	sysfs_recorded = false;
	len = mpp_read_file(tree_path("sys/firmware/acpi/tables/CEDT"), sizeof(table),
			    (char *)table);
	CHECK_INT(len, 144);
	table[36 + 64 + 25] = 1;	/* the arithmetic, behind two bridges of 32 bytes */
	memcpy(table + len, cxims, sizeof(cxims));
	len += (int)sizeof(cxims);
	table[4] = (unsigned char)len;
	table[9] = 0;
	for (int i = 0; i < len; i++)
		sum += table[i];
	table[9] = (unsigned char)-sum;
	tree_write_at("sys/firmware/acpi/tables/CEDT", 0, table, (size_t)len);
	sysfs_recorded = true;

	cxl = open_recorded();
	region = region_of(cxl);
	CHECK_STR(region.problem, "");
	CHECK_INT(region.nr_xor, 1);
	/* In the first megabyte as before, in the second the bridges have changed places. */
	CHECK_INT(mpp_cxl_to_hpa(cxl, region.parts[1].device, 5, &addr), 0);
	CHECK_INT(addr, region.start + 1024 + 5);
	CHECK_INT(mpp_cxl_to_hpa(cxl, region.parts[1].device, 0x40000 + 5, &addr), 0);
	CHECK_INT(addr, region.start + MIB + 5);
	CHECK_INT(mpp_cxl_to_hpa(cxl, region.parts[0].device, 0x40000 + 5, &addr), 0);
	CHECK_INT(addr, region.start + MIB + 1024 + 5);
	done(cxl);
}

static void expect_problem(const char *file, const char *text, const char *problem)
{
	struct mpp_cxl_region region;
	struct mpp_cxl *cxl;
	uint64_t addr;

	record("cxl-7.3-4x2.txt");
	if (text)
		tree_write(file, text);
	else
		unlink(tree_path(file));
	cxl = open_recorded();
	region = region_of(cxl);
	CHECK_STR(region.problem, problem);
	/* Nobody is told an address that may be wrong. */
	for (size_t i = 0; i < 4; i++)
		CHECK_INT(mpp_cxl_to_hpa(cxl, i, 0, &addr), -ENXIO);
	done(cxl);
}

static void tells_what_it_cannot(void)
{
	static const char endpoint[] = "sys/devices/platform/ACPI0017:00/root0/port1/endpoint3/"
				       "decoder3.0/";
	char name[256];

	expect_problem("sys/firmware/acpi/tables/CEDT", NULL,
		       "several host bridges, and whether by XOR is in the CEDT: "
		       "No such file or directory");
	expect_problem("sys/firmware/acpi/tables/CEDT", "rubbish", "not a CEDT");
	expect_problem("sys/devices/platform/ACPI0017:00/root0/decoder0.0/interleave_granularity",
		       "4096\n", "the kernel and the CEDT disagree about its window");
	expect_problem(REGION_612 "commit", "0\n", "not set up: it is not committed");
	expect_problem(REGION_612 "extended_linear_cache_size", "0x20000000\n",
		       "the platform hides the addresses that its devices see");
	expect_problem(REGION_612 "size", "0x80000000\n",
		       "its size is not the sum of what its devices contribute");
	expect_problem(REGION_612 "interleave_ways", "8\n", "not all of its devices are there");
	snprintf(name, sizeof(name), "%sdpa_size", endpoint);
	expect_problem(name, "0x8000000\n", "its devices contribute different sizes");
	snprintf(name, sizeof(name), "%sstart", endpoint);
	expect_problem(name, "0x0\n", "the platform hides the addresses that its devices see");
	snprintf(name, sizeof(name), "%sdpa_resource", endpoint);
	expect_problem(name, "0xffffffffffffffff\n",
		       "one of its devices is not as the kernel tells");
}

static void tells_that_there_is_nothing(void)
{
	struct mpp_cxl_device device = { .size = sizeof(device) };
	struct mpp_cxl_region region = { .size = sizeof(region) };
	struct mpp_cxl *cxl = NULL;

	snprintf(sys_path, sizeof(sys_path), "%s/sys", tree_make());
	roots = (struct mpp_roots) { .proc = "/nonexistent", .sys = sys_path };
	sysfs_recorded = true;
	CHECK_INT(mpp_cxl_open_at(&roots, &cxl), -ENODEV);
	CHECK(!cxl);
	tree_write("sys/bus/cxl/devices/.keep", "");
	cxl = open_recorded();
	CHECK_INT(mpp_cxl_get_device(cxl, 0, &device), -ERANGE);
	CHECK_INT(mpp_cxl_get_region(cxl, 0, &region), -ERANGE);
	done(cxl);
}

/* ---- Hot lists ---- */

static struct mpp_source *open_list(const struct mpp_cxl *cxl, const char *text, uint64_t unit)
{
	const struct mpp_cxl_hot_options options = {
		.size = sizeof(options), .cxl = cxl, .unit_bytes = unit,
	};
	struct mpp_source *src = NULL;

	sysfs_recorded = false;
	tree_write("list", text);
	CHECK_INT(mpp_cxl_hot_open(tree_path("list"), &options, &src), 0);
	return src;
}

static void check_record(const struct mpp_record *record, uint64_t addr, uint64_t size,
			 double weight)
{
	if (record->addr != addr || record->size_bytes != size || record->weight != weight)
		tap_fail(__FILE__, __LINE__, "0x%" PRIx64 "+%" PRIu64 " %g, not 0x%" PRIx64 "+%"
			 PRIu64 " %g", record->addr, record->size_bytes, record->weight, addr,
			 size, weight);
	CHECK_INT(record->source, MPP_SOURCE_CXL);
}

/* A device that gives the region its upper half only: what is below was skipped. */
static void reads_hot_lists(void)
{
	struct mpp_record records[8];
	struct mpp_cxl *cxl;
	struct mpp_source *src;

	record("cxl-6.12-2.txt");
	tree_write(ENDPOINT_612 "dpa_resource", "0x10000000\n");
	cxl = open_recorded();
	src = open_list(cxl,
			"# a comment\n"
			"mem1 0x1800 6 12.5\n"
			"\n"
			"  mem0\t0x10000000+256 3  # a chunk\r\n"
			"mem0 0x0 1\n"
			"mem7 0x0 1\n"
			"mem1\n"
			"mem1 4096\n"
			"mem1 0xffff000+8192\n"
			"mem1 0xfffffff 0\n", 0);
	CHECK_INT(mpp_source_read(src, 1, records), 1);	/* between the shares of a unit */
	check_record(&records[0], 0x190002000, 4096, 3);
	CHECK_INT(records[0].time_ns, UINT64_C(12500000000));
	CHECK_INT(mpp_source_ready(src), 1);
	CHECK_INT(mpp_source_read(src, 8, records), 2);
	check_record(&records[0], 0x190003000, 4096, 3);
	check_record(&records[1], 0x190000000, 4096, 3);
	CHECK_INT(mpp_source_read(src, 8, records), -EBADMSG);
	CHECK_HAS(mpp_source_error(src), "list:5: \"mem0 0x0 1\": these addresses of the device "
		  "are in no region");
	CHECK_INT(mpp_source_read(src, 8, records), -EBADMSG);
	CHECK_HAS(mpp_source_error(src), "list:6: \"mem7 0x0 1\": does not begin with the name");
	CHECK_INT(mpp_source_read(src, 8, records), -EBADMSG);
	CHECK_HAS(mpp_source_error(src), "list:7:");
	CHECK_INT(mpp_source_read(src, 8, records), -EBADMSG);
	CHECK_HAS(mpp_source_error(src), "list:8: \"mem1 4096\": a bare number");
	CHECK_INT(mpp_source_read(src, 8, records), -EBADMSG);
	CHECK_HAS(mpp_source_error(src), "list:9:");
	CHECK_INT(mpp_source_read(src, 8, records), 2);
	check_record(&records[1], 0x1affff000, 4096, 0);
	CHECK_INT(mpp_source_read(src, 8, records), 0);
	CHECK_INT(mpp_source_read(src, 8, records), 0);
	mpp_source_unref(src);
	done(cxl);
}

/* Weights add up to what they were, whatever the unit and however the reads fall. */
static void shares_the_weight(void)
{
	struct mpp_record records[3];
	struct mpp_cxl *cxl;

	record("cxl-7.3-4x2.txt");
	cxl = open_recorded();
	for (uint64_t unit = 64; unit <= 16 * MIB; unit *= 2) {
		struct mpp_source *src = open_list(cxl, "mem2 0x1000040 1024\nmem3 0x0 1024\n",
						   unit);
		double sum = 0;
		int nr;

		while ((nr = mpp_source_read(src, 3, records)) > 0)
			for (int i = 0; i < nr; i++)
				sum += records[i].weight;
		CHECK_INT(nr, 0);
		CHECK(sum > 2047.999 && sum < 2048.001);
		mpp_source_unref(src);
	}
	done(cxl);
}

static void checks_options(void)
{
	struct mpp_cxl_hot_options options = { .size = sizeof(options) };
	struct mpp_source *src = NULL;
	struct mpp_record record_read;
	struct mpp_cxl *cxl;
	int fds[2];

	record("cxl-6.12-2.txt");
	cxl = open_recorded();
	sysfs_recorded = false;
	CHECK_INT(mpp_cxl_hot_open("/nonexistent", &options, &src), -ENOENT);
	CHECK_INT(mpp_cxl_hot_open_fd(0, "x", &options, &src), -EINVAL);
	options.cxl = cxl;
	options.unit_bytes = 4095;
	CHECK_INT(mpp_cxl_hot_open_fd(0, "x", &options, &src), -EINVAL);
	options.unit_bytes = 32;
	CHECK_INT(mpp_cxl_hot_open_fd(0, "x", &options, &src), -EINVAL);
	options.unit_bytes = 0;
	options.size = 8;
	CHECK_INT(mpp_cxl_hot_open_fd(0, "x", &options, &src), -EINVAL);
	options.size = sizeof(options);
	CHECK(!src);

	/* What has come is not held up by what may come; a cancel ends the wait. */
	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	CHECK_INT(mpp_cxl_hot_open_fd(fds[0], "pipe", &options, &src), 0);
	CHECK_INT(mpp_source_ready(src), 0);
	CHECK_INT(write(fds[1], "mem0 0x100+64\n", 14), 14);
	CHECK_INT(mpp_source_ready(src), 1);
	CHECK_INT(mpp_source_read(src, 1, &record_read), 1);
	check_record(&record_read, 0x190000000, 4096, 1);
	CHECK_INT(mpp_source_ready(src), 0);
	mpp_source_cancel(src);
	CHECK_INT(mpp_source_read(src, 1, &record_read), -ECANCELED);
	/* The source holds what it needs. */
	done(cxl);
	mpp_source_unref(src);
	close(fds[0]);
	close(fds[1]);
}

/* Asks what it can, with a reference and a hot list of its own; NULL when all was right. */
static void *ask_often(void *arg)
{
	struct mpp_cxl *cxl = mpp_cxl_ref(arg);
	const struct mpp_cxl_hot_options options = { .size = sizeof(options), .cxl = cxl };
	struct mpp_cxl_region region = { .size = sizeof(region) };
	struct mpp_record record;
	struct mpp_source *src;
	void *result = NULL;
	int fds[2];

	for (uint64_t i = 0; i < 2000 && !result; i++) {
		const uint64_t dpa = i * 4099;
		uint64_t hpa, back;
		size_t device;

		if (mpp_cxl_find_device(cxl, "mem1", 4) != 1 ||
		    mpp_cxl_get_region(cxl, 0, &region) || region.ways != 2 ||
		    mpp_cxl_to_hpa(cxl, i % 2, dpa, &hpa) ||
		    mpp_cxl_to_dpa(cxl, hpa, &device, &back) || device != i % 2 || back != dpa)
			result = arg;
	}
	if (pipe(fds) || write(fds[1], "mem1 0x1000 5\n", 14) != 14 || close(fds[1]) ||
	    mpp_cxl_hot_open_fd(fds[0], "pipe", &options, &src))
		return arg;
	mpp_cxl_unref(cxl);
	if (mpp_source_read(src, 1, &record) != 1 || record.addr != region.start + 0x2000)
		result = arg;
	mpp_source_unref(src);
	close(fds[0]);
	return result;
}

static void answers_many_threads(void)
{
	pthread_t threads[4];
	struct mpp_cxl *cxl;
	void *result;

	record("cxl-6.12-2.txt");
	cxl = open_recorded();
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, ask_often, cxl), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], &result);
		CHECK(!result);
	}
	done(cxl);
}

int main(void)
{
	static const struct tap_test tests[] = {
		{ "two devices, as Linux 6.12 shows them", reads_two_ways },
		{ "four devices behind two bridges, as Linux 7.3 shows them", reads_two_bridges },
		{ "XOR maps of the firmware", follows_xor_maps },
		{ "regions that cannot be translated say why", tells_what_it_cannot },
		{ "no CXL, no devices", tells_that_there_is_nothing },
		{ "hot lists: entries, skips, bad lines", reads_hot_lists },
		{ "hot lists: weights add up", shares_the_weight },
		{ "hot lists: options, waiting, cancelling", checks_options },
		{ "threads that ask one topology", answers_many_threads },
	};

	data_dir = getenv("UNIT_DATA");
	if (!data_dir) {
		puts("1..0 # SKIP UNIT_DATA is to name the recorded trees: run it by `meson test`");
		return EXIT_SUCCESS;
	}
	return tap_main(tests, ARRAY_LEN(tests));
}
