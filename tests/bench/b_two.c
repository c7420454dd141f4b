// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two processors: interrupts and TLB flushes beside the instructions, two callers at
 * once, and a call against a program that uses the pages that are moved.
 *
 * The instruction clock is one for both processors: it goes on by whatever either of
 * them does, and the emulator lets them take turns.  So work counts once, wherever it
 * is done; a processor that waits in a loop counts too, one that sleeps does not.
 */
#include "bench.h"

#include <linux/kernel-page-flags.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define NR_PAGES 512
#define NR_CALLS 32
#define HERE 0
#define THERE 1

static const struct way *const both[] = { &way_call, &way_move_pages, NULL };

static void need_two(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("this machine has one processor");
}

/* ---- A program that uses its pages ------------------------------------- */

enum { WORD_VA, WORD_TOUCHES, WORD_LONGEST, WORD_STOP, WORD_AWAY, WORD_START, WORD_END };

static void program(struct child *me, void *arg)
{
	struct place place = place_anon(NR_PAGES, slow_node());
	uint64_t last;

	(void)arg;
	pin_to_cpu(THERE);
	me->shared[WORD_VA] = (uintptr_t)place.va;
	child_tell(me);
	last = bench_clock();
	for (size_t i = 0; !me->shared[WORD_STOP]; i = (i + 1) % NR_PAGES) {
		uint64_t now;

		/* The emulator takes a pause for the end of this processor's turn. */
		if (me->shared[WORD_AWAY])
			__builtin_ia32_pause();
		else
			(*(volatile size_t *)(place.va + i * page_size()))++;
		now = bench_clock();
		if (now - last > me->shared[WORD_LONGEST])
			me->shared[WORD_LONGEST] = now - last;
		last = now;
		me->shared[WORD_TOUCHES]++;
	}
}

static struct child start_program(void)
{
	struct child c;

	need_two();
	pin_to_cpu(HERE);
	c = spawn(program, NULL);
	wait_for(&c);
	return c;
}

/* Returns when the program is seen to run. */
static void see_it_run(const struct child *c)
{
	uint64_t before = c->shared[WORD_TOUCHES];

	while (c->shared[WORD_TOUCHES] < before + 2)
		__builtin_ia32_pause();
}

static void end_program(struct child *c)
{
	c->shared[WORD_STOP] = 1;
	child_end(c);
}

/* Entries [first, first + nr) of the program's pages. */
static void take(struct job *job, const struct child *c, size_t first, int target)
{
	job->pid = c->pid;
	for (unsigned long i = 0; i < job->nr; i++) {
		job->va[i] = (void *)(uintptr_t)(c->shared[WORD_VA] + (first + i) * page_size());
		job->phys[i] = phys_of_pid(c->pid, job->va[i]);
		job->nodes[i] = target;
	}
}

static void bring_back(const struct child *c)
{
	struct job job = job_new(NR_PAGES, MPOL_MF_MOVE);

	take(&job, c, 0, slow_node());
	CHECK_EQ(way_move_pages.move(&job), 0);
	job_free(&job);
	lru_settle();
}

/* ---- Interrupts and TLB flushes ----------------------------------------- */

/* Of one processor since boot, of the kind that /proc/interrupts names so. */
static uint64_t interrupts(const char *kind, int cpu)
{
	char *text = read_text("/proc/interrupts"), *line = strstr(text, kind);
	uint64_t nr = 0;

	CHECK(line, "/proc/interrupts has no %s", kind);
	line += strlen(kind);
	for (int i = 0; i <= cpu; i++)
		nr = strtoull(line, &line, 10);
	free(text);
	return nr;
}

