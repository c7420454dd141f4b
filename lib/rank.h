/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between rank.c, which counts, and rank_select.c, which chooses; not installed. */
#ifndef MOVEPHYS_RANK_H
#define MOVEPHYS_RANK_H

#include <string.h>

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

struct mpp_rank_item {
	double heat;
	uint64_t size;
};

/* False for what does not count. */
typedef bool mpp_rank_next(const void *items, size_t index, struct mpp_rank_item *item);

#define MPP_RANK_DIGIT_BITS	11
#define MPP_RANK_DIGIT_MASK	((1u << MPP_RANK_DIGIT_BITS) - 1)

/*
 * The smallest heat of which the items with at most that much have a @size of at least
 * @want together; the largest there is when all have not.  By the bits of the heats,
 * which order non-negative doubles: linear, and the same whatever their order.  With
 * @descending the largest heat, of items with at least that much.
 *
 * Inlined, and @get with it: otherwise a call for each of a million entries is most of
 * what an eviction takes.
 */
static inline __attribute__((always_inline)) double
mpp_rank_quantile(const void *items, size_t nr, mpp_rank_next *get, bool descending, uint64_t want)
{
	uint64_t prefix = 0, below = 0;
	double heat;

	for (int shift = 64, above; shift > 0;) {
		uint64_t sizes[1 << MPP_RANK_DIGIT_BITS] = { 0 };
		uint64_t first = UINT64_MAX, last = 0;
		unsigned int digit, last_digit;

		above = shift;
		shift = shift > MPP_RANK_DIGIT_BITS ? shift - MPP_RANK_DIGIT_BITS : 0;
		for (size_t i = 0; i < nr; i++) {
			struct mpp_rank_item item;
			uint64_t bits, *size;

			if (!get(items, i, &item))
				continue;
			memcpy(&bits, &item.heat, sizeof(bits));
			if (descending)
				bits = ~bits;
			if (above < 64 && (bits ^ prefix) >> above)
				continue;
			first = bits < first ? bits : first;
			last = bits > last ? bits : last;
			size = &sizes[bits >> shift & MPP_RANK_DIGIT_MASK];
			if (__builtin_add_overflow(*size, item.size, size))
				*size = UINT64_MAX;
		}
		if (first >= last) {	/* what is left is all the same, often soon */
			prefix = last;
			break;
		}
		digit = 0;
		last_digit = (unsigned int)(last >> shift) & MPP_RANK_DIGIT_MASK;
		for (; digit < last_digit && sizes[digit] < want - below; digit++)
			below += sizes[digit];
		prefix |= (uint64_t)digit << shift;
	}
	if (descending)
		prefix = ~prefix;
	memcpy(&heat, &prefix, sizeof(heat));
	return heat;
}

#endif /* MOVEPHYS_RANK_H */
