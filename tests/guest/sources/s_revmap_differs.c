// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the revmap door differs from the others, as movephys-move(1) lists it, each beside
 * what the other door answers.  Not provoked here, and why:
 *
 *  - that it waits for locked pages: a page that is locked for long is being read from a
 *    disk and not mapped yet, so that this door does not get to it; for writeback, which
 *    takes the same turn in the kernel, it is;
 *  - that a page may be replaced between being found and being moved, or between the move
 *    and the look at where it is: a matter of microseconds inside the command, which no
 *    test can enter.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kernel-page-flags.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "h_revmap.h"

#include "../h_disk.h"
#include "../h_hugetlb.h"

/* ---- What it does not ask ---- */

/* Difference: cache that nobody maps cannot be moved, whatever the flags. */
TEST(revmap, differs_unmapped_cache, .limit_s = 180, .doorless = true)
{
	int fd = MUST(open("revmap-file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	struct region r = { .nr_pages = 4, .tag = 4 };
	char addresses[256];
	struct output o;

	MUST(ftruncate(fd, 4 * (off_t)page_size()));
	r = region_file(fd, 4, slow_node(), 4, MAP_SHARED);
	region_list(&r, 4, addresses, sizeof(addresses));
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
TEST(revmap, differs_memory_policy, .limit_s = 180, .doorless = true)
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

/*
 * Difference: of those who share a page only one is asked for his cpuset.  That is
 * the one with the lowest number, here this process, which is not confined.
 */
TEST(revmap, differs_cpuset, .limit_s = 180, .doorless = true)
{
	struct region r = region_anon(4, slow_node(), 8);
	struct child c = spawn(revmap_share, &r);
	struct output o;

	wait_for(&c);
	CHECK(c.pid > getpid(), "process numbers have wrapped around");
	revmap_confine(c.pid);
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

/* ---- Waiting and reclaim ---- */

/* Difference: as if --sync was given. */
TEST(revmap, differs_writeback, .limit_s = 180, .doorless = true)
{
	struct output o;
	struct child c;
	uint64_t phys = slow_writeback(&c, 512);

	if (door_present()) {
		o = shell("movephys move --to %d --json 0x%llx", fast_node(),
			  (unsigned long long)phys);
		/* A machine that is starved takes longer for this than the disk. */
		if (!under_writeback(phys))
			SKIP("writeback ended too early to tell");
		CHECK(json_number(o.out, "EAGAIN") == 1, "%s%s", o.err, o.out);
		output_free(&o);
	}
	o = shell("movephys move --door revmap --to %d --json 0x%llx", fast_node(),
		  (unsigned long long)phys);
	/* It has waited, but so has the writer, who may hold a reference a moment longer. */
	if (json_number(o.out, "EBUSY") == 1 && !under_writeback(phys)) {
		output_free(&o);
		o = shell("movephys move --door revmap --retry 5 --to %d --json 0x%llx",
			  fast_node(), (unsigned long long)phys);
	}
	CHECK(json_number(o.out, "moved") == 1, "%s%s", o.err, o.out);
	output_free(&o);
	slow_writeback_end(&c, fast_node(), 0);
}

/* Memory of the node that nobody needs any more, but that is not free either. */
static void fill_reclaimable(int node)
{
	const size_t left = 4000;	/* above what the kernel keeps for itself */
	size_t spare = node_free_pages(node), len;
	unsigned char *hog;

	CHECK_GE(spare, 2 * left);
	len = (spare - left) * page_size();
	hog = must_mmap(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);
	bind_range(hog, len, node);
	for (size_t at = 0; at < len; at += page_size())
		hog[at] = 1;
	MUST(madvise(hog, len, MADV_FREE));
	lru_settle();
}

/* Difference: the kernel may reclaim on the target. */
TEST(revmap, differs_reclaim, .limit_s = 180, .doorless = true)
{
	static const char line[] = "movephys pagemap --pid %d --range 0x%lx+%zu | "
				   "movephys move %s --to %d --json -";
	struct region r;
	struct output o;

	write_restored("/proc/sys/vm/min_free_kbytes", "2048", NULL);
	fill_reclaimable(slow_node());
	r = region_anon(node_free_pages(slow_node()) + 8000, fast_node(), 10);
	if (node_free_pages(slow_node()) >= r.nr_pages)
		SKIP("kswapd made room on its own before anything was moved");
	if (door_present()) {
		o = shell(line, (int)getpid(), (unsigned long)r.va, r.nr_pages * page_size(), "",
			  slow_node());
		CHECK(json_number(o.out, "ENOMEM") >= 1, "%s%s", o.err, o.out);
		output_free(&o);
	}
	o = shell(line, (int)getpid(), (unsigned long)r.va, r.nr_pages * page_size(),
		  "--door revmap --retry 5", slow_node());
	CHECK(!o.status, "status %d: %s%s", o.status, o.err, o.out);
	output_free(&o);
	region_arrived(&r, slow_node());
}

/* ---- Whom it may look into ---- */

struct addresses {
	char text[256];
	struct region *r;
};

/* Root, but not everybody's keeper: what it runs lacks a right that the test has. */
static void move_without_ptrace(struct child *me, void *arg)
{
	const struct addresses *a = arg;
	struct output o;

	(void)me;
	region_unmap(a->r);
	MUST(prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0));
	o = shell("movephys move --door revmap --to %d --json%s", fast_node(), a->text);
	CHECK(!o.status, "status %d: %s%s", o.status, o.err, o.out);
	CHECK(json_number(o.out, "ESRCH") == 4, "%s%s", o.err, o.out);
	output_free(&o);
	if (door_present()) {
		o = shell("movephys move --to %d --json%s", fast_node(), a->text);
		CHECK(json_number(o.out, "moved") == 4, "%s%s", o.err, o.out);
		output_free(&o);
	}
}

/* Difference: a process that may not be looked into has no pages for it. */
TEST(revmap, differs_closed_process, .limit_s = 180, .doorless = true)
{
	struct region r = region_anon(4, slow_node(), 11);
	struct addresses a = { .r = &r };
	struct child c;

	region_list(&r, 4, a.text, sizeof(a.text));
	c = spawn(move_without_ptrace, &a);
	child_end(&c);
	region_arrived(&r, door_present() ? fast_node() : slow_node());
}

/* ---- Kinds ---- */

/* What move_pages(2) itself answers for a page of this process. */
static int move_by_kernel(void *va, int node)
{
	int status = -EAGAIN;

	MUST(syscall(SYS_move_pages, 0, 1UL, &va, &node, &status, MPOL_MF_MOVE));
	return status;
}

/*
 * Difference: hugetlb pages move where move_pages(2) moves them: by any of their addresses,
 * but on Linux 6.1 by the first one only.
 */
TEST(revmap, differs_hugetlb, .limit_s = 180, .doorless = true)
{
	struct hugetlb_pool from = hugetlb_pool(slow_node(), 1), to = hugetlb_pool(fast_node(), 1);
	struct region r = region_hugetlb(1, slow_node(), 12, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	bool by_any = move_by_kernel(r.va + 5 * page_size(), fast_node()) == fast_node();
	struct output o;

	if (by_any)
		CHECK_EQ(move_by_kernel(r.va, slow_node()), slow_node());
	CHECK_EQ(region_node(&r, 0), slow_node());
	o = shell("movephys move --door revmap --to %d --json 0x%llx", fast_node(),
		  (unsigned long long)region_phys(&r, 5));
	CHECK(json_number(o.out, by_any ? "moved" : "EACCES") == 1, "%s%s", o.err, o.out);
	output_free(&o);
	if (!by_any) {
		o = revmap(&r, 1, fast_node(), "");
		CHECK(json_number(o.out, "moved") == 1, "%s%s", o.err, o.out);
		output_free(&o);
	}
	region_verify(&r);
	CHECK_EQ(region_node(&r, 0), fast_node());
	CHECK_EQ(region_node(&r, r.nr_pages - 1), fast_node());
	verified_move();
	hugetlb_pool_expect(&from);
	hugetlb_pool_expect(&to);
}

/*
 * Difference: pages on their way to an LRU list may answer ENOENT, as the kernel's flags do
 * not tell them from its own.  They are on that way until somebody fills the batch.
 */
TEST(revmap, differs_fresh_cache, .limit_s = 180, .doorless = true)
{
	int fd = (int)MUST(memfd_create("fresh", MFD_CLOEXEC));
	struct region r = region_file(fd, 4, slow_node(), 13, MAP_SHARED);
	char addresses[256];
	long long fresh, settled;
	struct output o;

	region_list(&r, 4, addresses, sizeof(addresses));
	MUST(munmap(r.va, 4 * page_size()));
	o = shell("movephys move --door revmap --to %d --json%s", fast_node(), addresses);
	fresh = json_number(o.out, "ENOENT");
	settled = json_number(o.out, "ESRCH");
	CHECK((fresh < 0 ? 0 : fresh) + (settled < 0 ? 0 : settled) == 4, "%s%s", o.err, o.out);
	output_free(&o);
	lru_settle();
	o = shell("movephys move --door revmap --to %d --json%s", fast_node(), addresses);
	CHECK(json_number(o.out, "ESRCH") == 4, "%s%s", o.err, o.out);
	output_free(&o);
}

/* ---- What it says ---- */

/* Difference: a dry run asks whether a page is shared, and not for cpusets. */
TEST(revmap, differs_dry_run, .limit_s = 180, .doorless = true)
{
	struct region r = region_anon(4, slow_node(), 14);
	unsigned int tag = 15;
	struct child confined = spawn(revmap_hold, &tag), sharer;
	struct output o;
	uint64_t phys;

	wait_for(&confined);
	phys = phys_of_pid(confined.pid, (void *)(uintptr_t)confined.shared[0]);
	revmap_confine(confined.pid);
	if (door_present()) {
		o = shell("movephys move --dry-run --to %d --json 0x%llx", fast_node(),
			  (unsigned long long)phys);
		CHECK(json_number(o.out, "EXDEV") == 1, "%s%s", o.err, o.out);
		output_free(&o);
	}
	o = shell("movephys move --door revmap --dry-run --to %d --json 0x%llx", fast_node(),
		  (unsigned long long)phys);
	CHECK(json_number(o.out, "would_move") == 1, "%s%s", o.err, o.out);
	output_free(&o);
	go_on(&confined);
	child_end(&confined);

	sharer = spawn(revmap_share, &r);
	wait_for(&sharer);
	o = revmap(&r, 4, fast_node(), "--dry-run");
	CHECK(json_number(o.out, "EACCES") == 4, "%s%s", o.err, o.out);
	output_free(&o);
	go_on(&sharer);
	child_end(&sharer);
}

/* Difference: it leaves no trace in the counters and the tracepoint of the other doors. */
TEST(revmap, differs_counters)
{
	const char *dir = mount_at("tracefs", "none", "tracefs", NULL);
	struct region r = region_anon(4, slow_node(), 16);
	struct counters before, after;
	char enable[160], trace[160];
	struct output o;

	need_door();
	snprintf(enable, sizeof(enable), "%s/events/move_phys_pages/enable", dir);
	snprintf(trace, sizeof(trace), "%s/trace", dir);
	if (!exists("%s", enable))
		SKIP("this kernel has no trace events of move_phys_pages");
	write_restored(enable, "1", "0");
	close((int)MUST(open(trace, O_WRONLY | O_TRUNC | O_CLOEXEC)));
	counters_read(&before);
	o = revmap(&r, 4, fast_node(), "");
	CHECK(json_number(o.out, "moved") == 4, "%s%s", o.err, o.out);
	output_free(&o);
	counters_read(&after);
	after = counters_diff(&after, &before);
	CHECK_EQ(counters_total(&after), 0);
	CHECK(!strstr(read_text("%s", trace), "mpp_batch"), "the tracepoint told of it");
	/* So that this means something: */
	o = shell_ok("movephys move --to %d 0x%llx", slow_node(),
		     (unsigned long long)region_phys(&r, 0));
	output_free(&o);
	CHECK(strstr(read_text("%s", trace), "mpp_batch"), "the tracepoint tells of nothing");
}
