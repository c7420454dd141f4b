// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Heat per page, counted in bounded memory.
 *
 * The table is open addressing with linear probing.  When it is full, the median heat
 * is subtracted from all entries and those that have none left go: Misra and Gries'
 * summary, done in batches so that a record costs constant time.  Compared with
 * keeping the largest counts and giving a newcomer the smallest one (space-saving),
 * this errs only downwards: a page that was seen once is never ranked by what the page
 * that it replaced was worth, and would be moved for nothing.
 *
 * Each eviction that subtracts c takes at least c from half of the capacity, and all
 * that it takes was put in before: so the c sum up to at most 2 * weight / capacity.
 *
 * Fading costs nothing: instead of making old heat smaller, new heat is made larger, by
 * two to the power of its age in half-lives, from time to time brought back to scale.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rank.h"

#define MEMORY_BYTES	(64u << 20)
#define MEMORY_MIN	(64u << 10)

/*
 * For each slot: itself, three quarters of two steps, and that once more for what
 * qsort(3) may take while it sorts them.
 */
#define SLOT_BYTES	(sizeof(struct mpp_rank_entry) + 3 * sizeof(struct mpp_rank_step))

/* Half-lives from the base; with the largest weight and any number of records, finite. */
#define SCALE_MAX	64
#define WEIGHT_MAX	1e200

static size_t choose_slots(size_t memory_bytes)
{
	size_t nr = 1;

	while (nr * 2 * SLOT_BYTES + sizeof(struct mpp_rank) + sizeof(struct mpp_rank_step) <=
	       memory_bytes)
		nr *= 2;
	return nr;
}

int mpp_rank_open(const struct mpp_rank_options *options, struct mpp_rank **rank)
{
	const uint64_t base_page = UINT64_C(1) << mpp_page_shift();
	const uint64_t page = options->page_bytes ? options->page_bytes : base_page;
	const size_t memory = options->memory_bytes ? options->memory_bytes : MEMORY_BYTES;
	struct mpp_rank *new;
	int err = mpp_struct_check(options, options->size, sizeof(*options));

	if (err)
		return err;
	if (page & (page - 1) || page < base_page || memory < MEMORY_MIN)
		return -EINVAL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->page_shift = (unsigned int)__builtin_ctzll(page);
	new->half_life_ns = options->half_life_ns;
	new->nr_slots = choose_slots(memory);
	new->capacity = new->nr_slots / 4 * 3;
	new->slots = calloc(new->nr_slots, sizeof(*new->slots));
	new->scratch = calloc(MPP_RANK_SCRATCH(new->capacity), 1);
	if (!new->slots || !new->scratch) {
		mpp_rank_free(new);
		return -ENOMEM;
	}
	*rank = new;
	return 0;
}

struct mpp_rank *mpp_rank_free(struct mpp_rank *rank)
{
	if (rank) {
		free(rank->slots);
		free(rank->scratch);
		free(rank);
	}
	return NULL;
}

void mpp_rank_clear(struct mpp_rank *rank)
{
	memset(rank->slots, 0, rank->nr_slots * sizeof(*rank->slots));
	rank->nr_entries = rank->nr_runs = rank->next_run = 0;
	rank->base_ns = rank->newest_ns = 0;
	rank->source = 0;
	rank->max_error = rank->weight = 0;
	rank->nr_records = rank->nr_evicted = 0;
}

/* ---- The table ---- */

/* The finalizer of MurmurHash3: each bit of the key reaches each bit of the hash. */
static size_t hash(uint64_t page, uint64_t nr_pages)
{
	uint64_t key = page ^ nr_pages * UINT64_C(0x9e3779b97f4a7c15);

	key ^= key >> 33;
	key *= UINT64_C(0xff51afd7ed558ccd);
	key ^= key >> 33;
	key *= UINT64_C(0xc4ceb9fe1a85ec53);
	key ^= key >> 33;
	return (size_t)key;
}

/* The slot that holds these pages, or the free one where they belong. */
static struct mpp_rank_entry *find(const struct mpp_rank *rank, uint64_t page, uint64_t nr_pages)
{
	const size_t mask = rank->nr_slots - 1;
	size_t i = hash(page, nr_pages) & mask;

	while (rank->slots[i].nr_pages &&
	       (rank->slots[i].page != page || rank->slots[i].nr_pages != nr_pages))
		i = (i + 1) & mask;
	return &rank->slots[i];
}

static bool get_heat(const void *items, size_t index, struct mpp_rank_item *item)
{
	*item = (struct mpp_rank_item) { .heat = ((const double *)items)[index], .size = 1 };
	return true;
}

static double median_heat(const struct mpp_rank *rank)
{
	/* Side by side they are a quarter of the table, which is passed over once so. */
	double *heats = rank->scratch;
	size_t nr = 0;

	for (size_t i = 0; i < rank->nr_slots; i++)
		if (rank->slots[i].nr_pages)
			heats[nr++] = rank->slots[i].heat;
	return mpp_rank_quantile(heats, nr, get_heat, false, (nr + 1) / 2);
}

