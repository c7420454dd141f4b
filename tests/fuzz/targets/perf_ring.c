// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of a ring buffer: flags, where it was written up to, then what is in it. */
#include <string.h>

#include "perf.h"

#include "fuzz.h"

#define RING_BYTES	1024u

static size_t decode_all(const struct mpp_perf_decoder *how, const struct mpp_perf_ring *from,
			 size_t nr_max, struct mpp_perf_stats *stats)
{
	struct mpp_perf_decoder decoder = *how;
	struct mpp_perf_ring ring = *from;
	struct mpp_record records[64];
	size_t total = 0, nr;

	do {
		nr = mpp_perf_decode(&decoder, &ring, nr_max, records);
		FUZZ_CHECK(nr <= nr_max && nr <= ARRAY_SIZE(records));
		FUZZ_CHECK(ring.head == from->head && ring.head - ring.tail <= RING_BYTES * 8);
		for (size_t i = 0; i < nr; i++)
			fuzz_check_record(&records[i]);
		total += nr;
	} while (nr);
	FUZZ_CHECK(ring.tail == ring.head && decoder.stats.nr_samples == total);
	*stats = decoder.stats;
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t flags = fuzz_byte(&in), start = fuzz_byte(&in);
	/* Words of eight, as the kernel allocates them, in memory of the exact size. */
	uint64_t *bytes = calloc(RING_BYTES / 8, 8);
	struct mpp_perf_decoder decoder = {
		.has_data_src = flags & 1,
		.flags = (flags & 2 ? MPP_PERF_KERNEL : 0) | (flags & 4 ? MPP_PERF_CACHED : 0),
	};
	/* Also positions that no kernel would give, and those before a wrap of the numbers. */
	uint64_t tail = (flags & 8 ? UINT64_MAX - 511 : 0) + start * UINT64_C(8);
	struct mpp_perf_ring ring = {
		.data = (const unsigned char *)bytes,
		.size = RING_BYTES,
		.tail = tail,
		.head = tail + in.left,
	};
	struct mpp_perf_stats one, many;

	if (!bytes)
		abort();
	for (size_t i = 0; i < in.left; i++)
		((unsigned char *)bytes)[(ring.tail + i) % RING_BYTES] = in.at[i];
	FUZZ_CHECK(decode_all(&decoder, &ring, 1, &one) == decode_all(&decoder, &ring, 64, &many));
	FUZZ_CHECK(!memcmp(&one, &many, sizeof(one)));
	free(bytes);
	return 0;
}
