// SPDX-License-Identifier: GPL-2.0-only
/* The file that tells the system call's number; syscall() is this file's own. */
#include <errno.h>
#include <unistd.h>

#include "internal.h"
#include "tree.h"

#include "fuzz.h"

#define FILE_NAME	"sys/kernel/mm/move_phys_pages/syscall_nr"

static long called;

/* Declared as in unistd.h, which only says so to those who ask for it. */
long syscall(long number, ...);

long syscall(long number, ...)
{
	called = number;
	errno = ENOSYS;
	return number % 2 ? 0 : -1;
}

static void remove_tree(void)
{
	tree_remove();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char sys[512];
	const struct mpp_roots roots = { .proc = "/nonexistent", .sys = sys, .device = "/dev/null" };
	struct fuzz_input in = { data, size };
	struct mpp_ctx *ctx = NULL;
	size_t len;
	char *text;
	int err;

	if (!*sys) {
		snprintf(sys, sizeof(sys), "%s/sys", tree_make());
		atexit(remove_tree);
	}
	text = fuzz_part(&in, &len);
	tree_write(FILE_NAME, text);
	called = 0;
	err = mpp_open_at(MPP_DOOR_SYSCALL, &roots, &ctx);
	/* What is called is the number that is there, and never a 0 for what is none. */
	FUZZ_CHECK(called >= 0 && (!called || called == strtol(text, NULL, 10)));
	FUZZ_CHECK(called || err == -EPROTO);
	FUZZ_CHECK(!err == (called % 2 == 1) && !err == !!ctx);
	mpp_unref(ctx);
	free(text);
	return 0;
}
