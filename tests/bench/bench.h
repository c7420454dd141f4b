/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The benchmark that runs in the guest.
 *
 * A case is a test of tests/guest's harness: a process of its own, skipped with a
 * reason where the machine lacks something, failed by a kernel warning.  It builds
 * a job (pages at a known place, in a known state), hands it to each way of moving
 * pages in turn, and prints one line for each time a way was measured:
 *
 *	run CASE WAY N UNITS COUNT
 *
 * N is the number of entries the caller passed, UNITS what the cost is divided by
 * (good pages, or huge pages), COUNT the cost of the call in instructions, where
 * the testbed's clock counts them, else in nanoseconds.  Everything else (medians,
 * ratios, tables) is left to the host.
 */
#ifndef MPP_BENCH_H
#define MPP_BENCH_H

#include "harness.h"

/* One call to be made: by physical address or by virtual address of process @pid. */
struct job {
	unsigned long nr;
	pid_t pid;		/* who maps the pages at @va; 0: this process */
	uint64_t *phys;
	void **va;
	int *nodes;
	int *status;
	int flags;
};

/* A way to move pages. */
struct way {
	const char *name;
	long (*move)(struct job *job);	/* fills status; >= 0, or -errno */
};

extern const struct way way_call;		/* move_phys_pages(), by whichever door */
extern const struct way way_call_unchecked;	/* the same without memory policies */
extern const struct way way_move_pages;		/* move_pages(2) */

struct job job_new(unsigned long nr, int flags);
void job_free(struct job *job);

uint64_t bench_clock(void);
unsigned int bench_runs(void);		/* how often each way is measured */
bool bench_instructions(void);		/* whether the clock counts them */

/* A line of results; see above. */
void bench_run(const char *name, const char *way, unsigned long nr, unsigned long units,
	       uint64_t count);
/* A fact that is not a cost of a way: printed as `fact NAME VALUE UNIT`. */
void bench_fact(const char *name, double value, const char *unit);

/* Moves once and returns what it cost; every entry must end with its target as status. */
uint64_t bench_move(const struct way *way, struct job *job);

/* Where the pages of a case come from, so that each way finds the same. */
struct place {
	unsigned char *va;
	size_t nr_pages;
	int node;
};

/* Small anonymous pages, the contents one word each; quicker than harness regions. */
struct place place_anon(size_t nr_pages, int node);
void place_unmap(struct place *p);
/* Brings pages that were moved back, and every page of the machine to the LRU. */
void place_restore(const struct place *p, int flags);
/* A job for pages [first, first + nr) of the place. */
void job_take(struct job *job, const struct place *p, size_t first, int target);

/*
 * What each case of singly named entries does: for each run and way, bring the
 * place in order, call, and print.  @refresh fills the job before each call.
 */
struct plan {
	const char *name;
	const struct way *const *ways;	/* ends with NULL */
	unsigned long units;
	struct place *place;
	void (*refresh)(struct plan *plan, struct job *job, const struct way *way);
	int target;
	int flags;
	unsigned long n;	/* entries of a call */
	unsigned long calls;	/* calls of a run, on pages that follow each other */
};

void plan_run(struct plan *plan);

#endif /* MPP_BENCH_H */
