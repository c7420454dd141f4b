// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each source of addresses costs per GiB that it looks at, through the library,
 * in the guest.  The caller's processor time counts, which with the instruction clock
 * is instructions: waiting costs nothing.
 */
#include "bench.h"

#include <movephys.h>
#include <time.h>

#define GIB 1073741824.0
#define MAPPED_PAGES 65536
#define NR_RECORDS 1024
#define NR_SNAPSHOTS 10
#define NR_SAMPLES 4096
#define DAMON_PID "/sys/kernel/mm/damon/admin/kdamonds/0/pid"

static struct mpp_record records[NR_RECORDS];

static uint64_t worked(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Reads to the end; returns the number of records. */
static uint64_t drain(struct mpp_source *src)
{
	uint64_t nr = 0;
	int got;

	while ((got = mpp_source_read(src, NR_RECORDS, records)) > 0)
		nr += got;
	CHECK(got == 0, "%s", mpp_source_error(src));
	return nr;
}

static void need(int err, const char *what)
{
	if (err == -ENOENT || err == -ENODEV)
		SKIP("this kernel has no %s", what);
	CHECK(!err, "%s: %s", what, strerror(-err));
}

/* ---- Pages of a process ---------------------------------------------------- */

static struct mpp_source *open_pagemap(const struct place *place)
{
	const struct mpp_pagemap_options options = {
		.size = sizeof(options),
		.pid = getpid(),
		.flags = MPP_PAGEMAP_PER_PAGE,
		.va_start = (uintptr_t)place->va,
		.va_end = (uintptr_t)place->va + place->nr_pages * page_size(),
	};
	struct mpp_source *src;

	need(mpp_pagemap_open(&options, &src), "pagemap");
	return src;
}

TEST(source, pagemap, .doorless = true)
{
	struct place place = place_anon(MAPPED_PAGES, slow_node());
	double gib = MAPPED_PAGES * page_size() / GIB;

	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		uint64_t start = worked();
		struct mpp_source *src = open_pagemap(&place);

		CHECK_EQ(drain(src), MAPPED_PAGES);
		mpp_source_unref(src);
		if (run)
			bench_run("source/pagemap", "per-GiB-mapped", MAPPED_PAGES, 1,
				  (worked() - start) / gib);
	}
}

/* ---- Memory of a node -------------------------------------------------------- */

static struct mpp_source *open_zones(double *gib)
{
	const int node = slow_node();
	const struct mpp_zoneinfo_options options = {
		.size = sizeof(options), .nodes = &node, .nr_nodes = 1,
	};
	struct mpp_source *src;
	int nr;

	need(mpp_zoneinfo_open(&options, &src), "zoneinfo");
	*gib = 0;
	nr = mpp_source_read(src, NR_RECORDS, records);
	CHECK_GE(nr, 1);
	for (int i = 0; i < nr; i++)
		*gib += records[i].size_bytes / GIB;
	mpp_source_unref(src);
	need(mpp_zoneinfo_open(&options, &src), "zoneinfo");
	return src;
}

static void scan_node(const char *name, const struct mpp_filter_options *options)
{
	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		double gib;
		struct mpp_source *src = open_zones(&gib);
		uint64_t start = worked();

		if (options)
			need(mpp_filter_open(src, options, &src), name);
		drain(src);
		if (run)
			bench_run(name, "per-GiB-of-node", 1, 1, (worked() - start) / gib);
		mpp_source_unref(src);
	}
}

TEST(source, zones, .doorless = true) { scan_node("source/zones", NULL); }

TEST(source, kind, .doorless = true)
{
	const struct mpp_filter_options options = {
		.size = sizeof(options), .kinds = 1 << MPP_KIND_ANON,
	};

	scan_node("source/zones-of-a-kind", &options);
}

TEST(source, charged, .doorless = true)
{
	const struct mpp_filter_options options = { .size = sizeof(options), .cgroup_ino = 1 };

	scan_node("source/zones-charged-to-a-cgroup", &options);
}

