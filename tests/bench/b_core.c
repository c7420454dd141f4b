// SPDX-License-Identifier: GPL-2.0-only
/* Small pages that one process maps: batches of every size, bad entries, two targets. */
#include "bench.h"
#include "h_disk.h"

static const struct way *const both[] = { &way_call, &way_move_pages, NULL };

/* A run of small calls covers this many pages, so that no cache's refill decides. */
#define SMALL_RUN 512

static void on_lru(unsigned long n)
{
	size_t nr_pages = n < SMALL_RUN ? SMALL_RUN : n;
	struct place place = place_anon(nr_pages, slow_node());
	char name[32];
	struct plan plan = {
		.name = name,
		.ways = both,
		.place = &place,
		.target = fast_node(),
		.flags = MPOL_MF_MOVE,
		.n = n,
		.calls = nr_pages / n,
	};

	snprintf(name, sizeof(name), "anon/%lu", n);
	place_restore(&place, MPOL_MF_MOVE);
	plan_run(&plan);
}

TEST(anon, 1, .limit_s = 300) { on_lru(1); }
TEST(anon, 8, .limit_s = 300) { on_lru(8); }
TEST(anon, 64, .limit_s = 300) { on_lru(64); }
TEST(anon, 512, .limit_s = 300) { on_lru(512); }
TEST(anon, 4096, .limit_s = 600) { on_lru(4096); }

TEST(anon, 65536, .limit_s = 1800)
{
	on_lru(65536);
}

/* ---- Every second entry bad ------------------------------------------ */

/* What stands at odd places: by address for the call, by virtual address for move_pages(2). */
static uint64_t bad_phys;
static void *bad_va;

static void spoil(struct plan *plan, struct job *job, const struct way *way)
{
	for (unsigned long i = 1; i < job->nr; i += 2) {
		job->phys[i] = bad_phys;
		job->va[i] = bad_va;
	}
	(void)plan;
	(void)way;
}

static void every_second_bad(const char *name)
{
	struct place place = place_anon(4096, slow_node());
	struct plan plan = {
		.name = name,
		.ways = both,
		.place = &place,
		.refresh = spoil,
		.target = fast_node(),
		.flags = MPOL_MF_MOVE,
		.n = 4096,
		.units = 2048,
	};

	place_restore(&place, MPOL_MF_MOVE);
	plan_run(&plan);
}

/* An address where there is no memory, and one that is in no mapping. */
TEST(bad, nowhere, .limit_s = 600)
{
	bad_phys = 1ULL << 45;
	bad_va = (void *)(uintptr_t)page_size();
	every_second_bad("bad/nowhere");
}

/* What a stale address leads to: a free page, or memory of the kernel; a hole in a mapping. */
TEST(bad, stale, .limit_s = 600)
{
	struct place gone = place_anon(512, slow_node());
	uint64_t phys = phys_of(gone.va);

	bad_va = must_mmap(page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	place_unmap(&gone);
	bad_phys = phys;
	/* Pages that are freed later cover it in the lists of free pages. */
	gone = place_anon(512, fast_node());
	place_unmap(&gone);
	every_second_bad("bad/stale");
}

/* ---- Fresh pages ------------------------------------------------------ */

/* The place is faulted in anew for each call, so its last pages sit in a batch of this CPU. */
static void fresh_pages(struct plan *plan, struct job *job, const struct way *way)
{
	place_unmap(plan->place);
	*plan->place = place_anon(plan->n, slow_node());
	job_take(job, plan->place, 0, plan->target);
	(void)way;
}

static void fresh(unsigned long n)
{
	struct place place = place_anon(n, slow_node());
	struct job job = job_new(n, MPOL_MF_MOVE);
	/* As many pages in all as on_lru() moves in a run. */
	unsigned long calls = n < SMALL_RUN ? SMALL_RUN / n : 1;
	char name[32];
	struct plan plan = {
		.name = name,
		.place = &place,
		.target = fast_node(),
		.n = n,
	};

	snprintf(name, sizeof(name), "fresh/%lu", n);
	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		for (const struct way *const *way = both; *way; way++) {
			uint64_t count = 0;

			for (unsigned long i = 0; i < calls; i++) {
				fresh_pages(&plan, &job, *way);
				count += bench_move(*way, &job);
				CHECK_STATUS(job.status[n - 1], plan.target);
			}
			if (run)
				bench_run(name, (*way)->name, n, n * calls, count);
		}
	}
}

