// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Monitors in DAMON's sysfs, as Documentation/admin-guide/mm/damon/usage.rst has it.
 *
 * Writing to nr_kdamonds removes the kdamonds that are there with all their
 * settings, and is refused while one runs.  So a monitor of our own is only set up
 * where nobody else has one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "damon.h"
#include "memory.h"

#define BUSY_TRIES	200
#define BUSY_WAIT_NS	20000000
#define NS_PER_US	1000

#define CONTEXT		"contexts/0/"
#define ATTRS		CONTEXT "monitoring_attrs/"
#define SCHEME		CONTEXT "schemes/0/"
#define REGIONS		CONTEXT "targets/0/regions/"

/* ---- Files ---- */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	size_t len = strlen(text);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		err = -errno;
	close(fd);
	return err;
}

/* The kernel lets one in at a time and sends others away at once. */
static int write_patiently(const char *path, const char *text)
{
	const struct timespec pause = { .tv_nsec = BUSY_WAIT_NS };
	int err = -EBUSY;

	for (int i = 0; i < BUSY_TRIES && err == -EBUSY; i++) {
		if (i)
			nanosleep(&pause, NULL);
		err = write_file(path, text);
	}
	return err;
}

static void path_of(const struct damon_dir *dir, const char *name, char *path)
{
	snprintf(path, PATH_MAX, "%s/%u/%s", dir->kdamonds, dir->kdamond, name);
}

int damon_read_text(const struct damon_dir *dir, const char *name, size_t max_bytes, char *text)
{
	char path[PATH_MAX];
	int len;

	path_of(dir, name, path);
	len = mpp_read_file(path, max_bytes, text);
	if (len >= 0)
		text[strcspn(text, "\n")] = '\0';
	return len < 0 ? len : 0;
}

int damon_read(const struct damon_dir *dir, const char *name, uint64_t *value)
{
	char text[32], *end;
	unsigned long long number;
	int err = damon_read_text(dir, name, sizeof(text), text);

	if (err)
		return err;
	number = strtoull(text, &end, 10);
	if (end == text || *end)
		return -EPROTO;
	*value = number;
	return 0;
}

int damon_write_text(const struct damon_dir *dir, const char *name, const char *text)
{
	char path[PATH_MAX];

	path_of(dir, name, path);
	return write_patiently(path, text);
}

static int write_number(const struct damon_dir *dir, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return damon_write_text(dir, name, text);
}

bool damon_runs(const struct damon_dir *dir)
{
	char text[16];

	return !damon_read_text(dir, "state", sizeof(text), text) && !strcmp(text, "on");
}

/* ---- Finding ---- */

static int find_kdamonds(const struct mpp_roots *roots, struct damon_dir *dir, uint64_t *nr)
{
	char path[PATH_MAX], text[32];
	int len;

	*dir = (struct damon_dir) { .addr_unit = 1 };
	snprintf(dir->kdamonds, sizeof(dir->kdamonds), "%s/kernel/mm/damon/admin/kdamonds",
		 roots->sys);
	snprintf(path, sizeof(path), "%s/nr_kdamonds", dir->kdamonds);
	len = mpp_read_file(path, sizeof(text), text);
	if (len == -EACCES)
		return -EPERM;
	if (len < 0)
		return len == -ENOTDIR ? -ENOENT : len;
	*nr = strtoull(text, NULL, 10);
	return 0;
}

static int find_scheme(struct damon_dir *dir)
{
	char name[64], action[32];
	uint64_t nr = 0;
	int err = 0;

	damon_read(dir, CONTEXT "schemes/nr_schemes", &nr);
	if (!nr)
		return -ENODATA;
	/* Somebody else may take schemes away meanwhile. */
	for (unsigned int i = 0; i < nr && err != -ENOENT; i++) {
		snprintf(name, sizeof(name), CONTEXT "schemes/%u/action", i);
		err = damon_read_text(dir, name, sizeof(action), action);
		if (err || strcmp(action, "stat"))
			continue;
		dir->scheme = i;
		return 0;
	}
	dir->scheme = 0;
	return 0;
}

static void read_intervals(struct damon_dir *dir)
{
	uint64_t sample_us = 0, aggregate_us = 0;

	damon_read(dir, ATTRS "intervals/sample_us", &sample_us);
	damon_read(dir, ATTRS "intervals/aggr_us", &aggregate_us);
	dir->aggregate_ns = aggregate_us * NS_PER_US;
	if (sample_us && aggregate_us / sample_us <= UINT_MAX)
		dir->max_accesses = (unsigned int)(aggregate_us / sample_us);
	/* Older kernels do not have the file, and count bytes. */
	damon_read(dir, CONTEXT "addr_unit", &dir->addr_unit);
	if (!dir->addr_unit)
		dir->addr_unit = 1;
}

int damon_find(const struct mpp_roots *roots, const struct mpp_damon_options *options,
	       struct damon_dir *dir)
{
	char operations[32];
	uint64_t nr;
	int err = find_kdamonds(roots, dir, &nr);

	if (err)
		return err;
	if (options->kdamond >= nr)
		return -ENODEV;
	dir->kdamond = options->kdamond;
	if (!damon_runs(dir))
		return -ESRCH;
	err = damon_read_text(dir, CONTEXT "operations", sizeof(operations), operations);
	if (err)
		return err;
	if (strcmp(operations, "paddr"))
		return -ENOTSUP;
	err = find_scheme(dir);
	if (err)
		return err;
	read_intervals(dir);
	return 0;
}

