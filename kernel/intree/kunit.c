// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of move_phys_pages(2): the table of folios, what a call remembers,
 * how destinations become answers, the limits of a call and the errno of each
 * outcome.  kunit_calls.c has those that move pages.
 */
#include "kunit.h"

KUNIT_DEFINE_ACTION_WRAPPER(mpp_test_call_free, mpp_call_free, struct mpp_call *);

/* The state of a call of @nr_pages entries, in its first round, until the test ends. */
struct mpp_call *mpp_test_call(struct kunit *test, u64 nr_pages)
{
	struct mpp_args args = { .nr_pages = nr_pages };
	struct mpp_call *call = mpp_call_alloc(&args);

	KUNIT_ASSERT_NOT_NULL(test, call);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mpp_test_call_free, call));
	mpp_items_begin(call);
	return call;
}

/* ---- The table of folios: items.c ---- */

static void mpp_test_items(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 8);
	struct mpp_item *item;

	KUNIT_EXPECT_NULL(test, mpp_item_find(call, 0x1234));
	item = mpp_item_get(call, 0x1234);
	KUNIT_EXPECT_EQ(test, item->outcome, MPP_PENDING);
	KUNIT_EXPECT_EQ(test, item->nid, NUMA_NO_NODE);
	KUNIT_EXPECT_EQ(test, item->at, NUMA_NO_NODE);
	KUNIT_EXPECT_FALSE(test, item->paired);
	/* However often it is named, it has one item. */
	KUNIT_EXPECT_PTR_EQ(test, mpp_item_find(call, 0x1234), item);
	KUNIT_EXPECT_PTR_EQ(test, mpp_item_find(call, 0x1234), item);
	KUNIT_EXPECT_NULL(test, mpp_item_find(call, 0x1235));
	KUNIT_EXPECT_EQ(test, call->nr_items, 1);

	item = mpp_item_get(call, 0);
	KUNIT_EXPECT_PTR_EQ(test, mpp_item_find(call, 0), item);
	mpp_items_begin(call);
	KUNIT_EXPECT_EQ(test, call->nr_items, 0);
	KUNIT_EXPECT_NULL(test, mpp_item_find(call, 0));
	KUNIT_EXPECT_NULL(test, mpp_item_find(call, 0x1234));
}

static void mpp_test_items_collide(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 16);
	unsigned long last = BIT(call->hash_bits) - 1;
	unsigned long pfns[16];
	unsigned long pfn = 0;
	int i;

	/* From the last slot on, so that the search goes round the end of the table. */
	for (i = 0; i < ARRAY_SIZE(pfns); pfn++) {
		if (hash_long(pfn, call->hash_bits) == last)
			pfns[i++] = pfn;
	}
	for (i = 0; i < ARRAY_SIZE(pfns); i++) {
		KUNIT_EXPECT_NULL(test, mpp_item_find(call, pfns[i]));
		mpp_item_get(call, pfns[i]);
	}
	for (i = 0; i < ARRAY_SIZE(pfns); i++)
		KUNIT_EXPECT_PTR_EQ(test, mpp_item_find(call, pfns[i]), &call->items[i]);
}

/* Batches of these sizes, each entry of another folio. */
static void mpp_test_items_full(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 2, 3, 511, 512, 513, 100000 };
	unsigned int i, n;

	for (n = 0; n < ARRAY_SIZE(sizes); n++) {
		struct mpp_call *call = mpp_test_call(test, sizes[n]);

		KUNIT_EXPECT_EQ(test, call->cap, min(sizes[n], MPP_BATCH_ENTRIES));
		KUNIT_EXPECT_GE(test, BIT(call->hash_bits), 2UL * call->cap);
		for (i = 0; i < call->cap; i++)
			mpp_item_get(call, i * 512UL);
		for (i = 0; i < call->cap; i++)
			KUNIT_ASSERT_PTR_EQ(test, mpp_item_find(call, i * 512UL),
					    &call->items[i]);
		/* A search for what is not there ends. */
		KUNIT_EXPECT_NULL(test, mpp_item_find(call, i * 512UL));
	}
}

static struct kunit_case mpp_items_cases[] = {
	KUNIT_CASE(mpp_test_items),
	KUNIT_CASE(mpp_test_items_collide),
	KUNIT_CASE(mpp_test_items_full),
	{}
};

