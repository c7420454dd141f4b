// SPDX-License-Identifier: GPL-2.0-only
/* The built command, run as a person would, with the fake device preloaded. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <numa.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

static void helps(void)
{
	static const char *const commands[] = {
		"move", "where", "rank", "pagemap", "sample", "idle", "zones", "cxl", "damon",
		"info",
	};

	RUN("--help");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "examples:");
	CHECK_STR(run.err, "");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		CHECK_HAS(run.out, commands[i]);
		RUN(commands[i], "--help");
		CHECK_INT(run.status, 0);
		CHECK_HAS(run.out, "examples:");
		CHECK_HAS(run.out, "usage: movephys");
		CHECK_STR(run.err, "");
		RUN("help", commands[i]);
		CHECK_INT(run.status, 0);
		CHECK_HAS(run.out, "examples:");
		RUN("--help");
	}
	RUN("--version");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "movephys ");
}

static const struct {
	const char *args[8];
	const char *named;	/* must be in the message */
} bad_arguments[] = {
	{ { "frobnicate" }, "\"frobnicate\"" },
	{ { "move", "0x1000" }, "--to" },
	{ { "move", "--to" }, "--to needs a value" },
	{ { "move", "--to", "x", "0x1000" }, "--to x" },
	{ { "move", "--to", "", "0x1000" }, "--to \"\"" },
	{ { "move", "--to", "1000", "0x1000" }, "--to 1000" },
	{ { "move", "--to", "-1", "0x1000" }, "--to -1" },
	{ { "move", "--to", "0", "--from", "zz", "0x1000" }, "--from zz" },
	{ { "move", "--to", "0" }, "no addresses" },
	{ { "move", "--to", "0", "--retry", "many", "0x1000" }, "--retry many" },
	{ { "move", "--to", "0", "--retry", "-1", "0x1000" }, "--retry -1" },
	{ { "move", "--to", "0", "--bogus", "0x1000" }, "--bogus" },
	{ { "move", "--to", "0", "--all=1", "0x1000" }, "--all=1" },
	{ { "move", "--to", "0", "-Q", "0x1000" }, "-Q" },
	{ { "move", "--to", "0", "0x1000", "123" }, "\"123\": a bare number" },
	{ { "move", "--to", "0", "0x1000", "0x12zz" }, "\"0x12zz\"" },
	{ { "move", "--to", "0", "0x1000", "0x2000-0x1000" }, "\"0x2000-0x1000\"" },
	{ { "move", "--to", "0", "0x1000", "0x10000000000000000" }, "\"0x10000000000000000\"" },
	{ { "move", "--to", "0", "0x1000", "nofile" }, "\"nofile\"" },
	{ { "move", "--to", "0", "0x1000", "/" }, "\"/\"" },
	{ { "move", "--to", "0", "0x1000", "-", "-" }, "\"-\"" },
	{ { "move", "--to", "0", "--new", "/nonexistent/x", "0x1000" }, "--new /nonexistent/x" },
	{ { "move", "--to", "0", "--rate", "200", "0x1000" }, "--rate 200" },
	{ { "move", "--to", "0", "--rate", "1/s", "0x1000" }, "--rate 1/s" },
	{ { "move", "--to", "0", "--max", "many", "0x1000" }, "--max many" },
	{ { "move", "--to", "0", "--door", "back", "0x1000" }, "--door back" },
	{ { "move", "--to", "0", "--undo", "x" }, "--undo and --to" },
	{ { "move", "--undo", "/nonexistent/x" }, "--undo /nonexistent/x" },
	{ { "move", "--undo", "x", "0x1000" }, "\"0x1000\"" },
	{ { "move", "--undo", "/" }, "--undo /: Is a directory" },
	{ { "where", "--door", "back", "0x1000" }, "--door back" },
	{ { "zones", "--node", "!all" }, "--node !all" },
	{ { "move", "--to", "0", "--from", "!all", "0x1000" }, "--from !all" },
	{ { "zones", "--node", "+" }, "--node +" },
	{ { "zones", "--node", "++0" }, "--node \"++0\"" },
	{ { "zones", "--node", "0,+0" }, "--node \"0,+0\"" },
	{ { "zones", "--node", "+1000" }, "--node +1000" },
	{ { "zones", "extra" }, "\"extra\"" },
	{ { "zones", "--kind", "anon,nonsense" }, "\"nonsense\"" },
	{ { "zones", "--kind", "" }, "\"\"" },
	{ { "zones", "--within", "0x1000" }, "--within 0x1000" },
	{ { "zones", "--within", "5-7" }, "--within 5-7" },
	{ { "zones", "--mapped", "3-1" }, "--mapped 3-1" },
	{ { "zones", "--mapped", "x" }, "--mapped x" },
	{ { "zones", "--charged", "/nonexistent" }, "--charged /nonexistent" },
	{ { "zones", "--charged", "/dev/null" }, "--charged /dev/null" },
	{ { "idle", "--state", "busy" }, "--state busy" },
	{ { "idle", "--interval", "5" }, "--interval 5" },
	{ { "idle", "--interval", "s" }, "--interval s" },
	{ { "idle", "--cpu", "0" }, "--cpu 0" },
	{ { "idle", "--cpu", "101%" }, "--cpu 101%" },
	{ { "idle", "--sample", "64" }, "--sample 64" },
	{ { "idle", "--sample", "1/0" }, "--sample 1/0" },
	{ { "idle", "--rounds", "x" }, "--rounds x" },
	{ { "pagemap", "--cgroup", "/nonexistent" }, "--cgroup /nonexistent" },
	{ { "pagemap", "--pid", "1,x" }, "--pid x" },
	{ { "where", "5" }, "\"5\": a bare number" },
	{ { "where" }, "no addresses" },
	{ { "where", "--bogus", "0x1000" }, "--bogus" },
	{ { "pagemap" }, "--pid" },
	{ { "pagemap", "--pid", "x" }, "--pid x" },
	{ { "pagemap", "--pid", "0" }, "--pid 0" },
	{ { "pagemap", "--pid", "8388608" }, "--pid 8388608" },
	{ { "pagemap", "--pid", "1", "--range", "5" }, "--range 5" },
	{ { "pagemap", "--pid", "1", "--range", "0x5000" }, "--range 0x5000" },
	{ { "pagemap", "--pid", "1", "--node", "q" }, "--node q" },
	{ { "pagemap", "--pid", "1", "extra" }, "\"extra\"" },
	{ { "info", "extra" }, "\"extra\"" },
	{ { "cxl", "frobnicate" }, "\"frobnicate\"" },
	{ { "cxl", "--bogus" }, "--bogus" },
	{ { "cxl", "to-hpa", "--unit", "3K", "-" }, "--unit 3K" },
	{ { "cxl", "to-hpa", "--unit", "32", "-" }, "--unit 32" },
	{ { "cxl", "to-hpa", "--kind", "odd", "-" }, "\"odd\"" },
	{ { "cxl", "to-hpa", "--node", "zz", "-" }, "--node zz" },
	{ { "cxl", "to-hpa", "--node", "0", "mem0:0x1000" }, "\"mem0:0x1000\": one address" },
	{ { "cxl", "to-dpa", "--node", "0", "0x1000" }, "for `cxl to-hpa`" },
	{ { "cxl", "--mapped", "1" }, "for `cxl to-hpa`" },
	{ { "damon", "--kdamond", "x" }, "--kdamond x" },
	{ { "damon", "--state", "busy" }, "--state busy" },
	{ { "damon", "--min", "-1" }, "--min -1" },
	{ { "damon", "--interval", "5" }, "--interval 5" },
	{ { "damon", "--start", "--regions", "2-10" }, "--regions 2-10" },
	{ { "damon", "--start", "--regions", "20-10" }, "--regions 20-10" },
	{ { "damon", "--kind", "odd" }, "\"odd\"" },
	{ { "damon", "--start", "--kdamond", "1" }, "--start" },
	{ { "damon", "--sample", "1ms" }, "--start" },
	{ { "damon", "extra" }, "\"extra\"" },
};

