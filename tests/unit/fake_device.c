// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stand-in for /dev/move_phys_pages, linked into a test or preloaded into the
 * command, so that user space is tested without a kernel that has the device.
 * It keeps no memory of pages; an address says by itself what becomes of it:
 *
 *   bits 36..39  the node that the frame is on; moving changes just these
 *   bits 40..47  an errno to answer with, 0 for none; EACCES and ESRCH give way
 *                to MPOL_MF_MOVE_ALL and MPP_MF_UNMAPPED
 *   bit 48       busy (-EBUSY) in the first two calls that move
 *
 * Environment: FAKE_MPP_MODE is absent, denied or foreign; FAKE_MPP_LOG names a
 * file that gets a line per call; FAKE_MPP_SIGNAL, FAKE_MPP_EINTR, FAKE_MPP_FAIL
 * say at which moving call, from 1, half of it is done and SIGINT comes, EINTR
 * is answered, or EFAULT is answered.  fdatasync() writes a line to the log, too, and
 * fails with EIO where FAKE_MPP_EIO is set.  FAKE_MPP_ROOT is a folder
 * whose files are opened instead of those of the same names below /.
 */
/* With it open() would be another name of open64(), and both are needed here. */
#undef _FILE_OFFSET_BITS

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/mempolicy.h>
#include <linux/move_phys_pages_dev.h>

#define NODE_SHIFT	36
#define NODE_MASK	(UINT64_C(0xf) << NODE_SHIFT)
#define ERRNO_SHIFT	40
#define BUSY_BIT	(UINT64_C(1) << 48)
#define BUSY_CALLS	2

static atomic_bool given_out[1024];	/* descriptors that open_any() gave out */
static atomic_int nr_moves;

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
int ioctl(int fd, unsigned long request, ...);

static int is_mode(const char *mode)
{
	const char *wanted = getenv("FAKE_MPP_MODE");

	return wanted && !strcmp(wanted, mode);
}

static int open_any(const char *path, int flags, mode_t mode)
{
	const char *root = getenv("FAKE_MPP_ROOT");
	char instead[1024];
	int fd;

	snprintf(instead, sizeof(instead), "%s%s", root ? root : "", path);
	if (root && *path == '/' && !access(instead, F_OK))
		path = instead;
	if (strcmp(path, "/dev/move_phys_pages"))
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (is_mode("absent") || is_mode("denied")) {
		errno = is_mode("absent") ? ENOENT : EACCES;
		return -1;
	}
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", flags, 0);
	if (fd >= 0 && fd < 1024)
		atomic_store(&given_out[fd], true);
	return fd;
}

static mode_t take_mode(int flags, va_list args)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = take_mode(flags, args);
	va_end(args);
	return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = take_mode(flags, args);
	va_end(args);
	return open_any(path, flags, mode);
}

static int status_of(uint64_t page, unsigned int flags, int moving, int target)
{
	int err = (int)(page >> ERRNO_SHIFT & 0xff);

	if ((err == EACCES && (!moving || flags & MPOL_MF_MOVE_ALL)) ||
	    (err == ESRCH && flags & MPP_MF_UNMAPPED))
		err = 0;
	if (err)
		return -err;
	if (!moving)
		return (int)((page & NODE_MASK) >> NODE_SHIFT);
	if (page & BUSY_BIT && nr_moves <= BUSY_CALLS)
		return -EBUSY;
	return target;
}

static FILE *open_log(void)
{
	const char *path = getenv("FAKE_MPP_LOG");

	return path ? fopen(path, "ae") : NULL;
}

int fdatasync(int fd)
{
	FILE *file = open_log();

	if (file) {
		fputs("fdatasync\n", file);
		fclose(file);
	}
	if (getenv("FAKE_MPP_EIO")) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void write_log(const struct mpp_move *arg)
{
	const uint64_t *pages = (const void *)(uintptr_t)arg->pages;
	const int *nodes = (const void *)(uintptr_t)arg->nodes;
	FILE *file = arg->nr_pages ? open_log() : NULL;

	if (!file)
		return;
	fprintf(file, "%s nr=%llu first=0x%llx last=0x%llx flags=0x%x to=%d\n",
		nodes ? "move" : "query", (unsigned long long)arg->nr_pages,
		(unsigned long long)pages[0], (unsigned long long)pages[arg->nr_pages - 1],
		arg->flags, nodes ? nodes[0] : -1);
	fclose(file);
}

static int is_turn(const char *name)
{
	const char *value = getenv(name);

	return value && atoi(value) == nr_moves;
}

static int answer(const struct mpp_move *arg)
{
	const uint64_t *pages = (const void *)(uintptr_t)arg->pages;
	const int *nodes = (const void *)(uintptr_t)arg->nodes;
	int *status = (void *)(uintptr_t)arg->status;
	uint64_t *new_pages = (void *)(uintptr_t)arg->new_pages;
	uint64_t nr = arg->nr_pages;
	int nr_missed = 0, err = 0;

	if (nodes && nr)
		nr_moves++;
	if (nodes && nr && (is_turn("FAKE_MPP_SIGNAL") || is_turn("FAKE_MPP_EINTR"))) {
		nr /= 2;
		err = EINTR;
	}
	if (nodes && nr && is_turn("FAKE_MPP_FAIL")) {
		nr /= 2;
		err = EFAULT;
	}
	for (uint64_t i = 0; i < nr; i++) {
		status[i] = status_of(pages[i], arg->flags, nodes != NULL, nodes ? nodes[i] : 0);
		nr_missed += status[i] < 0;
		if (!(arg->flags & MPP_MF_NEW_PAGES))
			continue;
		new_pages[i] = pages[i];
		if (nodes && status[i] >= 0 && !(arg->flags & MPP_MF_DRY_RUN))
			new_pages[i] = (pages[i] & ~NODE_MASK) | (uint64_t)nodes[i] << NODE_SHIFT;
	}
	if (nodes && arg->nr_pages && is_turn("FAKE_MPP_SIGNAL"))
		raise(SIGINT);
	if (err) {
		errno = err;
		return -1;
	}
	return nr_missed;
}

/* Still the file that open_any() made, not closed or another one by now? */
static int is_ours(int fd)
{
	struct stat info;

	return fd >= 0 && fd < 1024 && given_out[fd] && !fstat(fd, &info) &&
	       info.st_rdev == makedev(1, 3);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request != MPP_IOC_MOVE || !is_ours(fd) || is_mode("foreign"))
		return (int)syscall(SYS_ioctl, fd, request, arg);
	write_log(arg);
	return answer(arg);
}
