// SPDX-License-Identifier: GPL-2.0-only
/* The pagemap source on recorded files, and on this very process. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"
#include "tree.h"

#define PRESENT	(UINT64_C(1) << 63)
#define SWAPPED	(UINT64_C(1) << 62)
#define FILE_PAGE	(UINT64_C(1) << 61)
#define NR_MAX	64

static const char maps[] =
	"00010000-00014000 r-xp 00000000 08:01 42                         /usr/bin/thing\n"
	"00014000-00016000 rw-p 00004000 08:01 42                         /usr/bin/thing\n"
	"00400000-00600000 rw-p 00000000 00:00 0 \n"
	"00800000-00802000 rw-p 00000000 00:00 0                          [heap]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]\n";

static void set_entry(uint64_t va, uint64_t entry)
{
	tree_write_at("7/pagemap", va / 4096 * 8, &entry, sizeof(entry));
}

static void record_process(void)
{
	tree_write("7/maps", maps);
	unlink(tree_path("7/pagemap"));
	set_entry(0x00801000, 0);	/* the file's length */
	set_entry(0x00010000, PRESENT | FILE_PAGE | 0x100);
	set_entry(0x00011000, PRESENT | FILE_PAGE | 0x101);
	set_entry(0x00012000, 0);			/* not there: ends the run */
	set_entry(0x00013000, PRESENT | FILE_PAGE | 0x102);
	set_entry(0x00014000, PRESENT | 0x103);		/* joins across mappings */
	set_entry(0x00015000, PRESENT | 0x200);		/* not neighbouring */
	for (uint64_t i = 0; i < 512; i++)		/* a huge page */
		set_entry(0x00400000 + i * 4096, PRESENT | (0x80000 + i));
	set_entry(0x00800000, SWAPPED | 0x1234);	/* a swap entry is no address */
	set_entry(0x00801000, PRESENT | 0xfffffffffffff);	/* the highest frame */
}

static int open_7(unsigned int flags, uint64_t start, uint64_t end, struct mpp_source **src)
{
	const struct mpp_pagemap_options options = {
		.size = sizeof(options),
		.pid = 7,
		.flags = flags,
		.va_start = start,
		.va_end = end,
	};
	char root[512];

	snprintf(root, sizeof(root), "%s", tree_path("."));
	return mpp_pagemap_open_at(root, &options, src);
}

struct expected {
	uint64_t addr, size, va;
};

static void expect(struct mpp_source *src, size_t nr_step, const struct expected *want, size_t nr)
{
	struct mpp_record records[NR_MAX];
	size_t seen = 0;
	uint64_t va;
	int got;

	while ((got = mpp_source_read(src, nr_step, records)) > 0) {
		CHECK(got <= (int)nr_step);
		for (int i = 0; i < got && seen < nr; i++, seen++) {
			CHECK_INT(records[i].addr, want[seen].addr);
			CHECK_INT(records[i].size_bytes, want[seen].size);
			CHECK_INT(records[i].source, MPP_SOURCE_PAGEMAP);
			CHECK_INT(mpp_source_va(src, (size_t)i, &va), 0);
			CHECK_INT(va, want[seen].va);
		}
		CHECK_INT(mpp_source_va(src, (size_t)got, &va), -ERANGE);
	}
	CHECK_INT(got, 0);
	CHECK_INT(seen, nr);
	CHECK_INT(mpp_source_read(src, nr_step, records), 0);
}

static void merges(void)
{
	static const struct expected want[] = {
		{ 0x100000, 0x2000, 0x10000 },
		{ 0x102000, 0x2000, 0x13000 },
		{ 0x200000, 0x1000, 0x15000 },
		{ 0x80000000, 0x200000, 0x400000 },
		{ 0xfffffffffffff000, 0x1000, 0x801000 },
	};

	record_process();
	for (size_t step = 1; step <= 6; step++) {
		struct mpp_source *src;

		CHECK_INT(open_7(0, 0, 0, &src), 0);
		expect(src, step, want, ARRAY_LEN(want));
		mpp_source_unref(src);
	}
}