static void names_bad_arguments(void)
{
	RUN("move", "--to", "0", "0x1000");
	CHECK_HAS(run.log, "move ");	/* so that an empty log below means something */
	for (size_t i = 0; i < ARRAY_LEN(bad_arguments); i++) {
		finish(start(-1, -1, bad_arguments[i].args));
		CHECK_INT(run.status, 2);
		CHECK_HAS(run.err, bad_arguments[i].named);
		CHECK_HAS(run.err, "movephys");
		CHECK_STR(run.out, "");
		CHECK_STR(run.log, "");
	}
	finish(start(-1, -1, (const char *const[]) { NULL }));
	CHECK_INT(run.status, 2);
	RUN("move", "--to", "0", "\x1b[31mred");
	CHECK_INT(run.status, 2);
	CHECK(!strchr(run.err, '\x1b'));
}

static void tells_one_line_without_a_door(void)
{
	static const struct {
		const char *mode, *says, *informs;
	} modes[] = {
		{ "absent", "modprobe move_phys_pages", "the module is not loaded" },
		{ "denied", "CAP_SYS_ADMIN", "CAP_SYS_ADMIN" },
		{ "foreign", "not this module's device", "not this module's device" },
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		setenv("FAKE_MPP_MODE", modes[i].mode, 1);
		/* What is wrong with the arguments comes first. */
		RUN("move", "--undo", "/");
		CHECK_HAS(run.err, "Is a directory");
		RUN("move", "--to", "0", "0x1000");
		CHECK_INT(run.status, 2);
		CHECK_HAS(run.err, modes[i].says);
		CHECK_INT(count(run.err, "\n"), 1);
		RUN("where", "0x1000");
		CHECK_INT(run.status, 2);
		CHECK_INT(count(run.err, "\n"), 1);
		RUN("info");
		CHECK_INT(run.status, 0);
		CHECK_HAS(run.out, modes[i].informs);
		CHECK_HAS(run.out, "\nnext: ");
	}
	unsetenv("FAKE_MPP_MODE");
}

