// SPDX-License-Identifier: GPL-2.0-only
/* Sampling of this very process by the running kernel, with an event that all have. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "perf.h"
#include "tap.h"
#include "tree.h"

#define NR_TOUCHED	256
#define NR_READ		512
#define PAGE		4096u

static const char *why;

static int open_faults(struct mpp_perf_options options, struct mpp_source **src)
{
	options.size = sizeof(options);
	if (!options.event)
		options.event = "faults";
	why = "";
	return mpp_perf_open(&options, &why, src);
}

/* False, with a skip, where this user or this machine cannot sample. */
static bool can_sample(int err)
{
	static char reason[256];

	if (err != -EACCES && err != -EPERM && err != -ENOSYS)
		return true;
	CHECK(*why);
	snprintf(reason, sizeof(reason), "%s", why);
	tap_skip(reason);
	return false;
}

/* Touches pages one after the other; their frames, by pagemap. */
static void touch(unsigned char *memory, uint64_t *frames)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < NR_TOUCHED; i++)
		memory[i * PAGE] = 1;
	CHECK_INT(pread(fd, frames, NR_TOUCHED * sizeof(*frames),
			(off_t)((uintptr_t)memory / PAGE * sizeof(*frames))),
		  NR_TOUCHED * sizeof(*frames));
	for (size_t i = 0; i < NR_TOUCHED; i++)
		frames[i] &= (UINT64_C(1) << 55) - 1;
	close(fd);
}

static unsigned char *fresh_memory(void)
{
	unsigned char *memory = mmap(NULL, NR_TOUCHED * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		puts("Bail out! mmap");
		exit(EXIT_FAILURE);
	}
	madvise(memory, NR_TOUCHED * PAGE, MADV_NOHUGEPAGE);
	return memory;
}

/* Every first touch is a sample with the frame that pagemap tells, and the time. */
static void finds_the_pages_touched(void)
{
	static struct mpp_record records[NR_READ];
	uint64_t frames[NR_TOUCHED];
	bool seen[NR_TOUCHED] = { 0 };
	struct mpp_perf_stats stats = { .size = sizeof(stats) };
	struct mpp_source *src = NULL;
	unsigned char *memory = fresh_memory();
	struct timespec before, after;
	size_t nr_seen = 0;
	int err = open_faults((struct mpp_perf_options) { .pid = getpid(), .period = 1,
							  .duration_ns = 300000000 }, &src);
	int nr;

	if (!can_sample(err))
		return;
	CHECK_INT(err, 0);
	if (err)
		return;
	CHECK_STR(mpp_perf_event_name(src), "minor-faults");
	clock_gettime(CLOCK_MONOTONIC, &before);
	touch(memory, frames);
	clock_gettime(CLOCK_MONOTONIC, &after);
	if (!frames[0]) {
		tap_skip("pagemap hides the frames from this user");
		mpp_source_unref(src);
		return;
	}
	while ((nr = mpp_source_read(src, NR_READ, records)) > 0) {
		for (int i = 0; i < nr; i++) {
			uint64_t ns = records[i].time_ns;

			CHECK_INT(records[i].source, MPP_SOURCE_PERF);
			for (size_t at = 0; at < NR_TOUCHED; at++) {
				if (frames[at] != records[i].addr / PAGE || seen[at])
					continue;
				seen[at] = true;
				nr_seen++;
				CHECK(ns >= (uint64_t)before.tv_sec * 1000000000);
				CHECK(ns <= ((uint64_t)after.tv_sec + 1) * 1000000000);
				CHECK(records[i].weight == 1);
			}
		}
	}
	CHECK_INT(nr, 0);
	CHECK_INT(nr_seen, NR_TOUCHED);
	CHECK_INT(mpp_perf_stats(src, &stats), 0);
	CHECK(stats.nr_samples >= NR_TOUCHED);
	CHECK_INT(stats.nr_lost, 0);
	CHECK_INT(stats.nr_unknown, 0);
	CHECK(stats.nr_cpus >= 1);
	CHECK_INT(mpp_source_read(src, NR_READ, records), 0);
	mpp_source_unref(src);
	munmap(memory, NR_TOUCHED * PAGE);
}

