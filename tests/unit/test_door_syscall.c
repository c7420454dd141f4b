// SPDX-License-Identifier: GPL-2.0-only
/*
 * The door of a patched kernel: that the number in sysfs is the one that is
 * called, with the arguments in their places.  syscall() is this file's own.
 */
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"
#include "tree.h"

/* Beyond every number that Linux has given out. */
#define NUMBER		4711
#define NUMBER_FILE	"sys/kernel/mm/move_phys_pages/syscall_nr"

static struct {
	long nr_calls;
	unsigned long args[6];
	long answer;		/* what the kernel would return: a negative errno fails */
} kernel;

/* Declared as in unistd.h, which only says so to those who ask for it. */
long syscall(long number, ...);

long syscall(long number, ...)
{
	unsigned long args[6];
	va_list list;

	va_start(list, number);
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		args[i] = va_arg(list, unsigned long);
	va_end(list);
	if (number != NUMBER) {
		errno = ENOSYS;
		return -1;
	}
	kernel.nr_calls++;
	memcpy(kernel.args, args, sizeof(args));
	if (kernel.answer < 0) {
		errno = (int)-kernel.answer;
		return -1;
	}
	return kernel.answer;
}

static struct mpp_roots roots_of_tree(void)
{
	static char sys[512], device[512];

	snprintf(sys, sizeof(sys), "%s", tree_path("sys"));
	snprintf(device, sizeof(device), "%s", tree_path("dev/move_phys_pages"));
	return (struct mpp_roots) { .proc = "/proc", .sys = sys, .device = device };
}

static struct mpp_ctx *open_syscall(enum mpp_door door)
{
	struct mpp_ctx *ctx = NULL;
	struct mpp_roots roots;

	memset(&kernel, 0, sizeof(kernel));
	tree_make();
	roots = roots_of_tree();
	tree_write(NUMBER_FILE, "4711\n");
	CHECK_INT(mpp_open_at(door, &roots, &ctx), 0);
	tree_remove();
	return ctx;
}

/* Opening asks for no pages, which moves nothing and tells whether one may call. */
static void opens(void)
{
	struct mpp_ctx *ctx = open_syscall(MPP_DOOR_SYSCALL);

	CHECK_INT(mpp_ctx_door(ctx), MPP_DOOR_SYSCALL);
	CHECK_INT(kernel.nr_calls, 1);
	for (size_t i = 0; i < ARRAY_LEN(kernel.args); i++)
		CHECK_INT((int)kernel.args[i], 0);
	mpp_unref(ctx);
}

static void comes_first(void)
{
	struct mpp_ctx *ctx = NULL;
	struct mpp_roots roots;

	memset(&kernel, 0, sizeof(kernel));
	tree_make();
	roots = roots_of_tree();
	tree_write(NUMBER_FILE, "4711");
	tree_write("dev/move_phys_pages", "not a device, and not to be opened");
	CHECK_INT(mpp_open_at(MPP_DOOR_AUTO, &roots, &ctx), 0);
	CHECK_INT(mpp_ctx_door(ctx), MPP_DOOR_SYSCALL);
	mpp_unref(ctx);
	tree_remove();
}

static void passes_arguments(void)
{
	struct mpp_ctx *ctx = open_syscall(MPP_DOOR_AUTO);
	uint64_t pages[3] = { 0x1000, 0x2000, 0x3000 }, new_pages[3];
	int nodes[3] = { 1, 1, 1 }, status[3];
	struct mpp_request req = {
		.size = sizeof(req),
		.flags = MPOL_MF_MOVE_ALL | MPP_MF_SYNC,
		.nr_pages = 3,
		.pages = pages,
		.nodes = nodes,
		.status = status,
		.new_pages = new_pages,
	};

	kernel.answer = 2;
	CHECK_INT(mpp_move(ctx, &req), 2);
	CHECK_INT(kernel.args[0], 3);
	CHECK_INT(kernel.args[1], (uintptr_t)pages);
	CHECK_INT(kernel.args[2], (uintptr_t)nodes);
	CHECK_INT(kernel.args[3], (uintptr_t)status);
	CHECK_INT((int)kernel.args[4], MPOL_MF_MOVE_ALL | MPP_MF_SYNC | MPP_MF_NEW_PAGES);
	CHECK_INT(kernel.args[5], (uintptr_t)new_pages);

	kernel.answer = 0;
	CHECK_INT(mpp_query(ctx, 2, pages, status), 0);
	CHECK_INT(kernel.args[0], 2);
	CHECK_INT(kernel.args[2], 0);
	CHECK_INT((int)kernel.args[4], 0);
	CHECK_INT(kernel.args[5], 0);

	/* More than a structure of 32 bits would hold: the kernel is to refuse it, not we. */
	req.nr_pages = 1UL << 32;
	kernel.answer = -EINVAL;
	CHECK_INT(mpp_move(ctx, &req), -EINVAL);
	CHECK_INT(kernel.args[0] >> 32, 1);
	mpp_unref(ctx);
}

static void tells_errors(void)
{
	static const int errors[] = { EFAULT, EINTR, ENOMEM, EPERM };
	struct mpp_ctx *ctx = open_syscall(MPP_DOOR_SYSCALL);
	uint64_t page = 0;
	int status;

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		kernel.answer = -errors[i];
		CHECK_INT(mpp_query(ctx, 1, &page, &status), -errors[i]);
	}
	mpp_unref(ctx);
}

static void does_not_open(void)
{
	static const struct {
		long answer;
		int err;
	} cases[] = {
		{ -EPERM, -EPERM },
		{ -ENOSYS, -ENOSYS },
		{ 1, -EPROTO },	/* no pages, and yet one is missed: another call's number */
	};
	struct mpp_ctx *ctx = NULL;
	struct mpp_roots roots;

	tree_make();
	roots = roots_of_tree();
	tree_write(NUMBER_FILE, "4711\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		kernel.answer = cases[i].answer;
		CHECK_INT(mpp_open_at(MPP_DOOR_SYSCALL, &roots, &ctx), cases[i].err);
		CHECK_INT(mpp_open_at(MPP_DOOR_AUTO, &roots, &ctx), cases[i].err);
		CHECK(!ctx);
	}
	tree_remove();
}

TAP_MAIN(
	{ "the number in sysfs is called, with no pages", opens },
	{ "it comes before the device", comes_first },
	{ "arguments in their places", passes_arguments },
	{ "errors", tells_errors },
	{ "a call that is shut, missing, or another one", does_not_open },
)