static struct kunit_suite mpp_items_suite = {
	.name = "move_phys_pages_items",
	.test_cases = mpp_items_cases,
};

/* ---- What a call remembers: record.c ---- */

void mpp_expect_recall(struct kunit *test, struct mpp_call *call, unsigned long pfn,
		       unsigned long new_pfn, int at)
{
	unsigned long got_pfn = 0;
	int got_at = NUMA_NO_NODE;

	KUNIT_ASSERT_TRUE_MSG(test, mpp_recall(call, pfn, &got_pfn, &got_at), "pfn %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, got_pfn, new_pfn, "pfn %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, got_at, at, "pfn %#lx", pfn);
}

void mpp_expect_unknown(struct kunit *test, struct mpp_call *call, unsigned long pfn)
{
	unsigned long got_pfn = 0x5eed;
	int got_at = 77;

	KUNIT_EXPECT_FALSE_MSG(test, mpp_recall(call, pfn, &got_pfn, &got_at), "pfn %#lx", pfn);
	KUNIT_EXPECT_EQ(test, got_pfn, 0x5eed);
	KUNIT_EXPECT_EQ(test, got_at, 77);
}

/* As a round does for a folio that moved: it left, and it came. */
static void mpp_test_moved(struct kunit *test, struct mpp_call *call, unsigned long pfn,
			   unsigned int order, unsigned long new_pfn, int at)
{
	KUNIT_EXPECT_EQ(test, mpp_record(call, pfn, order, new_pfn, at), 0);
	KUNIT_EXPECT_EQ(test, mpp_record_arrival(call, new_pfn, order, at), 0);
}

/* A later entry may name the frame that was left, or the one that was taken. */
static void mpp_test_record_both_ends(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 1);

	mpp_expect_unknown(test, call, 100);
	mpp_test_moved(test, call, 100, 0, 200, 1);
	mpp_expect_recall(test, call, 100, 200, 1);
	mpp_expect_recall(test, call, 200, 200, 1);
	mpp_expect_unknown(test, call, 101);
	mpp_expect_unknown(test, call, 201);
	/* What was on its target already is remembered as well. */
	KUNIT_EXPECT_EQ(test, mpp_record(call, 300, 0, 300, 0), 0);
	mpp_expect_recall(test, call, 300, 300, 0);
}

static void mpp_test_record_orders(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 1);

	mpp_test_moved(test, call, 1024, 9, 4096, 1);
	mpp_test_moved(test, call, 64, 4, 128, 0);
	mpp_test_moved(test, call, 7, 0, 9, 1);
	/* Any page of a folio, at either end. */
	mpp_expect_recall(test, call, 1024, 4096, 1);
	mpp_expect_recall(test, call, 1024 + 77, 4096 + 77, 1);
	mpp_expect_recall(test, call, 1024 + 511, 4096 + 511, 1);
	mpp_expect_recall(test, call, 4096 + 77, 4096 + 77, 1);
	mpp_expect_recall(test, call, 64 + 15, 128 + 15, 0);
	mpp_expect_recall(test, call, 7, 9, 1);
	/* And none beside it. */
	mpp_expect_unknown(test, call, 1023);
	mpp_expect_unknown(test, call, 1024 + 512);
	mpp_expect_unknown(test, call, 63);
	mpp_expect_unknown(test, call, 64 + 16);
	mpp_expect_unknown(test, call, 6);
}

/* Nothing is lost where an entry packs it: the last node, a frame of 52 address bits. */
static void mpp_test_record_limits(struct kunit *test)
{
	const unsigned long high = BIT(52 - PAGE_SHIFT) - 1;
	struct mpp_call *call = mpp_test_call(test, 1);

	mpp_test_moved(test, call, high, 0, high - 1, MAX_NUMNODES - 1);
	mpp_expect_recall(test, call, high, high - 1, MAX_NUMNODES - 1);
	mpp_test_moved(test, call, 0, 0, 5, 0);
	mpp_expect_recall(test, call, 0, 5, 0);
}

/* A frame that one folio has left and another has taken answers for the first. */
static void mpp_test_record_reused_frame(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 1);

	mpp_test_moved(test, call, 100, 0, 200, 1);
	mpp_test_moved(test, call, 300, 0, 100, 0);
	mpp_expect_recall(test, call, 100, 200, 1);
	mpp_expect_recall(test, call, 300, 100, 0);
}

