// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of move_phys_pages(2): the fate of each page of a batch, and calls
 * as a whole, on memory of the test's own.
 *
 * One node is enough for most: what is isolated may be migrated to the node that
 * it is on.
 */
#include "kunit.h"

#include <linux/mman.h>

static unsigned long mpp_test_mmap(struct kunit *test, size_t size)
{
	unsigned long addr = kunit_vm_mmap(test, NULL, 0, PAGE_ALIGN(size), PROT_READ | PROT_WRITE,
					   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_LT(test, addr, (unsigned long)TASK_SIZE);
	return addr;
}

/* The folio behind an address of the test's own, with a reference and on the LRU. */
static struct folio *mpp_test_folio(struct kunit *test, unsigned long addr)
{
	struct page *page;

	KUNIT_ASSERT_EQ(test, get_user_pages_fast(addr, 1, FOLL_WRITE, &page), 1);
	lru_add_drain_all();
	return page_folio(page);
}

static unsigned long mpp_test_pfn(struct kunit *test, unsigned long addr)
{
	struct folio *folio = mpp_test_folio(test, addr);
	unsigned long pfn = folio_pfn(folio);

	folio_put(folio);
	return pfn;
}

/* ---- What became of each page of a batch: migrate.c ---- */

static struct mpp_item *mpp_test_queue(struct kunit *test, struct mpp_call *call,
				       unsigned long addr)
{
	struct folio *folio = mpp_test_folio(test, addr);
	struct mpp_item *item = mpp_item_get(call, folio_pfn(folio));

	item->order = folio_order(folio);
	item->nid = folio_nid(folio);
	item->outcome = mpp_queue(call, item, folio);
	KUNIT_EXPECT_EQ(test, item->outcome, MPP_QUEUED);
	folio_put(folio);
	return item;
}

/* One batch, and each page in it meets another fate. */
static void mpp_test_fates_of_a_batch(struct kunit *test)
{
	enum { MOVES, PINNED, LOCKED, FREED, NR };
	struct mpp_call *call = mpp_test_call(test, NR);
	struct mpp_item *item[NR];
	struct folio *pinned, *locked;
	unsigned long addr[NR], new_pfn = 0;
	int i, at = NUMA_NO_NODE, value = 0;

	for (i = 0; i < NR; i++) {
		addr[i] = mpp_test_mmap(test, PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, put_user(i + 1, (int __user *)addr[i]), 0);
	}
	pinned = mpp_test_folio(test, addr[PINNED]);
	locked = mpp_test_folio(test, addr[LOCKED]);
	for (i = 0; i < NR; i++)
		item[i] = mpp_test_queue(test, call, addr[i]);
	folio_lock(locked);
	vm_munmap(addr[FREED], PAGE_SIZE);

	mpp_migrate_queued(call);
	KUNIT_EXPECT_TRUE(test, list_empty(&call->queued));
	KUNIT_EXPECT_FALSE(test, call->several_targets);
	KUNIT_EXPECT_EQ(test, call->queued_bytes, 0);
	KUNIT_EXPECT_EQ(test, mpp_fate(call, item[MOVES], item[MOVES]->pfn, &new_pfn, &at),
			MPP_MOVED);
	KUNIT_EXPECT_NE(test, new_pfn, item[MOVES]->pfn);
	KUNIT_EXPECT_EQ(test, at, pfn_to_nid(new_pfn));
	KUNIT_EXPECT_EQ(test, mpp_test_pfn(test, addr[MOVES]), new_pfn);
	for (i = PINNED; i < NR; i++) {
		static const enum mpp_outcome why[NR] = {
			[PINNED] = MPP_PINNED, [LOCKED] = MPP_LOCKED, [FREED] = MPP_FREED,
		};

		mpp_expect_fate(test, call, item[i], item[i]->pfn, why[i], item[i]->pfn,
				NUMA_NO_NODE);
	}
	folio_unlock(locked);
	folio_put(locked);
	folio_put(pinned);
	for (i = MOVES; i < FREED; i++) {
		KUNIT_EXPECT_EQ(test, get_user(value, (int __user *)addr[i]), 0);
		KUNIT_EXPECT_EQ(test, value, i + 1);
	}

	mpp_items_account(call, true);
	KUNIT_EXPECT_EQ(test, call->moved_pages, 1);
	mpp_expect_recall(test, call, item[MOVES]->pfn, new_pfn, at);
	mpp_expect_unknown(test, call, item[PINNED]->pfn);
}

/* A node that lost its memory after the target was checked. */
static void mpp_test_no_room(struct kunit *test)
{
	struct mpp_call *call = mpp_test_call(test, 2);
	unsigned long addr = mpp_test_mmap(test, PAGE_SIZE);
	struct mpp_item *item;
	int nid;

	for (nid = 0; nid < MAX_NUMNODES && node_state(nid, N_MEMORY); nid++)
		;
	if (nid == MAX_NUMNODES)
		kunit_skip(test, "all %d nodes that this kernel can have hold memory", nid);
	item = mpp_test_queue(test, call, addr);
	item->nid = nid;
	call->nid = nid;
	mpp_migrate_queued(call);
	mpp_expect_fate(test, call, item, item->pfn, MPP_NO_ROOM, item->pfn, NUMA_NO_NODE);
	KUNIT_EXPECT_EQ(test, mpp_test_pfn(test, addr), item->pfn);
}

static struct kunit_case mpp_batch_cases[] = {
	KUNIT_CASE(mpp_test_fates_of_a_batch),
	KUNIT_CASE(mpp_test_no_room),
	{}
};

static struct kunit_suite mpp_batch_suite = {
	.name = "move_phys_pages_batch",
	.test_cases = mpp_batch_cases,
};

/* ---- Calls as a whole: call.c ---- */

#define MPP_UNTOUCHED	(-0x5eadbee)

/* The arrays of one call, in user memory and as they are to be filled. */
struct mpp_test_arrays {
	unsigned int nr;
	u64 *pages;
	int *nodes;
	struct mpp_args args;
};

/* User memory that ends right after @size bytes, with what is at @from. */
static void __user *mpp_test_user(struct kunit *test, const void *from, size_t size)
{
	unsigned long addr = mpp_test_mmap(test, PAGE_ALIGN(size) + PAGE_SIZE);
	void __user *at = (void __user *)(addr + PAGE_ALIGN(size) - size);

	KUNIT_ASSERT_EQ(test, vm_munmap(addr + PAGE_ALIGN(size), PAGE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, copy_to_user(at, from, size), 0);
	return at;
}

static void *mpp_test_read(struct kunit *test, const void __user *from, size_t size)
{
	void *copy = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_ASSERT_EQ(test, copy_from_user(copy, from, size), 0);
	return copy;
}

static struct mpp_test_arrays mpp_test_arrays(struct kunit *test, unsigned int nr)
{
	struct mpp_test_arrays a = { .nr = nr };

	a.pages = kunit_kcalloc(test, nr, sizeof(*a.pages), GFP_KERNEL);
	a.nodes = kunit_kcalloc(test, nr, sizeof(*a.nodes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, a.pages);
	KUNIT_ASSERT_NOT_NULL(test, a.nodes);
	return a;
}

/* Hands the arrays to user memory, with no word of an answer in it. */
static void mpp_test_hand_over(struct kunit *test, struct mpp_test_arrays *a)
{
	int *untouched = kunit_kmalloc_array(test, a->nr, sizeof(int), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, untouched);
	for (i = 0; i < a->nr; i++)
		untouched[i] = MPP_UNTOUCHED;
	a->args.nr_pages = a->nr;
	a->args.pages = mpp_test_user(test, a->pages, a->nr * sizeof(u64));
	a->args.nodes = mpp_test_user(test, a->nodes, a->nr * sizeof(int));
	a->args.status = mpp_test_user(test, untouched, a->nr * sizeof(int));
	a->args.new_pages = mpp_test_user(test, a->pages, a->nr * sizeof(u64));
}

static int *mpp_test_statuses(struct kunit *test, const struct mpp_test_arrays *a)
{
	return mpp_test_read(test, a->args.status, a->nr * sizeof(int));
}

static u64 *mpp_test_new_pages(struct kunit *test, const struct mpp_test_arrays *a)
{
	return mpp_test_read(test, a->args.new_pages, a->nr * sizeof(u64));
}

/*
 * Entry @i of a mixture whose period is no divisor of a batch, so that an answer
 * in a wrong place shows.  Nothing moves.  Returns the status it should get.
 */
static int mpp_test_mixed(unsigned int i, u64 page, int nid, u64 *addr, int *node)
{
	*node = nid;
	switch (i % 7) {
	case 0:
		*addr = BIT_ULL(MAX_PHYSMEM_BITS) + (u64)i * PAGE_SIZE;
		return -ENXIO;
	case 1:
		*addr = page;
		*node = -1;
		return -ENODEV;
	case 2:
		*addr = page;
		*node = MAX_NUMNODES;
		return -ENODEV;
	case 3:
		*addr = U64_MAX;
		return -ENXIO;
	case 4:
		*addr = (u64)page_to_pfn(ZERO_PAGE(0)) << PAGE_SHIFT;
		return -EFAULT;
	default:
		*addr = page + i % PAGE_SIZE;
		return nid;
	}
}

/* A call of @nr mixed entries; @expected receives their statuses. */
static struct mpp_test_arrays mpp_test_mixture(struct kunit *test, unsigned int nr, int *expected)
{
	struct mpp_test_arrays a = mpp_test_arrays(test, nr);
	unsigned long pfn = mpp_test_pfn(test, mpp_test_mmap(test, PAGE_SIZE));
	unsigned int i;

	for (i = 0; i < nr; i++)
		expected[i] = mpp_test_mixed(i, (u64)pfn << PAGE_SHIFT, pfn_to_nid(pfn),
					     &a.pages[i], &a.nodes[i]);
	mpp_test_hand_over(test, &a);
	return a;
}

#define MPP_TEST_MOST	1025

static int *mpp_test_expected(struct kunit *test)
{
	int *expected = kunit_kcalloc(test, MPP_TEST_MOST, sizeof(int), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, expected);
	return expected;
}

static void mpp_test_batches(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 2, 511, 512, 513, 1024, MPP_TEST_MOST };
	int *expected = mpp_test_expected(test);
	unsigned int i, n;

	for (n = 0; n < ARRAY_SIZE(sizes); n++) {
		struct mpp_test_arrays a = mpp_test_mixture(test, sizes[n], expected);
		long missed = 0;
		u64 *new_pages;
		int *status;

		a.args.flags = MPP_MF_NEW_PAGES;
		for (i = 0; i < a.nr; i++)
			missed += expected[i] < 0;
		KUNIT_EXPECT_EQ_MSG(test, mpp_core_call(&a.args), missed, "of %u", a.nr);
		status = mpp_test_statuses(test, &a);
		new_pages = mpp_test_new_pages(test, &a);
		for (i = 0; i < a.nr; i++) {
			KUNIT_ASSERT_EQ_MSG(test, status[i], expected[i], "%u of %u", i, a.nr);
			KUNIT_ASSERT_EQ_MSG(test, new_pages[i], a.pages[i], "%u of %u", i, a.nr);
		}
	}
}

/* Asking where pages are takes no nodes, and knows none to be bad. */
static void mpp_test_query(struct kunit *test)
{
	int *expected = mpp_test_expected(test);
	struct mpp_test_arrays a = mpp_test_mixture(test, 513, expected);
	int nid = expected[5];
	long missed = 0;
	unsigned int i;
	int *status;

	a.args.nodes = NULL;
	for (i = 0; i < a.nr; i++) {
		if (expected[i] == -ENODEV)
			expected[i] = nid;
		missed += expected[i] < 0;
	}
	KUNIT_EXPECT_EQ(test, mpp_core_call(&a.args), missed);
	status = mpp_test_statuses(test, &a);
	for (i = 0; i < a.nr; i++)
		KUNIT_ASSERT_EQ_MSG(test, status[i], expected[i], "%u", i);
}

enum mpp_test_array { MPP_PAGES, MPP_NODES, MPP_STATUS, MPP_NEW_PAGES };

/* In the second batch, so that one is through and one is cut. */
#define MPP_TEST_ROOM	600

/* An array that ends too early: what came before is answered, the rest left alone. */
static void mpp_test_fault(struct kunit *test, enum mpp_test_array which)
{
	int *expected = mpp_test_expected(test);
	struct mpp_test_arrays a = mpp_test_mixture(test, MPP_TEST_MOST, expected);
	unsigned int nr_answers = a.nr;
	unsigned int i;
	int *status;

	a.args.flags = MPP_MF_NEW_PAGES;
	switch (which) {
	case MPP_PAGES:
		a.args.pages = mpp_test_user(test, a.pages, MPP_TEST_ROOM * sizeof(u64));
		break;
	case MPP_NODES:
		a.args.nodes = mpp_test_user(test, a.nodes, MPP_TEST_ROOM * sizeof(int));
		break;
	case MPP_STATUS:
		a.args.status = mpp_test_user(test, mpp_test_statuses(test, &a),
					      MPP_TEST_ROOM * sizeof(int));
		nr_answers = MPP_TEST_ROOM;
		break;
	case MPP_NEW_PAGES:
		a.args.new_pages = mpp_test_user(test, a.pages, MPP_TEST_ROOM * sizeof(u64));
		break;
	}
	KUNIT_EXPECT_EQ(test, mpp_core_call(&a.args), -EFAULT);
	status = mpp_test_read(test, a.args.status, nr_answers * sizeof(int));
	for (i = 0; i < nr_answers; i++)
		KUNIT_ASSERT_EQ_MSG(test, status[i],
				    i < MPP_TEST_ROOM ? expected[i] : MPP_UNTOUCHED, "%u", i);
}

static void mpp_test_faults(struct kunit *test)
{
	struct mpp_args nothing_there = { .nr_pages = 1 };

	mpp_test_fault(test, MPP_PAGES);
	mpp_test_fault(test, MPP_NODES);
	mpp_test_fault(test, MPP_STATUS);
	mpp_test_fault(test, MPP_NEW_PAGES);
	KUNIT_EXPECT_EQ(test, mpp_core_call(&nothing_there), -EFAULT);
}

/* Two pages, and one of them named three times; to another node and back. */
static void mpp_test_duplicates(struct kunit *test)
{
	unsigned long addr[2] = { mpp_test_mmap(test, PAGE_SIZE), mpp_test_mmap(test, PAGE_SIZE) };
	struct mpp_test_arrays a = mpp_test_arrays(test, 4);
	int home = pfn_to_nid(mpp_test_pfn(test, addr[0]));
	int away = next_node_in(home, node_states[N_MEMORY]);
	int target[] = { away, home };
	int turn, value, i;

	if (home == away)
		kunit_skip(test, "only one node has memory");
	KUNIT_ASSERT_EQ(test, put_user(0x600d, (int __user *)addr[0]), 0);
	for (turn = 0; turn < ARRAY_SIZE(target); turn++) {
		static const int which[] = { 0, 0, 1, 0 };
		u64 *new_pages;
		int *status;

		for (i = 0; i < a.nr; i++) {
			a.pages[i] = ((u64)mpp_test_pfn(test, addr[which[i]]) << PAGE_SHIFT) + i;
			a.nodes[i] = target[turn];
		}
		mpp_test_hand_over(test, &a);
		a.args.flags = MPP_MF_DRY_RUN;
		KUNIT_EXPECT_EQ(test, mpp_core_call(&a.args), 0);
		for (i = 0; i < a.nr; i++)
			KUNIT_EXPECT_EQ(test, mpp_test_pfn(test, addr[which[i]]),
					a.pages[i] >> PAGE_SHIFT);

		a.args.flags = MPP_MF_NEW_PAGES;
		KUNIT_EXPECT_EQ(test, mpp_core_call(&a.args), 0);
		status = mpp_test_statuses(test, &a);
		new_pages = mpp_test_new_pages(test, &a);
		for (i = 0; i < a.nr; i++) {
			unsigned long pfn = mpp_test_pfn(test, addr[which[i]]);

			KUNIT_EXPECT_EQ(test, status[i], target[turn]);
			KUNIT_EXPECT_EQ(test, pfn_to_nid(pfn), target[turn]);
			KUNIT_EXPECT_EQ(test, new_pages[i], ((u64)pfn << PAGE_SHIFT) + i);
		}
	}
	KUNIT_EXPECT_EQ(test, get_user(value, (int __user *)addr[0]), 0);
	KUNIT_EXPECT_EQ(test, value, 0x600d);
}

static struct kunit_case mpp_call_cases[] = {
	KUNIT_CASE(mpp_test_batches),
	KUNIT_CASE(mpp_test_query),
	KUNIT_CASE(mpp_test_faults),
	KUNIT_CASE(mpp_test_duplicates),
	{}
};

static struct kunit_suite mpp_call_suite = {
	.name = "move_phys_pages_call",
	.test_cases = mpp_call_cases,
};

kunit_test_suites(&mpp_batch_suite, &mpp_call_suite);
