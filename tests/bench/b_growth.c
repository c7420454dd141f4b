// SPDX-License-Identifier: GPL-2.0-only
/* The same 64 pages, while the machine around them grows. */
#include "bench.h"

#include "reverse.h"

#define NR_PAGES 64

struct elsewhere {
	size_t nr_pages;	/* that each of the others maps */
};

/* On the slow node, so that the fast one keeps room for what is moved there. */
static void other(struct child *me, void *arg)
{
	const struct elsewhere *e = arg;

	place_anon(e->nr_pages, slow_node());
	child_sync(me);
}

/* Tells where its pages are, then does nothing any more. */
static void owner(struct child *me, void *arg)
{
	struct place place = place_anon(NR_PAGES, slow_node());

	(void)arg;
	me->shared[0] = (uintptr_t)place.va;
	child_sync(me);
}

static void take(struct job *job, const struct child *c, int target)
{
	for (unsigned long i = 0; i < job->nr; i++) {
		job->va[i] = (void *)(uintptr_t)(c->shared[0] + i * page_size());
		job->phys[i] = phys_of_pid(c->pid, job->va[i]);
		job->nodes[i] = target;
		CHECK(job->phys[i], "a page of the owner is not present");
	}
	job->pid = c->pid;
}

static void bring_back(struct job *job, const struct child *c)
{
	take(job, c, slow_node());
	CHECK_EQ(way_move_pages.move(job), 0);
	lru_settle();
}

static uint64_t measure(const char *name, const struct way *way, const struct child *c,
			unsigned int runs)
{
	struct job job = job_new(NR_PAGES, MPOL_MF_MOVE);
	uint64_t count = 0;

	for (unsigned int run = 0; run < runs + 1; run++) {
		bring_back(&job, c);
		take(&job, c, fast_node());
		count = bench_move(way, &job);
		for (unsigned long i = 0; i < job.nr; i++)
			CHECK_STATUS(job.status[i], fast_node());
		/* The first fills caches; of what takes minutes it is the only one. */
		if (run || !runs)
			bench_run(name, way->name, NR_PAGES, NR_PAGES, count);
	}
	job_free(&job);
	return count;
}

/*
 * At how many pages a call the better of the bulk searches costs a tenth more than the
 * call does: @search is what it costs before it moves its first page.
 */
static void tell_catching_up(const char *name, double search, double call, double move_pages)
{
	double allowed = 1.1 * call / NR_PAGES - move_pages / NR_PAGES;
	char fact[96];

	snprintf(fact, sizeof(fact), "%s/reverse-within-a-tenth-of-the-call", name);
	if (allowed > 0)
		bench_fact(fact, search / allowed, "pages a call");
	snprintf(fact, sizeof(fact), "%s/reverse-search", name);
	bench_fact(fact, search, "instructions, whatever the number of pages");
	snprintf(fact, sizeof(fact), "%s/reverse-memory", name);
	bench_fact(fact, reverse_bytes(NR_PAGES), "bytes");
}

/* What the harness shares with one process is not to be in all later ones, to be searched there. */
static struct child start(void (*fn)(struct child *me, void *arg), void *arg)
{
	struct child c = spawn(fn, arg);

	MUST(madvise((void *)c.shared, page_size(), MADV_DONTFORK));
	wait_for(&c);
	return c;
}

static void grow(unsigned int nr_others, unsigned int mib)
{
	struct elsewhere e = { .nr_pages = ((size_t)mib << 20) / page_size() / nr_others };
	struct child *others = calloc(nr_others, sizeof(*others)), own = { 0 };
	uint64_t call, known, scan, query;
	char name[32];

	CHECK(others, "out of memory");
	/* In the midst of the others: a search that ends early finds it half way. */
	for (unsigned int i = 0; i < nr_others; i++) {
		if (i == nr_others / 2)
			own = start(owner, NULL);
		others[i] = start(other, &e);
	}
	snprintf(name, sizeof(name), "growth/%ux%u", nr_others, mib);
	call = measure(name, &way_call, &own, bench_runs());
	known = measure(name, &way_move_pages, &own, bench_runs());
	scan = measure(name, &way_reverse_scan, &own, 1);
	query = measure(name, &way_reverse_query, &own, 1);
	measure(name, &way_reverse_plain, &own, 0);
	tell_catching_up(name, (scan < query ? scan : query) - known, call, known);
	go_on(&own);
	child_end(&own);
	for (unsigned int i = 0; i < nr_others; i++) {
		go_on(&others[i]);
		child_end(&others[i]);
	}
}

TEST(growth, small, .limit_s = 600)
{
	grow(10, 100);
}

TEST(growth, medium, .limit_s = 1800)
{
	grow(100, 1024);
}

TEST(growth, large, .limit_s = 3600)
{
	grow(1000, 4096);
}