/* Counts TLB flushes on a processor, by the kernel's tracepoint; it starts stopped. */
static int count_flushes(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.disabled = 1,
	};

	attr.config = read_number("/sys/kernel/tracing/events/tlb/tlb_flush/id");
	return MUST(syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

struct disturbance {
	uint64_t calls, wakeups, shootdowns, flushes[2];
};

static void note_interrupts(struct disturbance *d, int sign)
{
	d->calls += sign * interrupts("CAL:", THERE);
	d->wakeups += sign * interrupts("RES:", THERE);
	d->shootdowns += sign * interrupts("TLB:", THERE);
}

static void set_counting(const int flush_fds[2], unsigned long request)
{
	for (int i = 0; i < 2; i++)
		MUST(ioctl(flush_fds[i], request, 0));
}

/* All of the program's pages, in calls of @n; @flush_fds NULL: interrupts are counted. */
static void disturb(const struct child *c, const struct way *way, unsigned long n,
		    const int *flush_fds, struct disturbance *d)
{
	struct job job = job_new(n, MPOL_MF_MOVE);

	for (size_t first = 0; first < NR_PAGES; first += n) {
		take(&job, c, first, fast_node());
		see_it_run(c);
		if (flush_fds)
			set_counting(flush_fds, PERF_EVENT_IOC_ENABLE);
		else
			note_interrupts(d, -1);
		bench_move(way, &job);
		if (flush_fds)
			set_counting(flush_fds, PERF_EVENT_IOC_DISABLE);
		else
			note_interrupts(d, 1);
	}
	job_free(&job);
	bring_back(c);
}

static void tell(unsigned long n, const struct way *way, const char *what, uint64_t value)
{
	char name[64];

	snprintf(name, sizeof(name), "disturbed/%lu/%s", n, what);
	bench_run(name, way->name, n, 1, value);
}

/* One time for each, since starting and stopping a count there takes interrupts too. */
static void tell_disturbance(const struct child *c, const struct way *way, unsigned long n)
{
	int flush_fds[2] = { count_flushes(HERE), count_flushes(THERE) };
	struct disturbance d = { 0 };

	disturb(c, way, n, NULL, &d);
	disturb(c, way, n, flush_fds, &d);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(read(flush_fds[i], &d.flushes[i], sizeof(d.flushes[i])),
			 sizeof(d.flushes[i]));
		close(flush_fds[i]);
	}
	tell(n, way, "function-call-interrupts", d.calls);
	tell(n, way, "wake-up-interrupts", d.wakeups);
	tell(n, way, "TLB-shootdowns", d.shootdowns);
	tell(n, way, "TLB-flushes-there", d.flushes[THERE]);
	tell(n, way, "TLB-flushes-here", d.flushes[HERE]);
}

/*
 * The pages are a program's that runs on the other processor, so flushes must go there.
 * It does not touch them, or else it would sleep until they are back, and need no flush.
 */
TEST(two, disturbed, .limit_s = 600)
{
	static const unsigned long sizes[] = { 1, 64, 512 };
	struct child c = start_program();

	if (!exists("/sys/kernel/tracing/events/tlb"))
		SKIP("this kernel does not trace TLB flushes, or tracefs is not mounted");
	c.shared[WORD_AWAY] = 1;
	bring_back(&c);
	for (unsigned int run = 0; run < bench_runs(); run++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
			for (const struct way *const *way = both; *way; way++)
				tell_disturbance(&c, *way, sizes[i]);
	end_program(&c);
}

/* ---- A call against the program ------------------------------------------ */

struct pace {
	uint64_t touches, time, longest;
};

/* What the program gets done while this processor calls; or only turns, for as long. */
static struct pace pace_of(const struct child *c, const struct way *way, uint64_t turn_for)
{
	struct job job = job_new(NR_PAGES, MPOL_MF_MOVE);
	struct pace pace = { 0 };

	for (unsigned int i = 0; i < NR_CALLS; i++) {
		uint64_t touches, start;

		take(&job, c, 0, i % 2 ? slow_node() : fast_node());
		c->shared[WORD_LONGEST] = 0;
		touches = c->shared[WORD_TOUCHES];
		start = bench_clock();
		if (way)
			CHECK_GE(way->move(&job), 0);
		while (!way && bench_clock() - start < turn_for)
			continue;
		pace.time += bench_clock() - start;
		pace.touches += c->shared[WORD_TOUCHES] - touches;
		if (c->shared[WORD_LONGEST] > pace.longest)
			pace.longest = c->shared[WORD_LONGEST];
	}
	job_free(&job);
	return pace;
}

/*
 * While a call waits and moves nothing the program runs on, which makes a slow call look
 * kind by its pace: what it lost by the pages that were moved does not.
 */
static void tell_lost(const char *way, const struct pace *pace, const struct pace *alone)
{
	double undisturbed = (double)pace->touches * alone->time / alone->touches;
	double lost = pace->time > undisturbed ? pace->time - undisturbed : 0;

	bench_run("program/lost-a-call", way, NR_PAGES, 1, lost / NR_CALLS);
}

static void tell_pace(const char *way, const struct pace *pace)
{
	CHECK(pace->touches, "the program did nothing in %llu ns", (unsigned long long)pace->time);
	bench_run("program/1000-touches", way, NR_PAGES, 1, pace->time * 1000 / pace->touches);
	bench_run("program/longest-stall", way, NR_PAGES, 1, pace->longest);
}

/*
 * Without calls this processor turns in user space for as long as the calls took, so that
 * other work of the host is in both.
 */
TEST(two, program, .limit_s = 600)
{
	struct child c;

	if (bench_instructions())
		SKIP("the emulator's processors take turns, which would hide all that a call does");
	c = start_program();
	bring_back(&c);
	for (unsigned int run = 0; run < bench_runs(); run++) {
		for (const struct way *const *way = both; *way; way++) {
			struct pace pace = pace_of(&c, *way, 0);
			struct pace alone = pace_of(&c, NULL, pace.time / NR_CALLS);

			tell_pace((*way)->name, &pace);
			tell_lost((*way)->name, &pace, &alone);
			if (*way == &way_call)
				tell_pace("no-calls", &alone);
		}
	}
	end_program(&c);
}

/* ---- A page in the batch of the other processor ------------------------------ */

#define NR_SINGLE 64

/* Faults one page in each time that it is told to, then sleeps. */
static void fault_one(struct child *me, void *arg)
{
	(void)arg;
	pin_to_cpu(THERE);
	for (;;) {
		struct place place = place_anon(1, slow_node());

		me->shared[WORD_VA] = (uintptr_t)place.va;
		child_sync(me);
		if (me->shared[WORD_STOP])
			return;
		place_unmap(&place);
		child_sync(me);
	}
}

/* Not on the LRU, since it sits in a batch that only its processor empties. */
static bool is_batched(uint64_t phys)
{
	return !(kpageflags(phys) >> KPF_LRU & 1);
}

/* A call's own batch is no help: each way has to ask the other processor. */
TEST(two, fresh_there, .limit_s = 600)
{
	struct job job = job_new(1, MPOL_MF_MOVE);
	struct child c;

	need_two();
	pin_to_cpu(HERE);
	c = spawn(fault_one, NULL);
	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		for (const struct way *const *way = both; *way; way++) {
			uint64_t count = 0;

			for (unsigned int i = 0; i < NR_SINGLE; i++) {
				wait_for(&c);
				job.pid = c.pid;
				job.va[0] = (void *)(uintptr_t)c.shared[WORD_VA];
				job.phys[0] = phys_of_pid(c.pid, job.va[0]);
				job.nodes[0] = fast_node();
				CHECK(is_batched(job.phys[0]), "the page is on the LRU already");
				count += bench_move(*way, &job);
				CHECK_STATUS(job.status[0], fast_node());
				go_on(&c);
				wait_for(&c);
				lru_settle();
				go_on(&c);
			}
			if (run)
				bench_run("fresh-there/1", (*way)->name, 1, NR_SINGLE, count);
		}
	}
	wait_for(&c);
	c.shared[WORD_STOP] = 1;
	go_on(&c);
	child_end(&c);
}

