// SPDX-License-Identifier: GPL-2.0-only
/* movephys idle: which pages were used in an interval, and which were not. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static const char help[] =
"usage: movephys idle [OPTIONS]\n"
"\n"
"Marks all pages of the nodes idle, waits, and prints those that were accessed in\n"
"the meantime, or were not, as lines that the other commands read: weight 1 for\n"
"accessed, 0 for idle, and the time.  A huge page is one line.  Needs root and a\n"
"kernel with CONFIG_IDLE_PAGE_TRACKING.\n"
"\n"
"  -s, --state STATE    accessed (the default), idle, or both\n"
"  -i, --interval TIME  between marking and reading: 500ms, 1s (the default), 2m\n"
"  -r, --rounds N       so many times, 0 for until Ctrl-C; 1 unless told\n"
"      --cpu PERCENT    use at most so much of one CPU: 1 to 100\n"
"      --sample 1/N     look at one in N blocks of 2 MiB, others in each round\n"
FILTER_HELP
"  -S, --summary        bytes by state instead of addresses\n"
"  -j, --json           as JSON: one object per line, or one for --summary\n"
"\n"
"examples:\n"
"  movephys idle --node 1 --interval 5s --summary\n"
"  movephys idle --node 1 | movephys move --from 1 --to 0 --rate 200M/s -\n"
"  movephys idle --node 0 --state idle --interval 1m --cpu 5 --kind anon,anon-large\n"
"  movephys idle --sample 1/64 --rounds 0 | movephys rank --top 512M\n";

struct idle {
	struct stream stream;	/* first: count_record() gets it */
	struct filters filters;
	struct mpp_idle_options options;
	bool summary;
	uint64_t nr_accessed, nr_idle;		/* records */
	uint64_t accessed_bytes, idle_bytes;
};

enum {
	OPT_CPU = 256,
	OPT_SAMPLE,
};

static const struct option long_options[] = {
	{ "state", required_argument, NULL, 's' },
	{ "interval", required_argument, NULL, 'i' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "sample", required_argument, NULL, OPT_SAMPLE },
	FILTER_OPTIONS,
	{ "summary", no_argument, NULL, 'S' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

/* "5" or "5%" */
static int take_cpu(const char *text, struct idle *idle)
{
	size_t len = strlen(text);
	uint64_t percent;
	char copy[8];

	if (len && text[len - 1] == '%')
		len--;
	snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
	if (len >= sizeof(copy) || parse_count(copy, 100, &percent) || !percent)
		return usage_error("--cpu %s: a percentage from 1 to 100 is wanted", text);
	idle->options.cpu_percent = (unsigned int)percent;
	return EXIT_DONE;
}

static int take_option(int opt, int argc, char **argv, struct idle *idle)
{
	uint64_t count;

	switch (opt) {
	case 's':
		return take_state(optarg, MPP_IDLE_ACCESSED, MPP_IDLE_IDLE, &idle->options.flags);
	case 'i':
		return take_duration("--interval", optarg, 0, &idle->options.interval_ns);
	case 'r':
		if (parse_count(optarg, UINT_MAX, &count))
			return usage_error("--rounds %s: a number is wanted", optarg);
		idle->options.nr_rounds = (unsigned int)count;
		break;
	case OPT_CPU:
		return take_cpu(optarg, idle);
	case OPT_SAMPLE:
		if (strncmp(optarg, "1/", 2) || parse_count(optarg + 2, 1000000, &count) || !count)
			return usage_error("--sample %s: a part such as 1/64 is wanted", optarg);
		idle->options.sample = (unsigned int)count;
		break;
	case 'S':
		idle->summary = true;
		break;
	case 'j':
		idle->stream.json = true;
		break;
	default:
		return option_error(argc, argv, opt);
	}
	return EXIT_DONE;
}

static int take_options(int argc, char **argv, struct idle *idle)
{
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":s:i:r:N:Sj", long_options, NULL)) != -1) {
		status = filters_has(opt) ? filters_take(opt, &idle->filters) :
			 take_option(opt, argc, argv, idle);
		if (status)
			return status;
	}
	if (optind < argc)
		return usage_error("\"%s\": this command takes options only", argv[optind]);
	return EXIT_DONE;
}

