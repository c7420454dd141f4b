/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between rank.c, which counts, and rank_select.c, which chooses; not installed. */
#ifndef MOVEPHYS_RANK_H
#define MOVEPHYS_RANK_H

#include "internal.h"

/*
 * One page, or one range of pages that records named as a whole.  Its heat is that of
 * each of its pages, as it will be worth at `base_ns` of the rank.
 */
struct mpp_rank_entry {
	uint64_t page;		/* number of the first page */
	uint64_t nr_pages;	/* 0: the slot is free */
	double heat;
};

/* Where heat changes, in order of address: holds until the next one. */
struct mpp_rank_step {
	uint64_t page;		/* while sorting: page << 1 | begins */
	double heat;		/* negative: a hole */
};

/*
 * Room for two steps for each entry, and one that join() keeps free before them.  Also
 * where survivors of an eviction wait.
 */
#define MPP_RANK_SCRATCH(capacity)	(((capacity) * 2 + 1) * sizeof(struct mpp_rank_step))

/* What was chosen.  As large as two steps. */
struct mpp_rank_run {
	uint64_t page, nr_pages;
	double heat;		/* of all its pages together */
	double mean;
};

struct mpp_rank {
	unsigned int page_shift;
	uint64_t half_life_ns;
	size_t nr_slots;	/* a power of two */
	size_t capacity;	/* entries that make the table full */
	size_t nr_entries;
	struct mpp_rank_entry *slots;
	void *scratch;
	size_t nr_runs, next_run;
	uint64_t base_ns;	/* heat is scaled to this time, so that it need not fade */
	uint64_t newest_ns;
	uint32_t source;	/* of all records; 0 when they are of several */
	double max_error;	/* scaled, as heat */
	double weight;
	uint64_t nr_records, nr_evicted;
};

/* What the scaled heat of an entry is worth at the time of the newest record. */
double mpp_rank_fade(const struct mpp_rank *rank);

/*
 * The smallest heat of which the items with at most that much have a @size of at least
 * @want together; the largest there is when all have not.  By the bits of the heats,
 * which order non-negative doubles: linear, and the same whatever their order.  With
 * @descending the largest heat, of items with at least that much.
 */
struct mpp_rank_item {
	double heat;
	uint64_t size;
};

typedef bool mpp_rank_next(const void *items, size_t index, struct mpp_rank_item *item);

double mpp_rank_quantile(const void *items, size_t nr, mpp_rank_next *get, bool descending,
			 uint64_t want);

#endif /* MOVEPHYS_RANK_H */
