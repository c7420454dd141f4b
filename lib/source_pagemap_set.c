// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pages of several processes: one pagemap source after the other. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct set_source {
	struct mpp_source base;
	struct mpp_pagemap_options options;	/* but for .pid, those of each process */
	char *proc;
	pid_t *pids;
	size_t pos, nr_pids, pids_size;
	struct mpp_source *current;		/* the process of pids[pos], or NULL */
};

static struct set_source *to_set(struct mpp_source *src)
{
	return container_of(src, struct set_source, base);
}

static void set_free(struct mpp_source *src)
{
	struct set_source *set = to_set(src);

	mpp_source_unref(set->current);
	free(set->proc);
	free(set->pids);
	free(set);
}

static int open_current(struct set_source *set)
{
	int err;

	set->options.pid = set->pids[set->pos];
	err = mpp_pagemap_open_at(set->proc, &set->options, &set->current);
	if (err == -ESRCH)
		mpp_source_set_error(&set->base, "process %d is gone", (int)set->options.pid);
	else if (err == -EPERM)
		mpp_source_set_error(&set->base, "process %d may not be looked into: permission "
				     "denied", (int)set->options.pid);
	else if (err)
		mpp_source_set_error(&set->base, "process %d: %s", (int)set->options.pid,
				     strerror(-err));
	if (err)
		set->pos++;
	return err;
}

static int set_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records)
{
	struct set_source *set = to_set(src);
	int nr;

	while (set->pos < set->nr_pids) {
		if (mpp_source_is_cancelled(src))
			return -ECANCELED;
		if (!set->current) {
			nr = open_current(set);
			if (nr)
				return nr;
		}
		nr = mpp_source_read(set->current, nr_max, records);
		if (nr > 0 || nr == -ECANCELED)
			return nr;
		if (nr < 0)
			mpp_source_set_error(src, "%s", mpp_source_error(set->current));
		set->current = mpp_source_unref(set->current);
		set->pos++;
		if (nr < 0)
			return nr;
	}
	return 0;
}

static int set_va(const struct mpp_source *src, size_t index, uint64_t *va)
{
	const struct set_source *set = (const void *)src;

	return set->current ? mpp_source_va(set->current, index, va) : -ERANGE;
}

static const struct mpp_source_ops set_ops = {
	.read = set_read,
	.va = set_va,
	.free = set_free,
};

static int add_pid(struct set_source *set, pid_t pid)
{
	pid_t *pids;

	if (set->nr_pids == set->pids_size) {
		size_t size = set->pids_size ? set->pids_size * 2 : 64;

		pids = reallocarray(set->pids, size, sizeof(*pids));
		if (!pids)
			return -ENOMEM;
		set->pids = pids;
		set->pids_size = size;
	}
	set->pids[set->nr_pids++] = pid;
	return 0;
}

static int add_procs(struct set_source *set, const char *folder)
{
	char path[PATH_MAX];
	FILE *file;
	int pid, err = 0;

	if (snprintf(path, sizeof(path), "%s/cgroup.procs", folder) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!err && fscanf(file, "%d", &pid) == 1)
		/* 0 stands for a process that this PID namespace cannot see. */
		err = pid > 0 ? add_pid(set, pid) : 0;
	/* A threaded cgroup keeps its processes in the cgroup above it. */
	if (!err && ferror(file) && errno != EOPNOTSUPP)
		err = -errno;
	fclose(file);
	return err;
}

static int add_cgroup(struct set_source *set, const char *folder)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int err = add_procs(set, folder);
	DIR *dir;

	if (err)
		return err;
	dir = opendir(folder);
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >=
		    (int)sizeof(path))
			err = -ENAMETOOLONG;
		else
			err = add_cgroup(set, path);
		/* Removed while this looked. */
		if (err == -ENOENT || err == -ENODEV)
			err = 0;
	}
	closedir(dir);
	return err;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;

	return left < right ? -1 : left > right;
}

static int collect(struct set_source *set, const struct mpp_pagemap_set_options *options)
{
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < options->nr_pids && !err; i++)
		err = options->pids[i] > 0 ? add_pid(set, options->pids[i]) : -EINVAL;
	if (!err && options->cgroup)
		err = add_cgroup(set, options->cgroup);
	if (err || !set->nr_pids)
		return err;
	qsort(set->pids, set->nr_pids, sizeof(*set->pids), compare_pids);
	for (size_t i = 1; i < set->nr_pids; i++)
		if (set->pids[i] != set->pids[kept])
			set->pids[++kept] = set->pids[i];
	set->nr_pids = kept + 1;
	return 0;
}

int mpp_pagemap_set_open_at(const char *proc, const struct mpp_pagemap_set_options *options,
			    struct mpp_source **src)
{
	struct set_source *set;
	int err = mpp_struct_check(options, options->size, sizeof(*options));

	if (err)
		return err;
	if (options->reserved || options->flags & ~MPP_PAGEMAP_PER_PAGE ||
	    (options->va_end && options->va_end <= options->va_start) ||
	    (!options->nr_pids && !options->cgroup))
		return -EINVAL;
	set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	mpp_source_init(&set->base, &set_ops);
	set->options = (struct mpp_pagemap_options) {
		.size = sizeof(set->options),
		.flags = options->flags,
		.va_start = options->va_start,
		.va_end = options->va_end,
	};
	set->proc = strdup(proc);
	err = set->proc ? collect(set, options) : -ENOMEM;
	if (err) {
		set_free(&set->base);
		return err;
	}
	*src = &set->base;
	return 0;
}

int mpp_pagemap_set_open(const struct mpp_pagemap_set_options *options, struct mpp_source **src)
{
	return mpp_pagemap_set_open_at(mpp_default_roots.proc, options, src);
}
