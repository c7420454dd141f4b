// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sharp cases: each is here because a check of the core could be taken away (see
 * tests/mutants) without any other test taking notice.
 */
#include "harness.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <linux/io_uring.h>
#include <linux/kernel-page-flags.h>
#include <linux/perf_event.h>

#include "h_disk.h"
#include "h_hugetlb.h"

#define MOVE_ALL (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)
#define ANYTHING (MOVE_ALL | MPP_MF_UNMAPPED)
#define ABSENT UINT64_MAX

static bool page_has(uint64_t phys, int flag)
{
	return kpageflags(phys) >> flag & 1;
}

/* A pipe that holds the page, whatever becomes of the mapping. */
struct pipe {
	int fd[2];
};

static struct pipe pipe_holding(void *va)
{
	struct iovec iov = { va, page_size() };
	struct pipe p;

	MUST(pipe(p.fd));
	CHECK_EQ(vmsplice(p.fd[1], &iov, 1, 0), (long long)page_size());
	return p;
}

static void let_go(struct pipe *p)
{
	close(p->fd[0]);
	close(p->fd[1]);
}

static int other_node(int node)
{
	return node == fast_node() ? slow_node() : fast_node();
}

/* Entries that need no work, so that what follows is in another batch. */
static void another_batch(struct batch *b)
{
	for (int i = 0; i < 600; i++)
		batch_add(b, ABSENT, fast_node());
}

/* ---- Whose page it is ------------------------------------------------- */

/* A page of the kernel's is told from one that a user has just given back. */
TEST(sensitivity, not_user_counted)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	struct counters before, after, d;
	static uint64_t flags[4096];
	struct batch b = { 0 };
	uint64_t pfn = 256;

	if (fd < 0)
		SKIP("this kernel has no /proc/kpageflags");
	/* No flag at all: many of these are the kernel's own, the others are free. */
	while (b.nr < 2000 && pread(fd, flags, sizeof(flags), pfn * 8) == sizeof(flags)) {
		for (size_t i = 0; i < ARRAY_SIZE(flags) && b.nr < 2000; i++)
			if (!flags[i])
				batch_add(&b, (pfn + i) * page_size(), fast_node());
		pfn += ARRAY_SIZE(flags);
	}
	close(fd);
	if (!b.nr)
		SKIP("/proc/kpageflags shows no page without flags");
	if (door_present())
		counters_read(&before);
	batch_run(&b, 0);
	counters_read(&after);
	d = counters_diff(&after, &before);
	/* A few may have been taken by somebody in the meantime. */
	CHECK(counter(&d, "freed") < 20, "%lld of %lu pages of the kernel are called freed",
	      counter(&d, "freed"), b.nr);
	CHECK_GE(counter(&d, "not_user"), (long long)b.nr / 2);
	batch_free(&b);
}

TEST(sensitivity, held_after_unmap)
{
	struct region r = region_anon(1, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0);
	struct pipe p;

	lru_settle();
	p = pipe_holding(r.va);
	region_unmap(&r);
	CHECK_STATUS(move_one(phys, fast_node(), 0, NULL), -ENOENT);
	CHECK_STATUS(move_one(phys, fast_node(), ANYTHING, NULL), -ENOENT);
	CHECK_STATUS(query_one(phys, 0), -ENOENT);
	let_go(&p);
}

TEST(sensitivity, held_after_truncate)
{
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = region_file(fd, 1, slow_node(), 1, MAP_SHARED);
	uint64_t phys = region_phys(&r, 0);
	struct pipe p;

	lru_settle();
	p = pipe_holding(r.va);
	region_unmap(&r);
	MUST(ftruncate(fd, 0));
	CHECK_STATUS(move_one(phys, fast_node(), 0, NULL), -ENOENT);
	CHECK_STATUS(query_one(phys, 0), -ENOENT);
	CHECK_STATUS(move_one(phys, fast_node(), ANYTHING, NULL), -ENOENT);
	let_go(&p);
}

/* That it is on its target already makes nobody's cache no better. */
TEST(sensitivity, unmapped_on_target)
{
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = region_file(fd, 1, slow_node(), 1, MAP_SHARED);
	uint64_t phys = region_phys(&r, 0);

	lru_settle();
	region_unmap(&r);
	CHECK_STATUS(move_one(phys, slow_node(), MOVE_ALL, NULL), -ESRCH);
	CHECK_STATUS(move_one(phys, slow_node(), MPP_MF_UNMAPPED, NULL), slow_node());
}

