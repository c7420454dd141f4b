// SPDX-License-Identifier: GPL-2.0-only
/*
 * One call: take entries in, decide each, give the answers back.
 *
 * The arrays are in user memory that may be unmapped, read-only, aliased or
 * written to by another thread.  Each entry is copied once and only the copy is
 * looked at.  Before a page moves, its answer is known to have a place: else the
 * caller would learn neither that it moved nor where it went.
 */
#include "mpp.h"

#define MPP_KNOWN_FLAGS							\
	(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL | MPP_MF_UNMAPPED |		\
	 MPP_MF_IGNORE_MEMPOLICY | MPP_MF_DRY_RUN | MPP_MF_SYNC |	\
	 MPP_MF_RECLAIM | MPP_MF_NEW_PAGES)

/* As found, a moment later, after the LRU batches of all CPUs were drained. */
#define MPP_ROUNDS	3

/**
 * mpp_permitted - whether the caller may use move_phys_pages at all
 *
 * Physical addresses make exploits of other flaws easier, and a namespace owns
 * no physical memory: only the initial user namespace counts.  To be asked
 * before any argument is looked at.
 *
 * Return: true if it may.
 */
bool mpp_permitted(void)
{
	return capable(CAP_SYS_ADMIN);
}

/* Worth another look within the call: it may have been bad timing. */
static bool mpp_transient(const struct mpp_call *call, enum mpp_outcome outcome)
{
	switch (outcome) {
	case MPP_PINNED:
		/* Who waited for the same writeback holds a reference a little longer. */
		return call->args.flags & MPP_MF_SYNC;
	case MPP_NOT_ISOLATED:
	case MPP_LOCKED:
	case MPP_WRITEBACK:
	case MPP_CONTENDED:
	case MPP_RACED:
		return true;
	default:
		return false;
	}
}

/*
 * The folio's first entry decides: also by waiting for another round, since
 * otherwise a later entry would overtake it.  A refusal holds for its target only.
 */
static bool mpp_decided(const struct mpp_call *call, const struct mpp_item *item, int nid)
{
	switch (item->outcome) {
	case MPP_QUEUED:
	case MPP_ALREADY:
	case MPP_WOULD_MOVE:
		return true;
	default:
		return item->nid == nid || mpp_transient(call, item->outcome);
	}
}

static enum mpp_outcome mpp_decide_once(struct mpp_call *call, struct mpp_item *item,
					struct folio *folio, int nid)
{
	enum mpp_outcome gate = mpp_gate(folio);
	enum mpp_outcome outcome;

	if (gate != MPP_PASSED && gate != MPP_NOT_ISOLATED)
		return gate;
	outcome = mpp_gate_unmapped(folio, call->args.flags);
	if (outcome != MPP_PASSED)
		return outcome;
	item->at = nid;
	if (folio_nid(folio) == nid)
		return MPP_ALREADY;

	/*
	 * Off the LRU only the swap-backed flag, which nobody but anonymous
	 * memory and shmem sets, vouches for what ->mapping points to.
	 */
	if (gate == MPP_NOT_ISOLATED && !folio_test_swapbacked(folio))
		return MPP_NOT_ISOLATED;
	outcome = mpp_check_folio(call, folio, nid);
	if (outcome != MPP_PASSED)
		return outcome;
	if (call->mode == MPP_MODE_DRY_RUN)
		return MPP_WOULD_MOVE;
	return gate == MPP_PASSED ? mpp_queue(call, item, folio) : MPP_NOT_ISOLATED;
}

static enum mpp_outcome mpp_decide(struct mpp_call *call, struct mpp_item *item,
				   struct folio *folio, int nid)
{
	enum mpp_outcome outcome = mpp_decide_once(call, item, folio, nid);

	if (outcome != MPP_NOT_ISOLATED || call->mode != MPP_MODE_MOVE)
		return outcome;
	if (!call->drained_here) {
		/* Most often it was faulted in here and sits in a batch of this CPU: cheap. */
		lru_add_drain();
		call->drained_here = true;
		outcome = mpp_decide_once(call, item, folio, nid);
	}
	/* Batches hold small folios only. */
	if (outcome == MPP_NOT_ISOLATED && !folio_test_large(folio))
		call->batched = true;
	return outcome;
}