/* Also where the second is of another order. */
static void mpp_test_record_reused_otherwise(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 1);

	/* Small ones come to where a large one was: to its first page, and to another. */
	mpp_test_moved(test, call, 4096, 9, 10240, 0);
	mpp_test_moved(test, call, 300, 0, 4096, 1);
	mpp_test_moved(test, call, 301, 0, 4096 + 5, 1);
	mpp_expect_recall(test, call, 4096, 10240, 0);
	mpp_expect_recall(test, call, 4096 + 5, 10240 + 5, 0);
	mpp_expect_recall(test, call, 300, 4096, 1);
	mpp_expect_recall(test, call, 301, 4096 + 5, 1);

	/* A large one comes to where small ones were. */
	mpp_test_moved(test, call, 20480, 0, 50, 0);
	mpp_test_moved(test, call, 20480 + 3, 0, 53, 0);
	mpp_test_moved(test, call, 16384, 9, 20480, 1);
	mpp_expect_recall(test, call, 20480, 50, 0);
	mpp_expect_recall(test, call, 20480 + 3, 53, 0);
	mpp_expect_recall(test, call, 20480 + 4, 20480 + 4, 1);
	mpp_expect_recall(test, call, 16384 + 3, 20480 + 3, 1);

	/* It was there when a small one had left, and leaves as well. */
	mpp_test_moved(test, call, 30720, 0, 70, 0);
	mpp_test_moved(test, call, 30720, 9, 40960, 1);
	mpp_expect_recall(test, call, 30720, 70, 0);
	mpp_expect_recall(test, call, 30720 + 1, 40960 + 1, 1);
}

/* In a round a folio may come to where another was whose turn to be remembered is later. */
static void mpp_test_record_round(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 2);
	struct mpp_item *came = mpp_item_get(call, 300), *left = mpp_item_get(call, 1024);

	came->order = 0;
	came->dst_pfn = 1024 + 5;
	left->order = 9;
	left->dst_pfn = 4096;
	came->outcome = MPP_QUEUED;
	left->outcome = MPP_QUEUED;
	came->paired = true;
	left->paired = true;
	came->from = 0;
	left->from = 0;
	came->at = 0;
	left->at = 0;
	mpp_items_account(call, false);
	mpp_expect_unknown(test, call, 300);
	mpp_items_account(call, true);
	mpp_expect_recall(test, call, 300, 1024 + 5, 0);
	mpp_expect_recall(test, call, 1024, 4096, 0);
	mpp_expect_recall(test, call, 1024 + 5, 4096 + 5, 0);
	mpp_expect_recall(test, call, 4096 + 5, 4096 + 5, 0);
	KUNIT_EXPECT_FALSE(test, call->blind);
}

static struct kunit_case mpp_record_cases[] = {
	KUNIT_CASE(mpp_test_record_both_ends),
	KUNIT_CASE(mpp_test_record_orders),
	KUNIT_CASE(mpp_test_record_limits),
	KUNIT_CASE(mpp_test_record_reused_frame),
	KUNIT_CASE(mpp_test_record_reused_otherwise),
	KUNIT_CASE(mpp_test_record_round),
	{}
};

static struct kunit_suite mpp_record_suite = {
	.name = "move_phys_pages_record",
	.test_cases = mpp_record_cases,
};

/* ---- What became of a page: migrate.c ---- */

void mpp_expect_fate(struct kunit *test, struct mpp_call *call, struct mpp_item *item,
		     unsigned long pfn, enum mpp_outcome outcome, unsigned long new_pfn, int at)
{
	unsigned long got_pfn = pfn;
	int got_at = NUMA_NO_NODE;

	KUNIT_EXPECT_EQ(test, mpp_fate(call, item, pfn, &got_pfn, &got_at), outcome);
	KUNIT_EXPECT_EQ(test, got_pfn, new_pfn);
	KUNIT_EXPECT_EQ(test, got_at, at);
}

