// SPDX-License-Identifier: GPL-2.0-only
/* mpp-stress: patterns, regions of pages that carry them, and worker life. */
#include "stress.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Odd, so that the words of a page all differ and a stray word tells its tag. */
#define WORD_STEP	0x9e3779b97f4a7c15ull

uint64_t rng_next(uint64_t *state)
{
	uint64_t z = (*state += WORD_STEP);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

size_t rng_below(uint64_t *state, size_t limit)
{
	return rng_next(state) % limit;
}

/*
 * Pause now and then: the machine is small, and workers that never sleep
 * leave the sweep no time to move what they write.
 */
bool worker_next(struct worker *w)
{
	atomic_fetch_add(&w->state->loops, 1);
	usleep(rng_below(&w->rng, 8000));
	return !atomic_load(w->stop);
}

_Noreturn void worker_fail(struct worker *w, const char *fmt, ...)
{
	uint32_t before = 0;
	va_list args;

	va_start(args, fmt);
	if (atomic_compare_exchange_strong(&w->state->failed, &before, 1))
		vsnprintf(w->state->why, sizeof(w->state->why), fmt, args);
	va_end(args);
	_exit(1);
}

_Noreturn void worker_skip(struct worker *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->state->skipped, sizeof(w->state->skipped), fmt, args);
	va_end(args);
	_exit(0);
}

/* Children die with their parent, so that nothing outlives the test. */
pid_t worker_fork(struct worker *w)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		worker_fail(w, "fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		w->rng ^= (uint64_t)getpid() << 32;
	}
	return pid;
}

void worker_reap(struct worker *w, pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			worker_fail(w, "waitpid: %s", strerror(errno));
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status))
		worker_fail(w, "a child was killed by signal %d", WTERMSIG(status));
	worker_fail(w, "a child exited with status %d", WEXITSTATUS(status));
}

/* 12 bits of worker, 24 of page, 28 of generation. */
static uint64_t page_tag(unsigned int id, size_t index, uint32_t gen)
{
	return (uint64_t)id << 52 | (uint64_t)(index & 0xffffff) << 28 | (gen & 0xfffffff);
}

void page_fill(void *page, unsigned int id, size_t index, uint32_t gen)
{
	volatile uint64_t *word = page;
	uint64_t value = page_tag(id, index, gen);

	for (size_t i = 0; i < PAGE_WORDS; i++, value += WORD_STEP)
		word[i] = value;
}

static _Noreturn void page_bad(struct worker *w, const uint64_t *word, size_t at, size_t index,
			       uint32_t gen)
{
	uint64_t got = word[at], tag = got - at * WORD_STEP;
	uint64_t again = *(volatile const uint64_t *)&word[at];

	if (got == 0)
		worker_fail(w, "page %zu generation %u: word %zu is zero (read again: %#jx)",
			    index, gen, at, (uintmax_t)again);
	worker_fail(w, "page %zu generation %u: word %zu is %#jx, which would be worker %ju page "
		    "%ju generation %ju (read again: %#jx)", index, gen, at, (uintmax_t)got,
		    (uintmax_t)(tag >> 52), (uintmax_t)(tag >> 28 & 0xffffff),
		    (uintmax_t)(tag & 0xfffffff), (uintmax_t)again);
}

void page_check(struct worker *w, const void *page, size_t index, uint32_t gen)
{
	const uint64_t *word = page;
	uint64_t value = gen ? page_tag(w->id, index, gen) : 0;
	uint64_t step = gen ? WORD_STEP : 0;

	for (size_t i = 0; i < PAGE_WORDS; i++, value += step) {
		if (word[i] != value)
			page_bad(w, word, i, index, gen);
	}
	atomic_fetch_add(&w->state->checked, 1);
}

void *map_anon(struct worker *w, size_t nr_pages, int extra_flags)
{
	void *at = mmap(NULL, nr_pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_ANONYMOUS | (extra_flags & MAP_SHARED ? 0 : MAP_PRIVATE) | extra_flags,
			-1, 0);

	if (at == MAP_FAILED)
		worker_fail(w, "mmap of %zu pages: %s", nr_pages, strerror(errno));
	return at;
}

/* @align in bytes, a power of two. */
void *map_aligned(struct worker *w, size_t nr_pages, size_t align)
{
	size_t len = nr_pages * PAGE_SIZE;
	unsigned char *at = map_anon(w, nr_pages + align / PAGE_SIZE, MAP_NORESERVE);
	size_t head = -(uintptr_t)at & (align - 1);

	if (head)
		munmap(at, head);
	munmap(at + head + len, align - head);
	return at + head;
}

void span_init(struct span *r, struct worker *w, void *at, size_t nr_pages)
{
	*r = (struct span){ .w = w, .at = at, .nr_pages = nr_pages };
	r->gen = calloc(nr_pages, sizeof(*r->gen));
	if (!r->gen)
		worker_fail(w, "out of memory");
}

static size_t span_index(const struct span *r, size_t page)
{
	return r->fold ? page % r->fold : page;
}

void span_write(struct span *r, size_t page)
{
	r->gen[page]++;
	page_fill(r->at + page * PAGE_SIZE, r->w->id, span_index(r, page), r->gen[page]);
}

void span_write_some(struct span *r, size_t nr)
{
	while (nr--)
		span_write(r, rng_below(&r->w->rng, r->nr_pages));
}

void span_check(struct span *r, size_t first, size_t nr)
{
	for (size_t i = first; i < first + nr; i++)
		page_check(r->w, r->at + i * PAGE_SIZE, span_index(r, i), r->gen[i]);
}

void span_check_all(struct span *r)
{
	span_check(r, 0, r->nr_pages);
}

/* The pages were given back to the kernel: they must read as zeros from here on. */
void span_zeroed(struct span *r, size_t first, size_t nr)
{
	memset(&r->gen[first], 0, nr * sizeof(*r->gen));
}

void span_free(struct span *r)
{
	if (r->at)
		munmap(r->at, r->nr_pages * PAGE_SIZE);
	free(r->gen);
	*r = (struct span){ 0 };
}
