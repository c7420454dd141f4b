// SPDX-License-Identifier: GPL-2.0-only
/* /proc/zoneinfo, /proc/iomem and the size of memory blocks: the machine's memory map. */
#include "memory.h"
#include "tree.h"

#include "fuzz.h"

static char proc[512], sys[512];
static const struct mpp_roots roots = { .proc = proc, .sys = sys, .device = "/dev/null" };

static void remove_tree(void)
{
	tree_remove();
}

static void make_tree(void)
{
	const char *root = tree_make();

	atexit(remove_tree);
	snprintf(proc, sizeof(proc), "%s/proc", root);
	snprintf(sys, sizeof(sys), "%s/sys", root);
	tree_write("sys/devices/system/node/node0/memory0/state", "online\n");
	tree_write("sys/devices/system/node/node0/memory1/state", "offline\n");
	tree_write("sys/devices/system/node/node1/memory1/state", "online\n");
	tree_write("sys/devices/system/node/node1/memory2/state", "online\n");
}

static void check_memory(void)
{
	struct mpp_memory *memory;

	if (mpp_memory_read(&roots, &memory))
		return;
	FUZZ_CHECK(memory->nr_ranges > 0);
	for (size_t i = 0; i < memory->nr_ranges; i++) {
		const struct mpp_memory_range *range = &memory->ranges[i];

		FUZZ_CHECK(range->start <= range->last && range->zone < memory->nr_zones);
		FUZZ_CHECK(!(range->start & 4095) && (range->last & 4095) == 4095);
	}
	mpp_memory_free(memory);
}

static void check_nodemap(void)
{
	struct mpp_nodemap *map;
	uint64_t addr = 0, last = 0;

	if (mpp_nodemap_open_at(&roots, &map))
		return;
	for (int i = 0; i < 4096 && last != UINT64_MAX; i++) {
		FUZZ_CHECK(mpp_nodemap_range(map, addr, &last) == mpp_nodemap_node(map, addr));
		FUZZ_CHECK(last >= addr);
		FUZZ_CHECK(mpp_nodemap_node(map, addr) == mpp_nodemap_node(map, last));
		addr = last + 1;
	}
	mpp_nodemap_free(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const files[] = {
		"proc/zoneinfo", "proc/iomem", "sys/devices/system/memory/block_size_bytes",
	};
	struct fuzz_input in = { data, size };
	struct mpp_zone zones[4];

	if (!*proc)
		make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		size_t len;
		char *text = fuzz_part(&in, &len);

		tree_write(files[i], text);
		free(text);
	}
	check_memory();
	check_nodemap();
	mpp_zones_read_at(&roots, ARRAY_SIZE(zones), zones);
	return 0;
}
