// SPDX-License-Identifier: GPL-2.0-only
/*
 * Source perf: samples with physical addresses, by an event that needs no hardware.  What
 * it samples are minor faults, so the tests let go of translations, not of pages.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "h_command.h"

#define CPU1	"/sys/devices/system/cpu/cpu1/online"

/* Shared memory on the slow node: its pages stay when the translations go. */
static struct region shared_region(size_t nr_pages, unsigned int tag)
{
	int fd = (int)MUST(memfd_create("perf", MFD_CLOEXEC));

	return region_file(fd, nr_pages, slow_node(), tag, MAP_SHARED);
}

struct use {
	const struct region *r;
	size_t first, nr;	/* pages that are in use */
	int cpu;		/* -1: any */
	unsigned int nr_rounds;	/* 0: until it is told to end */
};

/*
 * A write of nothing: the contents stay what they are, and only this page gets mapped.
 * Each @turn begins elsewhere, or a period could fall on the same few pages for ever.
 */
static void fault_in(const struct region *r, size_t first, size_t nr, size_t turn)
{
	unsigned char *va = r->va + first * page_size();

	MUST(madvise(va, nr * page_size(), MADV_DONTNEED));
	for (size_t i = 0; i < nr; i++)
		__atomic_fetch_or(va + (i + turn * 5) % nr * page_size(), 0, __ATOMIC_RELAXED);
}

/* The pages in use fault in each round, all others in every 32nd. */
static void use_pages(struct child *me, void *arg)
{
	const struct use *use = arg;

	if (use->cpu >= 0)
		pin_to_cpu(use->cpu);
	child_sync(me);
	for (unsigned int i = 0; !me->shared[0] && (!use->nr_rounds || i < use->nr_rounds); i++) {
		fault_in(use->r, use->first, use->nr, i);
		if (i % 32 == 0)
			fault_in(use->r, 0, use->r->nr_pages, i);
	}
	child_tell(me);
}

static struct child start_use(struct use *use)
{
	struct child c = spawn(use_pages, use);

	wait_for(&c);
	go_on(&c);
	return c;
}

/* What has a number of rounds does all of them. */
static void end_use(struct child *c, const struct use *use)
{
	c->shared[0] = !use->nr_rounds;
	wait_for(c);
	child_end(c);
}

static long long read_size(const char *path)
{
	struct stat info;

	MUST(stat(path, &info));
	return info.st_size;
}

static size_t nr_on(const struct region *r, int node)
{
	size_t nr = 0;

	for (size_t i = 0; i < r->nr_pages; i++)
		nr += region_node(r, i) == node;
	return nr;
}

/* What 16 pages in use come to when a line finds, ranks and moves them meanwhile. */
static void expect_hot_moved(struct output *o, const struct region *r, const struct region *hot,
			     size_t least)
{
	CHECK(!o->status, "status %d: %s%s", o->status, o->err, o->out);
	/* All others stay: neither a cold page nor one of the test's own was moved. */
	CHECK_EQ(json_number(o->out, "moved"), (long long)nr_on(r, fast_node()));
	CHECK_LE(nr_on(r, fast_node()), 16);
	CHECK(nr_on(hot, fast_node()) >= least, "%zu of 16: %s%s", nr_on(hot, fast_node()),
	      o->err, o->out);
	for (size_t i = 0; i < r->nr_pages; i++)
		CHECK_EQ(pattern_check(r->va + i * page_size(), r->tag, i), -1);
	verified_move();
	output_free(o);
}

/* Samples 16 pages in use among 128, by a line up to the pipe into a ranking. */
static void move_what_is_hot(const char *sample, const char *how, size_t least)
{
	struct region r = shared_region(128, 3);
	struct use use = { .r = &r, .first = 48, .nr = 16, .cpu = -1 };
	struct region hot = { r.va + 48 * page_size(), 16, 3 };
	struct output o;
	struct child c;

	need_events();
	need_door();
	c = start_use(&use);
	o = shell("pid=%d node=%d; { %s %s; } | movephys rank --top 64K | "
		  "movephys move --from %d --to %d --all --unmapped --retry 10 --json -",
		  (int)c.pid, slow_node(), sample, how, slow_node(), fast_node());
	end_use(&c, &use);
	expect_hot_moved(&o, &r, &hot, least);
}

#define SAMPLE	"movephys sample --event faults --pid $pid --duration 2s --node $node"

