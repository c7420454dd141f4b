// SPDX-License-Identifier: GPL-2.0-only
/* From ranges to arrays of pages. */
#include <errno.h>
#include <unistd.h>

#include "input.h"

#define HOLE_BYTES	(UINT64_C(1) << 30)	/* below that, asking takes no time either */

static unsigned int page_shift(void)
{
	return (unsigned int)__builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
}

static void start_record(struct feed *feed, unsigned int shift)
{
	const struct mpp_record *record = &feed->records[feed->pos];

	feed->next_page = record->addr >> shift;
	feed->last_page = (record->addr + (record->size_bytes - 1)) >> shift;
	feed->in_record = true;
	/* Anew for each, as memory comes and goes, and input may take days to come. */
	feed->map = mpp_nodemap_free(feed->map);
	if (record->size_bytes >= HOLE_BYTES && mpp_nodemap_open(&feed->map))
		feed->map = NULL;
}

static void end_record(struct feed *feed)
{
	feed->in_record = false;
	feed->pos++;
}

/*
 * Goes on behind a hole that the record is in, page by page it may be hours.  True at
 * the record's end.
 */
static bool pass_hole(struct feed *feed, struct batch *batch, unsigned int shift)
{
	uint64_t last, last_page;

	if (batch->with_holes || !feed->map ||
	    mpp_nodemap_range(feed->map, feed->next_page << shift, &last) >= 0)
		return false;
	last_page = last >> shift < feed->last_page ? last >> shift : feed->last_page;
	if (last_page - feed->next_page < HOLE_BYTES >> shift)
		return false;
	batch->nr_absent += last_page - feed->next_page + 1;
	feed->nr_pages += last_page - feed->next_page + 1;
	if (last_page == feed->last_page) {
		end_record(feed);
		return true;
	}
	feed->next_page = last_page + 1;
	return false;
}

/*
 * After the first call that names any page of a huge page, its old addresses
 * name nothing: so a batch ends between huge pages, not inside one.
 */
static bool is_full(const struct batch *batch, size_t nr_max, uint64_t next_page,
		    unsigned int shift)
{
	uint64_t last_page;

	if (batch->nr < nr_max)
		return false;
	if (batch->nr >= nr_max + BATCH_SLACK)
		return true;
	last_page = batch->pages[batch->nr - 1] >> shift;
	return last_page / BATCH_SLACK != next_page / BATCH_SLACK;
}

/* Adds the pages of the current record; false when the batch is full before its end. */
static bool take_record(struct feed *feed, size_t nr_max, struct batch *batch,
			unsigned int shift)
{
	if (pass_hole(feed, batch, shift))
		return true;
	while (!is_full(batch, nr_max, feed->next_page, shift)) {
		batch->nodes[batch->nr] = feed->nodes[feed->pos];
		batch->pages[batch->nr++] = feed->next_page << shift;
		feed->nr_pages++;
		if (feed->next_page++ == feed->last_page) {
			end_record(feed);
			return true;
		}
	}
	return false;
}

int batch_fill(struct input *in, size_t nr_max, struct batch *batch)
{
	struct feed *feed = input_feed(in);
	unsigned int shift = page_shift();
	int nr;

	batch->nr = 0;
	batch->nr_absent = 0;
	if (nr_max > BATCH_PAGES)
		nr_max = BATCH_PAGES;
	while (feed->end == 1) {
		if (feed->pos == feed->nr) {
			/* What is there must not wait for what may come. */
			if (batch->nr && !input_ready(in))
				return 1;
			nr = input_read(in, ARRAY_SIZE(feed->records), feed->records, feed->nodes);
			if (nr <= 0) {
				feed->end = nr;
				break;
			}
			feed->pos = 0;
			feed->nr = (size_t)nr;
		}
		if (!feed->in_record)
			start_record(feed, shift);
		if (!take_record(feed, nr_max, batch, shift))
			return 1;
	}
	return feed->end;
}
