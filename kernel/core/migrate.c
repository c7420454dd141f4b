// SPDX-License-Identifier: GPL-2.0-only
/*
 * Isolate, migrate per target node, and learn what became of each folio.
 *
 * migrate_pages() tells how many folios it failed to move, not which ones, nor
 * why.  Our own callbacks see every pairing of a source with a destination and
 * every pairing that is given up, so at the end a folio
 *
 *	- that holds a pairing has moved to that destination,
 *	- that is left on the list has not, and still shows why,
 *	- that is neither was freed by its last user while we held it.
 *
 * A partly mapped huge page may be split on the way; its pages then turn up as
 * sources of their own and are kept in call->fragments.
 *
 * migrate_pages() stops at the first destination that cannot be had, with
 * folios untried.  What needs no more room than that is submitted again, so that
 * "no room" is only said of a folio for which there was none.
 */
#include "mpp.h"

/* In call->fragments: the destination's PFN, or an outcome with this bit. */
#define MPP_FRAGMENT_FAILED	BIT(BITS_PER_LONG - 3)

/**
 * mpp_queue - isolate a folio that passed every check
 * @call: the call
 * @item: its item, whose target it is queued for
 * @folio: with a reference, which stays the caller's
 *
 * Return: MPP_QUEUED, or why it could not be isolated.
 */
enum mpp_outcome mpp_queue(struct mpp_call *call, struct mpp_item *item, struct folio *folio)
{
	bool first = list_empty(&call->queued);

	if (!isolate_folio_to_list(folio, &call->queued))
		return MPP_NOT_ISOLATED;
	if (first)
		call->nid = item->nid;
	else if (item->nid != call->nid)
		call->several_targets = true;
	item->folio = folio;
	item->from = folio_nid(folio);
	call->queued_bytes += folio_size(folio);
	return MPP_QUEUED;
}

/*
 * Room as an ordinary allocation sees it: above the mark at which the next one
 * would wake reclaim.  The allocator itself would go on to the last reserve, and
 * leave it to others to be swapped out.
 */
static bool mpp_has_room(int nid, unsigned int order)
{
	pg_data_t *pgdat = NODE_DATA(nid);
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &pgdat->node_zones[i];

		if (!managed_zone(zone))
			continue;
		if (zone_watermark_ok(zone, order, low_wmark_pages(zone), ZONE_MOVABLE, ALLOC_CMA))
			return true;
	}
	return false;
}

#ifdef CONFIG_HUGETLB_PAGE
/*
 * Pool pages only: a hugetlb page that is made for a migration would be taken
 * from the target's ordinary memory, behind the administrator's back.  The mask
 * is that of a page that can be moved, as all that come here can; it does not
 * reclaim, should the pool run dry just now and a page be made after all.
 */
static struct folio *mpp_alloc_hugetlb(struct folio *src, int nid)
{
	gfp_t gfp = (GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM) | __GFP_THISNODE | __GFP_NOWARN;
	struct hstate *h = folio_hstate(src);

	if (READ_ONCE(h->free_huge_pages_node[nid]) == 0 ||
	    READ_ONCE(h->free_huge_pages) <= READ_ONCE(h->resv_huge_pages))
		return NULL;
	return alloc_hugetlb_folio_nodemask(h, nid, NULL, gfp, false);
}
#else
static struct folio *mpp_alloc_hugetlb(struct folio *src, int nid)
{
	return NULL;
}
#endif

static struct folio *mpp_alloc(struct mpp_call *call, unsigned int order)
{
	bool reclaim = call->args.flags & MPP_MF_RECLAIM;
	gfp_t gfp = __GFP_THISNODE | __GFP_NOWARN;

	if (order)
		gfp |= (reclaim ? GFP_TRANSHUGE : GFP_TRANSHUGE_LIGHT) | __GFP_COMP;
	else if (reclaim)
		gfp |= GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL;
	else
		gfp |= (GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM) | __GFP_NOMEMALLOC;

	if (!reclaim && !mpp_has_room(call->nid, order))
		return NULL;
	return __folio_alloc_node(gfp, order, call->nid);
}