/* Each fault is a sample: exactly the pages in use. */
TEST(perf, hot_pages_to_a_move)
{
	move_what_is_hot(SAMPLE, "--period 1", 16);
}

/* As a person would: 2,000 samples a second, weighed by the events that they stand for. */
TEST(perf, default_rate)
{
	move_what_is_hot(SAMPLE, "", 14);
}

/*
 * The same from perf's own file and text.  One in seven: perf takes long to print where
 * all is emulated.
 */
TEST(perf, perf_script_to_a_move, .limit_s = 240)
{
	struct output o = shell("perf --version");

	if (o.status)
		SKIP("perf is not here to print anything (Debian: linux-perf)");
	output_free(&o);
	move_what_is_hot("perf record -q -o data -d --phys-data -e minor-faults -c 7 -p $pid -- "
			 "sleep 1 >&2; "
			 "perf script -i data -F time,period,event,phys_addr | "
			 "movephys sample --node $node --perf-script -", "", 16);
}

/*
 * Starts sampling in the background, each fault, into the files list and err; @what is
 * more for the command.  Goes on when there is a sample, so that nothing is missed.
 */
static pid_t start_sampling(const char *what)
{
	long long start = now_ms();
	char line[256];
	pid_t pid;

	snprintf(line, sizeof(line), "exec movephys sample --event faults --period 1 %s "
		 ">list 2>err", what);
	unlink("list");
	pid = (pid_t)MUST(fork());
	if (!pid) {
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		_exit(127);
	}
	while (!exists("list") || read_size("list") == 0) {
		const char *const nothing[] = { "true", NULL };

		CHECK(now_ms() - start < 30000, "no samples of %s", what);
		run_program(nothing);
		nap_ms(20);
	}
	return pid;
}

/* Ends it by Ctrl-C; its summary. */
static char *end_sampling(pid_t pid)
{
	int wstatus;

	MUST(kill(pid, SIGINT));
	MUST(waitpid(pid, &wstatus, 0));
	CHECK(WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 130, "wait status %#x", wstatus);
	return read_text("err");
}

