// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is to be reached, beside what was: computed from the results, so that it cannot
 * say anything else than the tables do.
 */
#include "report.h"

#include <math.h>
#include <string.h>

#define ONE "One processor"
#define TWO "Two processors"
#define LONG "Long calls, many sharers"
#define GROWTH "The machine grows"
#define WHERE "Where the cost goes"
#define NO_ZEROING "Without zeroing the destination"

/* A result: of a boot, a case and a way. */
struct cell {
	const char *boot, *name, *way;
};

/* What the first costs, in units of the second. */
static const struct {
	const char *what;
	struct cell of, by;
	double limit;
} ratios[] = {
	{ "one page, on the LRU, beside `move_pages`",
	  { ONE, "anon/1", "call" }, { ONE, "anon/1", "move_pages" }, 0.85 },
	{ "one page, in a per-CPU batch, beside `move_pages`",
	  { ONE, "fresh/1", "call" }, { ONE, "fresh/1", "move_pages" }, 1.2 },
	{ "one page, on the LRU, two processors, beside `move_pages`",
	  { TWO, "anon/1", "call" }, { TWO, "anon/1", "move_pages" }, 0.5 },
	{ "one page, in a per-CPU batch, two processors, beside `move_pages`",
	  { TWO, "fresh/1", "call" }, { TWO, "fresh/1", "move_pages" }, 0.5 },
	{ "one page, in the batch of another CPU, two processors, beside `move_pages`",
	  { TWO, "fresh-there/1", "call" }, { TWO, "fresh-there/1", "move_pages" }, 1.2 },
	{ "512 pages beside `move_pages`",
	  { ONE, "anon/512", "call" }, { ONE, "anon/512", "move_pages" }, 1 },
	{ "4,096 pages beside `move_pages`",
	  { ONE, "anon/4096", "call" }, { ONE, "anon/4096", "move_pages" }, 1 },
	{ "65,536 pages beside `move_pages`",
	  { LONG, "anon/65536", "call" }, { LONG, "anon/65536", "move_pages" }, 1 },
	{ "512 pages of shared memory beside `move_pages`",
	  { ONE, "file/512", "call" }, { ONE, "file/512", "move_pages" }, 1 },
	{ "4,096 pages of shared memory beside `move_pages`",
	  { ONE, "file/4096", "call" }, { ONE, "file/4096", "move_pages" }, 1 },
	{ "512 pages of a file on ext4 beside `move_pages`",
	  { ONE, "ext4/512", "call" }, { ONE, "ext4/512", "move_pages" }, 1 },
	{ "a good page where every second entry has no memory, beside a clean list",
	  { ONE, "bad/nowhere", "call" }, { ONE, "anon/4096", "call" }, 1.05 },
	{ "a good page where every second entry is stale, beside a clean list",
	  { ONE, "bad/stale", "call" }, { ONE, "anon/4096", "call" }, 1.05 },
	{ "a huge page named once, beside `move_pages`",
	  { ONE, "huge/head", "call" }, { ONE, "huge/head", "move_pages" }, 1 },
	{ "a huge page named 512 times, beside once",
	  { ONE, "huge/all", "call" }, { ONE, "huge/head", "call" }, 1.05 },
	{ "anonymous pages of 200 processes beside `move_pages`",
	  { ONE, "shared-anon/200", "call" }, { ONE, "shared-anon/200", "move_pages" }, 1.15 },
	{ "file pages of 200 processes beside `move_pages`",
	  { ONE, "shared-file/200", "call" }, { ONE, "shared-file/200", "move_pages" }, 1.15 },
	{ "64 pages in the largest machine beside the smallest",
	  { GROWTH, "growth/1000x4096", "call" }, { GROWTH, "growth/10x100", "call" }, 1.05 },
	{ "64 pages in the largest machine beside reverse-plain",
	  { GROWTH, "growth/1000x4096", "call" }, { GROWTH, "growth/1000x4096", "reverse-plain" },
	  1.0 / 1000 },
	{ "64 pages in the largest machine beside reverse-scan",
	  { GROWTH, "growth/1000x4096", "call" }, { GROWTH, "growth/1000x4096", "reverse-scan" },
	  1.0 / 100 },
	{ "64 pages in the largest machine beside reverse-query",
	  { GROWTH, "growth/1000x4096", "call" }, { GROWTH, "growth/1000x4096", "reverse-query" },
	  1.0 / 100 },
	{ "64 pages in the largest machine beside reverse-cgroup, ten processes a cgroup",
	  { GROWTH, "growth/1000x4096", "call" }, { GROWTH, "growth/1000x4096", "reverse-cgroup" },
	  1.0 / 100 },
	{ "64 pages in the largest machine beside reverse-cgroup, in a cgroup of their own",
	  { GROWTH, "own-cgroup/1000x4096", "call" },
	  { GROWTH, "own-cgroup/1000x4096", "reverse-cgroup" }, 1.0 / 100 },
};

