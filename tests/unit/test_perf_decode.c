// SPDX-License-Identifier: GPL-2.0-only
/* Decoding of perf ring buffers, built byte by byte as the kernel lays them out. */
#include <linux/perf_event.h>

#include "perf.h"
#include "tap.h"

#define RING_BYTES	1024u
#define NR_MAX		64

#define USER	PERF_RECORD_MISC_USER
#define KERNEL	PERF_RECORD_MISC_KERNEL

static unsigned char data[RING_BYTES];
static struct mpp_perf_ring ring;
static struct mpp_perf_decoder decoder;
static struct mpp_record records[NR_MAX];

static void reset(uint64_t pos)
{
	memset(data, 0xa5, sizeof(data));
	ring = (struct mpp_perf_ring) {
		.data = data, .size = RING_BYTES, .head = pos, .tail = pos,
	};
	decoder = (struct mpp_perf_decoder) { 0 };
	memset(records, 0, sizeof(records));
}

/* Writes as the kernel does: byte after byte, and around the end. */
static void put(const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[(ring.head + i) % RING_BYTES] = ((const unsigned char *)bytes)[i];
	ring.head += len;
}

static void put_record(uint32_t type, uint16_t misc, size_t nr_words, const uint64_t *words)
{
	const struct perf_event_header header = {
		.type = type,
		.misc = misc,
		.size = (uint16_t)(sizeof(header) + nr_words * 8),
	};

	put(&header, sizeof(header));
	put(words, nr_words * 8);
}

#define PUT(type, misc, ...) \
	do { \
		const uint64_t words_[] = { __VA_ARGS__ }; \
		put_record(type, misc, ARRAY_LEN(words_), words_); \
	} while (0)

static void put_samples(size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		PUT(PERF_RECORD_SAMPLE, USER, 1000 + i, 0x7f0000000000 + i, 10 + i,
		    0x100000 + i * 4096);
}

static size_t decode(size_t nr_max)
{
	return mpp_perf_decode(&decoder, &ring, nr_max, records);
}

static void check_sample(size_t index, uint64_t i)
{
	CHECK_INT(records[index].time_ns, 1000 + i);
	CHECK_INT(records[index].addr, 0x100000 + i * 4096);
	CHECK_INT(records[index].size_bytes, 1);
	CHECK(records[index].weight == (double)(10 + i));
	CHECK_INT(records[index].source, MPP_SOURCE_PERF);
}

static void decodes(void)
{
	reset(0);
	CHECK_INT(decode(NR_MAX), 0);
	put_samples(3);
	CHECK_INT(decode(NR_MAX), 3);
	for (size_t i = 0; i < 3; i++)
		check_sample(i, i);
	CHECK_INT(ring.tail, ring.head);
	CHECK_INT(decoder.stats.nr_samples, 3);
	CHECK_INT(decoder.stats.nr_unknown, 0);
	/* A source that has no period has samples of one event each. */
	PUT(PERF_RECORD_SAMPLE, USER, 1, 2, 0, 0x5000);
	CHECK_INT(decode(NR_MAX), 1);
	CHECK(records[0].weight == 1);
}

static void knows_a_fixed_period(void)
{
	reset(RING_BYTES - 16);
	decoder.period = 500;
	PUT(PERF_RECORD_SAMPLE, USER, 1, 2, 0x5000);
	decoder.has_data_src = true;
	CHECK_INT(decode(NR_MAX), 0);	/* one word short of that */
	CHECK_INT(decoder.stats.nr_unknown, 1);
	PUT(PERF_RECORD_SAMPLE, USER, 1, 2, 3, 0x6000);
	CHECK_INT(decode(NR_MAX), 1);
	CHECK_INT(records[0].addr, 0x6000);
	CHECK(records[0].weight == 500);
	decoder.has_data_src = false;
	PUT(PERF_RECORD_SAMPLE, USER, 1, 2, 0x7000);
	CHECK_INT(decode(NR_MAX), 1);
	CHECK_INT(records[0].addr, 0x7000);
	CHECK_INT(records[0].time_ns, 1);
	CHECK(records[0].weight == 500);
}

