// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-sources [ROUNDS [MIB]]: how fast the sources in /proc are, each beside a bare
 * read loop over the same part of the same file in the same run, how much memory a
 * process takes to read all of one, and how many lines of text a second go each way.
 * As root.  MIB is how much memory to look for in pagemap, 2048 unless told; with it,
 * text is left out.
 *
 * Rounds take turns, bare loop and source, and the median of the ratios counts: so a
 * machine that is slower for a while is so for both.  Fails below what the sources are to reach:
 * 0.9 of the bare loop, 64 MiB, 5 million lines a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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
#define REGION_BYTES	(region_bytes)
#define BARE_ENTRIES	32768		/* 256 KiB a read, what suits these files best */
#define NR_RECORDS	1024
#define NR_LINES	UINT64_C(20000000)
#define MANY_LINES	UINT64_C(100000000)
#define ROUNDS_MAX	25
#define RATIO_MIN	0.9
#define RESIDENT_MAX	64.0		/* MiB */
#define LINES_MIN	5e6		/* a second */

static uint64_t region_bytes = UINT64_C(2) << 30;
static struct mpp_record records[NR_RECORDS];
static uint64_t entries[BARE_ENTRIES];

/* The processor's time, not the clock's: who else is at work is not to count. */
static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench-sources: %s: %s\n", what, strerror(errno));
		exit(EXIT_FAILURE);
	}
}

static int nr_passed, nr_failed, nr_skipped;

__attribute__((format(printf, 3, 4)))
static void verdict(bool ok, const char *name, const char *fmt, ...)
{
	va_list args;

	printf("%s sources/%s: ", ok ? "ok" : "not ok", name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	*(ok ? &nr_passed : &nr_failed) += 1;
}

static void skip(const char *name, const char *why)
{
	printf("skip sources/%s: %s\n", name, why);
	nr_skipped++;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double *values, int nr)
{
	qsort(values, (size_t)nr, sizeof(*values), compare);
	return values[nr / 2];
}

/* ---- A file with an entry per page ---- */

static uint64_t read_bare(const char *path, uint64_t first, uint64_t nr)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t sum = 0;

	must(fd >= 0, path);
	while (nr) {
		size_t some = nr < BARE_ENTRIES ? (size_t)nr : BARE_ENTRIES;
		ssize_t len = pread(fd, entries, some * 8, (off_t)(first * 8));

		if (len <= 0)
			break;
		sum += entries[0];
		first += (uint64_t)len / 8;
		nr -= (uint64_t)len / 8;
	}
	close(fd);
	return sum;
}

static uint64_t drain(struct mpp_source *src)
{
	uint64_t nr = 0;
	int got;

	while ((got = mpp_source_read(src, NR_RECORDS, records)) > 0)
		nr += (uint64_t)got;
	must(got == 0, mpp_source_error(src));
	mpp_source_unref(src);
	return nr;
}

/* A process that reads a source to its end, once it is told where the memory is. */
struct reader {
	pid_t pid;
	int fd;
};

struct subject {
	const char *name;
	uint64_t nr_entries;	/* read by either */
	void (*bare)(void);
	struct mpp_source *(*open)(void);
	struct reader reader;
};

static void compare_subject(const struct subject *subject, int rounds)
{
	double bare[ROUNDS_MAX], source[ROUNDS_MAX], ratio[ROUNDS_MAX], start;
	uint64_t nr_records = 0;

	for (int i = 0; i < rounds; i++) {
		start = now();
		subject->bare();
		bare[i] = now() - start;
		start = now();
		nr_records = drain(subject->open());
		source[i] = now() - start;
		ratio[i] = bare[i] / source[i];
	}
	verdict(median(ratio, rounds) >= RATIO_MIN, subject->name,
		"%.2f of a bare loop; %.1f and %.1f million entries/s, %llu records, "
		"median of %d", median(ratio, rounds),
		(double)subject->nr_entries / median(source, rounds) / 1e6,
		(double)subject->nr_entries / median(bare, rounds) / 1e6,
		(unsigned long long)nr_records, rounds);
}

/* ---- What a reader takes: a process of its own, as this one will have grown ---- */

static unsigned char *region;

static struct reader start_reader(struct mpp_source *(*open_source)(void))
{
	struct reader reader;
	int fds[2];

	must(!pipe2(fds, O_CLOEXEC), "pipe");
	reader.pid = fork();
	reader.fd = fds[1];
	must(reader.pid >= 0, "fork");
	if (!reader.pid) {
		must(read(fds[0], &region, sizeof(region)) == sizeof(region), "pipe");
		drain(open_source());
		_exit(0);
	}
	close(fds[0]);
	return reader;
}

