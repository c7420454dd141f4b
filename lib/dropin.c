// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * move_phys_pages() with the arguments of the proposed system call: one context
 * per process, opened when first needed.  No lock is held over anything, so a
 * child of fork(2) can call whatever its parent's other threads were doing.
 */
#include <errno.h>

#include "internal.h"

static _Atomic(struct mpp_ctx *) shared;
static _Atomic(struct mpp_ctx *) abandoned;

static int shared_get(struct mpp_ctx **ctx)
{
	struct mpp_ctx *seen = atomic_load(&shared);
	struct mpp_ctx *mine;
	int err;

	if (!seen) {
		err = mpp_open(MPP_DOOR_AUTO, &mine);
		if (err)
			return err;
		if (atomic_compare_exchange_strong(&shared, &seen, mine))
			seen = mine;
		else
			mpp_unref(mine);	/* another thread was first; @seen is its */
	}
	*ctx = seen;
	return 0;
}

/*
 * A program that closes descriptors it does not know, as daemons do, takes ours
 * with it.  Another thread may still hold @dead, and its number may belong to
 * another file by now, so it is neither freed nor closed.
 */
static void shared_abandon(struct mpp_ctx *dead)
{
	struct mpp_ctx *expected = dead;

	if (!atomic_compare_exchange_strong(&shared, &expected, NULL))
		return;
	dead->abandoned_next = atomic_load(&abandoned);
	while (!atomic_compare_exchange_weak(&abandoned, &dead->abandoned_next, dead))
		;
}

long move_phys_pages(unsigned long nr_pages, const uint64_t *pages, const int *nodes,
		     int *status, int flags, uint64_t *new_pages)
{
	const struct mpp_request req = {
		.size = sizeof(req),
		.nr_pages = nr_pages,
		.pages = pages,
		.nodes = nodes,
		.status = status,
		.new_pages = new_pages,
	};
	struct mpp_ctx *ctx;
	int result;

	for (int attempt = 0;; attempt++) {
		result = shared_get(&ctx);
		if (result)
			break;
		/* Not mpp_move(): here the caller's flags say whether new_pages counts. */
		result = ctx->door->move(ctx, &req, flags);
		if ((result != -EBADF && result != -ENOTTY) || attempt)
			break;
		shared_abandon(ctx);
	}
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return result;
}
