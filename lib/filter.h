/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between filter.c, which reads and cuts, and filter_frames.c, which looks frames up. */
#ifndef MOVEPHYS_FILTER_H
#define MOVEPHYS_FILTER_H

#include "kpage.h"

#define FILTER_IN_RECORDS	256
#define FILTER_WINDOW_FRAMES	4096

struct filter_span {
	uint64_t start, last;
};

struct filter_source {
	struct mpp_source base;		/* base.inner is whom it filters */
	struct mpp_filter_options options;
	int *nodes;
	struct filter_span *ranges;	/* sorted, apart from one another */
	size_t nr_ranges;
	struct mpp_nodemap *map;	/* NULL when no nodes are asked for */
	struct mpp_kpage kpage;
	unsigned int page_shift;
	int failure;
	enum mpp_kpage_file failed_file;
	/* Of the inner source: */
	struct mpp_record in[FILTER_IN_RECORDS];
	uint64_t in_va[FILTER_IN_RECORDS];
	size_t in_pos, in_nr;
	uint64_t done;			/* bytes of in[in_pos] that are dealt with */
	bool has_part;			/* the last record stored is a part of in[in_pos] */
	/* Frames looked up for the current record: */
	uint64_t window_pfn;
	size_t window_nr;
	bool keep[FILTER_WINDOW_FRAMES];
	uint64_t flags[FILTER_WINDOW_FRAMES];
	uint64_t entries[FILTER_WINDOW_FRAMES];
	/* The last read's: */
	uint64_t *vas;
	size_t nr_vas, vas_size;
};

static inline bool filter_wants_flags(const struct filter_source *filter)
{
	return filter->options.kinds || filter->options.cgroup_ino;
}

static inline bool filter_wants_count(const struct filter_source *filter)
{
	return filter->options.flags & MPP_FILTER_MAPPED;
}

/*
 * Cuts the stretch from @addr to *@last to its first part whose frames are all
 * kept or all dropped.  1: kept; 0: dropped; -errno.
 */
int filter_check_frames(struct filter_source *filter, uint64_t addr, uint64_t *last);

#endif /* MOVEPHYS_FILTER_H */