static enum mpp_outcome mpp_locate(struct folio *folio, unsigned int flags, int *at)
{
	enum mpp_outcome outcome = mpp_gate(folio);

	if (outcome != MPP_PASSED && outcome != MPP_NOT_ISOLATED)
		return outcome;
	outcome = mpp_gate_unmapped(folio, flags);
	if (outcome != MPP_PASSED)
		return outcome;
	*at = folio_nid(folio);
	return MPP_FOUND;
}

/* Give entry @i its outcome; @at is the node that holds the contents, if known. */
static __always_inline void mpp_answer(struct mpp_call *call, unsigned int i,
				       enum mpp_outcome outcome, int at)
{
	call->outcome[i] = outcome;
	call->status[i] = at;
	if (likely(outcome < MPP_FIRST_ERROR))
		return;
	call->status[i] = -mpp_outcome_errno(outcome);
	if (mpp_transient(call, outcome))
		call->retry = true;
}

static void mpp_move_entry(struct mpp_call *call, unsigned int i, struct folio *folio)
{
	struct mpp_item *item = mpp_item_get(call, folio_pfn(folio));
	int nid = call->nodes[i];

	if (!mpp_decided(call, item, nid)) {
		item->nid = nid;
		/* From here on our reference keeps it in one piece. */
		item->order = folio_order(folio);
		item->outcome = mpp_decide(call, item, folio, nid);
	}
	if (item->outcome == MPP_QUEUED) {
		call->outcome[i] = MPP_QUEUED;
		call->item_of[i] = item - call->items;
		if (item->order)
			call->last = item;
	} else {
		mpp_answer(call, i, item->outcome, item->at);
	}
}

/*
 * Further addresses of the large folio that was queued last, for the same target,
 * from @i on: it is isolated, so it is what it was a moment ago, and there is nothing
 * to look up.  Returns the first entry that is something else.
 */
static noinline unsigned int mpp_take_again(struct mpp_call *call, unsigned int i,
					    unsigned int to)
{
	const struct mpp_item *last = call->last;
	unsigned int order = last->order;
	unsigned long pfn = last->pfn, new_pfn;
	u16 index = last - call->items;
	int nid = last->nid, at;
	/*
	 * An earlier folio of this call may have left one of the frames.  As to records as
	 * large as this folio, the entry that queued it was asked.
	 */
	bool left_before = call->record.orders & (BIT(order) - 1);
	/* Through call they would be read again after each byte written. */
	const u64 *pages = call->pages;
	const int *nodes = call->nodes;
	u8 *outcome = call->outcome;
	u16 *item_of = call->item_of;

	if (call->blind)
		return i;
	for (; i < to && outcome[i] == MPP_PENDING && nodes[i] == nid; i++) {
		unsigned long frame = pages[i] >> PAGE_SHIFT;

		if ((frame - pfn) >> order)
			break;
		if (left_before && mpp_recall(call, frame, &new_pfn, &at))
			break;
		outcome[i] = MPP_QUEUED;
		item_of[i] = index;
	}
	return i;
}

/*
 * Whether the caller lets us wait for what is in the way of entry @i, which names @folio.
 * A few times: who locks it again and again must not keep us for ever.
 */
static bool mpp_worth_waiting(struct mpp_call *call, unsigned int i, struct folio *folio)
{
	if (!(call->args.flags & MPP_MF_SYNC) ||
	    (call->outcome[i] != MPP_LOCKED && call->outcome[i] != MPP_WRITEBACK))
		return false;
	if (call->awaited_pfn != folio_pfn(folio))
		call->waits = 0;
	call->awaited_pfn = folio_pfn(folio);
	return call->waits++ < MPP_ROUNDS && !fatal_signal_pending(current);
}

/*
 * Between rounds: with nothing isolated and without the hotplug lock, else reclaim and
 * hotplug would wait with us, for I/O that may never end.  A fatal signal ends it.  What
 * processes said is old by then.
 */
static void mpp_await(struct mpp_call *call)
{
	struct folio *folio = call->awaited;

	call->awaited = NULL;
	mpp_forget_limits(call);
	mpp_forget_anons(call);
	if (!folio_lock_killable(folio))
		folio_unlock(folio);
	folio_wait_writeback_killable(folio);
	folio_put(folio);
}