static void moves(void)
{
	/* node 1: two pages; node 0: one; then busy, free, shared, cache. */
	RUN("move", "--to", "0", "--json", "0x1000001000+8k", "0x5000", "0x100000000000",
	    "0x20000000000", "0xd0000000000", "0x30000000000");
	CHECK_INT(run.status, 1);
	CHECK_STR(run.err, "");
	CHECK_INT(json_number("pages"), 7);
	CHECK_INT(json_number("outcomes.moved"), 2);
	CHECK_INT(json_number("outcomes.already"), 1);
	CHECK_INT(json_number("errors.EBUSY"), 1);
	CHECK_INT(json_number("errors.ENOENT"), 1);
	CHECK_INT(json_number("errors.EACCES"), 1);
	CHECK_INT(json_number("errors.ESRCH"), 1);
	CHECK_INT(json_number("to"), 0);
	CHECK_HAS(run.out, "\"from\": 1");

	RUN("move", "--to", "0", "0xd0000000000", "0x30000000000");
	CHECK_HAS(run.out, "1  EACCES       shared by several processes; --all");
	CHECK_HAS(run.out, "1  ESRCH        page or swap cache that no process maps; --unmapped");

	RUN("move", "--to", "0", "--all", "--unmapped", "0x1000001000+8k", "0xd0000000000",
	    "0x30000000000");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "2  moved        8.0 KiB");
	CHECK_HAS(run.out, "2  already");
	CHECK_HAS(run.out, "node 1 to node 0: 2 pages");
	CHECK_HAS(run.out, "4 pages looked at");
}

static void has_exit_statuses(void)
{
	static const struct {
		const char *addr;
		int plain, strict;
	} cases[] = {
		{ "0x1000001000", 0, 0 },
		{ "0x1000", 0, 0 },
		{ "0x20000000000", 0, 1 },	/* ENOENT: stale */
		{ "0x60000000000", 0, 1 },	/* ENXIO */
		{ "0xe0000000000", 0, 1 },	/* EFAULT: cannot be moved */
		{ "0xd0000000000", 1, 1 },	/* EACCES: refused */
		{ "0xc0000000000", 1, 1 },	/* ENOMEM */
		{ "0x100000000000", 1, 1 },	/* EBUSY */
		{ "0x50000000000", 1, 1 },	/* EIO: not in the contract */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		RUN("move", "--to", "0", cases[i].addr);
		if (run.status != cases[i].plain)
			tap_fail(__FILE__, __LINE__, "%s: %d", cases[i].addr, run.status);
		RUN("move", "--to", "0", "--strict", cases[i].addr);
		if (run.status != cases[i].strict)
			tap_fail(__FILE__, __LINE__, "%s: %d", cases[i].addr, run.status);
	}
}

static void passes_flags(void)
{
	RUN("move", "--to", "0", "0x1000");
	CHECK_HAS(run.log, "move nr=1 first=0x1000 last=0x1000 flags=0x200000 to=0");
	RUN("move", "--to", "0", "-a", "-u", "--ignore-mempolicy", "--sync", "--reclaim", "-n",
	    "0x1000001000");
	CHECK_HAS(run.log, "flags=0x3f0004 ");
	CHECK_HAS(run.out, "1  would_move");
	CHECK(!strstr(run.out, "  moved"));
	CHECK_INT(run.status, 0);
	RUN("move", "--to", "0", "--pfn", "5", "0x6");
	CHECK_HAS(run.log, "move nr=2 first=0x5000 last=0x6000");
}

static void reads_streams(void)
{
	tree_write("in", "0x1000001000\n# comment\n0x1000002000+8k # va=0x7f00\n");
	tree_write("list", "0x1000009000\n");
	RUN("move", "--to", "0", "--json", "-", IN_TREE("list"), "0x100000a000");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.moved"), 5);
	CHECK_INT(count(run.log, "move "), 1);
}

