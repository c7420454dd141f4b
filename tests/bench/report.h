/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mpp-bench printed, as one JSON object:
 *
 *	{ "commit": ..., "command": ..., "boots": [
 *		{ "label": ..., "meta": { KEY: TEXT, ... },
 *		  "results": [ { "case", "way", "n", "units", "counts": [...],
 *				 "per_unit", "spread" }, ... ],
 *		  "facts": [ { "name", "value", "unit" }, ... ],
 *		  "skipped": [ TEXT, ... ], "failed": [ TEXT, ... ] }, ... ] }
 *
 * A boot is one run of mpp-bench.  per_unit is the median of the counts divided by
 * the units; spread is (largest - smallest) / median.
 */
#ifndef MPP_BENCH_REPORT_H
#define MPP_BENCH_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

/* report.c */
const char *text_of(struct json_object *object, const char *key);
double number_of(struct json_object *object, const char *key);
struct json_object *list_of(struct json_object *object, const char *key);
/* The result of a case and a way; NULL when it was not measured. */
struct json_object *result_of(struct json_object *boot, const char *name, const char *way);

/* report_text.c */
int write_markdown(FILE *to, struct json_object *report, const char *notes_path,
		   const char *svg_name);
int write_svg(FILE *to, struct json_object *report);

/* report_reach.c */
void write_reach(FILE *to, struct json_object *report);

#endif