/* A ring of one page holds 128 samples: the rest is lost, and none of it unaccounted. */
static void counts_what_is_lost(void)
{
	size_t nr_touched = 8 * NR_TOUCHED;
	unsigned char *memory = fresh_memory();
	static struct mpp_record records[NR_READ];
	struct mpp_perf_stats stats = { .size = sizeof(stats) };
	struct mpp_source *src = NULL;
	uint64_t frames[NR_TOUCHED];
	size_t nr_samples = 0;
	int err, nr;

	err = open_faults((struct mpp_perf_options) { .pid = getpid(), .period = 1,
						      .ring_bytes = PAGE,
						      .duration_ns = 200000000 }, &src);
	if (!can_sample(err))
		return;
	CHECK_INT(err, 0);
	if (err)
		return;
	for (size_t i = 0; i < nr_touched; i += NR_TOUCHED) {
		unsigned char *passing = fresh_memory();

		touch(passing, frames);
		munmap(passing, NR_TOUCHED * PAGE);
	}
	/* Before anything is read only the kernel's counters can tell. */
	CHECK_INT(mpp_perf_stats(src, &stats), 0);
	CHECK(stats.nr_lost > 0);
	nr = mpp_source_read(src, NR_READ, records);
	CHECK(nr > 0);
	nr_samples = (size_t)nr;
	/* Now there is room again, also for the record that tells of the loss. */
	touch(memory, frames);
	while ((nr = mpp_source_read(src, NR_READ, records)) > 0)
		nr_samples += (size_t)nr;
	CHECK_INT(mpp_perf_stats(src, &stats), 0);
	CHECK_INT(stats.nr_samples, nr_samples);
	nr_touched += NR_TOUCHED;
	nr_samples += stats.nr_no_address + stats.nr_lost;
	/* The test itself touches some pages, too, but nothing is counted twice. */
	CHECK(nr_samples >= nr_touched && nr_samples < nr_touched + nr_touched / 2);
	mpp_source_unref(src);
	munmap(memory, NR_TOUCHED * PAGE);
}

static void ends_with_the_process(void)
{
	static struct mpp_record records[NR_READ];
	struct mpp_source *src = NULL;
	int go[2], err, nr, total = 0;
	pid_t pid;

	CHECK_INT(pipe2(go, O_CLOEXEC), 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		unsigned char *memory = fresh_memory();
		char byte;

		if (read(go[0], &byte, 1) < 0)
			_exit(1);
		/* Children of it are sampled too. */
		if (fork() == 0)
			for (size_t i = 0; i < NR_TOUCHED; i++)
				memory[i * PAGE] = 1;
		else
			wait(NULL);
		_exit(0);
	}
	err = open_faults((struct mpp_perf_options) { .pid = pid, .period = 1 }, &src);
	CHECK_INT(write(go[1], "g", 1), 1);
	if (can_sample(err)) {
		CHECK_INT(err, 0);
		while (src && (nr = mpp_source_read(src, NR_READ, records)) > 0)
			total += nr;
		CHECK(total >= NR_TOUCHED);
		mpp_source_unref(src);
	}
	waitpid(pid, NULL, 0);
	CHECK_INT(open_faults((struct mpp_perf_options) { .pid = pid }, &src), -ESRCH);
	CHECK_STR(why, "no such process");
	close(go[0]);
	close(go[1]);
}

struct toucher {
	unsigned char *memory;
	uint64_t frames[NR_TOUCHED];
	int go[2];
};

static void *touch_when_told(void *arg)
{
	struct toucher *toucher = arg;
	char byte;

	if (read(toucher->go[0], &byte, 1) == 1)
		touch(toucher->memory, toucher->frames);
	return NULL;
}

