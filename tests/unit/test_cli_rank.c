// SPDX-License-Identifier: GPL-2.0-only
/* movephys sample and movephys rank, run as a person would. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

static const struct {
	const char *args[8];
	const char *named;	/* must be in the message */
} bad_arguments[] = {
	{ { "rank", "--top", "much" }, "--top much" },
	{ { "rank", "--top", "0" }, "--top 0" },
	{ { "rank", "--top", "1K" }, "--top is less than a page" },
	{ { "rank", "--top", "1M", "--page", "2M" }, "--top is less than a page" },
	{ { "rank", "--min", "-1" }, "--min -1" },
	{ { "rank", "--min", "1 2" }, "--min 1 2" },
	{ { "rank", "--min", "hot" }, "--min hot" },
	{ { "rank", "--min", "" }, "--min" },
	{ { "rank", "--window", "10" }, "--window 10" },
	{ { "rank", "--half-life", "0s" }, "--half-life 0s" },
	{ { "rank", "--page", "3K" }, "--page" },
	{ { "rank", "--page", "1K" }, "--page" },
	{ { "rank", "--memory", "1K" }, "--memory" },
	{ { "rank", "--bogus" }, "--bogus" },
	{ { "rank", "5" }, "\"5\": a bare number" },
	{ { "rank", "nofile" }, "\"nofile\"" },
	{ { "sample", "--rate", "0" }, "--rate 0" },
	{ { "sample", "--rate", "fast" }, "--rate fast" },
	{ { "sample", "--period", "0" }, "--period 0" },
	{ { "sample", "--rate", "1", "--period", "1" }, "--rate and --period" },
	{ { "sample", "--duration", "5" }, "--duration 5" },
	{ { "sample", "--pid", "x" }, "--pid x" },
	{ { "sample", "--event", "bogus" }, "bogus: not an event" },
	{ { "sample", "--event", "nopmu/a=1/" }, "no such PMU" },
	{ { "sample", "--event", "faults", "--cpu", "a" }, "not a list of CPUs" },
	{ { "sample", "--event", "faults", "--rate", "4000000000" }, "max_sample_rate" },
	{ { "sample", "--perf-script", "nofile" }, "--perf-script nofile" },
	{ { "sample", "--perf-script", "/" }, "--perf-script /: Is a directory" },
	{ { "sample", "--perf-script", "-", "--pid", "1" }, "--pid is for taking" },
	{ { "sample", "--kind", "odd" }, "--kind odd" },
	{ { "sample", "extra" }, "\"extra\"" },
};

static void names_bad_arguments(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_arguments); i++) {
		finish(start(-1, -1, bad_arguments[i].args));
		CHECK_INT(run.status, 2);
		CHECK_HAS(run.err, bad_arguments[i].named);
		CHECK_HAS(run.err, "movephys");
		CHECK_INT(count(run.err, "\n"), 1 + count(run.err, "\nTry: movephys"));
		CHECK_STR(run.out, "");
	}
}

static void ranks(void)
{
	tree_write("in", "0x1000 5\n0x3000 1\n# comment\n0x1008 2 3.5\n0x2000\n0x100000+16k 8\n");
	RUN("rank");
	CHECK_INT(run.status, 0);
	CHECK_STR(run.err, "");
	CHECK_STR(run.out, "0x1000+12288 9 3.500000000\n0x100000+16384 8 3.500000000\n");
	RUN("rank", "--top", "4K", "-");
	CHECK_STR(run.out, "0x1000+4096 7 3.500000000\n");
	RUN("rank", "--min", "1.5", "-");
	CHECK_STR(run.out, "0x1000+4096 7 3.500000000\n0x100000+16384 8 3.500000000\n");
	RUN("rank", "--cold", "--top", "8K");
	CHECK_STR(run.out, "0x2000+8192 2 3.500000000\n");
	RUN("rank", "--page", "2M", "--json");
	CHECK_STR(run.out, "{\"address\":\"0x0\",\"size\":2097152,\"weight\":17,"
		  "\"time_ns\":3500000000,\"source\":\"text\"}\n");
	RUN("rank", "--pfn", "--top", "4K", "0x10", "16", "17");
	CHECK_STR(run.out, "0x10000+4096 2\n");
	tree_write("in", "");
	RUN("rank");
	CHECK_INT(run.status, 0);
	CHECK_STR(run.out, "");
}

