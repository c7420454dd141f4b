/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mpp-stress: what its parts share.
 *
 * The main process sweeps over all physical memory (stress_sweep.c) while
 * worker processes (stress_mem.c, stress_file.c, stress_sys.c) do to their
 * memory whatever a process can do to it.  Every page of a worker carries a
 * pattern that names its worker, page and generation (stress_page.c), so
 * that lost, torn and foreign data are all found, and told apart.
 */
#ifndef MPP_STRESS_H
#define MPP_STRESS_H

#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>

#define PAGE_SIZE	4096ul
#define PAGE_WORDS	(PAGE_SIZE / sizeof(uint64_t))
#define HUGE_PAGES	512ul		/* pages of one PMD-sized huge page */
#define HUGE_SIZE	(HUGE_PAGES * PAGE_SIZE)
#define MAX_WORKERS	32

/* What a worker tells the main process; lives in shared memory. */
struct worker_state {
	_Atomic uint64_t loops;		/* rounds of its main loop, also its heartbeat */
	_Atomic uint64_t checked;	/* pages verified */
	_Atomic uint32_t failed;
	char why[256];			/* written once, by whoever sets failed */
	char skipped[160];		/* not empty: the worker has nothing to work with here */
};

struct shared {
	_Atomic uint32_t stop;
	struct worker_state state[MAX_WORKERS];
};

/* One worker process; children that it forks use the same state. */
struct worker {
	const char *name;
	unsigned int id;		/* 1 and up: part of every pattern */
	uint64_t rng;
	struct worker_state *state;
	_Atomic uint32_t *stop;
};

struct worker_kind {
	const char *name;
	void (*run)(struct worker *w);
	const char *what;
};

extern const struct worker_kind worker_kinds[];
extern const size_t nr_worker_kinds;

/*
 * A run of pages with the generation that each should hold.  Generation 0 is
 * a page that must read as zeros.
 */
struct span {
	struct worker *w;
	unsigned char *at;
	size_t nr_pages;
	size_t fold;			/* not 0: page i carries the pattern of page i % fold */
	uint32_t *gen;
};

/* stress_page.c */
uint64_t rng_next(uint64_t *state);
size_t rng_below(uint64_t *state, size_t limit);
bool worker_next(struct worker *w);
_Noreturn void worker_fail(struct worker *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
_Noreturn void worker_skip(struct worker *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
pid_t worker_fork(struct worker *w);
void worker_reap(struct worker *w, pid_t pid);
void page_fill(void *page, unsigned int id, size_t index, uint32_t gen);
void page_check(struct worker *w, const void *page, size_t index, uint32_t gen);
void *map_anon(struct worker *w, size_t nr_pages, int extra_flags);
void *map_aligned(struct worker *w, size_t nr_pages, size_t align);
void span_init(struct span *r, struct worker *w, void *at, size_t nr_pages);
void span_write(struct span *r, size_t page);
void span_write_some(struct span *r, size_t nr);
void span_check(struct span *r, size_t first, size_t nr);
void span_check_all(struct span *r);
void span_zeroed(struct span *r, size_t first, size_t nr);
void span_free(struct span *r);

/* stress_host.c: the machine as sysfs and procfs show it */
struct machine {
	uint64_t end;			/* first address beyond all memory */
	uint64_t block_bytes;		/* of one memory block, 0 where there is no hotplug */
	size_t nr_blocks;
	signed char *block_node;	/* by block number, -1: no memory there */
	int nr_nodes;
	int nodes[MAX_NODES];		/* nodes that have memory */
};

int machine_read(struct machine *m);
void machine_free(struct machine *m);
int machine_node_of(const struct machine *m, uint64_t addr);
int file_read_text(const char *path, char *buf, size_t len);

/* The kernel's log, and the isolated counters it said were negative. */
struct klog {
	int fd;
	long long anon, file;		/* of the last refresh; 0 when not negative */
};

void klog_open(struct klog *log);
int klog_scan(struct klog *log, char *why, size_t len);
int isolated_read(struct klog *log, long long *anon, long long *file);
int isolated_settled(struct klog *log, bool miscounts, char *why, size_t len);
int module_reload(const char *ko, char *why, size_t len);

/* stress_mem.c, stress_file.c, stress_sys.c: the workers */
void work_fork(struct worker *w);
void work_exec(struct worker *w);
void work_mremap(struct worker *w);
void work_map(struct worker *w);
void work_mlock(struct worker *w);
void work_shared(struct worker *w);
void work_thp(struct worker *w);
void work_ksm(struct worker *w);
void work_pipe(struct worker *w);
void work_tmpfs(struct worker *w);
void work_ext4(struct worker *w);
void work_swap(struct worker *w);
void work_hugetlb(struct worker *w);
void work_cgroup(struct worker *w);
void work_offline(struct worker *w);
int exec_check(void);
bool offline_miscounts(const struct machine *m, struct klog *log);

/* stress_sweep.c */
#define SWEEP_MAX	8192		/* entries of the largest call */

struct sweep_totals {
	uint64_t calls;
	uint64_t entries;
	uint64_t already;		/* pages that were on their target */
	uint64_t dry_run;		/* entries a dry run would have moved */
	uint64_t moved;			/* all moves that new_pages told of */
	uint64_t moved_to[MAX_NODES];
	uint64_t placed;		/* on the target, moved or not: no new_pages asked for */
	uint64_t errnos[134];		/* by positive errno; EHWPOISON is 133 */
};

struct sweep;
struct sweep *sweep_start(const struct machine *m, uint64_t seed);
int sweep_stop(struct sweep *s, char *why, size_t len);
void sweep_add_totals(struct sweep *s, struct sweep_totals *sum);
bool sweep_failed(struct sweep *s);

#endif
