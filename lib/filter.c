// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A source that passes on those parts of another's records that are wanted.
 * A record is first cut by node and range, which needs no system call; only what
 * is left has its frames looked up, the flags first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"

static struct filter_source *to_filter(struct mpp_source *src)
{
	return container_of(src, struct filter_source, base);
}

static void filter_free(struct mpp_source *src)
{
	struct filter_source *filter = to_filter(src);

	mpp_source_unref(src->inner);
	mpp_nodemap_free(filter->map);
	mpp_kpage_close(&filter->kpage);
	free(filter->nodes);
	free(filter->ranges);
	free(filter->vas);
	free(filter);
}

/* ---- Nodes and ranges ---- */

static bool is_node_wanted(const struct filter_source *filter, int node)
{
	for (size_t i = 0; i < filter->options.nr_nodes; i++)
		if (filter->nodes[i] == node)
			return true;
	return false;
}

/* As filter_check_frames(): whether the node is wanted, and up to where that goes. */
static bool check_node(const struct filter_source *filter, uint64_t addr, uint64_t *last)
{
	uint64_t run_last;
	int node;

	if (!filter->map)
		return true;
	node = mpp_nodemap_range(filter->map, addr, &run_last);
	if (run_last < *last)
		*last = run_last;
	return is_node_wanted(filter, node);
}

static bool check_range(const struct filter_source *filter, uint64_t addr, uint64_t *last)
{
	size_t low = 0, high = filter->nr_ranges;

	if (!filter->nr_ranges)
		return true;
	/* The first range that ends at or behind @addr. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (filter->ranges[mid].last < addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == filter->nr_ranges)
		return false;
	if (filter->ranges[low].start > addr) {
		if (filter->ranges[low].start - 1 < *last)
			*last = filter->ranges[low].start - 1;
		return false;
	}
	if (filter->ranges[low].last < *last)
		*last = filter->ranges[low].last;
	return true;
}

/* ---- Reading ---- */

/* The next stretch of the current record that passes; 1, 0 at its end, or -errno. */
static int next_part(struct filter_source *filter, struct mpp_record *part)
{
	const struct mpp_record *in = &filter->in[filter->in_pos];
	uint64_t in_last = in->addr + (in->size_bytes - 1);

	while (filter->done < in->size_bytes) {
		uint64_t addr = in->addr + filter->done, last = in_last;
		int passes = check_node(filter, addr, &last) && check_range(filter, addr, &last);

		if (passes)
			passes = filter_check_frames(filter, addr, &last);
		if (passes < 0)
			return passes;
		filter->done += last - addr + 1;
		if (passes) {
			*part = *in;
			part->addr = addr;
			part->size_bytes = last - addr + 1;
			return 1;
		}
	}
	return 0;
}

static int read_inner(struct filter_source *filter)
{
	struct mpp_source *inner = filter->base.inner;
	int nr = mpp_source_read(inner, FILTER_IN_RECORDS, filter->in);

	if (nr < 0) {
		mpp_source_set_error(&filter->base, "%s", mpp_source_error(inner));
		return nr;
	}
	for (int i = 0; i < nr; i++)
		if (mpp_source_va(inner, (size_t)i, &filter->in_va[i]))
			filter->in_va[i] = UINT64_MAX;
	filter->in_pos = 0;
	filter->in_nr = (size_t)nr;
	filter->done = 0;
	filter->window_nr = 0;	/* what was looked up has had time to change */
	return nr;
}

/* Stores a part, or lengthens the record before it: parts end where windows do. */
static size_t store(struct filter_source *filter, const struct mpp_record *part, size_t nr,
		    struct mpp_record *records)
{
	const struct mpp_record *in = &filter->in[filter->in_pos];
	uint64_t va = filter->in_va[filter->in_pos], offset = part->addr - in->addr;

	if (nr && filter->has_part &&
	    records[nr - 1].addr + records[nr - 1].size_bytes == part->addr) {
		records[nr - 1].size_bytes += part->size_bytes;
		return nr;
	}
	filter->has_part = true;
	records[nr] = *part;
	filter->vas[nr] = va == UINT64_MAX ? va : va + offset;
	return nr + 1;
}

static int read_parts(struct filter_source *filter, size_t nr_max, struct mpp_record *records)
{
	struct mpp_record part;
	size_t nr = 0;
	int result;

	while (nr < nr_max) {
		if (filter->in_pos == filter->in_nr) {
			if (nr)
				break;
			if (mpp_source_is_cancelled(&filter->base))
				return -ECANCELED;
			result = read_inner(filter);
			if (result <= 0)
				return result;
		}
		result = next_part(filter, &part);
		if (result < 0) {
			filter->failure = result;
			break;
		}
		if (result) {
			nr = store(filter, &part, nr, records);
		} else {
			filter->in_pos++;
			filter->done = 0;
			filter->has_part = false;
		}
	}
	return (int)nr;
}

static int tell_failure(struct filter_source *filter)
{
	const char *name = mpp_kpage_name(filter->failed_file);

	if (filter->failure == -EPERM)
		mpp_source_set_error(&filter->base, "/proc/%s: CAP_SYS_ADMIN in the initial user "
				     "namespace is needed", name);
	else
		mpp_source_set_error(&filter->base, "/proc/%s: %s", name,
				     strerror(-filter->failure));
	return filter->failure;
}

static int filter_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records)
{
	struct filter_source *filter = to_filter(src);
	uint64_t *vas;
	int nr;

	filter->nr_vas = 0;
	if (nr_max > filter->vas_size) {
		vas = reallocarray(filter->vas, nr_max, sizeof(*vas));
		if (!vas)
			return -ENOMEM;
		filter->vas = vas;
		filter->vas_size = nr_max;
	}
	nr = filter->failure ? 0 : read_parts(filter, nr_max, records);
	if (nr > 0)
		filter->nr_vas = (size_t)nr;
	if (!nr && filter->failure)
		return tell_failure(filter);
	return nr;
}