static void ranks_by_windows(void)
{
	tree_write("in", "0x1000 4 100\n0x2000 1 100.5\n0x2000 5 109.999999999\n0x1000 2 110\n"
		   "0x5000 3 111\n0x7000 1 135\n");
	RUN("rank", "--window", "10s", "--top", "4K");
	CHECK_INT(run.status, 0);
	CHECK_STR(run.out, "# the window from 100.000000000 s\n0x2000+4096 6 109.999999999\n"
		  "# the window from 110.000000000 s\n0x5000+4096 3 111.000000000\n"
		  "# the window from 130.000000000 s\n0x7000+4096 1 135.000000000\n");
	/* With a half-life counting goes on: 0x1000 is at 4/2 + 2, then a quarter of it. */
	RUN("rank", "--window", "10s", "--half-life", "10s", "--top", "4K", "--json");
	CHECK_INT(count(run.out, "\n"), 3);
	CHECK_HAS(run.out, "\"address\":\"0x2000\"");
	tree_write("in", "0x1000 4 100\n0x3000 3.9 110\n");
	RUN("rank", "--half-life", "10s");
	CHECK_STR(run.out, "0x3000+4096 3.9 110.000000000\n0x1000+4096 2 110.000000000\n");
	tree_write("in", "");
}

static void passes_bad_lines(void)
{
	tree_write("in", "0x1000\nrubbish\n0x1000 -1\n0x1000 1e250\n0x1000\n");
	RUN("rank");
	CHECK_INT(run.status, 2);
	CHECK_STR(run.out, "0x1000+4096 2\n");
	CHECK_HAS(run.err, "<stdin>:2: \"rubbish\"");
	CHECK_HAS(run.err, "<stdin>:3:");
	CHECK_HAS(run.err, "1e+250 cannot be counted");
	CHECK_INT(count(run.err, "\n"), 3);
	RUN("rank", "--strict");
	CHECK_INT(run.status, 2);
	CHECK_STR(run.out, "0x1000+4096\n");
	tree_write("in", "");
}

/* What is ranked is input of the others, and the summary is apart. */
static void goes_on_to_a_move(void)
{
	tree_write("in", "0x1000001000 5\n0x1000002000 1\n0x1000005000 9\n");
	RUN("rank", "--top", "8K");
	CHECK_INT(rename(IN_TREE("out"), IN_TREE("in")), 0);
	RUN("move", "--to", "0", "--json", "-");
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.moved"), 2);
	CHECK_HAS(run.log, "first=0x1000005000 last=0x1000001000");
	tree_write("in", "");
}

static void tells_what_was_seen_on_interrupt(void)
{
	int fds[2], unread = 1;
	pid_t pid;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	pid = start(fds[0], -1, ARGS("rank"));
	CHECK_INT(write(fds[1], "0x1000\n", 7), 7);
	for (int i = 0; i < 1000 && unread; i++) {
		poll(NULL, 0, 10);
		CHECK_INT(ioctl(fds[0], FIONREAD, &unread), 0);
	}
	/* It has begun to read, and may not have looked at what it read. */
	poll(NULL, 0, 200);
	kill(pid, SIGINT);
	finish(pid);
	CHECK_INT(run.status, 130);
	CHECK_STR(run.out, "0x1000+4096\n");
	close(fds[0]);
	close(fds[1]);
}

/* While it waits for a reader, too; that the output is cut off then is no failure. */
static void is_interrupted_while_it_prints(void)
{
	FILE *file = fopen(tree_path("many"), "w");
	char rest[4096];
	int fds[2];
	pid_t pid;

	for (unsigned long i = 0; file && i < 20000; i++)
		fprintf(file, "0x%lx\n", i * 8192);
	if (file)
		fclose(file);
	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	pid = start(-1, fds[1], ARGS("rank", IN_TREE("many")));
	close(fds[1]);
	/* Full: what is there does not grow any more. */
	for (int before = -1, now = 0; now == 0 || now != before;) {
		before = now;
		poll(NULL, 0, 300);
		CHECK_INT(ioctl(fds[0], FIONREAD, &now), 0);
	}
	kill(pid, SIGINT);
	poll(NULL, 0, 100);
	while (read(fds[0], rest, sizeof(rest)) > 0)
		;
	finish(pid);
	CHECK_INT(run.status, 130);
	CHECK_STR(run.err, "");
	close(fds[0]);
}

#ifndef __SANITIZE_ADDRESS__
/* Two million pages, each named once, and a hundred of them often. */
static void feed(int fd)
{
	FILE *file = fdopen(fd, "w");

	for (unsigned long i = 0; i < 2000000; i++) {
		fprintf(file, "0x%lx\n", (i + 1000) * 8192);
		if (i % 100 < 10)
			fprintf(file, "0x%lx 1\n", i % 100 * 8192);
	}
	fclose(file);
}
#endif

static void keeps_to_its_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
	tap_skip("the sanitizers' own memory is in the way");
