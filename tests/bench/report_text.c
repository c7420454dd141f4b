// SPDX-License-Identifier: GPL-2.0-only
/* The report as Markdown, and the growth of the costs as a curve. */
#include "report.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- Numbers ----------------------------------------------------------- */

/* 1234567 as 1,234,567; a few buffers in turn. */
static const char *grouped(double value)
{
	static char buf[8][48];
	static unsigned int turn;
	char plain[32], *out = buf[turn++ % 8], *to = out;
	size_t len;

	if (isnan(value))
		return "";
	snprintf(plain, sizeof(plain), "%.0f", value);
	len = strlen(plain);
	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0 && plain[i - 1] != '-')
			*to++ = ',';
		*to++ = plain[i];
	}
	*to = '\0';
	return out;
}

void write_value(FILE *to, double value)
{
	if (fabs(value) < 100 && value != floor(value))
		fprintf(to, "%.3f", value);
	else
		fputs(grouped(value), to);
}

/* ---- Tables ------------------------------------------------------------ */

/* Different texts of a key among the results that belong to a group, in order. */
struct texts {
	const char *text[128];
	unsigned int nr;
};

static void texts_add(struct texts *texts, const char *text)
{
	for (unsigned int i = 0; i < texts->nr; i++)
		if (!strcmp(texts->text[i], text))
			return;
	if (texts->nr < sizeof(texts->text) / sizeof(texts->text[0]))
		texts->text[texts->nr++] = text;
}

/* The group of a case is what stands before the slash: cases of one group share a table. */
static bool in_group(const char *name, const char *group)
{
	size_t len = strcspn(group, "/");

	return !strncmp(name, group, len) && (name[len] == '/' || !name[len]);
}

static void write_row(FILE *to, struct json_object *boot, const char *name,
		      const struct texts *ways)
{
	struct json_object *ours = result_of(boot, name, "call");
	struct json_object *other = result_of(boot, name, "move_pages");
	double spread = NAN, n = NAN;

	for (unsigned int i = 0; i < ways->nr; i++) {
		struct json_object *result = result_of(boot, name, ways->text[i]);

		if (!result)
			continue;
		spread = fmax(spread, number_of(result, "spread"));
		n = number_of(result, "n");
	}
	fprintf(to, "| %s | %s |", name, grouped(n));
	for (unsigned int i = 0; i < ways->nr; i++) {
		struct json_object *result = result_of(boot, name, ways->text[i]);

		fprintf(to, " %s |", result ? grouped(number_of(result, "per_unit")) : "");
	}
	if (ours && other && number_of(other, "per_unit") > 0)
		fprintf(to, " %.3f |", number_of(ours, "per_unit") / number_of(other, "per_unit"));
	else
		fprintf(to, " |");
	if (isnan(spread))
		fprintf(to, " |\n");
	else
		fprintf(to, " %.2f %% |\n", spread * 100);
}

/* How often a way was measured, where that is not what the head of the part says. */
static void write_runs(FILE *to, struct json_object *boot, const char *group, const char *way)
{
	struct json_object *results = list_of(boot, "results"), *meta;
	size_t fewest = SIZE_MAX, most = 0;

	for (size_t i = 0; i < json_object_array_length(results); i++) {
		struct json_object *result = json_object_array_get_idx(results, i);
		size_t nr = json_object_array_length(list_of(result, "counts"));

		if (!in_group(text_of(result, "case"), group) || strcmp(text_of(result, "way"), way))
			continue;
		fewest = nr < fewest ? nr : fewest;
		most = nr > most ? nr : most;
	}
	json_object_object_get_ex(boot, "meta", &meta);
	if (fewest == most && most == strtoul(text_of(meta, "runs"), NULL, 10))
		return;
	if (fewest == most)
		fprintf(to, " (%zu run%s)", most, most == 1 ? "" : "s");
	else
		fprintf(to, " (%zu to %zu runs)", fewest, most);
}

static void write_group(FILE *to, struct json_object *boot, const char *group,
			const struct texts *cases)
{
	struct json_object *results = list_of(boot, "results");
	struct texts ways = { .nr = 0 };

	for (size_t i = 0; i < json_object_array_length(results); i++) {
		struct json_object *result = json_object_array_get_idx(results, i);

		if (in_group(text_of(result, "case"), group))
			texts_add(&ways, text_of(result, "way"));
	}
	fprintf(to, "\n| case | n |");
	for (unsigned int i = 0; i < ways.nr; i++) {
		fprintf(to, " %s", ways.text[i]);
		write_runs(to, boot, group, ways.text[i]);
		fprintf(to, " |");
	}
	fprintf(to, " call / move_pages | spread |\n|---|---:|");
	for (unsigned int i = 0; i < ways.nr + 2; i++)
		fprintf(to, "---:|");
	fputc('\n', to);
	for (unsigned int i = 0; i < cases->nr; i++)
		if (in_group(cases->text[i], group))
			write_row(to, boot, cases->text[i], &ways);
}

