// SPDX-License-Identifier: GPL-2.0-only
/* Ranking, against a reference that keeps everything. */
#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"

#define PAGE	4096u
#define NR_READ	64

static uint64_t seed;

/* xorshift64*: the same on every machine. */
static uint64_t next_random(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(uint64_t limit)
{
	return next_random() % limit;
}

static struct mpp_rank *open_rank(size_t memory_bytes, uint64_t page_bytes, uint64_t half_life_ns)
{
	const struct mpp_rank_options options = {
		.size = sizeof(options),
		.memory_bytes = memory_bytes,
		.page_bytes = page_bytes,
		.half_life_ns = half_life_ns,
	};
	struct mpp_rank *rank;

	if (mpp_rank_open(&options, &rank)) {
		puts("Bail out! mpp_rank_open");
		exit(EXIT_FAILURE);
	}
	return rank;
}

static struct mpp_rank_stats stats_of(const struct mpp_rank *rank)
{
	struct mpp_rank_stats stats = { .size = sizeof(stats) };

	CHECK_INT(mpp_rank_stats(rank, &stats), 0);
	return stats;
}

static void add(struct mpp_rank *rank, uint64_t addr, uint64_t size, double weight, uint64_t time)
{
	const struct mpp_record record = {
		.addr = addr,
		.size_bytes = size,
		.weight = weight,
		.time_ns = time,
		.source = MPP_SOURCE_PERF,
	};

	CHECK_INT(mpp_rank_add(rank, 1, &record), 1);
}

static int choose(struct mpp_rank *rank, unsigned int flags, uint64_t top, double min)
{
	const struct mpp_rank_query query = {
		.size = sizeof(query),
		.flags = flags,
		.top_bytes = top,
		.min_heat = min,
	};

	return mpp_rank_select(rank, &query);
}

struct range {
	uint64_t page, nr_pages;
	double weight;
};

static void expect(struct mpp_rank *rank, const struct range *want, size_t nr_want)
{
	struct mpp_record records[NR_READ];
	size_t nr = mpp_rank_read(rank, NR_READ, records);

	CHECK_INT(nr, nr_want);
	for (size_t i = 0; i < nr && i < nr_want; i++) {
		CHECK_INT(records[i].addr, want[i].page * PAGE);
		CHECK_INT(records[i].size_bytes, want[i].nr_pages * PAGE);
		if (fabs(records[i].weight - want[i].weight) > 1e-9)
			tap_fail(__FILE__, __LINE__, "weight %g, not %g", records[i].weight,
				 want[i].weight);
	}
	CHECK_INT(mpp_rank_read(rank, NR_READ, records), 0);
}

#define EXPECT(rank, ...) \
	do { \
		const struct range want_[] = { __VA_ARGS__ }; \
		expect(rank, want_, ARRAY_LEN(want_)); \
	} while (0)

static void ranks_pages(void)
{
	struct mpp_rank *rank = open_rank(0, 0, 0);

	CHECK_INT(choose(rank, 0, 0, 0), 0);
	expect(rank, NULL, 0);
	for (int i = 0; i < 3; i++)
		add(rank, 10 * PAGE + 8, 1, 1, 0);
	add(rank, 5 * PAGE, 1, 7, 0);
	add(rank, 11 * PAGE + 4095, 1, 2, 0);
	add(rank, 20 * PAGE, PAGE, 0, 0);
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	EXPECT(rank, { 5, 1, 7 }, { 10, 2, 5 }, { 20, 1, 0 });
	/* Of the pair only the hotter page. */
	CHECK_INT(choose(rank, 0, 2 * PAGE, 0), 0);
	EXPECT(rank, { 5, 1, 7 }, { 10, 1, 3 });
	CHECK_INT(choose(rank, 0, 3 * PAGE - 1, 0), 0);
	EXPECT(rank, { 5, 1, 7 }, { 10, 1, 3 });
	CHECK_INT(choose(rank, 0, 0, 2.5), 0);
	EXPECT(rank, { 5, 1, 7 }, { 10, 1, 3 });
	CHECK_INT(choose(rank, 0, 0, 100), 0);
	expect(rank, NULL, 0);
	CHECK_INT(choose(rank, MPP_RANK_COLD, 0, 0), 0);
	EXPECT(rank, { 20, 1, 0 }, { 10, 2, 5 }, { 5, 1, 7 });
	CHECK_INT(choose(rank, MPP_RANK_COLD, 2 * PAGE, 0), 0);
	EXPECT(rank, { 20, 1, 0 }, { 11, 1, 2 });
	CHECK_INT(choose(rank, MPP_RANK_COLD, PAGE, 0.5), 0);
	EXPECT(rank, { 11, 1, 2 });

	mpp_rank_clear(rank);
	CHECK_INT(stats_of(rank).nr_entries, 0);
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	expect(rank, NULL, 0);
	mpp_rank_free(rank);
}

static void cuts_equals_by_address(void)
{
	struct mpp_rank *rank = open_rank(0, 0, 0);

	for (uint64_t page = 10; page > 0; page--)
		add(rank, page * 2 * PAGE, 1, 1, 0);
	CHECK_INT(choose(rank, 0, 3 * PAGE, 0), 0);
	EXPECT(rank, { 2, 1, 1 }, { 4, 1, 1 }, { 6, 1, 1 });
	CHECK_INT(choose(rank, MPP_RANK_COLD, 2 * PAGE, 0), 0);
	EXPECT(rank, { 2, 1, 1 }, { 4, 1, 1 });
	mpp_rank_free(rank);
}

static void keeps_ranges(void)
{
	struct mpp_rank *rank = open_rank(0, 0, 0);

	/* A terabyte is one entry, its weight goes to all pages alike. */
	add(rank, 0, UINT64_C(1) << 40, 1 << 28, 0);
	add(rank, 0, UINT64_C(1) << 40, 1 << 28, 0);
	add(rank, 100 * PAGE, 1, 5, 0);
	/* Half a page and a byte touch two pages. */
	add(rank, 200 * PAGE + 2048, 2049, 4, 0);
	CHECK_INT(stats_of(rank).nr_entries, 3);
	CHECK_INT(choose(rank, 0, 3 * PAGE, 0), 0);
	EXPECT(rank, { 100, 1, 7 }, { 200, 2, 8 });
	/* The rest of the top comes off the front of the range. */
	CHECK_INT(choose(rank, 0, 13 * PAGE, 0), 0);
	EXPECT(rank, { 100, 1, 7 }, { 200, 2, 8 }, { 0, 10, 20 });
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	EXPECT(rank, { 0, UINT64_C(1) << 28, 2.0 * (1 << 28) + 9 });
	mpp_rank_free(rank);
}

static void keeps_rounding_local(void)
{
	struct mpp_rank *rank = open_rank(0, 0, 0);

	add(rank, 0, 10 * PAGE, 1e19 / 3, 0);
	add(rank, 5 * PAGE, 10 * PAGE, 1e18 / 7, 0);
	add(rank, 7 * PAGE, 30 * PAGE, 1e9 / 11, 0);
	add(rank, 100 * PAGE, 1, 0.001, 0);
	CHECK_INT(choose(rank, MPP_RANK_COLD, PAGE, 0), 0);
	EXPECT(rank, { 100, 1, 0.001 });
	mpp_rank_free(rank);
}

/* Each page alone would need more room than its step has: see join(). */
static void cuts_before_a_neighbour(void)
{
	struct mpp_rank *rank = open_rank(0, 0, 0);

	add(rank, 0, 10 * PAGE, 10, 0);		/* 1 each: six of them are taken */
	add(rank, 10 * PAGE, 1, 9, 0);
	for (uint64_t page = 12; page < 24; page += 2)
		add(rank, page * PAGE, 1, (double)page, 0);
	CHECK_INT(choose(rank, 0, 13 * PAGE, 0), 0);
	EXPECT(rank, { 22, 1, 22 }, { 20, 1, 20 }, { 18, 1, 18 }, { 16, 1, 16 }, { 14, 1, 14 },
	       { 12, 1, 12 }, { 10, 1, 9 }, { 0, 6, 6 });
	mpp_rank_free(rank);
}

static void counts_by_large_pages(void)
{
	struct mpp_rank *rank = open_rank(0, 2 << 20, 0);
	struct mpp_record record;

	add(rank, 0x200000, 1, 1, 0);
	add(rank, 0x3fffff, 1, 1, 0);
	add(rank, 0x400000, 4096, 1, 0);
	CHECK_INT(choose(rank, 0, 2 << 20, 0), 0);
	CHECK_INT(mpp_rank_read(rank, 1, &record), 1);
	CHECK_INT(record.addr, 0x200000);
	CHECK_INT(record.size_bytes, 2 << 20);
	CHECK(record.weight == 2);
	CHECK_INT(choose(rank, 0, 4096, 0), -EINVAL);
	mpp_rank_free(rank);
}

static void fades(void)
{
	const uint64_t second = 1000000000;
	struct mpp_rank *rank = open_rank(0, 0, second);

	add(rank, 1 * PAGE, 1, 8, 10 * second);
	add(rank, 3 * PAGE, 1, 1, 12 * second);
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	EXPECT(rank, { 1, 1, 2 }, { 3, 1, 1 });
	/* What comes late counts by its own time; what has none is new. */
	add(rank, 3 * PAGE, 1, 4, 10 * second);
	add(rank, 5 * PAGE, 1, 3, 0);
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	EXPECT(rank, { 5, 1, 3 }, { 1, 1, 2 }, { 3, 1, 2 });
	CHECK_INT(stats_of(rank).newest_ns, 12 * second);
	CHECK(fabs(stats_of(rank).weight - 7) < 1e-9);
	/* A long silence forgets all, and counting goes on. */
	add(rank, 7 * PAGE, 1, 1, 100000 * second);
	CHECK_INT(choose(rank, 0, PAGE, 0), 0);
	EXPECT(rank, { 7, 1, 1 });
	CHECK(stats_of(rank).weight == 1);
	mpp_rank_free(rank);
}

static void refuses_nonsense(void)
{
	static const struct mpp_record bad[] = {
		{ .addr = PAGE, .size_bytes = 1, .weight = -1 },
		{ .addr = PAGE, .size_bytes = 1, .weight = NAN },
		{ .addr = PAGE, .size_bytes = 1, .weight = INFINITY },
		{ .addr = PAGE, .size_bytes = 1, .weight = 1e201 },
		{ .addr = PAGE, .size_bytes = 0, .weight = 1 },
		{ .addr = UINT64_MAX, .size_bytes = 2, .weight = 1 },
	};
	const struct mpp_rank_options options[] = {
		{ .size = sizeof(struct mpp_rank_options), .page_bytes = 4097 },
		{ .size = sizeof(struct mpp_rank_options), .page_bytes = 2048 },
		{ .size = sizeof(struct mpp_rank_options), .memory_bytes = 4096 },
		{ .size = 4 },
	};
	struct mpp_rank *rank = open_rank(0, 0, 0);
	struct mpp_rank *none = NULL;
	struct mpp_record records[3] = {
		{ .addr = PAGE, .size_bytes = 1, .weight = 1 },
		{ .addr = PAGE, .size_bytes = 1, .weight = -1 },
		{ .addr = PAGE, .size_bytes = 1, .weight = 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(mpp_rank_add(rank, 1, &bad[i]), 0);
	CHECK_INT(stats_of(rank).nr_records, 0);
	CHECK_INT(mpp_rank_add(rank, 3, records), 1);
	CHECK_INT(stats_of(rank).nr_records, 1);
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		CHECK_INT(mpp_rank_open(&options[i], &none), -EINVAL);
	CHECK(!none);
	CHECK_INT(choose(rank, 2, 0, 0), -EINVAL);
	CHECK_INT(choose(rank, 0, 0, NAN), -EINVAL);
	CHECK_INT(choose(rank, 0, 0, -1), -EINVAL);
	/* The whole of 64 bits is one byte longer than a size can say. */
	records[0] = (struct mpp_record) { .size_bytes = UINT64_MAX, .weight = 1 };
	mpp_rank_clear(rank);
	CHECK_INT(mpp_rank_add(rank, 1, records), 1);
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	CHECK_INT(mpp_rank_read(rank, 3, records), 1);
	CHECK(records[0].size_bytes == UINT64_MAX);
	mpp_rank_free(rank);
}

/* ---- Against the reference ---- */

#define NR_PAGES	4096	/* of the reference; ranges lie in it */

static double exact[NR_PAGES];

static uint64_t random_page(unsigned int kind)
{
	uint64_t page = below(NR_PAGES);

	/* Some pages much more often than others, as real accesses are; or all alike. */
	for (unsigned int i = 0; i < kind; i++) {
		uint64_t other = below(NR_PAGES);

		if (other < page)
			page = other;
	}
	return page;
}

static int compare_exact(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (exact[x] != exact[y])
		return exact[x] < exact[y] ? 1 : -1;
	return (x > y) - (x < y);
}

/* The pages chosen, with their heat where a run is a single page. */
static size_t read_pages(struct mpp_rank *rank, bool *chosen, double *heat)
{
	struct mpp_record records[NR_READ];
	size_t nr_pages = 0, nr;

	memset(chosen, 0, NR_PAGES * sizeof(*chosen));
	while ((nr = mpp_rank_read(rank, NR_READ, records))) {
		for (size_t i = 0; i < nr; i++) {
			for (uint64_t at = 0; at < records[i].size_bytes / PAGE; at++) {
				uint64_t page = records[i].addr / PAGE + at;

				CHECK(page < NR_PAGES && !chosen[page]);
				chosen[page % NR_PAGES] = true;
				if (heat)
					heat[page % NR_PAGES] = records[i].weight;
				nr_pages++;
			}
		}
	}
	return nr_pages;
}

/* While all fits, ranges that overlap at random are added up exactly. */
static void is_exact_while_it_fits(void)
{
	static uint32_t order[NR_PAGES];
	static bool chosen[NR_PAGES];

	for (seed = 1; seed && seed < 1u << 30; seed = seed * 7 + 3) {
		struct mpp_rank *rank = open_rank(0, 0, 0);
		uint64_t start = seed, top = 0;
		bool cold;

		memset(exact, 0, sizeof(exact));
		for (int i = 0; i < 3000; i++) {
			uint64_t nr = below(4) ? 1 : 1 + below(64), page = below(NR_PAGES - 64);
			uint64_t heat = 1 + below(5);	/* whole numbers: sums are exact */

			add(rank, page * PAGE, nr * PAGE, (double)(heat * nr), 0);
			for (uint64_t at = page; at < page + nr; at++)
				exact[at] += (double)heat;
		}
		CHECK(stats_of(rank).max_error == 0);
		for (uint32_t i = 0; i < NR_PAGES; i++)
			order[i] = i;
		qsort(order, NR_PAGES, sizeof(*order), compare_exact);
		top = 1 + below(1000);
		CHECK_INT(choose(rank, 0, top * PAGE, 0), 0);
		CHECK_INT(read_pages(rank, chosen, NULL), top);
		for (size_t i = 0; i < NR_PAGES; i++)
			if (chosen[order[i]] != (i < top))
				tap_fail(__FILE__, __LINE__, "seed %llu: page %u, place %zu",
					 (unsigned long long)start, order[i], i);
		/* By a minimum: those, and no others. */
		cold = below(2);
		CHECK_INT(choose(rank, cold ? MPP_RANK_COLD : 0, 0, 4.5), 0);
		read_pages(rank, chosen, NULL);
		for (size_t i = 0; i < NR_PAGES; i++)
			CHECK_INT(chosen[i], exact[i] >= 4.5);
		mpp_rank_free(rank);
		seed = start;
	}
}

/*
 * A table that is far too small: what an entry says is never more than the truth, and
 * short of it by at most the error told, which keeps its bound.
 */
static void keeps_its_error_bound(void)
{
	static bool chosen[NR_PAGES];
	static double heat[NR_PAGES];

	for (unsigned int round = 0; round < 24; round++) {
		const uint64_t half_life = round % 3 == 2 ? 1000 : 0;
		struct mpp_rank *rank = open_rank(64 << 10, 0, half_life);
		uint64_t time = 0;
		struct mpp_rank_stats stats;
		double sum = 0;

		seed = round + 1;
		memset(exact, 0, sizeof(exact));
		memset(heat, 0, sizeof(heat));
		for (int i = 0; i < 40000; i++) {
			/* Every other page, so that no two runs join. */
			uint64_t page = random_page(round / 4) & ~UINT64_C(1);
			double weight = (double)(round % 2 ? 1 : 1 + below(100));

			time = 1 + (uint64_t)i;
			add(rank, page * PAGE, 1, weight, time);
			if (half_life && i && i % 1000 == 0)
				for (size_t at = 0; at < NR_PAGES; at++)
					exact[at] /= 2;
			/* The reference fades in steps of one half-life. */
			exact[page] += half_life ? weight * exp2((double)(i % 1000) / 1000) :
						   weight;
		}
		for (size_t at = 0; at < NR_PAGES; at++) {
			if (half_life)
				exact[at] /= exp2(999. / 1000);
			sum += exact[at];
		}
		stats = stats_of(rank);
		CHECK(stats.nr_evicted > 0);
		CHECK(stats.nr_entries <= stats.capacity && stats.capacity < NR_PAGES / 2);
		CHECK(fabs(stats.weight - sum) < 1e-6 * sum);
		CHECK(stats.max_error <= 2 * sum / (double)stats.capacity);
		CHECK_INT(choose(rank, 0, 0, 0), 0);
		CHECK_INT(read_pages(rank, chosen, heat), stats.nr_entries);
		for (size_t at = 0; at < NR_PAGES; at++) {
			double short_by = exact[at] - (chosen[at] ? heat[at] : 0);

			if (short_by < -1e-6 * sum || short_by > stats.max_error + 1e-6 * sum)
				tap_fail(__FILE__, __LINE__, "round %u page %zu: %g, not %g",
					 round, at, heat[at], exact[at]);
		}
		mpp_rank_free(rank);
	}
}

/* The bound that can be stated beforehand, and found wanting if it were half of it. */
static void evicts_what_it_must(void)
{
	struct mpp_rank *rank = open_rank(64 << 10, 0, 0);
	const uint64_t capacity = stats_of(rank).capacity;

	/* Equal heat everywhere: one newcomer, and all of the others are gone. */
	for (uint64_t i = 0; i <= capacity; i++)
		add(rank, i * 2 * PAGE, 1, 3, 0);
	CHECK_INT(stats_of(rank).nr_entries, 1);
	CHECK_INT(stats_of(rank).nr_evicted, capacity);
	CHECK(stats_of(rank).max_error == 3);
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	EXPECT(rank, { capacity * 2, 1, 3 });

	/* Where most have none, nothing is taken from those that have. */
	mpp_rank_clear(rank);
	for (uint64_t i = 0; i <= 10 * capacity; i++)
		add(rank, i * 2 * PAGE, 1, i % 5 ? 0 : 1, 0);
	CHECK(stats_of(rank).nr_evicted > 0);
	CHECK(stats_of(rank).max_error <= 2 * stats_of(rank).weight / (double)capacity);

	/* Pages of much heat outlive any number that come once. */
	mpp_rank_clear(rank);
	for (uint64_t i = 0; i < 200000; i++) {
		add(rank, i * 2 * PAGE + (UINT64_C(1) << 40), 1, 1, 0);
		if (i % 100 < 10)
			add(rank, (i % 100) * 2 * PAGE, 1, 1, 0);
	}
	CHECK_INT(choose(rank, 0, 10 * PAGE, 0), 0);
	{
		static bool chosen[NR_PAGES];

		CHECK_INT(read_pages(rank, chosen, NULL), 10);
		for (size_t i = 0; i < 10; i++)
			CHECK(chosen[i * 2]);
	}
	mpp_rank_free(rank);
}

static void is_bounded_and_repeatable(void)
{
	static const size_t bounds[] = { 64 << 10, 1 << 20, 3 << 20, 64 << 20 };
	static struct mpp_record first[2 * NR_READ], second[2 * NR_READ];

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		struct mpp_rank *rank = open_rank(bounds[i], 0, 0);
		struct mpp_rank_stats stats = stats_of(rank);

		CHECK(stats.memory_bytes <= bounds[i]);
		CHECK(stats.memory_bytes >= bounds[i] / 4);
		CHECK(stats.capacity > bounds[i] / 256);
		mpp_rank_free(rank);
	}
	for (int run = 0; run < 2; run++) {
		struct mpp_rank *rank = open_rank(64 << 10, 0, 777);

		seed = 42;
		for (uint64_t i = 1; i < 20000; i++)
			add(rank, random_page(1) * PAGE, 1 + below(3) * PAGE,
			    (double)(1 + below(9)), i);
		CHECK_INT(choose(rank, 0, 100 * PAGE, 0), 0);
		mpp_rank_read(rank, 2 * NR_READ, run ? second : first);
		mpp_rank_free(rank);
	}
	CHECK(first[0].size_bytes);
	CHECK(!memcmp(first, second, sizeof(first)));
}

static void tells_the_source(void)
{
	struct mpp_rank *rank = open_rank(0, 0, 0);
	struct mpp_record record = { .addr = PAGE, .size_bytes = 1, .weight = 1,
				     .source = MPP_SOURCE_PAGEMAP };

	CHECK_INT(mpp_rank_add(rank, 1, &record), 1);
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	CHECK_INT(mpp_rank_read(rank, 1, &record), 1);
	CHECK_INT(record.source, MPP_SOURCE_PAGEMAP);
	add(rank, PAGE, 1, 1, 0);
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	/* More records make a selection void. */
	add(rank, PAGE, 1, 1, 0);
	CHECK_INT(mpp_rank_read(rank, 1, &record), 0);
	CHECK_INT(choose(rank, 0, 0, 0), 0);
	CHECK_INT(mpp_rank_read(rank, 1, &record), 1);
	CHECK_INT(record.source, 0);
	mpp_rank_free(rank);
}

TAP_MAIN(
	{ "pages by heat, top, minimum, cold", ranks_pages },
	{ "equal pages are cut by address", cuts_equals_by_address },
	{ "ranges stay ranges and add up", keeps_ranges },
	{ "rounding of large heat stays where it is", keeps_rounding_local },
	{ "a cut right before a chosen neighbour", cuts_before_a_neighbour },
	{ "huge pages as the unit", counts_by_large_pages },
	{ "heat fades by half-lives, late records too", fades },
	{ "nonsense is refused", refuses_nonsense },
	{ "exact while it fits, against a reference", is_exact_while_it_fits },
	{ "the error bound holds, against a reference", keeps_its_error_bound },
	{ "evictions at their worst, and hot pages that survive", evicts_what_it_must },
	{ "bounded memory, the same answer twice", is_bounded_and_repeatable },
	{ "the source, and a selection made void", tells_the_source },
)
