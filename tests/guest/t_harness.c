// SPDX-License-Identifier: GPL-2.0-only
/*
 * The harness tested by itself, without a door: every later test leans on
 * these helpers telling the truth.
 */
#include "harness.h"

TEST(harness, place, .doorless = true)
{
	struct region fast = region_anon(16, fast_node(), 1);
	struct region slow = region_anon(16, slow_node(), 2);

	region_expect_node(&fast, fast_node());
	region_expect_node(&slow, slow_node());
	lru_settle();
	region_verify(&fast);
	region_verify(&slow);
}

TEST(harness, pattern, .doorless = true)
{
	struct region r = region_anon(2, fast_node(), 7);

	r.va[page_size() + 77] ^= 1;
	CHECK_EQ(pattern_check(r.va, 7, 0), -1);
	CHECK_EQ(pattern_check(r.va + page_size(), 7, 1), 77);
	CHECK_NE(pattern_check(r.va, 8, 0), -1);
	CHECK_NE(pattern_check(r.va, 7, 1), -1);
}

static void child_main(struct child *me, void *arg)
{
	struct region r = region_anon(1, slow_node(), *(unsigned int *)arg);

	me->shared[0] = (uintptr_t)r.va;
	me->shared[1] = phys_of(r.va);
	child_sync(me);
	region_verify(&r);
}

TEST(harness, other_process, .doorless = true)
{
	unsigned int tag = 9;
	struct child c = spawn(child_main, &tag);
	void *va;

	wait_for(&c);
	va = (void *)(uintptr_t)c.shared[0];
	CHECK_EQ(phys_of_pid(c.pid, va), c.shared[1]);
	CHECK_EQ(node_of_pid(c.pid, va), slow_node());
	go_on(&c);
	child_end(&c);
}

TEST(harness, huge, .doorless = true)
{
	struct region r = region_huge(1, slow_node(), 3);

	region_expect_node(&r, slow_node());
	CHECK_EQ(region_phys(&r, 1), region_phys(&r, 0) + page_size());
	region_verify(&r);
}
