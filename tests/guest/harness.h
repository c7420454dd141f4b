/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame of the tests that run inside the guest: registry and runner,
 * assertions, a raw door, and helpers that find out independently of the code
 * under test where a page is and what is in it.
 *
 * A test is a function that runs in a child process of its own, in a private
 * mount namespace:
 *
 *	TEST(kinds, anon)
 *	{
 *		struct region r = region_anon(16, slow_node(), 1);
 *		struct batch b = batch_of(&r, fast_node());
 *
 *		CHECK_EQ(batch_run(&b, 0), 0);
 *		region_verify(&r);
 *	}
 *
 * Assertions end the test.  They may be used in processes the test starts too.
 */
#ifndef MPP_TESTS_HARNESS_H
#define MPP_TESTS_HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <linux/mempolicy.h>
#include <linux/move_phys_pages_dev.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Registry -------------------------------------------------------- */

struct test {
	const char *name;	/* area/name */
	void (*run)(void);
	unsigned int limit_s;	/* 0: the default, 60 s */
	bool doorless;		/* runs without a door too */
	struct test *next;
};

void test_register(struct test *t);

/* TEST(area, name [, .limit_s = N] [, .doorless = true]) */
#define TEST(area_, name_, ...)						\
	static void test_##area_##_##name_(void);			\
	static struct test entry_##area_##_##name_ = {			\
		.name = #area_ "/" #name_,				\
		.run = test_##area_##_##name_,				\
		__VA_ARGS__						\
	};								\
	__attribute__((constructor))					\
	static void register_##area_##_##name_(void)			\
	{								\
		test_register(&entry_##area_##_##name_);		\
	}								\
	static void test_##area_##_##name_(void)

int run_tests(int argc, char **argv);

/* ---- Assertions ------------------------------------------------------ */

__attribute__((noreturn, format(printf, 3, 4)))
void test_fail(const char *file, int line, const char *fmt, ...);
__attribute__((noreturn, format(printf, 4, 5)))
void test_fail_cond(const char *file, int line, const char *cond, const char *fmt, ...);
__attribute__((noreturn, format(printf, 1, 2)))
void test_skip(const char *fmt, ...);
/* What a test has shown beyond that it passed; printed behind its "ok". */
void test_shows(const char *what);

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) test_skip(__VA_ARGS__)

/* The condition, and optionally a printf-like explanation with values. */
#define CHECK(cond, ...)						\
	do {								\
		if (!(cond))						\
			test_fail_cond(__FILE__, __LINE__, #cond,	\
				       " is false" __VA_OPT__(": ") __VA_ARGS__);	\
	} while (0)

#define CHECK_OP(a, op, b)						\
	do {								\
		long long a_ = (a), b_ = (b);				\
									\
		if (!(a_ op b_))					\
			test_fail(__FILE__, __LINE__, "%s " #op " %s: %lld and %lld", #a, #b,	\
				  a_, b_);				\
	} while (0)

#define CHECK_EQ(a, b) CHECK_OP(a, ==, b)
#define CHECK_NE(a, b) CHECK_OP(a, !=, b)
#define CHECK_LE(a, b) CHECK_OP(a, <=, b)
#define CHECK_GE(a, b) CHECK_OP(a, >=, b)

/* A status, printed by name when it is not the one expected. */
#define CHECK_STATUS(got, want)						\
	do {								\
		int got_ = (got), want_ = (want);			\
									\
		if (got_ != want_)					\
			test_fail(__FILE__, __LINE__, "%s is %s, expected %s", #got,	\
				  status_name(got_), status_name(want_));	\
	} while (0)

