// SPDX-License-Identifier: LGPL-2.1-or-later
/* What all sources have in common. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"

void mpp_source_init(struct mpp_source *src, const struct mpp_source_ops *ops)
{
	atomic_init(&src->refs, 1);
	atomic_init(&src->cancelled, false);
	src->cancel_fd = -1;
	src->ops = ops;
	src->inner = NULL;
	src->error[0] = '\0';
}

int mpp_source_init_cancel(struct mpp_source *src)
{
	src->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return src->cancel_fd < 0 ? -errno : 0;
}

int mpp_source_wait(struct mpp_source *src, int fd, int timeout_ms)
{
	/* poll(2) passes over descriptors below 0. */
	struct pollfd fds[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = src->cancel_fd, .events = POLLIN },
	};
	int nr = poll(fds, ARRAY_SIZE(fds), timeout_ms);

	if (mpp_source_is_cancelled(src))
		return -ECANCELED;
	if (nr < 0)
		return -errno;
	return nr > 0;
}

const char *mpp_source_name(uint32_t source)
{
	static const char *const names[] = {
		[MPP_SOURCE_TEXT] = "text",
		[MPP_SOURCE_PAGEMAP] = "pagemap",
		[MPP_SOURCE_PERF] = "perf",
		[MPP_SOURCE_ZONEINFO] = "zoneinfo",
		[MPP_SOURCE_IDLE] = "idle",
		[MPP_SOURCE_CXL] = "cxl",
		[MPP_SOURCE_DAMON] = "damon",
	};

	return source < ARRAY_SIZE(names) && names[source] ? names[source] : "?";
}

struct mpp_source *mpp_source_ref(struct mpp_source *src)
{
	atomic_fetch_add(&src->refs, 1);
	return src;
}

struct mpp_source *mpp_source_unref(struct mpp_source *src)
{
	if (src && atomic_fetch_sub(&src->refs, 1) == 1) {
		if (src->cancel_fd >= 0)
			close(src->cancel_fd);
		src->ops->free(src);
	}
	return NULL;
}

int mpp_source_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records)
{
	src->error[0] = '\0';
	if (mpp_source_is_cancelled(src))
		return -ECANCELED;
	if (nr_max > INT32_MAX)
		nr_max = INT32_MAX;
	return src->ops->read(src, nr_max, records);
}

int mpp_source_ready(struct mpp_source *src)
{
	if (mpp_source_is_cancelled(src) || !src->ops->ready)
		return 1;
	return src->ops->ready(src);
}

/* Called from signal handlers: a flag and a write(2), nothing else. */
void mpp_source_cancel(struct mpp_source *src)
{
	const uint64_t one = 1;
	int saved_errno = errno;

	atomic_store(&src->cancelled, true);
	if (src->cancel_fd >= 0 && write(src->cancel_fd, &one, sizeof(one)) < 0)
		errno = saved_errno;	/* full, so already readable */
	if (src->inner)
		mpp_source_cancel(src->inner);
}

bool mpp_source_is_cancelled(const struct mpp_source *src)
{
	return atomic_load(&src->cancelled);
}

const char *mpp_source_error(const struct mpp_source *src)
{
	return src->error;
}

void mpp_source_set_error(struct mpp_source *src, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(src->error, sizeof(src->error), fmt, args);
	va_end(args);
	/* Names and lines come from outside: keep terminal escapes out. */
	for (char *c = src->error; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

int mpp_source_va(const struct mpp_source *src, size_t index, uint64_t *va)
{
	return src->ops->va ? src->ops->va(src, index, va) : -ENOTSUP;
}
