/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What memory the machine has: zones, and the ranges that really hold memory. */
#ifndef MOVEPHYS_MEMORY_H
#define MOVEPHYS_MEMORY_H

#include "internal.h"

struct mpp_memory_range {
	uint64_t start, last;	/* bytes, inclusive: a range may end with the address space */
	int node;
	unsigned int zone;	/* index into mpp_memory.zones */
};

struct mpp_memory {
	struct mpp_zone *zones;
	size_t nr_zones;
	struct mpp_memory_range *ranges;	/* by address; no two overlap */
	size_t nr_ranges;
};

/*
 * Ranges are zones less what is not memory: blocks that are offline or another
 * node's, as far as sysfs tells, and what /proc/iomem does not call System RAM,
 * as far as the caller may see its addresses.
 */
int mpp_memory_read(const struct mpp_roots *roots, struct mpp_memory **memory);
/* Frees; always returns NULL. */
struct mpp_memory *mpp_memory_free(struct mpp_memory *memory);
/* Leaves the ranges of these nodes only; with 0 nodes, all. */
void mpp_memory_keep_nodes(struct mpp_memory *memory, const int *nodes, size_t nr_nodes);

#endif /* MOVEPHYS_MEMORY_H */
