// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Samples from the bytes of a perf ring buffer.  Nothing here waits, allocates or
 * trusts what it reads: the layout is that of <linux/perf_event.h>.
 */
#include <linux/perf_event.h>
#include <string.h>

#include "perf.h"

#define HEADER_BYTES	sizeof(struct perf_event_header)
#define WORD_BYTES	sizeof(uint64_t)

/* Addresses from here up are the kernel's, on every layout of x86-64. */
#define KERNEL_HALF	(UINT64_C(1) << 63)

/* In the order in which the kernel writes them: by bit of the sample type. */
struct sample {
	uint64_t time, addr, period, data_src, phys_addr;
};

uint64_t mpp_perf_sample_type(bool has_data_src, bool has_period)
{
	return PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_PHYS_ADDR |
	       (has_period ? PERF_SAMPLE_PERIOD : 0) |
	       (has_data_src ? PERF_SAMPLE_DATA_SRC : 0);
}

/*
 * Records begin at multiples of eight bytes, so neither a header nor a word of its
 * body is ever cut by the end of the ring; only a record as a whole is.
 */
static uint64_t word_at(const struct mpp_perf_ring *ring, uint64_t pos)
{
	uint64_t word;

	memcpy(&word, ring->data + (pos & (ring->size - 1)), sizeof(word));
	return word;
}

static struct perf_event_header header_at(const struct mpp_perf_ring *ring)
{
	struct perf_event_header header;

	memcpy(&header, ring->data + (ring->tail & (ring->size - 1)), sizeof(header));
	return header;
}

/* Whether a cache answered.  A line that was on its way already counts as memory. */
static bool is_cached(uint64_t word)
{
	const union perf_mem_data_src src = { .val = word };
	const uint64_t caches = PERF_MEM_LVL_L1 | PERF_MEM_LVL_L2 | PERF_MEM_LVL_L3;
	const uint64_t others = PERF_MEM_LVL_LFB | PERF_MEM_LVL_LOC_RAM |
				PERF_MEM_LVL_REM_RAM1 | PERF_MEM_LVL_REM_RAM2 |
				PERF_MEM_LVL_REM_CCE1 | PERF_MEM_LVL_REM_CCE2 |
				PERF_MEM_LVL_IO | PERF_MEM_LVL_UNC;

	if (src.mem_lvl & PERF_MEM_LVL_MISS)
		return false;
	if (src.mem_lvl & (caches | others))
		return src.mem_lvl & caches;
	/* Newer processors only fill the field that numbers the levels. */
	return src.mem_lvl_num >= PERF_MEM_LVLNUM_L1 && src.mem_lvl_num <= PERF_MEM_LVLNUM_L4 &&
	       !src.mem_remote;
}

static bool take_sample(struct mpp_perf_decoder *decoder, const struct sample *sample,
			uint16_t misc, struct mpp_record *record)
{
	const unsigned int mode = misc & PERF_RECORD_MISC_CPUMODE_MASK;
	const bool is_guest = mode == PERF_RECORD_MISC_GUEST_KERNEL ||
			      mode == PERF_RECORD_MISC_GUEST_USER;

	/* A guest's kernel is a user's memory here; its virtual addresses mean nothing. */
	if (!(decoder->flags & MPP_PERF_KERNEL) && !is_guest &&
	    (mode == PERF_RECORD_MISC_KERNEL || mode == PERF_RECORD_MISC_HYPERVISOR ||
	     sample->addr >= KERNEL_HALF)) {
		decoder->stats.nr_kernel++;
		return false;
	}
	if (!sample->phys_addr) {
		decoder->stats.nr_no_address++;
		return false;
	}
	if (decoder->has_data_src && !(decoder->flags & MPP_PERF_CACHED) &&
	    is_cached(sample->data_src)) {
		decoder->stats.nr_cached++;
		return false;
	}
	*record = (struct mpp_record) {
		.addr = sample->phys_addr,
		.size_bytes = 1,
		.weight = sample->period ? (double)sample->period : 1,
		.time_ns = sample->time,
		.source = MPP_SOURCE_PERF,
	};
	decoder->stats.nr_samples++;
	return true;
}

static bool read_sample(const struct mpp_perf_decoder *decoder, const struct mpp_perf_ring *ring,
			uint64_t body, size_t nr_words, struct sample *sample)
{
	const size_t wanted = 3u + !decoder->period + decoder->has_data_src;

	if (nr_words < wanted)
		return false;
	sample->time = word_at(ring, body);
	sample->addr = word_at(ring, body + 8);
	body += 16;
	sample->period = decoder->period;
	if (!decoder->period) {
		sample->period = word_at(ring, body);
		body += 8;
	}
	if (decoder->has_data_src) {
		sample->data_src = word_at(ring, body);
		body += 8;
	}
	sample->phys_addr = word_at(ring, body);
	return true;
}

/* True when the record at the tail became *@record. */
static bool take_record(struct mpp_perf_decoder *decoder, const struct mpp_perf_ring *ring,
			struct perf_event_header header, struct mpp_record *record)
{
	const uint64_t body = ring->tail + HEADER_BYTES;
	const size_t nr_words = (header.size - HEADER_BYTES) / WORD_BYTES;
	struct sample sample = { 0 };

	switch (header.type) {
	case PERF_RECORD_SAMPLE:
		if (!read_sample(decoder, ring, body, nr_words, &sample))
			break;
		return take_sample(decoder, &sample, header.misc, record);
	case PERF_RECORD_LOST:		/* u64 id, lost */
		if (nr_words < 2)
			break;
		decoder->stats.nr_lost += word_at(ring, body + 8);
		return false;
	case PERF_RECORD_LOST_SAMPLES:	/* u64 lost */
		if (nr_words < 1)
			break;
		decoder->stats.nr_lost += word_at(ring, body);
		return false;
	case PERF_RECORD_THROTTLE:
		decoder->stats.nr_throttled++;
		return false;
	case PERF_RECORD_UNTHROTTLE:
		return false;
	}
	decoder->stats.nr_unknown++;
	return false;
}

size_t mpp_perf_decode(struct mpp_perf_decoder *decoder, struct mpp_perf_ring *ring,
		       size_t nr_max, struct mpp_record *records)
{
	size_t nr = 0;

	while (nr < nr_max && ring->tail != ring->head) {
		uint64_t avail = ring->head - ring->tail;
		struct perf_event_header header;

		if (avail >= HEADER_BYTES)
			header = header_at(ring);
		/* Nothing behind a record of impossible length can be found. */
		if (avail < HEADER_BYTES || avail > ring->size || header.size < HEADER_BYTES ||
		    header.size > avail || header.size % WORD_BYTES) {
			decoder->stats.nr_unknown++;
			ring->tail = ring->head;
			break;
		}
		nr += take_record(decoder, ring, header, &records[nr]);
		ring->tail += header.size;
	}
	return nr;
}
