// SPDX-License-Identifier: GPL-2.0-only
/* Idle page tracking on a recorded bitmap: a thread plays the accesses. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "kpage.h"
#include "machine.h"
#include "tap.h"

#define BITMAP	"sys/kernel/mm/page_idle/bitmap"
#define NR_MAX	64
#define LRU	KPF_LRU

static void make_idle(void)
{
	machine_make();
	tree_write(BITMAP, "");
	machine_entry("kpageflags", 0x18000, 0);	/* the file's length */
	tree_write_at(BITMAP, 0x18000 / 8 - 8, "\0\0\0\0\0\0\0", 8);
}

static uint64_t bitmap_word(uint64_t pfn)
{
	uint64_t word = 0;
	int fd = open(tree_path(BITMAP), O_RDONLY | O_CLOEXEC);

	CHECK_INT(pread(fd, &word, 8, (off_t)(pfn / 64 * 8)), 8);
	close(fd);
	return word;
}

/* Takes the idle bit of a frame away, as an access does; false when it has none. */
static bool touch(uint64_t pfn)
{
	uint64_t word = bitmap_word(pfn), bit = UINT64_C(1) << (pfn % 64);

	if (!(word & bit))
		return false;
	word &= ~bit;
	tree_write_at(BITMAP, pfn / 64 * 8, &word, 8);
	return true;
}