/* Decide one entry, or queue the folio that will decide it. */
static void mpp_take(struct mpp_call *call, unsigned int i)
{
	u64 frame = call->pages[i] >> PAGE_SHIFT;
	unsigned long pfn = frame;
	enum mpp_outcome outcome;
	int at = NUMA_NO_NODE;
	unsigned long new_pfn;
	struct folio *folio;

	if (call->mode != MPP_MODE_QUERY) {
		outcome = mpp_check_target(call->nodes[i]);
		if (outcome != MPP_PASSED)
			goto answer;
		if (mpp_recall(call, pfn, &new_pfn, &at)) {
			call->pages[i] += (u64)(new_pfn - pfn) << PAGE_SHIFT;
			outcome = new_pfn == pfn ? MPP_ALREADY : MPP_MOVED;
			goto answer;
		}
		if (call->blind) {
			outcome = MPP_NO_RECORD;
			goto answer;
		}
	}

	/* More address bits than a PFN has: no memory there. */
	outcome = pfn == frame ? mpp_find(pfn, &folio) : MPP_ABSENT;
	if (outcome != MPP_PASSED)
		goto answer;
	if (call->mode == MPP_MODE_QUERY) {
		outcome = mpp_locate(folio, call->args.flags, &at);
		mpp_answer(call, i, outcome, at);
	} else {
		mpp_move_entry(call, i, folio);
		if (unlikely(mpp_worth_waiting(call, i, folio))) {
			call->awaited = folio;
			return;
		}
	}
	/* A queued folio is held by its isolation; an extra reference would stop it. */
	folio_put(folio);
	return;
answer:
	mpp_answer(call, i, outcome, at);
}

/* After migration: the queued entries of [from, to). */
static void mpp_settle(struct mpp_call *call, unsigned int from, unsigned int to)
{
	const struct mpp_item *items = call->items;
	const u16 *item_of = call->item_of;
	u64 *pages = call->pages;
	unsigned int i;

	for (i = from; i < to; i++) {
		unsigned long pfn = pages[i] >> PAGE_SHIFT;
		unsigned long new_pfn = pfn;
		enum mpp_outcome outcome;
		int at = NUMA_NO_NODE;

		if (call->outcome[i] != MPP_QUEUED)
			continue;
		outcome = mpp_fate(call, &items[item_of[i]], pfn, &new_pfn, &at);
		pages[i] += (u64)(new_pfn - pfn) << PAGE_SHIFT;
		mpp_answer(call, i, outcome, at);
	}
}

/*
 * Decide pending entries from @from on, as far as one round may go: to @to, or as
 * much as may be isolated at once.  @remember: further look-ups follow for sure.
 * Returns where it stopped.
 */
static unsigned int mpp_round(struct mpp_call *call, unsigned int from, unsigned int to,
			      bool remember)
{
	unsigned int i;

	mpp_items_begin(call);
	call->drained_here = false;
	/*
	 * For the whole round: who takes memory offline holds the lock until it is empty.
	 * To wait for that with folios isolated would be to wait for oneself.
	 */
	get_online_mems();
	for (i = from; i < to && call->queued_bytes < MPP_BATCH_BYTES;
	     i = call->last ? mpp_take_again(call, i + 1, to) : i + 1) {
		bool retry = call->retry;

		if (call->outcome[i] != MPP_PENDING)
			continue;
		mpp_take(call, i);
		if (unlikely(call->awaited)) {
			call->outcome[i] = MPP_PENDING;
			call->retry = retry;
			break;
		}
		cond_resched();
	}
	mpp_migrate_queued(call);
	mpp_settle(call, from, i);
	mpp_items_account(call, remember || i < to || call->retry);
	put_online_mems();
	if (unlikely(call->awaited))
		mpp_await(call);
	return i;
}

/*
 * Make another round worth its while.  A drain of all CPUs disturbs each of them,
 * so it comes last, once in a call, and only for a page that cannot be isolated
 * though this CPU's batches were drained, and that nothing else speaks against.
 */
static void mpp_prepare_round(struct mpp_call *call, unsigned int from, unsigned int to,
			      unsigned int round)
{
	unsigned int i;

	for (i = from; i < to; i++) {
		if (mpp_transient(call, call->outcome[i]))
			call->outcome[i] = MPP_PENDING;
	}
	if (call->batched && round > 1 && !call->drained) {
		lru_add_drain_all();
		call->drained = true;
	}
	call->batched = false;
	if (call->args.flags & MPP_MF_SYNC)
		schedule_timeout_killable(1);
	call->retry = false;
}

