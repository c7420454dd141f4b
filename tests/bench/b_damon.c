// SPDX-License-Identifier: GPL-2.0-only
/*
 * DAMON's physical scheme as a way to move known pages: a monitor whose regions are
 * these pages and no others, and a scheme that migrates whatever is in a region.
 *
 * What the monitor's thread works is read from its scheduling statistics; what the
 * caller works to write the regions and to start it, from the caller's own clock.
 * The first alone is what a monitor would cost that somebody else had set up.
 */
#include "bench.h"

#include <stdarg.h>
#include <time.h>

#define ADMIN "/sys/kernel/mm/damon/admin/kdamonds"
#define CONTEXT "0/contexts/0/"
#define LIMIT_MS 30000

struct range {
	uint64_t start, end;
};

__attribute__((format(printf, 2, 3)))
static void set(const char *name, const char *fmt, ...)
{
	char path[256], value[64];
	va_list ap;

	snprintf(path, sizeof(path), ADMIN "/%s", name);
	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	write_text(path, "%s", value);
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* The pages of a job as few ranges; returns how many. */
static size_t ranges_of(const struct job *job, struct range *ranges)
{
	size_t nr = 0;

	for (unsigned long i = 0; i < job->nr; i++)
		ranges[i] = (struct range){ job->phys[i], job->phys[i] + page_size() };
	qsort(ranges, job->nr, sizeof(*ranges), by_start);
	for (unsigned long i = 1; i < job->nr; i++) {
		if (ranges[i].start == ranges[nr].end)
			ranges[nr].end = ranges[i].end;
		else
			ranges[++nr] = ranges[i];
	}
	return nr + 1;
}

static void describe_regions(const struct range *ranges, size_t nr)
{
	char name[128];

	set(CONTEXT "targets/nr_targets", "1");
	set(CONTEXT "targets/0/regions/nr_regions", "%zu", nr);
	for (size_t i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), CONTEXT "targets/0/regions/%zu/start", i);
		set(name, "%llu", (unsigned long long)ranges[i].start);
		snprintf(name, sizeof(name), CONTEXT "targets/0/regions/%zu/end", i);
		set(name, "%llu", (unsigned long long)ranges[i].end);
	}
}

/* Whatever its size, however often it was used, however long it has been so. */
static void describe_scheme(int target)
{
	static const char *const wide_open[] = { "sz", "nr_accesses", "age" };
	char name[128];

	set(CONTEXT "schemes/nr_schemes", "1");
	set(CONTEXT "schemes/0/action", "migrate_hot");
	set(CONTEXT "schemes/0/target_nid", "%d", target);
	for (size_t i = 0; i < ARRAY_SIZE(wide_open); i++) {
		snprintf(name, sizeof(name), CONTEXT "schemes/0/access_pattern/%s/max",
			 wide_open[i]);
		set(name, "%u", INT32_MAX);
	}
}

/* One sample and one look at the scheme in each interval: as little besides moving as there is. */
static void monitor(const struct range *ranges, size_t nr, int target)
{
	set("nr_kdamonds", "1");
	set("0/contexts/nr_contexts", "1");
	set(CONTEXT "operations", "paddr");
	set(CONTEXT "monitoring_attrs/intervals/sample_us", "100000");
	set(CONTEXT "monitoring_attrs/intervals/aggr_us", "100000");
	set(CONTEXT "monitoring_attrs/intervals/update_us", "10000000");
	set(CONTEXT "monitoring_attrs/nr_regions/max", "%zu", nr < 10 ? 10 : nr);
	describe_regions(ranges, nr);
	describe_scheme(target);
	set("0/state", "on");
}

/* As the scheduler counts: with the instruction clock, instructions. */
static uint64_t worked_by(long long pid)
{
	char *text = read_text("/proc/%lld/schedstat", pid);
	uint64_t ns = strtoull(text, NULL, 10);

	free(text);
	return ns;
}