/* From each position that a record can begin at, the last words before the end included. */
static void wraps_around(void)
{
	for (uint64_t pos = 0; pos < 3 * RING_BYTES; pos += 8) {
		reset(pos);
		put_samples(7);
		CHECK_INT(decode(NR_MAX), 7);
		for (size_t i = 0; i < 7; i++)
			check_sample(i, i);
	}
	/* Full to the last byte. */
	reset(RING_BYTES - 8);
	put_samples(RING_BYTES / 40);
	CHECK_INT(ring.head - ring.tail, RING_BYTES / 40 * 40);
	PUT(PERF_RECORD_UNTHROTTLE, 0, 0, 0);
	CHECK_INT(ring.head - ring.tail, RING_BYTES);
	CHECK_INT(decode(NR_MAX), RING_BYTES / 40);
	CHECK_INT(decoder.stats.nr_unknown, 0);
}

static void stops_when_full(void)
{
	reset(16);
	put_samples(5);
	CHECK_INT(decode(2), 2);
	check_sample(1, 1);
	CHECK_INT(decode(2), 2);
	check_sample(0, 2);
	CHECK_INT(decode(2), 1);
	check_sample(0, 4);
	CHECK_INT(decode(2), 0);
	CHECK_INT(decoder.stats.nr_samples, 5);
}

static void counts_losses(void)
{
	reset(0);
	put_samples(1);
	PUT(PERF_RECORD_LOST, 0, 77, 1000);
	PUT(PERF_RECORD_LOST_SAMPLES, 0, 5);
	PUT(PERF_RECORD_THROTTLE, 0, 1, 2, 3);
	PUT(PERF_RECORD_UNTHROTTLE, 0, 1, 2, 3);
	PUT(PERF_RECORD_THROTTLE, 0, 1, 2, 3);
	put_samples(1);
	CHECK_INT(decode(NR_MAX), 2);
	CHECK_INT(decoder.stats.nr_lost, 1005);
	CHECK_INT(decoder.stats.nr_throttled, 2);
	CHECK_INT(decoder.stats.nr_unknown, 0);
}

static void passes_over_other_records(void)
{
	static const uint64_t words[40] = { 0 };

	reset(8);
	put_record(PERF_RECORD_COMM, 0, 3, words);
	put_samples(1);
	put_record(4711, 0xffff, 40, words);
	put_record(PERF_RECORD_EXIT, 0, 0, words);	/* nothing but its header */
	put_samples(1);
	CHECK_INT(decode(NR_MAX), 2);
	CHECK_INT(decoder.stats.nr_unknown, 3);
	CHECK_INT(ring.tail, ring.head);
}

static void survives_damage(void)
{
	static const uint64_t words[8] = { 0 };
	struct perf_event_header header = { .type = PERF_RECORD_SAMPLE, .misc = USER };

	/* Known kinds that are too short for what they should hold. */
	for (size_t nr_words = 0; nr_words < 4; nr_words++) {
		reset(RING_BYTES - 16);
		put_record(PERF_RECORD_SAMPLE, USER, nr_words, words);
		put_record(PERF_RECORD_LOST, 0, nr_words < 2 ? nr_words : 1, words);
		put_samples(1);
		CHECK_INT(decode(NR_MAX), 1);
		check_sample(0, 0);
		CHECK_INT(decoder.stats.nr_unknown, 2);
		CHECK_INT(decoder.stats.nr_samples, 1);
	}
	/* Lengths that cannot be: what is behind is given up, once, and no endless loop. */
	for (uint16_t size = 0; size < 64; size++) {
		if (size >= 8 && size <= 48 && size % 8 == 0)
			continue;
		reset(RING_BYTES - 8);
		header.size = size;
		put(&header, sizeof(header));
		put(words, 40);
		CHECK_INT(decode(NR_MAX), 0);
		CHECK_INT(decoder.stats.nr_unknown, 1);
		CHECK_INT(ring.tail, ring.head);
		put_samples(1);
		CHECK_INT(decode(NR_MAX), 1);
	}
	/* Cut off: the head is within a record, or within a header. */
	for (uint64_t cut = 1; cut < 40; cut++) {
		reset(RING_BYTES - 24);
		put_samples(2);
		ring.head -= cut;
		CHECK_INT(decode(NR_MAX), 1);
		CHECK_INT(decoder.stats.nr_unknown, 1);
		CHECK_INT(ring.tail, ring.head);
	}
	/* Positions that the kernel would never have. */
	reset(0);
	put_samples(1);
	ring.head += RING_BYTES;
	CHECK_INT(decode(NR_MAX), 0);
	CHECK_INT(decoder.stats.nr_unknown, 1);
	reset(64);
	ring.head = 8;
	CHECK_INT(decode(NR_MAX), 0);
	CHECK_INT(decoder.stats.nr_unknown, 1);
}

