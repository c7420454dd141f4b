// SPDX-License-Identifier: GPL-2.0-only
/* Huge pages, named by their first page, by another one, and by all of their pages. */
#include "bench.h"

#define NR_HUGE 8

/* Which pages of each huge page a call names. */
struct naming {
	const char *name;
	unsigned long first, nr, step;
};

static size_t pages_of_huge(void)
{
	return huge_size() / page_size();
}

static struct job name_pages(const struct region *r, const struct naming *naming)
{
	struct job job = job_new(NR_HUGE * naming->nr, MPOL_MF_MOVE);
	unsigned long at = 0;

	for (size_t huge = 0; huge < NR_HUGE; huge++) {
		for (unsigned long i = 0; i < naming->nr; i++, at++) {
			size_t page = huge * pages_of_huge() + naming->first + i * naming->step;

			job.va[at] = r->va + page * page_size();
			job.phys[at] = region_phys(r, page);
			job.nodes[at] = fast_node();
		}
	}
	return job;
}

static void move_back(const struct region *r)
{
	struct naming heads = { .nr = 1 };
	struct job job = name_pages(r, &heads);

	for (unsigned long i = 0; i < job.nr; i++)
		job.nodes[i] = slow_node();
	CHECK_EQ(way_move_pages.move(&job), 0);
	job_free(&job);
	lru_settle();
}

static void huge_named(struct naming naming)
{
	static const struct way *const ways[] = { &way_call, &way_move_pages, NULL };
	struct region r = region_huge(NR_HUGE, slow_node(), 1);

	move_back(&r);
	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		for (const struct way *const *way = ways; *way; way++) {
			struct job job = name_pages(&r, &naming);
			uint64_t count = bench_move(*way, &job);

			for (unsigned long i = 0; i < job.nr; i += naming.nr)
				CHECK_STATUS(job.status[i], fast_node());
			if (run)
				bench_run(naming.name, (*way)->name, job.nr, NR_HUGE, count);
			move_back(&r);
			job_free(&job);
		}
	}
	CHECK_EQ(smaps_kb(r.va, "AnonHugePages:") * 1024, (long long)(NR_HUGE * huge_size()));
}

TEST(huge, head, .limit_s = 300)
{
	huge_named((struct naming){ "huge/head", .first = 0, .nr = 1 });
}

/* move_pages(2) finds a huge page by any address in it too. */
TEST(huge, tail, .limit_s = 300)
{
	huge_named((struct naming){ "huge/tail", .first = pages_of_huge() - 3, .nr = 1 });
}

TEST(huge, all, .limit_s = 600)
{
	huge_named((struct naming){ "huge/all", .nr = pages_of_huge(), .step = 1 });
}
