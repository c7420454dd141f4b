// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is written by hand, with the figures that the tables hold.  A figure is named in
 * braces, so that it cannot go stale:
 *
 *	{PART|CASE|WAY}		what a page, or another unit, costs
 *	{PART|FIGURE}		one of the part's other figures
 *	{A / B}			how many times the second the first is, of such names
 */
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOT_MEASURED "(not measured)"

/* A part with something skipped or failed may lack what another run has. */
static bool is_whole(struct json_object *boot)
{
	return !json_object_array_length(list_of(boot, "skipped")) &&
	       !json_object_array_length(list_of(boot, "failed"));
}

static double fact_of(struct json_object *boot, const char *name)
{
	struct json_object *facts = list_of(boot, "facts");

	for (size_t i = 0; i < json_object_array_length(facts); i++) {
		struct json_object *fact = json_object_array_get_idx(facts, i);

		if (!strcmp(text_of(fact, "name"), name))
			return number_of(fact, "value");
	}
	return NAN;
}

/* @name as above; NAN: not measured.  Ends the program for a name that nothing has. */
static double figure_of(struct json_object *report, const char *name)
{
	struct json_object *boot, *result = NULL;
	char copy[256], *part, *what, *way;
	double value;

	snprintf(copy, sizeof(copy), "%s", name);
	way = copy;
	part = strsep(&way, "|");
	what = strsep(&way, "|");
	boot = boot_of(report, part);
	if (!boot || !what)
		die("the notes name a figure {%s}: no such part", name);
	if (way) {
		result = result_of(boot, what, way);
		value = result ? number_of(result, "per_unit") : NAN;
	} else {
		value = fact_of(boot, what);
	}
	if (isnan(value) && is_whole(boot))
		die("the notes name a figure {%s}: no such result", name);
	return value;
}

static void write_figure(FILE *to, struct json_object *report, char *name)
{
	char *by = strstr(name, " / ");
	double value, divisor;

	if (by) {
		*by = '\0';
		by += 3;
	}
	value = figure_of(report, name);
	divisor = by ? figure_of(report, by) : 1;
	if (isnan(value / divisor))
		fputs(NOT_MEASURED, to);
	else if (by)
		fprintf(to, "%.*f", value / divisor < 10 ? 2 : 0, value / divisor);
	else
		write_value(to, value);
}

char *notes_of(struct json_object *report, const char *path)
{
	FILE *from = fopen(path, "re"), *to;
	char *line = NULL, *text = NULL;
	size_t room = 0, len;

	if (!from)
		die("%s: %s", path, strerror(errno));
	to = open_memstream(&text, &len);
	if (!to)
		die("out of memory");
	while (getline(&line, &room, from) > 0) {
		char *at = line, *open, *close;

		while ((open = strchr(at, '{'))) {
			close = strchr(open, '}');
			if (!close)
				die("%s: a brace is not closed in its line: %s", path, line);
			*open = *close = '\0';
			fputs(at, to);
			write_figure(to, report, open + 1);
			at = close + 1;
		}
		fputs(at, to);
	}
	free(line);
	fclose(from);
	if (fclose(to))
		die("out of memory");
	return text;
}
