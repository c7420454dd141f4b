// SPDX-License-Identifier: GPL-2.0-only
/*
 * What sysfs says of a CXL region and of its devices' decoders, each value by turns,
 * in a recorded tree.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "cxl.h"
#include "sysfs.h"
#include "tree.h"

#include "fuzz.h"

#define ROOT	"sys/devices/platform/ACPI0017:00/root0/decoder0.0/"
#define REGION	ROOT "region0/"
#define ENDPOINT "sys/devices/platform/ACPI0017:00/root0/port1/endpoint2/decoder2.0/"

static char sys_path[PATH_MAX];

static const struct {
	const char *name, *recorded;
} files[] = {
	{ REGION "interleave_ways", "2\n" },
	{ REGION "interleave_granularity", "256\n" },
	{ REGION "resource", "0x190000000\n" },
	{ REGION "size", "0x20000000\n" },
	{ REGION "commit", "1\n" },
	{ REGION "target1", "decoder3.0\n" },
	{ REGION "extended_linear_cache_size", "0\n" },
	{ ROOT "interleave_ways", "1\n" },
	{ ROOT "interleave_granularity", "256\n" },
	{ ENDPOINT "dpa_resource", "0x0\n" },
	{ ENDPOINT "dpa_size", "0x0000000010000000\n" },
	{ ENDPOINT "start", "0x190000000\n" },
	{ ENDPOINT "mode", "ram\n" },
};

static void remove_tree(void)
{
	sysfs_recorded = false;
	tree_remove();
}

static void make_tree(void)
{
	snprintf(sys_path, sizeof(sys_path), "%s/sys", tree_make());
	atexit(remove_tree);
	tree_replay(RECORDED);
	/* Where links lead, though there is nothing to read. */
	tree_write("sys/devices/pci0000:20/0000:20:00.0/vendor", "0x1b36\n");
	tree_write("dev/cxl/mem0", "");
	tree_write("dev/cxl/mem1", "");
}

/* What says that it can be translated is, both ways. */
static void check_region(const struct mpp_cxl *cxl, const struct mpp_cxl_region *region)
{
	const uint64_t offsets[] = { 0, 256, 4095, region->size_bytes - region->cache_bytes - 1 };

	FUZZ_CHECK(memchr(region->problem, '\0', sizeof(region->problem)));
	if (*region->problem)
		return;
	FUZZ_CHECK(region->ways >= 1 && region->ways <= MPP_CXL_WAYS_MAX);
	FUZZ_CHECK(region->size_bytes && region->size_bytes - 1 <= UINT64_MAX - region->start);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		uint64_t hpa = region->start + region->cache_bytes + offsets[i], dpa, back;
		size_t device;

		FUZZ_CHECK(!mpp_cxl_to_dpa(cxl, hpa, &device, &dpa));
		FUZZ_CHECK(!mpp_cxl_to_hpa(cxl, device, dpa, &back) && back == hpa);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mpp_roots roots = { .proc = "/nonexistent", .sys = sys_path };
	struct mpp_cxl_region region = { .size = sizeof(region) };
	struct fuzz_input in = { data, size };
	struct mpp_cxl *cxl;

	if (!*sys_path)
		make_tree();
	/* A part that is empty leaves the value as it was recorded. */
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		size_t len;
		char *text = fuzz_part(&in, &len);

		tree_write(files[i].name, len ? text : files[i].recorded);
		free(text);
	}
	sysfs_recorded = true;
	if (!mpp_cxl_open_at(&roots, &cxl)) {
		for (size_t i = 0; !mpp_cxl_get_region(cxl, i, &region); i++)
			check_region(cxl, &region);
		mpp_cxl_unref(cxl);
	}
	sysfs_recorded = false;
	return 0;
}