/* Threads that the process has already share the rings of the first. */
static void samples_all_threads(void)
{
	static struct mpp_record records[NR_READ];
	struct toucher touchers[3];
	struct mpp_source *src = NULL;
	pthread_t threads[3];
	size_t nr_seen = 0;
	int err, nr;

	for (size_t i = 0; i < 3; i++) {
		touchers[i].memory = fresh_memory();
		memset(touchers[i].frames, 0, sizeof(touchers[i].frames));
		CHECK_INT(pipe2(touchers[i].go, O_CLOEXEC), 0);
		pthread_create(&threads[i], NULL, touch_when_told, &touchers[i]);
	}
	err = open_faults((struct mpp_perf_options) { .pid = getpid(), .period = 1,
						      .duration_ns = 300000000 }, &src);
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(write(touchers[i].go[1], "g", 1), 1);
		pthread_join(threads[i], NULL);
	}
	if (can_sample(err)) {
		CHECK_INT(err, 0);
		while (src && (nr = mpp_source_read(src, NR_READ, records)) > 0)
			for (int i = 0; i < nr; i++)
				for (size_t at = 0; at < 3 * NR_TOUCHED; at++)
					nr_seen += records[i].addr / PAGE ==
						   touchers[at / NR_TOUCHED].frames[at % NR_TOUCHED];
		if (touchers[0].frames[0])
			CHECK(nr_seen >= 3 * NR_TOUCHED);
		mpp_source_unref(src);
	}
	for (size_t i = 0; i < 3; i++) {
		munmap(touchers[i].memory, NR_TOUCHED * PAGE);
		close(touchers[i].go[0]);
		close(touchers[i].go[1]);
	}
}

/* One in ten, and each counts for ten: software events once gave a sample of each. */
static void keeps_to_the_period(void)
{
	static struct mpp_record records[NR_READ];
	struct mpp_source *src = NULL;
	unsigned char *memory = fresh_memory();
	uint64_t frames[NR_TOUCHED];
	int err, nr, total = 0;

	err = open_faults((struct mpp_perf_options) { .pid = getpid(), .period = 10,
						      .duration_ns = 100000000 }, &src);
	if (!can_sample(err))
		return;
	CHECK_INT(err, 0);
	if (err)
		return;
	touch(memory, frames);
	while ((nr = mpp_source_read(src, NR_READ, records)) > 0) {
		for (int i = 0; i < nr; i++)
			CHECK(records[i].weight == 10);
		total += nr;
	}
	CHECK(total >= NR_TOUCHED / 10 - 2 && total < NR_TOUCHED / 2);
	mpp_source_unref(src);
	munmap(memory, NR_TOUCHED * PAGE);
}

static void *touch_without_end(void *stop)
{
	unsigned char *memory = fresh_memory();

	while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) {
		for (size_t i = 0; i < NR_TOUCHED; i++)
			memory[i * PAGE] = 1;
		madvise(memory, NR_TOUCHED * PAGE, MADV_DONTNEED);
	}
	munmap(memory, NR_TOUCHED * PAGE);
	return NULL;
}

