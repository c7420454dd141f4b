// SPDX-License-Identifier: GPL-2.0-only
/* Where the cost of a call goes. */
#include "bench.h"

#include "profile.h"

#define SAMPLED 320	/* in all runs together */

/* ---- By leaving parts out ---------------------------------------------- */

static long move_dry_run(struct job *job)
{
	job->flags |= MPP_MF_DRY_RUN;
	return way_call.move(job);
}

static long move_query(struct job *job)
{
	int *nodes = job->nodes;
	long ret;

	job->nodes = NULL;
	ret = way_call.move(job);
	job->nodes = nodes;
	return ret;
}

static const struct way way_dry_run = { "call-dry-run", move_dry_run };
static const struct way way_query = { "call-query", move_query };

/*
 * A query finds the pages and answers; a dry run also asks every mapping; the rest
 * of a move is isolation, unmapping, copying, mapping and the LRU.
 */
TEST(where, 512)
{
	static const struct way *const ways[] = { &way_call, &way_dry_run, &way_query, NULL };
	struct place place = place_anon(512, slow_node());

	place_restore(&place, MPOL_MF_MOVE);
	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		for (const struct way *const *way = ways; *way; way++) {
			struct job job = job_new(512, MPOL_MF_MOVE);
			uint64_t count;

			job_take(&job, &place, 0, fast_node());
			count = bench_move(*way, &job);
			CHECK_STATUS(job.status[511], *way == &way_query ? slow_node() : fast_node());
			if (run)
				bench_run("where/512", (*way)->name, 512, 512, count);
			job_free(&job);
			place_restore(&place, MPOL_MF_MOVE);
		}
	}
}

/* ---- By sampling --------------------------------------------------------- */

/*
 * Sampled calls give the shares, calls without samples what they are shares of: the
 * interrupt that takes a sample is in neither.
 */
static void tell(const char *name, const struct way *way, const struct profile *profile,
		 unsigned long nr, double per_page)
{
	char text[96];

	CHECK_GE(profile->total, 1000);
	for (int phase = 0; phase < NR_PHASES; phase++) {
		snprintf(text, sizeof(text), "%s/%s", name, phase_names[phase]);
		bench_run(text, way->name, nr, 1,
			  per_page * profile->nr_samples[phase] / profile->total);
	}
	snprintf(text, sizeof(text), "%s/total", name);
	bench_run(text, way->name, nr, 1, per_page);
	printf("# not in the table of phases:");
	for (unsigned long i = 0; i < profile->nr_others && i < ARRAY_SIZE(profile->others); i++)
		printf(" %s", profile->others[i]);
	printf("\n");
}

/* Every @step-th page of the place is named, to the end. */
static void name_pages(struct job *job, const struct place *place, unsigned long step, int target)
{
	for (unsigned long i = 0; i < job->nr; i++) {
		job->va[i] = place->va + i * step * page_size();
		job->phys[i] = phys_of(job->va[i]);
		job->nodes[i] = target;
	}
}

/* All of the job, @n entries a call. */
static uint64_t move_by(const struct way *way, const struct job *job, unsigned long n)
{
	uint64_t count = 0;

	for (unsigned long i = 0; i < job->nr; i += n) {
		struct job part = {
			.nr = n, .phys = job->phys + i, .va = job->va + i,
			.nodes = job->nodes + i, .status = job->status + i, .flags = job->flags,
		};

		count += bench_move(way, &part);
	}
	return count;
}

/* Moves the pages and brings them back; returns what the first took. */
static uint64_t move_and_back(const struct way *way, struct job *job, const struct place *place,
			      unsigned long step, unsigned long n, struct profile *profile)
{
	uint64_t count;

	name_pages(job, place, step, fast_node());
	if (profile)
		profile_start();
	count = move_by(way, job, n);
	if (profile)
		profile_stop(profile);
	CHECK_STATUS(job->status[job->nr - 1], fast_node());
	name_pages(job, place, step, place->node);
	CHECK_EQ(way_move_pages.move(job), 0);
	lru_settle();
	return count;
}

/* @n: entries of a call; 0 for all that are named. */
static void profile_way(const char *name, const struct way *way, const struct place *place,
			unsigned long step, unsigned long n)
{
	struct job job = job_new(place->nr_pages / step, MPOL_MF_MOVE);

	n = n ?: job.nr;
	/* The first time fills caches. */
	move_and_back(way, &job, place, step, n, NULL);
	for (unsigned int run = 0; run < bench_runs(); run++) {
		uint64_t count = move_and_back(way, &job, place, step, n, NULL);
		struct profile profile = { 0 };

		for (unsigned int i = 0; i < SAMPLED / bench_runs(); i++)
			move_and_back(way, &job, place, step, n, &profile);
		tell(name, way, &profile, n, (double)count / job.nr);
	}
	job_free(&job);
}

TEST(where, sampled, .limit_s = 900)
{
	struct place place = place_anon(512, slow_node());

	place_restore(&place, MPOL_MF_MOVE);
	profile_way("where-4K", &way_call, &place, 1, 0);
	profile_way("where-4K", &way_move_pages, &place, 1, 0);
}

/*
 * What a call costs besides the page that it moves.  Not by move_pages(2), which here
 * waits for threads that drain the LRU batches: these are not this process.
 */
TEST(where, sampled_single, .limit_s = 900)
{
	struct place place = place_anon(512, slow_node());

	place_restore(&place, MPOL_MF_MOVE);
	profile_way("where-single", &way_call, &place, 1, 1);
}

TEST(where, sampled_huge, .limit_s = 900)
{
	struct region r = region_huge(4, slow_node(), 1);
	struct place place = { .va = r.va, .nr_pages = r.nr_pages, .node = slow_node() };

	profile_way("where-2M", &way_call, &place, huge_size() / page_size(), 0);
	profile_way("where-2M", &way_move_pages, &place, huge_size() / page_size(), 0);
}
