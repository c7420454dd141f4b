// SPDX-License-Identifier: GPL-2.0-only
/* Huge pages: named by any page of theirs, moved once and whole. */
#include "harness.h"

#include <linux/kernel-page-flags.h>

#include "h_hugetlb.h"

#define MOVE_ALL (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)

static long long huge_kb(const struct region *r)
{
	return smaps_kb(r->va, "AnonHugePages:");
}

static void expect_still_huge(const struct region *r)
{
	uint64_t head = region_phys(r, 0);

	CHECK_EQ(huge_kb(r), (long long)(r->nr_pages * page_size() / 1024));
	CHECK_EQ(head % huge_size(), 0);
	for (size_t i = 0; i < r->nr_pages; i++)
		CHECK_EQ(region_phys(r, i), head + i * page_size());
	CHECK_EQ(kpageflags(head) >> KPF_THP & 1, 1);
}

/* Moves by the batch and sees that the kernel moved just nr_huge huge pages, unsplit. */
static void moves_whole(struct region *r, struct batch *b, int nr_huge)
{
	long long moved = vmstat("thp_migration_success"), split = vmstat("thp_migration_split");
	long long split_pages = vmstat("thp_split_page");

	CHECK_EQ(batch_run(b, 0), 0);
	CHECK_EQ(vmstat("thp_migration_success") - moved, nr_huge);
	CHECK_EQ(vmstat("thp_migration_split") - split, 0);
	CHECK_EQ(vmstat("thp_split_page") - split_pages, 0);
	expect_still_huge(r);
	region_expect_node(r, b->nodes[0]);
	region_verify(r);
}

TEST(kinds, huge_by_head)
{
	struct region r = region_huge(1, slow_node(), 1);
	struct batch b = { 0 };

	batch_add(&b, region_phys(&r, 0), fast_node());
	moves_whole(&r, &b, 1);
	CHECK_EQ(b.new_pages[0], region_phys(&r, 0));
}

TEST(kinds, huge_by_tail)
{
	struct region r = region_huge(1, slow_node(), 1);
	struct batch b = { 0 };

	batch_add(&b, region_phys(&r, 300) + 77, fast_node());
	moves_whole(&r, &b, 1);
	CHECK_EQ(b.new_pages[0], region_phys(&r, 300) + 77);
	batch_free(&b);
	batch_add(&b, region_phys(&r, r.nr_pages - 1), slow_node());
	moves_whole(&r, &b, 1);
}

/* Head and every tail, in any order: one move, and each answers for itself. */
TEST(kinds, huge_by_every_page)
{
	struct region r = region_huge(1, slow_node(), 1);
	uint64_t old = region_phys(&r, 0), new;
	struct batch b = batch_of(&r, fast_node());

	batch_shuffle(&b, 42);
	moves_whole(&r, &b, 1);
	new = region_phys(&r, 0);
	CHECK_NE(new, old);
	for (unsigned long i = 0; i < b.nr; i++)
		CHECK(b.new_pages[i] - new == b.pages[i] - old,
		      "entry %lu: %#llx became %#llx, the huge page went from %#llx to %#llx", i,
		      (unsigned long long)b.pages[i], (unsigned long long)b.new_pages[i],
		      (unsigned long long)old, (unsigned long long)new);
	/* Named anew, on its target: all are there already, none moves. */
	batch_free(&b);
	b = batch_of(&r, fast_node());
	moves_whole(&r, &b, 0);
	CHECK_EQ(region_phys(&r, 0), new);
}

