// SPDX-License-Identifier: GPL-2.0-only
/* The revmap door: it moves as the others do.  Where it differs: s_revmap_differs.c. */
#include "h_revmap.h"

TEST(revmap, anon, .limit_s = 180, .doorless = true)
{
	struct region r = region_anon(64, slow_node(), 1);
	struct output o = revmap(&r, 64, fast_node(), "");

	CHECK(o.status == 0, "%s%s", o.err, o.out);
	CHECK_EQ(json_number(o.out, "moved"), 64);
	region_arrived(&r, fast_node());
	output_free(&o);
	/* And again: nothing to do. */
	o = revmap(&r, 64, fast_node(), "");
	CHECK_EQ(json_number(o.out, "already"), 64);
	output_free(&o);
}

TEST(revmap, huge_page_by_any_of_its_pages, .limit_s = 180, .doorless = true)
{
	struct region r = region_huge(1, slow_node(), 2);
	struct output o = shell("movephys move --door revmap --to %d --json 0x%llx 0x%llx+64k",
				fast_node(), (unsigned long long)region_phys(&r, 77),
				(unsigned long long)region_phys(&r, 100));

	CHECK(o.status == 0, "%s%s", o.err, o.out);
	CHECK_EQ(json_number(o.out, "moved"), 17);
	region_arrived(&r, fast_node());
	CHECK_EQ(smaps_kb(r.va, "AnonHugePages:"), 2048);
	output_free(&o);
}

TEST(revmap, shared_needs_all, .limit_s = 180, .doorless = true)
{
	struct region r = region_anon(8, slow_node(), 3);
	struct child c = spawn(revmap_share, &r);
	struct output o;

	wait_for(&c);
	o = revmap(&r, 8, fast_node(), "");
	CHECK_EQ(o.status, 1);
	CHECK_EQ(json_number(o.out, "EACCES"), 8);
	region_expect_node(&r, slow_node());
	output_free(&o);
	o = revmap(&r, 8, fast_node(), "--all");
	CHECK(o.status == 0, "%s%s", o.err, o.out);
	region_arrived(&r, fast_node());
	go_on(&c);
	child_end(&c);
	output_free(&o);
}

/* And the one that is asked is heard. */
TEST(revmap, cpuset_of_the_owner, .limit_s = 180, .doorless = true)
{
	unsigned int tag = 9;
	struct child c = spawn(revmap_hold, &tag);
	uint64_t phys;
	struct output o;

	wait_for(&c);
	phys = phys_of_pid(c.pid, (void *)(uintptr_t)c.shared[0]);
	revmap_confine(c.pid);
	o = shell("movephys move --door revmap --to %d --json 0x%llx", fast_node(),
		  (unsigned long long)phys);
	CHECK_EQ(o.status, 1);
	CHECK(json_number(o.out, "EXDEV") == 1, "%s%s", o.err, o.out);
	CHECK_EQ(phys_of_pid(c.pid, (void *)(uintptr_t)c.shared[0]), phys);
	go_on(&c);
	child_end(&c);
	output_free(&o);
}

/* As the other doors say it of what is no page of a user. */
TEST(revmap, stale_addresses, .limit_s = 180, .doorless = true)
{
	/* Beyond all memory, and the frames of the kernel itself. */
	struct output o = shell("movephys move --door revmap --to %d --json 0x7ffffffff000 "
				"$(movephys zones --kind slab | head -n 1 | cut -d+ -f1)",
				fast_node());

	CHECK(o.status == 0, "%s%s", o.err, o.out);
	CHECK_EQ(json_number(o.out, "ENXIO"), 1);
	CHECK_EQ(json_number(o.out, "ENOENT"), 1);
	output_free(&o);
}

TEST(revmap, dry_run_moves_nothing, .limit_s = 180, .doorless = true)
{
	struct region r = region_anon(4, slow_node(), 6);
	struct output o = revmap(&r, 4, fast_node(), "--dry-run");

	CHECK_EQ(json_number(o.out, "would_move"), 4);
	region_expect_node(&r, slow_node());
	output_free(&o);
}

/* Opt-in: where there is no other door, it does not open by itself. */
TEST(revmap, is_never_chosen, .limit_s = 180, .doorless = true)
{
	struct region r = region_anon(1, slow_node(), 7);
	struct output o;

	if (door_present())
		SKIP("there is a door");
	o = shell("movephys move --to %d 0x%llx", fast_node(),
		  (unsigned long long)region_phys(&r, 0));
	CHECK_EQ(o.status, 2);
	region_expect_node(&r, slow_node());
	output_free(&o);
}
