// SPDX-License-Identifier: GPL-2.0-only
/*
 * The examples of the manual pages of the library and of the record format, as they stand
 * there: meson takes them out of the pages.  Those of move_phys_pages(2) are compiled and run in
 * the guest (t_example.c), those of the commands there too (s_examples.c).
 */
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <movephys.h>

#include "tap.h"

static char printed[4096];
static struct mpp_record seen[64];
static size_t nr_seen;

/* What the examples print is not for our reader. */
__attribute__((format(printf, 1, 2)))
static void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(printed, sizeof(printed), fmt, args);
	va_end(args);
}

/* What the pages leave to the reader. */
static void take(const struct mpp_record *records, int nr)
{
	for (int i = 0; i < nr && nr_seen < ARRAY_LEN(seen); i++)
		seen[nr_seen++] = records[i];
}

#define act_on(records, nr)	take(records, nr)
#define consume(records, nr)	take(records, nr)
#define printf(...)		print(__VA_ARGS__)
#define fprintf(file, ...)	print(__VA_ARGS__)

static int open_example(void)
{
#include "man_mpp_open.h"
	return err;
}

static int perf_example(void)
{
#include "man_mpp_perf_open.h"
	return 0;
}

static void rank_example(struct mpp_source *src)
{
	struct mpp_record records[512];
	struct mpp_rank *rank;
	int nr;

#include "man_mpp_rank_open.h"
}

#undef printf
#undef fprintf

/* The stand-in for the device says that the page is on node 0 already. */
static void runs_open(void)
{
	CHECK_INT(open_example(), 0);
	CHECK(!strncmp(printed, "ok: ", 4));
}

static void runs_perf(void)
{
	printed[0] = '\0';
	/* 1: this machine cannot, and says why. */
	if (perf_example())
		CHECK(strlen(printed) > 10);
	else
		CHECK_STR(printed, "");
}

static void runs_rank(void)
{
	static const char lines[] = "0x3000 1\n0x1000 5\n0x2000 5\n";
	struct mpp_source *src;
	int fds[2];

	CHECK_INT(pipe(fds), 0);
	CHECK_INT(write(fds[1], lines, strlen(lines)), (int)strlen(lines));
	close(fds[1]);
	CHECK_INT(mpp_text_open_fd(fds[0], "lines", 0, &src), 0);
	nr_seen = 0;
	rank_example(src);
	mpp_source_unref(src);
	close(fds[0]);
	/* One run of neighbours. */
	CHECK_INT(nr_seen, 1);
	CHECK_INT(seen[0].addr, 0x1000);
	CHECK_INT(seen[0].size_bytes, 3 * 4096);
}

/* Writes the examples of a page that holds records, without its roff. */
static void write_records(const char *path, int fd)
{
	FILE *page = fopen(path, "r"), *to = fdopen(fd, "w");
	bool inside = false;
	char line[1024];

	while (page && to && fgets(line, sizeof(line), page)) {
		if (!strncmp(line, ".SH ", 4))
			inside = !strcmp(line, ".SH EXAMPLES\n");
		for (const char *at = line; inside && *line != '.' && *at; at++)
			if (*at != '\\')
				fputc(*at, to);
	}
	if (page)
		fclose(page);
	if (to)
		fclose(to);
}

static void reads_records(void)
{
	struct mpp_record records[64];
	struct mpp_source *src;
	char path[1024];
	int fds[2];

	CHECK_INT(pipe(fds), 0);
	snprintf(path, sizeof(path), "%s/man5/movephys-records.5", getenv("MAN"));
	write_records(path, fds[1]);
	CHECK_INT(mpp_text_open_fd(fds[0], "movephys-records(5)", 0, &src), 0);
	CHECK_INT(mpp_source_read(src, 64, records), 5);
	CHECK_STR(mpp_source_error(src), "");
	CHECK_INT(records[0].addr, 0x13f400000);
	CHECK_INT(records[2].size_bytes, 8 << 20);
	CHECK(records[3].weight == 37 && records[3].time_ns == UINT64_C(1234500000000));
	CHECK(records[4].weight == 0.25);
	CHECK_INT(mpp_source_read(src, 64, records), 0);
	mpp_source_unref(src);
	close(fds[0]);
}

static bool has_examples(const char *path)
{
	char line[1024];
	FILE *file = fopen(path, "r");
	bool found = false;

	while (file && fgets(line, sizeof(line), file))
		found |= !strncmp(line, ".SH EXAMPLE", 11);
	if (file)
		fclose(file);
	return found;
}

/* A page of calls that gets examples is to be run by somebody. */
static void knows_each_page(void)
{
	static const char *const known[] = {
		"move_phys_pages.2", "mpp_open.3", "mpp_perf_open.3", "mpp_rank_open.3",
		"movephys-records.5",
	};
	char pattern[1024];
	size_t nr = 0;
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/man[235]/*", getenv("MAN"));
	CHECK_INT(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *name = strrchr(found.gl_pathv[i], '/') + 1;
		bool is_known = false;

		if (!has_examples(found.gl_pathv[i]))
			continue;
		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			is_known |= !strcmp(name, known[k]);
		nr += is_known;
		if (!is_known)
			tap_fail(__FILE__, __LINE__, "no test runs the examples of %s", name);
	}
	CHECK_INT(nr, ARRAY_LEN(known));
	globfree(&found);
}

TAP_MAIN(
	{ "mpp_open(3)", runs_open },
	{ "mpp_perf_open(3)", runs_perf },
	{ "mpp_rank_open(3)", runs_rank },
	{ "movephys-records(5)", reads_records },
	{ "each page with examples", knows_each_page },
)
