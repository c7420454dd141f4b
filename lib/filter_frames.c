// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A filter's questions to /proc: kinds, cgroups and counts of frames, a window of them
 * at a time, and each file only for what the one before it has left.
 */
#include <string.h>

#include "filter.h"

static int read_entries(struct filter_source *filter, enum mpp_kpage_file file, size_t first,
			size_t nr, uint64_t *entries)
{
	int err = mpp_kpage_read(&filter->kpage, file, filter->window_pfn + first, nr,
				 entries + first);

	if (err)
		filter->failed_file = file;
	return err;
}

/* The stretch of the window that holds all that is still kept; false when nothing is. */
static bool kept_stretch(const struct filter_source *filter, size_t *first, size_t *nr)
{
	size_t start = 0, end = filter->window_nr;

	while (start < end && !filter->keep[start])
		start++;
	while (end > start && !filter->keep[end - 1])
		end--;
	*first = start;
	*nr = end - start;
	return end > start;
}

static int check_kinds(struct filter_source *filter)
{
	int err = read_entries(filter, MPP_KPAGE_FLAGS, 0, filter->window_nr, filter->flags);

	if (err || !filter->options.kinds)
		return err;
	for (size_t i = 0; i < filter->window_nr; i++)
		filter->keep[i] = filter->options.kinds >> mpp_kind_of(filter->flags[i]) & 1;
	return 0;
}

/* Linux 6.1 gives the cgroup of a large folio with its first frame only. */
static int check_cgroup(struct filter_source *filter)
{
	uint64_t of_head = 0;
	int err = read_entries(filter, MPP_KPAGE_CGROUP, 0, filter->window_nr, filter->entries);

	if (err)
		return err;
	for (size_t i = 0; i < filter->window_nr; i++) {
		uint64_t ino = filter->entries[i];

		if (filter->flags[i] & KPF_COMPOUND_HEAD)
			of_head = ino;
		else if (!(filter->flags[i] & KPF_COMPOUND_TAIL))
			of_head = 0;
		else if (!ino)
			ino = of_head;
		if (ino != filter->options.cgroup_ino)
			filter->keep[i] = false;
	}
	return 0;
}

static int check_count(struct filter_source *filter)
{
	size_t first, nr;
	int err;

	if (!kept_stretch(filter, &first, &nr))
		return 0;
	err = read_entries(filter, MPP_KPAGE_COUNT, first, nr, filter->entries);
	for (size_t i = first; i < first + nr && !err; i++)
		if (filter->entries[i] < filter->options.mapped_min ||
		    filter->entries[i] > filter->options.mapped_max)
			filter->keep[i] = false;
	return err;
}

static bool begins_inside_folio(const struct filter_source *filter)
{
	return filter->flags[0] & KPF_COMPOUND_TAIL && filter->window_pfn % MPP_FOLIO_FRAMES_MAX;
}

/* Looks up frames from @pfn to @last_pfn, or as many of them as fit. */
static int look_up(struct filter_source *filter, uint64_t pfn, uint64_t last_pfn)
{
	size_t first, nr;
	int err = 0;

	filter->window_pfn = pfn;
	filter->window_nr = last_pfn - pfn < FILTER_WINDOW_FRAMES ? (size_t)(last_pfn - pfn + 1) :
			    FILTER_WINDOW_FRAMES;
	memset(filter->keep, 1, filter->window_nr);
	if (filter_wants_flags(filter))
		err = check_kinds(filter);
	if (!err && filter->options.cgroup_ino && kept_stretch(filter, &first, &nr)) {
		if (begins_inside_folio(filter))
			return look_up(filter, pfn - pfn % MPP_FOLIO_FRAMES_MAX, last_pfn);
		err = check_cgroup(filter);
	}
	if (!err && filter_wants_count(filter))
		err = check_count(filter);
	if (err)
		filter->window_nr = 0;
	return err;
}

static bool is_in_window(const struct filter_source *filter, uint64_t pfn)
{
	return pfn >= filter->window_pfn && pfn - filter->window_pfn < filter->window_nr;
}

int filter_check_frames(struct filter_source *filter, uint64_t addr, uint64_t *last)
{
	const unsigned int shift = filter->page_shift;
	uint64_t pfn = addr >> shift, last_pfn = *last >> shift;
	size_t i, end;
	bool kept;
	int err;

	if (!filter_wants_flags(filter) && !filter_wants_count(filter))
		return 1;
	if (!is_in_window(filter, pfn)) {
		err = look_up(filter, pfn, last_pfn);
		if (err)
			return err;
	}
	end = filter->window_nr;
	if (last_pfn - filter->window_pfn < end)
		end = (size_t)(last_pfn - filter->window_pfn) + 1;
	i = (size_t)(pfn - filter->window_pfn);
	kept = filter->keep[i];
	while (i < end && filter->keep[i] == kept)
		i++;
	if (filter->window_pfn + i <= last_pfn)
		*last = ((filter->window_pfn + i) << shift) - 1;
	return kept;
}