/* @key: per_unit or spread; NAN when it was not measured. */
static double value_of(struct json_object *report, const struct cell *cell, const char *key)
{
	struct json_object *boot = boot_of(report, cell->boot);
	struct json_object *result = boot ? result_of(boot, cell->name, cell->way) : NULL;

	return result ? number_of(result, key) : NAN;
}

static const char *verdict(double ratio, double limit, double spread)
{
	if (ratio <= limit)
		return "reached";
	if (ratio <= limit * (1 + spread))
		return "**missed**, by less than the spread";
	return "**missed**";
}

/* Small ones as how many times less, which is easier to read than 0.00005. */
static void write_times(FILE *to, double ratio)
{
	if (ratio < 0.02)
		fprintf(to, " 1 / %.0f |", 1 / ratio);
	else
		fprintf(to, " %.3f |", ratio);
}

/* The contract's 20 ms, at an instruction a nanosecond: a slow processor does more. */
#define LONGEST_WAIT 20e6

/* The longest of all runs: a bound is not kept by half of them. */
static void write_wait(FILE *to, struct json_object *report)
{
	struct json_object *boot = boot_of(report, LONG);
	struct json_object *result = boot ? result_of(boot, "longest-wait/65536", "call") : NULL;
	struct json_object *counts = result ? list_of(result, "counts") : NULL;
	double longest = 0;

	for (size_t i = 0; counts && i < json_object_array_length(counts); i++)
		longest = fmax(longest,
			       json_object_get_double(json_object_array_get_idx(counts, i)));
	if (counts)
		fprintf(to, "| instructions that an urgent thread waits during 65,536 pages, the longest of all runs | %.0f | %.0f | %s |\n",
			longest, LONGEST_WAIT, verdict(longest, LONGEST_WAIT, 0));
}

/* ---- The copy is the limit ---------------------------------------------- */

/* What a phase of a profile costs; a boot, a profile, a way. */
static double phase_of(struct json_object *report, const struct cell *cell, const char *phase)
{
	struct cell of = *cell;
	char name[64];

	snprintf(name, sizeof(name), "%s/%s", cell->name, phase);
	of.name = name;
	return value_of(report, &of, "per_unit");
}

static void write_limit(FILE *to, struct json_object *report)
{
	static const struct cell profiles[] = {
		{ WHERE, "where-4K", "call" },
		{ WHERE, "where-4K", "move_pages" },
		{ WHERE, "where-single", "call" },
		{ WHERE, "where-2M", "call" },
		{ WHERE, "where-2M", "move_pages" },
		{ NO_ZEROING, "where-4K", "call" },
		{ NO_ZEROING, "where-4K", "move_pages" },
		{ NO_ZEROING, "where-2M", "call" },
		{ NO_ZEROING, "where-2M", "move_pages" },
	};
	bool began = false;

	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		double total = phase_of(report, &profiles[i], "total");
		double copy = phase_of(report, &profiles[i], "copying");
		double zero = phase_of(report, &profiles[i], "zeroing-the-destination");

		if (isnan(total))
			continue;
		if (!began)
			fprintf(to, "\n## How close to the copy\n\nBy samples, a page or huge page.\n\n| part | case | way | total / copying | total / (copying + zeroing) |\n|---|---|---|---:|---:|\n");
		began = true;
		fprintf(to, "| %s | %s | %s | %.2f | %.2f |\n", profiles[i].boot,
			profiles[i].name, profiles[i].way, total / copy, total / (copy + zero));
	}
}

