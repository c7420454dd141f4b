// SPDX-License-Identifier: GPL-2.0-only
/* The same 64 pages, while the machine around them grows. */
#include "bench.h"

#include "reverse.h"

#define NR_PAGES 64

struct elsewhere {
	size_t nr_pages;	/* that each of the others maps */
	struct place owned;	/* by the one process whose pages are moved; shared with it */
};

static void other(struct child *me, void *arg)
{
	const struct elsewhere *e = arg;
	unsigned char *va = must_mmap(e->nr_pages * page_size(), PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(va, e->nr_pages * page_size(), MADV_NOHUGEPAGE);
	for (size_t i = 0; i < e->nr_pages; i++)
		*(volatile unsigned char *)(va + i * page_size()) = 1;
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

/* At how many pages a call the search is a tenth of the cost and no more. */
static void tell_catching_up(const char *name, uint64_t bulk, uint64_t known)
{
	char fact[64];

	snprintf(fact, sizeof(fact), "%s-bulk-within-a-tenth", name);
	bench_fact(fact, (double)(bulk - known) * 10 / ((double)known / NR_PAGES), "pages a call");
}

static void grow(unsigned int nr_others, unsigned int mib)
{
	struct elsewhere e = { .nr_pages = ((size_t)mib << 20) / page_size() / nr_others };
	struct child *others = calloc(nr_others, sizeof(*others)), own = { 0 };
	uint64_t known, bulk;
	char name[32];

	CHECK(others, "out of memory");
	/* In the midst of the others: a search that ends early finds it half way. */
	for (unsigned int i = 0; i < nr_others; i++) {
		if (i == nr_others / 2) {
			own = spawn(owner, NULL);
			wait_for(&own);
		}
		others[i] = spawn(other, &e);
		wait_for(&others[i]);
	}
	snprintf(name, sizeof(name), "growth/%ux%u", nr_others, mib);
	measure(name, &way_call, &own, bench_runs());
	known = measure(name, &way_move_pages, &own, bench_runs());
	bulk = measure(name, &way_reverse_bulk, &own, 1);
	measure(name, &way_reverse_plain, &own, 0);
	tell_catching_up(name, bulk, known);
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
	if (bench_quick())
		SKIP("only in the full run: it takes minutes");
	grow(100, 1024);
}

TEST(growth, large, .limit_s = 3600)
{
	if (bench_quick())
		SKIP("only in the full run: it takes minutes");
	grow(1000, 4096);
}