static void end_reader(const struct subject *subject)
{
	struct rusage usage;
	char name[64];
	int status;

	must(write(subject->reader.fd, &region, sizeof(region)) == sizeof(region), "pipe");
	close(subject->reader.fd);
	must(wait4(subject->reader.pid, &status, 0, &usage) > 0 && !status, subject->name);
	snprintf(name, sizeof(name), "%s, resident", subject->name);
	verdict((double)usage.ru_maxrss / 1024 < RESIDENT_MAX, name, "%.1f MiB",
		(double)usage.ru_maxrss / 1024);
}

/* ---- pagemap: of this very process ---- */

static pid_t own_pid;

static void pagemap_bare(void)
{
	read_bare("/proc/self/pagemap", (uintptr_t)region / PAGE_BYTES,
		  REGION_BYTES / PAGE_BYTES);
}

static struct mpp_source *pagemap_open(void)
{
	const struct mpp_pagemap_options options = {
		.size = sizeof(options),
		.pid = own_pid,
		.va_start = (uintptr_t)region,
		.va_end = (uintptr_t)region + REGION_BYTES,
	};
	struct mpp_source *src;

	must(!mpp_pagemap_open(&options, &src), "pagemap");
	return src;
}

/* ---- The arrays with an entry per frame, through the filter ---- */

static struct mpp_record ranges[64];
static int nr_ranges;

static uint64_t nr_frames(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < nr_ranges; i++)
		sum += ranges[i].size_bytes / PAGE_BYTES;
	return sum;
}

static void frames_bare(const char *path)
{
	for (int i = 0; i < nr_ranges; i++)
		read_bare(path, ranges[i].addr / PAGE_BYTES, ranges[i].size_bytes / PAGE_BYTES);
}

static struct mpp_source *zones_open(void)
{
	const struct mpp_zoneinfo_options options = { .size = sizeof(options) };
	struct mpp_source *src;

	must(!mpp_zoneinfo_open(&options, &src), "zoneinfo");
	return src;
}

static struct mpp_source *filtered(struct mpp_filter_options options)
{
	struct mpp_source *src = zones_open();

	options.size = sizeof(options);
	must(!mpp_filter_open(src, &options, &src), "filter");
	return src;
}

static void flags_bare(void)
{
	frames_bare("/proc/kpageflags");
}

static struct mpp_source *kinds_open(void)
{
	return filtered((struct mpp_filter_options) { .kinds = 1 << MPP_KIND_ANON });
}

static void cgroup_bare(void)
{
	frames_bare("/proc/kpageflags");
	frames_bare("/proc/kpagecgroup");
}

static struct mpp_source *cgroup_open(void)
{
	return filtered((struct mpp_filter_options) { .cgroup_ino = 1 });
}

static void count_bare(void)
{
	frames_bare("/proc/kpagecount");
}

static struct mpp_source *count_open(void)
{
	return filtered((struct mpp_filter_options) {
		.flags = MPP_FILTER_MAPPED, .mapped_min = 2, .mapped_max = UINT64_MAX });
}

/* ---- Idle page tracking: two sweeps, and the flags of what the second one sees ---- */

#define BITMAP		"/sys/kernel/mm/page_idle/bitmap"
#define BITMAP_BYTES	4096	/* what sysfs takes at a time */

static void idle_bare(void)
{
	static unsigned char ones[BITMAP_BYTES], bits[BITMAP_BYTES];
	int fd = open(BITMAP, O_RDWR | O_CLOEXEC);

	must(fd >= 0, BITMAP);
	memset(ones, 0xff, sizeof(ones));
	for (int sweep = 0; sweep < 2; sweep++)
		for (int i = 0; i < nr_ranges; i++) {
			uint64_t at = ranges[i].addr / PAGE_BYTES / 64 * 8;
			uint64_t end = (ranges[i].addr + ranges[i].size_bytes) /
				       PAGE_BYTES / 64 * 8;

			while (at < end) {
				size_t len = end - at < BITMAP_BYTES ? (size_t)(end - at) :
					     BITMAP_BYTES;
				ssize_t done = sweep ? pread(fd, bits, len, (off_t)at) :
					       pwrite(fd, ones, len, (off_t)at);

				if (done <= 0)
					break;
				at += (uint64_t)done;
			}
		}
	close(fd);
	frames_bare("/proc/kpageflags");
}

static struct mpp_source *idle_open(void)
{
	const struct mpp_idle_options options = {
		.size = sizeof(options), .flags = MPP_IDLE_ACCESSED, .nr_rounds = 1,
	};
	struct mpp_source *src;

	must(!mpp_idle_open(&options, &src), "idle");
	return src;
}

/* ---- Text ---- */

static struct mpp_record line_record(uint64_t i, bool with_columns)
{
	return (struct mpp_record) {
		.addr = 0x100000000 + (i * 0x9e3779b9 & 0xffffff) * PAGE_BYTES,
		.size_bytes = PAGE_BYTES,
		.weight = with_columns ? (double)(i & 1023) + 0.25 : 1,
		.time_ns = with_columns ? UINT64_C(1234000000000) + i : 0,
	};
}