static void mpp_test_fate_of_item(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 4);
	struct mpp_item *item = mpp_item_get(call, 1024);

	item->order = 9;
	item->outcome = MPP_SHARED;
	mpp_expect_fate(test, call, item, 1024, MPP_SHARED, 1024, NUMA_NO_NODE);
	/* Neither left on the list nor given a destination: its last user freed it. */
	item->outcome = MPP_QUEUED;
	mpp_expect_fate(test, call, item, 1024, MPP_FREED, 1024, NUMA_NO_NODE);
	item->paired = true;
	item->dst_pfn = 4096;
	item->at = 1;
	mpp_expect_fate(test, call, item, 1024, MPP_MOVED, 4096, 1);
	mpp_expect_fate(test, call, item, 1024 + 77, MPP_MOVED, 4096 + 77, 1);
	/* It is left behind after all: no word of the destination it had. */
	item->outcome = MPP_PINNED;
	item->at = NUMA_NO_NODE;
	mpp_expect_fate(test, call, item, 1024 + 77, MPP_PINNED, 1024 + 77, NUMA_NO_NODE);
}

static struct folio *mpp_test_kernel_folio(struct kunit *test)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	return folio;
}

/* Pieces of a folio that was split on the way ask for destinations of their own. */
static void mpp_test_fate_of_fragments(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 4);
	struct folio *src = mpp_test_kernel_folio(test);
	unsigned long pfn = folio_pfn(src), new_pfn;
	struct mpp_item *item = mpp_item_get(call, pfn & ~511UL);
	unsigned long other = item->pfn + (pfn == item->pfn);
	struct mpp_item *refused = NULL;
	struct folio *dst;
	int at;

	/* A page was refused that was where the piece is, before there was the huge page. */
	if (pfn != item->pfn) {
		refused = mpp_item_get(call, pfn);
		refused->outcome = MPP_SHARED;
	}
	item->order = 9;
	item->from = folio_nid(src);
	item->outcome = MPP_QUEUED;
	call->nid = folio_nid(src);
	dst = mpp_get_new_folio(src, (unsigned long)call);
	KUNIT_ASSERT_NOT_NULL(test, dst);
	KUNIT_EXPECT_FALSE(test, item->paired || (refused && refused->paired));
	mpp_expect_fate(test, call, item, pfn, MPP_MOVED, folio_pfn(dst), folio_nid(dst));
	mpp_expect_fate(test, call, item, other, MPP_FREED, other, NUMA_NO_NODE);

	mpp_items_account(call, true);
	KUNIT_EXPECT_EQ(test, call->moved_pages, 1);
	mpp_expect_recall(test, call, pfn, folio_pfn(dst), folio_nid(dst));
	KUNIT_EXPECT_FALSE(test, mpp_recall(call, other, &new_pfn, &at));
	/* The next round knows nothing of them. */
	mpp_expect_fate(test, call, item, pfn, MPP_FREED, pfn, NUMA_NO_NODE);
	folio_put(dst);
	folio_put(src);
}

/* A destination that is given back was none: of a whole folio, and of a piece. */
static void mpp_test_given_back(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 4);
	struct folio *src = mpp_test_kernel_folio(test);
	struct mpp_item *item = mpp_item_get(call, folio_pfn(src));
	struct folio *dst;

	item->outcome = MPP_QUEUED;
	call->nid = folio_nid(src);
	dst = mpp_get_new_folio(src, (unsigned long)call);
	KUNIT_ASSERT_NOT_NULL(test, dst);
	mpp_expect_fate(test, call, item, item->pfn, MPP_MOVED, folio_pfn(dst), call->nid);
	mpp_put_new_folio(dst, (unsigned long)call);
	mpp_expect_fate(test, call, item, item->pfn, MPP_FREED, item->pfn, NUMA_NO_NODE);

	item->order = 1;
	dst = mpp_get_new_folio(src, (unsigned long)call);
	KUNIT_ASSERT_NOT_NULL(test, dst);
	mpp_expect_fate(test, call, item, item->pfn, MPP_MOVED, folio_pfn(dst), call->nid);
	mpp_put_new_folio(dst, (unsigned long)call);
	mpp_expect_fate(test, call, item, item->pfn, MPP_FREED, item->pfn, NUMA_NO_NODE);
	folio_put(src);
}

static struct kunit_case mpp_fate_cases[] = {
	KUNIT_CASE(mpp_test_fate_of_item),
	KUNIT_CASE(mpp_test_fate_of_fragments),
	KUNIT_CASE(mpp_test_given_back),
	{}
};

