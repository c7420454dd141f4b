// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * DAMON: snapshots of a monitor's regions.  The kernel writes them to sysfs when it
 * is asked to, region by region in folders of their own, and so they are read one
 * by one: nothing is held of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "damon.h"

#define NS_PER_S	UINT64_C(1000000000)
#define NS_PER_MS	UINT64_C(1000000)

struct damon_source {
	struct mpp_source base;
	struct mpp_damon_options options;
	struct damon_dir dir;
	bool started;			/* the monitor is ours */
	int failure;			/* final: what every later read returns */
	unsigned int nr_taken;		/* snapshots */
	bool in_snapshot;
	uint64_t next_ns;		/* when the next one is due */
	uint64_t snapshot_ns;
	unsigned int pos;		/* the next region of the snapshot */
	unsigned int page_shift;
	struct mpp_damon_region *regions;	/* of the records of the last read */
	size_t nr_regions, regions_size;
};

static struct damon_source *to_damon(struct mpp_source *src)
{
	return container_of(src, struct damon_source, base);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int fail(struct damon_source *damon, int err)
{
	damon->failure = err;
	if (err == -ESRCH)
		mpp_source_set_error(&damon->base, "kdamond %u has stopped",
				     damon->dir.kdamond);
	else
		mpp_source_set_error(&damon->base, "reading the regions of kdamond %u: %s",
				     damon->dir.kdamond, strerror(-err));
	return err;
}

/* Waits until the next snapshot is due, in steps that fit a poll. */
static int wait_until_due(struct damon_source *damon)
{
	for (;;) {
		uint64_t now = now_ns(), left_ms;
		int err;

		if (now >= damon->next_ns)
			return 0;
		left_ms = (damon->next_ns - now + NS_PER_MS - 1) / NS_PER_MS;
		err = mpp_source_wait(&damon->base, -1, left_ms > 60000 ? 60000 : (int)left_ms);
		if (err < 0)
			return err;
	}
}

/* Asks for one; returns when it is there, which is up to two aggregation intervals later. */
static int take_snapshot(struct damon_source *damon)
{
	int err = wait_until_due(damon);

	if (err)
		return err;
	err = damon_write_text(&damon->dir, "state", "update_schemes_tried_regions");
	if (err && !damon_runs(&damon->dir))
		return -ESRCH;
	if (err)
		return err;
	damon->snapshot_ns = now_ns();
	damon->next_ns = damon->snapshot_ns + damon->options.interval_ns;
	damon->pos = 0;
	damon->in_snapshot = true;
	damon->nr_taken++;
	return 0;
}

static int read_value(const struct damon_source *damon, const char *file, uint64_t *value)
{
	char name[96];

	snprintf(name, sizeof(name), "contexts/0/schemes/%u/tried_regions/%u/%s",
		 damon->dir.scheme, damon->pos, file);
	return damon_read(&damon->dir, name, value);
}

/* 1 with the next region, 0 at the snapshot's end. */
static int next_region(struct damon_source *damon, struct mpp_record *record,
		       struct mpp_damon_region *region)
{
	uint64_t start, end, accesses, age, pages;
	int err = read_value(damon, "start", &start);

