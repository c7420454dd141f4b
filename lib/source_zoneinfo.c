// SPDX-License-Identifier: LGPL-2.1-or-later
/* All memory of nodes as ranges of addresses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct zoneinfo_source {
	struct mpp_source base;
	struct mpp_memory *memory;
	size_t pos;		/* the next range */
	size_t nr_last;		/* how many of those before it the last read gave */
};

static struct zoneinfo_source *to_zoneinfo(struct mpp_source *src)
{
	return container_of(src, struct zoneinfo_source, base);
}

static int zoneinfo_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records)
{
	struct zoneinfo_source *zi = to_zoneinfo(src);
	size_t nr = 0;

	for (; nr < nr_max && zi->pos < zi->memory->nr_ranges; zi->pos++) {
		const struct mpp_memory_range *range = &zi->memory->ranges[zi->pos];

		records[nr++] = (struct mpp_record) {
			.addr = range->start,
			.size_bytes = range->last - range->start + 1,
			.weight = 1,
			.source = MPP_SOURCE_ZONEINFO,
		};
	}
	zi->nr_last = nr;
	return (int)nr;
}

static void zoneinfo_free(struct mpp_source *src)
{
	struct zoneinfo_source *zi = to_zoneinfo(src);

	mpp_memory_free(zi->memory);
	free(zi);
}

static const struct mpp_source_ops zoneinfo_ops = {
	.read = zoneinfo_read,
	.free = zoneinfo_free,
};

int mpp_zoneinfo_zone(const struct mpp_source *src, size_t index, struct mpp_zone *zone)
{
	const struct zoneinfo_source *zi = (const void *)src;

	if (src->ops != &zoneinfo_ops)
		return -ENOTSUP;
	if (index >= zi->nr_last)
		return -ERANGE;
	*zone = zi->memory->zones[zi->memory->ranges[zi->pos - zi->nr_last + index].zone];
	return 0;
}

int mpp_zoneinfo_open_at(const struct mpp_roots *roots,
			 const struct mpp_zoneinfo_options *options, struct mpp_source **src)
{
	struct zoneinfo_source *zi;
	int err = mpp_struct_check(options, options->size, sizeof(*options));

	if (err)
		return err;
	zi = calloc(1, sizeof(*zi));
	if (!zi)
		return -ENOMEM;
	mpp_source_init(&zi->base, &zoneinfo_ops);
	err = mpp_memory_read(roots, &zi->memory);
	if (err) {
		free(zi);
		return err;
	}
	mpp_memory_keep_nodes(zi->memory, options->nodes, options->nr_nodes);
	*src = &zi->base;
	return 0;
}

int mpp_zoneinfo_open(const struct mpp_zoneinfo_options *options, struct mpp_source **src)
{
	return mpp_zoneinfo_open_at(&mpp_default_roots, options, src);
}
