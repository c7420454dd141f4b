// SPDX-License-Identifier: GPL-2.0-only
/* movephys rank: from single observations to the pages that are worth a move. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"

static const char help[] =
"usage: movephys rank [OPTIONS] [FILE|-|ADDR|RANGE ...]\n"
"\n"
"Reads records of any source (from standard input unless told), adds up the weight\n"
"of each page in bounded memory, and prints the hottest, neighbours joined, those\n"
"with the most heat per page first.  Weight of a range goes to its pages alike.\n"
"\n"
"  -t, --top SIZE       no more than that: 512M\n"
"  -m, --min HEAT       only pages of at least that heat\n"
"  -c, --cold           the coldest of the pages seen, coldest first\n"
"  -w, --window TIME    a ranking each time this has passed, by the records' times,\n"
"                       instead of one at the end; counting begins anew\n"
"  -H, --half-life TIME heat halves in that time; with --window, counting goes on\n"
"  -g, --page SIZE      count by pages of this size: 4K (the default), 2M\n"
"      --memory SIZE    use at most that for counting (64M)\n"
"  -p, --pfn            numbers in the input are frame numbers\n"
"  -s, --strict         end at the first bad line\n"
"  -j, --json           one JSON object per line\n"
"\n"
"examples:\n"
"  movephys sample --duration 10s | movephys rank --top 512M\n"
"  movephys sample | movephys rank --window 10s --half-life 30s --min 3 --top 256M |\n"
"      movephys move --from 1 --to 0 --rate 200M/s -\n"
"  movephys idle --node 0 --state both --rounds 5 | movephys rank --cold --top 1G |\n"
"      movephys move --from 0 --to 1 -\n";

#define READ_RECORDS	512

struct rank {
	struct stream stream;
	struct mpp_rank_options options;
	struct mpp_rank_query query;
	uint64_t window_ns;
	unsigned int text_flags;
	bool strict;
	struct mpp_rank *counts;
	uint64_t window_start;	/* 0 until a record came */
	bool fresh;		/* records since the last ranking */
	bool warned;
	uint64_t nr_bad;
};

enum {
	OPT_MEMORY = 256,
};

static const struct option long_options[] = {
	{ "top", required_argument, NULL, 't' },
	{ "min", required_argument, NULL, 'm' },
	{ "cold", no_argument, NULL, 'c' },
	{ "window", required_argument, NULL, 'w' },
	{ "half-life", required_argument, NULL, 'H' },
	{ "page", required_argument, NULL, 'g' },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "pfn", no_argument, NULL, 'p' },
	{ "strict", no_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static int take_bytes(const char *option, uint64_t *bytes)
{
	if (parse_size(optarg, bytes) || !*bytes)
		return usage_error("--%s %s: a size is wanted, such as 64K or 512M", option, optarg);
	return EXIT_DONE;
}

/* A weight, as records have it. */
static int take_heat(double *heat)
{
	struct mpp_record record;
	char line[64];
	int len = snprintf(line, sizeof(line), "0x0 %s", optarg);

	if (len >= (int)sizeof(line) || strpbrk(optarg, " \t#") || !*optarg ||
	    mpp_record_parse(line, (size_t)len, 0, NULL, &record))
		return usage_error("--min %s: a number such as 3 or 0.5 is wanted", optarg);
	*heat = record.weight;
	return EXIT_DONE;
}

static int take_option(int opt, int argc, char **argv, struct rank *rank)
{
	uint64_t bytes = 0;
	int status;

	switch (opt) {
	case 't':
		return take_bytes("top", &rank->query.top_bytes);
	case 'm':
		return take_heat(&rank->query.min_heat);
	case 'c':
		rank->query.flags |= MPP_RANK_COLD;
		return EXIT_DONE;
	case 'w':
		return take_duration("--window", optarg, 1, &rank->window_ns);
	case 'H':
		return take_duration("--half-life", optarg, 1, &rank->options.half_life_ns);
	case 'g':
		return take_bytes("page", &rank->options.page_bytes);
	case OPT_MEMORY:
		status = take_bytes("memory", &bytes);
		rank->options.memory_bytes = bytes;
		return status;
	case 'p':
		rank->text_flags |= MPP_TEXT_PFN;
		return EXIT_DONE;
	case 's':
		rank->strict = true;
		return EXIT_DONE;
	case 'j':
		rank->stream.json = true;
		return EXIT_DONE;
	}
	return option_error(argc, argv, opt);
}

static int take_options(int argc, char **argv, struct rank *rank)
{
	int opt, status, err;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":t:m:cw:H:g:psj", long_options, NULL)) != -1) {
		status = take_option(opt, argc, argv, rank);
		if (status)
			return status;
	}
	err = mpp_rank_open(&rank->options, &rank->counts);
	if (err == -EINVAL)
		return usage_error("--page takes powers of two from the base page up, --memory "
				   "64K and more");
	if (!err && mpp_rank_select(rank->counts, &rank->query))
		return usage_error("--top is less than a page");
	if (!err)
		return EXIT_DONE;
	complain("%s", strerror(-err));
	return EXIT_USAGE;
}

