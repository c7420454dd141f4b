// SPDX-License-Identifier: GPL-2.0-only
/* Source page_idle: pages in use and pages that are not, told apart and moved apart. */
#include "h_command.h"
#include "h_use.h"

#define BITMAP	"/sys/kernel/mm/page_idle/bitmap"

static void need_idle_tracking(void)
{
	if (!exists(BITMAP))
		SKIP("this kernel has no " BITMAP " (CONFIG_IDLE_PAGE_TRACKING)");
}

TEST(idle, accessed_and_idle, .limit_s = 180, .doorless = true)
{
	const char *dir = cgroup_enter("idle");
	struct region r = region_anon(128, slow_node(), 1);
	struct use use = { .r = &r, .first = 32, .nr = 16 };
	struct region used = { r.va + 32 * page_size(), 16, 1 };
	struct output o;
	struct child c;

	need_idle_tracking();
	classic_lru();
	lru_settle();
	c = start_use(&use);
	o = shell_ok("movephys idle --node %d --charged %s --interval 500ms", slow_node(), dir);
	CHECK_EQ(list_count(o.out, &used), 16);
	CHECK_EQ(list_count(o.out, &r), 16);
	CHECK(!*o.err, "%s", o.err);
	output_free(&o);
	o = shell_ok("movephys idle --node %d --charged %s --interval 500ms --state idle",
		     slow_node(), dir);
	CHECK_EQ(list_count(o.out, &used), 0);
	CHECK_EQ(list_count(o.out, &r), 112);
	output_free(&o);
	o = shell_ok("movephys idle --node %d --charged %s --interval 500ms --state both",
		     slow_node(), dir);
	CHECK_EQ(list_count(o.out, &r), 128);
	output_free(&o);
	end_use(&c);
}

/* What is in use moves to the fast node, what is not stays. */
TEST(idle, to_a_move, .limit_s = 180)
{
	const char *dir = cgroup_enter("idlemove");
	struct region r = region_anon(128, slow_node(), 2);
	struct use use = { .r = &r, .first = 64, .nr = 32 };
	struct region before = { r.va, 64, 2 }, used = { r.va + 64 * page_size(), 32, 2 };
	struct output o;
	struct child c;

	need_idle_tracking();
	need_door();
	classic_lru();
	lru_settle();
	c = start_use(&use);
	o = shell("movephys idle --node %d --charged %s --interval 500ms | "
		  "movephys move --from %d --to %d --all --json --retry 5 -", slow_node(), dir,
		  slow_node(), fast_node());
	CHECK(json_number(o.out, "moved") >= 32, "%s%s", o.err, o.out);
	region_expect_node(&used, fast_node());
	region_expect_node(&before, slow_node());
	end_use(&c);
	region_verify(&r);
	verified_move();
	output_free(&o);
}

/* A touch of any page of a huge page is one of all; and it comes as one record. */
TEST(idle, huge_pages, .limit_s = 180)
{
	const char *dir = cgroup_enter("idlehuge");
	struct region r = region_huge(3, slow_node(), 3);
	size_t each = r.nr_pages / 3;
	struct use use = { .r = &r, .first = each + 77, .nr = 1 };
	struct region used = { r.va + each * page_size(), each, 3 };
	struct output o;
	struct child c;
	char line[64];

	need_idle_tracking();
	classic_lru();
	c = start_use(&use);
	o = shell_ok("movephys idle --node %d --charged %s --interval 500ms --kind anon-large",
		     slow_node(), dir);
	CHECK_EQ(list_count(o.out, &r), (long long)each);
	snprintf(line, sizeof(line), "0x%llx+2097152 1 ",
		 (unsigned long long)region_phys(&used, 0));
	CHECK(strstr(o.out, line), "no %sin: %s", line, o.out);
	output_free(&o);
	need_door();
	o = shell("movephys idle --node %d --charged %s --interval 500ms --kind anon-large | "
		  "movephys move --from %d --to %d --all -", slow_node(), dir, slow_node(),
		  fast_node());
	end_use(&c);
	CHECK_EQ(region_node(&r, 0), slow_node());
	CHECK_EQ(region_node(&r, each), fast_node());
	CHECK_EQ(region_node(&r, 2 * each - 1), fast_node());
	CHECK_EQ(region_node(&r, 2 * each), slow_node());
	region_verify(&r);
	verified_move();
	output_free(&o);
}

TEST(idle, samples, .limit_s = 180, .doorless = true)
{
	const char *dir = cgroup_enter("idlesample");
	struct region r = region_huge(16, slow_node(), 4);
	size_t seen = 0;

	need_idle_tracking();
	classic_lru();
	/* Sixteen huge pages, four rounds, one in four of them each time: 16 expected. */
	for (int i = 0; i < 4; i++) {
		struct output o = shell_ok("movephys idle --node %d --charged %s --interval 10ms "
					   "--state both --sample 1/4", slow_node(), dir);
		size_t nr = list_count(o.out, &r);

		CHECK_EQ(nr % 512, 0);
		seen += nr / 512;
		output_free(&o);
	}
	CHECK_GE(seen, 3);
	CHECK_LE(seen, 40);
}

TEST(idle, warns_of_the_generational_lru, .limit_s = 180, .doorless = true)
{
	struct output o;

	need_idle_tracking();
	if (!exists(LRU_GEN))
		SKIP("this kernel has no " LRU_GEN);
	write_restored(LRU_GEN, "7", "7");
	o = shell_ok("movephys idle --node %d --interval 1ms --summary", slow_node());
	CHECK(strstr(o.err, "warning: the multi-generational LRU is on"), "%s", o.err);
	CHECK(strstr(o.out, "accessed"), "%s", o.out);
	output_free(&o);
}

TEST(idle, ctrl_c, .limit_s = 180, .doorless = true)
{
	struct output o;

	need_idle_tracking();
	o = shell("movephys idle --rounds 0 --interval 1000s >/dev/null 2>&1 & pid=$!; "
		  WAIT_FOR_HANDLER "kill -INT $pid; wait $pid; echo $?");
	CHECK(!strcmp(o.out, "130\n"), "%s%s", o.out, o.err);
	output_free(&o);
}

/* The pipeline that the project is about. */
TEST(idle, rank_and_move, .limit_s = 120)
{
	const char *dir = cgroup_enter("idlerank");
	struct region r = region_anon(128, slow_node(), 5);
	struct use use = { .r = &r, .first = 0, .nr = 32 };
	struct region used = { r.va, 32, 5 };
	struct output o;
	struct child c;

	need_idle_tracking();
	need_command("rank");
	need_door();
	classic_lru();
	lru_settle();
	c = start_use(&use);
	o = shell("movephys idle --node %d --charged %s --state accessed --interval 1s | "
		  "movephys rank --top 512M | "
		  "movephys move --from %d --to %d --all --rate 200M/s --retry 5 --json -",
		  slow_node(), dir, slow_node(), fast_node());
	CHECK(json_number(o.out, "moved") >= 32, "%s%s", o.err, o.out);
	region_expect_node(&used, fast_node());
	CHECK_EQ(region_node(&r, 100), slow_node());
	end_use(&c);
	region_verify(&r);
	verified_move();
	output_free(&o);
}
