// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-report: what mpp-bench printed, as JSON, as Markdown with a curve, or held
 * against what was recorded.
 *
 *	bench-report write DIR NAME NOTES KEY=TEXT... LABEL:FILE...
 *	bench-report check RECORDED FILE
 *	bench-report record FILE
 *
 * write makes DIR/NAME.json, DIR/NAME.md and, where the machine grew, DIR/NAME.svg;
 * NOTES is a file of hand-written text that goes into the Markdown.  record prints the results of FILE
 * in the form that check compares with.
 */
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ALLOWED 0.05	/* by which an instruction count may exceed the recorded one */

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("bench-report: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* ---- The object -------------------------------------------------------- */

struct json_object *boot_of(struct json_object *report, const char *label)
{
	struct json_object *boots = list_of(report, "boots");

	for (size_t i = 0; i < json_object_array_length(boots); i++) {
		struct json_object *boot = json_object_array_get_idx(boots, i);

		if (!strcmp(text_of(boot, "label"), label))
			return boot;
	}
	return NULL;
}

const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		return "";
	return json_object_get_string(value);
}

double number_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_double(value) : NAN;
}

struct json_object *list_of(struct json_object *object, const char *key)
{
	struct json_object *list;

	if (!json_object_object_get_ex(object, key, &list)) {
		list = json_object_new_array();
		json_object_object_add(object, key, list);
	}
	return list;
}

struct json_object *result_of(struct json_object *boot, const char *name, const char *way)
{
	struct json_object *results = list_of(boot, "results");

	for (size_t i = 0; i < json_object_array_length(results); i++) {
		struct json_object *result = json_object_array_get_idx(results, i);

		if (!strcmp(text_of(result, "case"), name) && !strcmp(text_of(result, "way"), way))
			return result;
	}
	return NULL;
}

/* ---- Reading ----------------------------------------------------------- */

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void add_run(struct json_object *boot, const char *line)
{
	unsigned long long count;
	unsigned long nr, units;
	struct json_object *result;
	char name[64], way[64];

	if (sscanf(line, "run %63s %63s %lu %lu %llu", name, way, &nr, &units, &count) != 5 ||
	    !units)
		die("not a line of results: %s", line);
	result = result_of(boot, name, way);
	if (!result) {
		result = json_object_new_object();
		add_text(result, "case", name);
		add_text(result, "way", way);
		json_object_object_add(result, "n", json_object_new_int64(nr));
		json_object_object_add(result, "units", json_object_new_int64(units));
		json_object_array_add(list_of(boot, "results"), result);
	}
	json_object_array_add(list_of(result, "counts"), json_object_new_int64(count));
}

static void add_fact(struct json_object *boot, const char *line)
{
	struct json_object *fact = json_object_new_object();
	char name[64], unit[64];
	double value;

	if (sscanf(line, "fact %63s %lf %63[^\n]", name, &value, unit) != 3)
		die("not a line of facts: %s", line);
	add_text(fact, "name", name);
	json_object_object_add(fact, "value", json_object_new_double(value));
	add_text(fact, "unit", unit);
	json_object_array_add(list_of(boot, "facts"), fact);
}