static void keeps_pages_apart(void)
{
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	int nr = 0, got;

	record_process();
	CHECK_INT(open_7(MPP_PAGEMAP_PER_PAGE, 0, 0, &src), 0);
	while ((got = mpp_source_read(src, 5, records)) > 0)
		for (int i = 0; i < got; i++, nr++)
			CHECK_INT(records[i].size_bytes, 4096);
	CHECK_INT(nr, 4 + 1 + 512 + 1);
	mpp_source_unref(src);
}

static void keeps_to_the_range(void)
{
	static const struct expected want[] = {
		{ 0x101000, 0x1000, 0x11000 },
		{ 0x102000, 0x1000, 0x13000 },
	};
	static const struct expected huge[] = { { 0x80001000, 0x2000, 0x401000 } };
	struct mpp_source *src;

	record_process();
	CHECK_INT(open_7(0, 0x11000, 0x14000, &src), 0);
	expect(src, 8, want, ARRAY_LEN(want));
	mpp_source_unref(src);
	/* Any byte of a page names it. */
	CHECK_INT(open_7(0, 0x401fff, 0x402001, &src), 0);
	expect(src, 8, huge, ARRAY_LEN(huge));
	mpp_source_unref(src);
	CHECK_INT(open_7(0, 0x700000, 0x800000, &src), 0);
	expect(src, 8, NULL, 0);
	mpp_source_unref(src);
}

static void tells_hidden_frames(void)
{
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;

	record_process();
	set_entry(0x00013000, PRESENT);
	CHECK_INT(open_7(0, 0, 0, &src), 0);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -EPERM);
	CHECK_HAS(mpp_source_error(src), "CAP_SYS_ADMIN");
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -EPERM);
	CHECK_HAS(mpp_source_error(src), "process 7");
	mpp_source_unref(src);
}

static void tells_a_vanished_process(void)
{
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;

	record_process();
	tree_write("7/pagemap", "");	/* what a torn-down address space reads as */
	CHECK_INT(open_7(0, 0, 0, &src), 0);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -ESRCH);
	CHECK_HAS(mpp_source_error(src), "process 7 ended");
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -ESRCH);
	mpp_source_unref(src);
}

static void survives_garbage(void)
{
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;

	record_process();
	tree_write("7/maps", "this is no map\n");
	CHECK_INT(open_7(0, 0, 0, &src), 0);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -EPROTO);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -EPROTO);	/* final */
	mpp_source_unref(src);

	/* A kernel thread has no memory of its own. */
	tree_write("7/maps", "");
	CHECK_INT(open_7(0, 0, 0, &src), 0);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 0);
	mpp_source_unref(src);
}

static void checks_options(void)
{
	struct mpp_pagemap_options options = { .size = sizeof(options), .pid = 7 };
	struct { struct mpp_pagemap_options known; uint64_t newer; } longer = { 0 };
	struct mpp_source *src = NULL;

	CHECK_INT(open_7(1u << 31, 0, 0, &src), -EINVAL);
	CHECK_INT(open_7(0, 0x2000, 0x1000, &src), -EINVAL);
	options.pid = 0;
	CHECK_INT(mpp_pagemap_open(&options, &src), -EINVAL);
	options.pid = 7;
	options.size = sizeof(options) - 1;
	CHECK_INT(mpp_pagemap_open(&options, &src), -EINVAL);
	longer.known = options;
	longer.known.size = sizeof(longer);
	longer.known.pid = 1 << 23;	/* above any process number */
	CHECK_INT(mpp_pagemap_open(&longer.known, &src), -ESRCH);
	longer.newer = 1;
	CHECK_INT(mpp_pagemap_open(&longer.known, &src), -EINVAL);
	CHECK(!src);
}

