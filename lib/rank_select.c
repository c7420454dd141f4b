// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From counted entries to the ranges worth a move: lay all entries out by address, add
 * up where they overlap, choose by heat, join neighbours.  All of it in the scratch
 * memory of the rank.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rank.h"

static int compare_steps(const void *a, const void *b)
{
	const struct mpp_rank_step *x = a, *y = b;

	return (x->page > y->page) - (x->page < y->page);
}

/*
 * Makes steps of all entries.  Returns their number; the last one only ends the one
 * before it.
 */
static size_t lay_out(struct mpp_rank *rank, struct mpp_rank_step *steps)
{
	const double fade = mpp_rank_fade(rank);
	size_t nr = 0, nr_out = 0, nr_active = 0;
	long double sum = 0;

	for (size_t i = 0; i < rank->nr_slots; i++) {
		const struct mpp_rank_entry *entry = &rank->slots[i];

		if (!entry->nr_pages)
			continue;
		steps[nr++] = (struct mpp_rank_step) { entry->page << 1 | 1, entry->heat * fade };
		steps[nr++] = (struct mpp_rank_step) { (entry->page + entry->nr_pages) << 1,
						       entry->heat * fade };
	}
	/* Of equal keys only the sum counts, so their order does not matter. */
	qsort(steps, nr, sizeof(*steps), compare_steps);
	for (size_t i = 0; i < nr;) {
		const uint64_t page = steps[i].page >> 1;

		for (; i < nr && steps[i].page >> 1 == page; i++) {
			const bool begins = steps[i].page & 1;

			sum += begins ? steps[i].heat : -steps[i].heat;
			nr_active += begins ? 1 : (size_t)-1;
		}
		/* Rounding leaves next to nothing, which must not add up. */
		if (!nr_active || sum < 0)
			sum = 0;
		steps[nr_out++] = (struct mpp_rank_step) { page, nr_active ? (double)sum : -1 };
	}
	return nr_out;
}

static bool get_step(const void *items, size_t index, struct mpp_rank_item *item)
{
	const struct mpp_rank_step *step = (const struct mpp_rank_step *)items + index;

	*item = (struct mpp_rank_item) { .heat = step->heat, .size = step[1].page - step->page };
	return step->heat >= 0;
}

/* Which steps are chosen: those beyond a heat, and of those that have it some pages. */
struct choice {
	bool cold;
	double edge;
	uint64_t nr_at_edge;
};

static bool is_beyond(const struct choice *choice, double heat)
{
	return choice->cold ? heat < choice->edge : heat > choice->edge;
}

static struct choice choose(const struct mpp_rank_step *steps, size_t nr, bool cold,
			    uint64_t nr_pages)
{
	struct choice choice = { .cold = cold };
	struct mpp_rank_item item;

	choice.edge = mpp_rank_quantile(steps, nr, get_step, !cold, nr_pages);
	choice.nr_at_edge = nr_pages;
	for (size_t i = 0; i < nr; i++)
		if (get_step(steps, i, &item) && is_beyond(&choice, item.heat))
			choice.nr_at_edge -= item.size;
	return choice;
}

/*
 * Writes the chosen steps as runs over the steps themselves.  A run takes the room of
 * two steps, and has used up two: its own, and the one that it ends at.  Only where the
 * last pages of all were cut off, the next run may begin right behind: for that the
 * scratch memory has one more.
 */
static size_t join(struct mpp_rank *rank, const struct mpp_rank_step *steps, size_t nr_steps,
		   struct choice choice)
{
	struct mpp_rank_run *runs = rank->scratch;
	struct mpp_rank_run run = { 0 };
	size_t nr = 0;

	for (size_t i = 0; i <= nr_steps; i++) {
		struct mpp_rank_item item = { 0 };
		bool is_chosen = i < nr_steps && get_step(steps, i, &item);
		uint64_t page = steps[i].page;

		if (is_chosen && !is_beyond(&choice, item.heat)) {
			if (item.heat != choice.edge)
				item.size = 0;
			else if (item.size > choice.nr_at_edge)
				item.size = choice.nr_at_edge;
			choice.nr_at_edge -= item.size;
			is_chosen = item.size;
		}
		if (run.nr_pages && (!is_chosen || run.page + run.nr_pages != page)) {
			run.mean = run.heat / (double)run.nr_pages;
			runs[nr++] = run;
			run.nr_pages = 0;
		}
		if (!is_chosen)
			continue;
		if (!run.nr_pages)
			run = (struct mpp_rank_run) { .page = page };
		run.nr_pages += item.size;
		run.heat += item.heat * (double)item.size;
	}
	return nr;
}

static int compare_hottest_first(const void *a, const void *b)
{
	const struct mpp_rank_run *x = a, *y = b;

	if (x->mean != y->mean)
		return x->mean < y->mean ? 1 : -1;
	return (x->page > y->page) - (x->page < y->page);
}

static int compare_coldest_first(const void *a, const void *b)
{
	const struct mpp_rank_run *x = a, *y = b;

	if (x->mean != y->mean)
		return x->mean > y->mean ? 1 : -1;
	return (x->page > y->page) - (x->page < y->page);
}

int mpp_rank_select(struct mpp_rank *rank, const struct mpp_rank_query *query)
{
	const bool cold = query->flags & MPP_RANK_COLD;
	uint64_t nr_pages = query->top_bytes ? query->top_bytes >> rank->page_shift : UINT64_MAX;
	struct mpp_rank_step *steps = (struct mpp_rank_step *)rank->scratch + 1;
	size_t nr;
	int err = mpp_struct_check(query, query->size, sizeof(*query));

	if (err)
		return err;
	if (query->flags & ~MPP_RANK_COLD || query->reserved || !nr_pages ||
	    !(query->min_heat >= 0))
		return -EINVAL;
	rank->nr_runs = rank->next_run = 0;
	nr = lay_out(rank, steps);
	if (!nr)
		return 0;
	for (size_t i = 0; i < nr; i++)
		if (steps[i].heat < query->min_heat)
			steps[i].heat = -1;
	rank->nr_runs = join(rank, steps, nr - 1, choose(steps, nr - 1, cold, nr_pages));
	qsort(rank->scratch, rank->nr_runs, sizeof(struct mpp_rank_run),
	      cold ? compare_coldest_first : compare_hottest_first);
	return 0;
}

size_t mpp_rank_read(struct mpp_rank *rank, size_t nr_max, struct mpp_record *records)
{
	const struct mpp_rank_run *runs = rank->scratch;
	size_t nr = 0;

	for (; nr < nr_max && rank->next_run < rank->nr_runs; nr++, rank->next_run++) {
		const struct mpp_rank_run *run = &runs[rank->next_run];
		uint64_t bytes;

		/* All there can be is one byte too long. */
		if (__builtin_mul_overflow(run->nr_pages, UINT64_C(1) << rank->page_shift, &bytes))
			bytes = UINT64_MAX;
		records[nr] = (struct mpp_record) {
			.addr = run->page << rank->page_shift,
			.size_bytes = bytes,
			.weight = run->heat,
			.time_ns = rank->newest_ns,
			.source = rank->source,
		};
	}
	return nr;
}