/* The folio is locked by nobody yet, and others of the batch may be: do not wait. */
static bool mpp_pair_fragment(struct mpp_call *call, struct folio *src, struct folio *dst)
{
	unsigned long i;

	for (i = 0; i < folio_nr_pages(src); i++) {
		void *dst_pfn = xa_mk_value(folio_pfn(dst) + i);

		if (xa_is_err(xa_store(&call->fragments, folio_pfn(src) + i, dst_pfn,
				       GFP_NOWAIT | __GFP_NOWARN)))
			goto err_erase;
	}
	return true;

err_erase:
	while (i--)
		xa_erase(&call->fragments, folio_pfn(src) + i);
	return false;
}

/*
 * Whether a source or what is left is the folio that was queued for @item, rather than a
 * piece of another one that was split: for its PFN an entry may have been refused before.
 */
static bool mpp_item_moves_as_whole(const struct mpp_item *item, unsigned int order)
{
	return item && item->outcome == MPP_QUEUED && item->order == order;
}

/* Folios are asked for in the order of the list, which is that of the items. */
static struct mpp_item *mpp_item_expect(struct mpp_call *call, unsigned long pfn)
{
	struct mpp_item *item = call->last_paired;

	if (item && ++item < call->items + call->nr_items && item->pfn == pfn)
		return item;
	return mpp_item_find(call, pfn);
}

/**
 * mpp_get_new_folio - migrate_pages() asks for a destination
 * @src: the folio to move, isolated
 * @private: the call
 *
 * Return: a folio on the target node, recorded as @src's; NULL when there is no
 * room, which is noted with the size that found none.
 */
struct folio *mpp_get_new_folio(struct folio *src, unsigned long private)
{
	struct mpp_call *call = (struct mpp_call *)private;
	unsigned int order = folio_order(src);
	bool hugetlb = folio_test_hugetlb(src);
	struct mpp_item *item;
	struct folio *dst;

	/* The node may have lost its memory since the target was checked. */
	if (!node_state(call->nid, N_MEMORY))
		goto no_room;
	dst = hugetlb ? mpp_alloc_hugetlb(src, call->nid) : mpp_alloc(call, order);
	if (!dst)
		goto no_room;

	item = mpp_item_expect(call, folio_pfn(src));
	if (likely(mpp_item_moves_as_whole(item, order))) {
		item->dst_pfn = folio_pfn(dst);
		item->at = folio_nid(dst);
		item->paired = true;
		call->last_paired = item;
		return dst;
	}
	if (mpp_pair_fragment(call, src, dst))
		return dst;
	/* Not for want of room on the target, so nothing is said about that. */
	folio_put(dst);
	return NULL;
no_room:
	call->full_order = order;
	call->full_hugetlb = hugetlb;
	return NULL;
}

static struct mpp_item *mpp_item_paired_with(struct mpp_call *call, unsigned long dst_pfn)
{
	unsigned int i;

	/* Nearly always it is the pairing just made. */
	if (call->last_paired && call->last_paired->paired &&
	    call->last_paired->dst_pfn == dst_pfn)
		return call->last_paired;
	for (i = 0; i < call->nr_items; i++) {
		if (call->items[i].paired && call->items[i].dst_pfn == dst_pfn)
			return &call->items[i];
	}
	return NULL;
}

/**
 * mpp_put_new_folio - migrate_pages() gives a destination back, unused
 * @dst: from mpp_get_new_folio()
 * @private: the call
 */
void mpp_put_new_folio(struct folio *dst, unsigned long private)
{
	struct mpp_call *call = (struct mpp_call *)private;
	struct mpp_item *item = mpp_item_paired_with(call, folio_pfn(dst));
	unsigned long pfn = 0;
	void *entry;

	if (item) {
		item->paired = false;
		item->at = NUMA_NO_NODE;
	} else {
		xa_for_each(&call->fragments, pfn, entry) {
			unsigned long i = xa_to_value(entry) - folio_pfn(dst);

			if (i < folio_nr_pages(dst))
				xa_erase(&call->fragments, pfn);
		}
	}
	folio_put(dst);
}