	/* One after the last, or somebody else has asked for a snapshot just now. */
	if (!err)
		err = read_value(damon, "end", &end);
	if (!err)
		err = read_value(damon, "nr_accesses", &accesses);
	if (!err)
		err = read_value(damon, "age", &age);
	if (err == -ENOENT || err == -ENODEV)
		return 0;
	if (err)
		return err;
	if (end <= start || __builtin_mul_overflow(end, damon->dir.addr_unit, &end))
		return -EPROTO;
	start *= damon->dir.addr_unit;
	damon->pos++;
	pages = (end - start) >> damon->page_shift;
	*record = (struct mpp_record) {
		.addr = start,
		.size_bytes = end - start,
		.weight = (double)accesses * (double)(pages ? pages : 1),
		.time_ns = damon->snapshot_ns,
		.source = MPP_SOURCE_DAMON,
	};
	*region = (struct mpp_damon_region) {
		.nr_accesses = accesses < UINT32_MAX ? (unsigned int)accesses : UINT32_MAX,
		.max_accesses = damon->dir.max_accesses,
		.age = age,
	};
	return 1;
}

static bool is_wanted(const struct damon_source *damon, const struct mpp_damon_region *region)
{
	if (!region->nr_accesses)
		return damon->options.flags & MPP_DAMON_IDLE;
	return damon->options.flags & MPP_DAMON_ACCESSED &&
	       region->nr_accesses >= damon->options.min_accesses;
}

static int make_room(struct damon_source *damon, size_t nr_max)
{
	struct mpp_damon_region *regions;

	if (nr_max <= damon->regions_size)
		return 0;
	regions = reallocarray(damon->regions, nr_max, sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	damon->regions = regions;
	damon->regions_size = nr_max;
	return 0;
}

/* Up to the end of a snapshot: who acts on it is not to wait for the next one. */
static int read_some(struct damon_source *damon, size_t nr_max, struct mpp_record *records)
{
	size_t nr = 0;
	int result;

	while (nr < nr_max) {
		if (!damon->in_snapshot) {
			if (nr)
				break;
			if (damon->options.nr_snapshots &&
			    damon->nr_taken >= damon->options.nr_snapshots)
				return 0;
			result = take_snapshot(damon);
			if (result)
				return result;
		}
		result = next_region(damon, &records[nr], &damon->regions[nr]);
		if (result < 0)
			return result;
		if (!result)
			damon->in_snapshot = false;
		else if (is_wanted(damon, &damon->regions[nr]))
			nr++;
	}
	damon->nr_regions = nr;
	return (int)nr;
}

static int damon_source_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records)
{
	struct damon_source *damon = to_damon(src);
	int nr;

	damon->nr_regions = 0;
	if (damon->failure)
		return fail(damon, damon->failure);
	nr = make_room(damon, nr_max);
	if (!nr)
		nr = read_some(damon, nr_max, records);
	if (nr < 0 && nr != -ECANCELED && nr != -EINTR)
		return fail(damon, nr);
	return nr;
}

static int damon_source_ready(struct mpp_source *src)
{
	struct damon_source *damon = to_damon(src);

	return damon->in_snapshot || damon->failure ||
	       (damon->options.nr_snapshots &&
		damon->nr_taken >= damon->options.nr_snapshots);
}

static void damon_source_free(struct mpp_source *src)
{
	struct damon_source *damon = to_damon(src);

	if (damon->started)
		damon_stop(&damon->dir);
	free(damon->regions);
	free(damon);
}

static const struct mpp_source_ops damon_ops = {
	.read = damon_source_read,
	.ready = damon_source_ready,
	.free = damon_source_free,
};

static int check_options(const struct mpp_damon_options *options)
{
	const unsigned int wanted = MPP_DAMON_ACCESSED | MPP_DAMON_IDLE;
	int err = mpp_struct_check(options, options->size, sizeof(*options));
	bool own;

	if (err)
		return err;
	own = options->flags & MPP_DAMON_START;
	if (!(options->flags & wanted) || options->flags & ~(wanted | MPP_DAMON_START))
		return -EINVAL;
	if (own && options->kdamond)
		return -EINVAL;
	if (!own && (options->nr_nodes || options->nr_ranges || options->sample_ns ||
		     options->aggregate_ns || options->min_regions || options->max_regions))
		return -EINVAL;
	if (options->nr_nodes && options->nr_ranges)
		return -EINVAL;
	return 0;
}

int mpp_damon_open_at(const struct mpp_roots *roots, const struct mpp_damon_options *options,
		      struct mpp_source **src)
{
	struct damon_source *damon;
	int err = check_options(options);

	if (err)
		return err;
	damon = calloc(1, sizeof(*damon));
	if (!damon)
		return -ENOMEM;
	mpp_source_init(&damon->base, &damon_ops);
	damon->options = *options;
	damon->page_shift = mpp_page_shift();
	err = mpp_source_init_cancel(&damon->base);
	if (!err && options->flags & MPP_DAMON_START) {
		err = damon_start(roots, options, &damon->dir);
		damon->started = !err;
		damon->next_ns = now_ns() + options->interval_ns;
	} else if (!err) {
		err = damon_find(roots, options, &damon->dir);
	}
	if (err) {
		mpp_source_unref(&damon->base);
		return err;
	}
	*src = &damon->base;
	return 0;
}

int mpp_damon_open(const struct mpp_damon_options *options, struct mpp_source **src)
{
	return mpp_damon_open_at(&mpp_default_roots, options, src);
}

int mpp_damon_region(const struct mpp_source *src, size_t index, struct mpp_damon_region *region)
{
	const struct damon_source *damon = (const void *)src;

	if (src->ops != &damon_ops)
		return -ENOTSUP;
	if (index >= damon->nr_regions)
		return -ERANGE;
	*region = damon->regions[index];
	return 0;
}
