// SPDX-License-Identifier: GPL-2.0-only
/*
 * mpp-stress: the sweep.  A thread walks all physical memory, holes and what
 * lies beyond included, in pieces of random size and order, and asks for
 * each piece to be moved with random flags.  Every answer is checked against
 * what the contract allows and, where the new address is told, against the
 * memory blocks of the nodes.
 */
#include "stress.h"

#include <stdarg.h>

#define GUARD		64		/* entries behind the arrays that must stay as they are */
#define SENTINEL	0x5a5a5a5a
#define BEYOND		(256ul << 20)	/* how far beyond the end of memory the sweep goes */

struct call {
	size_t nr;
	uint32_t flags;
	bool query;
	bool mixed;			/* several targets in one call */
	int node;			/* the target when not mixed */
};

struct sweep {
	pthread_t thread;
	const struct machine *m;
	uint64_t rng;
	_Atomic uint32_t stop;
	_Atomic uint32_t failed;
	char why[256];
	pthread_mutex_t lock;		/* of totals */
	struct sweep_totals totals;
	size_t cursor;			/* the pass: pieces in random order, see next_piece() */
	size_t nr_pieces;
	uint32_t *pieces;
	uint64_t *asked;		/* by piece: the last call that named it */
	uint16_t *users;		/* by piece: user pages that it had then */
	uint64_t pages[SWEEP_MAX + GUARD];
	int nodes[SWEEP_MAX + GUARD];
	int status[SWEEP_MAX + GUARD];
	uint64_t new_pages[SWEEP_MAX + GUARD];
};

#define PIECE_PAGES	512ul

static void sweep_fail(struct sweep *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void sweep_fail(struct sweep *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, args);
	va_end(args);
	atomic_store(&s->failed, 1);
}

/* Every piece of memory comes once in a pass, in a new order each time. */
static size_t next_piece(struct sweep *s)
{
	if (s->cursor == s->nr_pieces) {
		for (size_t i = s->nr_pieces - 1; i > 0; i--) {
			size_t j = rng_below(&s->rng, i + 1);
			uint32_t swap = s->pieces[i];

			s->pieces[i] = s->pieces[j];
			s->pieces[j] = swap;
		}
		s->cursor = 0;
	}
	return s->pieces[s->cursor++];
}

/*
 * Mostly pieces that had many user pages when last seen: by far the most memory
 * is free or the kernel's, and to hear that again and again proves little.
 */
static size_t pick_piece(struct sweep *s)
{
	size_t piece = next_piece(s);

	if (rng_below(&s->rng, 4) == 0)
		return piece;
	for (int tries = 0; tries < 64 && s->users[piece] < PIECE_PAGES / 16; tries++)
		piece = rng_below(&s->rng, s->nr_pieces);
	return piece;
}

static void note_users(struct sweep *s, uint64_t page, int status)
{
	size_t piece = page / (PIECE_PAGES * PAGE_SIZE);

	if (s->asked[piece] != s->totals.calls) {
		s->asked[piece] = s->totals.calls;
		s->users[piece] = 0;
	}
	s->users[piece] += status >= 0 || status == -EAGAIN || status == -EBUSY ||
			   status == -ESRCH || status == -EXDEV;
}

static void shuffle(struct sweep *s, size_t nr)
{
	for (size_t i = nr - 1; i > 0; i--) {
		size_t j = rng_below(&s->rng, i + 1);
		uint64_t swap = s->pages[i];

		s->pages[i] = s->pages[j];
		s->pages[j] = swap;
	}
}

/* Addresses: one piece or several, in order, backwards, shuffled or with repeats. */
static size_t pick_pages(struct sweep *s)
{
	size_t nr = 0, limit = 1 + rng_below(&s->rng, SWEEP_MAX);

	if (rng_below(&s->rng, 8) == 0)
		limit = 1 + rng_below(&s->rng, 16);
	while (nr < limit) {
		uint64_t first = pick_piece(s) * PIECE_PAGES * PAGE_SIZE;

		for (size_t i = 0; i < PIECE_PAGES && nr < limit; i++)
			s->pages[nr++] = first + i * PAGE_SIZE + rng_below(&s->rng, PAGE_SIZE);
	}
	switch (rng_below(&s->rng, 4)) {
	case 0:
		shuffle(s, nr);
		break;
	case 1:
		for (size_t i = 0; i < nr / 2; i++) {
			uint64_t swap = s->pages[i];

			s->pages[i] = s->pages[nr - 1 - i];
			s->pages[nr - 1 - i] = swap;
		}
		break;
	case 2:
		for (size_t i = 0; i < nr / 16; i++)
			s->pages[rng_below(&s->rng, nr)] = s->pages[rng_below(&s->rng, nr)];
		break;
	}
	return nr;
}