/* Why a folio is still on the list: what can be seen of it without its lock. */
static enum mpp_outcome mpp_why_left(struct folio *folio)
{
	if (folio_contain_hwpoisoned_page(folio))
		return MPP_HWPOISON;
	if (folio_test_writeback(folio))
		return MPP_WRITEBACK;
	if (folio_test_locked(folio))
		return MPP_LOCKED;
	/* One more than expected is isolation's. */
	if (folio_ref_count(folio) > folio_expected_ref_count(folio) + 1)
		return MPP_PINNED;
	return MPP_RACED;
}

static void mpp_note_left(struct mpp_call *call, struct folio *folio, enum mpp_outcome outcome)
{
	struct mpp_item *item = mpp_item_find(call, folio_pfn(folio));
	unsigned long i;

	if (mpp_item_moves_as_whole(item, folio_order(folio))) {
		item->outcome = outcome;
		return;
	}
	for (i = 0; i < folio_nr_pages(folio); i++) {
		void *entry = xa_mk_value(MPP_FRAGMENT_FAILED | outcome);

		if (xa_is_err(xa_store(&call->fragments, folio_pfn(folio) + i, entry, GFP_KERNEL)))
			call->unnoted = true;
	}
}

/* Whether @folio needs at least what could not be had. */
static bool mpp_needs_as_much(const struct mpp_call *call, struct folio *folio)
{
	if (folio_test_hugetlb(folio) != call->full_hugetlb)
		return false;
	return call->full_hugetlb ? folio_order(folio) == call->full_order :
				    folio_order(folio) >= call->full_order;
}

/* Returns whether any folio was set aside, so that trying again makes progress. */
static bool mpp_set_aside(struct mpp_call *call, struct list_head *from, struct list_head *aside)
{
	struct folio *folio, *next;
	bool any = false;

	list_for_each_entry_safe(folio, next, from, lru) {
		if (!mpp_needs_as_much(call, folio))
			continue;
		mpp_note_left(call, folio, MPP_NO_ROOM);
		list_move_tail(&folio->lru, aside);
		any = true;
	}
	return any;
}

/*
 * Asynchronous migration never waits for a lock or for I/O: where the caller lets us
 * wait, mpp_await() has done so.  The reason is one for which a large folio is not split
 * when it finds no room.
 */
static void mpp_migrate_list(struct mpp_call *call, struct list_head *list)
{
	struct folio *folio;
	LIST_HEAD(aside);
	bool full;

	do {
		call->full_order = UINT_MAX;
		call->last_paired = NULL;
		migrate_pages(list, mpp_get_new_folio, mpp_put_new_folio, (unsigned long)call,
			      MIGRATE_ASYNC, MPP_MIGRATE_REASON, NULL);
		full = call->full_order != UINT_MAX;
	} while (full && mpp_set_aside(call, list, &aside) && !list_empty(list));

	list_for_each_entry(folio, list, lru)
		mpp_note_left(call, folio, mpp_why_left(folio));
	list_splice(&aside, list);
	if (!list_empty(list))
		putback_movable_pages(list);
}

static noinline void mpp_migrate_target_by_target(struct mpp_call *call)
{
	nodemask_t targets = NODE_MASK_NONE;
	unsigned int i;
	int nid;

	for (i = 0; i < call->nr_items; i++)
		if (call->items[i].outcome == MPP_QUEUED)
			node_set(call->items[i].nid, targets);
	for_each_node_mask(nid, targets) {
		LIST_HEAD(list);

		for (i = 0; i < call->nr_items; i++) {
			struct mpp_item *item = &call->items[i];

			if (item->outcome == MPP_QUEUED && item->nid == nid)
				list_move_tail(&item->folio->lru, &list);
		}
		call->nid = nid;
		mpp_migrate_list(call, &list);
	}
}

/**
 * mpp_migrate_queued - migrate what is queued, target by target
 * @call: the call
 *
 * Afterwards nothing is isolated, and mpp_fate() tells what became of each page.
 * What moved now sits in this CPU's LRU batch; draining it here, where it is
 * cheap, saves the next caller who names it a machine-wide drain.
 */
void mpp_migrate_queued(struct mpp_call *call)
{
	if (list_empty(&call->queued))
		return;
	if (call->several_targets)
		mpp_migrate_target_by_target(call);
	else
		mpp_migrate_list(call, &call->queued);
	call->several_targets = false;
	call->queued_bytes = 0;
	lru_add_drain();
}

