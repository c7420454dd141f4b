// SPDX-License-Identifier: GPL-2.0-only
/* mpp-stress: workers on anonymous and shared memory. */
#include "stress.h"

#include <fcntl.h>
#include <sys/uio.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* Set in what a child writes, so that it is recognised where it does not belong. */
#define CHILD_GEN	(1u << 27)

/* A random piece of at most @max pages within @nr pages. */
static size_t pick_piece(struct worker *w, size_t nr, size_t max, size_t *first)
{
	size_t len = 1 + rng_below(&w->rng, max < nr ? max : nr);

	*first = rng_below(&w->rng, nr - len + 1);
	return len;
}

/* Break copy-on-write for some pages; the others stay shared with the parent. */
static _Noreturn void fork_child(struct span *r)
{
	uint64_t *rng = &r->w->rng;

	for (size_t i = rng_below(rng, 8); i < r->nr_pages; i += 1 + rng_below(rng, 8)) {
		r->gen[i] |= CHILD_GEN;
		span_write(r, i);
	}
	span_check_all(r);
	_exit(0);
}

void work_fork(struct worker *w)
{
	struct span r;

	span_init(&r, w, map_anon(w, 256, 0), 256);
	while (worker_next(w)) {
		pid_t pid[2];

		span_write_some(&r, 48);
		for (int i = 0; i < 2; i++) {
			pid[i] = worker_fork(w);
			if (pid[i] == 0)
				fork_child(&r);
		}
		span_write_some(&r, 48);
		span_check_all(&r);
		for (int i = 0; i < 2; i++)
			worker_reap(w, pid[i]);
		span_check_all(&r);
	}
	span_free(&r);
}

/* What `mpp-stress --exec-check` does: stack, heap, text and data of a short life. */
int exec_check(void)
{
	static struct worker_state state;
	struct worker w = { .name = "exec", .id = 1, .state = &state };
	struct span r;

	span_init(&r, &w, map_anon(&w, 32, 0), 32);
	for (size_t i = 0; i < r.nr_pages; i++)
		span_write(&r, i);
	span_check_all(&r);
	span_free(&r);
	return 0;
}

/* Programs that start and end: their text and page tables come and go under the sweep. */
void work_exec(struct worker *w)
{
	while (worker_next(w)) {
		pid_t pid = worker_fork(w);

		if (pid == 0) {
			execl("/proc/self/exe", "mpp-stress", "--exec-check", NULL);
			worker_fail(w, "cannot start /proc/self/exe: %s", strerror(errno));
		}
		worker_reap(w, pid);
		atomic_fetch_add(&w->state->checked, 32);
	}
}

#define SLOTS		32
#define CHUNKS		8
#define CHUNK_PAGES	32ul