static uint32_t one_in(struct sweep *s, size_t n, uint32_t flag)
{
	return rng_below(&s->rng, n) == 0 ? flag : 0;
}

static void prepare(struct sweep *s, struct call *c)
{
	const struct machine *m = s->m;

	*c = (struct call){ .nr = pick_pages(s) };
	c->flags = rng_below(&s->rng, 8) ? MPOL_MF_MOVE_ALL : MPOL_MF_MOVE;
	c->flags |= rng_below(&s->rng, 3) ? MPP_MF_UNMAPPED : 0;
	c->flags |= rng_below(&s->rng, 4) ? MPP_MF_NEW_PAGES : 0;
	c->flags |= one_in(s, 4, MPP_MF_IGNORE_MEMPOLICY) | one_in(s, 8, MPP_MF_SYNC) |
		    one_in(s, 16, MPP_MF_RECLAIM) | one_in(s, 12, MPP_MF_DRY_RUN);
	c->query = one_in(s, 20, 1);
	c->mixed = one_in(s, 4, 1);
	c->node = m->nodes[rng_below(&s->rng, (size_t)m->nr_nodes)];
	for (size_t i = 0; i < c->nr; i++) {
		s->nodes[i] = c->node;
		if (c->mixed)
			s->nodes[i] = m->nodes[rng_below(&s->rng, (size_t)m->nr_nodes)];
		if (c->mixed && rng_below(&s->rng, 64) == 0)
			s->nodes[i] = rng_below(&s->rng, 2) ? -1 : 1000;
	}
	for (size_t i = 0; i < SWEEP_MAX + GUARD; i++) {
		s->status[i] = SENTINEL;
		s->new_pages[i] = SENTINEL;
	}
}

static bool errno_allowed(int err)
{
	static const int allowed[] = { ENXIO, ENOENT, ESRCH, EFAULT, EACCES, EXDEV, EPERM, ENODEV,
				       EHWPOISON, EBUSY, EAGAIN, ENOMEM, EOPNOTSUPP };

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (allowed[i] == err)
			return true;
	}
	return false;
}

/* Where the contents are must be on the node that the status names. */
static void check_place(struct sweep *s, const struct call *c, size_t i)
{
	uint64_t was = s->pages[i] & ~(PAGE_SIZE - 1), now = s->new_pages[i] & ~(PAGE_SIZE - 1);
	int node = machine_node_of(s->m, now), status = s->status[i];

	if (status < 0 || c->query || c->flags & MPP_MF_DRY_RUN) {
		if (now != was)
			sweep_fail(s, "page %#lx has status %d but the new address %#lx", was,
				   status, now);
		return;
	}
	if (node >= 0 && node != status)
		sweep_fail(s, "page %#lx: status says node %d, the new address %#lx is on node %d",
			   was, status, now, node);
	if (now == was)
		s->totals.already++;
	else if (status < MAX_NODES)
		s->totals.moved_to[status]++;
	s->totals.moved += now != was;
}

static void check_entry(struct sweep *s, const struct call *c, size_t i)
{
	int status = s->status[i];

	if (status == SENTINEL) {
		sweep_fail(s, "entry %zu of %zu was not answered", i, c->nr);
	} else if (status < 0) {
		if (!errno_allowed(-status))
			sweep_fail(s, "page %#lx: status %d is none of the contract's",
				   s->pages[i], status);
		else
			s->totals.errnos[-status]++;
	} else if (status >= MAX_NODES) {
		sweep_fail(s, "page %#lx: status %d is not a node", s->pages[i], status);
	} else if (!c->query && !c->mixed && status != c->node) {
		/* With several targets, the first entry of a large folio decides for all. */
		sweep_fail(s, "page %#lx: status %d, asked for node %d", s->pages[i], status,
			   c->node);
	} else if (c->flags & MPP_MF_DRY_RUN) {
		s->totals.dry_run++;
	} else if (!(c->flags & MPP_MF_NEW_PAGES)) {
		s->totals.placed++;
	}
	if (c->flags & MPP_MF_NEW_PAGES)
		check_place(s, c, i);
}