static void passes_bad_lines(void)
{
	tree_write("in", "0x1000001000\n123\n0x1000002000\nrubbish\n0x1000003000\n");
	RUN("move", "--to", "0", "--json", "-");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "<stdin>:2: \"123\": a bare number");
	CHECK_HAS(run.err, "<stdin>:4: \"rubbish\"");
	CHECK_INT(count(run.err, "\n"), 2);
	CHECK_INT(json_number("outcomes.moved"), 3);
	CHECK_INT(json_number("bad_lines"), 2);
	CHECK_INT(count(run.log, "move "), 1);	/* a bad line does not end the batch */

	RUN("move", "--to", "0", "--json", "--strict", "-");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "<stdin>:2:");
	CHECK_INT(count(run.err, "\n"), 1);
	CHECK_INT(json_number("outcomes.moved"), 1);
	RUN("where", "--json", "-");
	CHECK_INT(run.status, 2);
	CHECK_INT(json_number("nodes.1"), 3);
}

/* What is left of a longer line may name another page. */
static void passes_a_line_that_is_cut(void)
{
	tree_write("in", "0x1000001000\n0x1000002");
	RUN("move", "--to", "0", "--json", "-");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "<stdin>:2: \"0x1000002\": the last line has no newline");
	CHECK_INT(json_number("outcomes.moved"), 1);
	CHECK_INT(json_number("bad_lines"), 1);
	CHECK_HAS(run.log, "move nr=1 first=0x1000001000 last=0x1000001000");
	tree_write("undo", "0x1000001000 # node=1\n0x1000002000 # node=1");
	RUN("move", "--json", "--undo", IN_TREE("undo"));
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "undo:2: the last line has no newline");
	CHECK_INT(json_number("pages"), 1);
	unlink(tree_path("undo"));
	/* A comment or nothing may lack it. */
	tree_write("in", "0x1000001000\n# end");
	RUN("where", "--json", "-");
	CHECK_INT(run.status, 0);
	tree_write("in", "");
}

static void keeps_to_from(void)
{
	/* --from 0 leaves the page of node 1 alone, and one whose node is unknown. */
	RUN("move", "--to", "0", "--from", "0", "--json", "0x1000001000", "0x5000",
	    "0x20000000000");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.elsewhere"), 1);
	CHECK_INT(json_number("outcomes.already"), 1);
	CHECK_INT(json_number("errors.ENOENT"), 1);
	CHECK_INT(json_number("pages"), 3);
	CHECK_HAS(run.log, "move nr=1 first=0x5000 last=0x5000");
	/* What is left alone is not on the target. */
	RUN("move", "--to", "0", "--from", "0", "--strict", "0x1000001000", "0x5000");
	CHECK_INT(run.status, 1);
	RUN("move", "--to", "0", "--from", "0", "--strict", "0x5000");
	CHECK_INT(run.status, 0);
}

static void retries(void)
{
	RUN("move", "--to", "0", "--json", "0x1001000001000", "0x1000002000");
	CHECK_INT(run.status, 1);
	CHECK_INT(json_number("errors.EBUSY"), 1);
	RUN("move", "--to", "0", "--json", "--retry", "1", "0x1001000001000", "0x1000002000");
	CHECK_INT(json_number("errors.EBUSY"), 1);
	RUN("move", "--to", "0", "--json", "--retry", "5", "0x1001000001000", "0x1000002000");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.moved"), 2);
	CHECK_INT(json_number("pages"), 2);
	CHECK_INT(count(run.log, "move "), 3);
	CHECK_INT(count(run.log, "move nr=1 "), 2);	/* only what was busy */
}

/* No huge page is cut in two by a batch's end, so none of its addresses go stale. */
static void keeps_huge_pages_whole(void)
{
	unsigned long long first, last, flags, total = 0;
	unsigned int nr;
	int to;

	RUN("move", "--to", "0", "--json", "0x1000003000+64M");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.moved"), 16384);
	for (char *line = strtok(run.log, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "move nr=%u first=0x%llx last=0x%llx flags=0x%llx to=%d", &nr,
			   &first, &last, &flags, &to) != 5)
			continue;
		CHECK_INT(to, 0);
		total += nr;
		CHECK(nr <= 4096 + 512);
		CHECK((last + 4096) % (2 << 20) == 0 || last == 0x1000003000 + (64 << 20) - 4096);
	}
	CHECK_INT(total, 16384);
}