static void write_facts(FILE *to, struct json_object *boot)
{
	struct json_object *facts = list_of(boot, "facts");

	if (!json_object_array_length(facts))
		return;
	fprintf(to, "\n| figure | value | unit |\n|---|---:|---|\n");
	for (size_t i = 0; i < json_object_array_length(facts); i++) {
		struct json_object *fact = json_object_array_get_idx(facts, i);

		fprintf(to, "| %s | ", text_of(fact, "name"));
		write_value(to, number_of(fact, "value"));
		fprintf(to, " | %s |\n", text_of(fact, "unit"));
	}
}

static void write_list(FILE *to, struct json_object *list, const char *title)
{
	if (!json_object_array_length(list))
		return;
	fprintf(to, "\n%s:\n\n", title);
	for (size_t i = 0; i < json_object_array_length(list); i++)
		fprintf(to, "* %s\n", json_object_get_string(json_object_array_get_idx(list, i)));
}

/* What it was measured on, and how to do it again. */
static void write_head(FILE *to, struct json_object *boot)
{
	struct json_object *meta;

	fprintf(to, "\n## %s\n", text_of(boot, "label"));
	json_object_object_get_ex(boot, "meta", &meta);
	if (!*text_of(meta, "kernel"))
		return;
	fprintf(to, "\nLinux %s (%s: %s), %s processor%s, %s nodes of %s, door: %s.\n",
		text_of(meta, "kernel"), text_of(meta, "config"), text_of(meta, "from"),
		text_of(meta, "cpus"), strcmp(text_of(meta, "cpus"), "1") ? "s" : "",
		text_of(meta, "nodes"), text_of(meta, "memory"), text_of(meta, "door"));
	fprintf(to, "Counted in %s, the median of %s runs unless told; a move divided by the pages that moved (huge pages: by their number). It took %s.\n",
		text_of(meta, "clock"), text_of(meta, "runs"), text_of(meta, "took"));
	fprintf(to, "\n\tmake -C tests/bench all sources\n\t%s\n", text_of(meta, "command"));
	fprintf(to, "\nKernel arguments: `%s`.\n", text_of(meta, "boot"));
}

static void write_boot(FILE *to, struct json_object *boot)
{
	struct json_object *results = list_of(boot, "results");
	struct texts cases = { .nr = 0 }, groups = { .nr = 0 };

	write_head(to, boot);
	for (size_t i = 0; i < json_object_array_length(results); i++) {
		const char *name = text_of(json_object_array_get_idx(results, i), "case");

		texts_add(&cases, name);
	}
	for (unsigned int i = 0; i < cases.nr; i++) {
		unsigned int j;

		for (j = 0; j < groups.nr; j++)
			if (in_group(cases.text[i], groups.text[j]))
				break;
		if (j == groups.nr)
			texts_add(&groups, cases.text[i]);
	}
	for (unsigned int i = 0; i < groups.nr; i++)
		write_group(to, boot, groups.text[i], &cases);
	write_facts(to, boot);
	write_list(to, list_of(boot, "skipped"), "Skipped");
	write_list(to, list_of(boot, "failed"), "FAILED");
}

static bool boot_has_growth(struct json_object *boot)
{
	struct json_object *results = list_of(boot, "results");

	for (size_t i = 0; i < json_object_array_length(results); i++)
		if (in_group(text_of(json_object_array_get_idx(results, i), "case"), "growth"))
			return true;
	return false;
}

/* NULL when none has. */
static struct json_object *boot_with_growth(struct json_object *report)
{
	struct json_object *boots = list_of(report, "boots");

	for (size_t i = 0; i < json_object_array_length(boots); i++) {
		struct json_object *boot = json_object_array_get_idx(boots, i);

		if (boot_has_growth(boot))
			return boot;
	}
	return NULL;
}

bool has_growth(struct json_object *report)
{
	return boot_with_growth(report) != NULL;
}

void write_markdown(FILE *to, struct json_object *report, const char *notes,
		    const char *notes_name, const char *svg_name)
{
	struct json_object *boots = list_of(report, "boots");

	fprintf(to, "<!-- SPDX-License-Identifier: GPL-2.0-only -->\n");
	fprintf(to, "<!-- Written by scripts/bench; what is written by hand comes from %s. -->\n",
		notes_name);
	fprintf(to, "# What it costs to move a page\n\n");
	fprintf(to, "Measured at commit %s by `%s`, %s, in %s.\n\n", text_of(report, "commit"),
		text_of(report, "command"), text_of(report, "emulator"), text_of(report, "took"));
	fputs(notes, to);
	write_reach(to, report);
	for (size_t i = 0; i < json_object_array_length(boots); i++) {
		struct json_object *boot = json_object_array_get_idx(boots, i);

		write_boot(to, boot);
		if (svg_name && boot_has_growth(boot))
			fprintf(to, "\n![cost per page while the machine grows](%s)\n", svg_name);
	}
}

