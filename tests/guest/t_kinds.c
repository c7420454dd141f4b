// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kinds of small pages that move: private, shared, locked, merged, of files
 * and of swap.
 */
#include "harness.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <linux/kernel-page-flags.h>

#include "h_disk.h"

#define MOVE_ALL (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)

static bool page_has(uint64_t phys, int flag)
{
	return kpageflags(phys) >> flag & 1;
}

/* There, written to, and back. */
static void move_both_ways(struct region *r, int flags)
{
	region_move(r, fast_node(), flags);
	r->tag++;
	region_fill(r);
	region_expect_node(r, fast_node());
	region_move(r, slow_node(), flags);
}

TEST(kinds, anon)
{
	struct region r = region_anon(64, slow_node(), 1);

	move_both_ways(&r, MPOL_MF_MOVE);
	move_both_ways(&r, 0);
}

/* Any byte of the page names it, and the new address names the same byte. */
TEST(kinds, anon_any_byte)
{
	struct region r = region_anon(1, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0), new_phys;

	CHECK_STATUS(move_one(phys + 1234, fast_node(), 0, &new_phys), fast_node());
	CHECK_EQ(new_phys, region_phys(&r, 0) + 1234);
	phys = region_phys(&r, 0);
	CHECK_STATUS(move_one(phys + page_size() - 1, slow_node(), 0, &new_phys), slow_node());
	CHECK_EQ(new_phys, region_phys(&r, 0) + page_size() - 1);
	region_expect_node(&r, slow_node());
	region_verify(&r);
}

static void touch_on_cpu1(struct child *me, void *arg)
{
	struct region *r = arg;

	pin_to_cpu(1);
	lru_settle();
	*r = region_anon(3, slow_node(), 5);
	me->shared[0] = (uintptr_t)r->va;
	child_sync(me);
	region_expect_node(r, fast_node());
	region_verify(r);
}

/* Freshly touched pages wait in a batch of the CPU that touched them. */
TEST(kinds, anon_fresh_on_other_cpu)
{
	struct region r = { 0 };
	struct batch b = { 0 };
	struct child c;

	pin_to_cpu(0);
	c = spawn(touch_on_cpu1, &r);
	wait_for(&c);
	for (size_t i = 0; i < 3; i++)
		batch_add(&b, phys_of_pid(c.pid, (char *)(uintptr_t)c.shared[0] + i * page_size()),
			  fast_node());
	batch_run(&b, 0);
	batch_expect(&b, fast_node());
	go_on(&c);
	child_end(&c);
}

TEST(kinds, anon_fresh_on_this_cpu)
{
	struct region r;

	pin_to_cpu(0);
	lru_settle();
	r = region_anon(2, slow_node(), 5);
	region_move(&r, fast_node(), 0);
}

/* What has moved is on the LRU again, not in a batch: the next mover need not drain. */
TEST(kinds, anon_on_lru_after)
{
	struct region r;

	pin_to_cpu(0);
	r = region_anon(4, slow_node(), 5);
	region_move(&r, fast_node(), 0);
	for (size_t i = 0; i < r.nr_pages; i++)
		CHECK(page_has(region_phys(&r, i), KPF_LRU), "page %zu", i);
}

/* ---- Shared ---------------------------------------------------------- */

static void verify_on_fast(struct child *me, void *arg)
{
	struct region *r = arg;

	/* Shared memory is only mapped here once it is looked at. */
	region_verify(r);
	child_sync(me);
	region_expect_node(r, fast_node());
	region_verify(r);
	for (size_t i = 0; i < r->nr_pages; i++)
		me->shared[i] = region_phys(r, i);
	child_sync(me);
}

/* A region that a child shares: refused without MOVE_ALL, moved for both with it. */
static void move_shared(struct region *r)
{
	struct child c = spawn(verify_on_fast, r);

	wait_for(&c);
	for (size_t i = 0; i < r->nr_pages; i++)
		CHECK_EQ(phys_of_pid(c.pid, r->va + i * page_size()), region_phys(r, i));
	region_refused(r, fast_node(), 0, -EACCES);
	region_refused(r, fast_node(), MPOL_MF_MOVE, -EACCES);
	region_move(r, fast_node(), MOVE_ALL);
	go_on(&c);
	wait_for(&c);
	for (size_t i = 0; i < r->nr_pages; i++)
		CHECK_EQ(c.shared[i], region_phys(r, i));
	region_move(r, slow_node(), MPOL_MF_MOVE_ALL);
	go_on(&c);
	child_end(&c);
}

TEST(kinds, fork_shared)
{
	struct region r = region_anon(32, slow_node(), 1);

	move_shared(&r);
}

