// SPDX-License-Identifier: GPL-2.0-only
/* The revmap door: it moves, and it differs where the manual page says it does. */
#include <fcntl.h>
#include <sys/stat.h>

#include "h_command.h"

static struct output revmap(const struct region *r, size_t nr, int node, const char *options)
{
	char list[4096] = "";
	size_t len = 0;

	for (size_t i = 0; i < nr; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, " 0x%llx",
					(unsigned long long)region_phys(r, i));
	return shell("movephys move --door revmap --to %d --json %s%s", node, options, list);
}

TEST(revmap, anon, .doorless = true)
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

TEST(revmap, huge_page_by_any_of_its_pages, .doorless = true)
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

static void share(struct child *me, void *arg)
{
	const struct region *r = arg;

	for (size_t i = 0; i < r->nr_pages; i++)
		(void)*(volatile unsigned char *)(r->va + i * page_size());
	child_sync(me);
	region_verify(r);
}

static void hold(struct child *me, void *arg)
{
	struct region r = region_anon(1, slow_node(), *(unsigned int *)arg);

	me->shared[0] = (uint64_t)(uintptr_t)r.va;
	child_sync(me);
	region_verify(&r);
}

TEST(revmap, shared_needs_all, .doorless = true)
{
	struct region r = region_anon(8, slow_node(), 3);
	struct child c = spawn(share, &r);
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

/* Difference: cache that nobody maps cannot be moved, whatever the flags. */
TEST(revmap, differs_unmapped_cache, .doorless = true)
{
	int fd = MUST(open("revmap-file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	struct region r = { .nr_pages = 4, .tag = 4 };
	char addresses[256] = "";
	size_t len = 0;
	struct output o;

	MUST(ftruncate(fd, 4 * (off_t)page_size()));
	r = region_file(fd, 4, slow_node(), 4, MAP_SHARED);
	for (size_t i = 0; i < 4; i++)
		len += (size_t)snprintf(addresses + len, sizeof(addresses) - len, " 0x%llx",
					(unsigned long long)region_phys(&r, i));
	MUST(munmap(r.va, 4 * page_size()));
	lru_settle();	/* pages on their way to a list look like the kernel's own */
	o = shell("movephys move --door revmap --unmapped --to %d --json%s", fast_node(),
		  addresses);
	CHECK_EQ(o.status, 0);
	CHECK_EQ(json_number(o.out, "ESRCH"), 4);
	output_free(&o);
	if (door_present()) {
		o = shell("movephys move --unmapped --to %d --json%s", fast_node(), addresses);
		CHECK_EQ(json_number(o.out, "moved"), 4);
		output_free(&o);
	}
}

/* Difference: move_pages(2) does not ask MPOL_BIND. */
TEST(revmap, differs_memory_policy, .doorless = true)
{
	struct region r = region_anon(4, slow_node(), 5);
	struct output o;

	bind_range(r.va, 4 * page_size(), slow_node());
	if (door_present()) {
		o = shell("movephys move --to %d --json 0x%llx", fast_node(),
			  (unsigned long long)region_phys(&r, 0));
		CHECK_EQ(json_number(o.out, "EPERM"), 1);
		output_free(&o);
	}
	o = revmap(&r, 4, fast_node(), "");
	CHECK_EQ(json_number(o.out, "moved"), 4);
	region_arrived(&r, fast_node());
	output_free(&o);
}

/* Puts a process into a cgroup whose cpuset has the slow node only. */
static void confine(pid_t pid)
{
	char dir[96], file[128];

	if (try_write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset"))
		SKIP("cgroup v2 has no controller cpuset");
	snprintf(dir, sizeof(dir), "/sys/fs/cgroup/revmap-%d", (int)pid);
	CHECK(!mkdir(dir, 0755), "%s: %s", dir, strerror(errno));
	snprintf(file, sizeof(file), "%s/cpuset.mems", dir);
	write_text(file, "%d", slow_node());
	snprintf(file, sizeof(file), "%s/cgroup.procs", dir);
	write_text(file, "%d", (int)pid);
}

/*
 * Difference: of those who share a page only one is asked for his cpuset.  That is
 * the one with the lowest number, here this process, which is not confined.
 */
TEST(revmap, differs_cpuset, .doorless = true)
{
	struct region r = region_anon(4, slow_node(), 8);
	struct child c = spawn(share, &r);
	struct output o;

	wait_for(&c);
	CHECK(c.pid > getpid(), "process numbers have wrapped around");
	confine(c.pid);
	if (door_present()) {
		o = shell("movephys move --all --to %d --json 0x%llx", fast_node(),
			  (unsigned long long)region_phys(&r, 0));
		CHECK_EQ(json_number(o.out, "EXDEV"), 1);
		output_free(&o);
	}
	o = revmap(&r, 4, fast_node(), "--all");
	CHECK(json_number(o.out, "moved") == 4, "%s%s", o.err, o.out);
	region_arrived(&r, fast_node());
	go_on(&c);
	child_end(&c);
	output_free(&o);
}

/* And the one that is asked is heard. */
TEST(revmap, cpuset_of_the_owner, .doorless = true)
{
	unsigned int tag = 9;
	struct child c = spawn(hold, &tag);
	uint64_t phys;
	struct output o;

	wait_for(&c);
	phys = phys_of_pid(c.pid, (void *)(uintptr_t)c.shared[0]);
	confine(c.pid);
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
TEST(revmap, stale_addresses, .doorless = true)
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

TEST(revmap, dry_run_moves_nothing, .doorless = true)
{
	struct region r = region_anon(4, slow_node(), 6);
	struct output o = revmap(&r, 4, fast_node(), "--dry-run");

	CHECK_EQ(json_number(o.out, "would_move"), 4);
	region_expect_node(&r, slow_node());
	output_free(&o);
}

/* Opt-in: where there is no other door, it does not open by itself. */
TEST(revmap, is_never_chosen, .doorless = true)
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
