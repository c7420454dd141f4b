// SPDX-License-Identifier: GPL-2.0-only
/* movephys damon: what DAMON, the kernel's access monitor, sees. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

/* DAMON counts in microseconds, and 0 would mean its own choice. */
#define DAMON_LEAST_NS	1000

static const char help[] =
"usage: movephys damon [OPTIONS]\n"
"\n"
"Prints the regions of physical memory that DAMON, the kernel's monitor of data\n"
"accesses, found accessed, or not, as lines that the other commands read. The\n"
"weight is the number of accesses it counted, times the pages of the region. Reads\n"
"a monitor that runs already, or runs one and ends it with the command. Needs root\n"
"and a kernel with CONFIG_DAMON_SYSFS and CONFIG_DAMON_PADDR.\n"
"\n"
"  -k, --kdamond N      read this monitor of /sys/kernel/mm/damon/admin/kdamonds (0)\n"
"      --start          run one instead, for the memory of --node, or --within, or all\n"
"  -s, --state STATE    accessed (the default), idle, or both\n"
"  -m, --min N          only regions with at least so many accesses\n"
"  -i, --interval TIME  between snapshots, and with --start before the first: 500ms,\n"
"                       1s (the default), 2m\n"
"  -r, --rounds N       so many snapshots, 0 for until Ctrl-C; 1 unless told\n"
"      --sample TIME    with --start: between two looks at a region (5ms)\n"
"      --aggregate TIME with --start: over which accesses are counted (100ms)\n"
"      --regions N-M    with --start: how many regions, 10-1000 unless told\n"
FILTER_HELP
"  -j, --json           as JSON: one object per line\n"
"\n"
"examples:\n"
"  movephys damon --start --node 1 --interval 5s\n"
"  movephys damon --start --node 1 --min 5 | movephys move --from 1 --to 0 -\n"
"  movephys damon --kdamond 0 --rounds 0 | movephys rank --top 512M\n"
"  movephys damon --start --node 0 --state idle --interval 1m\n";

struct damon {
	struct stream stream;	/* first: print_region() gets it */
	struct filters filters;
	struct mpp_damon_options options;
};

enum {
	OPT_START = 256,
	OPT_SAMPLE,
	OPT_AGGREGATE,
	OPT_REGIONS,
};

static const struct option long_options[] = {
	{ "kdamond", required_argument, NULL, 'k' },
	{ "start", no_argument, NULL, OPT_START },
	{ "state", required_argument, NULL, 's' },
	{ "min", required_argument, NULL, 'm' },
	{ "interval", required_argument, NULL, 'i' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "sample", required_argument, NULL, OPT_SAMPLE },
	{ "aggregate", required_argument, NULL, OPT_AGGREGATE },
	{ "regions", required_argument, NULL, OPT_REGIONS },
	FILTER_OPTIONS,
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static int take_number(const char *option, const char *text, unsigned int *number)
{
	uint64_t count;

	if (parse_count(text, UINT_MAX, &count))
		return usage_error("%s %s: a number is wanted", option, text);
	*number = (unsigned int)count;
	return EXIT_DONE;
}

static int take_regions(const char *text, struct mpp_damon_options *options)
{
	char min[16], max[16];
	uint64_t least, most;
	int used = 0;

	if (sscanf(text, "%15[0-9]-%15[0-9]%n", min, max, &used) != 2 || text[used] ||
	    parse_count(min, UINT_MAX, &least) || parse_count(max, UINT_MAX, &most) ||
	    least < 3 || most < least)
		return usage_error("--regions %s: two numbers are wanted, such as 10-1000; "
				   "DAMON takes no less than 3", text);
	options->min_regions = (unsigned int)least;
	options->max_regions = (unsigned int)most;
	return EXIT_DONE;
}

static int take_option(int opt, int argc, char **argv, struct damon *damon)
{
	struct mpp_damon_options *options = &damon->options;

	switch (opt) {
	case 'k':
		return take_number("--kdamond", optarg, &options->kdamond);
	case OPT_START:
		options->flags |= MPP_DAMON_START;
		break;
	case 's':
		return take_state(optarg, MPP_DAMON_ACCESSED, MPP_DAMON_IDLE, &options->flags);
	case 'm':
		return take_number("--min", optarg, &options->min_accesses);
	case 'i':
		return take_duration("--interval", optarg, 0, &options->interval_ns);
	case 'r':
		return take_number("--rounds", optarg, &options->nr_snapshots);
	case OPT_SAMPLE:
		return take_duration("--sample", optarg, DAMON_LEAST_NS, &options->sample_ns);
	case OPT_AGGREGATE:
		return take_duration("--aggregate", optarg, DAMON_LEAST_NS, &options->aggregate_ns);
	case OPT_REGIONS:
		return take_regions(optarg, options);
	case 'j':
		damon->stream.json = true;
		break;
	default:
		return option_error(argc, argv, opt);
	}
	return EXIT_DONE;
}

static int take_options(int argc, char **argv, struct damon *damon)
{
	const struct mpp_damon_options *options = &damon->options;
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":k:s:m:i:r:N:j", long_options, NULL)) != -1) {
		status = filters_has(opt) ? filters_take(opt, &damon->filters) :
			 take_option(opt, argc, argv, damon);
		if (status)
			return status;
	}
	if (optind < argc)
		return usage_error("\"%s\": this command takes options only", argv[optind]);
	if (options->flags & MPP_DAMON_START) {
		if (options->kdamond)
			return usage_error("--kdamond contradicts --start");
		if (damon->filters.nodes && damon->filters.nr_ranges)
			return usage_error("--start: either --node or --within tells what to "
					   "monitor");
	} else if (options->sample_ns || options->aggregate_ns || options->max_regions) {
		return usage_error("--sample, --aggregate and --regions go with --start");
	}
	return EXIT_DONE;
}