#else
	struct rusage usage;
	int fds[2];
	pid_t feeder, pid;
	int status;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	pid = start(fds[0], -1, ARGS("rank", "--top", "40K", "--memory", "16M"));
	close(fds[0]);
	fflush(stdout);
	feeder = fork();
	if (!feeder) {
		feed(fds[1]);
		_exit(0);
	}
	close(fds[1]);
	wait4(pid, &status, 0, &usage);
	waitpid(feeder, NULL, 0);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	CHECK(usage.ru_maxrss < (16 + 8) * 1024);
	read_whole("out", run.out);
	read_whole("err", run.err);
	CHECK_INT(count(run.out, "\n"), 10);
	for (unsigned long i = 0; i < 10; i++) {
		char line[32];

		snprintf(line, sizeof(line), "0x%lx+4096 ", i * 8192);
		CHECK_HAS(run.out, line);
	}
	CHECK_HAS(run.err, "warning: ");
	CHECK_INT(count(run.err, "\n"), 1);
#endif
}

static void reads_perf_script(void)
{
	tree_write("in", "  redis 77 [001]  1.500000:    300 ibs_op//:   13f4a1040\n"
		   "  redis 77 [001]  1.500001:    300 ibs_op//:           0\n");
	RUN("sample", "--perf-script", "-");
	CHECK_INT(run.status, 0);
	CHECK_STR(run.out, "0x13f4a1040 300 1.500000000\n");
	CHECK_STR(run.err, "movephys sample: 1 samples; left out: 0 lost, "
		  "1 without a physical address\n");
	RUN("sample", "--perf-script", IN_TREE("in"), "--quiet", "--within", "0x0-0x1000");
	CHECK_INT(run.status, 0);
	CHECK_STR(run.out, "");
	CHECK_STR(run.err, "");
	tree_write("in", "rubbish\n 13f4a1040\n");
	RUN("sample", "--perf-script", "-", "--json");
	CHECK_INT(run.status, 2);
	CHECK_STR(run.out, "{\"address\":\"0x13f4a1040\",\"size\":1,\"weight\":1,"
		  "\"source\":\"perf\"}\n");
	CHECK_HAS(run.err, "<stdin>:1: \"rubbish\"");
	CHECK_HAS(run.err, "\"samples\":1,");
	tree_write("in", "");
}

/* First touches of a process of ours, from the kernel to a ranking. */
static void samples_a_process(void)
{
	const size_t nr_touched = 512;
	char pid_text[16];
	struct stat out;
	pid_t busy, pid;

	fflush(stdout);
	busy = fork();
	if (!busy) {
		for (;;) {
			char *memory = mmap(NULL, nr_touched * 4096, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			madvise(memory, nr_touched * 4096, MADV_NOHUGEPAGE);
			for (size_t i = 0; i < nr_touched; i++)
				memory[i * 4096] = 1;
			munmap(memory, nr_touched * 4096);
			poll(NULL, 0, 10);
		}
	}
	snprintf(pid_text, sizeof(pid_text), "%d", (int)busy);
	RUN("sample", "--event", "faults", "--period", "1", "--pid", pid_text, "--duration",
	    "300ms");
	if (run.status == 2 && count(run.err, "\n") == 1) {
		CHECK_HAS(run.err, "cannot sample");
		tap_skip("this user or machine cannot sample");
		goto end;
	}
	CHECK_INT(run.status, 0);
	CHECK(count(run.out, "\n") > nr_touched);
	CHECK_HAS(run.err, "movephys sample: minor-faults, ");
	CHECK_HAS(run.err, " samples; left out: 0 lost");
	CHECK_INT(count(run.err, "\n"), 1);
	CHECK_INT(rename(IN_TREE("out"), IN_TREE("in")), 0);
	RUN("rank", "--top", "64K");
	CHECK_INT(run.status, 0);
	CHECK_INT(strncmp(run.out, "0x", 2), 0);

	/* It ends with the process. */
	pid = start(-1, -1, ARGS("sample", "--event", "faults", "--pid", pid_text, "--quiet"));
	/* It is at work when it has printed something. */
	for (int i = 0; i < 100 && (i < 3 || stat(tree_path("out"), &out) || !out.st_size); i++)
		poll(NULL, 0, 100);
	kill(busy, SIGKILL);
	waitpid(busy, NULL, 0);
	finish(pid);
	CHECK_INT(run.status, 0);
	CHECK_STR(run.err, "");
	RUN("sample", "--event", "faults", "--pid", pid_text);
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, ": no such process");
	CHECK_HAS(run.err, pid_text);
	busy = 0;
end:
	if (busy > 0) {
		kill(busy, SIGKILL);
		waitpid(busy, NULL, 0);
	}
	tree_write("in", "");
}