/* Once, and not where nothing is missing. */
static void warn_of_errors(struct rank *rank)
{
	struct mpp_rank_stats stats = { .size = sizeof(stats) };

	if (rank->warned || mpp_rank_stats(rank->counts, &stats) || !stats.nr_evicted)
		return;
	rank->warned = true;
	warn_about("more pages than fit: the coldest were dropped, and heat is short by up to %g "
		   "of %g in all; --memory or --page takes more", stats.max_error, stats.weight);
}

static void print_ranking(struct rank *rank)
{
	struct mpp_record records[READ_RECORDS];
	size_t nr;

	if (!rank->fresh)
		return;
	rank->fresh = false;
	mpp_rank_select(rank->counts, &rank->query);
	if (rank->window_ns && !rank->stream.json)
		printf("# the window from %.9f s\n", (double)rank->window_start / 1e9);
	while ((nr = mpp_rank_read(rank->counts, READ_RECORDS, records)) && !output_is_broken())
		for (size_t i = 0; i < nr; i++)
			stream_record(&rank->stream, &records[i], NULL, NULL);
	fflush(stdout);
	warn_of_errors(rank);
}

/* Whether a record of that time is of a later window than those before it. */
static bool ends_window(struct rank *rank, uint64_t time_ns)
{
	if (!rank->window_start)
		rank->window_start = time_ns;
	return time_ns >= rank->window_start + rank->window_ns;
}

static void next_window(struct rank *rank, uint64_t time_ns)
{
	print_ranking(rank);
	rank->window_start += (time_ns - rank->window_start) / rank->window_ns * rank->window_ns;
	if (!rank->options.half_life_ns)
		mpp_rank_clear(rank->counts);
}

static void add_records(struct rank *rank, size_t nr, const struct mpp_record *records)
{
	while (nr) {
		size_t done = mpp_rank_add(rank->counts, nr, records);

		rank->fresh = rank->fresh || done;
		nr -= done;
		records += done;
		if (!nr)
			break;
		complain("a record at 0x%llx with the weight %g cannot be counted",
			 (unsigned long long)records->addr, records->weight);
		rank->nr_bad++;
		nr--;
		records++;
	}
}

/* Of input without times what matters is when it came: all that came at once, alike. */
static void stamp(size_t nr, struct mpp_record *records)
{
	const uint64_t now_ns = clock_ns();

	for (size_t i = 0; i < nr; i++)
		if (!records[i].time_ns)
			records[i].time_ns = now_ns;
}

static void take_records(struct rank *rank, size_t nr, struct mpp_record *records)
{
	size_t first = 0;

	if (rank->window_ns || rank->options.half_life_ns)
		stamp(nr, records);
	for (size_t i = 0; i < nr && rank->window_ns; i++) {
		if (!ends_window(rank, records[i].time_ns))
			continue;
		add_records(rank, i - first, records + first);
		first = i;
		next_window(rank, records[i].time_ns);
	}
	add_records(rank, nr - first, records + first);
}

static int count_all(struct rank *rank, struct input *in)
{
	struct mpp_record records[READ_RECORDS];
	int nodes[READ_RECORDS];	/* that a line asks for: of no use here */
	int nr = 0;

	interrupt_catch();
	while (!output_is_broken()) {
		nr = input_read(in, READ_RECORDS, records, nodes);
		if (nr <= 0)
			break;
		take_records(rank, (size_t)nr, records);
	}
	/* What was seen up to a Ctrl-C is worth telling. */
	print_ranking(rank);
	if (interrupt_seen())
		return EXIT_SIGNAL + interrupt_seen();
	return nr < 0 || rank->nr_bad || input_nr_bad(in) ? EXIT_USAGE : EXIT_DONE;
}

static int run_rank(int argc, char **argv)
{
	char dash[] = "-", *no_args[] = { dash };
	struct rank rank = {
		.options = { .size = sizeof(rank.options) },
		.query = { .size = sizeof(rank.query) },
	};
	struct input *in = NULL;
	int status = take_options(argc, argv, &rank);

	if (!status) {
		in = optind < argc ?
		     input_open(argc - optind, argv + optind, rank.text_flags, rank.strict) :
		     input_open(1, no_args, rank.text_flags, rank.strict);
		status = in ? count_all(&rank, in) : EXIT_USAGE;
	}
	input_close(in);
	mpp_rank_free(rank.counts);
	return status;
}

const struct command cmd_rank = {
	.name = "rank",
	.summary = "count records per page and print the hottest",
	.help = help,
	.run = run_rank,
};