/* Decide the entries of the batch; @last: no batch follows in this call. */
static void mpp_batch(struct mpp_call *call, bool last)
{
	unsigned int from, to, at, round;

	memset(call->outcome, MPP_PENDING, call->nr);
	call->waits = 0;
	for (from = 0; from < call->nr; from = to) {
		call->retry = false;
		to = mpp_round(call, from, call->nr, !last);
		for (round = 1; round < MPP_ROUNDS; round++) {
			if (!call->retry || call->mode != MPP_MODE_MOVE)
				break;
			mpp_prepare_round(call, from, to, round);
			for (at = from; at < to;)
				at = mpp_round(call, at, to, !last || to < call->nr);
		}
	}
	mpp_forget_limits(call);
	mpp_forget_anons(call);
}

/* Of @nr entries, those before the last @bytes_missing. */
static unsigned long mpp_prefix(unsigned long nr, unsigned long bytes_missing, size_t size)
{
	return (nr * size - bytes_missing) / size;
}

/*
 * Copy entries of 4 or 8 bytes, as many as can be read.  Where there is but one, the
 * copy costs less than to find out whether it stays within the object it goes to.
 */
static __always_inline unsigned long mpp_copy_in(void *to, const void __user *from,
						 unsigned long nr, size_t size)
{
	if (nr != 1)
		return mpp_prefix(nr, copy_from_user(to, from, nr * size), size);
	if (size == sizeof(u64))
		return !get_user(*(u64 *)to, (const u64 __user *)from);
	return !get_user(*(u32 *)to, (const u32 __user *)from);
}

/* Likewise, as many as can be written. */
static __always_inline unsigned long mpp_copy_out(void __user *to, const void *from,
						  unsigned long nr, size_t size)
{
	if (nr != 1)
		return mpp_prefix(nr, copy_to_user(to, from, nr * size), size);
	if (size == sizeof(u64))
		return !put_user(*(const u64 *)from, (u64 __user *)to);
	return !put_user(*(const u32 *)from, (u32 __user *)to);
}

/*
 * How many of @nr entries of @array can be written: what is there is read and
 * written back, which changes nothing.
 */
static __always_inline unsigned long mpp_writable(void __user *array, void *buf,
						  unsigned long nr, size_t size)
{
	nr = mpp_copy_in(buf, array, nr, size);
	return mpp_copy_out(array, buf, nr, size);
}

/*
 * Take in entries from @start on, up to the first that cannot be read or whose
 * answer cannot be written.  Returns how many.
 */
static unsigned long mpp_take_in(struct mpp_call *call, u64 start, unsigned long nr)
{
	const struct mpp_args *args = &call->args;

	nr = mpp_copy_in(call->pages, args->pages + start, nr, sizeof(u64));
	if (args->nodes)
		nr = mpp_copy_in(call->nodes, args->nodes + start, nr, sizeof(int));
	nr = mpp_writable(args->status + start, call->scratch, nr, sizeof(int));
	if (args->flags & MPP_MF_NEW_PAGES)
		nr = mpp_writable(args->new_pages + start, call->scratch, nr, sizeof(u64));
	return nr;
}

static int mpp_give_back(struct mpp_call *call, u64 start)
{
	const struct mpp_args *args = &call->args;

	if (mpp_copy_out(args->status + start, call->status, call->nr, sizeof(int)) < call->nr)
		return -EFAULT;
	if (args->flags & MPP_MF_NEW_PAGES &&
	    mpp_copy_out(args->new_pages + start, call->pages, call->nr, sizeof(u64)) < call->nr)
		return -EFAULT;
	return 0;
}

/* Entries of the batch that are not what was asked for. */
static unsigned int mpp_misses(const struct mpp_call *call)
{
	unsigned int misses = 0;
	unsigned int i;

	for (i = 0; i < call->nr; i++) {
		/* A target of -19 is not reached by -ENODEV. */
		misses += call->status[i] < 0 ||
			  (call->mode != MPP_MODE_QUERY && call->status[i] != call->nodes[i]);
	}
	return misses;
}

