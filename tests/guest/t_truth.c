// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a call says is what became of each entry: over the borders of batches,
 * for duplicates, in the new addresses and in the counters.
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "h_disk.h"
#include "h_hugetlb.h"

#define MOVE_ALL (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)

/* Which page of which region each entry names: entries are shuffled together with it. */
struct named {
	const struct region *r;
	size_t page;
};

struct plan {
	struct batch b;
	struct named *named;
};

static void plan_add(struct plan *p, const struct region *r, size_t page, int node)
{
	batch_add(&p->b, region_phys(r, page), node);
	p->named = realloc(p->named, p->b.room * sizeof(*p->named));
	CHECK(p->named, "out of memory");
	p->named[p->b.nr - 1] = (struct named){ r, page };
}

static void plan_swap(struct plan *p, unsigned long i, unsigned long j)
{
	struct named named = p->named[i];
	uint64_t page = p->b.pages[i];
	int node = p->b.nodes[i];

	p->named[i] = p->named[j];
	p->b.pages[i] = p->b.pages[j];
	p->b.nodes[i] = p->b.nodes[j];
	p->named[j] = named;
	p->b.pages[j] = page;
	p->b.nodes[j] = node;
}

static void plan_shuffle(struct plan *p, unsigned int seed)
{
	srand(seed);
	for (unsigned long i = p->b.nr; i > 1; i--)
		plan_swap(p, i - 1, rand() % i);
}

/* After the call: each entry's new address is where pagemap has its page. */
static void plan_verify(const struct plan *p)
{
	for (unsigned long i = 0; i < p->b.nr; i++) {
		const struct region *r = p->named[i].r;
		size_t page = p->named[i].page;
		uint64_t phys = region_phys(r, page);
		int node = region_node(r, page);

		CHECK(p->b.new_pages[i] == phys,
		      "entry %lu (page %zu, was at %#llx): new_pages is %#llx, pagemap says %#llx",
		      i, page, (unsigned long long)p->b.pages[i],
		      (unsigned long long)p->b.new_pages[i], (unsigned long long)phys);
		CHECK(p->b.status[i] == node, "entry %lu (page %zu): %s, move_pages(2) says %s", i,
		      page, status_name(p->b.status[i]), status_name(node));
		CHECK(node_of_phys(phys) == node, "entry %lu: node %d by memory block, %d", i,
		      node_of_phys(phys), node);
	}
}

static void plan_free(struct plan *p)
{
	batch_free(&p->b);
	free(p->named);
	p->named = NULL;
}

/* Two regions change places, in one call over several batches. */
TEST(truth, every_entry)
{
	struct region a = region_anon(1500, slow_node(), 1), c = region_anon(1500, fast_node(), 2);
	struct plan p = { 0 };

	for (size_t i = 0; i < a.nr_pages; i++) {
		plan_add(&p, &a, i, fast_node());
		plan_add(&p, &c, i, slow_node());
	}
	plan_shuffle(&p, 11);
	CHECK_EQ(batch_run(&p.b, 0), 0);
	plan_verify(&p);
	region_expect_node(&a, fast_node());
	region_expect_node(&c, slow_node());
	region_verify(&a);
	region_verify(&c);
	plan_free(&p);
}

/* A third of the pages is there already; the targets alternate. */
TEST(truth, moved_and_already)
{
	struct region a = region_anon(700, slow_node(), 1), c = region_anon(700, fast_node(), 2);
	struct plan p = { 0 };

	for (size_t i = 0; i < a.nr_pages; i++) {
		plan_add(&p, &a, i, i % 3 ? fast_node() : slow_node());
		plan_add(&p, &c, i, i % 3 ? slow_node() : fast_node());
	}
	plan_shuffle(&p, 5);
	CHECK_EQ(batch_run(&p.b, 0), 0);
	plan_verify(&p);
	for (unsigned long i = 0; i < p.b.nr; i++)
		CHECK_EQ(p.b.new_pages[i] == p.b.pages[i], p.named[i].page % 3 == 0);
	region_verify(&a);
	region_verify(&c);
	plan_free(&p);
}