/* ---- The curve --------------------------------------------------------- */

#define WIDTH 760
#define HEIGHT 420
#define LEFT 90
#define RIGHT 190
#define TOP 30
#define BOTTOM 60

static double y_of(double value, double lowest, double highest)
{
	double share = (log10(value) - lowest) / (highest - lowest);

	return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

static void write_axes(FILE *to, const struct texts *cases, double lowest, double highest)
{
	fprintf(to, "<text x=\"%d\" y=\"18\">instructions per page, 64 pages a call</text>\n", LEFT);
	for (double power = lowest; power <= highest; power++) {
		double y = y_of(pow(10, power), lowest, highest);

		fprintf(to, "<line x1=\"%d\" y1=\"%.0f\" x2=\"%d\" y2=\"%.0f\" stroke=\"#ddd\"/>\n",
			LEFT, y, WIDTH - RIGHT, y);
		fprintf(to, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%s</text>\n", LEFT - 6,
			y + 4, grouped(pow(10, power)));
	}
	for (unsigned int i = 0; i < cases->nr; i++) {
		double x = LEFT + (i + 0.5) * (WIDTH - LEFT - RIGHT) / cases->nr;

		fprintf(to, "<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x,
			HEIGHT - BOTTOM + 20, strchr(cases->text[i], '/') + 1);
	}
	fprintf(to, "<text x=\"%d\" y=\"%d\">other processes x MiB mapped elsewhere</text>\n", LEFT,
		HEIGHT - BOTTOM + 44);
}

static void write_line(FILE *to, struct json_object *boot, const struct texts *cases,
		       const char *way, const char *colour, double lowest, double highest)
{
	static double labels[8];
	static unsigned int nr_labels;
	double last_x = 0, last_y = 0;

	for (unsigned int i = 0; i < cases->nr; i++) {
		struct json_object *result = result_of(boot, cases->text[i], way);
		double x = LEFT + (i + 0.5) * (WIDTH - LEFT - RIGHT) / cases->nr, y;

		if (!result)
			continue;
		y = y_of(number_of(result, "per_unit"), lowest, highest);
		if (last_x)
			fprintf(to, "<line x1=\"%.0f\" y1=\"%.1f\" x2=\"%.0f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"2\"/>\n",
				last_x, last_y, x, y, colour);
		fprintf(to, "<circle cx=\"%.0f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x, y, colour);
		last_x = x, last_y = y;
	}
	/* Lines that end in one place have their names below each other. */
	for (unsigned int i = 0; i < nr_labels; i++)
		if (fabs(labels[i] - last_y) < 14)
			last_y = labels[i] + 14;
	if (nr_labels < sizeof(labels) / sizeof(labels[0]))
		labels[nr_labels++] = last_y;
	fprintf(to, "<text x=\"%.0f\" y=\"%.0f\" fill=\"%s\">%s</text>\n", last_x + 8, last_y + 4,
		colour, way);
}

static void write_curve(FILE *to, struct json_object *boot)
{
	static const char *const colours[] = { "#0a6", "#c33", "#36c", "#b80", "#808", "#555" };
	struct json_object *results = list_of(boot, "results");
	struct texts cases = { .nr = 0 }, ways = { .nr = 0 };
	double lowest = INFINITY, highest = -INFINITY;

	for (size_t i = 0; i < json_object_array_length(results); i++) {
		struct json_object *result = json_object_array_get_idx(results, i);
		double power = log10(number_of(result, "per_unit"));

		if (!in_group(text_of(result, "case"), "growth"))
			continue;
		texts_add(&cases, text_of(result, "case"));
		texts_add(&ways, text_of(result, "way"));
		lowest = fmin(lowest, floor(power));
		highest = fmax(highest, ceil(power));
	}
	write_axes(to, &cases, lowest, highest);
	for (unsigned int i = 0; i < ways.nr; i++)
		write_line(to, boot, &cases, ways.text[i],
			   colours[i % (sizeof(colours) / sizeof(colours[0]))], lowest, highest);
}

void write_svg(FILE *to, struct json_object *report)
{
	fprintf(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n",
		WIDTH, HEIGHT);
	fprintf(to, "<!-- SPDX-License-Identifier: GPL-2.0-only -->\n");
	fprintf(to, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", WIDTH, HEIGHT);
	write_curve(to, boot_with_growth(report));
	fprintf(to, "</svg>\n");
}