static int filter_ready(struct mpp_source *src)
{
	struct filter_source *filter = to_filter(src);

	return filter->failure || filter->in_pos < filter->in_nr || mpp_source_ready(src->inner);
}

static int filter_va(const struct mpp_source *src, size_t index, uint64_t *va)
{
	const struct filter_source *filter = (const void *)src;

	if (index >= filter->nr_vas)
		return -ERANGE;
	if (filter->vas[index] == UINT64_MAX)
		return -ENOTSUP;
	*va = filter->vas[index];
	return 0;
}

static const struct mpp_source_ops filter_ops = {
	.read = filter_read,
	.ready = filter_ready,
	.va = filter_va,
	.free = filter_free,
};

/* ---- Opening ---- */

static int compare_spans(const void *a, const void *b)
{
	const struct filter_span *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static int copy_ranges(struct filter_source *filter, const struct mpp_filter_options *options)
{
	struct filter_span *spans;
	size_t kept = 0;

	if (!options->nr_ranges)
		return 0;
	spans = calloc(options->nr_ranges, sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	for (size_t i = 0; i < options->nr_ranges; i++)
		spans[i] = (struct filter_span) {
			options->ranges[i].addr,
			options->ranges[i].addr + (options->ranges[i].size_bytes - 1),
		};
	qsort(spans, options->nr_ranges, sizeof(*spans), compare_spans);
	for (size_t i = 1; i < options->nr_ranges; i++) {
		if (spans[i].start > spans[kept].last)
			spans[++kept] = spans[i];
		else if (spans[i].last > spans[kept].last)
			spans[kept].last = spans[i].last;
	}
	filter->ranges = spans;
	filter->nr_ranges = kept + 1;
	return 0;
}

static int copy_options(struct filter_source *filter, const struct mpp_filter_options *options)
{
	filter->options = *options;
	filter->options.nodes = NULL;
	filter->options.ranges = NULL;
	if (options->nr_nodes) {
		filter->nodes = calloc(options->nr_nodes, sizeof(*filter->nodes));
		if (!filter->nodes)
			return -ENOMEM;
		memcpy(filter->nodes, options->nodes, options->nr_nodes * sizeof(int));
	}
	return copy_ranges(filter, options);
}

static int open_files(struct filter_source *filter, const struct mpp_roots *roots)
{
	int err = 0;

	if (filter->options.nr_nodes)
		err = mpp_nodemap_open_at(roots, &filter->map);
	if (!err && filter_wants_flags(filter))
		err = mpp_kpage_open(&filter->kpage, roots->proc, MPP_KPAGE_FLAGS);
	if (!err && filter->options.cgroup_ino)
		err = mpp_kpage_open(&filter->kpage, roots->proc, MPP_KPAGE_CGROUP);
	if (!err && filter_wants_count(filter))
		err = mpp_kpage_open(&filter->kpage, roots->proc, MPP_KPAGE_COUNT);
	return err;
}

int mpp_filter_open_at(const struct mpp_roots *roots, struct mpp_source *inner,
		       const struct mpp_filter_options *options, struct mpp_source **src)
{
	struct filter_source *filter;
	int err = mpp_struct_check(options, options->size, sizeof(*options));

	if (err)
		return err;
	if (options->flags & ~MPP_FILTER_MAPPED || options->reserved ||
	    options->mapped_min > options->mapped_max || options->kinds >> MPP_NR_KINDS)
		return -EINVAL;
	for (size_t i = 0; i < options->nr_ranges; i++)
		if (!options->ranges[i].size_bytes)
			return -EINVAL;
	filter = calloc(1, sizeof(*filter));
	if (!filter)
		return -ENOMEM;
	mpp_source_init(&filter->base, &filter_ops);
	mpp_kpage_init(&filter->kpage);
	filter->page_shift = mpp_page_shift();
	err = copy_options(filter, options);
	if (!err)
		err = open_files(filter, roots);
	if (err) {
		filter_free(&filter->base);	/* without inner, which stays the caller's */
		return err;
	}
	filter->base.inner = inner;
	*src = &filter->base;
	return 0;
}

int mpp_filter_open(struct mpp_source *inner, const struct mpp_filter_options *options,
		    struct mpp_source **src)
{
	return mpp_filter_open_at(&mpp_default_roots, inner, options, src);
}
