// SPDX-License-Identifier: GPL-2.0-only
/* Which node an address is on, from recorded sysfs and zoneinfo. */
#include <errno.h>

#include "internal.h"
#include "tap.h"
#include "tree.h"

static const char zoneinfo[] =
	"Node 0, zone      DMA\n"
	"  per-node stats\n"
	"      nr_inactive_anon 13853\n"
	"  pages free     2816\n"
	"        spanned  4095\n"
	"        present  3998\n"
	"  start_pfn:           1\n"
	"Node 0, zone    DMA32\n"
	"        spanned  61440\n"
	"  start_pfn:           4096\n"
	"Node 0, zone   Normal\n"
	"        spanned  0\n"
	"  start_pfn:           0\n"
	"Node 1, zone    DMA32\n"
	"        spanned  65536\n"
	"  start_pfn:           65536\n";

static struct mpp_roots roots;
static char proc_path[512], sys_path[512];

static void add_block(int node, int block, const char *state)
{
	char name[128];

	snprintf(name, sizeof(name), "sys/devices/system/node/node%d/memory%d/state", node, block);
	tree_write(name, state);
}

static void start(void)
{
	const char *root = tree_make();

	snprintf(proc_path, sizeof(proc_path), "%s/proc", root);
	snprintf(sys_path, sizeof(sys_path), "%s/sys", root);
	roots = (struct mpp_roots) { .proc = proc_path, .sys = sys_path, .device = "/dev/null" };
}

static void goes_by_blocks(void)
{
	struct mpp_nodemap *map;

	start();
	tree_write("sys/devices/system/memory/block_size_bytes", "8000000\n");
	add_block(0, 0, "online\n");
	add_block(0, 1, "online\n");
	add_block(1, 2, "online\n");
	add_block(1, 3, "offline\n");
	add_block(0, 4, "online\n");
	add_block(0, 6, "online\n");
	add_block(2, 10, "going-offline\n");
	tree_write("sys/devices/system/node/node0/meminfo", "x");
	tree_write("sys/devices/system/node/node0/memory_failure/total", "0");
	tree_write("sys/devices/system/node/online", "0-2\n");
	CHECK_INT(mpp_nodemap_open_at(&roots, &map), 0);
	CHECK_INT(mpp_nodemap_node(map, 0), 0);
	CHECK_INT(mpp_nodemap_node(map, 0xfffffff), 0);
	CHECK_INT(mpp_nodemap_node(map, 0x10000000), 1);
	CHECK_INT(mpp_nodemap_node(map, 0x17ffffff), 1);
	CHECK_INT(mpp_nodemap_node(map, 0x18000000), -ENXIO);
	CHECK_INT(mpp_nodemap_node(map, 0x20000000), 0);
	CHECK_INT(mpp_nodemap_node(map, 0x28000000), -ENXIO);
	CHECK_INT(mpp_nodemap_node(map, 0x30000000), 0);
	CHECK_INT(mpp_nodemap_node(map, 0x50000000), -ENXIO);
	CHECK_INT(mpp_nodemap_node(map, UINT64_MAX), -ENXIO);
	CHECK(!mpp_nodemap_free(map));
	tree_remove();
}

/* Nodes meet inside block 1, at 256 MiB with blocks of 192 MiB. */
static void splits_a_shared_block(void)
{
	struct mpp_nodemap *map;

	start();
	tree_write("proc/zoneinfo", zoneinfo);
	tree_write("sys/devices/system/memory/block_size_bytes", "c000000\n");
	add_block(0, 0, "online\n");
	add_block(0, 1, "online\n");
	add_block(1, 1, "online\n");
	add_block(1, 2, "online\n");
	CHECK_INT(mpp_nodemap_open_at(&roots, &map), 0);
	CHECK_INT(mpp_nodemap_node(map, 0x0), 0);
	CHECK_INT(mpp_nodemap_node(map, 0xbffffff), 0);
	CHECK_INT(mpp_nodemap_node(map, 0xc000000), 0);
	CHECK_INT(mpp_nodemap_node(map, 0xfffffff), 0);
	CHECK_INT(mpp_nodemap_node(map, 0x10000000), 1);
	CHECK_INT(mpp_nodemap_node(map, 0x17ffffff), 1);
	CHECK_INT(mpp_nodemap_node(map, 0x18000000), 1);
	CHECK_INT(mpp_nodemap_node(map, 0x24000000), -ENXIO);
	mpp_nodemap_free(map);
	tree_remove();
}

static void falls_back_on_zones(void)
{
	struct mpp_nodemap *map;

	start();
	tree_write("proc/zoneinfo", zoneinfo);
	CHECK_INT(mpp_nodemap_open_at(&roots, &map), 0);
	CHECK_INT(mpp_nodemap_node(map, 0), -ENXIO);	/* the first zone starts at frame 1 */
	CHECK_INT(mpp_nodemap_node(map, 0x1000), 0);
	CHECK_INT(mpp_nodemap_node(map, 0xfffffff), 0);
	CHECK_INT(mpp_nodemap_node(map, 0x10000000), 1);
	CHECK_INT(mpp_nodemap_node(map, 0x1fffffff), 1);
	CHECK_INT(mpp_nodemap_node(map, 0x20000000), -ENXIO);
	mpp_nodemap_free(map);
	tree_remove();
}

static void needs_something(void)
{
	struct mpp_nodemap *map = NULL;

	start();
	CHECK_INT(mpp_nodemap_open_at(&roots, &map), -ENOENT);
	tree_write("sys/devices/system/memory/block_size_bytes", "rubbish\n");
	tree_write("proc/zoneinfo", "rubbish\n");
	CHECK_INT(mpp_nodemap_open_at(&roots, &map), -ENOENT);
	CHECK(!map);
	CHECK(!mpp_nodemap_free(NULL));
	tree_remove();
}

TAP_MAIN(
	{ "memory blocks", goes_by_blocks },
	{ "a block of two nodes", splits_a_shared_block },
	{ "zones alone", falls_back_on_zones },
	{ "neither", needs_something },
)