TEST(fresh, 1, .limit_s = 300) { fresh(1); }
TEST(fresh, 64, .limit_s = 300) { fresh(64); }
TEST(fresh, 512, .limit_s = 300) { fresh(512); }
TEST(fresh, 4096, .limit_s = 600) { fresh(4096); }

/* ---- Two targets ------------------------------------------------------ */

static bool is_odd(const struct job *job, unsigned long i)
{
	(void)job;
	return i % 2;
}

static bool is_in_second_half(const struct job *job, unsigned long i)
{
	return i >= job->nr / 2;
}

/* Half of the pages start on the slow node, the others on the fast one: each goes across. */
static void cross(struct plan *plan, struct job *job,
		  bool (*goes_back)(const struct job *job, unsigned long i))
{
	unsigned long nr = 0;
	struct job there = job_new(job->nr / 2, MPOL_MF_MOVE);

	for (unsigned long i = 0; i < job->nr; i++) {
		if (!goes_back(job, i))
			continue;
		there.va[nr] = job->va[i];
		there.nodes[nr++] = fast_node();
	}
	CHECK_EQ(way_move_pages.move(&there), 0);
	job_free(&there);
	lru_settle();
	job_take(job, plan->place, 0, fast_node());
	for (unsigned long i = 0; i < job->nr; i++)
		if (goes_back(job, i))
			job->nodes[i] = slow_node();
}

static void alternate(struct plan *plan, struct job *job, const struct way *way)
{
	(void)way;
	cross(plan, job, is_odd);
}

static void halve(struct plan *plan, struct job *job, const struct way *way)
{
	(void)way;
	cross(plan, job, is_in_second_half);
}

static void two_targets(const char *name,
			void (*refresh)(struct plan *plan, struct job *job, const struct way *way))
{
	struct place place = place_anon(4096, slow_node());
	struct plan plan = {
		.name = name,
		.ways = both,
		.place = &place,
		.refresh = refresh,
		.target = fast_node(),
		.flags = MPOL_MF_MOVE,
		.n = 4096,
	};

	place_restore(&place, MPOL_MF_MOVE);
	plan_run(&plan);
}

TEST(targets, alternating, .limit_s = 600) { two_targets("targets/alternating", alternate); }
TEST(targets, halves, .limit_s = 600) { two_targets("targets/halves", halve); }

/* ---- Pages of a file --------------------------------------------------- */

static void of_file(const char *kind, int fd, unsigned long n)
{
	size_t nr_pages = n < SMALL_RUN ? SMALL_RUN : n;
	struct place place = { .nr_pages = nr_pages, .node = slow_node() };
	char name[32];
	struct plan plan = {
		.name = name,
		.ways = both,
		.place = &place,
		.target = fast_node(),
		.flags = MPOL_MF_MOVE,
		.n = n,
		.calls = nr_pages / n,
	};

	snprintf(name, sizeof(name), "%s/%lu", kind, n);
	place.va = region_file(fd, nr_pages, slow_node(), 1, MAP_SHARED).va;
	/* On a disk: clean, so that no page waits for it. */
	MUST(fsync(fd));
	place_restore(&place, MPOL_MF_MOVE);
	plan_run(&plan);
}

static void of_shmem(unsigned long n)
{
	of_file("file", MUST(memfd_create("bench", MFD_CLOEXEC)), n);
}

TEST(file, 1, .limit_s = 300) { of_shmem(1); }
TEST(file, 512) { of_shmem(512); }
TEST(file, 4096, .limit_s = 600) { of_shmem(4096); }
TEST(ext4, 512, .limit_s = 300) { of_file("ext4", disk_file_new().fd, 512); }