/* Waits until the fake device has been called, for up to 10 s. */
static bool wait_log(const char *part)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (int i = 0; i < 1000; i++) {
		read_whole("log", run.log);
		if (strstr(run.log, part))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void keeps_to_max(void)
{
	RUN("move", "--to", "0", "--json", "--max", "4M", "0x1000000000+64M");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.moved"), 1024);
	CHECK_INT(json_number("stopped_at_max"), 1);
	/* What did not move does not count. */
	RUN("move", "--to", "0", "--max", "2M", "0x0+8M", "0x1000000000+64M");
	CHECK_HAS(run.out, "512  moved        2.0 MiB");
	CHECK_HAS(run.out, "2048  already");
	CHECK_HAS(run.out, "--max is reached");
	RUN("move", "--to", "0", "--json", "--max", "4M", "0x1000000000+2M");
	CHECK_INT(json_number("stopped_at_max"), 0);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void keeps_to_the_rate(void)
{
	uint64_t start_ms = now_ms();
	int fds[2];
	pid_t pid;

	/* 8 MiB at 10 MiB/s: not much under 0.8 s; the last batch's share is not waited for. */
	RUN("move", "--to", "0", "--json", "--rate", "10M/s", "0x1000000000+8M");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.moved"), 2048);
	CHECK(now_ms() - start_ms >= 600);
	CHECK(count(run.log, "move ") >= 4);
	start_ms = now_ms();
	RUN("move", "--to", "0", "--json", "--rate", "1T/s", "0x1000000000+8M");
	CHECK(now_ms() - start_ms < 5000);

	/* Time that passes without input is no credit, and Ctrl-C ends the wait. */
	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	pid = start(fds[0], -1, ARGS("move", "--to", "0", "--json", "--rate", "8K/s", "-"));
	CHECK_INT(write(fds[1], "0x1000000000+4M\n", 16), 16);
	CHECK(wait_log("move nr="));
	kill(pid, SIGINT);
	finish(pid);
	CHECK_INT(run.status, 130);
	CHECK(json_number("outcomes.moved") <= 512);
	close(fds[0]);
	close(fds[1]);
}

/* What the command writes to a terminal while it runs. */
static void watch(const char *const *args, char *text)
{
	ssize_t len;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	CHECK(master >= 0 && !grantpt(master) && !unlockpt(master));
	run_terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(run_terminal >= 0);
	finish(start(-1, -1, args));
	CHECK_INT(run.status, 0);
	CHECK_INT(fcntl(master, F_SETFL, O_NONBLOCK), 0);
	len = read(master, text, OUT_MAX - 1);
	text[len > 0 ? len : 0] = '\0';
	close(run_terminal);
	close(master);
	run_terminal = -1;
}

/* On a terminal only: how much, how fast, and how long it will take. */
static void shows_progress(void)
{
	char text[OUT_MAX];

	watch(ARGS("move", "--to", "0", "--json", "--rate", "10M/s", "--max", "8M",
		   "0x1000000000+64M"), text);
	CHECK_HAS(text, "pages looked at, ");
	CHECK_HAS(text, " MiB moved, ");
	CHECK_HAS(text, "/s, ");
	CHECK_HAS(text, " s left");
	/* And it is gone at the end, with nothing of it in the output. */
	CHECK_HAS(text, "\r\033[K");
	CHECK(!strstr(run.out, "looked at,"));
	RUN("move", "--to", "0", "--json", "--rate", "10M/s", "--max", "4M", "0x1000000000+64M");
	CHECK_STR(run.err, "");
}

/* A huge page's worth at a time, at 4 MiB/s: progress is shown from the second one on. */
static void shows_the_time_left(void)
{
	char text[OUT_MAX];

	/* Arguments by pages. */
	watch(ARGS("move", "--to", "0", "--rate", "4M/s", "0x1000000000+2M", "0x1000400000+6M"),
	      text);
	CHECK_HAS(text, "1024 pages looked at, 4.0 MiB moved, ");
	CHECK_HAS(text, ", 50 %, ");
	CHECK_HAS(text, " s left");
	/* Files by bytes, that of --undo to the line: one is read ahead. */
	tree_write("undo", "0x1000000000+2M # node=0\n0x1000200000+2M # node=0\n"
		   "0x1000400000+2M # node=0\n0x1000600000+2M # node=0\n");
	watch(ARGS("move", "--rate", "4M/s", "--undo", IN_TREE("undo")), text);
	CHECK_HAS(text, ", 75 %, ");
	CHECK_HAS(text, " s left");
	unlink(tree_path("undo"));
	/* Both together: not known. */
	tree_write("list", "0x1000000000+2M\n");
	watch(ARGS("move", "--to", "0", "--rate", "4M/s", IN_TREE("list"), "0x1000400000+4M"),
	      text);
	CHECK_HAS(text, "pages looked at, ");
	CHECK(!strstr(text, " s left"));
}

static void stops_on_interrupt(void)
{
	setenv("FAKE_MPP_SIGNAL", "2", 1);
	RUN("move", "--to", "0", "--json", "0x1000000000+64M");
	CHECK_INT(run.status, 130);
	CHECK_INT(json_number("outcomes.moved"), 4096 + 2048);
	CHECK_INT(json_number("outcomes.not_reached"), 2048);
	CHECK_HAS(run.out, "\"interrupted\": true");
	CHECK_INT(count(run.log, "move "), 2);
	unsetenv("FAKE_MPP_SIGNAL");

	/* A signal that is none of ours: the rest of the batch is asked for again. */
	setenv("FAKE_MPP_EINTR", "1", 1);
	RUN("move", "--to", "0", "--json", "0x1000000000+4M");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.moved"), 1024);
	CHECK_INT(count(run.log, "move nr=512 "), 1);
	unsetenv("FAKE_MPP_EINTR");
}

static void reports_a_failed_call(void)
{
	setenv("FAKE_MPP_FAIL", "2", 1);
	RUN("move", "--to", "0", "--json", "0x1000000000+64M");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "Bad address");
	CHECK_INT(json_number("outcomes.moved"), 4096 + 2048);
	CHECK_INT(json_number("outcomes.not_reached"), 2048);
	CHECK_INT(count(run.log, "move "), 2);
	unsetenv("FAKE_MPP_FAIL");
}

static void acts_while_input_is_open(void)
{
	int fds[2];
	pid_t pid;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	pid = start(fds[0], -1, ARGS("move", "--to", "0", "--json", "-"));
	CHECK_INT(write(fds[1], "0x1000001000\n", 13), 13);
	CHECK(wait_log("move nr=1 first=0x1000001000"));
	/* Now it waits for more: Ctrl-C ends that, and says what was done. */
	kill(pid, SIGINT);
	finish(pid);
	CHECK_INT(run.status, 130);
	CHECK_INT(json_number("outcomes.moved"), 1);
	close(fds[0]);
	close(fds[1]);
}

static void is_quiet_about_a_closed_pipe(void)
{
	int fds[2];
	pid_t pid;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	pid = start(-1, fds[1], ARGS("where", "--list", "0x0+64G"));
	finish(pid);
	CHECK_INT(run.status, 0);
	CHECK_STR(run.err, "");
	CHECK(count(run.log, "query") < 10);	/* and it stops asking */
	/* A move goes on to its end: only the summary is lost. */
	pid = start(-1, fds[1], ARGS("move", "--to", "0", "0x1000000000+64M"));
	finish(pid);
	CHECK_INT(run.status, 0);
	CHECK_STR(run.err, "");
	CHECK_INT(count(run.log, "move "), 4);
	close(fds[1]);

	fds[1] = open("/dev/full", O_WRONLY | O_CLOEXEC);
	pid = start(-1, fds[1], ARGS("where", "--list", "0x0+64G"));
	finish(pid);
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "standard output: No space left");
	CHECK_INT(count(run.err, "\n"), 1);
	close(fds[1]);
}

