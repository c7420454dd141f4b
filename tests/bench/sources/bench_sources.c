// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-sources [ROUNDS [MIB]]: how fast the sources in /proc are, each beside a bare
 * read loop over the same part of the same file in the same run, and how many
 * lines of text a second go each way.  As root, on a quiet machine.  MIB is how much
 * memory to look for in pagemap, 2048 unless told; with it, text is left out.
 *
 * Rounds take turns, bare loop and source, and the median counts: so a machine
 * that is slower for a while is so for both.
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
#define REGION_BYTES	(region_bytes)
#define BARE_ENTRIES	32768		/* 256 KiB a read, what suits these files best */
#define NR_RECORDS	1024
#define NR_LINES	UINT64_C(20000000)
#define MANY_LINES	UINT64_C(100000000)
#define ROUNDS_MAX	25

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

struct subject {
	const char *name;
	uint64_t nr_entries;	/* read by either */
	void (*bare)(void);
	struct mpp_source *(*open)(void);
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
	printf("%-22s %10.1f %10.1f %8.2f   %llu records\n", subject->name,
	       (double)subject->nr_entries / median(bare, rounds) / 1e6,
	       (double)subject->nr_entries / median(source, rounds) / 1e6,
	       median(ratio, rounds), (unsigned long long)nr_records);
}

/* ---- pagemap: of this very process ---- */

static unsigned char *region;

static void pagemap_bare(void)
{
	read_bare("/proc/self/pagemap", (uintptr_t)region / PAGE_BYTES,
		  REGION_BYTES / PAGE_BYTES);
}

static struct mpp_source *pagemap_open(void)
{
	const struct mpp_pagemap_options options = {
		.size = sizeof(options),
		.pid = getpid(),
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
	printf("write %-19s %8.1f million lines/s\n", what,
	       (double)NR_LINES / (now() - start) / 1e6);
	fclose(null);
	write_lines(file, NR_LINES, with_columns);
	fflush(file);
	lseek(fd, 0, SEEK_SET);
	must(!mpp_text_open_fd(fd, "lines", 0, &src), "text");
	start = now();
	must(drain(src) == NR_LINES, "lines got lost");
	printf("read  %-19s %8.1f million lines/s\n", what,
	       (double)NR_LINES / (now() - start) / 1e6);
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
	waitpid(pid, &status, 0);
	must(!status, "the reader of many lines");
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("100 million lines through a pipe: %.1f s, reader %.1f MiB resident\n",
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec),
	       (double)usage.ru_maxrss / 1024);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 9;
	struct mpp_source *src = zones_open();
	struct subject subjects[] = {
		{ "pagemap", REGION_BYTES / PAGE_BYTES, pagemap_bare, pagemap_open },
		{ "kpageflags", 0, flags_bare, kinds_open },
		{ "kpageflags, kpagecgroup", 0, cgroup_bare, cgroup_open },
		{ "kpagecount", 0, count_bare, count_open },
		{ "page_idle", 0, idle_bare, idle_open },
	};

	if (rounds < 1 || rounds > ROUNDS_MAX)
		rounds = 9;
	setvbuf(stdout, NULL, _IOLBF, 0);
	nr_ranges = mpp_source_read(src, sizeof(ranges) / sizeof(ranges[0]), ranges);
	must(nr_ranges > 0, "zones");
	mpp_source_unref(src);
	if (argc > 2)
		region_bytes = (uint64_t)atoi(argv[2]) << 20;
	/* Before this process grows: the reader is a fork of it. */
	if (argc <= 2)
		bench_many();
	region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	must(region != MAP_FAILED, "memory");
	madvise(region, REGION_BYTES, MADV_NOHUGEPAGE);
	for (uint64_t at = 0; at < REGION_BYTES; at += PAGE_BYTES)
		region[at] = 1;
	printf("million entries/s      bare loop     source    ratio   (median of %d)\n", rounds);
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		if (subjects[i].open == idle_open && access(BITMAP, F_OK)) {
			printf("%-22s this kernel has none\n", subjects[i].name);
			continue;
		}
		if (!subjects[i].nr_entries)
			subjects[i].nr_entries = nr_frames();
		compare_subject(&subjects[i], rounds);
	}
	if (argc <= 2) {
		bench_text(false);
		bench_text(true);
	}
	return 0;
}
