// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock, the ways, and how a way is measured.
 *
 * Where the testbed counts instructions (testbed/vm --clock instructions) the time
 * stamp counter advances by one with each of them.
 */
#include "bench.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <x86intrin.h>

/* Runs before the first that counts: they fill the allocator's and the slab's caches. */
#define WARM_UPS 2

bool bench_instructions(void)
{
	const char *clock = getenv("BENCH_CLOCK");

	return clock && !strcmp(clock, "instructions");
}

unsigned int bench_runs(void)
{
	const char *runs = getenv("BENCH_RUNS");

	return runs ? atoi(runs) : 5;
}

uint64_t bench_clock(void)
{
	struct timespec ts;

	if (bench_instructions())
		return __rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void bench_run(const char *name, const char *way, unsigned long nr, unsigned long units,
	       uint64_t count)
{
	printf("run %s %s %lu %lu %llu\n", name, way, nr, units, (unsigned long long)count);
	fflush(stdout);
}

void bench_fact(const char *name, double value, const char *unit)
{
	printf("fact %s %.17g %s\n", name, value, unit);
	fflush(stdout);
}

/* ---- Jobs ------------------------------------------------------------ */

struct job job_new(unsigned long nr, int flags)
{
	struct job job = { .nr = nr, .flags = flags };

	job.phys = calloc(nr, sizeof(*job.phys));
	job.va = calloc(nr, sizeof(*job.va));
	job.nodes = calloc(nr, sizeof(*job.nodes));
	job.status = calloc(nr, sizeof(*job.status));
	CHECK(job.phys && job.va && job.nodes && job.status, "out of memory");
	return job;
}

void job_free(struct job *job)
{
	free(job->phys);
	free(job->va);
	free(job->nodes);
	free(job->status);
	memset(job, 0, sizeof(*job));
}

/* ---- Ways ------------------------------------------------------------ */

/* A caller with work to do keeps the device open. */
static int device_fd(void)
{
	static int fd = -1;

	if (fd < 0) {
		fd = door_open();
		if (fd < 0)
			SKIP("the device cannot be opened: %s", strerror(-fd));
	}
	return fd;
}

static long call(struct job *job, int flags)
{
	struct mpp_move move = {
		.size = sizeof(move),
		.flags = flags,
		.nr_pages = job->nr,
		.pages = (uintptr_t)job->phys,
		.nodes = (uintptr_t)job->nodes,
		.status = (uintptr_t)job->status,
	};
	long ret;

	if (strcmp(door_name(), "device"))
		return mpp(job->nr, job->phys, job->nodes, job->status, flags, NULL);
	ret = ioctl(device_fd(), MPP_IOC_MOVE, &move);
	return ret < 0 ? -errno : ret;
}

static long move_call(struct job *job)
{
	return call(job, job->flags);
}

static long move_call_unchecked(struct job *job)
{
	return call(job, job->flags | MPP_MF_IGNORE_MEMPOLICY);
}

static long move_move_pages(struct job *job)
{
	long ret = syscall(SYS_move_pages, job->pid, job->nr, job->va, job->nodes, job->status,
			   job->flags);

	return ret < 0 ? -errno : ret;
}

const struct way way_call = { "call", move_call };
const struct way way_call_unchecked = { "call-ignoring-mempolicy", move_call_unchecked };
const struct way way_move_pages = { "move_pages", move_move_pages };

uint64_t bench_move(const struct way *way, struct job *job)
{
	uint64_t start, end;
	long ret;

	for (unsigned long i = 0; i < job->nr; i++)
		job->status[i] = STATUS_UNTOUCHED;
	start = bench_clock();
	ret = way->move(job);
	end = bench_clock();
	CHECK(ret >= 0, "%s of %lu pages: %s", way->name, job->nr, status_name(ret));
	return end - start;
}

/* ---- Pages ----------------------------------------------------------- */

static void touch(const struct place *p)
{
	for (size_t i = 0; i < p->nr_pages; i++)
		*(volatile size_t *)(p->va + i * page_size()) = i + 1;
}

struct place place_anon(size_t nr_pages, int node)
{
	size_t len = nr_pages * page_size();
	struct place p = { .nr_pages = nr_pages, .node = node };

	p.va = must_mmap(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p.va, len, MADV_NOHUGEPAGE);
	bind_range(p.va, len, node);
	touch(&p);
	bind_range(p.va, len, -1);
	return p;
}

void place_unmap(struct place *p)
{
	MUST(munmap(p->va, p->nr_pages * page_size()));
	p->va = NULL;
}

void place_restore(const struct place *p, int flags)
{
	struct job job = job_new(p->nr_pages, flags);

	for (size_t i = 0; i < p->nr_pages; i++) {
		job.va[i] = p->va + i * page_size();
		job.nodes[i] = p->node;
	}
	CHECK(move_move_pages(&job) == 0, "move_pages(2) cannot restore the pages of a case");
	for (size_t i = 0; i < p->nr_pages; i++)
		CHECK_STATUS(job.status[i], p->node);
	job_free(&job);
	lru_settle();
}

/* Physical addresses of a run of pages, in one read. */
static void read_phys(const unsigned char *va, size_t nr, uint64_t *phys)
{
	off_t at = (uintptr_t)va / page_size() * sizeof(*phys);
	size_t len = nr * sizeof(*phys);
	static int fd = -1;

	if (fd < 0)
		fd = MUST(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	CHECK_EQ(pread(fd, phys, len, at), len);
	for (size_t i = 0; i < nr; i++)
		phys[i] = (phys[i] & ((1ULL << 55) - 1)) * page_size();
}

void job_take(struct job *job, const struct place *p, size_t first, int target)
{
	read_phys(p->va + first * page_size(), job->nr, job->phys);
	for (size_t i = 0; i < job->nr; i++) {
		CHECK(job->phys[i], "page %zu of a case is not present", first + i);
		job->va[i] = p->va + (first + i) * page_size();
		job->nodes[i] = target;
	}
}

/* ---- Plans ----------------------------------------------------------- */

static void expect_moved(const struct plan *plan, const struct job *job, const struct way *way)
{
	unsigned long good = 0;

	for (unsigned long i = 0; i < job->nr; i++)
		good += job->status[i] == job->nodes[i];
	/* As many as the cost is divided by, or all the addresses of huge pages. */
	CHECK(good >= plan->units / plan->calls, "%s: %s moved %lu of %lu, first status %s",
	      plan->name, way->name, good, plan->units / plan->calls, status_name(job->status[0]));
}

static uint64_t plan_once(struct plan *plan, struct job *job, const struct way *way)
{
	uint64_t count = 0;

	for (unsigned long i = 0; i < plan->calls; i++) {
		job_take(job, plan->place, i * plan->n, plan->target);
		if (plan->refresh)
			plan->refresh(plan, job, way);
		count += bench_move(way, job);
		expect_moved(plan, job, way);
	}
	return count;
}

void plan_run(struct plan *plan)
{
	struct job job = job_new(plan->n, plan->flags);

	if (!plan->calls)
		plan->calls = 1;
	if (!plan->units)
		plan->units = plan->n * plan->calls;
	for (unsigned int run = 0; run < WARM_UPS + bench_runs(); run++) {
		for (const struct way *const *way = plan->ways; *way; way++) {
			uint64_t count = plan_once(plan, &job, *way);

			if (run >= WARM_UPS)
				bench_run(plan->name, (*way)->name, plan->n, plan->units, count);
			place_restore(plan->place, MPOL_MF_MOVE_ALL);
		}
	}
	job_free(&job);
}

/* What the kernel has of each node, as "970 MiB, 1007 MiB". */
static void print_memory(void)
{
	int nodes[MAX_NODES], nr = nodes_with_memory(nodes);

	printf("meta nodes %d\nmeta memory", nr);
	for (int i = 0; i < nr; i++) {
		char *text = read_text("/sys/devices/system/node/node%d/meminfo", nodes[i]);
		const char *at = strstr(text, "MemTotal:");

		CHECK(at, "node %d does not tell its size", nodes[i]);
		printf("%s %ld MiB", i ? "," : "", strtol(at + strlen("MemTotal:"), NULL, 10) / 1024);
		free(text);
	}
	printf("\n");
}

static void print_meta(void)
{
	struct utsname name;

	uname(&name);
	printf("meta kernel %s\n", name.release);
	printf("meta machine %s\n", name.machine);
	printf("meta door %s\n", door_name());
	printf("meta cpus %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
	printf("meta clock %s\n", bench_instructions() ? "instructions" : "nanoseconds");
	printf("meta runs %u\n", bench_runs());
	print_memory();
	printf("meta boot %s", read_text("/proc/cmdline"));
}

/* Each process of a case takes two descriptors, and there may be a thousand. */
static void allow_many_files(void)
{
	struct rlimit limit = { 8192, 8192 };

	MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

int main(int argc, char **argv)
{
	print_meta();
	allow_many_files();
	/* What the kernel still does after boot should not be counted. */
	nap_ms(bench_instructions() ? 5000 : 500);
	return run_tests(argc, argv);
}