/* The whole of it, which may be longer than what run.out keeps. */
static void make_output_input(void)
{
	char *in = IN_TREE("in");

	CHECK_INT(rename(IN_TREE("out"), in), 0);
}

static void tells_where(void)
{
	RUN("where", "--list", "0x1000001234", "0x20000000000", "0x5000+8k");
	CHECK_INT(run.status, 0);
	CHECK_INT(strncmp(run.out, "0x1000001000 # node=1 kind=", 27), 0);
	CHECK_HAS(run.out, "\n0x20000000000 # error=ENOENT kind=");
	CHECK_HAS(run.out, "\n0x5000 # node=0 kind=");
	CHECK_HAS(run.out, "\n0x6000 # node=0 kind=");
	CHECK_INT(count(run.out, "\n"), 4);
	CHECK(!strstr(run.log, "move "));
	RUN("where", "0x1000001000", "0x20000000000", "0x5000+8k");
	CHECK_HAS(run.out, "pages               node 0        node 1           all\n");
	CHECK_HAS(run.out, "\nall                      2             1             3\n");
	CHECK_HAS(run.out, "8.0 KiB       4.0 KiB      12.0 KiB\n");
	CHECK_HAS(run.out, "1  ENOENT");
	RUN("where", "--json", "0x1000001000", "0x20000000000", "0x5000+8k");
	CHECK_INT(json_number("nodes.0"), 2);
	CHECK_INT(json_number("nodes.1"), 1);
	CHECK_INT(json_number("errors.ENOENT"), 1);
	RUN("where", "--list", "--json", "0x1000001000");
	CHECK_INT(strncmp(run.out, "{\"address\":\"0x1000001000\",\"node\":1,\"kind\":\"", 43), 0);
	/* What it lists is input again. */
	RUN("where", "--list", "0x1000001234", "0x5000+8k");
	make_output_input();
	RUN("move", "--to", "0", "--json", "-");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.moved"), 1);
	CHECK_INT(json_number("outcomes.already"), 2);
	RUN("where", "--strict", "0x20000000000");
	CHECK_INT(run.status, 1);
}