/* ---- Who is asked ----------------------------------------------------- */

/* Every frame of anonymous memory there is. */
static struct batch anonymous_frames(int target)
{
	int fd = MUST(open("/proc/kpageflags", O_RDONLY | O_CLOEXEC));
	static uint64_t flags[4096];
	struct batch b = { 0 };
	uint64_t pfn = 0;
	ssize_t len;

	while ((len = read(fd, flags, sizeof(flags))) > 0) {
		for (size_t i = 0; i < len / sizeof(flags[0]); i++)
			if (flags[i] >> KPF_ANON & 1)
				batch_add(&b, (pfn + i) * page_size(), target);
		pfn += len / sizeof(flags[0]);
	}
	close(fd);
	return b;
}

/*
 * A private copy of device memory is an ordinary page, in a mapping that may not
 * migrate.  The pagemap does not show it: all anonymous memory is asked about.
 */
TEST(sensitivity, vma_not_migratable)
{
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	volatile unsigned char *va;
	uint64_t phys = 0;
	struct batch b;

	if (fd < 0)
		SKIP("/dev/mem: %s", strerror(errno));
	/* The firmware's read-only memory. */
	va = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0xf0000);
	if (va == MAP_FAILED)
		SKIP("/dev/mem cannot be mapped: %s", strerror(errno));
	prefer_node(slow_node());
	va[5] = 0x5a;
	prefer_node(-1);
	if (smaps_kb((void *)va, "Anonymous:") <= 0)
		SKIP("the kernel made no copy of its own");
	lru_settle();
	b = anonymous_frames(fast_node());
	batch_run(&b, MOVE_ALL | MPP_MF_DRY_RUN);
	for (unsigned long i = 0; i < b.nr; i++)
		if (b.status[i] == -EFAULT)
			phys = b.pages[i];
	CHECK(phys, "none of %lu anonymous pages has a mapping that may not migrate", b.nr);
	CHECK_EQ(batch_count(&b, -EFAULT), 1);
	CHECK_STATUS(move_one(phys, fast_node(), MOVE_ALL, NULL), -EFAULT);
	CHECK_EQ(va[5], 0x5a);
	batch_free(&b);
}

/* What a process says of one target it does not say of another. */
TEST(sensitivity, limit_for_each_node)
{
	struct region here = region_anon(1, slow_node(), 1), there = region_anon(1, fast_node(), 2);
	struct batch b = { 0 };

	lru_settle();
	prefer_node(slow_node());
	for (int i = 0; i < 2; i++) {
		batch_add(&b, region_phys(&here, 0), fast_node());
		batch_add(&b, region_phys(&there, 0), slow_node());
	}
	CHECK_EQ(batch_run(&b, 0), 2);
	prefer_node(-1);
	CHECK_STATUS(b.status[0], -EPERM);
	CHECK_STATUS(b.status[1], slow_node());
	CHECK_STATUS(b.status[2], -EPERM);
	CHECK_STATUS(b.status[3], slow_node());
	region_verify(&here);
	region_verify(&there);
}

/* Refused for one target, a page may still have another. */
TEST(sensitivity, refused_for_one_node)
{
	struct region r = region_anon(1, slow_node(), 1);
	struct batch b = { 0 };

	lru_settle();
	bind_range(r.va, page_size(), slow_node());
	batch_add(&b, region_phys(&r, 0), fast_node());
	batch_add(&b, region_phys(&r, 0), slow_node());
	CHECK_EQ(batch_run(&b, 0), 1);
	CHECK_STATUS(b.status[0], -EPERM);
	CHECK_STATUS(b.status[1], slow_node());
}

/*
 * Two processes that share a page table count as one mapping of a hugetlb page,
 * and share it all the same.
 */