static void check_guards(struct sweep *s, const struct call *c)
{
	for (size_t i = c->nr; i < SWEEP_MAX + GUARD; i++) {
		if (s->status[i] != SENTINEL || s->new_pages[i] != SENTINEL)
			sweep_fail(s, "a call with %zu entries wrote entry %zu", c->nr, i);
	}
	if (c->flags & MPP_MF_NEW_PAGES)
		return;
	for (size_t i = 0; i < c->nr; i++) {
		if (s->new_pages[i] != SENTINEL)
			sweep_fail(s, "new_pages was written without MPP_MF_NEW_PAGES");
	}
}

static void check_answers(struct sweep *s, const struct call *c, long ret)
{
	long off_target = 0;

	pthread_mutex_lock(&s->lock);
	s->totals.calls++;
	s->totals.entries += c->nr;
	for (size_t i = 0; i < c->nr; i++) {
		check_entry(s, c, i);
		note_users(s, s->pages[i], s->status[i]);
		if (c->query ? s->status[i] < 0 : s->status[i] != s->nodes[i])
			off_target++;
	}
	pthread_mutex_unlock(&s->lock);
	check_guards(s, c);
	if (ret != off_target)
		sweep_fail(s, "the call returned %ld, but %ld of %zu entries are off their target",
			   ret, off_target, c->nr);
}

static void *sweep_run(void *arg)
{
	struct sweep *s = arg;

	while (!atomic_load(&s->stop) && !atomic_load(&s->failed)) {
		struct call c;
		long ret;

		prepare(s, &c);
		ret = mpp(c.nr, s->pages, c.query ? NULL : s->nodes, s->status, (int)c.flags,
			  s->new_pages);
		if (ret >= 0)
			check_answers(s, &c, ret);
		else
			sweep_fail(s, "a call with %zu entries, flags %#x, failed: %s", c.nr,
				   c.flags, status_name((int)ret));
	}
	return NULL;
}

static void sweep_free(struct sweep *s)
{
	free(s->pieces);
	free(s->asked);
	free(s->users);
	free(s);
}

/* NULL with errno set. */
struct sweep *sweep_start(const struct machine *m, uint64_t seed)
{
	struct sweep *s = calloc(1, sizeof(*s));
	int err = ENOMEM;

	if (!s)
		return NULL;
	s->m = m;
	s->rng = seed;
	pthread_mutex_init(&s->lock, NULL);
	s->nr_pieces = (m->end + BEYOND) / (PIECE_PAGES * PAGE_SIZE);
	s->cursor = s->nr_pieces;
	s->pieces = calloc(s->nr_pieces, sizeof(*s->pieces));
	s->asked = calloc(s->nr_pieces, sizeof(*s->asked));
	s->users = calloc(s->nr_pieces, sizeof(*s->users));
	if (!s->pieces || !s->asked || !s->users)
		goto err_free;
	for (size_t i = 0; i < s->nr_pieces; i++)
		s->pieces[i] = (uint32_t)i;
	err = pthread_create(&s->thread, NULL, sweep_run, s);
	if (!err)
		return s;
err_free:
	sweep_free(s);
	errno = err;
	return NULL;
}

bool sweep_failed(struct sweep *s)
{
	return atomic_load(&s->failed);
}

void sweep_add_totals(struct sweep *s, struct sweep_totals *sum)
{
	const uint64_t *from = (const uint64_t *)&s->totals;
	uint64_t *to = (uint64_t *)sum;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
	pthread_mutex_unlock(&s->lock);
}

/* Ends the thread; -1 and @why when an answer was wrong. */
int sweep_stop(struct sweep *s, char *why, size_t len)
{
	int failed;

	atomic_store(&s->stop, 1);
	pthread_join(s->thread, NULL);
	failed = atomic_load(&s->failed) ? -1 : 0;
	if (failed)
		snprintf(why, len, "%s", s->why);
	sweep_free(s);
	return failed;
}