/* More huge pages than fit the bytes of one batch. */
TEST(kinds, huge_many)
{
	const int nr_huge = 8;
	struct region r = region_huge(nr_huge, slow_node(), 1);
	struct batch b = batch_of(&r, fast_node());
	long long moved = vmstat("thp_migration_success");

	batch_shuffle(&b, 4711);
	CHECK_EQ(batch_run(&b, 0), 0);
	CHECK_EQ(vmstat("thp_migration_success") - moved, nr_huge);
	CHECK_EQ(huge_kb(&r), (long long)(r.nr_pages * page_size() / 1024));
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

/* Mapped by small entries it is still one page of one process. */
TEST(kinds, huge_mapped_by_small_entries)
{
	struct region r = region_huge(1, slow_node(), 1);
	uint64_t old = region_phys(&r, 0);
	struct batch b = { 0 };

	MUST(mprotect(r.va + page_size(), page_size(), PROT_READ));
	CHECK_EQ(huge_kb(&r), 0);
	CHECK_EQ(region_phys(&r, 2), old + 2 * page_size());
	batch_add(&b, old + 2 * page_size(), fast_node());
	CHECK_EQ(batch_run(&b, MPOL_MF_MOVE), 0);
	CHECK_EQ(region_phys(&r, 2), b.new_pages[0]);
	/* All of it or, split by the kernel, just the page that was named. */
	if (region_node(&r, 0) == fast_node())
		region_expect_node(&r, fast_node());
	region_verify(&r);
}

static void hold_region(struct child *me, void *arg)
{
	struct region *r = arg;

	child_sync(me);
	region_verify(r);
}

/*
 * A child shares the second half only.  The huge page is shared as a whole, by
 * whichever of its pages it is named.
 */
TEST(kinds, huge_shared_in_part)
{
	struct region r = region_huge(1, slow_node(), 1), half;
	size_t half_len = huge_size() / 2;
	struct child c;

	MUST(madvise(r.va, half_len, MADV_DONTFORK));
	half = r;
	half.nr_pages = 0;
	c = spawn(hold_region, &half);
	wait_for(&c);
	CHECK_EQ(phys_of_pid(c.pid, r.va), 0);
	CHECK_EQ(phys_of_pid(c.pid, r.va + half_len), phys_of(r.va + half_len));

	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), 0, NULL), -EACCES);
	CHECK_STATUS(move_one(region_phys(&r, 500), fast_node(), 0, NULL), -EACCES);
	region_expect_node(&r, slow_node());
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), MOVE_ALL, NULL), fast_node());
	CHECK_EQ(region_node(&r, 0), fast_node());
	CHECK_EQ(phys_of_pid(c.pid, r.va + half_len), phys_of(r.va + half_len));
	region_verify(&r);
	go_on(&c);
	child_end(&c);
}

/* The kernel may split it on the way; then each address answers for its own page. */
TEST(kinds, huge_partly_unmapped)
{
	struct region r = region_huge(1, slow_node(), 1);
	struct batch b = batch_of(&r, fast_node());
	struct counters before, after, d;
	size_t gone = r.nr_pages / 2;

	MUST(madvise(r.va, gone * page_size(), MADV_DONTNEED));
	if (door_present())
		counters_read(&before);
	batch_run(&b, 0);
	counters_read(&after);
	d = counters_diff(&after, &before);
	/* What was freed on the way has not moved. */
	CHECK_EQ(d.pair[slow_node()][fast_node()], batch_count(&b, fast_node()));
	for (size_t i = 0; i < r.nr_pages; i++) {
		int status = b.status[i];

		if (i < gone) {
			CHECK(status == fast_node() || status == -ENOENT || status == -ESRCH,
			      "unmapped page %zu: %s", i, status_name(status));
			continue;
		}
		CHECK_STATUS(status, fast_node());
		CHECK_EQ(b.new_pages[i], region_phys(&r, i));
		CHECK_EQ(region_node(&r, i), fast_node());
		CHECK_EQ(pattern_check(r.va + i * page_size(), r.tag, i), -1);
	}
	/* The part that was given back reads as zero, and is new memory. */
	for (size_t i = 0; i < gone * page_size(); i++)
		CHECK(r.va[i] == 0, "byte %zu of the part given back is %#x", i, r.va[i]);
}

