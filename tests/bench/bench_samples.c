// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast samples go from a ring buffer to a ranking: records decoded, lines of perf
 * script read, records counted with all pages in the table and with one that is too
 * small.  Best of five; one line each: name, millions a second, MiB resident.
 *
 * Status 1 when decoding is below what is promised, 2 million records a second.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "perf.h"

#define RING_BYTES	(512u << 10)
#define BATCH		1024
#define NR_RUNS		5
#define NR_RECORDS	4000000u
#define PROMISED	2e6

static uint64_t seed = 1;

static uint64_t next_random(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void report(const char *name, double per_second)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("%-28s %8.1f M/s %8.1f MiB resident\n", name, per_second / 1e6,
	       (double)usage.ru_maxrss / 1024);
}

/* A ring full of samples, with a loss and an invalid one in every hundred. */
static uint64_t fill_ring(unsigned char *data, bool has_data_src)
{
	const size_t nr_words = has_data_src ? 5 : 4;
	uint64_t pos = 0, nr = 0;

	while (pos + 8 + nr_words * 8 <= RING_BYTES) {
		const struct perf_event_header header = {
			.type = nr % 100 == 99 ? PERF_RECORD_LOST : PERF_RECORD_SAMPLE,
			.misc = PERF_RECORD_MISC_USER,
			.size = (uint16_t)(8 + nr_words * 8),
		};
		uint64_t words[5] = { nr, 0x7f0000000000 + nr * 64, 1000, 0, 0 };

		words[nr_words - 1] = nr % 100 == 98 ? 0 : (next_random() % 1000000) << 12;
		memcpy(data + pos, &header, sizeof(header));
		memcpy(data + pos + 8, words, nr_words * 8);
		pos += header.size;
		nr++;
	}
	return pos;
}

static double decode(bool has_data_src)
{
	static unsigned char data[RING_BYTES];
	static struct mpp_record records[BATCH];
	const uint64_t end = fill_ring(data, has_data_src);
	struct mpp_perf_decoder decoder = { .has_data_src = has_data_src };
	double begin = seconds(), sum = 0;

	while (decoder.stats.nr_samples < NR_RECORDS) {
		struct mpp_perf_ring ring = { .data = data, .size = RING_BYTES, .head = end };
		size_t nr;

		while ((nr = mpp_perf_decode(&decoder, &ring, BATCH, records)))
			sum += records[nr - 1].weight;
	}
	if (sum == 0)
		abort();
	return (double)decoder.stats.nr_samples / (seconds() - begin);
}

static double read_lines(bool unused)
{
	static const char line[] = "  redis-server    4711/4713    [003]  1234.567890:       2000"
				   "     ibs_op//:     7f0012345678      13f4a1fc0";
	struct mpp_record record;
	double begin = seconds();

	(void)unused;
	for (unsigned int i = 0; i < NR_RECORDS; i++)
		if (mpp_perf_script_parse(line, sizeof(line) - 1, 0, NULL, &record))
			abort();
	return NR_RECORDS / (seconds() - begin);
}

/* Pages as they come from a skewed workload: the product of two draws. */
static double count(bool is_small)
{
	const struct mpp_rank_options options = {
		.size = sizeof(options),
		.memory_bytes = is_small ? 1 << 20 : 0,
		.half_life_ns = 1000000000,
	};
	static struct mpp_record records[BATCH];
	struct mpp_rank *rank;
	double begin, end;

	if (mpp_rank_open(&options, &rank))
		abort();
	for (size_t i = 0; i < BATCH; i++)
		records[i] = (struct mpp_record) { .size_bytes = 1, .weight = 1 };
	begin = seconds();
	for (unsigned int i = 0; i < NR_RECORDS; i += BATCH) {
		for (size_t at = 0; at < BATCH; at++) {
			uint64_t draw = next_random();

			records[at].addr = (draw % 512) * (draw >> 32 & 511) << 12;
			records[at].time_ns = (i + at + 1) * 1000;
		}
		mpp_rank_add(rank, BATCH, records);
	}
	end = seconds();
	mpp_rank_free(rank);
	return NR_RECORDS / (end - begin);
}

static double best(double (*measure)(bool), bool argument)
{
	double most = 0;

	for (int i = 0; i < NR_RUNS; i++) {
		double rate = measure(argument);

		if (rate > most)
			most = rate;
	}
	return most;
}

int main(void)
{
	const double plain = best(decode, false);
	const double with_data_src = best(decode, true);

	report("decode", plain);
	report("decode, with data source", with_data_src);
	report("perf script lines", best(read_lines, false));
	report("rank, table too small", best(count, true));
	report("rank", best(count, false));
	if (plain >= PROMISED && with_data_src >= PROMISED)
		return EXIT_SUCCESS;
	puts("decoding is slower than 2 million records a second");
	return EXIT_FAILURE;
}
