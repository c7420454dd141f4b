// SPDX-License-Identifier: LGPL-2.1-or-later
/* The door of a stock kernel with the module: an ioctl on /dev/move_phys_pages. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/move_phys_pages_dev.h>

#include "internal.h"

static int device_move(struct mpp_ctx *ctx, const struct mpp_request *req, int flags)
{
	struct mpp_move arg = {
		.size = sizeof(arg),
		.flags = (__u32)flags,
		.nr_pages = req->nr_pages,
		.pages = (uintptr_t)req->pages,
		.nodes = (uintptr_t)req->nodes,
		.status = (uintptr_t)req->status,
		.new_pages = (uintptr_t)req->new_pages,
	};
	int nr_missed = ioctl(ctx->fd, MPP_IOC_MOVE, &arg);

	return nr_missed < 0 ? -errno : nr_missed;
}

static void device_close(struct mpp_ctx *ctx)
{
	close(ctx->fd);
}

static int device_open(struct mpp_ctx *ctx, const struct mpp_roots *roots)
{
	static const struct mpp_request nothing = { .size = sizeof(nothing) };
	int err;

	ctx->fd = open(roots->device, O_RDWR | O_CLOEXEC);
	if (ctx->fd < 0) {
		switch (errno) {
		case ENOENT:
		case ENOTDIR:
		case ENXIO:	/* a node in /dev whose module is gone */
		case ENODEV:
			return -ENOSYS;
		case EACCES:
			return -EPERM;
		default:
			return -errno;
		}
	}
	/* A request for no pages tells our device from any other file. */
	err = device_move(ctx, &nothing, 0);
	if (err) {
		device_close(ctx);
		return err == -ENOTTY || err > 0 ? -ENODEV : err;
	}
	return 0;
}

const struct mpp_door_ops mpp_door_device = {
	.id = MPP_DOOR_DEVICE,
	.name = "device",
	.open = device_open,
	.close = device_close,
	.move = device_move,
};