/* Once the last frame is marked, the sweep is over: touches the frames given. */
static void *toucher(void *arg)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	const uint64_t *pfns = arg;
	int fd;
	char *path = strdupa(tree_path(BITMAP));

	for (int i = 0; i < 5000; i++) {
		uint64_t word = 0;

		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (pread(fd, &word, 8, 0x17fc0 / 8) == 8 && word == UINT64_MAX) {
			close(fd);
			for (; *pfns; pfns++)
				CHECK(touch(*pfns));
			return NULL;
		}
		close(fd);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static struct mpp_source *open_idle(struct mpp_idle_options options)
{
	struct mpp_source *src = NULL;

	options.size = sizeof(options);
	CHECK_INT(mpp_idle_open_at(&machine_roots, &options, &src), 0);
	return src;
}

struct expected {
	uint64_t pfn, frames;
	double weight;
};

static void expect(struct mpp_source *src, size_t step, const struct expected *want, size_t nr)
{
	struct mpp_record records[NR_MAX];
	size_t seen = 0;
	int got;

	while ((got = mpp_source_read(src, step, records)) > 0)
		for (int i = 0; i < got; i++, seen++) {
			if (seen >= nr)
				continue;
			CHECK_INT(records[i].addr, FRAME(want[seen].pfn));
			CHECK_INT(records[i].size_bytes, FRAME(want[seen].frames));
			CHECK(records[i].weight == want[seen].weight);
			CHECK_INT(records[i].source, MPP_SOURCE_IDLE);
			CHECK(records[i].time_ns > 0);
		}
	CHECK_INT(got, 0);
	CHECK_INT(seen, nr);
}

static void add_pages(void)
{
	make_idle();
	machine_entry("kpageflags", 0x130, LRU);
	machine_entry("kpageflags", 0x131, LRU);
	machine_entry("kpageflags", 0x132, 0);			/* no user's page */
	machine_entry("kpageflags", 0x133, KPF_HUGE | LRU);	/* hugetlb */
	/* A huge page: newer kernels show LRU at each frame of it. */
	machine_entry("kpageflags", 0x10200, LRU | KPF_COMPOUND_HEAD | KPF_THP);
	for (uint64_t i = 1; i < 512; i++)
		machine_entry("kpageflags", 0x10200 + i, LRU | KPF_COMPOUND_TAIL | KPF_THP);
	/* And one right behind it, as older kernels show it. */
	machine_entry("kpageflags", 0x10400, LRU | KPF_COMPOUND_HEAD | KPF_THP);
	for (uint64_t i = 1; i < 512; i++)
		machine_entry("kpageflags", 0x10400 + i, KPF_COMPOUND_TAIL | KPF_THP);
	machine_entry("kpageflags", 0x10600, LRU);
}

static const struct expected both[] = {
	{ 0x130, 1, 1 }, { 0x131, 1, 0 }, { 0x10200, 512, 1 }, { 0x10400, 512, 0 },
	{ 0x10600, 1, 0 },
};

static void tells_accessed_from_idle(void)
{
	static const uint64_t touched[] = { 0x130, 0x10200, 0 };
	static const struct {
		unsigned int flags;
		struct expected want[5];
		size_t nr;
	} cases[] = {
		{ MPP_IDLE_ACCESSED | MPP_IDLE_IDLE, { { 0 } }, 0 },
		{ MPP_IDLE_ACCESSED, { { 0x130, 1, 1 }, { 0x10200, 512, 1 } }, 2 },
		{ MPP_IDLE_IDLE, { { 0x131, 1, 0 }, { 0x10400, 512, 0 }, { 0x10600, 1, 0 } }, 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		pthread_t thread;
		struct mpp_source *src;

		add_pages();
		src = open_idle((struct mpp_idle_options) {
			.flags = cases[i].flags, .nr_rounds = 1, .interval_ns = 1500000000,
		});
		CHECK_INT(mpp_source_ready(src), 0);
		CHECK_INT(pthread_create(&thread, NULL, toucher, (void *)(uintptr_t)touched), 0);
		expect(src, i + 1, cases[i].nr ? cases[i].want : both,
		       cases[i].nr ? cases[i].nr : ARRAY_LEN(both));
		pthread_join(thread, NULL);
		mpp_source_unref(src);
		tree_remove();
	}
}

/* Bits of other nodes' frames and of holes are left alone. */
static void keeps_to_the_node(void)
{
	struct mpp_source *src;
	const int node = 0;

	add_pages();
	src = open_idle((struct mpp_idle_options) {
		.flags = MPP_IDLE_IDLE, .nr_rounds = 1, .nodes = &node, .nr_nodes = 1,
	});
	expect(src, NR_MAX, (const struct expected[]) { { 0x130, 1, 0 }, { 0x131, 1, 0 } }, 2);
	mpp_source_unref(src);
	CHECK_INT(bitmap_word(0), ~UINT64_C(1));		/* frame 0 is no RAM */
	CHECK_INT(bitmap_word(0x9e), UINT64_MAX >> 33);		/* RAM ends with 0x9e */
	CHECK_INT(bitmap_word(0xc0), 0);
	CHECK_INT(bitmap_word(0x100), UINT64_MAX);
	CHECK_INT(bitmap_word(0x8fff), UINT64_MAX);
	CHECK_INT(bitmap_word(0x9000), 0);
	CHECK_INT(bitmap_word(0x10000), 0);
	tree_remove();
}

static void *cutter(void *arg)
{
	const uint64_t nothing = 0;

	toucher((void *)(uintptr_t)&nothing);
	CHECK_INT(truncate(arg, 0x17fc0 / 8), 0);
	return NULL;
}

/* Memory whose last frame cuts a word short: the kernel does not give that word. */
static void reads_a_cut_word(void)
{
	char *path;
	struct mpp_source *src;
	pthread_t thread;

	make_idle();
	path = strdupa(tree_path(BITMAP));
	machine_entry("kpageflags", 0x17fbf, LRU);
	machine_entry("kpageflags", 0x17fc0, LRU | KPF_IDLE);
	machine_entry("kpageflags", 0x17fc1, LRU);
	src = open_idle((struct mpp_idle_options) {
		.flags = MPP_IDLE_IDLE | MPP_IDLE_ACCESSED, .nr_rounds = 1,
		.interval_ns = 1500000000,
	});
	CHECK_INT(pthread_create(&thread, NULL, cutter, path), 0);
	expect(src, NR_MAX, (const struct expected[]) {
		{ 0x17fbf, 1, 0 }, { 0x17fc0, 1, 0 }, { 0x17fc1, 1, 1 } }, 3);
	pthread_join(thread, NULL);
	mpp_source_unref(src);
	tree_remove();
}

static void goes_round_after_round(void)
{
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	int got, nr = 0;

	add_pages();
	src = open_idle((struct mpp_idle_options) { .flags = MPP_IDLE_IDLE, .nr_rounds = 3 });
	while ((got = mpp_source_read(src, NR_MAX, records)) > 0)
		nr += got;
	CHECK_INT(nr, 3 * 5);
	mpp_source_unref(src);
	/* Without an end: until somebody says so. */
	src = open_idle((struct mpp_idle_options) { .flags = MPP_IDLE_IDLE });
	for (nr = 0; nr < 20; nr++)
		CHECK_INT(mpp_source_read(src, NR_MAX, records), 5);
	mpp_source_cancel(src);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -ECANCELED);
	mpp_source_unref(src);
	tree_remove();
}

/* About one block in eight, never half a huge page, others in the next round. */
static void samples(void)
{
	struct mpp_record records[NR_MAX];
	uint64_t sums[2] = { 0 };
	struct mpp_source *src;
	int nr[2] = { 0 }, got;

	make_idle();
	for (uint64_t pfn = 0x10000; pfn < 0x18000; pfn += 512) {
		machine_entry("kpageflags", pfn, LRU | KPF_COMPOUND_HEAD);
		for (uint64_t i = 1; i < 512; i++)
			machine_entry("kpageflags", pfn + i, LRU | KPF_COMPOUND_TAIL);
	}
	for (int round = 0; round < 2; round++) {
		src = open_idle((struct mpp_idle_options) {
			.flags = MPP_IDLE_IDLE, .nr_rounds = 4, .sample = 8,
			.seed = (uint64_t)round,
		});
		while ((got = mpp_source_read(src, NR_MAX, records)) > 0)
			for (int i = 0; i < got; i++, nr[round]++) {
				CHECK_INT(records[i].size_bytes, 2 << 20);
				sums[round] += records[i].addr;
			}
		mpp_source_unref(src);
		/* 32 expected of 256; beyond these, one in many thousands. */
		CHECK(nr[round] > 10 && nr[round] < 60);
	}
	CHECK(sums[0] != sums[1]);
	tree_remove();
}

static void *cancel_later(void *src)
{
	const struct timespec pause = { .tv_nsec = 50000000 };

	nanosleep(&pause, NULL);
	mpp_source_cancel(src);
	return NULL;
}

static void stops_when_told(void)
{
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	pthread_t thread;

	add_pages();
	src = open_idle((struct mpp_idle_options) {
		.flags = MPP_IDLE_IDLE, .interval_ns = UINT64_C(3600000000000),
	});
	CHECK_INT(pthread_create(&thread, NULL, cancel_later, src), 0);
	alarm(20);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -ECANCELED);
	alarm(0);
	pthread_join(thread, NULL);
	mpp_source_unref(src);
	tree_remove();
}