TEST(source, mapped, .doorless = true)
{
	const struct mpp_filter_options options = {
		.size = sizeof(options), .flags = MPP_FILTER_MAPPED, .mapped_min = 2,
		.mapped_max = UINT64_MAX,
	};

	scan_node("source/zones-mapped-twice", &options);
}

/* Half of the node in use, so that there are bits to be cleared and read. */
TEST(source, idle, .doorless = true, .limit_s = 300)
{
	const int node = slow_node();
	const struct mpp_idle_options options = {
		.size = sizeof(options), .flags = MPP_IDLE_ACCESSED | MPP_IDLE_IDLE,
		.nr_rounds = 1, .nodes = &node, .nr_nodes = 1,
	};

	place_anon(2 * MAPPED_PAGES, slow_node());
	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		struct mpp_source *src;
		uint64_t start;
		double gib;

		mpp_source_unref(open_zones(&gib));
		start = worked();
		need(mpp_idle_open(&options, &src), "idle page tracking");
		drain(src);
		if (run)
			bench_run("source/idle", "per-GiB-of-node", 1, 1,
				  (worked() - start) / gib);
		mpp_source_unref(src);
	}
}

/* ---- DAMON --------------------------------------------------------------------- */

static uint64_t worked_by(long long pid)
{
	char *text = read_text("/proc/%lld/schedstat", pid);
	uint64_t ns = strtoull(text, NULL, 10);

	free(text);
	return ns;
}

/* The monitor's own settings: a look at each region every 5 ms, counts of 100 ms. */
static void monitor_once(double gib)
{
	const int node = slow_node();
	const struct mpp_damon_options options = {
		.size = sizeof(options),
		.flags = MPP_DAMON_ACCESSED | MPP_DAMON_IDLE | MPP_DAMON_START,
		.nr_snapshots = NR_SNAPSHOTS, .interval_ns = 100000000,
		.nodes = &node, .nr_nodes = 1,
	};
	struct mpp_source *src;
	uint64_t start, reading, nr;
	long long pid, began;

	need(mpp_damon_open(&options, &src), "DAMON");
	pid = read_number(DAMON_PID);
	began = now_ms();
	start = worked();
	nr = drain(src);
	reading = worked() - start;
	CHECK_GE(nr, NR_SNAPSHOTS);
	bench_run("source/damon", "per-second-and-GiB", 1, 1,
		  worked_by(pid) / gib / ((now_ms() - began) / 1000.0));
	mpp_source_unref(src);
	bench_run("source/damon", "per-snapshot-and-GiB", 1, 1, reading / NR_SNAPSHOTS / gib);
	bench_run("source/damon", "per-region-read", 1, 1, reading / nr);
	bench_run("source/damon-regions", "a-snapshot", 1, NR_SNAPSHOTS, nr);
}

TEST(source, damon, .doorless = true, .limit_s = 300)
{
	double gib;

	if (!bench_instructions())
		SKIP("the monitor's thread is compared with the instruction clock only");
	mpp_source_unref(open_zones(&gib));
	place_anon(MAPPED_PAGES, slow_node());
	for (unsigned int run = 0; run < bench_runs(); run++)
		monitor_once(gib);
}

/* ---- Samples --------------------------------------------------------------------- */

/* What reading them costs; that the kernel takes them is not in it. */
TEST(source, samples, .doorless = true, .limit_s = 300)
{
	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		const struct mpp_perf_options options = {
			.size = sizeof(options), .event = "faults", .pid = getpid(), .period = 1,
			.duration_ns = 1000000000,
		};
		const char *why = "";
		struct mpp_source *src;
		uint64_t start, nr;
		int err = mpp_perf_open(&options, &why, &src);

		if (err)
			SKIP("%s", why);
		place_anon(NR_SAMPLES, slow_node());
		start = worked();
		nr = drain(src);
		CHECK_GE(nr, NR_SAMPLES);
		if (run)
			bench_run("source/samples", "per-sample", nr, 1, (worked() - start) / nr);
		mpp_source_unref(src);
	}
}