static void write_lines(FILE *file, uint64_t nr, bool with_columns)
{
	char line[MPP_RECORD_TEXT_MAX];

	for (uint64_t i = 0; i < nr; i++) {
		struct mpp_record record = line_record(i, with_columns);

		fwrite_unlocked(line, 1, mpp_record_format(&record, line), file);
	}
}

static void tell_lines(const char *way, const char *what, double start)
{
	double rate = (double)NR_LINES / (now() - start);
	char name[64];

	snprintf(name, sizeof(name), "%s %s", way, what);
	verdict(rate >= LINES_MIN, name, "%.1f million lines/s", rate / 1e6);
}

static void bench_text(bool with_columns)
{
	const char *what = with_columns ? "address weight time" : "address";
	FILE *null = fopen("/dev/null", "we");
	int fd = memfd_create("lines", MFD_CLOEXEC);
	FILE *file = fdopen(fd, "w+e");
	struct mpp_source *src;
	double start = now();

	must(null && file, "memfd");
	write_lines(null, NR_LINES, with_columns);
	tell_lines("write", what, start);
	fclose(null);
	write_lines(file, NR_LINES, with_columns);
	fflush(file);
	lseek(fd, 0, SEEK_SET);
	must(!mpp_text_open_fd(fd, "lines", 0, &src), "text");
	start = now();
	must(drain(src) == NR_LINES, "lines got lost");
	tell_lines("read", what, start);
	fclose(file);
}

/* A hundred million lines through a pipe: what the reader of them takes at most. */
static void bench_many(void)
{
	struct rusage usage;
	int fds[2], status;
	FILE *file;
	pid_t pid;

	must(!pipe2(fds, O_CLOEXEC), "pipe");
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		struct mpp_source *src;

		close(fds[1]);
		must(!mpp_text_open_fd(fds[0], "pipe", 0, &src), "text");
		_exit(drain(src) != MANY_LINES);
	}
	close(fds[0]);
	file = fdopen(fds[1], "we");
	must(file, "pipe");
	write_lines(file, MANY_LINES, true);
	fclose(file);
	must(wait4(pid, &status, 0, &usage) == pid && !status, "the reader of many lines");
	verdict((double)usage.ru_maxrss / 1024 < RESIDENT_MAX, "100 million lines",
		"through a pipe in %.1f s of CPU, %.1f MiB resident",
		(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec),
		(double)usage.ru_maxrss / 1024);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 9;
	struct subject subjects[] = {
		{ "pagemap", REGION_BYTES / PAGE_BYTES, pagemap_bare, pagemap_open, { 0 } },
		{ "kpageflags", 0, flags_bare, kinds_open, { 0 } },
		{ "kpageflags, kpagecgroup", 0, cgroup_bare, cgroup_open, { 0 } },
		{ "kpagecount", 0, count_bare, count_open, { 0 } },
		{ "page_idle", 0, idle_bare, idle_open, { 0 } },
	};
	size_t nr_subjects = sizeof(subjects) / sizeof(subjects[0]);
	struct mpp_source *src;

	if (geteuid()) {
		puts("skip sources: frame numbers are for root alone\n"
		     "0 passed, 0 failed, 1 skipped");
		return 77;
	}
	if (rounds < 1 || rounds > ROUNDS_MAX)
		rounds = 9;
	setvbuf(stdout, NULL, _IOLBF, 0);
	own_pid = getpid();
	src = zones_open();
	nr_ranges = mpp_source_read(src, sizeof(ranges) / sizeof(ranges[0]), ranges);
	must(nr_ranges > 0, "zones");
	mpp_source_unref(src);
	if (argc > 2) {
		region_bytes = (uint64_t)atoi(argv[2]) << 20;
		subjects[0].nr_entries = REGION_BYTES / PAGE_BYTES;
	}
	if (access(BITMAP, F_OK)) {
		skip("page_idle", "this kernel has no " BITMAP " (CONFIG_IDLE_PAGE_TRACKING)");
		nr_subjects--;
	}
	/* Before this process grows: readers are forks of it. */
	if (argc <= 2)
		bench_many();
	for (size_t i = 0; i < nr_subjects; i++)
		subjects[i].reader = start_reader(subjects[i].open);
	region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	must(region != MAP_FAILED, "memory");
	madvise(region, REGION_BYTES, MADV_NOHUGEPAGE);
	for (uint64_t at = 0; at < REGION_BYTES; at += PAGE_BYTES)
		region[at] = 1;
	for (size_t i = 0; i < nr_subjects; i++) {
		if (!subjects[i].nr_entries)
			subjects[i].nr_entries = nr_frames();
		compare_subject(&subjects[i], rounds);
		end_reader(&subjects[i]);
	}
	if (argc <= 2) {
		bench_text(false);
		bench_text(true);
	}
	printf("%d passed, %d failed, %d skipped\n", nr_passed, nr_failed, nr_skipped);
	return nr_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
