/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recorded machine of two nodes, in a tree: node 0 has frames 1 to 0x8fff with
 * a hole at 0xa0-0xff, node 1 has 0x10000 to 0x17fff.  Blocks are of 128 MiB.
 */
#ifndef MOVEPHYS_MACHINE_H
#define MOVEPHYS_MACHINE_H

#include <stdio.h>
#include <unistd.h>

#include "internal.h"
#include "tree.h"

#define FRAME(n)	((uint64_t)(n) * 4096)

static char machine_proc[512], machine_sys[512];
static struct mpp_roots machine_roots;

static inline void machine_make(void)
{
	const char *root = tree_make();

	snprintf(machine_proc, sizeof(machine_proc), "%s/proc", root);
	snprintf(machine_sys, sizeof(machine_sys), "%s/sys", root);
	machine_roots = (struct mpp_roots) {
		.proc = machine_proc, .sys = machine_sys, .device = "/dev/null",
	};
	tree_write("proc/zoneinfo",
		   "Node 0, zone      DMA\n"
		   "  per-node stats\n"
		   "      nr_free_pages 13853\n"
		   "  pages free     2816\n"
		   "        boost    0\n"
		   "        spanned  4095\n"
		   "        present  3999\n"
		   "        managed  3840\n"
		   "        protection: (0, 1, 2, 3, 4)\n"
		   "  start_pfn:           1\n"
		   "Node 0, zone    DMA32\n"
		   "        spanned  32768\n"
		   "        present  32768\n"
		   "        managed  30000\n"
		   "  start_pfn:           4096\n"
		   "Node 0, zone   Device\n"
		   "        spanned  0\n"
		   "        present  0\n"
		   "        managed  0\n"
		   "Node 1, zone   Normal\n"
		   "        spanned  32768\n"
		   "        present  32768\n"
		   "        managed  32000\n"
		   "  start_pfn:           65536\n");
	tree_write("proc/iomem",
		   "00000000-00000fff : Reserved\n"
		   "00001000-0009fbff : System RAM\n"
		   "00100000-08ffffff : System RAM\n"
		   "  01000000-0220bb07 : Kernel code\n"
		   "10000000-17ffffff : CXL Window 0\n"
		   "  10000000-17ffffff : dax0.0\n"
		   "    10000000-17ffffff : System RAM (kmem)\n");
	tree_write("sys/devices/system/memory/block_size_bytes", "8000000\n");
	tree_write("sys/devices/system/node/node0/memory0/state", "online\n");
	tree_write("sys/devices/system/node/node0/memory1/state", "online\n");
	tree_write("sys/devices/system/node/node1/memory2/state", "online\n");
}

/* Entries of /proc/kpageflags or its kin. */
static inline void machine_entry(const char *file, uint64_t pfn, uint64_t entry)
{
	char name[64];

	snprintf(name, sizeof(name), "proc/%s", file);
	tree_write_at(name, pfn * sizeof(entry), &entry, sizeof(entry));
}

#endif /* MOVEPHYS_MACHINE_H */