static void leaves_out_the_kernel(void)
{
	for (unsigned int flags = 0; flags <= MPP_PERF_KERNEL; flags += MPP_PERF_KERNEL) {
		const uint64_t kept = flags ? 1 : 0;

		reset(0);
		decoder.flags = flags;
		PUT(PERF_RECORD_SAMPLE, KERNEL, 1, 0xffff888000001000, 1, 0x1000);
		PUT(PERF_RECORD_SAMPLE, KERNEL, 2, 0x7f0000000000, 1, 0x2000);
		PUT(PERF_RECORD_SAMPLE, USER, 3, 0xffffffffff600000, 1, 0x3000);
		PUT(PERF_RECORD_SAMPLE, PERF_RECORD_MISC_HYPERVISOR, 4, 0x1000, 1, 0x4000);
		/* A guest's kernel is a user's memory, whatever address it has there. */
		PUT(PERF_RECORD_SAMPLE, PERF_RECORD_MISC_GUEST_KERNEL, 5, 0xffff888000001000, 1,
		    0x5000);
		PUT(PERF_RECORD_SAMPLE, PERF_RECORD_MISC_GUEST_USER, 6, 0x1000, 1, 0x6000);
		CHECK_INT(decode(NR_MAX), 2 + 4 * kept);
		CHECK_INT(decoder.stats.nr_kernel, 4 - 4 * kept);
		CHECK_INT(records[4 * kept].addr, 0x5000);
	}
}

static void leaves_out_what_has_no_address(void)
{
	reset(0);
	PUT(PERF_RECORD_SAMPLE, USER, 1, 0x7f0000000000, 1, 0);
	PUT(PERF_RECORD_SAMPLE, USER, 1, 0, 1, 0);
	PUT(PERF_RECORD_SAMPLE, USER, 1, 0, 1, 0x7000);	/* IBS: no virtual address */
	CHECK_INT(decode(NR_MAX), 1);
	CHECK_INT(records[0].addr, 0x7000);
	CHECK_INT(decoder.stats.nr_no_address, 2);
	/* An access of the kernel is told as such, even without an address. */
	PUT(PERF_RECORD_SAMPLE, KERNEL, 1, 0, 1, 0);
	CHECK_INT(decode(NR_MAX), 0);
	CHECK_INT(decoder.stats.nr_kernel, 1);
}

#define LVL(level)	((uint64_t)PERF_MEM_LVL_##level << PERF_MEM_LVL_SHIFT)
#define NUM(level)	((uint64_t)PERF_MEM_LVLNUM_##level << PERF_MEM_LVLNUM_SHIFT)