/* A huge page of tmpfs, and one of its tails. */
TEST(kinds, huge_tmpfs)
{
	size_t size = huge_size();
	uint64_t new_phys;
	int fd;
	struct region r = region_tmpfs_huge(slow_node(), 1, &fd);

	CHECK_EQ(region_phys(&r, 5), region_phys(&r, 0) + 5 * page_size());
	CHECK_STATUS(move_one(region_phys(&r, 5), fast_node(), 0, &new_phys), fast_node());
	region_expect_node(&r, fast_node());
	CHECK_EQ(region_phys(&r, 5), new_phys);
	CHECK_EQ(region_phys(&r, 0) % size, 0);
	CHECK_EQ(kpageflags(region_phys(&r, 0)) >> KPF_THP & 1, 1);
	region_verify(&r);
}

/* ---- hugetlb --------------------------------------------------------- */

static void expect_pools(const struct hugetlb_pool *slow, const struct hugetlb_pool *fast)
{
	hugetlb_pool_expect(slow);
	hugetlb_pool_expect(fast);
}

TEST(kinds, hugetlb)
{
	struct hugetlb_pool slow = hugetlb_pool(slow_node(), 3), fast = hugetlb_pool(fast_node(), 2);
	struct region r = region_hugetlb(1, slow_node(), 1, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	uint64_t old = region_phys(&r, 0), new;
	struct batch b;

	/* By head, then by a tail, then by all. */
	CHECK_STATUS(move_one(old, fast_node(), 0, &new), fast_node());
	CHECK_EQ(region_phys(&r, 0), new);
	CHECK_EQ(node_of_phys(new), fast_node());
	region_verify(&r);
	expect_pools(&slow, &fast);

	CHECK_STATUS(move_one(new + 100 * page_size(), slow_node(), 0, &new), slow_node());
	CHECK_EQ(region_phys(&r, 100), new);
	CHECK_EQ(node_of_phys(new), slow_node());
	region_verify(&r);

	b = batch_of(&r, fast_node());
	batch_shuffle(&b, 3);
	old = region_phys(&r, 0);
	CHECK_EQ(batch_run(&b, 0), 0);
	new = region_phys(&r, 0);
	CHECK_EQ(new % huge_size(), 0);
	for (unsigned long i = 0; i < b.nr; i++)
		CHECK_EQ(b.new_pages[i] - new, b.pages[i] - old);
	region_expect_node(&r, fast_node());
	region_verify(&r);
	expect_pools(&slow, &fast);
}

/* Pages come from the target's pool, and from nowhere else. */
TEST(kinds, hugetlb_pool_empty)
{
	struct hugetlb_pool slow = hugetlb_pool(slow_node(), 3), fast = hugetlb_pool(fast_node(), 1);
	struct region r = region_hugetlb(2, slow_node(), 1, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct region small = region_anon(20, slow_node(), 2);
	const size_t each = huge_size() / page_size();
	struct batch b = { 0 };
	uint64_t stays;

	write_restored("/proc/sys/vm/nr_overcommit_hugepages", "4", NULL);
	batch_add(&b, region_phys(&r, 0), fast_node());
	batch_add(&b, region_phys(&r, each), fast_node());
	batch_add(&b, region_phys(&r, 1), fast_node());
	for (size_t i = 0; i < small.nr_pages; i++)
		batch_add(&b, region_phys(&small, i), fast_node());
	CHECK_EQ(batch_run(&b, 0), 1);
	/* That says nothing about room for others. */
	region_expect_node(&small, fast_node());
	CHECK_STATUS(b.status[0], fast_node());
	CHECK_STATUS(b.status[1], -ENOMEM);
	CHECK_STATUS(b.status[2], fast_node());
	stays = region_phys(&r, each);
	CHECK_EQ(stays, b.pages[1]);
	expect_pools(&slow, &fast);
	/* Nor does reclaim bring a page into the pool. */
	CHECK_STATUS(move_one(stays, fast_node(), MPP_MF_RECLAIM, NULL), -ENOMEM);
	CHECK_EQ(region_phys(&r, each), stays);
	region_verify(&r);
	expect_pools(&slow, &fast);
}

/* A pool page that another mapping has reserved is not there for the taking. */
TEST(kinds, hugetlb_reserved)
{
	struct hugetlb_pool slow = hugetlb_pool(slow_node(), 1), fast = hugetlb_pool(fast_node(), 1);
	struct region r = region_hugetlb(1, slow_node(), 1, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct region owner = { .nr_pages = r.nr_pages, .tag = 2 };

	owner.va = must_mmap(huge_size(), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), 0, NULL), -ENOMEM);
	region_expect_node(&r, slow_node());
	region_fill(&owner);
	region_verify(&owner);
	region_verify(&r);
	expect_pools(&slow, &fast);
}

TEST(kinds, hugetlb_shared)
{
	struct hugetlb_pool slow = hugetlb_pool(slow_node(), 2), fast = hugetlb_pool(fast_node(), 2);
	struct region r = region_hugetlb(1, slow_node(), 1, MAP_SHARED | MAP_ANONYMOUS, -1);
	struct child c = spawn(hugetlb_look, &r);
	uint64_t old = region_phys(&r, 0);

	wait_for(&c);
	CHECK_STATUS(move_one(old, fast_node(), 0, NULL), -EACCES);
	CHECK_EQ(region_phys(&r, 0), old);
	CHECK_STATUS(move_one(old, fast_node(), MOVE_ALL, NULL), fast_node());
	CHECK_EQ(phys_of_pid(c.pid, r.va), region_phys(&r, 0));
	region_verify(&r);
	go_on(&c);
	child_end(&c);
	expect_pools(&slow, &fast);
}

TEST(kinds, hugetlb_unmapped)
{
	struct hugetlb_pool slow = hugetlb_pool(slow_node(), 2), fast = hugetlb_pool(fast_node(), 2);
	int fd = hugetlb_memfd();
	struct region r = region_hugetlb(1, slow_node(), 1, MAP_SHARED, fd);
	uint64_t old = region_phys(&r, 0), new;

	region_unmap(&r);
	CHECK_STATUS(move_one(old, fast_node(), MOVE_ALL, NULL), -ESRCH);
	CHECK_STATUS(move_one(old + 7 * page_size(), fast_node(), MPP_MF_UNMAPPED, &new),
		     fast_node());
	r.va = must_mmap(huge_size(), PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	CHECK_EQ(region_phys(&r, 7), new);
	region_expect_node(&r, fast_node());
	region_verify(&r);
	expect_pools(&slow, &fast);
}

/* A page of the pool that nobody has is no user's page. */
TEST(kinds, hugetlb_free)
{
	struct hugetlb_pool slow = hugetlb_pool(slow_node(), 1);
	struct region r = region_hugetlb(1, slow_node(), 1, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	uint64_t phys = region_phys(&r, 0);

	region_unmap(&r);
	CHECK_STATUS(move_one(phys, fast_node(), MPP_MF_UNMAPPED, NULL), -ENOENT);
	CHECK_STATUS(move_one(phys + page_size(), fast_node(), 0, NULL), -ENOENT);
	CHECK_STATUS(query_one(phys, 0), -ENOENT);
	hugetlb_pool_expect(&slow);
}

/* Above the size of a PMD the kernel cannot move them. */
TEST(kinds, hugetlb_gigantic)
{
	struct region r = region_gigantic(slow_node());
	uint64_t phys = region_phys(&r, 0);

	CHECK_STATUS(move_one(phys, fast_node(), 0, NULL), -EOPNOTSUPP);
	CHECK_STATUS(move_one(phys + 5 * page_size(), fast_node(), 0, NULL), -EOPNOTSUPP);
	CHECK_EQ(region_phys(&r, 0), phys);
}
