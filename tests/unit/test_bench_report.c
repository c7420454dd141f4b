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

static void says_how_it_was_measured(void)
{
	write_report("One processor", "");
	read_whole("r.md", text);
	CHECK_HAS(text, "\n\ttestbed/vm run -- ./mpp-bench anon/1\n");
	CHECK_HAS(text, "(stock: linux-image-test), 1 processor, 2 nodes of 970 MiB, 1007 MiB,");
	CHECK_HAS(text, "It took 12 s.");
}

/* No spread is made of one run, and none of nothing. */
static void says_how_often(void)
{
	write_report("One processor", "");
	read_whole("r.md", text);
	CHECK_HAS(text, "median of 3 runs");
	CHECK_HAS(text, "| call | reverse-plain (1 run) | call / move_pages | spread |");
	CHECK_HAS(text, "| growth/10x100 | 64 | 8,000 | 1,000,000 | | 0.00 % |");
	CHECK_HAS(text, "| disturbed/1/interrupts | 1 | 0 | | 0.00 % |");
	read_whole("r.json", text);
	CHECK(!strstr(text, "NaN"));
}

static void fills_in_figures(void)
{
	write_report("A part", "One {A part|anon/1|call}, both {A part|anon/1|call} of\n"
		     "{A part|anon/1|move_pages}: {A part|anon/1|call / A part|anon/1|move_pages}; "
		     "{A part|growth/some-figure}; {A part|two/program|call} {A part|other}.\n");
	CHECK_STR(run.err, "");
	read_whole("r.md", text);
	/* The part has something skipped, so what it lacks may be that. */
	CHECK_HAS(text, "One 10,001, both 10,001 of\n20,002: 0.50; 1,234,567; (not measured) (not measured).\n");
}

static void refuses_unknown_figures(void)
{
	static const char *const notes[] = {
		"{Another part|anon/1|call}", "{A part}", "{}", "{A part|anon/1|call",
		"{A part|anon/1|call / Another part|anon/1|call}",
	};

	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		tree_write("r.md", "as it was");
		write_report("A part", notes[i]);
		CHECK_INT(run.status, 2);
		CHECK_HAS(run.err, "bench-report: ");
		read_whole("r.md", text);
		CHECK_STR(text, "as it was");
	}
	/* A part with nothing skipped lacks nothing. */
	tree_write("whole.out", "run anon/1 call 1 512 5120000\n");
	tree_write("notes.md", "{A part|anon/2|call}");
	snprintf(text, sizeof(text), "A part:%s", tree_path("whole.out"));
	REPORT("write", IN_TREE("."), "r", IN_TREE("notes.md"), text);
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "{A part|anon/2|call}");
}

/* What could not be had is told, in place of its table. */
static void tells_what_is_left_out(void)
{
	tree_write("none.out", "skip syscall: no such kernel\n");
	tree_write("notes.md", "{The system call|anon/1|call}\n");
	snprintf(text, sizeof(text), "The system call:%s", tree_path("none.out"));
	REPORT("write", IN_TREE("."), "r", IN_TREE("notes.md"), text);
	CHECK_INT(run.status, 0);
	read_whole("r.md", text);
	CHECK_HAS(text, "(not measured)\n");
	CHECK_HAS(text, "\n## The system call\n\nSkipped:\n\n* syscall: no such kernel\n");
	CHECK(!strstr(text, "![cost"));
}

static void check_against(const char *recorded)
{
	char run_path[1024];

	snprintf(run_path, sizeof(run_path), "%s/bench.out", getenv("UNIT_DATA"));
	tree_write("recorded", recorded);
	REPORT("check", IN_TREE("recorded"), run_path);
}

#define SAME "kernel 6.12.0-test\nqemu 7.2.22\n"
#define OTHER "kernel 6.12.1-test\nqemu 7.2.22\n"

/* On the recorded kernel costs are compared; on another one, costs beside move_pages(2). */
static void compares_with_the_recorded(void)
{
	check_against(SAME "anon/1 call 9600\nanon/1 move_pages 1\n");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "ok bench/anon/1 (10001 instructions, +4.2 %)\n1 passed, 0 failed");
	check_against(SAME "anon/1 call 9000\n");
	CHECK_INT(run.status, 1);
	CHECK_HAS(run.out, "not ok bench/anon/1: 10001 instructions, 9000 were");

	check_against(OTHER "anon/1 call 4800\nanon/1 move_pages 10000\n");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "# recorded with kernel 6.12.1-test, this is 6.12.0-test");
	CHECK_HAS(run.out, "\nok bench/anon/1 (0.500 of move_pages, +4.2 %)\n");
	check_against(OTHER "anon/1 call 4700\nanon/1 move_pages 10000\n");
	CHECK_INT(run.status, 1);
	CHECK_HAS(run.out, "not ok bench/anon/1: 0.500 of move_pages, 0.470 were");

	check_against(OTHER "anon/1 call 4800\n");
	CHECK_INT(run.status, 1);
	check_against(SAME "anon/2 call 4800\n");
	CHECK_INT(run.status, 1);
	CHECK_HAS(run.out, "not ok bench/anon/2: no result");
	check_against(SAME);
	CHECK_INT(run.status, 2);
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
		{ "says how it was measured", says_how_it_was_measured },
		{ "says how often", says_how_often },
		{ "fills in figures", fills_in_figures },
		{ "refuses unknown figures", refuses_unknown_figures },
		{ "tells what is left out", tells_what_is_left_out },
		{ "compares with the recorded", compares_with_the_recorded },
		{ "refuses what is neither a key nor a part", refuses_what_is_neither },
	};
	int status;

	tree_make();
	tree_write("in", "");
	status = tap_main(tests, ARRAY_LEN(tests));
	tree_remove();
	return status;
}