/* ---- Where a reverse translation catches up ------------------------------ */

/* The cheapest way of a case that is a reverse translation; NULL: there is none. */
static struct json_object *best_reverse(struct json_object *boot, const char *name)
{
	struct json_object *results = list_of(boot, "results"), *best = NULL;

	for (size_t i = 0; i < json_object_array_length(results); i++) {
		struct json_object *result = json_object_array_get_idx(results, i);

		if (strcmp(text_of(result, "case"), name) ||
		    strncmp(text_of(result, "way"), "reverse-", 8))
			continue;
		if (!best || number_of(result, "per_unit") < number_of(best, "per_unit"))
			best = result;
	}
	return best;
}

/* Batches of one machine, "PREFIX/N" with growing N, of the call and of reverse translations. */
static void write_crossing(FILE *to, struct json_object *report, const char *prefix,
			   const char *machine)
{
	struct json_object *boot = boot_of(report, GROWTH);
	struct json_object *results = boot ? list_of(boot, "results") : NULL;
	double largest = NAN, ratio = NAN, crossing = NAN;

	for (size_t i = 0; results && i < json_object_array_length(results); i++) {
		struct json_object *call = json_object_array_get_idx(results, i), *reverse;

		if (strncmp(text_of(call, "case"), prefix, strlen(prefix)) ||
		    strcmp(text_of(call, "way"), "call"))
			continue;
		reverse = best_reverse(boot, text_of(call, "case"));
		if (!reverse)
			continue;
		largest = number_of(call, "n");
		ratio = number_of(reverse, "per_unit") / number_of(call, "per_unit");
		if (isnan(crossing) && ratio <= 1)
			crossing = largest;
	}
	if (isnan(largest))
		return;
	fprintf(to, "\nA reverse translation costs no more than the call, %s: ", machine);
	if (isnan(crossing))
		fprintf(to, "at none of the measured sizes up to %.0f pages a call, where it costs %.3f times as much.\n",
			largest, ratio);
	else
		fprintf(to, "from %.0f pages a call on.\n", crossing);
}

void write_reach(FILE *to, struct json_object *report)
{
	fprintf(to, "\n## What was to be reached\n\n");
	fprintf(to, "| cost of the call | reached | at most | |\n|---|---:|---:|---|\n");
	for (size_t i = 0; i < sizeof(ratios) / sizeof(ratios[0]); i++) {
		const struct cell *of = &ratios[i].of, *by = &ratios[i].by;
		double ratio = value_of(report, of, "per_unit") / value_of(report, by, "per_unit");
		double spread = fmax(value_of(report, of, "spread"),
				     value_of(report, by, "spread"));

		fprintf(to, "| %s |", ratios[i].what);
		if (isnan(ratio)) {
			fprintf(to, " not measured |");
			write_times(to, ratios[i].limit);
			fprintf(to, " |\n");
			continue;
		}
		write_times(to, ratio);
		write_times(to, ratios[i].limit);
		fprintf(to, " %s |\n", verdict(ratio, ratios[i].limit, spread));
	}
	write_wait(to, report);
	write_crossing(to, report, "batch-10x100/", "10 other processes with 100 MiB");
	write_crossing(to, report, "batch-1000x4096/", "1,000 other processes with 4 GiB");
	write_limit(to, report);
}