static long mpp_run(struct mpp_call *call)
{
	u64 nr_pages = call->args.nr_pages;
	long misses = 0;
	u64 start;

	for (start = 0; start < nr_pages; start += call->nr) {
		unsigned long want = min_t(u64, nr_pages - start, call->cap);
		int err;

		if (start && signal_pending(current))
			return -EINTR;
		call->nr = mpp_take_in(call, start, want);
		if (!call->nr)
			return -EFAULT;
		/* By what came: the rest of a batch that was cut may be there a moment later. */
		mpp_batch(call, start + call->nr == nr_pages);
		mpp_stat_batch(call);
		err = mpp_give_back(call, start);
		if (err)
			return err;
		misses += mpp_misses(call);
		cond_resched();
	}
	return misses;
}

/* Cut @size bytes from the memory at @next. */
static void *mpp_carve(void **next, size_t size)
{
	void *piece = *next;

	*next += size;
	return piece;
}

/**
 * mpp_call_alloc - the state of one call, before its first batch
 * @args: within the limits of a call; @args->nr_pages is not 0
 *
 * Return: what mpp_call_free() takes back, or NULL.
 */
struct mpp_call *mpp_call_alloc(const struct mpp_args *args)
{
	unsigned int cap = min_t(u64, args->nr_pages, MPP_BATCH_ENTRIES);
	unsigned int hash_bits = order_base_2(cap) + 1;
	size_t hash_size = sizeof(u16) << hash_bits;
	struct mpp_call *call;
	void *next;

	call = kvmalloc(sizeof(*call) + hash_size +
			cap * (sizeof(*call->items) + sizeof(*call->pages) +
			       sizeof(*call->scratch) + sizeof(*call->nodes) +
			       sizeof(*call->status) + sizeof(*call->item_of) +
			       sizeof(*call->outcome)), GFP_KERNEL);
	if (!call)
		return NULL;
	memset(call, 0, sizeof(*call));

	/* In the order of their alignment, so that none needs padding. */
	next = call + 1;
	call->items = mpp_carve(&next, cap * sizeof(*call->items));
	call->pages = mpp_carve(&next, cap * sizeof(*call->pages));
	call->scratch = mpp_carve(&next, cap * sizeof(*call->scratch));
	call->nodes = mpp_carve(&next, cap * sizeof(*call->nodes));
	call->status = mpp_carve(&next, cap * sizeof(*call->status));
	call->item_of = mpp_carve(&next, cap * sizeof(*call->item_of));
	call->hash = mpp_carve(&next, hash_size);
	call->outcome = mpp_carve(&next, cap * sizeof(*call->outcome));

	call->cap = cap;
	call->hash_bits = hash_bits;
	call->args = *args;
	call->limits = call->first_limits;
	call->nr_limits = MPP_LIMITS;
	INIT_LIST_HEAD(&call->queued);
	xa_init(&call->fragments);
	if (mpp_record_begin(call)) {
		kvfree(call);
		return NULL;
	}
	return call;
}

/**
 * mpp_call_free - end a call
 * @call: from mpp_call_alloc(), with nothing isolated, each round accounted
 */
void mpp_call_free(struct mpp_call *call)
{
	mpp_record_end(call);
	mpp_free_limits(call);
	kvfree(call);
}

/**
 * mpp_core_call - move pages named by physical address
 * @args: as the caller passed them; only the right to be here was checked
 *
 * May sleep.  See design notes in the files of the core, and the man page for
 * what each status means.
 *
 * Return: the number of entries that are not on their target (for a query: that
 * have no node), or a negative errno when the call as a whole failed: -EINVAL,
 * -EFAULT, -EINTR, -ENOMEM.  Entries dealt with before it have their status.
 */
long mpp_core_call(const struct mpp_args *args)
{
	struct mpp_call *call;
	long ret;

	if (args->flags & ~MPP_KNOWN_FLAGS || args->nr_pages > INT_MAX)
		return -EINVAL;
	if (!args->nr_pages)
		return 0;

	call = mpp_call_alloc(args);
	if (!call)
		return -ENOMEM;
	if (!args->nodes)
		call->mode = MPP_MODE_QUERY;
	else if (args->flags & MPP_MF_DRY_RUN)
		call->mode = MPP_MODE_DRY_RUN;
	else
		call->mode = MPP_MODE_MOVE;
	ret = mpp_run(call);
	mpp_call_free(call);
	return ret;
}
