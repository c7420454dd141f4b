// SPDX-License-Identifier: GPL-2.0-only
/* What else moves pages, and for how long a call keeps its CPU. */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

/* ---- migrate_pages(2) --------------------------------------------------- */

#define NR_OF_PROCESS 4096

static void holder(struct child *me, void *arg)
{
	struct place place = place_anon(NR_OF_PROCESS, slow_node());

	(void)arg;
	me->shared[0] = (uintptr_t)place.va;
	child_sync(me);
}

static void migrate_process(pid_t pid, int from, int to)
{
	unsigned long old = 1UL << from, new = 1UL << to;

	CHECK_EQ(syscall(SYS_migrate_pages, pid, sizeof(old) * 8, &old, &new), 0);
}

/* All that a process has on a node; it cannot be told to move less. */
TEST(process, migrate_pages, .limit_s = 600)
{
	struct child c = spawn(holder, NULL);

	wait_for(&c);
	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		uint64_t start, end;

		lru_settle();
		start = bench_clock();
		migrate_process(c.pid, slow_node(), fast_node());
		end = bench_clock();
		CHECK_EQ(node_of_pid(c.pid, (void *)(uintptr_t)c.shared[0]), fast_node());
		if (run)
			bench_run("process/migrate_pages", "migrate_pages", 1, NR_OF_PROCESS,
				  end - start);
		migrate_process(c.pid, fast_node(), slow_node());
	}
	go_on(&c);
	child_end(&c);
}

/* ---- How long a call keeps its CPU --------------------------------------- */

#define WAKE_NS 100000		/* so often somebody more urgent wants to run */

struct watch {
	volatile bool stop;
	uint64_t longest;
};

static void *be_urgent(void *arg)
{
	struct sched_param param = { .sched_priority = 50 };
	struct watch *watch = arg;
	struct timespec when;

	MUST(sched_setscheduler(0, SCHED_FIFO, &param));
	clock_gettime(CLOCK_MONOTONIC, &when);
	while (!watch->stop) {
		struct timespec now;
		int64_t late;

		when.tv_nsec += WAKE_NS;
		if (when.tv_nsec >= 1000000000) {
			when.tv_nsec -= 1000000000;
			when.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		late = (now.tv_sec - when.tv_sec) * 1000000000LL + now.tv_nsec - when.tv_nsec;
		if (late > 0 && (uint64_t)late > watch->longest)
			watch->longest = late;
		/* After a long wait, go on from here rather than to wake for each that was missed. */
		if (late > WAKE_NS)
			when = now;
	}
	return NULL;
}

/* An upper bound: it holds the wake-up itself and other work of the kernel as well. */
static void longest_wait(const struct way *way, unsigned long n)
{
	struct place place = place_anon(n, slow_node());
	struct job job = job_new(n, MPOL_MF_MOVE);
	struct watch watch = { 0 };
	pthread_t thread;
	char name[32];

	place_restore(&place, MPOL_MF_MOVE);
	job_take(&job, &place, 0, fast_node());
	pin_to_cpu(0);
	CHECK_EQ(pthread_create(&thread, NULL, be_urgent, &watch), 0);
	nap_ms(10);
	watch.longest = 0;
	bench_move(way, &job);
	watch.stop = true;
	pthread_join(thread, NULL);
	CHECK(watch.longest, "the urgent thread never ran");
	snprintf(name, sizeof(name), "longest-wait/%lu", n);
	bench_run(name, way->name, n, 1, watch.longest);
	job_free(&job);
	place_unmap(&place);
}

TEST(wait, longest, .limit_s = 1800)
{
	for (unsigned int run = 0; run < bench_runs(); run++) {
		longest_wait(&way_call, 65536);
		longest_wait(&way_move_pages, 65536);
	}
}