static void reserve(struct worker *w, void *at, size_t nr_pages)
{
	if (mmap(at, nr_pages * PAGE_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		worker_fail(w, "mmap of a reserved range: %s", strerror(errno));
}

/* Chunks hop between the slots of one reserved range. */
void work_mremap(struct worker *w)
{
	size_t len = CHUNK_PAGES * PAGE_SIZE;
	unsigned char *base = map_anon(w, SLOTS * CHUNK_PAGES, MAP_NORESERVE);
	bool used[SLOTS] = { false };
	struct span r[CHUNKS];
	size_t slot[CHUNKS];

	reserve(w, base, SLOTS * CHUNK_PAGES);
	for (size_t i = 0; i < CHUNKS; i++) {
		slot[i] = i;
		used[i] = true;
		span_init(&r[i], w, base + i * len, CHUNK_PAGES);
		if (mprotect(r[i].at, len, PROT_READ | PROT_WRITE))
			worker_fail(w, "mprotect: %s", strerror(errno));
	}
	while (worker_next(w)) {
		size_t i = rng_below(&w->rng, CHUNKS), to = rng_below(&w->rng, SLOTS);

		span_write_some(&r[i], 8);
		if (used[to])
			continue;
		if (mremap(r[i].at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, base + to * len) ==
		    MAP_FAILED)
			worker_fail(w, "mremap: %s", strerror(errno));
		reserve(w, r[i].at, CHUNK_PAGES);
		r[i].at = base + to * len;
		used[slot[i]] = false;
		used[to] = true;
		slot[i] = to;
		span_check_all(&r[i]);
	}
	for (size_t i = 0; i < CHUNKS; i++)
		span_check_all(&r[i]);
}

/* Map, fill, punch a hole, map over the hole, verify, unmap. */
void work_map(struct worker *w)
{
	while (worker_next(w)) {
		size_t nr = 1 + rng_below(&w->rng, 384), first, len;
		struct span r;

		span_init(&r, w, map_anon(w, nr, 0), nr);
		for (size_t i = 0; i < nr; i++)
			span_write(&r, i);
		len = pick_piece(w, nr, nr, &first);
		if (munmap(r.at + first * PAGE_SIZE, len * PAGE_SIZE))
			worker_fail(w, "munmap: %s", strerror(errno));
		span_check(&r, 0, first);
		span_check(&r, first + len, nr - first - len);
		if (mmap(r.at + first * PAGE_SIZE, len * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
			worker_fail(w, "mmap into the hole: %s", strerror(errno));
		span_zeroed(&r, first, len);
		span_check_all(&r);
		span_free(&r);
	}
}

void work_mlock(struct worker *w)
{
	struct span r;

	span_init(&r, w, map_anon(w, 256, 0), 256);
	while (worker_next(w)) {
		size_t first, len = pick_piece(w, r.nr_pages, 128, &first);
		unsigned int flags = rng_below(&w->rng, 2) ? MLOCK_ONFAULT : 0;

		if (mlock2(r.at + first * PAGE_SIZE, len * PAGE_SIZE, flags))
			worker_fail(w, "mlock of %zu pages: %s", len, strerror(errno));
		span_write_some(&r, 32);
		len = pick_piece(w, r.nr_pages, 128, &first);
		if (munlock(r.at + first * PAGE_SIZE, len * PAGE_SIZE))
			worker_fail(w, "munlock of %zu pages: %s", len, strerror(errno));
		span_check_all(&r);
	}
	span_free(&r);
}

#define SHARERS	3

/*
 * Shared memory in three processes.  Each writes its own third and verifies
 * it word by word; the writes of the others are ordered by nothing, so of
 * their pages only the unchanging part of the first word is compared.
 */
static void share_loop(struct worker *w, struct span *r, size_t mine, unsigned char *others)
{
	size_t third = r->nr_pages;

	while (worker_next(w)) {
		span_write_some(r, 24);
		span_check_all(r);
		for (size_t i = 0; i < third * SHARERS; i++) {
			uint64_t word = *(volatile uint64_t *)(others + i * PAGE_SIZE);

			if (i / third != mine && word && (word >> 28) !=
			    ((uint64_t)w->id << 24 | i % third))
				worker_fail(w, "shared page %zu holds foreign data: %#jx", i,
					    (uintmax_t)word);
		}
	}
	span_check_all(r);
}

void work_shared(struct worker *w)
{
	size_t third = 96;
	unsigned char *all = map_anon(w, third * SHARERS, MAP_SHARED);
	pid_t pid[SHARERS];
	struct span r;

	for (size_t i = 1; i < SHARERS; i++) {
		pid[i] = worker_fork(w);
		if (pid[i] == 0) {
			span_init(&r, w, all + i * third * PAGE_SIZE, third);
			share_loop(w, &r, i, all);
			_exit(0);
		}
	}
	span_init(&r, w, all, third);
	share_loop(w, &r, 0, all);
	for (size_t i = 1; i < SHARERS; i++)
		worker_reap(w, pid[i]);
}

#define THP_BLOCKS	4

static void thp_step(struct worker *w, struct span *r)
{
	size_t first, len = pick_piece(w, r->nr_pages, HUGE_PAGES, &first);
	unsigned char *piece = r->at + first * PAGE_SIZE;
	size_t block = rng_below(&w->rng, THP_BLOCKS);

	switch (rng_below(&w->rng, 6)) {
	case 0:		/* the mapping is split, the huge page is not */
		if (mprotect(piece, len * PAGE_SIZE, PROT_READ))
			worker_fail(w, "mprotect: %s", strerror(errno));
		span_check(r, first, len);
		if (mprotect(piece, len * PAGE_SIZE, PROT_READ | PROT_WRITE))
			worker_fail(w, "mprotect: %s", strerror(errno));
		break;
	case 1:		/* partly unmapped: on the deferred split queue */
		if (madvise(piece, len * PAGE_SIZE, MADV_DONTNEED))
			worker_fail(w, "MADV_DONTNEED: %s", strerror(errno));
		span_zeroed(r, first, len);
		break;
	case 2:		/* may fail for want of a huge page, and on kernels without it */
		madvise(r->at + block * HUGE_SIZE, HUGE_SIZE, MADV_COLLAPSE);
		break;
	case 3:		/* a fresh huge page by fault */
		if (madvise(r->at + block * HUGE_SIZE, HUGE_SIZE, MADV_DONTNEED))
			worker_fail(w, "MADV_DONTNEED: %s", strerror(errno));
		span_zeroed(r, block * HUGE_PAGES, HUGE_PAGES);
		span_write(r, block * HUGE_PAGES);
		break;
	case 4:		/* reclaim splits what it cannot swap out whole */
		madvise(piece, len * PAGE_SIZE, MADV_PAGEOUT);
		break;
	default:
		for (size_t i = first; i < first + len; i++)
			span_write(r, i);
	}
}

void work_thp(struct worker *w)
{
	size_t nr = THP_BLOCKS * HUGE_PAGES;
	struct span r;

	if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		worker_skip(w, "the kernel has no transparent huge pages");
	span_init(&r, w, map_aligned(w, nr, HUGE_SIZE), nr);
	if (madvise(r.at, nr * PAGE_SIZE, MADV_HUGEPAGE))
		worker_fail(w, "MADV_HUGEPAGE: %s", strerror(errno));
	while (worker_next(w)) {
		for (int i = 0; i < 4; i++)
			thp_step(w, &r);
		span_write_some(&r, 64);
		span_check_all(&r);
	}
	span_free(&r);
}

/* Two mappings of pages that are equal in groups, which the daemon merges and writes part. */
void work_ksm(struct worker *w)
{
	struct span r[2];

	if (try_write("/sys/kernel/mm/ksm/run", "1"))
		worker_skip(w, "the kernel has no KSM");
	try_write("/sys/kernel/mm/ksm/sleep_millisecs", "20");
	try_write("/sys/kernel/mm/ksm/pages_to_scan", "256");
	for (int i = 0; i < 2; i++) {
		span_init(&r[i], w, map_anon(w, 128, 0), 128);
		r[i].fold = 8;
		if (madvise(r[i].at, r[i].nr_pages * PAGE_SIZE, MADV_MERGEABLE))
			worker_fail(w, "MADV_MERGEABLE: %s", strerror(errno));
		for (size_t page = 0; page < r[i].nr_pages; page++)
			span_write(&r[i], page);
	}
	while (worker_next(w)) {
		struct span *some = &r[rng_below(&w->rng, 2)];
		size_t page = rng_below(&w->rng, some->nr_pages);

		/* Few generations, so that pages become equal again. */
		some->gen[page] %= 3;
		span_write(some, page);
		for (int i = 0; i < 2; i++)
			span_check_all(&r[i]);
	}
	try_write("/sys/kernel/mm/ksm/run", "2");
	for (int i = 0; i < 2; i++) {
		span_check_all(&r[i]);
		span_free(&r[i]);
	}
}

#define PIPE_PAGES	16

/*
 * Pages lent to a pipe hold an extra reference.  What is written to them
 * while the pipe holds them must come out of the pipe: if it does not, the
 * page was moved although somebody else was using the frame.  They are
 * locked so that reclaim leaves them where they are.
 */
static void pipe_round(struct worker *w, struct span *r, const int fd[2])
{
	static unsigned char back[PAGE_SIZE] __attribute__((aligned(4096)));
	size_t first = rng_below(&w->rng, r->nr_pages - PIPE_PAGES);
	struct iovec iov = { r->at + first * PAGE_SIZE, PIPE_PAGES * PAGE_SIZE };
	ssize_t lent = vmsplice(fd[1], &iov, 1, 0);

	if (lent <= 0 || lent % (ssize_t)PAGE_SIZE)
		worker_fail(w, "vmsplice gave %zd: %s", lent, strerror(errno));
	usleep(rng_below(&w->rng, 20000));
	for (size_t i = 0; i < (size_t)lent / PAGE_SIZE; i++)
		span_write(r, first + i);
	usleep(rng_below(&w->rng, 20000));
	for (size_t i = 0; i < (size_t)lent / PAGE_SIZE; i++) {
		for (size_t got = 0; got < PAGE_SIZE;) {
			ssize_t n = read(fd[0], back + got, PAGE_SIZE - got);

			if (n <= 0)
				worker_fail(w, "read from the pipe: %s", strerror(errno));
			got += (size_t)n;
		}
		page_check(w, back, first + i, r->gen[first + i]);
	}
}

void work_pipe(struct worker *w)
{
	struct span r;
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		worker_fail(w, "pipe: %s", strerror(errno));
	span_init(&r, w, map_anon(w, 128, 0), 128);
	madvise(r.at, r.nr_pages * PAGE_SIZE, MADV_NOHUGEPAGE);
	if (mlock(r.at, r.nr_pages * PAGE_SIZE))
		worker_fail(w, "mlock: %s", strerror(errno));
	/* Never forked after this: copy-on-write would part the pages from the pipe's. */
	while (worker_next(w)) {
		span_write_some(&r, 16);
		pipe_round(w, &r, fd);
		span_check_all(&r);
	}
	span_free(&r);
}
