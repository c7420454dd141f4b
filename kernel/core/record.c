// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a call has decided so far, for the entries that come later in it.
 *
 * A folio moves at most once in a call.  Once it has moved, its old frame is
 * free or somebody else's, so a later entry that names the old frame cannot be
 * looked up any more, and one that names the new frame must leave it alone.
 * Likewise a folio that was on its target already stays there.
 *
 * One xarray entry per folio, keyed by the PFN of its first page.  The entry
 * holds the order, since the same PFN can stand for a huge page and later, its
 * frame reused, for a small one.  A folio is naturally aligned, so the entry of
 * a page within it is found by trying each order seen.
 */
#include "mpp.h"

#define MPP_RECORD_ORDER_BITS	6
#define MPP_RECORD_NODE_BITS	10

static_assert(NODES_SHIFT <= MPP_RECORD_NODE_BITS);
/* A PFN of any width, a node and an order fit in one entry. */
static_assert(BITS_PER_LONG == 64);

static void *mpp_record_entry(unsigned long new_pfn, int at, unsigned int order)
{
	return xa_mk_value((new_pfn << MPP_RECORD_NODE_BITS | at) << MPP_RECORD_ORDER_BITS |
			   order);
}

static int mpp_record_one(struct mpp_call *call, unsigned long pfn, unsigned int order,
			  unsigned long new_pfn, int at)
{
	int ret = xa_insert(&call->record, pfn, mpp_record_entry(new_pfn, at, order),
			    GFP_KERNEL);
	unsigned long earlier;

	if (!ret)
		call->record_orders |= BIT(order);
	if (ret != -EBUSY)
		return ret;
	/*
	 * A frame that was left and is now taken again answers for its first
	 * contents, if the entry there speaks of the same pages.
	 */
	earlier = xa_to_value(xa_load(&call->record, pfn));
	return (earlier & (BIT(MPP_RECORD_ORDER_BITS) - 1)) == order ? 0 : -EEXIST;
}

/**
 * mpp_record - remember where the contents of a folio are
 * @call: the call
 * @pfn: of its first page, as the caller names it
 * @order: of the folio
 * @new_pfn: of its first page now; @pfn when it did not move
 * @at: the node of @new_pfn
 *
 * Return: 0, -ENOMEM, or -EEXIST where the frame has an entry of another order;
 * then no further address may be looked up, lest a folio move twice.
 */
int mpp_record(struct mpp_call *call, unsigned long pfn, unsigned int order,
	       unsigned long new_pfn, int at)
{
	int ret = mpp_record_one(call, pfn, order, new_pfn, at);

	if (!ret && new_pfn != pfn)
		ret = mpp_record_one(call, new_pfn, order, new_pfn, at);
	return ret;
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
	unsigned int order;

	for_each_set_bit(order, &call->record_orders, BITS_PER_LONG) {
		unsigned long first = pfn & ~(BIT(order) - 1);
		void *entry = xa_load(&call->record, first);
		unsigned long value;

		if (!entry)
			continue;
		value = xa_to_value(entry);
		if ((value & (BIT(MPP_RECORD_ORDER_BITS) - 1)) != order)
			continue;
		value >>= MPP_RECORD_ORDER_BITS;
		*at = value & (BIT(MPP_RECORD_NODE_BITS) - 1);
		*new_pfn = (value >> MPP_RECORD_NODE_BITS) + (pfn - first);
		return true;
	}
	return false;
}
