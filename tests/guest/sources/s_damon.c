// SPDX-License-Identifier: GPL-2.0-only
/* Source DAMON: a monitor of the command's own, and one that runs already. */
#include "h_command.h"
#include "h_use.h"

#define KDAMONDS	"/sys/kernel/mm/damon/admin/kdamonds"
#define NR_KDAMONDS	KDAMONDS "/nr_kdamonds"
#define CONTEXT		KDAMONDS "/0/contexts/0/"
#define NR_HUGE		16

static void need_damon(void)
{
	if (!exists(NR_KDAMONDS))
		SKIP("this kernel has no DAMON (" NR_KDAMONDS ")");
	need_command("damon");
}

/* Nothing of a monitor is left. */
static void check_gone(void)
{
	struct output o = shell_ok("cat " NR_KDAMONDS);

	CHECK(!strcmp(o.out, "0\n"), "%s kdamonds are left", o.out);
	output_free(&o);
}

/* How many bytes the lines of a list name within a region of huge pages. */
static unsigned long long bytes_of(const char *list, const struct region *r)
{
	unsigned long long sum = 0;
	char *copy = strdup(list);

	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long long start, size, end;

		if (sscanf(line, "0x%llx+%llu", &start, &size) != 2)
			continue;
		end = start + size;
		for (size_t i = 0; i < r->nr_pages; i += 512) {
			unsigned long long from = region_phys(r, i), to = from + (2 << 20);

			if (from < end && start < to)
				sum += (to < end ? to : end) - (from > start ? from : start);
		}
	}
	free(copy);
	return sum;
}

/* All of a node is monitored, each byte once, and the lines are input of the others. */
TEST(damon, covers_the_node, .doorless = true)
{
	struct output o, zones;
	char *line;
	unsigned long long start, size, last = 0, sum = 0, wanted = 0;

	need_damon();
	o = shell_ok("movephys damon --start --node %d --state both --interval 300ms",
		     slow_node());
	zones = shell_ok("movephys zones --node %d", slow_node());
	for (line = strtok(zones.out, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "0x%llx+%llu", &start, &size) == 2)
			wanted += size;
	for (line = strtok(o.out, "\n"); line; line = strtok(NULL, "\n")) {
		CHECK(sscanf(line, "0x%llx+%llu", &start, &size) == 2, "%s", line);
		CHECK_GE(start, last);
		last = start + size;
		sum += size;
	}
	CHECK_GE(sum, 256 << 20);
	CHECK_EQ(sum, wanted);
	check_gone();
	output_free(&o);
	output_free(&zones);
}

/* What is used moves to the fast node; of what is not, most stays. */
TEST(damon, to_a_move, .limit_s = 120)
{
	struct region hot = region_huge(NR_HUGE, slow_node(), 2);
	struct region cold = region_huge(NR_HUGE, slow_node(), 3);
	/* One page of each huge page, so that a round takes no longer than DAMON's samples. */
	struct use use = { .r = &hot, .first = 0, .nr = hot.nr_pages, .step = 512 };
	unsigned int arrived = 0, strayed = 0;
	struct output o;
	struct child c;

	need_damon();
	need_door();
	classic_lru();
	c = start_use(&use);
	o = shell("movephys damon --start --node %d --regions 200-1000 --interval 4s --min 2 | "
		  "tee /tmp/damon | movephys move --from %d --to %d --all --retry 5 --json -; "
		  "cat /tmp/damon", slow_node(), slow_node(), fast_node());
	end_use(&c);
	for (size_t i = 0; i < hot.nr_pages; i += 512) {
		arrived += region_node(&hot, i) == fast_node();
		strayed += region_node(&cold, i) == fast_node();
	}
	CHECK(arrived >= NR_HUGE * 3 / 4, "%u of %u huge pages in use arrived: %s%s", arrived,
	      NR_HUGE, o.err, o.out);
	CHECK(strayed <= NR_HUGE / 2, "%u of %u huge pages not in use came too: %s", strayed,
	      NR_HUGE, o.out);
	CHECK(strstr(o.out, " # accesses="), "%s", o.out);
	region_verify(&hot);
	region_verify(&cold);
	verified_move();
	check_gone();
	output_free(&o);
}

/* A monitor that an operator has set up; the command leaves it as it is. */
TEST(damon, reads_a_running_one, .doorless = true)
{
	struct region r = region_huge(4, slow_node(), 4);
	struct output o, after;
	char scheme[] = CONTEXT "schemes/0";

	need_damon();
	damon_monitor_on(region_phys(&r, 0), 2 << 20);
	o = shell("movephys damon --kdamond 0 --state both --rounds 2 --interval 200ms");
	after = shell("cat " KDAMONDS "/0/state %s/action; echo off >" KDAMONDS "/0/state; "
		      "movephys damon 2>&1", scheme);
	damon_monitor_off();
	CHECK(!o.status, "%s", o.err);
	/* Both snapshots, of this range alone. */
	CHECK_EQ(bytes_of(o.out, &r), 2 * (2 << 20));
	CHECK(!strncmp(after.out, "on\nstat\n", 8), "%s", after.out);
	CHECK(strstr(after.out, "kdamond 0 does not run"), "%s", after.out);
	output_free(&o);
	output_free(&after);
}

TEST(damon, tells_why_not, .doorless = true)
{
	struct output o;

	need_damon();
	o = shell("movephys damon");
	CHECK_EQ(o.status, 2);
	CHECK(strstr(o.err, "there is no kdamond 0; --start runs one"), "%s", o.err);
	output_free(&o);
	o = shell("echo 1 >" NR_KDAMONDS "; movephys damon --start; echo $?; echo 0 >" NR_KDAMONDS);
	CHECK(strstr(o.err, "DAMON is in use"), "%s", o.err);
	CHECK(!strcmp(o.out, "2\n"), "%s", o.out);
	output_free(&o);
	o = shell("movephys damon --start --within 0x1000+4K --regions 10-3");
	CHECK_EQ(o.status, 2);
	output_free(&o);
	check_gone();
}

/* However it ends, but by SIGKILL, no monitor is left behind. */
TEST(damon, cleans_up, .doorless = true)
{
	static const struct { const char *name; int status; } signals[] = {
		{ "INT", 130 }, { "TERM", 143 }, { "HUP", 129 },
	};
	struct output o;

	need_damon();
	for (size_t i = 0; i < 3; i++) {
		o = shell("movephys damon --start --rounds 0 --interval 100s >/dev/null & pid=$!; "
			  "while [ \"$(cat " KDAMONDS "/0/state 2>/dev/null)\" != on ]; do "
			  "sleep 0.1; done; kill -%s $pid; wait $pid; echo $?", signals[i].name);
		CHECK(atoi(o.out) == signals[i].status, "SIG%s: %s%s", signals[i].name, o.out,
		      o.err);
		check_gone();
		output_free(&o);
	}
	/* A reader that goes away. */
	o = shell("movephys damon --start --rounds 0 --interval 10ms --state both | head -n 1");
	CHECK(!strncmp(o.out, "0x", 2), "%s%s", o.out, o.err);
	for (int i = 0; i < 50; i++) {
		struct output left = shell("cat " NR_KDAMONDS);
		bool gone = !strcmp(left.out, "0\n");

		output_free(&left);
		if (gone)
			break;
		usleep(100000);
	}
	check_gone();
	output_free(&o);
}
