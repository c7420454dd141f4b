// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/core/items.c, the same file that the kernel runs, with its arrays at
 * their exact sizes: a step beyond one is the sanitizer's to find.
 */
#include <stdlib.h>

#include "mpp.h"
#include "../tap.h"

#include <movephys.h>

int allocations_left = -1;

/* As the core sizes them: two slots for each entry, rounded up to a power of two. */
static struct mpp_call *call_make(unsigned int cap)
{
	struct mpp_call *call = calloc(1, sizeof(*call));

	if (!call)
		abort();
	call->cap = cap;
	call->hash_bits = 1;
	while (1U << call->hash_bits < 2 * cap)
		call->hash_bits++;
	call->items = malloc(cap * sizeof(*call->items));
	call->hash = malloc(sizeof(*call->hash) << call->hash_bits);
	if (!call->items || !call->hash)
		abort();
	mpp_items_begin(call);
	return call;
}

static void call_free(struct mpp_call *call)
{
	free(call->items);
	free(call->hash);
	free(call);
}

static void finds_what_was_added(void)
{
	struct mpp_call *call = call_make(8);
	struct mpp_item *item;

	CHECK(!mpp_item_find(call, 0));
	CHECK(!mpp_item_find(call, 0x1234));
	item = mpp_item_get(call, 0x1234);
	CHECK(mpp_item_find(call, 0x1234) == item);
	CHECK(!mpp_item_find(call, 0x1235));
	CHECK(!mpp_item_find(call, 0));
	CHECK_INT(call->nr_items, 1);
	/* PFN 0 and the last there can be are PFNs as any other. */
	item = mpp_item_get(call, 0);
	CHECK(mpp_item_find(call, 0) == item);
	item = mpp_item_get(call, ~0UL);
	CHECK(mpp_item_find(call, ~0UL) == item);
	CHECK_INT(call->nr_items, 3);
	call_free(call);
}

/* Nothing of what the memory held before, and nothing that reads as decided. */
static void begins_undecided(void)
{
	struct mpp_call *call = call_make(1);
	struct mpp_item *item;

	memset(call->items, 0xa5, sizeof(*call->items));
	item = mpp_item_get(call, 77);
	CHECK_INT(item->pfn, 77);
	CHECK_INT(item->nid, NUMA_NO_NODE);
	CHECK_INT(item->at, NUMA_NO_NODE);
	CHECK_INT(item->outcome, MPP_PENDING);
	CHECK(!item->folio);
	CHECK(!item->paired);
	CHECK_INT(item->order, 0);
	CHECK_INT(item->dst_pfn, 0);
	call_free(call);
}

/* A table is full when each entry of its batch names another folio. */
static void holds(unsigned int cap, unsigned long step)
{
	struct mpp_call *call = call_make(cap);

	for (unsigned long i = 0; i < cap; i++) {
		CHECK(!mpp_item_find(call, i * step));
		CHECK(mpp_item_get(call, i * step) == &call->items[i]);
	}
	CHECK_INT(call->nr_items, cap);
	for (unsigned long i = 0; i < cap; i++)
		CHECK(mpp_item_find(call, i * step) == &call->items[i]);
	/* A search for what is not there ends, also when the table is at its fullest. */
	for (unsigned long i = 1; i < 4 * cap; i++)
		CHECK(!mpp_item_find(call, i * step + step / 2 + cap * step));
	call_free(call);
}

static void holds_a_batch(void)
{
	static const unsigned int caps[] = { 1, 2, 3, 4, 5, 511, MPP_BATCH_ENTRIES };

	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		holds(caps[i], 1);	/* neighbours */
		holds(caps[i], 512);	/* huge pages */
		holds(caps[i], 1UL << 40);
	}
}

static unsigned int slot_of(const struct mpp_call *call, unsigned long pfn)
{
	return (unsigned int)hash_long(pfn, call->hash_bits);
}

/* The next PFN after @pfn with the same slot. */
static unsigned long same_slot(const struct mpp_call *call, unsigned long pfn)
{
	unsigned int slot = slot_of(call, pfn);

	do
		pfn++;
	while (slot_of(call, pfn) != slot);
	return pfn;
}

static unsigned long first_in_slot(const struct mpp_call *call, unsigned int slot)
{
	unsigned long pfn = 0;

	while (slot_of(call, pfn) != slot)
		pfn++;
	return pfn;
}

static void parts_collisions(void)
{
	struct mpp_call *call = call_make(MPP_BATCH_ENTRIES);
	unsigned int last = (1U << call->hash_bits) - 1;
	unsigned long pfns[64];

	/* From the last slot on, so that the search goes round the end of the table. */
	pfns[0] = first_in_slot(call, last);
	for (size_t i = 1; i < ARRAY_LEN(pfns); i++)
		pfns[i] = same_slot(call, pfns[i - 1]);
	for (size_t i = 0; i < ARRAY_LEN(pfns); i++) {
		CHECK(!mpp_item_find(call, pfns[i]));
		mpp_item_get(call, pfns[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(pfns); i++)
		CHECK_INT(mpp_item_find(call, pfns[i])->pfn, pfns[i]);
	CHECK(!mpp_item_find(call, same_slot(call, pfns[ARRAY_LEN(pfns) - 1])));
	/* One whose own slot was taken by those that had to give way. */
	mpp_item_get(call, first_in_slot(call, 3));
	CHECK_INT(mpp_item_find(call, first_in_slot(call, 3))->pfn, first_in_slot(call, 3));
	call_free(call);
}

static void forgets(void)
{
	struct mpp_call *call = call_make(16);

	for (unsigned long pfn = 0; pfn < 16; pfn++)
		mpp_item_get(call, pfn);
	mpp_items_begin(call);
	CHECK_INT(call->nr_items, 0);
	for (unsigned long pfn = 0; pfn < 16; pfn++)
		CHECK(!mpp_item_find(call, pfn));
	CHECK(mpp_item_get(call, 5) == &call->items[0]);
	CHECK(mpp_item_find(call, 5) == &call->items[0]);
	CHECK_INT(call->nr_items, 1);
	call_free(call);
}

/* What the kernel can answer, the library can put into words. */
static void has_errnos_the_library_knows(void)
{
	static const struct {
		const char *name;
		int err;
	} outcomes[] = {
#define OUTCOME(id, name, err) { name, err },
		MPP_OUTCOMES(OUTCOME)
#undef OUTCOME
	};

	CHECK_INT(ARRAY_LEN(outcomes), MPP_NR_OUTCOMES);
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		CHECK(outcomes[i].err >= 0);
		if (!strcmp(mpp_status_text(-outcomes[i].err), mpp_status_text(-EXFULL)))
			tap_fail(__FILE__, __LINE__, "%s: the library has no text for errno %d",
				 outcomes[i].name, outcomes[i].err);
	}
}

/* Names are for scripts: one word, each its own. */
static void has_names_of_one_word(void)
{
	static const char *const names[] = {
#define OUTCOME(id, name, err) name,
		MPP_OUTCOMES(OUTCOME)
#undef OUTCOME
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CHECK(*names[i] && strlen(names[i]) < 32 && !strpbrk(names[i], " \t\n"));
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(names[i], names[j]));
	}
}

TAP_MAIN(
	{ "items: find and add", finds_what_was_added },
	{ "items: a new one is undecided", begins_undecided },
	{ "items: a full batch", holds_a_batch },
	{ "items: collisions", parts_collisions },
	{ "items: a new round", forgets },
	{ "outcomes: their errnos", has_errnos_the_library_knows },
	{ "outcomes: their names", has_names_of_one_word },
)
