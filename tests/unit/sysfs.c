// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcxl knows one place for sysfs, so the calls by which it looks there are redirected:
 * what an executable defines goes before what libc has.
 */
#include "sysfs.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree.h"

bool sysfs_recorded;

static const char *redirect(const char *path, char *to)
{
	if (!sysfs_recorded || (strncmp(path, "/sys/", 5) && strncmp(path, "/dev/", 5)))
		return path;
	snprintf(to, PATH_MAX, "%s", tree_path(path + 1));
	return to;
}

/* ISO C has no way from what dlsym() returns to a function but through memory. */
#define REAL(name)	(*(__typeof__(&name) *)(void *)&(void *){ dlsym(RTLD_NEXT, #name) })

int open64(const char *path, int flags, ...)
{
	char to[PATH_MAX];

	return REAL(open64)(redirect(path, to), flags, 0600);
}

DIR *opendir(const char *path)
{
	char to[PATH_MAX];

	return REAL(opendir)(redirect(path, to));
}

char *realpath(const char *path, char *resolved)
{
	char to[PATH_MAX];

	return REAL(realpath)(redirect(path, to), resolved);
}

int stat64(const char *path, struct stat64 *info)
{
	char to[PATH_MAX];

	return REAL(stat64)(redirect(path, to), info);
}

int lstat64(const char *path, struct stat64 *info)
{
	char to[PATH_MAX];

	return REAL(lstat64)(redirect(path, to), info);
}
