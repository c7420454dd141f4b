// SPDX-License-Identifier: GPL-2.0-only
/* Zones, and all memory of nodes as ranges. */
#include <errno.h>

#include "machine.h"
#include "tap.h"

#define NR_MAX	16

struct expected {
	uint64_t first, frames;
	int node;
	const char *zone;
};

static void expect(const int *nodes, size_t nr_nodes, const struct expected *want, size_t nr)
{
	const struct mpp_zoneinfo_options options = {
		.size = sizeof(options), .nodes = nodes, .nr_nodes = nr_nodes,
	};

	for (size_t step = 1; step <= NR_MAX; step += 2) {
		struct mpp_record records[NR_MAX];
		struct mpp_source *src;
		struct mpp_zone zone;
		size_t seen = 0;
		int got;

		CHECK_INT(mpp_zoneinfo_open_at(&machine_roots, &options, &src), 0);
		while ((got = mpp_source_read(src, step, records)) > 0) {
			for (int i = 0; i < got && seen < nr; i++, seen++) {
				CHECK_INT(records[i].addr, FRAME(want[seen].first));
				CHECK_INT(records[i].size_bytes, FRAME(want[seen].frames));
				CHECK_INT(records[i].source, MPP_SOURCE_ZONEINFO);
				CHECK_INT(mpp_zoneinfo_zone(src, (size_t)i, &zone), 0);
				CHECK_INT(zone.node, want[seen].node);
				CHECK_STR(zone.name, want[seen].zone);
			}
			CHECK_INT(mpp_zoneinfo_zone(src, (size_t)got, &zone), -ERANGE);
		}
		CHECK_INT(got, 0);
		CHECK_INT(seen, nr);
		CHECK_INT(mpp_source_va(src, 0, &records[0].addr), -ENOTSUP);
		mpp_source_unref(src);
	}
}

static const struct expected all[] = {
	{ 0x1, 0x9e, 0, "DMA" },	/* the half page at 0x9f is nobody's */
	{ 0x100, 0xf00, 0, "DMA" },
	{ 0x1000, 0x8000, 0, "DMA32" },
	{ 0x10000, 0x8000, 1, "Normal" },
};

static void finds_memory(void)
{
	machine_make();
	expect(NULL, 0, all, ARRAY_LEN(all));
	expect((const int[]) { 1 }, 1, all + 3, 1);
	expect((const int[]) { 1, 0 }, 2, all, ARRAY_LEN(all));
	expect((const int[]) { 7 }, 1, NULL, 0);
	tree_remove();
}

/* Without the right to see addresses in iomem, holes inside a block are not known. */
static void does_without_iomem(void)
{
	static const struct expected coarse[] = {
		{ 0x1, 0xfff, 0, "DMA" },
		{ 0x1000, 0x8000, 0, "DMA32" },
		{ 0x10000, 0x8000, 1, "Normal" },
	};

	machine_make();
	tree_write("proc/iomem", "00000000-00000000 : System RAM\n00000000-00000000 : Reserved\n");
	expect(NULL, 0, coarse, ARRAY_LEN(coarse));
	unlink(tree_path("proc/iomem"));
	expect(NULL, 0, coarse, ARRAY_LEN(coarse));
	tree_remove();
}

static void leaves_out_what_is_offline(void)
{
	static const struct expected want[] = {
		{ 0x1, 0x9e, 0, "DMA" },
		{ 0x100, 0xf00, 0, "DMA" },
		{ 0x1000, 0x7000, 0, "DMA32" },
	};

	machine_make();
	tree_write("sys/devices/system/node/node0/memory1/state", "offline\n");
	tree_write("sys/devices/system/node/node1/memory2/state", "offline\n");
	expect(NULL, 0, want, ARRAY_LEN(want));
	tree_remove();
}

static void tells_zones(void)
{
	struct mpp_zone zones[NR_MAX];

	machine_make();
	CHECK_INT(mpp_zones_read_at(&machine_roots, NR_MAX, zones), 3);
	CHECK_INT(zones[0].node, 0);
	CHECK_STR(zones[0].name, "DMA");
	CHECK_INT(zones[0].start, 4096);
	CHECK_INT(zones[0].spanned_bytes, FRAME(4095));
	CHECK_INT(zones[0].present_bytes, FRAME(3999));
	CHECK_INT(zones[0].managed_bytes, FRAME(3840));
	CHECK_INT(zones[2].node, 1);
	CHECK_STR(zones[2].name, "Normal");
	zones[1].node = 42;
	CHECK_INT(mpp_zones_read_at(&machine_roots, 1, zones), 3);
	CHECK_INT(zones[1].node, 42);
	tree_remove();
}

static void tells_errors(void)
{
	const struct mpp_zoneinfo_options options = { .size = sizeof(options) };
	struct mpp_source *src = NULL;
	struct mpp_zone zones[NR_MAX];

	machine_make();
	tree_write("proc/zoneinfo", "garbage\nNode x, zone\n\n");
	CHECK_INT(mpp_zones_read_at(&machine_roots, NR_MAX, zones), 0);
	CHECK_INT(mpp_zoneinfo_open_at(&machine_roots, &options, &src), -ENOENT);
	unlink(tree_path("proc/zoneinfo"));
	CHECK_INT(mpp_zoneinfo_open_at(&machine_roots, &options, &src), -ENOENT);
	CHECK(!src);
	tree_remove();
}

static void stops_when_cancelled(void)
{
	const struct mpp_zoneinfo_options options = { .size = sizeof(options) };
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;

	machine_make();
	CHECK_INT(mpp_zoneinfo_open_at(&machine_roots, &options, &src), 0);
	CHECK_INT(mpp_source_read(src, 1, records), 1);
	mpp_source_cancel(src);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -ECANCELED);
	mpp_source_unref(src);
	tree_remove();
}

TAP_MAIN(
	{ "all memory, without holes", finds_memory },
	{ "where iomem hides its addresses", does_without_iomem },
	{ "offline blocks", leaves_out_what_is_offline },
	{ "zones", tells_zones },
	{ "garbage and nothing", tells_errors },
	{ "cancelled", stops_when_cancelled },
)