/* Samples come faster than they are read: the time is up nevertheless. */
static void ends_in_time(void)
{
	struct mpp_record records[2];
	struct mpp_source *src = NULL;
	struct timespec begin, end;
	pthread_t thread;
	int stop = 0, nr, err;
	double seconds;

	err = open_faults((struct mpp_perf_options) { .pid = getpid(), .period = 1,
						      .ring_bytes = 4 * PAGE,
						      .duration_ns = 200000000 }, &src);
	if (!can_sample(err))
		return;
	CHECK_INT(err, 0);
	if (err)
		return;
	/* Started later, so it is sampled because its creator is. */
	pthread_create(&thread, NULL, touch_without_end, &stop);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while ((nr = mpp_source_read(src, 2, records)) > 0)
		poll(NULL, 0, 1);
	CHECK_INT(nr, 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
	if (seconds > 5)
		tap_fail(__FILE__, __LINE__, "%g s", seconds);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	mpp_source_unref(src);
}

static void *cancel_soon(void *src)
{
	poll(NULL, 0, 50);
	mpp_source_cancel(src);
	return NULL;
}

static void is_cancelled(void)
{
	static struct mpp_record records[NR_READ];
	struct mpp_source *src = NULL;
	pthread_t thread;
	int err = open_faults((struct mpp_perf_options) { .period = 1000000 }, &src);
	int nr;

	if (!can_sample(err))
		return;
	CHECK_INT(err, 0);
	if (err)
		return;
	pthread_create(&thread, NULL, cancel_soon, src);
	while ((nr = mpp_source_read(src, NR_READ, records)) >= 0)
		;
	CHECK_INT(nr, -ECANCELED);
	pthread_join(thread, NULL);
	mpp_source_unref(src);
}

static void refuses_nonsense(void)
{
	static const struct mpp_perf_options bad[] = {
		{ .pid = -1 }, { .flags = 1u << 7 }, { .rate = 1, .period = 1 },
		{ .period = UINT64_C(1) << 63 }, { .ring_bytes = 12345 }, { .ring_bytes = 1024 },
		{ .ring_bytes = 2ul << 30 }, { .cpus = "x" }, { .cpus = "1," },
		{ .event = "bogus" }, { .rate = UINT64_C(1) << 40 },
	};
	struct mpp_perf_options options = { .size = 8 };
	struct mpp_source *src = NULL;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_INT(open_faults(bad[i], &src), -EINVAL);
		CHECK(*why);
	}
	CHECK_INT(mpp_perf_open(&options, &why, &src), -EINVAL);
	CHECK_INT(mpp_perf_open(&options, NULL, &src), -EINVAL);
	CHECK(!src);
}

/* Files under a tree stand for /proc and /sys: CPUs that are not there, a low limit. */
static void reads_limits_and_cpus(void)
{
	struct mpp_perf_options options = { .size = sizeof(options), .event = "faults" };
	struct mpp_source *src = NULL;
	struct mpp_roots roots;
	char root[512];
	int err;

	snprintf(root, sizeof(root), "%s", tree_make());
	roots = (struct mpp_roots) { .proc = root, .sys = root };
	tree_write("sys/kernel/perf_event_max_sample_rate", "1000\n");
	CHECK_INT(mpp_perf_open_at(&roots, &options, &why, &src), -EINVAL);
	CHECK_HAS(why, "perf_event_max_sample_rate");
	options.rate = 1000;
	tree_write("devices/system/cpu/online", "0\n");
	tree_write("sys/kernel/perf_event_paranoid", "2\n");
	options.cpus = "1-5";
	CHECK_INT(mpp_perf_open_at(&roots, &options, &why, &src), -ENODEV);
	CHECK_HAS(why, "online");
	options.event = "auto";
	CHECK_INT(mpp_perf_open_at(&roots, &options, &why, &src), -ENODEV);
	CHECK_HAS(why, "the event faults");
	/* Only the CPUs that are online, of those that are wanted. */
	options.event = "faults";
	options.cpus = "0-5";
	err = mpp_perf_open_at(&roots, &options, &why, &src);
	if (can_sample(err)) {
		struct mpp_perf_stats stats = { .size = sizeof(stats) };

		CHECK_INT(err, 0);
		CHECK_INT(mpp_perf_stats(src, &stats), 0);
		CHECK_INT(stats.nr_cpus, 1);
		mpp_source_unref(src);
	}
	tree_remove();
}

TAP_MAIN(
	{ "each page touched is found, once", finds_the_pages_touched },
	{ "losses are counted", counts_what_is_lost },
	{ "the end of a process, and its children", ends_with_the_process },
	{ "threads that were there before", samples_all_threads },
	{ "a period", keeps_to_the_period },
	{ "the end of its time, with more samples than are read", ends_in_time },
	{ "cancelled while waiting", is_cancelled },
	{ "nonsense is refused", refuses_nonsense },
	{ "limits and CPUs of a recorded tree", reads_limits_and_cpus },
)