/* ---- Two callers at once --------------------------------------------------- */

struct caller {
	const struct way *way;
	int cpu, nr_callers;
	volatile uint64_t *arrived;	/* seen by both */
};

static void calls(struct child *me, void *arg)
{
	const struct caller *caller = arg;
	struct place place = place_anon(NR_PAGES, slow_node());
	struct job job = job_new(NR_PAGES, MPOL_MF_MOVE);

	pin_to_cpu(caller->cpu);
	place_restore(&place, MPOL_MF_MOVE);
	child_sync(me);
	__atomic_add_fetch(caller->arrived, 1, __ATOMIC_SEQ_CST);
	while (*caller->arrived < (uint64_t)caller->nr_callers)
		;
	me->shared[WORD_START] = bench_clock();
	for (unsigned int i = 0; i < NR_CALLS; i++) {
		job_take(&job, &place, 0, i % 2 ? slow_node() : fast_node());
		bench_move(caller->way, &job);
		CHECK_STATUS(job.status[NR_PAGES - 1], job.nodes[NR_PAGES - 1]);
	}
	me->shared[WORD_END] = bench_clock();
}

static uint64_t call_together(const struct way *way, int nr_callers)
{
	volatile uint64_t *arrived = must_mmap(page_size(), PROT_READ | PROT_WRITE,
					       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t start = UINT64_MAX, end = 0;
	struct caller callers[2];
	struct child c[2];

	for (int i = 0; i < nr_callers; i++) {
		callers[i] = (struct caller){ way, i, nr_callers, arrived };
		c[i] = spawn(calls, &callers[i]);
		wait_for(&c[i]);
	}
	for (int i = 0; i < nr_callers; i++)
		go_on(&c[i]);
	for (int i = 0; i < nr_callers; i++) {
		volatile uint64_t *shared = c[i].shared;

		child_end(&c[i]);
		start = shared[WORD_START] < start ? shared[WORD_START] : start;
		end = shared[WORD_END] > end ? shared[WORD_END] : end;
	}
	munmap((void *)arrived, page_size());
	return end - start;
}

/* From the first call to the last, with the look at pagemap that finds the pages again. */
TEST(two, callers, .limit_s = 600)
{
	static const char *const names[] = { "callers/one", "callers/two-at-once" };

	need_two();
	for (unsigned int run = 0; run < 1 + bench_runs(); run++) {
		for (const struct way *const *way = both; *way; way++) {
			for (int nr = 1; nr <= 2; nr++) {
				uint64_t count = call_together(*way, nr);

				if (run)
					bench_run(names[nr - 1], (*way)->name, NR_PAGES,
						  (unsigned long)NR_PAGES * NR_CALLS * nr, count);
			}
		}
	}
}