/* ---- The manual's examples ---- */

#define LINE_MAX_BYTES	1024

/* Replaces each @from in @line, which has LINE_MAX_BYTES. */
static void replace(char *line, const char *from, const char *to)
{
	char copy[LINE_MAX_BYTES];

	for (char *at = strstr(line, from); at; at = strstr(at + strlen(to), from)) {
		snprintf(copy, sizeof(copy), "%s", at + strlen(from));
		snprintf(at, LINE_MAX_BYTES - (size_t)(at - line), "%s%s", to, copy);
	}
}

/* What is another machine's: its nodes, its processes, and the time that a reader has. */
static void make_local(char *line)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "--pid %d", (int)getpid());
	replace(line, "\\-", "-");
	replace(line, "--pid 1234", pid);
	replace(line, "--node 1", "--node 0");
	replace(line, "--from 1", "--from 0");
	replace(line, "--to 1", "--to 0");
	replace(line, "--duration 10s", "--duration 100ms");
	replace(line, "samples.txt", IN_TREE("samples.txt"));
}

static void write_script(const char *name, const char *text)
{
	tree_write(name, text);
	chmod(tree_path(name), 0755);
}

/* A shell that finds the built command, and something that prints as perf script does. */
static void run_shell(const char *line)
{
	char path[1024], text[2048];
	pid_t pid;
	int status;

	snprintf(text, sizeof(text), "#!/bin/sh\nexport LD_PRELOAD='%s'\nexec '%s' \"$@\"\n",
		 getenv("FAKE_DEVICE"), getenv("MOVEPHYS"));
	write_script("bin/movephys", text);
	write_script("bin/perf", "#!/bin/sh\necho '1.500000: 300 ibs_op//: 1000005040'\n");
	snprintf(path, sizeof(path), "%s:%s", tree_path("bin"), getenv("PATH"));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		int out = open(tree_path("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
		int err = open(tree_path("err"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		setenv("PATH", path, 1);
		/* Those that go on for ever go on for a second. */
		execlp("timeout", "timeout", "-s", "INT", "1", "sh", "-c", line, (char *)NULL);
		_exit(98);
	}
	waitpid(pid, &status, 0);
	run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	read_whole("out", run.out);
	read_whole("err", run.err);
}

static void run_example(const char *example)
{
	char line[LINE_MAX_BYTES];

	snprintf(line, sizeof(line), "%s", example);
	line[strcspn(line, "\n")] = '\0';
	make_local(line);
	run_shell(line);
	/* A machine may lack a PMU or idle page tracking, but no option may be unknown. */
	if (strstr(run.err, "Try:") || strstr(run.err, "not found") || run.status == 98)
		tap_fail(__FILE__, __LINE__, "%s: %s", line, run.err);
	if (run.status && run.status != 124 && !strstr(run.err, "cannot sample") &&
	    !strstr(run.err, "idle page tracking"))
		tap_fail(__FILE__, __LINE__, "%s: status %d: %s", line, run.status, run.err);
}

static void runs_examples_of(const char *page)
{
	char path[1024], line[LINE_MAX_BYTES];
	bool in_examples = false;
	size_t nr = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", getenv("MAN1") ? getenv("MAN1") : ".", page);
	file = fopen(path, "r");
	if (!file) {
		tap_fail(__FILE__, __LINE__, "%s is not there; MAN1 says where", path);
		return;
	}
	tree_write("samples.txt", "0x13f400000 5\n");
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, ".SH ", 4))
			in_examples = !strcmp(line, ".SH EXAMPLES\n");
		if (!in_examples || *line == '.')
			continue;
		run_example(line);
		nr++;
	}
	fclose(file);
	CHECK(nr >= 4);
}

static void runs_the_manuals_examples(void)
{
	runs_examples_of("movephys-rank.1");
	runs_examples_of("movephys-sample.1");
}

RUN_MAIN(
	{ "bad arguments are named", names_bad_arguments },
	{ "rank: top, minimum, cold, pages, JSON", ranks },
	{ "rank: windows and half-lives", ranks_by_windows },
	{ "rank: bad lines", passes_bad_lines },
	{ "rank: into a move", goes_on_to_a_move },
	{ "rank: Ctrl-C", tells_what_was_seen_on_interrupt },
	{ "rank: Ctrl-C while it prints", is_interrupted_while_it_prints },
	{ "rank: memory whatever the input", keeps_to_its_memory },
	{ "sample --perf-script", reads_perf_script },
	{ "sample a process until it ends", samples_a_process },
	{ "the examples of the manual", runs_the_manuals_examples },
)