/* ---- Starting ---- */

static int write_intervals(const struct damon_dir *dir, const struct mpp_damon_options *options)
{
	int err = 0;

	if (options->sample_ns)
		err = write_number(dir, ATTRS "intervals/sample_us",
				   options->sample_ns / NS_PER_US);
	if (!err && options->aggregate_ns)
		err = write_number(dir, ATTRS "intervals/aggr_us",
				   options->aggregate_ns / NS_PER_US);
	if (!err && options->min_regions)
		err = write_number(dir, ATTRS "nr_regions/min", options->min_regions);
	if (!err && options->max_regions)
		err = write_number(dir, ATTRS "nr_regions/max", options->max_regions);
	return err;
}

static int write_regions(const struct damon_dir *dir, const struct mpp_record *ranges, size_t nr)
{
	char name[64];
	int err = write_number(dir, REGIONS "nr_regions", nr);

	for (size_t i = 0; i < nr && !err; i++) {
		snprintf(name, sizeof(name), REGIONS "%zu/start", i);
		err = write_number(dir, name, ranges[i].addr);
		if (err)
			break;
		snprintf(name, sizeof(name), REGIONS "%zu/end", i);
		err = write_number(dir, name, ranges[i].addr + ranges[i].size_bytes);
	}
	return err;
}

/* A scheme that only looks, at every region there is. */
static int write_scheme(const struct damon_dir *dir)
{
	static const struct { const char *name, *text; } files[] = {
		{ CONTEXT "schemes/nr_schemes", "1" },
		{ SCHEME "action", "stat" },
		{ SCHEME "access_pattern/sz/max", "18446744073709551615" },
		{ SCHEME "access_pattern/nr_accesses/max", "4294967295" },
		{ SCHEME "access_pattern/age/max", "4294967295" },
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = damon_write_text(dir, files[i].name, files[i].text);
	return err;
}

static int write_all(const struct damon_dir *dir, const struct mpp_damon_options *options,
		     const struct mpp_record *ranges, size_t nr_ranges)
{
	int err = write_number(dir, "contexts/nr_contexts", 1);

	if (err)
		return err;
	/* The name of a set of operations that this kernel has not is refused. */
	err = damon_write_text(dir, CONTEXT "operations", "paddr");
	if (err)
		return err == -EINVAL ? -ENOTSUP : err;
	err = write_intervals(dir, options);
	if (!err)
		err = write_number(dir, CONTEXT "targets/nr_targets", 1);
	if (!err)
		err = write_regions(dir, ranges, nr_ranges);
	if (!err)
		err = write_scheme(dir);
	return err ? err : damon_write_text(dir, "state", "on");
}

/* All memory of the nodes, in order; zones that follow one another are one range. */
static int node_ranges(const struct mpp_roots *roots, const struct mpp_damon_options *options,
		       struct mpp_record **ranges, size_t *nr_ranges)
{
	struct mpp_memory *memory;
	struct mpp_record *new;
	size_t nr = 0;
	int err = mpp_memory_read(roots, &memory);

	if (err)
		return err;
	mpp_memory_keep_nodes(memory, options->nodes, options->nr_nodes);
	new = calloc(memory->nr_ranges + 1, sizeof(*new));
	for (size_t i = 0; new && i < memory->nr_ranges; i++) {
		const struct mpp_memory_range *range = &memory->ranges[i];
		uint64_t bytes = range->last - range->start + 1;

		if (nr && new[nr - 1].addr + new[nr - 1].size_bytes == range->start)
			new[nr - 1].size_bytes += bytes;
		else
			new[nr++] = (struct mpp_record) {
				.addr = range->start, .size_bytes = bytes,
			};
	}
	mpp_memory_free(memory);
	if (!new)
		return -ENOMEM;
	*ranges = new;
	*nr_ranges = nr;
	return nr ? 0 : -ENXIO;
}

static int set_nr_kdamonds(const struct damon_dir *dir, const char *nr)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/nr_kdamonds", dir->kdamonds);
	return write_patiently(path, nr);
}

void damon_stop(const struct damon_dir *dir)
{
	damon_write_text(dir, "state", "off");
	set_nr_kdamonds(dir, "0");
}

int damon_start(const struct mpp_roots *roots, const struct mpp_damon_options *options,
		struct damon_dir *dir)
{
	const struct mpp_record *ranges = options->ranges;
	struct mpp_record *of_nodes = NULL;
	size_t nr_ranges = options->nr_ranges;
	uint64_t nr;
	int err = find_kdamonds(roots, dir, &nr);

	if (err)
		return err;
	if (nr)
		return -EBUSY;
	if (!nr_ranges) {
		err = node_ranges(roots, options, &of_nodes, &nr_ranges);
		ranges = of_nodes;
	}
	if (!err)
		err = set_nr_kdamonds(dir, "1");
	if (!err) {
		err = write_all(dir, options, ranges, nr_ranges);
		if (err)
			damon_stop(dir);
		else
			read_intervals(dir);
	}
	free(of_nodes);
	return err == -EACCES ? -EPERM : err;
}