/**
 * mpp_fate_otherwise - the part of mpp_fate() for what did not move as a whole
 * @call: as there
 * @item: as there
 * @pfn: as there
 * @new_pfn: as there
 * @at: as there
 *
 * Return: the outcome.
 */
enum mpp_outcome mpp_fate_otherwise(struct mpp_call *call, const struct mpp_item *item,
				    unsigned long pfn, unsigned long *new_pfn, int *at)
{
	unsigned long value;
	void *entry;

	if (item->outcome != MPP_QUEUED) {
		*at = item->at;
		return item->outcome;
	}
	entry = xa_load(&call->fragments, pfn);
	if (!entry)
		return call->unnoted ? MPP_NO_RECORD : MPP_FREED;
	value = xa_to_value(entry);
	if (value & MPP_FRAGMENT_FAILED)
		return value & ~MPP_FRAGMENT_FAILED;
	*new_pfn = value;
	*at = pfn_to_nid(value);
	return MPP_MOVED;
}

/* A folio that was split: each page that is known to have moved stands for itself. */
static void mpp_account_fragments(struct mpp_call *call, const struct mpp_item *item)
{
	unsigned long last = item->pfn + BIT(item->order) - 1;
	unsigned long pfn;
	void *entry;

	xa_for_each_range(&call->fragments, pfn, entry, item->pfn, last) {
		unsigned long value = xa_to_value(entry);

		if (value & MPP_FRAGMENT_FAILED)
			continue;
		mpp_stat_moved(call, item->from, pfn_to_nid(value), 1);
	}
}

/* Where it left, or with @arrival where it came to.  Returns 0 or -ENOMEM. */
static int mpp_remember_fragments(struct mpp_call *call, const struct mpp_item *item,
				  bool arrival)
{
	unsigned long last = item->pfn + BIT(item->order) - 1;
	unsigned long pfn;
	void *entry;
	int ret;

	xa_for_each_range(&call->fragments, pfn, entry, item->pfn, last) {
		unsigned long value = xa_to_value(entry);

		if (value & MPP_FRAGMENT_FAILED)
			continue;
		if (arrival)
			ret = mpp_record_arrival(call, value, 0, pfn_to_nid(value));
		else
			ret = mpp_record(call, pfn, 0, value, pfn_to_nid(value));
		if (ret)
			return ret;
	}
	return 0;
}

static int mpp_remember(struct mpp_call *call, const struct mpp_item *item, bool arrival)
{
	if (item->outcome == MPP_ALREADY && !arrival)
		return mpp_record(call, item->pfn, item->order, item->pfn, item->at);
	if (item->outcome != MPP_QUEUED)
		return 0;
	if (!item->paired)
		return mpp_remember_fragments(call, item, arrival);
	if (arrival)
		return mpp_record_arrival(call, item->dst_pfn, item->order, item->at);
	return mpp_record(call, item->pfn, item->order, item->dst_pfn, item->at);
}

/*
 * All that left, then all that came: one may have come to where another was.  Where
 * memory for one is missing, reclaim for the next would be in vain.
 */
static void mpp_remember_round(struct mpp_call *call)
{
	unsigned int i;

	for (i = 0; i < call->nr_items && !call->blind; i++)
		call->blind = mpp_remember(call, &call->items[i], false);
	for (i = 0; i < call->nr_items && !call->blind; i++)
		call->blind = mpp_remember(call, &call->items[i], true);
}

/**
 * mpp_items_account - end a round: count what moved, and remember it if need be
 * @call: the call, after mpp_migrate_queued()
 * @remember: whether further look-ups follow in this call
 *
 * Nothing is known of pieces of split folios afterwards.
 */
void mpp_items_account(struct mpp_call *call, bool remember)
{
	unsigned int i;

	for (i = 0; i < call->nr_items; i++) {
		struct mpp_item *item = &call->items[i];

		if (item->outcome != MPP_QUEUED)
			continue;
		if (item->paired)
			mpp_stat_moved(call, item->from, item->at, BIT(item->order));
		else
			mpp_account_fragments(call, item);
	}
	if (remember)
		mpp_remember_round(call);
	if (!xa_empty(&call->fragments))
		xa_destroy(&call->fragments);
}
