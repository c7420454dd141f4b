// SPDX-License-Identifier: GPL-2.0-only
/*
 * A batch asks together what many of its pages have in common: a process once, an
 * anon_vma once, what VMAs of a file say once for all that are alike.  None of
 * that may let a page go that somebody would hold back, nor hold back another.
 */
#include "harness.h"

#include <sys/syscall.h>

#include "h_disk.h"
#include "h_hugetlb.h"

#define NR_PAGES 16

/* Every page of the batch below @nr_free moves, and every other is refused with @why. */
static void expect_split(struct region *r, size_t nr_free, int why)
{
	struct batch b = batch_of(r, fast_node());

	batch_run(&b, MPOL_MF_MOVE_ALL);
	for (size_t i = 0; i < r->nr_pages; i++)
		CHECK_STATUS(b.status[i], i < nr_free ? fast_node() : why);
	region_verify(r);
	batch_free(&b);
}

/* Two VMAs of one anon_vma: what the first allows is not the second's to grant. */
TEST(together, one_vma_refuses)
{
	struct region r = region_anon(NR_PAGES, slow_node(), 1);
	size_t half = NR_PAGES / 2;

	lru_settle();
	bind_range(r.va + half * page_size(), half * page_size(), slow_node());
	expect_split(&r, half, -EPERM);
}

/* Maps what it was born with, and allocates on one node only. */
static void bound_sharer(struct child *me, void *arg)
{
	const struct region *r = arg;

	/* Its own copies of the first pages: those of the parent are none of its business. */
	for (size_t i = 0; r->nr_pages == NR_PAGES && i < NR_PAGES / 2; i++)
		*(volatile unsigned char *)(r->va + i * page_size()) = 1;
	prefer_node(slow_node());
	child_sync(me);
}

/* A process that would refuse hangs on the anon_vma of pages that it does not map. */
TEST(together, one_process_refuses_its_own)
{
	struct region r = region_anon(NR_PAGES, slow_node(), 1);
	struct child c = spawn(bound_sharer, &r);

	wait_for(&c);
	lru_settle();
	expect_split(&r, NR_PAGES / 2, -EPERM);
	go_on(&c);
	child_end(&c);
}

static void sharer(struct child *me, void *arg)
{
	(void)arg;
	child_sync(me);
}

/* More processes than a call first has places for: one of them refuses. */
TEST(together, one_of_many_refuses)
{
	enum { NR_SHARERS = 100 };
	struct region r = region_anon(1, slow_node(), 1);
	struct child many[NR_SHARERS], one;

	for (int i = 0; i < NR_SHARERS; i++) {
		many[i] = spawn(sharer, NULL);
		wait_for(&many[i]);
	}
	one = spawn(bound_sharer, &r);
	wait_for(&one);
	lru_settle();
	region_refused(&r, fast_node(), MPOL_MF_MOVE_ALL, -EPERM);
	go_on(&one);
	child_end(&one);
	region_move(&r, fast_node(), MPOL_MF_MOVE_ALL);
	for (int i = 0; i < NR_SHARERS; i++) {
		go_on(&many[i]);
		child_end(&many[i]);
	}
}

/*
 * A file whose second half is bound, by its offsets: the policy is set through a
 * mapping that is gone again, so no VMA has one of its own.
 */
static int half_bound_file(void)
{
	size_t len = NR_PAGES * page_size();
	int fd = MUST(syscall(SYS_memfd_create, "together", 0U));
	unsigned char *va;

	MUST(ftruncate(fd, len));
	va = must_mmap(len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	bind_range(va + len / 2, len / 2, slow_node());
	MUST(munmap(va, len));
	return fd;
}

static void expect_half_bound(int map_flags)
{
	struct region r = region_file(half_bound_file(), NR_PAGES, slow_node(), 1, map_flags);

	region_expect_node(&r, slow_node());
	lru_settle();
	expect_split(&r, NR_PAGES / 2, -EPERM);
}

TEST(together, file_policy_by_offset)
{
	expect_half_bound(MAP_SHARED);
}

/* The copies of a private mapping are anonymous, and still ask the file's policy. */
TEST(together, file_policy_of_private_copies)
{
	expect_half_bound(MAP_PRIVATE);
}

/* Mapped three times, and the policy is that of the second mapping alone. */
TEST(together, policy_of_one_mapping_of_a_file)
{
	struct disk_file f = disk_file_new();
	struct region r = region_file(f.fd, NR_PAGES, slow_node(), 1, MAP_SHARED);
	size_t len = NR_PAGES * page_size();
	struct region bound = r, third = r;

	bound.va = must_mmap(len, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	third.va = must_mmap(len, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	region_verify(&bound);
	region_verify(&third);
	bind_range(bound.va, len, slow_node());
	lru_settle();
	region_refused(&r, fast_node(), MPOL_MF_MOVE, -EPERM);
	region_unmap(&bound);
	region_move(&r, fast_node(), MPOL_MF_MOVE);
}

/* Bound, and asked first, but nobody has touched it: the page is none of its business. */
TEST(together, policy_of_a_mapping_without_pages)
{
	struct disk_file f = disk_file_new();
	size_t len = NR_PAGES * page_size();
	struct region r;

	MUST(ftruncate(f.fd, len));
	bind_range(must_mmap(len, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0), len, slow_node());
	r = region_file(f.fd, NR_PAGES, slow_node(), 1, MAP_SHARED);
	lru_settle();
	region_move(&r, fast_node(), MPOL_MF_MOVE);
}

/* Two processes map copies of a file's pages alike; the policy of one refuses. */
TEST(together, process_with_copies_of_a_file_refuses)
{
	struct region r = region_file(disk_file_new().fd, 1, slow_node(), 1, MAP_PRIVATE);
	struct child c = spawn(bound_sharer, &r);

	wait_for(&c);
	lru_settle();
	region_refused(&r, fast_node(), MPOL_MF_MOVE_ALL, -EPERM);
	go_on(&c);
	child_end(&c);
	region_move(&r, fast_node(), MPOL_MF_MOVE_ALL);
}

/*
 * Who maps but the second half of a huge page is told another policy than who maps
 * it whole, and was here first.
 */
TEST(together, file_policy_within_huge_page)
{
	int fd;
	struct region r = region_tmpfs_huge(slow_node(), 1, &fd);
	size_t half = r.nr_pages / 2 * page_size();
	unsigned char *va = must_mmap(half, PROT_READ | PROT_WRITE, MAP_SHARED, fd, half);
	struct batch b = { 0 };

	bind_range(va, half, slow_node());
	MUST(munmap(va, half));
	va = must_mmap(half, PROT_READ | PROT_WRITE, MAP_SHARED, fd, half);
	CHECK_EQ(phys_of(r.va + half), region_phys(&r, 0) + half);
	CHECK_EQ(va[0], r.va[half]);
	batch_add(&b, region_phys(&r, 0), fast_node());
	batch_run(&b, MPOL_MF_MOVE);
	CHECK_STATUS(b.status[0], -EPERM);
	MUST(munmap(va, half));
	batch_run(&b, MPOL_MF_MOVE);
	CHECK_STATUS(b.status[0], fast_node());
	region_verify(&r);
	batch_free(&b);
}
