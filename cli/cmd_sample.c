// SPDX-License-Identifier: GPL-2.0-only
/* movephys sample: memory accesses as the processor samples them. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd.h"

static const char help[] =
"usage: movephys sample [OPTIONS]\n"
"       movephys sample --perf-script FILE|- [OPTIONS]\n"
"\n"
"Samples memory accesses with their physical addresses, by AMD's IBS or Intel's\n"
"PEBS, and prints them as lines that the other commands read: address, events that\n"
"the sample stands for, time.  What samples were lost or left out is told at the\n"
"end.  Needs root or CAP_PERFMON; ends with Ctrl-C unless told otherwise.\n"
"\n"
"  -e, --event EVENT    auto (the default), ibs, pebs; faults: first touches of\n"
"                       pages, on any machine; or PMU/TERM=VALUE,.../\n"
"  -P, --pid PID        this process, its threads, and what they start\n"
"  -C, --cpu LIST       these CPUs (0-3,8) instead of all\n"
"  -R, --rate N         samples a second on each CPU (2000)\n"
"      --period N       instead: a sample every N events\n"
"  -d, --duration TIME  end after that: 500ms, 10s, 2m\n"
"      --kernel         accesses by the kernel too\n"
"      --cached         accesses that a cache answered too\n"
"      --perf-script FILE   read what `perf script -F time,period,event,phys_addr`\n"
"                       printed, instead of sampling; - for standard input\n"
FILTER_HELP
"  -q, --quiet          no summary\n"
"  -j, --json           one JSON object per line, and the summary as one\n"
"\n"
"examples:\n"
"  movephys sample --duration 10s | movephys rank --top 512M\n"
"  movephys sample --node 1 --duration 10s | movephys rank --top 512M |\n"
"      movephys move --from 1 --to 0 -\n"
"  movephys sample --event faults --pid 1234 --period 1\n"
"  perf record -a -d --phys-data -e ibs_op// -- sleep 10; perf script -F\n"
"      time,period,event,phys_addr | movephys sample --perf-script - >samples\n";

struct sample {
	struct stream stream;
	struct filters filters;
	struct mpp_perf_options options;
	const char *script;	/* the file of --perf-script */
	const char *given;	/* an option that only sampling has */
	bool quiet;
};

enum {
	OPT_PERIOD = 256,
	OPT_KERNEL,
	OPT_CACHED,
	OPT_PERF_SCRIPT,
};

static const struct option long_options[] = {
	{ "event", required_argument, NULL, 'e' },
	{ "pid", required_argument, NULL, 'P' },
	{ "cpu", required_argument, NULL, 'C' },
	{ "rate", required_argument, NULL, 'R' },
	{ "period", required_argument, NULL, OPT_PERIOD },
	{ "duration", required_argument, NULL, 'd' },
	{ "kernel", no_argument, NULL, OPT_KERNEL },
	{ "cached", no_argument, NULL, OPT_CACHED },
	{ "perf-script", required_argument, NULL, OPT_PERF_SCRIPT },
	FILTER_OPTIONS,
	{ "quiet", no_argument, NULL, 'q' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static const char *long_name(int opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(long_options); i++)
		if (long_options[i].val == opt)
			return long_options[i].name;
	return "";
}

/* A number of at least one. */
static int take_number(const char *option, uint64_t max, uint64_t *number)
{
	if (parse_count(optarg, max, number) || !*number)
		return usage_error("--%s %s: a number from 1 up is wanted", option, optarg);
	return EXIT_DONE;
}

static int take_sampling_option(int opt, int argc, char **argv, struct sample *sample)
{
	struct mpp_perf_options *options = &sample->options;
	uint64_t pid;

	sample->given = long_name(opt);
	switch (opt) {
	case 'e':
		options->event = optarg;
		break;
	case 'P':
		if (parse_count(optarg, INT_MAX, &pid) || !pid)
			return usage_error("--pid %s: not a process number", optarg);
		options->pid = (pid_t)pid;
		break;
	case 'C':
		options->cpus = optarg;
		break;
	case 'R':
		return take_number("rate", UINT32_MAX, &options->rate);
	case OPT_PERIOD:
		return take_number("period", INT64_MAX, &options->period);
	case 'd':
		return take_duration("--duration", optarg, 1, &options->duration_ns);
	case OPT_KERNEL:
		options->flags |= MPP_PERF_KERNEL;
		break;
	case OPT_CACHED:
		options->flags |= MPP_PERF_CACHED;
		break;
	default:
		return option_error(argc, argv, opt);
	}
	return EXIT_DONE;
}

static int take_option(int opt, int argc, char **argv, struct sample *sample)
{
	switch (opt) {
	case OPT_PERF_SCRIPT:
		sample->script = optarg;
		return EXIT_DONE;
	case 'q':
		sample->quiet = true;
		return EXIT_DONE;
	case 'j':
		sample->stream.json = true;
		return EXIT_DONE;
	}
	return filters_has(opt) ? filters_take(opt, &sample->filters) :
	       take_sampling_option(opt, argc, argv, sample);
}

static int take_options(int argc, char **argv, struct sample *sample)
{
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":e:P:C:R:d:N:qj", long_options, NULL)) != -1) {
		status = take_option(opt, argc, argv, sample);
		if (status)
			return status;
	}
	if (optind < argc)
		return usage_error("\"%s\": this command takes options only", argv[optind]);
	if (sample->options.rate && sample->options.period)
		return usage_error("--rate and --period: one of them");
	if (sample->script && sample->given)
		return usage_error("--perf-script reads samples: --%s is for taking them",
				   sample->given);
	return EXIT_DONE;
}

