// SPDX-License-Identifier: GPL-2.0-only
/* What each command prints: JSON by a parser of JSON, and lines that are input of another. */
#include <json-c/json.h>

#include "h_command.h"

/* One object, and nothing but blanks behind it. */
static bool is_object(const char *text, size_t len)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *object = json_tokener_parse_ex(tok, text, (int)len);
	size_t end = json_tokener_get_parse_end(tok);
	bool good = json_object_is_type(object, json_type_object) ||
		    json_object_is_type(object, json_type_array);

	good = good && end + strspn(text + end, " \n") >= len;
	json_object_put(object);
	json_tokener_free(tok);
	return good;
}

/* One for all, or one on each line. */
static void expect_json(const char *command, const char *text)
{
	size_t nr = 0;

	if (is_object(text, strlen(text)))
		return;
	for (const char *at = text; *at; at = strchr(at, '\n') + 1, nr++) {
		CHECK(strchr(at, '\n'), "%s: the last line has no end: %s", command, at);
		CHECK(is_object(at, strcspn(at, "\n")), "%s: line %zu: %.200s", command, nr + 1,
		      at);
	}
	CHECK(nr, "%s: nothing", command);
}

static void run_json(const char *command)
{
	struct output o = shell("movephys %s --json", command);

	CHECK(o.status <= 1, "%s: status %d: %s", command, o.status, o.err);
	expect_json(command, o.out);
	output_free(&o);
}

/* Lines and JSON, and the lines by what reads them. */
static void run_source(const char *command)
{
	struct output o = shell_ok("movephys %s >lines && movephys where --json - <lines", command);

	CHECK_GE(json_number(o.out, "pages"), 1);
	output_free(&o);
	run_json(command);
}

static struct region list_region(void)
{
	struct region r = region_anon(64, slow_node(), 1);
	struct output o = shell_ok("movephys pagemap --pid %d --range 0x%lx+256k >list.txt",
				   (int)getpid(), (unsigned long)r.va);

	output_free(&o);
	return r;
}

TEST(output, commands, .limit_s = 180)
{
	static const char *const commands[] = {
		"move --dry-run --all --to 0 list.txt", "where list.txt",
		"pagemap --pid $PPID --summary", "zones --summary", "info",
	};
	struct output o;

	need_door();
	list_region();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		run_json(commands[i]);
	/* The records on standard output, the summary beside them. */
	o = shell_ok("echo '1.5: 3 ibs_op//: 100040' | movephys sample --perf-script - --json");
	expect_json("sample --perf-script", o.out);
	expect_json("sample's summary", o.err);
	output_free(&o);
}

TEST(output, sources, .limit_s = 180)
{
	static const char *const commands[] = {
		"where --list list.txt", "rank list.txt", "rank --half-life 1s list.txt",
		"pagemap --pid $PPID", "pagemap --pid $PPID --va --kind anon", "zones",
		"sample --quiet --perf-script script",
	};
	struct output o;

	need_door();
	list_region();
	o = shell_ok("echo '1.5: 3 ibs_op//: 100040' >script");
	output_free(&o);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		run_source(commands[i]);
}

TEST(output, idle, .limit_s = 180)
{
	need_door();
	if (!exists("/sys/kernel/mm/page_idle/bitmap"))
		SKIP("this kernel has no idle page tracking");
	run_source("idle --state both --interval 200ms");
	run_json("idle --summary --interval 200ms");
}

TEST(output, damon, .limit_s = 180)
{
	need_door();
	if (!exists("/sys/kernel/mm/damon/admin"))
		SKIP("this kernel has no DAMON");
	run_source("damon --start --state both --interval 1s");
}
