// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records of five bytes (page, length, weight, time) into a ranking, held against a count
 * of each page that forgets nothing: what is chosen was never hotter than that.
 */
#include <stdbool.h>
#include <string.h>

#include <movephys.h>

#include "fuzz.h"

#define PAGE		UINT64_C(4096)
#define NR_DRAWN	2048u	/* pages that begin a record, at each end of memory */
#define HIGH		(UINT64_MAX - NR_DRAWN * PAGE + 1)
#define HIGH_INDEX	(2 * NR_DRAWN)	/* beyond what a range at the low end reaches */
#define NR_PAGES	(HIGH_INDEX + NR_DRAWN)
#define NR_READ		7

static double exact[NR_PAGES];
static double rounding;		/* of sums in which large and small meet */

static uint32_t index_of(uint64_t addr)
{
	return (uint32_t)(addr >= HIGH ? HIGH_INDEX + (addr - HIGH) / PAGE : addr / PAGE);
}

static struct mpp_record make_record(struct fuzz_input *in)
{
	const uint32_t page = fuzz_byte(in) | (uint32_t)fuzz_byte(in) << 8;
	const uint64_t size = fuzz_byte(in) * UINT64_C(1000) + 1;
	const uint8_t weight = fuzz_byte(in);

	return (struct mpp_record) {
		.addr = (page & 0x8000 ? HIGH : 0) + page % NR_DRAWN * PAGE,
		.size_bytes = size,
		.weight = weight & 0x80 ? weight * 1e-9 : weight,
		.time_ns = fuzz_byte(in),
	};
}

static void count(struct mpp_rank *rank, const struct mpp_record *record)
{
	const uint64_t last = record->addr + (record->size_bytes - 1);
	uint32_t first, nr;

	if (!mpp_rank_add(rank, 1, record)) {
		FUZZ_CHECK(last < record->addr);
		return;
	}
	FUZZ_CHECK(last >= record->addr);
	rounding += record->weight * 1e-12;
	first = index_of(record->addr);
	nr = (uint32_t)(last / PAGE - record->addr / PAGE + 1);
	for (uint32_t i = 0; i < nr; i++)
		exact[first + i] += record->weight / nr;
}

/* Returns its bytes; takes its pages out of the count, as none may come twice. */
static uint64_t check_chosen(const struct mpp_record *chosen, bool is_exact, bool fades)
{
	const uint32_t first = index_of(chosen->addr);
	const uint32_t nr = (uint32_t)(chosen->size_bytes / PAGE);
	double most = 0;

	FUZZ_CHECK(nr && chosen->addr % PAGE == 0 && chosen->size_bytes % PAGE == 0);
	FUZZ_CHECK(first + nr <= NR_PAGES && chosen->weight >= 0);
	for (uint32_t i = first; i < first + nr; i++) {
		FUZZ_CHECK(exact[i] >= 0);
		most += exact[i];
		exact[i] = -1;
	}
	FUZZ_CHECK(chosen->weight <= most + rounding);
	if (is_exact && !fades)
		FUZZ_CHECK(chosen->weight >= most - rounding);
	return chosen->size_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	const uint8_t flags = fuzz_byte(&in), half_life = fuzz_byte(&in), top = fuzz_byte(&in);
	struct mpp_rank_options options = {
		.size = sizeof(options),
		.memory_bytes = 64 << 10,
		.half_life_ns = flags & 1 ? half_life : 0,
	};
	struct mpp_rank_query query = {
		.size = sizeof(query),
		.flags = flags & 2 ? MPP_RANK_COLD : 0,
		.top_bytes = flags & 4 ? (top + 1) * PAGE : 0,
		.min_heat = flags & 8 ? fuzz_byte(&in) / 100. : 0,
	};
	struct mpp_rank_stats stats = { .size = sizeof(stats) };
	struct mpp_record records[NR_READ];
	struct mpp_rank *rank;
	uint64_t bytes = 0;
	size_t nr;

	memset(exact, 0, sizeof(exact));
	rounding = 1e-12;
	FUZZ_CHECK(!mpp_rank_open(&options, &rank));
	while (in.left >= 5) {
		struct mpp_record record = make_record(&in);

		count(rank, &record);
	}
	FUZZ_CHECK(!mpp_rank_stats(rank, &stats));
	FUZZ_CHECK(stats.max_error <= 2 * stats.weight / (double)stats.capacity * (1 + 1e-9));
	FUZZ_CHECK(!mpp_rank_select(rank, &query));
	while ((nr = mpp_rank_read(rank, NR_READ, records)))
		for (size_t i = 0; i < nr; i++)
			bytes += check_chosen(&records[i], !stats.nr_evicted, options.half_life_ns);
	FUZZ_CHECK(!query.top_bytes || bytes <= query.top_bytes);
	mpp_rank_free(rank);
	return 0;
}
