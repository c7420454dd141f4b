// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-lines [MILLIONS]: text through the built command, MOVEPHYS in the environment.
 *
 * How many lines a second `movephys rank` takes, beside a program that reads the same
 * lines and does nothing with them, in turns.  Then a list of 100 million lines, or as
 * many as told, through a pipe into `rank` and into `move` (with FAKE_DEVICE for a door):
 * fails unless the answer, the exit status and what was complained about are right,
 * and the command stayed below 64 MiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <movephys.h>

#define PAGE_BYTES	4096
#define NR_LINES	UINT64_C(10000000)	/* where speed is asked */
#define ROUNDS		5
#define NR_HOT		1024			/* pages named again and again */
/* KiB; the sanitizers' own memory comes on top. */
#ifdef __SANITIZE_ADDRESS__
#define RESIDENT_MAX	(96l << 10)
#else
#define RESIDENT_MAX	(64l << 10)
#endif
#define OUT_MAX		8192

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench-lines: %s: %s\n", what, strerror(errno));
		exit(EXIT_FAILURE);
	}
}

/* What a process came to. */
struct outcome {
	int status;
	double cpu_s;
	long resident_kib;
	char out[OUT_MAX], err[OUT_MAX];	/* the first of it */
};

static void read_back(int fd, char *text)
{
	ssize_t len = pread(fd, text, OUT_MAX - 1, 0);

	must(len >= 0, "reading back");
	text[len] = '\0';
	close(fd);
}

/* Runs the command on @in, which is closed. */
static struct outcome run(int in, const char *const *args)
{
	int out = memfd_create("out", 0), err = memfd_create("err", 0), wstatus;
	struct outcome outcome;
	struct rusage usage;
	pid_t pid = fork();

	must(out >= 0 && err >= 0 && pid >= 0, "starting the command");
	if (!pid) {
		dup2(in, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		for (int fd = 3; fd < 32; fd++)
			close(fd);
		if (getenv("FAKE_DEVICE"))
			setenv("LD_PRELOAD", getenv("FAKE_DEVICE"), 1);
		execv(getenv("MOVEPHYS"), (char **)(uintptr_t)args);
		_exit(127);
	}
	close(in);
	must(wait4(pid, &wstatus, 0, &usage) == pid, "the command");
	outcome.status = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus);
	outcome.cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	outcome.resident_kib = usage.ru_maxrss;
	read_back(out, outcome.out);
	read_back(err, outcome.err);
	return outcome;
}

/* ---- Lines a second ---- */

enum form { PAGES, FEW_PAGES, COLUMNS, NR_FORMS };

static const char *const form_names[] = {
	[PAGES] = "address, 16 million pages",
	[FEW_PAGES] = "address, 64 thousand pages",
	[COLUMNS] = "address weight time, 16 million pages",
};

static int write_lines(enum form form)
{
	const uint64_t mask = form == FEW_PAGES ? 0xffff : 0xffffff;
	int fd = memfd_create("lines", MFD_CLOEXEC);
	FILE *file = fdopen(dup(fd), "w");
	char line[MPP_RECORD_TEXT_MAX];

	must(file, "memfd");
	for (uint64_t i = 0; i < NR_LINES; i++) {
		const struct mpp_record record = {
			.addr = 0x100000000 + (i * 0x9e3779b9 & mask) * PAGE_BYTES,
			.size_bytes = 1,
			.weight = form == COLUMNS ? (double)(i & 1023) + 0.25 : 1,
			.time_ns = form == COLUMNS ? UINT64_C(1234000000000) + i : 0,
		};

		fwrite_unlocked(line, 1, mpp_record_format(&record, line), file);
	}
	must(!fclose(file), "memfd");
	return fd;
}

static int from_start(int fd)
{
	must(lseek(fd, 0, SEEK_SET) == 0, "memfd");
	return dup(fd);
}