/* Each page four times, anywhere in the call: moved once, one answer for all four. */
TEST(truth, duplicates_across_batches)
{
	const size_t nr = 1000;
	struct region r = region_anon(nr, slow_node(), 1);
	long long migrated;
	struct plan p = { 0 };

	for (int again = 0; again < 4; again++)
		for (size_t i = 0; i < nr; i++)
			plan_add(&p, &r, i, fast_node());
	plan_shuffle(&p, 99);
	migrated = vmstat("pgmigrate_success");
	CHECK_EQ(batch_run(&p.b, 0), 0);
	CHECK_EQ(vmstat("pgmigrate_success") - migrated, nr);
	plan_verify(&p);
	region_expect_node(&r, fast_node());
	region_verify(&r);
	plan_free(&p);
}

/* A huge page named in every batch of a long call moves once. */
TEST(truth, huge_across_batches)
{
	struct region small = region_anon(2000, slow_node(), 1), huge = region_huge(1, slow_node(), 2);
	long long moved = vmstat("thp_migration_success");
	struct plan p = { 0 };

	for (size_t i = 0; i < small.nr_pages; i++) {
		plan_add(&p, &small, i, fast_node());
		if (i % 8 == 0)
			plan_add(&p, &huge, (i * 37) % huge.nr_pages, fast_node());
	}
	CHECK_EQ(batch_run(&p.b, 0), 0);
	CHECK_EQ(vmstat("thp_migration_success") - moved, 1);
	plan_verify(&p);
	region_expect_node(&huge, fast_node());
	region_verify(&huge);
	region_verify(&small);
	CHECK_EQ(smaps_kb(huge.va, "AnonHugePages:"), (long long)(huge_size() / 1024));
	plan_free(&p);
}

/* Whether one of the first entries named the huge page that was there. */
static bool names_page_of(const struct batch *b, unsigned long nr, uint64_t phys)
{
	for (unsigned long i = 0; i < nr; i++)
		if (phys / huge_size() == b->pages[i] / huge_size())
			return true;
	return false;
}

/*
 * Huge pages make room for small ones, which take their frames: each old address still
 * answers for what the caller means by it.
 */
TEST(truth, frames_of_huge_reused, .limit_s = 180)
{
	const size_t nr_huge = 8, nr_small = 11500, step = huge_size() / page_size();
	struct region huge = region_huge(nr_huge, slow_node(), 1);
	struct region small = region_anon(nr_small, fast_node(), 2);
	struct batch b = { 0 };
	bool reused = false;
	long long spare;

	/* Fewer others are to be had there than the small ones need. */
	write_restored("/proc/sys/vm/percpu_pagelist_high_fraction", "10000", NULL);
	write_text("/proc/sys/vm/drop_caches", "3");
	write_text("/proc/sys/vm/compact_memory", "1");
	spare = node_vmstat(slow_node(), "nr_free_pages") - 10000;
	if (spare > 0)
		hugetlb_pool(slow_node(), spare / (long long)step);
	for (size_t i = 0; i < nr_huge; i++)
		batch_add(&b, region_phys(&huge, i * step), fast_node());
	for (size_t i = 0; i < nr_small; i++)
		batch_add(&b, region_phys(&small, i), slow_node());
	for (size_t i = 0; i < huge.nr_pages; i++)
		batch_add(&b, region_phys(&huge, i), fast_node());
	batch_run(&b, 0);
	for (size_t i = 0; i < huge.nr_pages; i++) {
		size_t entry = nr_huge + nr_small + i;

		CHECK(b.status[entry] == fast_node() && b.new_pages[entry] == region_phys(&huge, i),
		      "page %zu: %s", i, status_name(b.status[entry]));
	}
	region_verify(&huge);
	region_verify(&small);
	for (size_t i = nr_huge; i < nr_huge + nr_small && !reused; i++)
		reused = names_page_of(&b, nr_huge, b.new_pages[i]);
	if (!reused)
		SKIP("no frame of a huge page was taken again");
	batch_free(&b);
}