/* When the other process is gone, the page is one process's again. */
TEST(kinds, fork_shared_no_more)
{
	struct region r = region_anon(8, slow_node(), 1);
	struct child c = spawn(verify_on_fast, &r);

	wait_for(&c);
	region_refused(&r, fast_node(), 0, -EACCES);
	MUST(kill(c.pid, SIGKILL));
	MUST(waitpid(c.pid, NULL, 0));
	region_move(&r, fast_node(), 0);
}

static void break_cow(struct child *me, void *arg)
{
	struct region *r = arg;

	r->tag = 2;
	region_fill(r);
	child_sync(me);
	region_verify(r);
}

/* A child that has its own copy no longer shares, though its VMA can still be found. */
TEST(kinds, cow_broken)
{
	struct region r = region_anon(16, slow_node(), 1);
	struct child c = spawn(break_cow, &r);

	wait_for(&c);
	region_move(&r, fast_node(), 0);
	go_on(&c);
	child_end(&c);
}

TEST(kinds, shared_memory)
{
	struct region r;
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));

	r = region_file(fd, 32, slow_node(), 1, MAP_SHARED);
	move_both_ways(&r, MPOL_MF_MOVE);
	move_shared(&r);
}

/* Two mappings of one process are not two processes. */
TEST(kinds, mapped_twice_by_one_process)
{
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = region_file(fd, 8, slow_node(), 1, MAP_SHARED), twin = r;

	twin.va = must_mmap(8 * page_size(), PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	CHECK_EQ(region_phys(&twin, 3), region_phys(&r, 3));
	region_move(&r, fast_node(), MPOL_MF_MOVE);
	region_expect_node(&twin, fast_node());
	CHECK_EQ(region_phys(&twin, 3), region_phys(&r, 3));
	region_verify(&twin);
}

static void hold_mapping(struct child *me, void *arg)
{
	(void)arg;
	child_sync(me);
}

/*
 * Nor is a process one of those that map a page when it could, but has not
 * looked at it yet.
 */
TEST(kinds, mapped_by_one_mappable_by_two)
{
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = region_file(fd, 4, slow_node(), 1, MAP_SHARED), twin = r;
	struct child c;

	twin.va = must_mmap(4 * page_size(), PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	c = spawn(hold_mapping, NULL);
	wait_for(&c);
	CHECK_EQ(phys_of_pid(c.pid, r.va), 0);
	CHECK_EQ(kpagecount(region_phys(&r, 0)), 2);
	region_move(&r, fast_node(), MPOL_MF_MOVE);
	region_verify(&twin);
	go_on(&c);
	child_end(&c);
}

TEST(kinds, mlocked)
{
	long long kb = 16 * page_size() / 1024;
	struct region r;

	/* mlock() drains the batches of the CPU it ends on. */
	pin_to_cpu(0);
	r = region_anon(16, slow_node(), 1);
	MUST(mlock(r.va, 16 * page_size()));
	CHECK(page_has(region_phys(&r, 0), KPF_UNEVICTABLE));
	move_both_ways(&r, MPOL_MF_MOVE);
	CHECK_EQ(smaps_kb(r.va, "Locked:"), kb);
	CHECK(page_has(region_phys(&r, 0), KPF_UNEVICTABLE));
}

/* ---- KSM ------------------------------------------------------------- */

#define KSM "/sys/kernel/mm/ksm/"

static void ksm_start(void)
{
	if (!exists(KSM "run"))
		SKIP("this kernel has no KSM");
	write_restored(KSM "run", "1", NULL);
	write_restored(KSM "sleep_millisecs", "5", NULL);
	write_restored(KSM "pages_to_scan", "2000", NULL);
	if (exists(KSM "smart_scan"))
		write_restored(KSM "smart_scan", "0", NULL);
}

static bool merged(const struct region *a, const struct region *b)
{
	for (size_t i = 0; i < a->nr_pages; i++)
		if (phys_of(a->va + i * page_size()) != phys_of(b->va + i * page_size()))
			return false;
	return true;
}

TEST(kinds, ksm)
{
	const size_t nr = 8;
	struct region r = region_anon(nr, slow_node(), 1), twin;

	ksm_start();
	twin = region_anon(nr, slow_node(), 1);
	MUST(madvise(r.va, nr * page_size(), MADV_MERGEABLE));
	MUST(madvise(twin.va, nr * page_size(), MADV_MERGEABLE));
	for (int i = 0; i < 300 && !merged(&r, &twin); i++)
		nap_ms(50);
	CHECK(merged(&r, &twin), "KSM has not merged the pages within 15 s");
	CHECK(page_has(region_phys(&r, 0), KPF_KSM));
	/* Stable pages may have been copied to either node. */
	write_text(KSM "run", "0");
	lru_settle();
	for (size_t i = 0; i < nr; i++)
		move_one_patient(region_phys(&r, i), slow_node(), MOVE_ALL, NULL);
	region_expect_node(&r, slow_node());

	region_refused(&r, fast_node(), MPOL_MF_MOVE, -EACCES);
	region_move(&r, fast_node(), MOVE_ALL);
	region_expect_node(&twin, fast_node());
	region_verify(&twin);
	CHECK(merged(&r, &twin));
	CHECK(page_has(region_phys(&r, 0), KPF_KSM));
	/* One mapping left: nobody else is concerned. */
	region_unmap(&twin);
	region_move(&r, slow_node(), MPOL_MF_MOVE);
}

/* ---- Files ----------------------------------------------------------- */

static int tmpfs_file(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/file",
		 mount_at("tmpfs", "none", "tmpfs", "size=64m,huge=never"));
	return MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

TEST(kinds, tmpfs)
{
	struct region r = region_file(tmpfs_file(), 32, slow_node(), 1, MAP_SHARED);

	move_both_ways(&r, MPOL_MF_MOVE);
	move_shared(&r);
}

/* Reads the file from the disk, behind the cache, and compares. */
static void verify_on_disk(const struct disk_file *f, const struct region *r)
{
	size_t len = r->nr_pages * page_size();
	struct region copy = *r;
	int fd;

	MUST(fsync(f->fd));
	fd = MUST(open(f->path, O_RDONLY | O_DIRECT | O_CLOEXEC));
	copy.va = must_mmap(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(pread(fd, copy.va, len, 0), (long long)len);
	region_verify(&copy);
	region_unmap(&copy);
	close(fd);
}

TEST(kinds, ext4_clean)
{
	struct disk_file f = disk_file_new();
	struct region r = region_file(f.fd, 32, slow_node(), 1, MAP_SHARED);

	MUST(fsync(f.fd));
	CHECK(!page_has(region_phys(&r, 0), KPF_DIRTY));
	region_move(&r, fast_node(), MPOL_MF_MOVE);
	region_move(&r, slow_node(), MPOL_MF_MOVE);
	verify_on_disk(&f, &r);
}

TEST(kinds, ext4_dirty)
{
	struct disk_file f = disk_file_new();
	struct region r = region_file(f.fd, 32, slow_node(), 1, MAP_SHARED);

	MUST(fsync(f.fd));
	r.tag++;
	region_fill(&r);
	CHECK(page_has(region_phys(&r, 0), KPF_DIRTY));
	region_move(&r, fast_node(), MPOL_MF_MOVE);
	/* What was dirty still is, or has been written in the meantime: see the disk. */
	verify_on_disk(&f, &r);
	region_move(&r, slow_node(), MPOL_MF_MOVE);
}

static void read_on_cpu1(struct child *me, void *arg)
{
	const struct disk_file *f = arg;
	struct region r = { .nr_pages = 3, .tag = 1 };

	pin_to_cpu(1);
	lru_settle();
	prefer_node(slow_node());
	r.va = must_mmap(3 * page_size(), PROT_READ, MAP_SHARED | MAP_POPULATE, f->fd, 0);
	prefer_node(-1);
	for (size_t i = 0; i < 3; i++)
		me->shared[i] = region_phys(&r, i);
	child_sync(me);
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

/* Just read from the disk, and still in a batch of the CPU that read it. */
TEST(kinds, ext4_fresh_on_other_cpu)
{
	struct disk_file f = disk_file_new();
	struct region r = region_file(f.fd, 3, slow_node(), 1, MAP_SHARED);
	struct batch b = { 0 };
	struct child c;

	MUST(fsync(f.fd));
	region_unmap(&r);
	write_text("/proc/sys/vm/drop_caches", "1");
	pin_to_cpu(0);
	c = spawn(read_on_cpu1, &f);
	wait_for(&c);
	for (size_t i = 0; i < 3; i++)
		batch_add(&b, c.shared[i], fast_node());
	batch_run(&b, 0);
	batch_expect(&b, fast_node());
	go_on(&c);
	child_end(&c);
}

/* The addresses of a file's pages, which are then left to the cache alone. */
static void move_unmapped(int fd, struct region r)
{
	struct batch b = batch_of(&r, fast_node());

	region_unmap(&r);
	CHECK_EQ(batch_run(&b, MOVE_ALL), (long long)b.nr);
	batch_expect(&b, -ESRCH);
	CHECK_EQ(batch_query(&b, 0), (long long)b.nr);
	batch_expect(&b, -ESRCH);
	CHECK_EQ(batch_query(&b, MPP_MF_UNMAPPED), 0);
	batch_expect(&b, slow_node());

	batch_run(&b, MPP_MF_UNMAPPED);
	batch_expect(&b, fast_node());
	r.va = must_mmap(r.nr_pages * page_size(), PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	region_expect_node(&r, fast_node());
	region_verify(&r);
	for (size_t i = 0; i < r.nr_pages; i++)
		CHECK_EQ(region_phys(&r, i), b.new_pages[i]);
	batch_free(&b);
}

TEST(kinds, tmpfs_unmapped)
{
	int fd = tmpfs_file();

	move_unmapped(fd, region_file(fd, 32, slow_node(), 1, MAP_SHARED));
}

TEST(kinds, ext4_unmapped)
{
	struct disk_file f = disk_file_new();
	struct region r = region_file(f.fd, 32, slow_node(), 1, MAP_SHARED);

	MUST(fsync(f.fd));
	move_unmapped(f.fd, r);
	verify_on_disk(&f, &r);
}

static void touch_text(struct child *me, void *arg)
{
	const struct region *r = arg;

	for (size_t i = 0; i < r->nr_pages; i++)
		(void)*(volatile unsigned char *)(r->va + i * page_size());
	child_sync(me);
}

/* The text of this very program, in use by two processes. */
TEST(kinds, program_text)
{
	unsigned char *at = (unsigned char *)((uintptr_t)run_tests & -page_size());
	struct region r = { .va = at };
	struct child c;

	while (r.nr_pages < 4 && (pagemap_entry(0, at + r.nr_pages * page_size()) >> 63))
		r.nr_pages++;
	c = spawn(touch_text, &r);
	wait_for(&c);
	for (size_t i = 0; i < r.nr_pages; i++) {
		int to = region_node(&r, i) == fast_node() ? slow_node() : fast_node();
		uint64_t phys = region_phys(&r, i), new_phys;

		CHECK_EQ(phys_of_pid(c.pid, at + i * page_size()), phys);
		CHECK_STATUS(move_one(phys, to, MPOL_MF_MOVE, NULL), -EACCES);
		CHECK_STATUS(move_one(phys, to, MOVE_ALL, &new_phys), to);
		CHECK_EQ(region_phys(&r, i), new_phys);
		CHECK_EQ(region_node(&r, i), to);
	}
	/* This runs in the pages that have moved. */
	CHECK(exists("/proc/self/exe"));
	go_on(&c);
	child_end(&c);
}

/* ---- Swap cache ------------------------------------------------------ */

/*
 * The frames of swap cache that nobody maps: read ahead, found by their flags.
 * The first frame of the scan is the start of RAM; RAM below 16 GiB is enough.
 */
static struct batch unmapped_swap_cache(int node)
{
	const uint64_t want = 1ULL << KPF_SWAPCACHE | 1ULL << KPF_LRU;
	static uint64_t flags[4096];
	struct batch b = { 0 };
	int fd = MUST(open("/proc/kpageflags", O_RDONLY | O_CLOEXEC));
	uint64_t pfn = 0;
	ssize_t len;

	while ((len = read(fd, flags, sizeof(flags))) > 0) {
		for (size_t i = 0; i < len / sizeof(flags[0]); i++)
			if ((flags[i] & want) == want && kpagecount((pfn + i) * page_size()) == 0)
				batch_add(&b, (pfn + i) * page_size(), node);
		pfn += len / sizeof(flags[0]);
		if (pfn > (16ULL << 30) / page_size())
			break;
	}
	close(fd);
	return b;
}

TEST(kinds, swap_cache_unmapped)
{
	const size_t nr = 64;
	struct region r;
	struct batch b;

	swap_on_disk();
	r = region_anon(nr, slow_node(), 1);
	lru_settle();
	MUST(madvise(r.va, nr * page_size(), MADV_PAGEOUT));
	nap_ms(200);
	if (phys_of(r.va))
		SKIP("the kernel did not swap the pages out when asked to");
	/* Reads this page, and its neighbours ahead. */
	CHECK_EQ(pattern_check(r.va + nr / 2 * page_size(), r.tag, nr / 2), -1);
	lru_settle();
	b = unmapped_swap_cache(0);
	if (!b.nr)
		SKIP("the kernel keeps no unmapped swap cache for this device");
	batch_run(&b, MOVE_ALL);
	batch_expect(&b, -ESRCH);
	for (size_t i = 0; i < b.nr; i++)
		b.nodes[i] = node_of_phys(b.pages[i]) == fast_node() ? slow_node() : fast_node();
	CHECK_EQ(batch_run(&b, MPP_MF_UNMAPPED), 0);
	for (size_t i = 0; i < b.nr; i++)
		CHECK_EQ(node_of_phys(b.new_pages[i]), b.nodes[i]);
	region_verify(&r);
}