static uint64_t worked_here(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static unsigned long nr_arrived(struct job *job)
{
	int *nodes = job->nodes;
	unsigned long nr = 0;

	job->nodes = NULL;
	CHECK_EQ(way_move_pages.move(job), 0);
	job->nodes = nodes;
	for (unsigned long i = 0; i < job->nr; i++)
		nr += job->status[i] == nodes[i];
	return nr;
}

static void wait_until_moved(struct job *job)
{
	long long end = now_ms() + LIMIT_MS;
	unsigned long nr;

	while ((nr = nr_arrived(job)) < job->nr) {
		CHECK(now_ms() < end, "DAMON moved %lu of %lu pages", nr, job->nr);
		nap_ms(20);
	}
}

/*
 * Sets *by_monitor, and *with_setting_up besides what the caller did; returns how many
 * regions the pages are.
 */
static size_t move_by_damon(struct job *job, uint64_t *by_monitor, uint64_t *with_setting_up)
{
	struct range *ranges = calloc(job->nr, sizeof(*ranges));
	uint64_t start = worked_here();
	size_t nr;

	CHECK(ranges, "out of memory");
	nr = ranges_of(job, ranges);
	monitor(ranges, nr, job->nodes[0]);
	*with_setting_up = worked_here() - start;
	wait_until_moved(job);
	*by_monitor = worked_by(read_number(ADMIN "/0/pid"));
	*with_setting_up += *by_monitor;
	set("0/state", "off");
	set("nr_kdamonds", "0");
	free(ranges);
	return nr;
}

static void by_damon(unsigned long nr_pages, unsigned int runs)
{
	struct place place = place_anon(nr_pages, slow_node());
	struct job job = job_new(nr_pages, MPOL_MF_MOVE);
	uint64_t by_monitor, with_setting_up;
	size_t nr_regions = 0;
	char name[64];

	if (!bench_instructions())
		SKIP("the scheduler's statistics are compared with the instruction clock only");
	if (!exists(ADMIN))
		SKIP("this kernel has no DAMON");
	if (!exists("/proc/self/schedstat"))
		SKIP("this kernel does not tell what a thread has worked");
	snprintf(name, sizeof(name), "damon/%lu", nr_pages);
	place_restore(&place, MPOL_MF_MOVE);
	/* The first fills caches; where there is time for one it is the only one. */
	for (unsigned int run = runs > 1 ? 0 : 1; run < 1 + runs; run++) {
		uint64_t count;

		job_take(&job, &place, 0, fast_node());
		count = bench_move(&way_call, &job);
		CHECK_STATUS(job.status[nr_pages - 1], fast_node());
		place_restore(&place, MPOL_MF_MOVE);
		job_take(&job, &place, 0, fast_node());
		nr_regions = move_by_damon(&job, &by_monitor, &with_setting_up);
		place_restore(&place, MPOL_MF_MOVE);
		if (!run)
			continue;
		bench_run(name, "call", nr_pages, nr_pages, count);
		bench_run(name, "damon", nr_pages, nr_pages, by_monitor);
		bench_run(name, "damon-with-setting-up", nr_pages, nr_pages, with_setting_up);
	}
	snprintf(name, sizeof(name), "damon/%lu/regions", nr_pages);
	bench_fact(name, nr_regions, "ranges of addresses that the pages are");
	job_free(&job);
}

TEST(damon, 1) { by_damon(1, bench_runs()); }
TEST(damon, 8) { by_damon(8, bench_runs()); }
TEST(damon, 64) { by_damon(64, bench_runs()); }
TEST(damon, 512, .limit_s = 600) { by_damon(512, bench_runs()); }
TEST(damon, 4096, .limit_s = 600) { by_damon(4096, bench_runs()); }
/* Takes a minute a run. */
TEST(damon, 65536, .limit_s = 1800) { by_damon(65536, 1); }
