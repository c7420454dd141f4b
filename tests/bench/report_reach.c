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
	{ "512 pages beside `move_pages`",
	  { ONE, "anon/512", "call" }, { ONE, "anon/512", "move_pages" }, 1 },
	{ "4,096 pages beside `move_pages`",
	  { ONE, "anon/4096", "call" }, { ONE, "anon/4096", "move_pages" }, 1 },
	{ "65,536 pages beside `move_pages`",
	  { LONG, "anon/65536", "call" }, { LONG, "anon/65536", "move_pages" }, 1 },
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
};

static struct json_object *boot_of(struct json_object *report, const char *label)
{
	struct json_object *boots = list_of(report, "boots");

	for (size_t i = 0; i < json_object_array_length(boots); i++) {
		struct json_object *boot = json_object_array_get_idx(boots, i);

		if (!strcmp(text_of(boot, "label"), label))
			return boot;
	}
	return NULL;
}

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

static void write_wait(FILE *to, struct json_object *report)
{
	struct json_object *boot = boot_of(report, LONG);
	struct json_object *facts = boot ? list_of(boot, "facts") : NULL;

	for (size_t i = 0; facts && i < json_object_array_length(facts); i++) {
		struct json_object *fact = json_object_array_get_idx(facts, i);
		double value = number_of(fact, "value");

		if (strcmp(text_of(fact, "name"), "longest-wait-for-the-cpu/call"))
			continue;
		fprintf(to, "| instructions that an urgent thread waits during 65,536 pages | %.0f | %.0f | %s |\n",
			value, LONGEST_WAIT, verdict(value, LONGEST_WAIT, 0));
	}
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
}