static void spares_the_cpu(void)
{
	struct mpp_record records[NR_MAX];
	struct timespec start, end, cpu_start, cpu_end;
	struct mpp_source *src;
	double wall, cpu;

	add_pages();
	src = open_idle((struct mpp_idle_options) {
		.flags = MPP_IDLE_IDLE, .nr_rounds = 200, .cpu_percent = 10,
	});
	clock_gettime(CLOCK_MONOTONIC, &start);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu_start);
	while (mpp_source_read(src, NR_MAX, records) > 0)
		;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu_end);
	clock_gettime(CLOCK_MONOTONIC, &end);
	mpp_source_unref(src);
	wall = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	cpu = (double)(cpu_end.tv_sec - cpu_start.tv_sec) +
	      (double)(cpu_end.tv_nsec - cpu_start.tv_nsec) / 1e9;
	/*
	 * What the last piece is over the share is not slept off, and on a virtual machine
	 * it may be charged with what the host did meanwhile.
	 */
	if (cpu > wall * 0.2 + 0.02)
		tap_fail(__FILE__, __LINE__, "%f s of CPU in %f s", cpu, wall);
	tree_remove();
}

static void tells_what_is_wrong(void)
{
	struct mpp_idle_options options = { .size = sizeof(options), .flags = MPP_IDLE_IDLE };
	struct mpp_source *src = NULL;

	machine_make();
	machine_entry("kpageflags", 1, 0);
	CHECK_INT(mpp_idle_open_at(&machine_roots, &options, &src), -ENOENT);
	tree_write(BITMAP, "");
	options.flags = 0;
	CHECK_INT(mpp_idle_open_at(&machine_roots, &options, &src), -EINVAL);
	options.flags = 1u << 31;
	CHECK_INT(mpp_idle_open_at(&machine_roots, &options, &src), -EINVAL);
	options.flags = MPP_IDLE_IDLE;
	options.cpu_percent = 101;
	CHECK_INT(mpp_idle_open_at(&machine_roots, &options, &src), -EINVAL);
	CHECK(!src);

	CHECK_INT(mpp_idle_is_unreliable_at(&machine_roots), 0);
	tree_write("sys/kernel/mm/lru_gen/enabled", "0x0000\n");
	CHECK_INT(mpp_idle_is_unreliable_at(&machine_roots), 0);
	tree_write("sys/kernel/mm/lru_gen/enabled", "0x0007\n");
	CHECK_INT(mpp_idle_is_unreliable_at(&machine_roots), 1);
	tree_remove();
}

TAP_MAIN(
	{ "accessed and idle pages, huge pages whole", tells_accessed_from_idle },
	{ "only frames of the node are marked", keeps_to_the_node },
	{ "a word that the end of memory cuts short", reads_a_cut_word },
	{ "rounds", goes_round_after_round },
	{ "samples", samples },
	{ "cancelling ends the wait", stops_when_told },
	{ "a share of the CPU", spares_the_cpu },
	{ "what is wrong is told", tells_what_is_wrong },
)