static void leaves_out_what_caches_answered(void)
{
	static const struct {
		uint64_t data_src;
		bool cached;
	} cases[] = {
		{ LVL(NA) | NUM(NA), false },
		{ 0, false },
		{ LVL(HIT) | LVL(L1) | NUM(L1), true },
		{ LVL(HIT) | LVL(L2), true },
		{ LVL(HIT) | LVL(L3) | LVL(REM_CCE1) | NUM(ANY_CACHE), true }, /* AMD */
		{ LVL(HIT) | LVL(REM_CCE2) | NUM(ANY_CACHE), false },	/* another socket's */
		{ LVL(MISS) | LVL(L3), false },
		{ LVL(HIT) | LVL(LFB), false },
		{ LVL(HIT) | LVL(LOC_RAM) | NUM(RAM), false },
		{ LVL(HIT) | LVL(REM_RAM1) | NUM(RAM), false },
		{ LVL(HIT) | NUM(L2), true },
		{ NUM(L3), true },
		{ NUM(CXL), false },
		{ NUM(PMEM), false },
		{ NUM(RAM), false },
		{ LVL(NA) | NUM(L3) | (uint64_t)PERF_MEM_REMOTE_REMOTE << PERF_MEM_REMOTE_SHIFT,
		  false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		reset(0);
		decoder.has_data_src = true;
		PUT(PERF_RECORD_SAMPLE, USER, 9, 0x7f0000000000, 3, cases[i].data_src, 0x8000);
		if (decode(NR_MAX) != !cases[i].cached)
			tap_fail(__FILE__, __LINE__, "case %zu", i);
		CHECK_INT(decoder.stats.nr_cached, cases[i].cached);
		decoder.flags = MPP_PERF_CACHED;
		PUT(PERF_RECORD_SAMPLE, USER, 9, 0x7f0000000000, 3, cases[i].data_src, 0x8000);
		CHECK_INT(decode(NR_MAX), 1);
		CHECK_INT(records[0].addr, 0x8000);
		CHECK_INT(records[0].time_ns, 9);
		CHECK(records[0].weight == 3);
	}
	/* Without the word there is one less to be had. */
	reset(0);
	decoder.has_data_src = true;
	put_samples(1);
	CHECK_INT(decode(NR_MAX), 0);
	CHECK_INT(decoder.stats.nr_unknown, 1);
}

/* As read from a ring of Linux 6.18 on x86-64, for PERF_COUNT_SW_PAGE_FAULTS_MIN. */
static void decodes_a_captured_ring(void)
{
	static const unsigned char captured[] = {
		0x09, 0x00, 0x00, 0x00, 0x02, 0x00, 0x28, 0x00,
		0xff, 0xb7, 0x08, 0x80, 0x13, 0x0b, 0x00, 0x00,
		0x00, 0x80, 0x1a, 0xdb, 0x91, 0x7f, 0x00, 0x00,
		0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0xd8, 0x76, 0x02, 0x00, 0x00, 0x00,
		0x09, 0x00, 0x00, 0x00, 0x02, 0x00, 0x28, 0x00,
		0x0f, 0xce, 0x08, 0x80, 0x13, 0x0b, 0x00, 0x00,
		0x00, 0x90, 0x1a, 0xdb, 0x91, 0x7f, 0x00, 0x00,
		0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x10, 0x68, 0x83, 0x03, 0x00, 0x00, 0x00,
	};

	reset(RING_BYTES - 48);
	put(captured, sizeof(captured));
	CHECK_INT(decode(NR_MAX), 2);
	CHECK_INT(records[0].addr, 0x276d80000);
	CHECK_INT(records[0].time_ns, 0xb138008b7ff);
	CHECK_INT(records[1].addr, 0x383681000);
	CHECK(records[1].weight == 1);
}

static void asks_for_what_it_decodes(void)
{
	CHECK_INT(mpp_perf_sample_type(false, false), PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR |
		  PERF_SAMPLE_PHYS_ADDR);
	CHECK_INT(mpp_perf_sample_type(true, true), PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR |
		  PERF_SAMPLE_PHYS_ADDR | PERF_SAMPLE_PERIOD | PERF_SAMPLE_DATA_SRC);
}

TAP_MAIN(
	{ "samples become records", decodes },
	{ "a fixed period", knows_a_fixed_period },
	{ "a captured ring", decodes_a_captured_ring },
	{ "around the end, from every position", wraps_around },
	{ "as many as there is room for", stops_when_full },
	{ "lost and throttled", counts_losses },
	{ "other records", passes_over_other_records },
	{ "damaged and cut off", survives_damage },
	{ "accesses by the kernel", leaves_out_the_kernel },
	{ "samples without an address", leaves_out_what_has_no_address },
	{ "what caches answered", leaves_out_what_caches_answered },
	{ "the sample type", asks_for_what_it_decodes },
)