static void add_line(struct json_object *boot, struct json_object *meta, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, "run ", 4)) {
		add_run(boot, line);
	} else if (!strncmp(line, "fact ", 5)) {
		add_fact(boot, line);
	} else if (!strncmp(line, "skip ", 5)) {
		json_object_array_add(list_of(boot, "skipped"), json_object_new_string(line + 5));
	} else if (!strncmp(line, "not ok ", 7)) {
		json_object_array_add(list_of(boot, "failed"), json_object_new_string(line + 7));
	} else if (!strncmp(line, "meta ", 5)) {
		char *key = line + 5, *text = strchr(key, ' ');

		if (text) {
			*text++ = '\0';
			add_text(meta, key, text);
		}
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void summarize(struct json_object *result)
{
	struct json_object *counts = list_of(result, "counts");
	size_t nr = json_object_array_length(counts);
	double *sorted = calloc(nr, sizeof(*sorted)), median;

	if (!sorted)
		die("out of memory");
	for (size_t i = 0; i < nr; i++)
		sorted[i] = json_object_get_double(json_object_array_get_idx(counts, i));
	qsort(sorted, nr, sizeof(*sorted), by_value);
	median = nr % 2 ? sorted[nr / 2] : (sorted[nr / 2 - 1] + sorted[nr / 2]) / 2;
	json_object_object_add(result, "per_unit",
			       json_object_new_double(median / number_of(result, "units")));
	/* One run says nothing about others; where half of them count nothing there is no share. */
	if (nr > 1 && (median > 0 || sorted[nr - 1] == 0))
		json_object_object_add(result, "spread",
				       json_object_new_double(median > 0 ?
							      (sorted[nr - 1] - sorted[0]) / median :
							      0));
	free(sorted);
}

static struct json_object *read_boot(const char *label, const char *path)
{
	struct json_object *boot = json_object_new_object(), *meta = json_object_new_object();
	struct json_object *results;
	FILE *file = fopen(path, "re");
	char line[1024];

	if (!file)
		die("%s: %s", path, strerror(errno));
	add_text(boot, "label", label);
	json_object_object_add(boot, "meta", meta);
	results = list_of(boot, "results");
	list_of(boot, "facts");
	list_of(boot, "skipped");
	list_of(boot, "failed");
	while (fgets(line, sizeof(line), file))
		add_line(boot, meta, line);
	fclose(file);
	for (size_t i = 0; i < json_object_array_length(results); i++)
		summarize(json_object_array_get_idx(results, i));
	return boot;
}

/* ---- write ------------------------------------------------------------- */

static FILE *create(const char *dir, const char *name, const char *suffix)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
	file = fopen(path, "we");
	if (!file)
		die("%s: %s", path, strerror(errno));
	return file;
}

static void finish(FILE *file, const char *what)
{
	if (ferror(file) | fclose(file))
		die("cannot write the %s: %s", what, strerror(errno));
}

/*
 * Where the text behind KEY= begins; NULL where this is LABEL:FILE.  A label may hold
 * anything but a colon, such as "Without X, y=0"; a key has small letters only.
 */
static char *text_behind_key(char *argument)
{
	size_t len = strspn(argument, "abcdefghijklmnopqrstuvwxyz");

	return len && argument[len] == '=' ? argument + len + 1 : NULL;
}

static int do_write(int argc, char **argv)
{
	struct json_object *report = json_object_new_object();
	const char *dir, *name, *notes_name;
	char svg_name[256], *notes;
	FILE *file;

	if (argc < 4)
		die("write wants a folder, a name, a file of notes, and results");
	dir = argv[0], name = argv[1];
	notes_name = strrchr(argv[2], '/') ? strrchr(argv[2], '/') + 1 : argv[2];
	for (int i = 3; i < argc; i++) {
		char *text = text_behind_key(argv[i]), *colon = strchr(argv[i], ':');

		if (text) {
			text[-1] = '\0';
			add_text(report, argv[i], text);
		} else if (colon) {
			*colon = '\0';
			json_object_array_add(list_of(report, "boots"),
					      read_boot(argv[i], colon + 1));
		} else {
			die("'%s' is neither KEY=TEXT nor LABEL:FILE", argv[i]);
		}
	}
	snprintf(svg_name, sizeof(svg_name), "%s.svg", name);
	/* Before anything is written: it ends the program where a figure has no such name. */
	notes = notes_of(report, argv[2]);

	file = create(dir, name, ".json");
	fputs(json_object_to_json_string_ext(report, JSON_C_TO_STRING_PRETTY), file);
	fputc('\n', file);
	finish(file, "JSON");
	if (has_growth(report)) {
		file = create(dir, name, ".svg");
		write_svg(file, report);
		finish(file, "curve");
	}
	file = create(dir, name, ".md");
	write_markdown(file, report, notes, notes_name, has_growth(report) ? svg_name : NULL);
	finish(file, "Markdown");
	free(notes);
	json_object_put(report);
	return 0;
}

/* ---- check and record -------------------------------------------------- */

static const char *meta_of(struct json_object *boot, const char *key)
{
	struct json_object *meta;

	json_object_object_get_ex(boot, "meta", &meta);
	return text_of(meta, key);
}

static int do_record(const char *path)
{
	struct json_object *boot = read_boot("record", path);
	struct json_object *results = list_of(boot, "results");

	printf("kernel %s\nqemu %s\n", meta_of(boot, "kernel"), meta_of(boot, "qemu"));
	for (size_t i = 0; i < json_object_array_length(results); i++) {
		struct json_object *result = json_object_array_get_idx(results, i);

		printf("%s %s %.0f\n", text_of(result, "case"), text_of(result, "way"),
		       number_of(result, "per_unit"));
	}
	json_object_put(boot);
	return 0;
}