/*
 * Two regions change places, then the first is named again by its old
 * addresses.  Those frames may hold the second region by now: the answer comes
 * from what the call did, and nothing is moved back.
 */
TEST(truth, old_addresses_in_one_call)
{
	const size_t nr = 1200;
	struct region a = region_anon(nr, slow_node(), 1), c = region_anon(nr, fast_node(), 2);
	struct plan p = { 0 };

	for (size_t i = 0; i < nr; i++)
		plan_add(&p, &a, i, fast_node());
	for (size_t i = 0; i < nr; i++)
		plan_add(&p, &c, i, slow_node());
	for (size_t i = 0; i < nr; i++)
		plan_add(&p, &a, i, fast_node());
	CHECK_EQ(batch_run(&p.b, 0), 0);
	plan_verify(&p);
	region_expect_node(&a, fast_node());
	region_expect_node(&c, slow_node());
	region_verify(&a);
	region_verify(&c);
	plan_free(&p);
}

/* The same folio with two targets: the first entry decides, in its batch and in later ones. */
static void first_decides(const struct region *r, size_t distance)
{
	struct plan p = { 0 };
	size_t missed = 0;

	for (size_t i = 0; i < r->nr_pages; i++) {
		plan_add(&p, r, i, fast_node());
		if (i >= distance) {
			plan_add(&p, r, i - distance, slow_node());
			missed++;
		}
	}
	CHECK_EQ(batch_run(&p.b, 0), (long long)missed);
	batch_expect(&p.b, fast_node());
	plan_verify(&p);
	region_expect_node(r, fast_node());
	region_verify(r);
	plan_free(&p);
}

TEST(truth, first_target_decides)
{
	struct region r = region_anon(200, slow_node(), 1);

	first_decides(&r, 1);
}

static void touch_on_other_cpu(struct child *me, void *arg)
{
	const struct region *r = arg;

	pin_to_cpu(1);
	region_fill(r);
	child_sync(me);
}

/*
 * The first entry has to wait for a drain, of the processor that has the pages in a
 * batch: it decides all the same.
 */