/* A system call that must work for the test to make sense; prints errno. */
#define MUST(expr)							\
	({								\
		errno = 0;						\
		long long must_ = (long long)(expr);			\
									\
		if (must_ == -1)					\
			test_fail(__FILE__, __LINE__, "%s: %s", #expr, strerror(errno));	\
		must_;							\
	})

void *must_mmap(size_t len_bytes, int prot, int flags, int fd, off_t off);

/* ---- Nodes and doors (h_door.c) -------------------------------------- */

/* Sentinels that batch_run() puts into the answers before it calls. */
#define STATUS_UNTOUCHED (-0x5eadbee)
#define PAGE_UNTOUCHED 0x5eadbeef5eadbeefULL

const char *status_name(int status);	/* "node 1", "-ENOENT", "untouched" */

bool door_present(void);
const char *door_name(void);		/* "device", "syscall" or "none" */
const char *door_stats_dir(void);
bool door_takes(uint64_t value);	/* whether an argument of this value reaches the kernel */

/*
 * What only one door has, named for the skip through the other: the device, open,
 * and the number of the system call.
 */
int device(const char *what);
long syscall_number(const char *what);
int door_open(void);			/* a new descriptor of the device, or -errno */

/*
 * What a caller holds from before it changes itself: a descriptor of the device;
 * the system call needs none (-1).  raw() is the call with the arguments of a
 * structure, through what is held: what it returns, or -errno.
 */
int door_hold(void);
int raw(int held, const struct mpp_move *move);

/*
 * The call itself, through whichever door there is: >= 0 or -errno.  Skips the
 * test when there is no door: its set-up has then been run up to here.
 */
long mpp(unsigned long nr_pages, const uint64_t *pages, const int *nodes, int *status, int flags,
	 uint64_t *new_pages);

/* A list of entries with room for the answers. */
struct batch {
	unsigned long nr, room;
	uint64_t *pages;
	int *nodes;
	int *status;
	uint64_t *new_pages;
};

void batch_add(struct batch *b, uint64_t phys, int node);
void batch_shuffle(struct batch *b, unsigned int seed);
void batch_free(struct batch *b);
/*
 * Runs the batch with MPP_MF_NEW_PAGES and checks what holds for every call:
 * each status is written, the return value is the number of entries that are
 * not on their target, and new_pages of what did not move equals pages.
 * Fails the test when the call as a whole fails.
 */
long batch_run(struct batch *b, int flags);
long batch_query(struct batch *b, int flags);	/* nodes == NULL */
unsigned long batch_count(const struct batch *b, int status);
/* Fails unless every status is `status`; names the first entry that is not. */
void batch_expect(const struct batch *b, int status);

/* One entry: its status.  new_phys may be NULL. */
int move_one(uint64_t phys, int node, int flags, uint64_t *new_phys);
int query_one(uint64_t phys, int flags);
/* Moves one page, asking again for a while on -EAGAIN and -EBUSY: what a race may answer. */
int move_one_patient(uint64_t phys, int node, int flags, uint64_t *new_phys);
/*
 * With MPP_MF_SYNC, asking again on -EBUSY: who waited for the same page beside the call
 * may have to let it go yet.  A call that did not wait would say -EAGAIN.
 */
int move_one_sync(uint64_t phys, int node, int flags, uint64_t *new_phys);

/* ---- Memory (h_memory.c) --------------------------------------------- */

size_t page_size(void);
size_t huge_size(void);			/* PMD size; skips when the kernel has no huge pages */

/* A range of pages that holds a pattern; each byte depends on tag, page and offset. */
struct region {
	unsigned char *va;
	size_t nr_pages;
	unsigned int tag;
};

unsigned char pattern_byte(unsigned int tag, size_t page, size_t off);
void pattern_fill(void *page_va, unsigned int tag, size_t page);
/* -1 when intact, else the offset of the first wrong byte. */
long pattern_check(const void *page_va, unsigned int tag, size_t page);

void region_fill(const struct region *r);
void region_verify(const struct region *r);
uint64_t region_phys(const struct region *r, size_t page);
int region_node(const struct region *r, size_t page);
/* Every page is on this node, by pagemap and by move_pages(2). */
void region_expect_node(const struct region *r, int node);

/* Small private anonymous pages on a node, filled, with no memory policy left behind. */
struct region region_anon(size_t nr_pages, int node, unsigned int tag);
/* nr_huge transparent huge pages on a node; skips when the kernel gives none. */
struct region region_huge(size_t nr_huge, int node, unsigned int tag);
/* Pages of a file or of shared memory, first touched on a node (len from r->nr_pages). */
struct region region_file(int fd, size_t nr_pages, int node, unsigned int tag, int map_flags);
void region_unmap(struct region *r);

/* From here on this process allocates on one node only; node -1: default policy. */
void prefer_node(int node);
void bind_range(void *va, size_t len_bytes, int node);	/* node -1: default policy */

/* Batch naming every page of the region, in order. */
struct batch batch_of(const struct region *r, int node);

/*
 * Moves every page of the region to the node and proves that it got there, with
 * its contents: by status, new address, pagemap, move_pages(2) and pattern.
 */
void region_move(const struct region *r, int node, int flags);
/* Page by page and asking again, where others are about whose references come and go. */
void region_move_patient(const struct region *r, int node, int flags);
/* Each page is refused with this status, stays at its address and is intact. */
void region_refused(const struct region *r, int node, int flags, int status);

/* Physical address by /proc/PID/pagemap; 0 when not present.  pid 0: this process. */
uint64_t phys_of(const void *va);
uint64_t phys_of_pid(pid_t pid, const void *va);
uint64_t pagemap_entry(pid_t pid, const void *va);	/* raw; 0 when the address is beyond */
/* Node by move_pages(2)'s query: the independent oracle.  -errno when it has none. */
int node_of(const void *va);
int node_of_pid(pid_t pid, const void *va);
/* Node of a physical address by memory block or zone; -1 when it is in none. */
int node_of_phys(uint64_t phys);
uint64_t kpageflags(uint64_t phys);	/* see linux/kernel-page-flags.h; 0 when beyond */
uint64_t kpagecount(uint64_t phys);

/* Pushes what sits in per-CPU LRU batches to the lists. */
void lru_settle(void);

/* ---- System (h_system.c) --------------------------------------------- */

#define MAX_NODES 16

int nodes_with_memory(int nodes[MAX_NODES]);	/* how many */
int fast_node(void);			/* a node with CPUs; skips when there are not two nodes */
int slow_node(void);			/* another one with memory */
int absent_node(void);			/* a possible node number that is not online, or -1 */

/* Reads a file as text; skips (naming the file) when it does not exist. */
char *read_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool exists(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
long long read_number(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Writes; fails the test on an error.  try_write returns 0 or -errno. */
void write_text(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int try_write(const char *path, const char *text);
/* As write_text; the runner writes the old contents (or `restore`) back after the test. */
void write_restored(const char *path, const char *value, const char *restore);
/* The number after "KEY " in a file of such lines; -1 when it is not there. */
long long keyed_number(const char *path, const char *key);
long long vmstat(const char *key);
long long node_vmstat(int node, const char *key);
long long smaps_kb(const void *va, const char *key);	/* of the VMA that holds va; -1: none */

/* A mount that ends with the test; skips when the kernel lacks the file system. */
const char *mount_at(const char *type, const char *source, const char *name, const char *options);

/* The counters of the door.  Moves, dry runs and queries are counted apart. */
struct counters {
	struct {
		char name[32];
		long long count;
	} outcome[64];
	int nr_outcomes;
	long long pair[MAX_NODES][MAX_NODES];
};

void counters_read(struct counters *c);				/* of moves, and node pairs */
void counters_read_dry_run(struct counters *c);
void counters_read_query(struct counters *c);
long long counter(const struct counters *c, const char *name);	/* fails when there is none */
struct counters counters_diff(const struct counters *after, const struct counters *before);
long long counters_total(const struct counters *c);		/* sum of all outcomes */

/* A process of the test's own, in step with it.  It dies with the test. */
struct child {
	pid_t pid;
	int to_child, from_child;	/* pipes: parent's ends, or the child's in the child */
	volatile uint64_t *shared;	/* 512 words both see */
};

/* fn runs in the child; when it returns the child ends well. */
struct child spawn(void (*fn)(struct child *me, void *arg), void *arg);
void child_tell(struct child *me);	/* child: says that it has got here */
void child_wait(struct child *me);	/* child: waits for the test to go on */
void child_sync(struct child *me);	/* child: both */
void wait_for(struct child *c);		/* test: until the child tells */
void go_on(struct child *c);		/* test: lets the child go on */
void child_end(struct child *c);	/* test: waits for its end, which must be a good one */

/* Runs a program, without a word; its exit status, 127 when there is none of that name. */
int run_program(const char *const argv[]);

/* Milliseconds of a monotonic clock, and a nap. */
long long now_ms(void);
void nap_ms(long ms);

/* From here on the caller has exactly these capabilities of the 64 there are; which it has now. */
void capabilities(uint64_t keep);
uint64_t capabilities_now(void);

/* From here on the caller runs on one CPU; skips the test where there is no such CPU. */
void pin_to_cpu(int cpu);

#endif /* MPP_TESTS_HARNESS_H */