TEST(sensitivity, hugetlb_shared_table)
{
	struct hugetlb_pool slow = hugetlb_pool(slow_node(), 1), fast = hugetlb_pool(fast_node(), 1);
	const size_t len = 1ul << 30;	/* only whole page tables are shared */
	int fd = hugetlb_memfd();
	struct region r = { .nr_pages = huge_size() / page_size(), .tag = 1 };
	struct child c;
	uint64_t phys;

	if (sizeof(void *) == 4)
		SKIP("no room for it in a 32-bit process");
	MUST(ftruncate(fd, len));
	r.va = must_mmap(2 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	r.va = (void *)(((uintptr_t)r.va + len - 1) & ~(len - 1));
	r.va = mmap(r.va, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
	CHECK(r.va != MAP_FAILED, "mmap: %s", strerror(errno));
	prefer_node(slow_node());
	region_fill(&r);
	prefer_node(-1);
	c = spawn(hugetlb_look, &r);
	wait_for(&c);
	phys = region_phys(&r, 0);
	CHECK_EQ(phys_of_pid(c.pid, r.va), phys);
	CHECK_STATUS(move_one(phys, fast_node(), MPOL_MF_MOVE, NULL), -EACCES);
	CHECK_STATUS(move_one(phys, fast_node(), MOVE_ALL, NULL), fast_node());
	/* The table is shared no more, and filled anew when it is used. */
	region_verify(&r);
	CHECK_EQ(node_of_phys(region_phys(&r, 0)), fast_node());
	go_on(&c);
	child_end(&c);
	hugetlb_pool_expect(&slow);
	hugetlb_pool_expect(&fast);
}

/* ---- Dry runs and later entries --------------------------------------- */

TEST(sensitivity, dry_run_first_decides)
{
	struct region r = region_anon(1, slow_node(), 1);
	struct batch b = { 0 };

	lru_settle();
	batch_add(&b, region_phys(&r, 0), fast_node());
	batch_add(&b, region_phys(&r, 0), slow_node());
	CHECK_EQ(batch_run(&b, MPP_MF_DRY_RUN), 1);
	batch_expect(&b, fast_node());
}

/* What waits in a per-CPU batch is known all the same, and would move. */
TEST(sensitivity, fresh_page_answers)
{
	struct region r;

	pin_to_cpu(0);
	lru_settle();
	r = region_anon(2, slow_node(), 1);
	CHECK(!page_has(region_phys(&r, 0), KPF_LRU), "the page is not in a batch");
	CHECK_STATUS(query_one(region_phys(&r, 0), 0), slow_node());
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), MPP_MF_DRY_RUN, NULL), fast_node());
	CHECK(!page_has(region_phys(&r, 0), KPF_LRU), "the batch was drained meanwhile");
}

TEST(sensitivity, counters_of_later_entries)
{
	struct region r = region_anon(1, slow_node(), 1), moves = region_anon(1, slow_node(), 2);
	struct counters before, after, d;
	struct batch b = { 0 };

	lru_settle();
	for (int i = 0; i < 3; i++) {
		batch_add(&b, region_phys(&r, 0), slow_node());
		batch_add(&b, region_phys(&moves, 0), fast_node());
		another_batch(&b);
	}
	if (door_present())
		counters_read(&before);
	batch_run(&b, 0);
	counters_read(&after);
	d = counters_diff(&after, &before);
	CHECK_EQ(counter(&d, "already"), 3);
	CHECK_EQ(counter(&d, "moved"), 3);
	CHECK_EQ(d.pair[slow_node()][fast_node()], 1);
}