/* 20 TiB are long, asked for page by page: what is no memory is not asked for. */
static void passes_holes(void)
{
	const long long all = (20LL << 40) / 4096;
	unsigned long long addr, size, end = 0;
	char range[64];

	RUN("where", "--json", "0x500000000000+20T", "0x5000");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("pages"), all + 1);
	CHECK_INT(json_number("errors.ENXIO"), all);
	CHECK_INT(json_number("nodes.0"), 1);
	CHECK_HAS(run.log, "query nr=1 first=0x5000 ");
	RUN("move", "--to", "0", "--json", "0x500000000000+20T");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("errors.ENXIO"), all);
	CHECK_STR(run.log, "");
	/* The end of memory is. */
	RUN("zones");
	for (char *line = strtok(run.out, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "%llx+%llu", &addr, &size) == 2 && addr + size > end)
			end = addr + size;
	snprintf(range, sizeof(range), "0x%llx+20T", end - (1 << 20));
	RUN("where", "--json", range);
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("pages"), all);
	CHECK(json_number("errors.ENXIO") > all / 2 && json_number("errors.ENXIO") <= all - 256);
	snprintf(range, sizeof(range), "first=0x%llx ", end - (1 << 20));
	CHECK_HAS(run.log, range);
	/* So is what is small. */
	RUN("where", "--json", "0x500000000000+512M");
	CHECK_INT(json_number("errors.ENXIO"), -1);
	CHECK_HAS(run.log, "query ");
}

static void prints_a_pagemap(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	RUN("pagemap", "--pid", pid);
	if (run.status == 2 && strstr(run.err, "CAP_SYS_ADMIN")) {
		CHECK_INT(count(run.err, "\n"), 1);
		tap_skip("frame numbers are hidden from this user");
		return;
	}
	CHECK_INT(run.status, 0);
	CHECK_INT(strncmp(run.out, "0x", 2), 0);
	/* What it prints is input of the others. */
	make_output_input();
	RUN("where", "--json", "-");
	CHECK_INT(run.status, 0);
	CHECK(json_number("pages") > 10);
	RUN("pagemap", "--pid", pid, "--va");
	CHECK_HAS(run.out, " # va=0x");
	make_output_input();
	RUN("where", "-");
	CHECK_INT(run.status, 0);
	RUN("pagemap", "--pid", pid, "--summary", "--json");
	CHECK_INT(run.status, 0);
	CHECK(json_number("nodes.0") > 0 || numa_max_node() > 0);
	RUN("pagemap", "--pid", pid, "--range", "0x1000+4k");
	CHECK_INT(run.status, 0);
	CHECK_STR(run.out, "");
}

/* However many processes of a set are gone, that is one line. */
static void skips_processes_in_one_line(void)
{
	char pids[128];
	pid_t gone[2];

	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		fflush(stdout);
		gone[i] = fork();
		if (!gone[i])
			_exit(0);
		waitpid(gone[i], NULL, 0);
	}
	snprintf(pids, sizeof(pids), "%d,%d,%d", (int)getpid(), (int)gone[0], (int)gone[1]);
	RUN("pagemap", "--pid", pids);
	if (run.status == 2 && strstr(run.err, "CAP_SYS_ADMIN")) {
		tap_skip("frame numbers are hidden from this user");
		return;
	}
	CHECK_INT(run.status, 0);
	CHECK_INT(count(run.err, "\n"), 1);
	CHECK_HAS(run.err, "warning: 2 processes skipped: 2 gone, 0 that may not be looked into; ");
	CHECK_HAS(run.err, "the first: process ");
	snprintf(pids, sizeof(pids), "%d,%d", (int)getpid(), (int)gone[0]);
	RUN("pagemap", "--summary", "--pid", pids);
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.err, " is gone\n");
	CHECK_INT(count(run.err, "\n"), 1);
}