static void count_record(struct stream *stream, struct mpp_source *src, size_t index,
			 const struct mpp_record *record)
{
	struct idle *idle = (struct idle *)stream;

	(void)src;
	(void)index;
	if (record->weight > 0) {
		idle->nr_accessed++;
		idle->accessed_bytes += record->size_bytes;
	} else {
		idle->nr_idle++;
		idle->idle_bytes += record->size_bytes;
	}
}

static void add_state(struct json_object *root, const char *name, uint64_t nr, uint64_t bytes)
{
	struct json_object *state = json_object_new_object();

	json_object_object_add(state, "folios", json_object_new_int64((int64_t)nr));
	json_object_object_add(state, "bytes", json_object_new_int64((int64_t)bytes));
	json_object_object_add(root, name, state);
}

static void print_summary(const struct idle *idle)
{
	char bytes[BYTES_TEXT_MAX];
	struct json_object *root;

	if (idle->stream.json) {
		root = json_object_new_object();
		add_state(root, "accessed", idle->nr_accessed, idle->accessed_bytes);
		add_state(root, "idle", idle->nr_idle, idle->idle_bytes);
		json_object_object_add(root, "rounds",
				       json_object_new_int64(idle->options.nr_rounds));
		json_object_object_add(root, "sample", json_object_new_int64(
				       idle->options.sample ? idle->options.sample : 1));
		json_print(root, true);
		return;
	}
	printf("%12s  state\n", "folios");
	printf("%12" PRIu64 "  %-10s %s\n", idle->nr_accessed, "accessed",
	       format_bytes(idle->accessed_bytes, bytes, sizeof(bytes)));
	printf("%12" PRIu64 "  %-10s %s\n", idle->nr_idle, "idle",
	       format_bytes(idle->idle_bytes, bytes, sizeof(bytes)));
}

static void explain(int err)
{
	if (err == -ENOENT)
		complain("this kernel has no idle page tracking: it needs "
			 "CONFIG_IDLE_PAGE_TRACKING (/sys/kernel/mm/page_idle/bitmap)");
	else if (err == -EPERM || err == -EROFS)
		complain("not permitted: idle page tracking needs root: run it with sudo");
	else
		complain("idle page tracking: %s", strerror(-err));
}

static int open_source(struct idle *idle, struct mpp_source **src)
{
	int *nodes = filters_nodes(&idle->filters, &idle->options.nr_nodes);
	struct filters others = idle->filters;
	int err;

	idle->options.nodes = nodes;
	idle->options.seed = clock_ns();
	err = mpp_idle_open(&idle->options, src);
	free(nodes);
	if (err) {
		explain(err);
		return EXIT_USAGE;
	}
	if (mpp_idle_is_unreliable() > 0)
		warn_about("the multi-generational LRU is on: under memory pressure pages in use "
			   "may look idle; echo 0 >/sys/kernel/mm/lru_gen/enabled turns it off");
	others.nodes = NULL;	/* the source itself has seen to them */
	return filters_apply(&others, src);
}

static int run_idle(int argc, char **argv)
{
	struct idle idle = {
		.options = {
			.size = sizeof(idle.options),
			.flags = MPP_IDLE_ACCESSED,
			.interval_ns = 1000000000,
			.nr_rounds = 1,
		},
	};
	struct mpp_source *src;
	int status = take_options(argc, argv, &idle);

	if (idle.summary) {
		idle.options.flags = MPP_IDLE_ACCESSED | MPP_IDLE_IDLE;
		idle.stream.take = count_record;
	}
	if (!status)
		status = open_source(&idle, &src);
	if (!status) {
		status = stream_source(&idle.stream, src);
		mpp_source_unref(src);
		if (idle.summary)
			print_summary(&idle);
	}
	filters_free(&idle.filters);
	return status;
}

const struct command cmd_idle = {
	.name = "idle",
	.summary = "print pages that were accessed in an interval, or were not",
	.help = help,
	.run = run_idle,
};