TEST(truth, first_target_decides_fresh)
{
	struct region r = { .nr_pages = 3, .tag = 1 };
	struct plan p = { 0 };
	struct child c;

	pin_to_cpu(0);
	lru_settle();
	r.va = must_mmap(r.nr_pages * page_size(), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prefer_node(slow_node());
	c = spawn(touch_on_other_cpu, &r);
	prefer_node(-1);
	wait_for(&c);
	region_verify(&r);
	for (size_t i = 0; i < r.nr_pages; i++)
		plan_add(&p, &r, i, fast_node());
	for (size_t i = 0; i < r.nr_pages; i++)
		plan_add(&p, &r, i, slow_node());
	CHECK_EQ(batch_run(&p.b, MPOL_MF_MOVE_ALL), (long long)r.nr_pages);
	batch_expect(&p.b, fast_node());
	plan_verify(&p);
	plan_free(&p);
	go_on(&c);
	child_end(&c);
}

TEST(truth, first_target_decides_later)
{
	struct region r = region_anon(1500, slow_node(), 1);

	first_decides(&r, 1100);
}

TEST(truth, first_target_decides_huge)
{
	struct region r = region_huge(1, slow_node(), 1);
	struct batch b = { 0 };

	batch_add(&b, region_phys(&r, 17), fast_node());
	for (size_t i = 0; i < r.nr_pages; i++)
		batch_add(&b, region_phys(&r, i), i % 2 ? slow_node() : fast_node());
	CHECK_EQ(batch_run(&b, 0), (long long)r.nr_pages / 2);
	batch_expect(&b, fast_node());
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

/* The first entry decides also when it finds the page on its target. */
TEST(truth, first_target_already)
{
	struct region r = region_anon(1, slow_node(), 1);
	struct batch b = { 0 };

	batch_add(&b, region_phys(&r, 0), slow_node());
	batch_add(&b, region_phys(&r, 0), fast_node());
	CHECK_EQ(batch_run(&b, 0), 1);
	batch_expect(&b, slow_node());
	CHECK_EQ(region_phys(&r, 0), b.pages[0]);
}

TEST(truth, first_target_already_later)
{
	struct region r = region_anon(1, slow_node(), 1), huge = region_huge(1, slow_node(), 2);
	struct region between = region_anon(1200, slow_node(), 3);
	struct plan p = { 0 };

	plan_add(&p, &r, 0, slow_node());
	plan_add(&p, &huge, 40, slow_node());
	for (size_t i = 0; i < between.nr_pages; i++)
		plan_add(&p, &between, i, fast_node());
	plan_add(&p, &r, 0, fast_node());
	plan_add(&p, &huge, 400, fast_node());
	CHECK_EQ(batch_run(&p.b, 0), 2);
	plan_verify(&p);
	region_expect_node(&r, slow_node());
	region_expect_node(&huge, slow_node());
	plan_free(&p);
}

/*
 * Frames that pages moved into earlier in the call are named later in it, with
 * another target: what has moved once stays.  The frames to name are those that
 * were given back just before, which the allocator hands out first.
 */
TEST(truth, new_frames_named)
{
	struct region r = region_anon(1000, slow_node(), 1), given = region_anon(3000, fast_node(), 2);
	struct batch frames = batch_of(&given, slow_node()), b = { 0 };
	size_t again = 0;

	/* What is freed goes first to a CPU's own list. */
	pin_to_cpu(0);
	for (size_t i = 0; i < r.nr_pages; i++)
		batch_add(&b, region_phys(&r, i), fast_node());
	for (size_t i = 0; i < frames.nr; i++)
		batch_add(&b, frames.pages[i], slow_node());
	region_unmap(&given);
	batch_run(&b, 0);
	for (size_t i = 0; i < r.nr_pages; i++) {
		CHECK_STATUS(b.status[i], fast_node());
		for (size_t j = r.nr_pages; j < b.nr; j++)
			again += b.pages[j] == b.new_pages[i];
	}
	region_expect_node(&r, fast_node());
	region_verify(&r);
	CHECK(again > 0, "none of the frames given back was used");
}

TEST(truth, already)
{
	struct region r = region_anon(600, slow_node(), 1);
	long long migrated = vmstat("pgmigrate_success");
	struct batch b = batch_of(&r, slow_node());

	CHECK_EQ(batch_run(&b, 0), 0);
	batch_expect(&b, slow_node());
	CHECK_EQ(vmstat("pgmigrate_success"), migrated);
	for (size_t i = 0; i < r.nr_pages; i++) {
		CHECK_EQ(b.new_pages[i], b.pages[i]);
		CHECK_EQ(region_phys(&r, i), b.pages[i]);
	}
	region_verify(&r);
}

/* There and back, one page a call; new_pages is all that is needed to follow it. */
TEST(truth, follow_and_undo)
{
	struct region r = region_anon(1, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0), next;

	for (int i = 0; i < 40; i++) {
		int to = i % 2 ? slow_node() : fast_node();

		CHECK_STATUS(move_one(phys, to, 0, &next), to);
		CHECK_NE(next, phys);
		CHECK_EQ(region_phys(&r, 0), next);
		phys = next;
	}
	region_verify(&r);
}

/* Without MPP_MF_NEW_PAGES the sixth argument is not looked at. */
TEST(truth, new_pages_not_asked_for)
{
	struct region r = region_anon(4, slow_node(), 1);
	struct batch b = batch_of(&r, fast_node());

	CHECK_EQ(mpp(b.nr, b.pages, b.nodes, b.status, 0, (uint64_t *)8), 0);
	batch_expect(&b, fast_node());
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

/* ---- While somebody else migrates it ------------------------------------ */

enum { NR_HELD = 16 };	/* as many as a pipe takes */

static void try_to_move(struct child *me, void *arg)
{
	const struct region *r = arg;
	int nodes[NR_HELD], status[NR_HELD];
	const void *pages[NR_HELD];

	for (size_t i = 0; i < NR_HELD; i++) {
		pages[i] = r->va + i * page_size();
		nodes[i] = fast_node();
	}
	child_tell(me);
	while (!me->shared[0])
		MUST(syscall(SYS_move_pages, getppid(), (unsigned long)NR_HELD, pages, nodes,
			     status, MPOL_MF_MOVE_ALL));
}

/*
 * The pages are pinned, so each try ends where it began; but for a moment nobody maps them.
 * They are there all the while, which is what every answer must say.
 */
static void ask_while_tried(const struct region *r)
{
	struct iovec iov = { r->va, NR_HELD * page_size() };
	uint64_t phys[NR_HELD];
	int met = 0, status, fd[2];
	long long end;
	struct child c;

	MUST(pipe(fd));
	CHECK_EQ(vmsplice(fd[1], &iov, 1, 0), (long long)iov.iov_len);
	for (size_t i = 0; i < NR_HELD; i++)
		phys[i] = region_phys(r, i);
	c = spawn(try_to_move, (void *)r);
	wait_for(&c);
	end = now_ms() + 10000;
	for (size_t i = 0; met < 20 && now_ms() < end; i++) {
		status = query_one(phys[i % NR_HELD], 0);
		met += status == -EAGAIN;
		CHECK(status == slow_node() || status == -EAGAIN, "query: status is %s",
		      status_name(status));
		status = move_one(phys[i % NR_HELD], fast_node(), MPP_MF_DRY_RUN | MOVE_ALL, NULL);
		CHECK(status == -EBUSY || status == -EAGAIN, "dry run: status is %s",
		      status_name(status));
	}
	c.shared[0] = 1;
	child_end(&c);
	for (size_t i = 0; i < NR_HELD; i++)
		CHECK_EQ(region_phys(r, i), phys[i]);
	region_verify(r);
	if (!met)
		SKIP("no page was met while it was unmapped");
}

TEST(truth, while_another_moves_it)
{
	struct region r = region_anon(NR_HELD, slow_node(), 1);

	ask_while_tried(&r);
}

TEST(truth, while_another_moves_a_file)
{
	struct region r = region_file(disk_file_new().fd, NR_HELD, slow_node(), 1, MAP_SHARED);

	ask_while_tried(&r);
}

/* ---- Query and dry run ------------------------------------------------ */

TEST(truth, query)
{
	struct region a = region_anon(700, slow_node(), 1), c = region_anon(700, fast_node(), 2);
	long long migrated;
	struct plan p = { 0 };

	for (size_t i = 0; i < a.nr_pages; i++) {
		plan_add(&p, &a, i, 0);
		plan_add(&p, &c, i, 0);
	}
	plan_shuffle(&p, 3);
	migrated = vmstat("pgmigrate_success");
	CHECK_EQ(batch_query(&p.b, 0), 0);
	plan_verify(&p);
	CHECK_EQ(vmstat("pgmigrate_success"), migrated);
	plan_free(&p);
}

static void share_region(struct child *me, void *arg)
{
	(void)arg;
	child_sync(me);
}

/* Whom a page belongs to does not matter to a query; nor is a target asked for. */
TEST(truth, query_of_shared)
{
	struct region r = region_anon(4, slow_node(), 1);
	struct child c = spawn(share_region, &r);
	struct batch b;

	wait_for(&c);
	b = batch_of(&r, 0);
	CHECK_EQ(batch_query(&b, 0), 0);
	batch_expect(&b, slow_node());
	go_on(&c);
	child_end(&c);
}

TEST(truth, dry_run)
{
	struct region r = region_anon(600, slow_node(), 1), huge = region_huge(1, slow_node(), 2);
	long long migrated;
	struct plan p = { 0 };

	for (size_t i = 0; i < r.nr_pages; i++)
		plan_add(&p, &r, i, fast_node());
	for (size_t i = 0; i < huge.nr_pages; i += 100)
		plan_add(&p, &huge, i, fast_node());
	plan_add(&p, &r, 0, slow_node());
	migrated = vmstat("pgmigrate_success");
	batch_run(&p.b, MPP_MF_DRY_RUN);
	CHECK_EQ(vmstat("pgmigrate_success"), migrated);
	for (unsigned long i = 0; i + 1 < p.b.nr; i++)
		CHECK_STATUS(p.b.status[i], fast_node());
	for (unsigned long i = 0; i < p.b.nr; i++)
		CHECK_EQ(region_phys(p.named[i].r, p.named[i].page), p.b.pages[i]);
	region_expect_node(&r, slow_node());
	region_expect_node(&huge, slow_node());
	plan_free(&p);
}

/* The checks of a dry run are those of a move. */
TEST(truth, dry_run_refuses)
{
	struct region r = region_anon(4, slow_node(), 1);
	struct child c = spawn(share_region, &r);
	struct batch b;

	wait_for(&c);
	b = batch_of(&r, fast_node());
	CHECK_EQ(batch_run(&b, MPP_MF_DRY_RUN), (long long)b.nr);
	batch_expect(&b, -EACCES);
	CHECK_EQ(batch_run(&b, MPP_MF_DRY_RUN | MOVE_ALL), 0);
	batch_expect(&b, fast_node());
	region_expect_node(&r, slow_node());
	go_on(&c);
	child_end(&c);
}

/* ---- Counters --------------------------------------------------------- */

/* One call with entries of many outcomes, each a known number of times. */
struct mixture {
	struct region moving, here, shared, cache, stay;
	struct child sharer;
	struct batch b;
};

enum { NR_MOVING = 700, NR_HERE = 50, NR_SHARED = 30, NR_CACHE = 20, NR_BAD = 10, NR_ABSENT = 40 };

static void mixture_make(struct mixture *m)
{
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));

	m->shared = region_anon(NR_SHARED, slow_node(), 1);
	m->sharer = spawn(share_region, NULL);
	wait_for(&m->sharer);
	m->moving = region_anon(NR_MOVING, slow_node(), 2);
	m->here = region_anon(NR_HERE, fast_node(), 3);
	m->stay = region_anon(NR_BAD, slow_node(), 4);
	m->cache = region_file(fd, NR_CACHE, slow_node(), 5, MAP_SHARED);
	for (size_t i = 0; i < NR_MOVING; i++) {
		batch_add(&m->b, region_phys(&m->moving, i), fast_node());
		if (i < NR_HERE)
			batch_add(&m->b, region_phys(&m->here, i), fast_node());
		if (i < NR_SHARED)
			batch_add(&m->b, region_phys(&m->shared, i), fast_node());
		if (i < NR_CACHE)
			batch_add(&m->b, region_phys(&m->cache, i), fast_node());
		if (i < NR_BAD)
			batch_add(&m->b, region_phys(&m->stay, i), -1);
		if (i < NR_ABSENT)
			batch_add(&m->b, UINT64_MAX - i * page_size(), fast_node());
	}
	batch_shuffle(&m->b, 8);
	region_unmap(&m->cache);
}

static void mixture_free(struct mixture *m)
{
	region_verify(&m->moving);
	region_verify(&m->here);
	region_verify(&m->shared);
	region_verify(&m->stay);
	go_on(&m->sharer);
	child_end(&m->sharer);
	batch_free(&m->b);
}

static void expect_rise(const struct counters *after, const struct counters *before,
			const char *name, long long want)
{
	long long got = counter(after, name) - counter(before, name);

	CHECK(got == want, "counter %s rose by %lld, expected %lld", name, got, want);
}

static void expect_total(const struct counters *after, const struct counters *before,
			 long long want)
{
	struct counters d = counters_diff(after, before);

	CHECK_EQ(counters_total(&d), want);
}

/* What every kind of call says of the entries that are refused. */
static void expect_refusals(const struct counters *after, const struct counters *before)
{
	expect_rise(after, before, "already", NR_HERE);
	expect_rise(after, before, "shared", NR_SHARED);
	expect_rise(after, before, "unmapped", NR_CACHE);
	expect_rise(after, before, "bad_node", NR_BAD);
	expect_rise(after, before, "absent", NR_ABSENT);
}

static void expect_statuses(const struct batch *b)
{
	CHECK_EQ(batch_count(b, fast_node()), NR_MOVING + NR_HERE);
	CHECK_EQ(batch_count(b, -EACCES), NR_SHARED);
	CHECK_EQ(batch_count(b, -ESRCH), NR_CACHE);
	CHECK_EQ(batch_count(b, -ENODEV), NR_BAD);
	CHECK_EQ(batch_count(b, -ENXIO), NR_ABSENT);
}

TEST(truth, counters_of_moves)
{
	struct counters before, after, d;
	struct mixture m = { 0 };

	mixture_make(&m);
	if (door_present())
		counters_read(&before);
	batch_run(&m.b, 0);
	counters_read(&after);
	expect_statuses(&m.b);
	expect_rise(&after, &before, "moved", NR_MOVING);
	expect_refusals(&after, &before);
	expect_total(&after, &before, m.b.nr);
	d = counters_diff(&after, &before);
	for (int src = 0; src < MAX_NODES; src++)
		for (int dst = 0; dst < MAX_NODES; dst++) {
			bool way = src == slow_node() && dst == fast_node();

			CHECK(d.pair[src][dst] == (way ? NR_MOVING : 0),
			      "node pair %d %d rose by %lld", src, dst, d.pair[src][dst]);
		}
	mixture_free(&m);
}

TEST(truth, counters_of_dry_runs)
{
	struct counters before, after, moves_before, moves_after;
	struct mixture m = { 0 };

	mixture_make(&m);
	if (door_present()) {
		counters_read(&moves_before);
		counters_read_dry_run(&before);
	}
	batch_run(&m.b, MPP_MF_DRY_RUN);
	counters_read_dry_run(&after);
	counters_read(&moves_after);
	expect_statuses(&m.b);
	expect_rise(&after, &before, "would_move", NR_MOVING);
	expect_refusals(&after, &before);
	expect_total(&after, &before, m.b.nr);
	CHECK(!memcmp(&moves_before, &moves_after, sizeof(moves_after)),
	      "a dry run is counted as a move");
	mixture_free(&m);
}

TEST(truth, counters_of_queries)
{
	struct counters before, after, moves_before, moves_after;
	struct mixture m = { 0 };

	mixture_make(&m);
	if (door_present()) {
		counters_read(&moves_before);
		counters_read_query(&before);
	}
	batch_query(&m.b, 0);
	counters_read_query(&after);
	counters_read(&moves_after);
	expect_rise(&after, &before, "found", NR_MOVING + NR_HERE + NR_SHARED + NR_BAD);
	expect_rise(&after, &before, "unmapped", NR_CACHE);
	expect_rise(&after, &before, "absent", NR_ABSENT);
	expect_total(&after, &before, m.b.nr);
	CHECK(!memcmp(&moves_before, &moves_after, sizeof(moves_after)),
	      "a query is counted as a move");
	mixture_free(&m);
}

/* Node pairs count pages: a huge page is 512 of them, however often it is named. */
TEST(truth, counters_of_huge)
{
	struct region r = region_huge(1, slow_node(), 1);
	struct counters before, after, d;
	struct batch b = { 0 };

	for (size_t i = 0; i < 10; i++)
		batch_add(&b, region_phys(&r, i * 3), fast_node());
	if (door_present())
		counters_read(&before);
	CHECK_EQ(batch_run(&b, 0), 0);
	counters_read(&after);
	d = counters_diff(&after, &before);
	CHECK_EQ(d.pair[slow_node()][fast_node()], r.nr_pages);
	CHECK_EQ(counters_total(&d), 10);
}

/* Not every refusal can be told apart by its errno: the counters can. */
TEST(truth, counters_of_no_user)
{
	volatile unsigned char *zero = must_mmap(page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
						 -1, 0);
	struct counters before, after;

	CHECK_EQ(*zero, 0);
	if (door_present())
		counters_read(&before);
	CHECK_STATUS(move_one(phys_of((void *)zero), fast_node(), 0, NULL), -EFAULT);
	CHECK_STATUS(move_one(page_size(), fast_node(), 0, NULL), -ENOENT);
	counters_read(&after);
	expect_rise(&after, &before, "zero_page", 1);
	expect_rise(&after, &before, "not_user", 1);
	expect_total(&after, &before, 2);
}