/* More huge pages than are isolated at once, and the first named again after them. */
TEST(sensitivity, huge_named_in_each_round)
{
	const size_t nr_huge = 7;
	struct region r = region_huge(nr_huge, slow_node(), 1);
	const size_t each = r.nr_pages / nr_huge;
	struct batch b = { 0 };

	lru_settle();
	for (size_t i = 0; i < nr_huge; i++)
		batch_add(&b, region_phys(&r, i * each + 9), fast_node());
	batch_add(&b, region_phys(&r, 10), slow_node());
	CHECK_EQ(batch_run(&b, 0), 1);
	batch_expect(&b, fast_node());
	CHECK_EQ(b.new_pages[nr_huge], region_phys(&r, 10));
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

/*
 * A huge page that moves, then the first page of what was another and has been
 * split, then a neighbour of that one: it is a page of its own.
 */
TEST(sensitivity, record_of_split_page)
{
	struct region huge = region_huge(1, slow_node(), 1), split = region_huge(1, slow_node(), 2);
	struct batch b = { 0 };

	lru_settle();
	MUST(madvise(split.va + 511 * page_size(), page_size(), MADV_COLD));
	lru_settle();
	if (page_has(region_phys(&split, 0), KPF_THP) || region_phys(&split, 0) % huge_size())
		SKIP("the kernel did not split the huge page in its place");
	batch_add(&b, region_phys(&huge, 3), fast_node());
	batch_add(&b, region_phys(&split, 0), fast_node());
	another_batch(&b);
	batch_add(&b, region_phys(&split, 5), fast_node());
	CHECK_EQ(batch_run(&b, 0), 600);
	CHECK_STATUS(b.status[b.nr - 1], fast_node());
	CHECK_EQ(b.new_pages[b.nr - 1], region_phys(&split, 5));
	CHECK_EQ(region_node(&split, 5), fast_node());
	region_verify(&huge);
	region_verify(&split);
}

/* A target with the number of the error that it gets has not been reached. */
TEST(sensitivity, target_like_an_error)
{
	struct region r = region_anon(1, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0);
	int node = -ENODEV, status = STATUS_UNTOUCHED;

	CHECK_EQ(mpp(1, &phys, &node, &status, 0, NULL), 1);
	CHECK_STATUS(status, -ENODEV);
}

/* The kernel splits it on the way: its first page does not stand for the others. */
TEST(sensitivity, huge_tail_unmapped)
{
	struct region r = region_huge(1, slow_node(), 1);
	size_t half = r.nr_pages / 2;
	struct batch b;

	MUST(madvise(r.va + half * page_size(), half * page_size(), MADV_DONTNEED));
	r.nr_pages = half;
	b = batch_of(&r, fast_node());
	CHECK_EQ(batch_run(&b, 0), 0);
	for (size_t i = 0; i < half; i++)
		CHECK_EQ(b.new_pages[i], region_phys(&r, i));
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

/* ---- What migration cannot move --------------------------------------- */

/* References of hugetlb pages are only counted by migration itself. */
TEST(sensitivity, hugetlb_pinned)
{
	struct hugetlb_pool slow = hugetlb_pool(slow_node(), 1), fast = hugetlb_pool(fast_node(), 1);
	struct region r = region_hugetlb(1, slow_node(), 1, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	uint64_t phys = region_phys(&r, 0), new_phys;
	struct pipe p = pipe_holding(r.va + page_size());

	CHECK_STATUS(move_one(phys, fast_node(), 0, &new_phys), -EBUSY);
	CHECK_EQ(new_phys, phys);
	CHECK_EQ(region_phys(&r, 0), phys);
	region_verify(&r);
	hugetlb_pool_expect(&slow);
	hugetlb_pool_expect(&fast);
	let_go(&p);
	CHECK_STATUS(move_one(phys, fast_node(), 0, &new_phys), fast_node());
	CHECK_EQ(region_phys(&r, 0), new_phys);
	region_verify(&r);
}

/* A free page of the pool is not even touched: it would be freed a second time. */
TEST(sensitivity, hugetlb_free_untouched)
{
	const char *const file = "/sys/devices/system/node/node%d/hugepages/hugepages-%zukB/%s";
	struct region r;
	uint64_t phys;

	hugetlb_pool(slow_node(), 1);
	r = region_hugetlb(1, slow_node(), 1, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	phys = region_phys(&r, 0);
	region_unmap(&r);
	CHECK_EQ(read_number(file, slow_node(), huge_size() / 1024, "free_hugepages"), 1);
	CHECK_STATUS(move_one(phys, fast_node(), ANYTHING, NULL), -ENOENT);
	CHECK_EQ(read_number(file, slow_node(), huge_size() / 1024, "free_hugepages"), 1);
}

/* By how many pages a zone of the node is below its low watermark; DMA does not count. */
static long long below_low(int node)
{
	char *text = read_text("/proc/zoneinfo"), *line, *save, zone[32] = "";
	long long free_pages = 0, value, worst = LLONG_MIN;
	int at = -1;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "Node %d, zone %31s", &at, zone) == 2 || at != node ||
		    !strcmp(zone, "DMA"))
			continue;
		if (sscanf(line, " pages free %lld", &value) == 1)
			free_pages = value;
		else if (sscanf(line, " low %lld", &value) == 1 && value && value - free_pages > worst)
			worst = value - free_pages;
	}
	free(text);
	return worst;
}

/* Fills the fast node with pages of the slow one; what did not fit any more is in `rest`. */
static struct region fill_fast_node(struct batch *rest)
{
	const long long left = 14000;
	struct region r;
	struct batch b;
	long long spare;

	/* The low watermark some 2500 pages of 1 GiB above the last reserve. */
	write_restored("/proc/sys/vm/watermark_scale_factor", "100", NULL);
	/* What CPUs keep at hand does not count as free, and can be as much as that. */
	write_restored("/proc/sys/vm/percpu_pagelist_high_fraction", "10000", NULL);
	/* Nor is a mark raised, which wakes reclaim, for an allocation that took another's block. */
	write_restored("/proc/sys/vm/watermark_boost_factor", "0", NULL);
	write_text("/proc/sys/vm/drop_caches", "3");
	spare = node_vmstat(fast_node(), "nr_free_pages") - left;
	if (spare > 0)
		hugetlb_pool(fast_node(), spare * page_size() / huge_size());
	r = region_anon(left + 4000, slow_node(), 1);
	b = batch_of(&r, fast_node());
	CHECK(batch_run(&b, 0) > 0, "node %d does not fill", fast_node());
	for (size_t i = 0; i < r.nr_pages && rest->nr < 2000; i++)
		if (b.status[i] == -ENOMEM)
			batch_add(rest, region_phys(&r, i), fast_node());
	batch_free(&b);
	return r;
}

/*
 * Without MPP_MF_RECLAIM a target is not filled to the point where others are
 * reclaimed from.  With it, and nothing to reclaim, a page gets to its target or
 * stays: there is no third place.
 */
TEST(sensitivity, full_is_full, .limit_s = 180)
{
	struct batch rest = { 0 };
	struct region r = fill_fast_node(&rest);

	/* The test itself allocates meanwhile. */
	CHECK_LE(below_low(fast_node()), 1200);
	rest.nr = rest.nr > 200 ? 200 : rest.nr;
	batch_run(&rest, MPP_MF_RECLAIM);
	for (unsigned long i = 0; i < rest.nr; i++)
		CHECK(rest.status[i] == fast_node() || rest.status[i] == -ENOMEM,
		      "entry %lu: %s", i, status_name(rest.status[i]));
	region_verify(&r);
}

/* More than anybody else's reclaim would leave behind. */
TEST(sensitivity, reclaim_makes_room, .limit_s = 180)
{
	struct batch rest = { 0 };
	struct region r;

	swap_on_disk();
	r = fill_fast_node(&rest);
	CHECK_GE(rest.nr, 1000);
	batch_run(&rest, MPP_MF_RECLAIM);
	CHECK_EQ(batch_count(&rest, fast_node()), (long long)rest.nr);
	region_verify(&r);
}

/* An empty pool of hugetlb pages says nothing about room for other pages of that size. */
TEST(sensitivity, empty_pool_leaves_huge_pages)
{
	struct region huge = region_huge(1, slow_node(), 1), r;
	struct batch b = { 0 };

	hugetlb_pool(slow_node(), 1);
	hugetlb_pool(fast_node(), 0);
	r = region_hugetlb(1, slow_node(), 2, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	lru_settle();
	batch_add(&b, region_phys(&r, 0), fast_node());
	batch_add(&b, region_phys(&huge, 0), fast_node());
	CHECK_EQ(batch_run(&b, 0), 1);
	CHECK_STATUS(b.status[0], -ENOMEM);
	CHECK_STATUS(b.status[1], fast_node());
	region_expect_node(&huge, fast_node());
	region_verify(&huge);
	region_verify(&r);
}

/* Writeback is seen before the page is taken off the LRU, not when migration fails. */
TEST(sensitivity, writeback_seen_first)
{
	long long failed;
	struct child c;
	uint64_t phys = slow_writeback(&c, 512);

	failed = vmstat("pgmigrate_fail");
	CHECK_STATUS(move_one(phys, fast_node(), MOVE_ALL, NULL), -EAGAIN);
	CHECK(under_writeback(phys), "writeback ended too early to tell");
	CHECK_EQ(vmstat("pgmigrate_fail"), failed);
	slow_writeback_end(&c, -1, 0);
}

/* ---- What a call costs others ----------------------------------------- */

static char trace_dir[128];

static void tracefs(void)
{
	snprintf(trace_dir, sizeof(trace_dir), "%s", mount_at("tracefs", "none", "tracefs", NULL));
}

static void trace_clear(void)
{
	char path[224];

	snprintf(path, sizeof(path), "%s/trace", trace_dir);
	close(MUST(open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)));
}

static const char *trace_file(const char *name)
{
	static char path[4][224];
	static unsigned int turn;
	char *at = path[turn++ % 4];

	snprintf(at, sizeof(path[0]), "%s/%s", trace_dir, name);
	return at;
}

#define DRAINS "events/kprobes/mpp_drains/"

/* From here on, drains of all CPUs that this process asks for are counted. */
static void drains_watch(void)
{
	char filter[48];

	tracefs();
	if (!exists("%s", trace_file("kprobe_events")))
		SKIP("this kernel has no kprobe events to count drains with");
	if (!exists("%s", trace_file(DRAINS "enable")))
		write_text(trace_file("kprobe_events"), "p:mpp_drains lru_add_drain_all");
	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	write_text(trace_file(DRAINS "filter"), "%s", filter);
	trace_clear();
	write_restored(trace_file(DRAINS "enable"), "1", "0");
}

static int drains_seen(void)
{
	char *text = read_text("%s", trace_file("trace")), *at = text;
	int seen = 0;

	while ((at = strstr(at, "mpp_drains:"))) {
		at++;
		seen++;
	}
	free(text);
	return seen;
}

TEST(sensitivity, local_drain_first)
{
	struct region r;

	pin_to_cpu(0);
	lru_settle();
	drains_watch();
	r = region_anon(2, slow_node(), 1);
	CHECK(!page_has(region_phys(&r, 0), KPF_LRU), "the page is not in a batch");
	region_move(&r, fast_node(), 0);
	CHECK_EQ(drains_seen(), 0);
}

/* The page of a file system's super block: its buffer is in use all the time. */
static uint64_t busy_buffer(unsigned char **vap)
{
	const char *device;
	int fd;

	disk_file_on(&device);
	fd = MUST(open(device, O_RDONLY | O_CLOEXEC));
	*vap = must_mmap(page_size(), PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	lru_settle();
	return phys_of(*vap);
}

/* It passes every check and cannot be moved: it is tried again, for which nobody is drained. */
TEST(sensitivity, no_needless_drain)
{
	unsigned char *va;
	uint64_t phys = busy_buffer(&va), new_phys;
	int status, to = other_node(node_of_phys(phys));
	struct counters before, after, d;

	drains_watch();
	if (door_present())
		counters_read(&before);
	status = move_one(phys, to, MOVE_ALL, &new_phys);
	counters_read(&after);
	if (status == to)
		SKIP("this kernel moves buffers that are in use");
	CHECK(status == -EAGAIN || status == -EBUSY, "status is %s", status_name(status));
	d = counters_diff(&after, &before);
	CHECK_EQ(counter(&d, "not_isolated"), 0);
	CHECK_EQ(new_phys, phys);
	CHECK_EQ(phys_of(va), phys);
	CHECK_EQ(drains_seen(), 0);
}

/* A page that looks like a user's and is never on the LRU: no drain helps. */
static uint64_t never_on_lru(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0UL);
	volatile unsigned char *va;
	uint64_t phys;

	if (fd < 0)
		SKIP("this kernel has no perf events: %s", strerror(errno));
	va = must_mmap(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)*va;
	phys = phys_of((void *)va);
	if (!phys || !page_has(phys, KPF_MMAP))
		SKIP("this kernel maps no page of perf's that can be told from a user's");
	return phys;
}

TEST(sensitivity, one_drain_a_call)
{
	uint64_t phys = never_on_lru();
	int to = other_node(node_of_phys(phys));
	struct batch b = { 0 };

	for (int i = 0; i < 3; i++) {
		batch_add(&b, phys, to);
		another_batch(&b);
	}
	drains_watch();
	batch_run(&b, MOVE_ALL);
	CHECK_STATUS(b.status[0], -EBUSY);
	CHECK_STATUS(b.status[2 * 601], -EBUSY);
	CHECK_EQ(drains_seen(), 1);
}

TEST(sensitivity, dry_run_drains_nothing)
{
	uint64_t phys = never_on_lru();
	int to = other_node(node_of_phys(phys));

	drains_watch();
	CHECK_STATUS(move_one(phys, to, MOVE_ALL | MPP_MF_DRY_RUN, NULL), -EBUSY);
	CHECK_EQ(drains_seen(), 0);
	CHECK_STATUS(query_one(phys, 0), node_of_phys(phys));
	CHECK_EQ(drains_seen(), 0);
}

/* A held huge page can be told from one in a batch: there are none in batches. */
TEST(sensitivity, huge_pinned_drains_nobody)
{
	struct region r = region_huge(1, slow_node(), 1);
	struct pipe p;

	lru_settle();
	p = pipe_holding(r.va + page_size());
	drains_watch();
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), 0, NULL), -EBUSY);
	CHECK_EQ(drains_seen(), 0);
	let_go(&p);
}

