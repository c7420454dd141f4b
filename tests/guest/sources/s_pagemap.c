// SPDX-License-Identifier: GPL-2.0-only
/* Source pagemap: processes, sets of them, cgroups; and moving what it found. */
#include <signal.h>
#include <sys/wait.h>

#include "h_command.h"

/* The range of a region as an argument of --range. */
static const char *range_of(const struct region *r)
{
	static char text[2][64];
	static int turn;

	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]), "0x%lx+%zu", (unsigned long)r->va,
		 r->nr_pages * page_size());
	return text[turn];
}

TEST(pagemap, process)
{
	struct region r = region_anon(64, slow_node(), 1);
	struct output o;

	need_door();
	o = shell_ok("movephys pagemap --pid %d --range %s", (int)getpid(), range_of(&r));
	CHECK_EQ(list_count(o.out, &r), 64);
	output_free(&o);
	o = shell_ok("movephys pagemap --pid %d --range %s | movephys move --to %d --json -",
		     (int)getpid(), range_of(&r), fast_node());
	CHECK_EQ(json_number(o.out, "moved"), 64);
	region_arrived(&r, fast_node());
	output_free(&o);
}

/* Only what is present, and only on the nodes asked for. */
TEST(pagemap, present_pages_of_a_node, .doorless = true)
{
	struct region slow = region_anon(16, slow_node(), 1);
	struct region fast = region_anon(16, fast_node(), 2);
	unsigned char *untouched = must_mmap(1 << 20, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct output o;

	o = shell_ok("movephys pagemap --pid %d --range %s --node %d", (int)getpid(),
		     range_of(&slow), slow_node());
	CHECK_EQ(list_count(o.out, &slow), 16);
	output_free(&o);
	o = shell_ok("movephys pagemap --pid %d --range %s --node %d", (int)getpid(),
		     range_of(&fast), slow_node());
	CHECK_EQ(list_lines(o.out), 0);
	output_free(&o);
	o = shell_ok("movephys pagemap --pid %d --range 0x%lx+1M", (int)getpid(),
		     (unsigned long)untouched);
	CHECK_EQ(list_lines(o.out), 0);
	output_free(&o);
}

TEST(pagemap, huge_page_is_one_record)
{
	struct region r = region_huge(2, slow_node(), 3);
	struct output o;
	char line[64];

	o = shell_ok("movephys pagemap --pid %d --range %s", (int)getpid(), range_of(&r));
	CHECK_EQ(list_count(o.out, &r), (long long)r.nr_pages);
	CHECK_LE(list_lines(o.out), 2);
	for (size_t i = 0; i < r.nr_pages; i += r.nr_pages / 2) {
		snprintf(line, sizeof(line), "0x%llx+", (unsigned long long)region_phys(&r, i));
		if (list_lines(o.out) == 2)
			CHECK(strstr(o.out, line), "%s is not in: %s", line, o.out);
	}
	output_free(&o);
	need_door();
	o = shell_ok("movephys pagemap --pid %d --range %s | movephys move --to %d -",
		     (int)getpid(), range_of(&r), fast_node());
	output_free(&o);
	region_arrived(&r, fast_node());
	CHECK_EQ(smaps_kb(r.va, "AnonHugePages:"), 4096);
}


static void hold(struct child *me, void *arg)
{
	struct region r = region_anon(32, slow_node(), *(unsigned int *)arg);

	me->shared[0] = (uint64_t)(uintptr_t)r.va;
	child_sync(me);
	region_arrived(&r, fast_node());
}

TEST(pagemap, set_of_processes)
{
	unsigned int tags[2] = { 5, 6 };
	struct child a = spawn(hold, &tags[0]), b = spawn(hold, &tags[1]);
	struct output o;

	need_door();
	wait_for(&a);
	wait_for(&b);
	/* --from leaves alone what the programs share with the test. */
	o = shell("movephys pagemap --pid %d,%d --kind anon --mapped 1 | "
		  "movephys move --from %d --to %d --json -", (int)a.pid, (int)b.pid, slow_node(),
		  fast_node());
	CHECK_GE(json_number(o.out, "moved"), 64);
	go_on(&a);
	go_on(&b);
	child_end(&a);
	child_end(&b);
	output_free(&o);
}

TEST(pagemap, cgroup)
{
	const char *dir = cgroup_enter("pagemap");
	unsigned int tag = 7;
	struct child c = spawn(hold, &tag);
	struct output o;

	need_door();
	wait_for(&c);
	o = shell("movephys pagemap --cgroup %s --kind anon | movephys move --from %d --to %d "
		  "--json -", dir, slow_node(), fast_node());
	CHECK_GE(json_number(o.out, "moved"), 32);
	go_on(&c);
	child_end(&c);
	output_free(&o);
}

TEST(pagemap, vanished_process, .doorless = true)
{
	struct region r = region_anon(8, slow_node(), 8);
	pid_t gone = MUST(fork());
	struct output o;

	if (!gone)
		_exit(0);
	MUST(waitpid(gone, NULL, 0));
	o = shell("movephys pagemap --pid %d", (int)gone);
	CHECK_EQ(o.status, 2);
	CHECK(strstr(o.err, "no such process"), "%s", o.err);
	CHECK_EQ(list_lines(o.out), 0);
	output_free(&o);
	/* In a set it is told of, and the others come. */
	o = shell("movephys pagemap --pid %d,%d --range %s", (int)gone, (int)getpid(),
		  range_of(&r));
	CHECK_EQ(o.status, 0);
	CHECK(strstr(o.err, "warning"), "%s", o.err);
	CHECK_EQ(list_count(o.out, &r), 8);
	output_free(&o);
}

/* There and back: what was moved is put back by the file that told of it. */
TEST(pagemap, undo)
{
	struct region r = region_anon(64, slow_node(), 9);
	struct output o;

	need_door();
	o = shell_ok("movephys pagemap --pid %d --range %s | "
		     "movephys move --to %d --undo-file undo.txt -", (int)getpid(), range_of(&r),
		     fast_node());
	output_free(&o);
	region_arrived(&r, fast_node());
	o = shell_ok("movephys move --undo undo.txt --json");
	CHECK_EQ(json_number(o.out, "moved"), 64);
	region_arrived(&r, slow_node());
	output_free(&o);
}

/*
 * A batch is a tenth of a second's worth, and up to a huge page more as it ends between
 * huge pages: so physical addresses that follow one another make it longer.
 */
TEST(pagemap, rate_and_max)
{
	const long long per_s = 1024, max = 2048, batch_max = per_s / 10 + 512;
	struct region r = region_anon(4096, slow_node(), 10);
	struct output o;
	long long start, took, nr = 0;

	need_door();
	start = now_ms();
	o = shell_ok("movephys pagemap --pid %d --range %s | "
		     "movephys move --to %d --rate 4M/s --max 8M --json -", (int)getpid(),
		     range_of(&r), fast_node());
	took = now_ms() - start;
	for (size_t i = 0; i < r.nr_pages; i++)
		nr += region_node(&r, i) == fast_node();
	CHECK_GE(nr, max);
	CHECK_LE(nr, max + 512);
	CHECK_EQ(json_number(o.out, "moved"), nr);
	/* The last batch is not waited for. */
	CHECK_GE(took, (nr - batch_max) * 1000 / per_s);
	region_verify(&r);
	output_free(&o);
}
