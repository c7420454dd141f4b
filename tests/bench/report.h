/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mpp-bench printed, as one JSON object:
 *
 *	{ "commit": ..., "command": ..., "took": ..., "boots": [
 *		{ "label": ..., "meta": { KEY: TEXT, ... },
 *		  "results": [ { "case", "way", "n", "units", "counts": [...],
 *				 "per_unit", "spread" }, ... ],
 *		  "facts": [ { "name", "value", "unit" }, ... ],
 *		  "skipped": [ TEXT, ... ], "failed": [ TEXT, ... ] }, ... ] }
 *
 * A boot is one run of mpp-bench.  per_unit is the median of the counts divided by
 * the units; spread is (largest - smallest) / median, where there is more than one.
 */
#ifndef MPP_BENCH_REPORT_H
#define MPP_BENCH_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

/* report.c */
__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);
/* NULL when there is no such part. */
struct json_object *boot_of(struct json_object *report, const char *label);
const char *text_of(struct json_object *object, const char *key);
double number_of(struct json_object *object, const char *key);
struct json_object *list_of(struct json_object *object, const char *key);
/* The result of a case and a way; NULL when it was not measured. */
struct json_object *result_of(struct json_object *boot, const char *name, const char *way);

/* report_notes.c: the notes with the figures they name; the caller frees them. */
char *notes_of(struct json_object *report, const char *path);

/* report_text.c */
/* @svg_name NULL: there is no curve. */
void write_markdown(FILE *to, struct json_object *report, const char *notes,
		    const char *notes_name, const char *svg_name);
void write_value(FILE *to, double value);
bool has_growth(struct json_object *report);
void write_svg(FILE *to, struct json_object *report);

/* report_reach.c */
void write_reach(FILE *to, struct json_object *report);

#endif