/* Pinned as for direct I/O. */
TEST(sensitivity, dma_pinned_drains_nobody)
{
	struct region r = region_anon(1, slow_node(), 1);
	struct iovec iov = { r.va, page_size() };
	struct io_uring_params params = { 0 };
	int fd = syscall(SYS_io_uring_setup, 1, &params);

	if (fd < 0)
		SKIP("this kernel has no io_uring: %s", strerror(errno));
	lru_settle();
	MUST(syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1));
	drains_watch();
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), 0, NULL), -EBUSY);
	CHECK_EQ(drains_seen(), 0);
	close(fd);
}

/* After a drain it is certain that it is held. */
TEST(sensitivity, pinned_counted)
{
	struct region r = region_anon(1, slow_node(), 1);
	struct counters before, after, d;
	struct pipe p;

	lru_settle();
	p = pipe_holding(r.va);
	if (door_present())
		counters_read(&before);
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), 0, NULL), -EBUSY);
	counters_read(&after);
	d = counters_diff(&after, &before);
	CHECK_EQ(counter(&d, "pinned"), 1);
	CHECK_EQ(counters_total(&d), 1);
	let_go(&p);
}

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

/* Locks pages that are on the LRU by touching them: they wait in this CPU's batch of mlock. */
static void lock_on_cpu1(struct child *me, void *arg)
{
	int fd = *(int *)arg;
	struct region r = { .nr_pages = 3, .tag = 1 };

	pin_to_cpu(1);
	r.va = must_mmap(3 * page_size(), PROT_READ, MAP_SHARED, fd, 0);
	if (syscall(SYS_mlock2, r.va, 3 * page_size(), MLOCK_ONFAULT) < 0)
		SKIP("mlock2: %s", strerror(errno));
	region_verify(&r);
	child_sync(me);
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

TEST(sensitivity, mlocked_on_other_cpu)
{
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = region_file(fd, 3, slow_node(), 1, MAP_SHARED);
	struct batch b = batch_of(&r, fast_node());
	struct child c;

	pin_to_cpu(0);
	lru_settle();
	region_unmap(&r);
	c = spawn(lock_on_cpu1, &fd);
	wait_for(&c);
	batch_run(&b, 0);
	batch_expect(&b, fast_node());
	go_on(&c);
	child_end(&c);
}

/* What migrate_pages() is handed at once, by the kernel's own trace. */
TEST(sensitivity, batch_bytes)
{
	const size_t nr_huge = 9;
	struct region r = region_huge(nr_huge, slow_node(), 1);
	long long largest = 0, sum = 0;
	struct batch b = { 0 };
	char *text, *at;

	lru_settle();
	for (size_t i = 0; i < nr_huge; i++)
		batch_add(&b, region_phys(&r, i * (r.nr_pages / nr_huge)), fast_node());
	tracefs();
	if (!exists("%s", trace_file("events/migrate/mm_migrate_pages/enable")))
		SKIP("this kernel does not trace migration");
	write_restored(trace_file("events/migrate/mm_migrate_pages/enable"), "1", "0");
	trace_clear();
	CHECK_EQ(batch_run(&b, 0), 0);
	text = read_text("%s", trace_file("trace"));
	for (at = text; (at = strstr(at, " nr_thp_succeeded=")); at++) {
		long long nr = atoll(at + strlen(" nr_thp_succeeded="));

		sum += nr;
		largest = nr > largest ? nr : largest;
	}
	free(text);
	CHECK_EQ(sum, (long long)nr_huge);
	CHECK_LE(largest * (long long)huge_size(), 8 << 20);
}

/* ---- Who may look ----------------------------------------------------- */

TEST(sensitivity, counters_for_root_only)
{
	static const char *const name[] = { "outcome", "outcome_dry_run", "outcome_query",
					    "node_pairs" };
	struct stat st;
	char path[160];

	if (!door_present())
		SKIP("no door");
	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		snprintf(path, sizeof(path), "%s/%s", door_stats_dir(), name[i]);
		MUST(stat(path, &st));
		CHECK(st.st_uid == 0 && (st.st_mode & 0777) == 0400, "%s has mode %o of user %d",
		      path, st.st_mode & 0777, (int)st.st_uid);
	}
}
