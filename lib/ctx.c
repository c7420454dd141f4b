// SPDX-License-Identifier: LGPL-2.1-or-later
/* Contexts: choosing a door and calling through it. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

const struct mpp_roots mpp_default_roots = {
	.proc = "/proc",
	.sys = "/sys",
	.device = "/dev/move_phys_pages",
};

/* In the order in which MPP_DOOR_AUTO tries them; it does not try those that must be asked for. */
static const struct mpp_door_ops *const doors[] = {
	&mpp_door_syscall,
	&mpp_door_device,
	&mpp_door_revmap,
};

static const struct mpp_door_ops *door_find(enum mpp_door door)
{
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++)
		if (doors[i]->id == door)
			return doors[i];
	return NULL;
}

static int open_first(struct mpp_ctx *ctx, const struct mpp_roots *roots)
{
	int result = -ENOSYS;

	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		int err;

		if (doors[i]->opt_in)
			continue;
		err = doors[i]->open(ctx, roots);
		if (!err) {
			ctx->door = doors[i];
			return 0;
		}
		/* A door that is there but shut tells more than one that is not there. */
		if (result == -ENOSYS)
			result = err;
	}
	return result;
}

int mpp_open_at(enum mpp_door door, const struct mpp_roots *roots, struct mpp_ctx **ctx)
{
	struct mpp_ctx *new;
	int err;

	if (door != MPP_DOOR_AUTO && !door_find(door))
		return -EINVAL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	atomic_init(&new->refs, 1);

	if (door == MPP_DOOR_AUTO) {
		err = open_first(new, roots);
	} else {
		new->door = door_find(door);
		err = new->door->open(new, roots);
	}
	if (err) {
		free(new);
		return err;
	}
	*ctx = new;
	return 0;
}

int mpp_open(enum mpp_door door, struct mpp_ctx **ctx)
{
	return mpp_open_at(door, &mpp_default_roots, ctx);
}

struct mpp_ctx *mpp_ref(struct mpp_ctx *ctx)
{
	atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

struct mpp_ctx *mpp_unref(struct mpp_ctx *ctx)
{
	if (ctx && atomic_fetch_sub(&ctx->refs, 1) == 1) {
		ctx->door->close(ctx);
		free(ctx);
	}
	return NULL;
}

enum mpp_door mpp_ctx_door(const struct mpp_ctx *ctx)
{
	return ctx->door->id;
}

const char *mpp_door_name(enum mpp_door door)
{
	const struct mpp_door_ops *ops = door_find(door);

	if (ops)
		return ops->name;
	return door == MPP_DOOR_AUTO ? "auto" : "?";
}

int mpp_door_probe(enum mpp_door door)
{
	struct mpp_ctx *ctx;
	int err = mpp_open(door, &ctx);

	if (!err)
		mpp_unref(ctx);
	return err;
}

int mpp_struct_check(const void *object, size_t size, size_t known)
{
	const unsigned char *byte = object;

	if (size < known)
		return -EINVAL;
	for (size_t i = known; i < size; i++)
		if (byte[i])
			return -EINVAL;
	return 0;
}

int mpp_move(struct mpp_ctx *ctx, const struct mpp_request *req)
{
	int flags = req->flags;
	int err;

	err = mpp_struct_check(req, req->size, sizeof(*req));
	if (err)
		return err;
	if (req->reserved)
		return -EINVAL;
	if (req->new_pages)
		flags |= MPP_MF_NEW_PAGES;
	else
		flags &= ~MPP_MF_NEW_PAGES;
	return ctx->door->move(ctx, req, flags);
}

int mpp_query(struct mpp_ctx *ctx, size_t nr_pages, const uint64_t *pages, int *status)
{
	const struct mpp_request req = {
		.size = sizeof(req),
		.nr_pages = nr_pages,
		.pages = pages,
		.status = status,
	};

	return ctx->door->move(ctx, &req, 0);
}
