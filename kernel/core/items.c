// SPDX-License-Identifier: GPL-2.0-only
/*
 * The folios that the entries of a round name: an array, and a hash over the PFNs
 * of their first pages, so that a folio has one item however many of its pages
 * are named.
 *
 * Open addressing, and nothing is taken out but all at once: an item is in the
 * first slots from its own that were taken when it came.
 */
#include "mpp.h"

/* The slot that holds the index of @pfn's item, or the free one where it belongs. */
static __always_inline u16 *mpp_item_slot(const struct mpp_call *call, unsigned long pfn)
{
	unsigned int slot = hash_long(pfn, call->hash_bits);

	while (call->hash[slot] != MPP_NO_ITEM && call->items[call->hash[slot]].pfn != pfn)
		slot = (slot + 1) & (BIT(call->hash_bits) - 1);
	return &call->hash[slot];
}

/**
 * mpp_item_find - find the item of a folio in the running batch
 * @call: the call
 * @pfn: of the folio's first page, before any move
 *
 * Return: the item or NULL.
 */
struct mpp_item *mpp_item_find(struct mpp_call *call, unsigned long pfn)
{
	u16 index = *mpp_item_slot(call, pfn);

	return index == MPP_NO_ITEM ? NULL : &call->items[index];
}

/**
 * mpp_item_get - the item of a folio in the running batch, begun if need be
 * @call: the call
 * @pfn: of the folio's first page
 *
 * There is room: a batch has at most one item for each of its entries, and the
 * hash twice as many slots.
 *
 * Return: the item; a new one is undecided and without a target.
 */
struct mpp_item *mpp_item_get(struct mpp_call *call, unsigned long pfn)
{
	u16 *slot = mpp_item_slot(call, pfn);
	struct mpp_item *item;

	if (*slot != MPP_NO_ITEM)
		return &call->items[*slot];
	*slot = call->nr_items++;
	item = &call->items[*slot];
	*item = (struct mpp_item) {
		.pfn = pfn,
		.nid = NUMA_NO_NODE,
		.at = NUMA_NO_NODE,
		.outcome = MPP_PENDING,
	};
	return item;
}

/**
 * mpp_items_begin - begin a round: forget the items of the one before
 * @call: the call
 */
void mpp_items_begin(struct mpp_call *call)
{
	memset(call->hash, 0xff, sizeof(*call->hash) << call->hash_bits);
	call->nr_items = 0;
	call->last = NULL;
	call->unnoted = false;
}
