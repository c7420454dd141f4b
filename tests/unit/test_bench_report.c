// SPDX-License-Identifier: GPL-2.0-only
/* bench-report on a small run that was printed by hand. */
#include "run.h"

static char text[OUT_MAX];

#define REPORT(...)	finish(start_program(getenv("BENCH_REPORT"), -1, -1, ARGS(__VA_ARGS__)))

/* Writes a report of one part, with these notes. */
static void write_report(const char *label, const char *notes)
{
	char part[1024];

	snprintf(part, sizeof(part), "%s:%s/bench.out", label, getenv("UNIT_DATA"));
	tree_write("notes.md", notes);
	REPORT("write", IN_TREE("."), "r", IN_TREE("notes.md"), "commit=abc", part);
}

static void writes_each_part(void)
{
	static const char *const labels[] = {
		"One processor", "Without zeroing, init_on_alloc=0", "A=b c",
	};

	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		char heading[128];

		write_report(labels[i], "What was measured.\n");
		CHECK_STR(run.err, "");
		CHECK_INT(run.status, 0);
		read_whole("r.md", text);
		snprintf(heading, sizeof(heading), "\n## %s\n", labels[i]);
		CHECK_HAS(text, heading);
		CHECK_HAS(text, "What was measured.\n");
		CHECK_HAS(text, "commit abc");
		CHECK_HAS(text, "| anon/1 | 1 | 10,001 | 20,002 | 0.500 | 0.02 % |");
		CHECK_HAS(text, "| growth/some-figure | 1,234,567 | pages a call |");
		CHECK_HAS(text, "* two/program: the emulator's");
		read_whole("r.json", text);
		CHECK_HAS(text, "\"per_unit\":10001");
	}
}

static void refuses_what_is_neither(void)
{
	tree_write("notes.md", "");
	REPORT("write", IN_TREE("."), "r", IN_TREE("notes.md"), "Some part");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "'Some part'");
}

int main(void)
{
	static const struct tap_test tests[] = {
		{ "writes each part", writes_each_part },
		{ "refuses what is neither a key nor a part", refuses_what_is_neither },
	};
	int status;

	tree_make();
	tree_write("in", "");
	status = tap_main(tests, ARRAY_LEN(tests));
	tree_remove();
	return status;
}