/* What went wrong, and what helps. */
static void explain(int err, const struct mpp_damon_options *options)
{
	unsigned int k = options->kdamond;

	if (err == -ENOENT)
		complain("this kernel has no DAMON: it needs CONFIG_DAMON_SYSFS "
			 "(/sys/kernel/mm/damon/admin)");
	else if (err == -EPERM || err == -EROFS)
		complain("not permitted: DAMON needs root: run it with sudo");
	else if (err == -ENODEV)
		complain("there is no kdamond %u; --start runs one", k);
	else if (err == -ESRCH)
		complain("kdamond %u does not run: "
			 "echo on >/sys/kernel/mm/damon/admin/kdamonds/%u/state starts it", k, k);
	else if (err == -ENOTSUP && options->flags & MPP_DAMON_START)
		complain("this kernel's DAMON does not monitor physical addresses: "
			 "it needs CONFIG_DAMON_PADDR");
	else if (err == -ENOTSUP)
		complain("kdamond %u does not monitor physical addresses (operations paddr)", k);
	else if (err == -ENODATA)
		complain("kdamond %u has no scheme that would show its regions: "
			 "give it one with the action stat", k);
	else if (err == -EBUSY)
		complain("DAMON is in use, and starting a monitor would remove the kdamonds that "
			 "are set up: --kdamond N reads one");
	else if (err == -ENXIO)
		complain("there is no memory to monitor");
	else
		complain("DAMON: %s", strerror(-err));
}

/* Accesses and age of the region go behind the record, unless a filter has cut it. */
static void print_region(struct stream *stream, struct mpp_source *src, size_t index,
			 const struct mpp_record *record)
{
	struct mpp_damon_region region;
	char text[48];

	if (mpp_damon_region(src, index, &region)) {
		stream_record(stream, record, NULL, NULL);
		return;
	}
	snprintf(text, sizeof(text), "%u/%u", region.nr_accesses, region.max_accesses);
	stream_record(stream, record, "accesses", text);
}

static int open_source(struct damon *damon, struct mpp_source **src)
{
	struct mpp_damon_options options = damon->options;
	struct filters others = damon->filters;
	int *nodes = NULL;
	int err;

	if (options.flags & MPP_DAMON_START) {
		/* What is not monitored need not be filtered out. */
		nodes = filters_nodes(&damon->filters, &options.nr_nodes);
		options.nodes = nodes;
		options.ranges = damon->filters.ranges;
		options.nr_ranges = damon->filters.nr_ranges;
		others.nodes = NULL;
		others.nr_ranges = 0;
	}
	err = mpp_damon_open(&options, src);
	free(nodes);
	if (err) {
		explain(err, &options);
		return EXIT_USAGE;
	}
	return filters_apply(&others, src);
}

static int run_damon(int argc, char **argv)
{
	struct damon damon = {
		.stream.take = print_region,
		.options = {
			.size = sizeof(damon.options),
			.flags = MPP_DAMON_ACCESSED,
			.interval_ns = 1000000000,
			.nr_snapshots = 1,
		},
	};
	struct mpp_source *src;
	int status = take_options(argc, argv, &damon);

	/* From here on a signal must not end the process: it would leave a monitor behind. */
	interrupt_catch();
	if (!status)
		status = open_source(&damon, &src);
	if (!status) {
		status = stream_source(&damon.stream, src);
		mpp_source_unref(src);
	}
	filters_free(&damon.filters);
	return status;
}

const struct command cmd_damon = {
	.name = "damon",
	.summary = "print regions that the kernel's access monitor found hot, or not",
	.help = help,
	.run = run_damon,
};