static void prints_zones(void)
{
	RUN("zones");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, " # zone=node");
	make_output_input();
	RUN("zones", "--within", "0x100000+64k", "--json");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "\"source\":\"zoneinfo\"");
	RUN("zones", "--summary");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "spanned");
	RUN("zones", "--summary", "--json");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "\"managed_bytes\"");
	/* Relative to the cpuset, which is all there is here. */
	RUN("zones", "--node", "+0");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, " # zone=node");
}

/* Where this kernel has it, it is tested in the virtual machine. */
static void explains_missing_idle_tracking(void)
{
	if (!access("/sys/kernel/mm/page_idle/bitmap", F_OK)) {
		tap_skip("this kernel has idle page tracking");
		return;
	}
	RUN("idle");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "CONFIG_IDLE_PAGE_TRACKING");
	CHECK_INT(count(run.err, "\n"), 1);
	CHECK_STR(run.out, "");
}

/* The door without help: this very process's page is found, and is where it is. */
static void finds_pages_without_help(void)
{
	char pid[16], line[64];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	RUN("pagemap", "--pid", pid, "--kind", "anon", "--mapped", "1");
	if (run.status == 2 && strstr(run.err, "CAP_SYS_ADMIN")) {
		tap_skip("frame numbers are hidden from this user");
		return;
	}
	CHECK_INT(sscanf(run.out, "%60[^+]", line), 1);
	RUN("where", "--door", "revmap", "--json", line);
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("pages"), 1);
	CHECK_STR(run.log, "");	/* the device was not asked */
	RUN("move", "--door", "revmap", "--to", "0", "--json", line, "0x7ffffffff000");
	CHECK_STR(run.log, "");
	CHECK_INT(json_number("errors.ENXIO"), 1);
	if (numa_max_node() == 0)
		CHECK_INT(json_number("outcomes.already"), 1);
}

/* The command with its standard files as a shell line has them. */
static void run_line(const char *redirections, const char *const *args)
{
	char script[256];
	const char *argv[ARGS_MAX];
	int nr = 0;

	snprintf(script, sizeof(script), "LD_PRELOAD=$FAKE_DEVICE exec timeout 20 $MOVEPHYS \"$@\" %s",
		 redirections);
	argv[nr++] = "-c";
	argv[nr++] = script;
	argv[nr++] = "sh";
	while (*args)
		argv[nr++] = *args++;
	argv[nr] = NULL;
	finish(start_program("/bin/sh", -1, -1, argv));
}

#define LINE(redirections, ...)	run_line(redirections, ARGS(__VA_ARGS__))

/* What cannot be written is a failure, whichever write it was; closed files are closed. */
static void tells_of_bad_files(void)
{
	char list[1024];

	tree_write("list", "0x1000001000\n0x1000002000\n");
	snprintf(list, sizeof(list), "%s", tree_path("list"));
	LINE(">/dev/full", "rank", list);
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "standard output: ");
	LINE(">/dev/full", "zones");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "standard output: No space left on device");
	LINE("<&-", "move", "--to", "0", "-");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "<stdin>: Bad file descriptor");
	CHECK_STR(run.log, "");
	LINE(">&-", "zones");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "standard output: Bad file descriptor");
}

RUN_MAIN(
	{ "help and version", helps },
	{ "bad arguments are named, and nothing moves", names_bad_arguments },
	{ "one line when there is no way into the kernel", tells_one_line_without_a_door },
	{ "move: outcomes", moves },
	{ "move: exit status by outcome", has_exit_statuses },
	{ "move: options become flags", passes_flags },
	{ "move: arguments, files and standard input together", reads_streams },
	{ "move: bad lines", passes_bad_lines },
	{ "move: a last line that is cut", passes_a_line_that_is_cut },
	{ "move --from", keeps_to_from },
	{ "move --retry", retries },
	{ "move: batches end between huge pages", keeps_huge_pages_whole },
	{ "move --max", keeps_to_max },
	{ "move --rate", keeps_to_the_rate },
	{ "move: progress on a terminal", shows_progress },
	{ "move: the time left", shows_the_time_left },
	{ "move: Ctrl-C, and other signals", stops_on_interrupt },
	{ "move: a call that fails half way", reports_a_failed_call },
	{ "move: input that is slow, Ctrl-C while waiting", acts_while_input_is_open },
	{ "closed pipes and full disks", is_quiet_about_a_closed_pipe },
	{ "where", tells_where },
	{ "where and move: holes of terabytes", passes_holes },
	{ "pagemap", prints_a_pagemap },
	{ "pagemap: processes that are gone", skips_processes_in_one_line },
	{ "zones", prints_zones },
	{ "idle", explains_missing_idle_tracking },
	{ "the revmap door", finds_pages_without_help },
	{ "files that cannot be written, and closed ones", tells_of_bad_files },
)