/* On the real thing: each page touched here is found, at its virtual address. */
static void finds_this_process(void)
{
	enum { NR_PAGES = 50 };
	char *pages = mmap(NULL, NR_PAGES * 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mpp_pagemap_options options = {
		.size = sizeof(options),
		.pid = getpid(),
		.flags = MPP_PAGEMAP_PER_PAGE,
		.va_start = (uintptr_t)pages,
		.va_end = (uintptr_t)pages + NR_PAGES * 4096,
	};
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	uint64_t va;
	int nr;

	madvise(pages, NR_PAGES * 4096, MADV_NOHUGEPAGE);
	for (int i = 0; i < NR_PAGES; i += 2)
		pages[i * 4096] = 1;
	CHECK_INT(mpp_pagemap_open(&options, &src), 0);
	nr = mpp_source_read(src, NR_MAX, records);
	if (nr == -EPERM) {
		tap_skip("frame numbers are hidden from this user");
	} else {
		CHECK_INT(nr, NR_PAGES / 2);
		for (int i = 0; i < nr; i++) {
			CHECK_INT(mpp_source_va(src, (size_t)i, &va), 0);
			CHECK_INT(va, (uintptr_t)pages + (uintptr_t)i * 2 * 4096);
			CHECK(records[i].addr && !(records[i].addr & 4095));
		}
	}
	mpp_source_unref(src);
	munmap(pages, NR_PAGES * 4096);
}

/* Every second page: more stretches than the kernel tells of at once. */
static uint64_t oasis(size_t index)
{
	return (UINT64_C(7) << 30) + index * 8192;
}

/* 16 GiB with next to nothing in them: found by asking where there is something. */
static void finds_pages_in_a_desert(void)
{
	enum { NR_PAGES = 1500 };
	const size_t len = (size_t)16 << 30;
	int seen = 0;
	char *pages = mmap(NULL, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct mpp_pagemap_options options = {
		.size = sizeof(options),
		.pid = getpid(),
		.va_start = (uintptr_t)pages,
		.va_end = (uintptr_t)pages + len,
	};
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	uint64_t va;
	int nr;

	CHECK(pages != MAP_FAILED);
	madvise(pages, len, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < NR_PAGES; i++)
		pages[oasis(i)] = 1;
	CHECK_INT(mpp_pagemap_open(&options, &src), 0);
	while ((nr = mpp_source_read(src, NR_MAX, records)) > 0) {
		for (int i = 0; i < nr; i++, seen++) {
			CHECK_INT(mpp_source_va(src, (size_t)i, &va), 0);
			CHECK_INT(va - (uintptr_t)pages, oasis((size_t)seen));
		}
	}
	if (nr == -EPERM)
		tap_skip("frame numbers are hidden from this user");
	else
		CHECK_INT(seen, NR_PAGES);
	mpp_source_unref(src);
	munmap(pages, len);
}

/* A struct pm_scan_arg that says nothing but its size: refused where there is such a call. */
static bool kernel_scans(void)
{
	uint64_t arg[12] = { sizeof(arg), UINT64_MAX };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool known = fd >= 0 && ioctl(fd, _IOWR('f', 16, arg), arg) && errno != ENOTTY;

	close(fd);
	return known;
}

static double cpu_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* To read two thousand million entries takes a minute; to ask where there are pages, nothing. */
static void asks_rather_than_reads(void)
{
	enum { NR_PAGES = 40 };
	const size_t len = (size_t)8 << 40, step = len / NR_PAGES;
	struct mpp_pagemap_options options = { .size = sizeof(options), .pid = getpid() };
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	double start;
	char *pages;
	int nr;

	pages = mmap(NULL, len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!kernel_scans() || pages == MAP_FAILED) {
		tap_skip(pages == MAP_FAILED ? "there is no room for 8 TiB of addresses" :
			 "this kernel has no PAGEMAP_SCAN (6.7 has)");
		return;
	}
	madvise(pages, len, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < NR_PAGES; i++)
		pages[i * step] = 1;
	options.va_start = (uintptr_t)pages;
	options.va_end = (uintptr_t)pages + len;
	CHECK_INT(mpp_pagemap_open(&options, &src), 0);
	start = cpu_seconds();
	nr = mpp_source_read(src, NR_MAX, records);
	if (nr == -EPERM)
		tap_skip("frame numbers are hidden from this user");
	else
		CHECK_INT(nr, NR_PAGES);
	CHECK(cpu_seconds() - start < 5);
	mpp_source_unref(src);
	munmap(pages, len);
}

static void *cancel_at_once(void *src)
{
	mpp_source_cancel(src);
	return NULL;
}

/* From the next read on, whoever cancels and whatever is left. */
static void stops_when_cancelled(void)
{
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	pthread_t thread;

	record_process();
	CHECK_INT(open_7(MPP_PAGEMAP_PER_PAGE, 0, 0, &src), 0);
	CHECK_INT(mpp_source_read(src, 3, records), 3);
	CHECK_INT(pthread_create(&thread, NULL, cancel_at_once, src), 0);
	pthread_join(thread, NULL);
	CHECK_INT(mpp_source_read(src, 3, records), -ECANCELED);
	CHECK_INT(mpp_source_read(src, 3, records), -ECANCELED);
	CHECK_INT(mpp_source_ready(src), 1);
	mpp_source_unref(src);
}

static void sees_a_child_end(void)
{
	struct mpp_record records[NR_MAX];
	struct mpp_pagemap_options options = { .size = sizeof(options) };
	struct mpp_source *src;
	int err;

	options.pid = fork();
	if (!options.pid) {
		pause();
		_exit(0);
	}
	CHECK_INT(mpp_pagemap_open(&options, &src), 0);
	kill(options.pid, SIGKILL);
	waitpid(options.pid, NULL, 0);
	err = mpp_source_read(src, NR_MAX, records);
	CHECK(err == -ESRCH || err == 0);
	mpp_source_unref(src);
	CHECK_INT(mpp_pagemap_open(&options, &src), -ESRCH);
}

/* A zombie is there, and has no memory any more; so is a kernel thread, and never had. */
static void has_nothing_of_a_zombie(void)
{
	struct mpp_pagemap_options options = { .size = sizeof(options) };
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	siginfo_t info;
	uint64_t va;

	options.pid = fork();
	if (!options.pid)
		_exit(0);
	CHECK_INT(waitid(P_PID, (id_t)options.pid, &info, WEXITED | WNOWAIT), 0);
	CHECK_INT(mpp_pagemap_open(&options, &src), 0);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 0);
	CHECK_INT(mpp_source_va(src, 0, &va), -ERANGE);
	mpp_source_unref(src);
	waitpid(options.pid, NULL, 0);
	CHECK_INT(mpp_pagemap_open(&options, &src), -ESRCH);
}

int main(void)
{
	static const struct tap_test tests[] = {
		{ "neighbouring pages are one record, a huge page too", merges },
		{ "a record per page on request", keeps_pages_apart },
		{ "virtual ranges", keeps_to_the_range },
		{ "hidden frame numbers are -EPERM", tells_hidden_frames },
		{ "a process that vanishes is -ESRCH", tells_a_vanished_process },
		{ "garbled and empty maps", survives_garbage },
		{ "options", checks_options },
		{ "this process", finds_this_process },
		{ "a mapping that is nearly empty", finds_pages_in_a_desert },
		{ "terabytes with a few pages", asks_rather_than_reads },
		{ "cancelled", stops_when_cancelled },
		{ "a child that ends", sees_a_child_end },
		{ "a process without memory", has_nothing_of_a_zombie },
	};
	int status;

	if (sysconf(_SC_PAGESIZE) != 4096) {
		puts("1..0 # SKIP the recorded files have pages of 4096 bytes");
		return EXIT_SUCCESS;
	}
	tree_make();
	status = tap_main(tests, ARRAY_LEN(tests));
	tree_remove();
	return status;
}