static int open_script(const char *path, struct mpp_source **src)
{
	int err = strcmp(path, "-") ? mpp_perf_script_open(path, src) :
		  mpp_perf_script_open_fd(STDIN_FILENO, "<stdin>", src);

	if (err)
		complain("--perf-script %s: %s", path, strerror(-err));
	return err ? EXIT_USAGE : EXIT_DONE;
}

/* One for each CPU and thread. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_perf(const struct sample *sample, struct mpp_source **src)
{
	const char *why = "";
	int err;

	allow_many_files();
	err = mpp_perf_open(&sample->options, &why, src);
	if (!err)
		return EXIT_DONE;
	if (err == -ESRCH)
		complain("--pid %d: %s", (int)sample->options.pid, why);
	else if (sample->options.event)
		complain("cannot sample %s: %s", sample->options.event, why);
	else
		complain("cannot sample: %s", why);
	return EXIT_USAGE;
}

struct count {
	const char *key, *text;
	uint64_t value;
};

#define NR_COUNTS	7

static void gather_counts(const struct mpp_perf_stats *stats, struct count counts[NR_COUNTS])
{
	const struct count all[NR_COUNTS] = {
		{ "samples", "samples", stats->nr_samples },
		{ "lost", "lost", stats->nr_lost },
		{ "no_address", "without a physical address", stats->nr_no_address },
		{ "kernel", "by the kernel", stats->nr_kernel },
		{ "cached", "answered by a cache", stats->nr_cached },
		{ "throttled", "times throttled", stats->nr_throttled },
		{ "unknown", "unknown records", stats->nr_unknown },
	};

	memcpy(counts, all, sizeof(all));
}

static void print_summary(const struct sample *sample, const struct mpp_source *src, double seconds)
{
	struct mpp_perf_stats stats = { .size = sizeof(stats) };
	const char *event = mpp_perf_event_name(src);
	struct count counts[NR_COUNTS];
	struct json_object *root;

	if (mpp_perf_stats(src, &stats))
		return;
	gather_counts(&stats, counts);
	if (sample->stream.json) {
		root = json_object_new_object();
		json_object_object_add(root, "event", event ? json_object_new_string(event) : NULL);
		json_object_object_add(root, "cpus", json_object_new_int64(stats.nr_cpus));
		json_object_object_add(root, "cpu_changes",
				       json_object_new_int64(stats.nr_cpu_changes));
		json_object_object_add(root, "seconds", json_decimal(seconds));
		for (size_t i = 0; i < NR_COUNTS; i++)
			json_object_object_add(root, counts[i].key,
					       json_object_new_int64((int64_t)counts[i].value));
		fprintf(stderr, "%s\n", json_object_to_json_string_ext(root,
			JSON_C_TO_STRING_PLAIN));
		json_object_put(root);
		return;
	}
	fprintf(stderr, "movephys sample: ");
	if (event)
		fprintf(stderr, "%s, %.1f s on %u CPU%s: ", event, seconds, stats.nr_cpus,
			stats.nr_cpus == 1 ? "" : "s");
	fprintf(stderr, "%" PRIu64 " samples; left out: %" PRIu64 " lost", counts[0].value,
		counts[1].value);
	for (size_t i = 2; i < NR_COUNTS; i++)
		if (counts[i].value)
			fprintf(stderr, ", %" PRIu64 " %s", counts[i].value, counts[i].text);
	fputc('\n', stderr);
}

static int run_sample(int argc, char **argv)
{
	struct sample sample = { .options = { .size = sizeof(sample.options) } };
	struct mpp_source *inner, *src;
	uint64_t begin;
	int status = take_options(argc, argv, &sample);

	if (!status)
		status = sample.script ? open_script(sample.script, &src) :
			 open_perf(&sample, &src);
	if (!status) {
		inner = mpp_source_ref(src);	/* which has the counts */
		begin = clock_ns();
		status = filters_apply(&sample.filters, &src);
		if (!status) {
			status = stream_source(&sample.stream, src);
			mpp_source_unref(src);
			if (!sample.quiet)
				print_summary(&sample, inner, (double)(clock_ns() - begin) / 1e9);
		}
		mpp_source_unref(inner);
	}
	filters_free(&sample.filters);
	return status;
}

const struct command cmd_sample = {
	.name = "sample",
	.summary = "print memory accesses as the processor samples them",
	.help = help,
	.run = run_sample,
};