struct recorded {
	char name[64];
	double call, move_pages;
};

/* What was recorded: costs of cases; and whether on this kernel and emulator. */
struct record {
	struct recorded cases[64];
	size_t nr;
	bool same;
};

static struct recorded *recorded_case(struct record *record, const char *name)
{
	struct recorded *last = record->cases + record->nr;

	for (struct recorded *at = record->cases; at < last; at++)
		if (!strcmp(at->name, name))
			return at;
	if (record->nr == sizeof(record->cases) / sizeof(record->cases[0]))
		die("more cases are recorded than there is room for");
	record->nr++;
	snprintf(last->name, sizeof(last->name), "%s", name);
	last->call = last->move_pages = NAN;
	return last;
}

static void read_record(struct record *record, struct json_object *boot, const char *path)
{
	char line[256], name[64], way[64];
	FILE *file = fopen(path, "re");
	double count;

	if (!file)
		die("%s: %s", path, strerror(errno));
	*record = (struct record){ .same = true };
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "kernel ", 7) || !strncmp(line, "qemu ", 5)) {
			char *text = strchr(line, ' ');

			*text++ = '\0';
			if (!strcmp(meta_of(boot, line), text))
				continue;
			printf("# recorded with %s %s, this is %s: what is compared is call / move_pages; `scripts/bench --record` records anew\n",
			       line, text, meta_of(boot, line));
			record->same = false;
		} else if (sscanf(line, "%63s %63s %lf", name, way, &count) == 3 && line[0] != '#') {
			if (!strcmp(way, "call"))
				recorded_case(record, name)->call = count;
			else if (!strcmp(way, "move_pages"))
				recorded_case(record, name)->move_pages = count;
		}
	}
	fclose(file);
	if (!record->nr)
		die("%s records nothing", path);
}

/* What a case costs now; NAN: it was not measured. */
static double cost_of(struct json_object *boot, const char *name, const char *way)
{
	struct json_object *result = result_of(boot, name, way);

	return result ? number_of(result, "per_unit") : NAN;
}

/*
 * Counts of another kernel or another emulator's processor say nothing about this tree;
 * beside move_pages(2) they do.  Returns whether it is no worse than what was recorded;
 * a better one is never held back.
 */
static bool check_one(struct json_object *boot, const struct recorded *recorded, bool same)
{
	const char *unit = same ? "instructions" : "of move_pages";
	double was = recorded->call, now = cost_of(boot, recorded->name, "call"), more;
	int digits = same ? 0 : 3;

	if (!same) {
		was /= recorded->move_pages;
		now /= cost_of(boot, recorded->name, "move_pages");
	}
	more = now / was - 1;
	if (isnan(more)) {
		printf("not ok bench/%s: no result that can be compared with the recorded one\n",
		       recorded->name);
		return false;
	}
	if (more > ALLOWED)
		printf("not ok bench/%s: %.*f %s, %.*f were recorded (%+.1f %%); where that is meant, `scripts/bench --record`\n",
		       recorded->name, digits, now, unit, digits, was, more * 100);
	else
		printf("ok bench/%s (%.*f %s, %+.1f %%%s)\n", recorded->name, digits, now, unit,
		       more * 100, more < -ALLOWED ? "; `scripts/bench --record` keeps that" : "");
	return more <= ALLOWED;
}

static int do_check(const char *recorded_path, const char *path)
{
	struct json_object *boot = read_boot("check", path);
	unsigned int passed = 0, failed = 0;
	struct record record;

	read_record(&record, boot, recorded_path);
	for (size_t i = 0; i < record.nr; i++) {
		if (check_one(boot, &record.cases[i], record.same))
			passed++;
		else
			failed++;
	}
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	json_object_put(boot);
	return failed > 0;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "write"))
		return do_write(argc - 2, argv + 2);
	if (argc == 4 && !strcmp(argv[1], "check"))
		return do_check(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "record"))
		return do_record(argv[2]);
	die("usage: bench-report write DIR NAME NOTES KEY=TEXT... LABEL:FILE... | check RECORDED FILE | record FILE");
}