static void evict(struct mpp_rank *rank)
{
	const double median = median_heat(rank);
	struct mpp_rank_entry *kept = rank->scratch;
	size_t nr = 0;

	for (size_t i = 0; i < rank->nr_slots; i++) {
		struct mpp_rank_entry *entry = &rank->slots[i];

		/* At most half are above the median, so they fit. */
		if (entry->nr_pages && entry->heat > median)
			kept[nr++] = *entry;
		entry->nr_pages = 0;
	}
	for (size_t i = 0; i < nr; i++) {
		kept[i].heat -= median;
		*find(rank, kept[i].page, kept[i].nr_pages) = kept[i];
	}
	rank->max_error += median;
	rank->nr_evicted += rank->nr_entries - nr;
	rank->nr_entries = nr;
}

/* ---- Time ---- */

/* Brings heat back to scale, with a base that is @halvings half-lives later. */
static void rebase(struct mpp_rank *rank, uint64_t halvings)
{
	const int shift = halvings > 4096 ? -4096 : -(int)halvings;

	for (size_t i = 0; i < rank->nr_slots; i++)
		rank->slots[i].heat = ldexp(rank->slots[i].heat, shift);
	rank->max_error = ldexp(rank->max_error, shift);
	rank->weight = ldexp(rank->weight, shift);
	rank->base_ns += halvings * rank->half_life_ns;
}

static double age_in_half_lives(const struct mpp_rank *rank, uint64_t time_ns)
{
	if (time_ns >= rank->base_ns)
		return (double)(time_ns - rank->base_ns) / (double)rank->half_life_ns;
	return -(double)(rank->base_ns - time_ns) / (double)rank->half_life_ns;
}

/* By what a record's weight is multiplied to be on the scale. */
static double scale(struct mpp_rank *rank, uint64_t time_ns)
{
	uint64_t halvings;

	if (!time_ns)
		time_ns = rank->newest_ns;
	if (!rank->newest_ns)
		rank->base_ns = time_ns;
	if (time_ns > rank->newest_ns)
		rank->newest_ns = time_ns;
	if (!rank->half_life_ns)
		return 1;
	halvings = time_ns > rank->base_ns ?
		   (time_ns - rank->base_ns) / rank->half_life_ns : 0;
	if (halvings >= SCALE_MAX)
		rebase(rank, halvings);
	return exp2(age_in_half_lives(rank, time_ns));
}

double mpp_rank_fade(const struct mpp_rank *rank)
{
	return rank->half_life_ns ? exp2(-age_in_half_lives(rank, rank->newest_ns)) : 1;
}

/* ---- Records ---- */

static bool add_one(struct mpp_rank *rank, const struct mpp_record *record)
{
	const uint64_t page = record->addr >> rank->page_shift;
	struct mpp_rank_entry *entry;
	uint64_t last, nr_pages;
	double heat;

	if (!(record->weight >= 0 && record->weight <= WEIGHT_MAX) || !record->size_bytes ||
	    __builtin_add_overflow(record->addr, record->size_bytes - 1, &last))
		return false;
	nr_pages = (last >> rank->page_shift) - page + 1;
	heat = record->weight / (double)nr_pages * scale(rank, record->time_ns);

	if (!rank->nr_records)
		rank->source = record->source;
	else if (rank->source != record->source)
		rank->source = 0;
	rank->nr_records++;
	rank->weight += heat;

	entry = find(rank, page, nr_pages);
	if (!entry->nr_pages) {
		if (rank->nr_entries == rank->capacity) {
			evict(rank);
			entry = find(rank, page, nr_pages);
		}
		*entry = (struct mpp_rank_entry) { .page = page, .nr_pages = nr_pages };
		rank->nr_entries++;
	}
	entry->heat += heat;
	return true;
}

size_t mpp_rank_add(struct mpp_rank *rank, size_t nr, const struct mpp_record *records)
{
	size_t i = 0;

	rank->nr_runs = rank->next_run = 0;
	while (i < nr && add_one(rank, &records[i]))
		i++;
	return i;
}

int mpp_rank_stats(const struct mpp_rank *rank, struct mpp_rank_stats *stats)
{
	size_t size = stats->size;
	const double fade = mpp_rank_fade(rank);

	if (mpp_struct_check(stats, size, sizeof(*stats)))
		return -EINVAL;
	*stats = (struct mpp_rank_stats) {
		.size = size,
		.memory_bytes = sizeof(*rank) + rank->nr_slots * sizeof(*rank->slots) +
				MPP_RANK_SCRATCH(rank->capacity),
		.capacity = rank->capacity,
		.nr_entries = rank->nr_entries,
		.nr_records = rank->nr_records,
		.nr_evicted = rank->nr_evicted,
		.weight = rank->weight * fade,
		.max_error = rank->max_error * fade,
		.newest_ns = rank->newest_ns,
	};
	return 0;
}