static double read_alone(int fd)
{
	static struct mpp_record records[512];
	struct timespec from, to;
	struct mpp_source *src;
	uint64_t sum = 0;
	int nr;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	must(!mpp_text_open_fd(fd, "lines", 0, &src), "text");
	while ((nr = mpp_source_read(src, 512, records)) > 0)
		sum += (uint64_t)nr;
	mpp_source_unref(src);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	must(sum == NR_LINES, "lines got lost");
	close(fd);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static void bench_form(enum form form)
{
	const char *const args[] = { "movephys", "rank", "--top", "16M", NULL };
	double alone[ROUNDS], rank[ROUNDS], ratio[ROUNDS];
	int fd = write_lines(form);

	for (int i = 0; i < ROUNDS; i++) {
		struct outcome o;

		alone[i] = read_alone(from_start(fd));
		o = run(from_start(fd), args);
		must(!o.status && !strncmp(o.out, "0x1", 3), "rank");
		rank[i] = o.cpu_s;
		ratio[i] = alone[i] / rank[i];
	}
	printf("# %-40s %6.1f %6.1f %6.2f\n", form_names[form],
	       (double)NR_LINES / median(alone) / 1e6, (double)NR_LINES / median(rank) / 1e6,
	       median(ratio));
	close(fd);
}

/* ---- A list that is long ---- */

/* Each fourth line names one of the hot pages, the others each a page of its own. */
static void feed(int fd, uint64_t nr_lines, uint64_t bad_line)
{
	FILE *file = fdopen(fd, "w");
	char line[MPP_RECORD_TEXT_MAX];

	for (uint64_t i = 0; i < nr_lines; i++) {
		const struct mpp_record record = {
			.addr = i % 4 ? 0x1000000000 + i * PAGE_BYTES :
				0x100000 + i / 4 % NR_HOT * PAGE_BYTES,
			.size_bytes = 1,
			.weight = 1,
		};

		if (i + 1 == bad_line)
			fputs("rubbish\n", file);
		else
			fwrite_unlocked(line, 1, mpp_record_format(&record, line), file);
	}
	fclose(file);
}

static struct outcome run_fed(uint64_t nr_lines, uint64_t bad_line, const char *const *args)
{
	struct outcome outcome;
	int fds[2];
	pid_t pid;

	must(!pipe2(fds, O_CLOEXEC), "pipe");
	fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		close(fds[0]);
		feed(fds[1], nr_lines, bad_line);
		_exit(0);
	}
	close(fds[1]);
	outcome = run(fds[0], args);
	waitpid(pid, NULL, 0);
	printf("# %s: %.0f million lines through a pipe: %.1f s, %.1f million lines/s, "
	       "%.1f MiB resident\n", args[1], (double)nr_lines / 1e6, outcome.cpu_s,
	       (double)nr_lines / outcome.cpu_s / 1e6, (double)outcome.resident_kib / 1024);
	return outcome;
}

static bool check(bool ok, const char *what, const struct outcome *o)
{
	if (!ok)
		fprintf(stderr, "%s; status %d\n%.2000s%.2000s\n", what, o->status, o->err, o->out);
	return ok;
}

static bool rank_many(uint64_t nr_lines)
{
	const char *const args[] = { "movephys", "rank", "--top", "4M", NULL };
	const uint64_t bad_line = nr_lines / 2 + 2;
	struct outcome o = run_fed(nr_lines, bad_line, args);
	char named[64];
	bool ok = true;

	snprintf(named, sizeof(named), "<stdin>:%llu: \"rubbish\": ",
		 (unsigned long long)bad_line);
	ok &= check(o.status == 2, "a bad line is not in the exit status", &o);
	ok &= check(strstr(o.err, named), "the bad line's number", &o);
	ok &= check(strstr(o.err, "warning: more pages than fit"), "the warning", &o);
	/* The hot pages lie side by side, and nothing else is as hot. */
	ok &= check(!strncmp(o.out, "0x100000+4194304 ", 17) &&
		    strchr(o.out, '\n') == strrchr(o.out, '\n'), "the hot pages", &o);
	return check(o.resident_kib < RESIDENT_MAX, "64 MiB", &o) && ok;
}

static bool move_many(uint64_t nr_lines)
{
	const char *const args[] = { "movephys", "move", "--to", "0", "--json", "-", NULL };
	struct outcome o = run_fed(nr_lines, 0, args);
	bool ok = true;
	char pages[64];

	snprintf(pages, sizeof(pages), "\"pages\": %llu,", (unsigned long long)nr_lines);
	ok &= check(o.status == 0, "the exit status", &o);
	ok &= check(strstr(o.out, pages), "the number of pages", &o);
	ok &= check(strstr(o.out, "\"bad_lines\": 0"), "bad lines", &o);
	ok &= check(!*o.err, "a complaint, or progress without a terminal", &o);
	return check(o.resident_kib < RESIDENT_MAX, "64 MiB", &o) && ok;
}

int main(int argc, char **argv)
{
	const uint64_t nr_lines = (argc > 1 ? strtoull(argv[1], NULL, 10) : 100) * 1000000;
	bool ok;

	if (!getenv("MOVEPHYS") || nr_lines < 4 * NR_HOT) {
		fputs("usage: MOVEPHYS=.../movephys bench-lines [MILLIONS]\n", stderr);
		return EXIT_FAILURE;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 1) {
		printf("# million lines/s of CPU                    alone   rank  ratio\n");
		for (enum form form = 0; form < NR_FORMS; form++)
			bench_form(form);
	}
	printf("1..2\n");
	ok = rank_many(nr_lines);
	printf("%s 1 - rank: a list of many lines\n", ok ? "ok" : "not ok");
	if (!getenv("FAKE_DEVICE")) {
		printf("ok 2 - move: a list of many lines # SKIP FAKE_DEVICE is not set\n");
	} else if (!move_many(nr_lines)) {
		printf("not ok 2 - move: a list of many lines\n");
		ok = false;
	} else {
		printf("ok 2 - move: a list of many lines\n");
	}
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
