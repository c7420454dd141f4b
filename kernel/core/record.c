// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a call has decided so far, for the entries that come later in it.
 *
 * A folio moves at most once in a call.  Once it has moved, its old frame is
 * free or somebody else's, so a later entry that names the old frame cannot be
 * looked up any more, and one that names the new frame must leave it alone.
 * Likewise a folio that was on its target already stays there.
 *
 * One entry per folio and end, keyed by the PFN of its first page and its order, in
 * hash tables with open addressing: an entry costs a few instructions and no memory
 * of its own, where a tree over PFNs that lie far apart costs a node each.  A folio is
 * naturally aligned, so the entry of a page within it is found by trying each order
 * seen.
 *
 * Frames are reused.  A page answers for the contents that a caller who named it
 * could mean, that is the first that the call met there.  So nothing is entered that
 * an entry of the same size or a larger one covers: such a page is not looked up any
 * more.  What overlaps is then entered in the order of its size, and the smallest is
 * the first.
 *
 * A long call has many tables, each for its share of the PFNs, so that none needs
 * very much memory in one piece, nor takes long to move when it grows.
 */
#include "mpp.h"

#define MPP_RECORD_ORDER_BITS	6
#define MPP_RECORD_NODE_BITS	10
#define MPP_RECORD_TAKEN	BIT(BITS_PER_LONG - 1)

/* Of a table: the pages it is made for, and the slots it begins with at most. */
#define MPP_RECORD_SHARE	BIT(16)
#define MPP_RECORD_FIRST_BITS	11

static_assert(NODES_SHIFT <= MPP_RECORD_NODE_BITS);
/* A PFN of any width, a node and an order fit in one entry. */
static_assert(BITS_PER_LONG == 64);

static unsigned long mpp_record_key(unsigned long pfn, unsigned int order)
{
	return pfn << MPP_RECORD_ORDER_BITS | order;
}

static unsigned long mpp_record_pfn(unsigned long key)
{
	return key >> MPP_RECORD_ORDER_BITS;
}

static unsigned long mpp_record_value(unsigned long new_pfn, int at)
{
	return MPP_RECORD_TAKEN | new_pfn << MPP_RECORD_NODE_BITS | at;
}

/* The slot that holds @key, or the free one where it belongs: there always is one. */
static __always_inline struct mpp_slot *mpp_record_slot(const struct mpp_records *record,
							const struct mpp_table *table,
							unsigned long key)
{
	/* The first bits chose the table. */
	unsigned long i = (mpp_record_pfn(key) * GOLDEN_RATIO_64) << record->table_bits >>
			  table->shift;

	while (table->slots[i].value && table->slots[i].key != key)
		i = (i + 1) & (~0UL >> table->shift);
	return &table->slots[i];
}

static __always_inline struct mpp_table *mpp_record_table(struct mpp_records *record,
							  unsigned long pfn)
{
	if (likely(!record->table_bits))
		return &record->only;
	return &record->tables[pfn * GOLDEN_RATIO_64 >> (BITS_PER_LONG - record->table_bits)];
}

/*
 * The slots for the next size of a table, which is half full at most.  Entries may
 * share folios, so it does not begin with both ends of each page that can come.
 */
static unsigned int mpp_record_next_bits(const struct mpp_call *call,
					 const struct mpp_table *table)
{
	unsigned int full = order_base_2(min_t(u64, call->args.nr_pages, MPP_RECORD_SHARE)) + 2;
	unsigned int bits = BITS_PER_LONG - table->shift;

	if (!table->slots)
		return min_t(unsigned int, full, MPP_RECORD_FIRST_BITS);
	return bits < full ? min(full, bits + 4) : bits + 1;
}

