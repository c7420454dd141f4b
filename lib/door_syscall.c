// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The door of a kernel that carries the patch series: the system call.  Its
 * number is not settled, so the kernel tells it in a file.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

static int syscall_move(struct mpp_ctx *ctx, const struct mpp_request *req, int flags)
{
	long nr_missed = syscall(ctx->syscall_nr, (unsigned long)req->nr_pages, req->pages,
				 req->nodes, req->status, flags, req->new_pages);

	return nr_missed < 0 ? -errno : (int)nr_missed;
}

static void syscall_close(struct mpp_ctx *ctx)
{
	ctx->syscall_nr = -1;
}

static int read_number(const struct mpp_roots *roots, long *number)
{
	char path[PATH_MAX];
	char text[32];
	char *end;
	int len;

	snprintf(path, sizeof(path), "%s/kernel/mm/move_phys_pages/syscall_nr", roots->sys);
	len = mpp_read_file(path, sizeof(text), text);
	if (len == -ENOENT || len == -ENOTDIR)
		return -ENOSYS;
	if (len == -EACCES)
		return -EPERM;
	if (len < 0)
		return len;
	if (len == sizeof(text) - 1)
		return -EPROTO;		/* there may be more of it */

	errno = 0;
	*number = strtol(text, &end, 10);
	/* 0 is read(2) on some machines: never take a garbled file for a number. */
	if (errno || end == text || (*end && *end != '\n') || *number <= 0)
		return -EPROTO;
	return 0;
}

static int syscall_open(struct mpp_ctx *ctx, const struct mpp_roots *roots)
{
	static const struct mpp_request nothing = { .size = sizeof(nothing) };
	int err = read_number(roots, &ctx->syscall_nr);

	if (err)
		return err;
	err = syscall_move(ctx, &nothing, 0);
	return err > 0 ? -EPROTO : err;
}

const struct mpp_door_ops mpp_door_syscall = {
	.id = MPP_DOOR_SYSCALL,
	.name = "syscall",
	.open = syscall_open,
	.close = syscall_close,
	.move = syscall_move,
};