static void touch_when_sampled(struct child *me, void *arg)
{
	struct region r;

	(void)arg;
	child_tell(me);
	/* Something to be seen by. */
	while (!me->shared[0]) {
		void *page = must_mmap(page_size(), PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		MUST(madvise(page, page_size(), MADV_DONTNEED));
		*(volatile char *)page = 1;
		MUST(munmap(page, page_size()));
		nap_ms(1);
	}
	r = region_anon(64, slow_node(), 5);
	child_sync(me);
	region_arrived(&r, fast_node());
}

/* First touches of anonymous memory: each page once, while sampling goes on. */
TEST(perf, first_touches_to_a_move)
{
	struct child c = spawn(touch_when_sampled, NULL);
	struct output o;
	char what[64], *err;
	pid_t pid;

	need_events();
	need_door();
	wait_for(&c);
	snprintf(what, sizeof(what), "--kind anon --pid %d", (int)c.pid);
	pid = start_sampling(what);
	c.shared[0] = 1;
	wait_for(&c);
	nap_ms(500);
	err = end_sampling(pid);
	CHECK(strstr(err, " samples; left out: 0 lost"), "%s", err);
	o = shell_ok("movephys rank list | movephys move --from %d --to %d --json -", slow_node(),
		     fast_node());
	CHECK_EQ(json_number(o.out, "moved"), 64);
	output_free(&o);
	free(err);
	go_on(&c);
	child_end(&c);
}

static size_t nr_fds(pid_t pid)
{
	size_t nr = 0;
	char dir[32];
	DIR *fds;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	fds = opendir(dir);
	CHECK(fds, "%s: %s", dir, strerror(errno));
	while (readdir(fds))
		nr++;
	closedir(fds);
	return nr;
}

/* Until the sampler has noticed: each CPU's events are a file of its own. */
static void wait_for_fds(pid_t pid, bool fewer, size_t than)
{
	long long start = now_ms();

	while ((nr_fds(pid) < than) != fewer) {
		CHECK(now_ms() - start < 60000, "the sampler does not notice, %zu files", than);
		nap_ms(50);
	}
}

/* A CPU that goes and comes again is sampled again, and nobody has to be told. */
TEST(perf, cpu_goes_and_comes, .limit_s = 180, .doorless = true)
{
	struct region r = shared_region(64, 7);
	struct use use = { .r = &r, .first = 0, .nr = 64, .cpu = 1, .nr_rounds = 3 };
	struct output o;
	struct child c;
	size_t found = 0, nr_before;
	pid_t pid;
	char *err;

	need_events();
	if (!exists(CPU1))
		SKIP("there is no second CPU that can be taken away");
	pid = start_sampling("--json");
	nr_before = nr_fds(pid);
	write_restored(CPU1, "0", "1");
	wait_for_fds(pid, true, nr_before);
	write_text(CPU1, "1");
	wait_for_fds(pid, false, nr_before);
	c = start_use(&use);
	end_use(&c, &use);
	nap_ms(500);
	err = end_sampling(pid);
	CHECK_EQ(json_number(err, "cpu_changes"), 2);
	CHECK_EQ(json_number(err, "cpus"), 2);
	CHECK_EQ(json_number(err, "unknown"), 0);
	o = shell_ok("sed -n 's/.*\"address\":\"\\(0x[0-9a-f]*\\)\".*/\\1/p' list");
	for (size_t i = 0; i < r.nr_pages; i++)
		found += list_has(o.out, region_phys(&r, i));
	CHECK_EQ(found, 64);
	output_free(&o);
	free(err);
}

/* What the kernel had no room for is told, whoever was too slow. */
TEST(perf, counts_losses, .doorless = true)
{
	struct region r = shared_region(64, 8);
	struct use use = { .r = &r, .first = 0, .nr = 64, .cpu = 0, .nr_rounds = 400 };
	struct child c;
	pid_t pid;
	char *err;

	need_events();
	pid = start_sampling("--json");
	MUST(kill(pid, SIGSTOP));
	c = start_use(&use);
	end_use(&c, &use);
	MUST(kill(pid, SIGCONT));
	nap_ms(1000);
	err = end_sampling(pid);
	/* 25,600 faults and more, and 16,384 of them find room. */
	CHECK(json_number(err, "lost") >= 9000, "%s", err);
	CHECK(json_number(err, "samples") >= 16000, "%s", err);
	CHECK(json_number(err, "lost") < 100000, "%s", err);
	free(err);
}

TEST(perf, ends_with_the_process, .doorless = true)
{
	struct region r = shared_region(16, 9);
	struct use use = { .r = &r, .first = 0, .nr = 16, .cpu = -1 };
	struct child c;
	struct output o;

	need_events();
	c = start_use(&use);
	o = shell("rm -f list; movephys sample --event faults --pid %d >list & sampler=$!; "
		  "until [ -s list ]; do kill -0 $sampler || exit; sleep 0.1; done; "
		  "kill -9 %d; wait $sampler", (int)c.pid, (int)c.pid);
	CHECK(!o.status, "status %d: %s", o.status, o.err);
	CHECK(strstr(o.err, " samples; left out: "), "%s", o.err);
	output_free(&o);
	MUST(waitpid(c.pid, NULL, 0));
	o = shell("movephys sample --event faults --pid %d", (int)c.pid);
	CHECK_EQ(o.status, 2);
	CHECK(strstr(o.err, "no such process"), "%s", o.err);
	output_free(&o);
}

/* One line, and what to do, where the machine has no PMU: an emulated processor has none. */
TEST(perf, without_a_pmu, .doorless = true)
{
	struct output o;

	need_events();
	o = shell("movephys sample --duration 10ms");
	if (!o.status)
		SKIP("this machine has a PMU that samples memory accesses");
	CHECK_EQ(o.status, 2);
	CHECK(strstr(o.err, "the event faults, first touches, works anywhere"), "%s", o.err);
	CHECK(strchr(o.err, '\n') == strrchr(o.err, '\n'), "%s", o.err);
	output_free(&o);
}

static void sample_as_nobody(struct child *me, void *arg)
{
	struct output o;

	(void)me;
	(void)arg;
	MUST(chmod("/tmp", 01777));
	MUST(setgid(65534));
	MUST(setuid(65534));
	o = shell("movephys sample --event faults --duration 10ms");
	CHECK_EQ(o.status, 2);
	CHECK(strstr(o.err, "root or CAP_PERFMON"), "%s", o.err);
	CHECK(strchr(o.err, '\n') == strrchr(o.err, '\n'), "%s", o.err);
	CHECK(!*o.out);
	output_free(&o);
}

TEST(perf, unprivileged, .doorless = true)
{
	struct child c;

	need_events();
	write_restored("/proc/sys/kernel/perf_event_paranoid", "2", "2");
	c = spawn(sample_as_nobody, NULL);
	child_end(&c);
}