static struct kunit_suite mpp_fate_suite = {
	.name = "move_phys_pages_fate",
	.test_cases = mpp_fate_cases,
};

/* ---- What a call may ask, and what answers it can get: call.c, stat.c ---- */

static void mpp_test_errnos(struct kunit *test)
{
	static const int contract[] = {
		[MPP_MOVED] = 0,
		[MPP_ALREADY] = 0,
		[MPP_WOULD_MOVE] = 0,
		[MPP_FOUND] = 0,
		[MPP_ABSENT] = ENXIO,
		[MPP_NOT_USER] = ENOENT,
		[MPP_FREED] = ENOENT,
		[MPP_UNMAPPED] = ESRCH,
		[MPP_ZERO_PAGE] = EFAULT,
		[MPP_VMA] = EFAULT,
		[MPP_ZONE] = EFAULT,
		[MPP_SHARED] = EACCES,
		[MPP_CPUSET_TASK] = EXDEV,
		[MPP_CPUSET_CGROUP] = EXDEV,
		[MPP_CPUSET_CALLER] = EXDEV,
		[MPP_POLICY_VMA] = EPERM,
		[MPP_POLICY_TASK] = EPERM,
		[MPP_POLICY_FILE] = EPERM,
		[MPP_SECURITY] = EPERM,
		[MPP_BAD_NODE] = ENODEV,
		[MPP_HWPOISON] = EHWPOISON,
		[MPP_NOT_ISOLATED] = EBUSY,
		[MPP_PINNED] = EBUSY,
		[MPP_LOCKED] = EAGAIN,
		[MPP_WRITEBACK] = EAGAIN,
		[MPP_CONTENDED] = EAGAIN,
		[MPP_RACED] = EAGAIN,
		[MPP_NO_RECORD] = EAGAIN,
		[MPP_NO_ROOM] = ENOMEM,
		[MPP_UNSUPPORTED] = EOPNOTSUPP,
	};
	int i;

	static_assert(ARRAY_SIZE(contract) == MPP_NR_OUTCOMES);
	for (i = 0; i < MPP_NR_OUTCOMES; i++) {
		KUNIT_EXPECT_EQ_MSG(test, mpp_outcome_errno(i), contract[i], "outcome %d", i);
		KUNIT_EXPECT_EQ_MSG(test, !contract[i], i < MPP_FIRST_ERROR, "outcome %d", i);
	}
}

static void mpp_test_limits(struct kunit *test)
{
	const unsigned int known = MPOL_MF_MOVE | MPOL_MF_MOVE_ALL | MPP_MF_UNMAPPED |
				   MPP_MF_IGNORE_MEMPOLICY | MPP_MF_DRY_RUN | MPP_MF_SYNC |
				   MPP_MF_RECLAIM | MPP_MF_NEW_PAGES;
	struct mpp_args args = {};
	unsigned int bit;

	/* No pages, and nothing is looked at: the way to ask whether flags are known. */
	for (bit = 0; bit < 32; bit++) {
		args.flags = 1U << bit;
		KUNIT_EXPECT_EQ_MSG(test, mpp_core_call(&args),
				    known & args.flags ? 0 : -EINVAL, "bit %u", bit);
	}
	args.flags = known;
	KUNIT_EXPECT_EQ(test, mpp_core_call(&args), 0);
	args.flags = 0;
	args.nr_pages = 1ULL + INT_MAX;
	KUNIT_EXPECT_EQ(test, mpp_core_call(&args), -EINVAL);
	args.nr_pages = 1ULL << 32;
	KUNIT_EXPECT_EQ(test, mpp_core_call(&args), -EINVAL);
	args.nr_pages = U64_MAX;
	KUNIT_EXPECT_EQ(test, mpp_core_call(&args), -EINVAL);
}

static struct kunit_case mpp_contract_cases[] = {
	KUNIT_CASE(mpp_test_errnos),
	KUNIT_CASE(mpp_test_limits),
	{}
};

static struct kunit_suite mpp_contract_suite = {
	.name = "move_phys_pages_contract",
	.test_cases = mpp_contract_cases,
};

kunit_test_suites(&mpp_items_suite, &mpp_record_suite, &mpp_fate_suite, &mpp_contract_suite);