static noinline int mpp_record_grow(struct mpp_call *call, struct mpp_table *table)
{
	unsigned int bits = mpp_record_next_bits(call, table);
	struct mpp_table old = *table;
	struct mpp_slot *slots;
	unsigned long i;

	slots = mpp_alloc_more(BIT(bits), sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	table->slots = slots;
	table->shift = BITS_PER_LONG - bits;
	table->room = BIT(bits) / 2;
	for (i = 0; i < old.room * 2; i++) {
		if (old.slots[i].value)
			*mpp_record_slot(&call->record, table, old.slots[i].key) = old.slots[i];
		if (i % 4096 == 0)
			cond_resched();
	}
	kvfree(old.slots);
	return 0;
}

static __always_inline int mpp_record_one(struct mpp_call *call, unsigned long pfn,
					  unsigned int order, unsigned long value)
{
	unsigned long key = mpp_record_key(pfn, order);
	struct mpp_table *table = mpp_record_table(&call->record, pfn);
	struct mpp_slot *slot;

	if (unlikely(table->nr == table->room) && mpp_record_grow(call, table))
		return -ENOMEM;
	slot = mpp_record_slot(&call->record, table, key);
	if (unlikely(slot->value))
		return 0;
	slot->key = key;
	slot->value = value;
	table->nr++;
	call->record.orders |= BIT(order);
	return 0;
}

/**
 * mpp_record_begin - before anything is recorded
 * @call: the call, with its arguments
 *
 * Return: 0 or -ENOMEM.
 */
int mpp_record_begin(struct mpp_call *call)
{
	struct mpp_records *record = &call->record;

	record->table_bits = order_base_2(DIV_ROUND_UP(call->args.nr_pages, MPP_RECORD_SHARE));
	if (!record->table_bits)
		return 0;
	record->tables = mpp_alloc_more(BIT(record->table_bits), sizeof(*record->tables));
	return record->tables ? 0 : -ENOMEM;
}

/* The entry of @order over the page @pfn, or NULL. */
static __always_inline const struct mpp_slot *mpp_record_over(struct mpp_records *record,
							      unsigned long pfn,
							      unsigned int order)
{
	unsigned long first = pfn & ~(BIT(order) - 1);
	const struct mpp_table *table = mpp_record_table(record, first);
	const struct mpp_slot *slot;

	if (!table->slots)
		return NULL;
	slot = mpp_record_slot(record, table, mpp_record_key(first, order));
	return slot->value ? slot : NULL;
}

/**
 * mpp_record - remember where the contents of a folio are that was named
 * @call: the call
 * @pfn: of its first page, as it was looked up
 * @order: of the folio
 * @new_pfn: of its first page now; @pfn when it did not move
 * @at: the node of @new_pfn
 *
 * Return: 0 or -ENOMEM; then no further address may be looked up, lest a folio move
 * twice.
 */
int mpp_record(struct mpp_call *call, unsigned long pfn, unsigned int order,
	       unsigned long new_pfn, int at)
{
	return mpp_record_one(call, pfn, order, mpp_record_value(new_pfn, at));
}

/**
 * mpp_record_arrival - remember a folio by the frame it has moved to
 * @call: the call, with what left any frame recorded
 * @pfn: of its first page now
 * @order: of the folio
 * @at: the node of @pfn
 *
 * Return: as mpp_record().
 */
int mpp_record_arrival(struct mpp_call *call, unsigned long pfn, unsigned int order, int at)
{
	unsigned long orders;

	for (orders = call->record.orders >> order << order; orders; orders &= orders - 1) {
		if (mpp_record_over(&call->record, pfn, __ffs(orders)))
			return 0;
	}
	return mpp_record_one(call, pfn, order, mpp_record_value(pfn, at));
}

/**
 * mpp_recall - whether the call has decided about a page before
 * @call: the call
 * @pfn: any PFN
 * @new_pfn: receives where the page's contents are
 * @at: receives the node that holds them
 *
 * Return: true with @new_pfn and @at set, or false.
 */
bool mpp_recall(struct mpp_call *call, unsigned long pfn, unsigned long *new_pfn, int *at)
{
	struct mpp_records *record = &call->record;
	unsigned long orders;

	for (orders = record->orders; orders; orders &= orders - 1) {
		unsigned int order = __ffs(orders);
		const struct mpp_slot *slot = mpp_record_over(record, pfn, order);
		unsigned long value;

		if (!slot)
			continue;
		value = slot->value & ~MPP_RECORD_TAKEN;
		*at = value & (BIT(MPP_RECORD_NODE_BITS) - 1);
		*new_pfn = (value >> MPP_RECORD_NODE_BITS) + (pfn & (BIT(order) - 1));
		return true;
	}
	return false;
}

/**
 * mpp_record_end - forget everything
 * @call: the call
 */
void mpp_record_end(struct mpp_call *call)
{
	struct mpp_records *record = &call->record;
	unsigned long i;

	kvfree(record->only.slots);
	for (i = 0; record->tables && i < BIT(record->table_bits); i++)
		kvfree(record->tables[i].slots);
	kvfree(record->tables);
}
