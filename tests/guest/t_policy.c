// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may say no to a move: the cpusets and memory policies of the processes
 * that map a page, the cgroup that is charged for one that nobody maps, and
 * the cpuset of the caller.  Each refusal is checked by its status and by the
 * counter of its reason, and each test shows that the same page moves once
 * the reason is gone.
 */
#include "harness.h"
#include "h_disk.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef MPOL_PREFERRED_MANY
#define MPOL_PREFERRED_MANY 5
#endif
#ifndef MPOL_WEIGHTED_INTERLEAVE
#define MPOL_WEIGHTED_INTERLEAVE 6
#endif

#define CGROUP_ROOT "/sys/fs/cgroup"

/* ---- Control groups -------------------------------------------------- */

/* A controller that a v1 mount has just given up takes a moment to come back. */
static void cgroup_enable(const char *controller)
{
	int err = 0;
	char text[32];

	if (!exists(CGROUP_ROOT "/cgroup.controllers"))
		SKIP("cgroup v2 is not mounted at " CGROUP_ROOT);
	snprintf(text, sizeof(text), "+%s", controller);
	for (int i = 0; i < 300; i++) {
		err = try_write(CGROUP_ROOT "/cgroup.subtree_control", text);
		if (!err)
			return;
		nap_ms(100);
	}
	SKIP("cgroup v2 has no controller %s: %s", controller, strerror(-err));
}

/* A new cgroup whose cpuset has one node; -1: both. */
static const char *cgroup_new(const char *name, int node)
{
	static char path[4][64];
	static unsigned int turn;
	char *dir = path[turn++ % 4], file[96];

	cgroup_enable("cpuset");
	snprintf(dir, sizeof(path[0]), CGROUP_ROOT "/mpp-%s", name);
	rmdir(dir);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		FAIL("mkdir %s: %s", dir, strerror(errno));
	snprintf(file, sizeof(file), "%s/cpuset.mems", dir);
	if (node < 0)
		write_text(file, "%d,%d", fast_node(), slow_node());
	else
		write_text(file, "%d", node);
	return dir;
}

static void cgroup_set_mems(const char *dir, const char *mems)
{
	char file[96];

	snprintf(file, sizeof(file), "%s/cpuset.mems", dir);
	write_text(file, "%s", mems);
}

/* pid 0: the caller. */
static void cgroup_join(const char *dir, pid_t pid)
{
	char file[96];

	snprintf(file, sizeof(file), "%s/cgroup.procs", dir);
	write_text(file, "%d", (int)pid);
}

static void cgroup_leave(pid_t pid)
{
	cgroup_join(CGROUP_ROOT, pid);
}

/* ---- Expectations ---------------------------------------------------- */

/* The refusal has this status, is counted under this name, and moves nothing. */
static void expect_refusal(const struct region *r, int node, int flags, int status,
			   const char *reason)
{
	struct counters before, after, diff;
	uint64_t phys = region_phys(r, 0);
	int from = region_node(r, 0);

	/* Another call's answer may be -EAGAIN once; a refusal is never that. */
	counters_read(&before);
	CHECK_STATUS(move_one(phys, node, flags, NULL), status);
	counters_read(&after);
	diff = counters_diff(&after, &before);
	CHECK(counter(&diff, reason) == 1, "outcome %s was counted %lld times", reason,
	      counter(&diff, reason));
	CHECK_EQ(region_phys(r, 0), phys);
	CHECK_EQ(region_node(r, 0), from);
}

static void set_policy(int mode, int node)
{
	unsigned long mask = 1UL << node;

	MUST(syscall(SYS_set_mempolicy, mode, &mask, sizeof(mask) * 8UL));
}

/* False when the kernel does not know the mode. */
static bool bind_mode(const struct region *r, int mode, unsigned long mask)
{
	long ret = syscall(SYS_mbind, r->va, r->nr_pages * page_size(), mode, &mask,
			   sizeof(mask) * 8UL, 0U);

	if (ret < 0 && errno == EINVAL)
		return false;
	CHECK(ret == 0, "mbind with mode %d: %s", mode, strerror(errno));
	return true;
}

static unsigned long both_nodes(void)
{
	return 1UL << fast_node() | 1UL << slow_node();
}

/* ---- cpusets --------------------------------------------------------- */

/* Holds its parent's memory as it was at the fork. */
static void child_idle(struct child *me, void *arg)
{
	(void)arg;
	child_sync(me);
}

TEST(policy, cpuset_of_sharer)
{
	const char *dir = cgroup_new("sharer", slow_node());
	struct region r = region_anon(4, slow_node(), 1);
	struct child c = spawn(child_idle, NULL);

	wait_for(&c);
	cgroup_join(dir, c.pid);
	expect_refusal(&r, fast_node(), MPOL_MF_MOVE_ALL, -EXDEV, "cpuset_of_process");
	/* Allowed for the other node, and again once the child is out. */
	CHECK_STATUS(move_one(region_phys(&r, 0), slow_node(), MPOL_MF_MOVE_ALL, NULL),
		     slow_node());
	cgroup_leave(c.pid);
	region_move_patient(&r, fast_node(), MPOL_MF_MOVE_ALL);
	go_on(&c);
	child_end(&c);
}

static void child_looks(struct child *me, void *arg)
{
	region_verify(arg);
	child_sync(me);
}

/* Processes that map a file alike still have a cpuset each. */
TEST(policy, cpuset_of_one_who_maps_a_file)
{
	const char *dir = cgroup_new("file", slow_node());
	struct region r = region_file(disk_file_new().fd, 1, slow_node(), 1, MAP_SHARED);
	struct child c = spawn(child_looks, &r);

	wait_for(&c);
	cgroup_join(dir, c.pid);
	lru_settle();
	expect_refusal(&r, fast_node(), MPOL_MF_MOVE_ALL, -EXDEV, "cpuset_of_process");
	go_on(&c);
	child_end(&c);
	region_move_patient(&r, fast_node(), MPOL_MF_MOVE_ALL);
}

/* The override is for memory policies only. */
TEST(policy, cpuset_despite_override)
{
	const char *dir = cgroup_new("override", slow_node());
	struct region r = region_anon(1, slow_node(), 1);
	struct child c = spawn(child_idle, NULL);

	wait_for(&c);
	cgroup_join(dir, c.pid);
	expect_refusal(&r, fast_node(), MPOL_MF_MOVE_ALL | MPP_MF_IGNORE_MEMPOLICY, -EXDEV,
		       "cpuset_of_process");
	go_on(&c);
	child_end(&c);
	region_move_patient(&r, fast_node(), MPOL_MF_MOVE_ALL | MPP_MF_IGNORE_MEMPOLICY);
}

/* With and without the flag, a dry run says what the move would. */
TEST(policy, cpuset_in_dry_run)
{
	const char *dir = cgroup_new("dry", slow_node());
	struct region r = region_anon(1, slow_node(), 1);
	struct child c = spawn(child_idle, NULL);

	wait_for(&c);
	cgroup_join(dir, c.pid);
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(),
			      MPOL_MF_MOVE_ALL | MPP_MF_DRY_RUN, NULL), -EXDEV);
	go_on(&c);
	child_end(&c);
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(),
			      MPOL_MF_MOVE_ALL | MPP_MF_DRY_RUN, NULL), fast_node());
	CHECK_EQ(region_node(&r, 0), slow_node());
}

/* Its own memory, so that what other processes share does not interfere. */
static void child_with_memory(struct child *me, void *arg)
{
	struct region *r = arg, mine = region_anon(r->nr_pages, slow_node(), r->tag);

	me->shared[0] = (uintptr_t)mine.va;
	for (size_t i = 0; i < mine.nr_pages; i++)
		me->shared[1 + i] = region_phys(&mine, i);
	child_sync(me);
	region_verify(&mine);
}

TEST(policy, cpuset_of_caller)
{
	const char *dir = cgroup_new("caller", slow_node());
	struct region want = { .nr_pages = 2, .tag = 5 };
	struct child c = spawn(child_with_memory, &want);
	struct counters before, after, diff;

	wait_for(&c);
	cgroup_join(dir, 0);
	counters_read(&before);
	CHECK_STATUS(move_one(c.shared[1], fast_node(), 0, NULL), -EXDEV);
	counters_read(&after);
	diff = counters_diff(&after, &before);
	CHECK_EQ(counter(&diff, "cpuset_of_caller"), 1);
	/* To ask needs no room on a node. */
	CHECK_STATUS(query_one(c.shared[1], 0), slow_node());
	cgroup_leave(0);
	CHECK_STATUS(move_one_patient(c.shared[1], fast_node(), 0, NULL), fast_node());
	CHECK_EQ(node_of_pid(c.pid, (void *)(uintptr_t)c.shared[0]), fast_node());
	go_on(&c);
	child_end(&c);
}

/*
 * The cpuset of a process whose first thread has ended is asked all the same:
 * the memory then belongs to another thread.
 */
static void *outlive_leader(void *arg)
{
	struct child *me = arg;

	nap_ms(100);
	child_sync(me);
	_exit(0);
}

static void child_leader_exits(struct child *me, void *arg)
{
	static struct child kept;
	pthread_t thread;

	(void)arg;
	kept = *me;
	CHECK_EQ(pthread_create(&thread, NULL, outlive_leader, &kept), 0);
	/* Past the C library, which would run exit handlers of the parent's. */
	syscall(SYS_exit, 0);
}

TEST(policy, cpuset_leader_exited)
{
	const char *dir = cgroup_new("leader", slow_node());
	struct region r = region_anon(1, slow_node(), 1);
	struct child c = spawn(child_leader_exits, NULL);

	cgroup_join(dir, c.pid);
	wait_for(&c);
	expect_refusal(&r, fast_node(), MPOL_MF_MOVE_ALL, -EXDEV, "cpuset_of_process");
	go_on(&c);
	child_end(&c);
	region_move_patient(&r, fast_node(), MPOL_MF_MOVE_ALL);
}

/* ---- Mappings that are none ------------------------------------------ */

/* Breaks copy-on-write: its pages are its own from here on. */
static void child_writes(struct child *me, void *arg)
{
	struct region *r = arg;

	child_sync(me);
	r->tag += 100;
	region_fill(r);
	me->shared[0] = region_phys(r, 0);
	child_sync(me);
	region_verify(r);
}

static void cow_broken(int flags)
{
	const char *dir = cgroup_new("cow", slow_node());
	struct region r = region_anon(8, slow_node(), 1);
	struct child c = spawn(child_writes, &r);

	wait_for(&c);
	cgroup_join(dir, c.pid);
	go_on(&c);
	wait_for(&c);
	/* The child's VMA is still in the pages' reverse map, and maps none of them. */
	region_move_patient(&r, fast_node(), flags);
	CHECK_STATUS(move_one(c.shared[0], fast_node(), flags, NULL), -EXDEV);
	go_on(&c);
	child_end(&c);
}

TEST(policy, cow_broken_in_other_cpuset)
{
	cow_broken(0);
}

TEST(policy, cow_broken_in_other_cpuset_move_all)
{
	cow_broken(MPOL_MF_MOVE_ALL);
}

/*
 * A page that one process maps twice is not shared, whatever other processes
 * have the file mapped without ever having touched it there.
 */
TEST(policy, vma_without_page)
{
	const char *dir = cgroup_new("vma", slow_node());
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = region_file(fd, 4, slow_node(), 1, MAP_SHARED);
	struct region twin = r;
	struct child c;

	twin.va = must_mmap(r.nr_pages * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	region_verify(&twin);
	/* fork() does not copy the page tables of shared mappings. */
	c = spawn(child_idle, NULL);
	wait_for(&c);
	cgroup_join(dir, c.pid);
	CHECK_EQ(phys_of_pid(c.pid, r.va), 0);
	region_move_patient(&r, fast_node(), 0);
	region_verify(&twin);
	region_move_patient(&r, slow_node(), MPOL_MF_MOVE_ALL);
	region_move_patient(&r, fast_node(), MPOL_MF_MOVE_ALL);
	go_on(&c);
	child_end(&c);
}

/* ---- Several processes in one batch ---------------------------------- */

#define MANY 100

/* One page of each of many processes, every second one bound to the slow node. */
TEST(policy, many_processes, .limit_s = 120)
{
	const char *dir = cgroup_new("many", slow_node());
	struct region want = { .nr_pages = 2, .tag = 5 };
	struct child c[MANY];
	struct batch b = { 0 };

	for (int i = 0; i < MANY; i++) {
		c[i] = spawn(child_with_memory, &want);
		wait_for(&c[i]);
		if (i % 2)
			cgroup_join(dir, c[i].pid);
		batch_add(&b, c[i].shared[1], fast_node());
		batch_add(&b, c[i].shared[2], i % 4 < 2 ? slow_node() : fast_node());
	}
	batch_run(&b, 0);
	for (unsigned long i = 0; i < b.nr; i++) {
		bool bound = i / 2 % 2;
		int want_status = bound && b.nodes[i] == fast_node() ? -EXDEV : b.nodes[i];

		CHECK(b.status[i] == want_status, "page %lu of process %lu: %s, expected %s", i % 2,
		      i / 2, status_name(b.status[i]), status_name(want_status));
	}
	for (int i = 0; i < MANY; i++) {
		go_on(&c[i]);
		child_end(&c[i]);
	}
	batch_free(&b);
}

/* ---- Memory policies ------------------------------------------------- */

TEST(policy, mbind)
{
	struct region r = region_anon(4, slow_node(), 1);
	size_t len = r.nr_pages * page_size();

	bind_range(r.va, len, slow_node());
	expect_refusal(&r, fast_node(), 0, -EPERM, "policy_of_vma");
	region_move_patient(&r, fast_node(), MPP_MF_IGNORE_MEMPOLICY);
	/* Back to where it should be is always fine. */
	region_move_patient(&r, slow_node(), 0);
	bind_range(r.va, len, fast_node());
	region_move_patient(&r, fast_node(), 0);
	CHECK(bind_mode(&r, MPOL_BIND, both_nodes()), "MPOL_BIND to two nodes");
	region_move_patient(&r, slow_node(), 0);
}

/* Policies that are advice: whoever moves pages by address knows better. */
TEST(policy, mbind_advice)
{
	static const int modes[] = { MPOL_PREFERRED, MPOL_INTERLEAVE, MPOL_PREFERRED_MANY,
				     MPOL_WEIGHTED_INTERLEAVE };
	struct region r = region_anon(2, slow_node(), 1);

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!bind_mode(&r, modes[i], 1UL << slow_node()))
			continue;
		region_move_patient(&r, fast_node(), 0);
		region_move_patient(&r, slow_node(), 0);
	}
}

TEST(policy, task_bind)
{
	struct region r = region_anon(4, slow_node(), 1);

	set_policy(MPOL_BIND, slow_node());
	expect_refusal(&r, fast_node(), 0, -EPERM, "policy_of_task");
	region_move_patient(&r, fast_node(), MPP_MF_IGNORE_MEMPOLICY);
	set_policy(MPOL_BIND, fast_node());
	expect_refusal(&r, slow_node(), 0, -EPERM, "policy_of_task");
	prefer_node(-1);
	region_move_patient(&r, slow_node(), 0);
}

/* One process, asked about two nodes in turn within a batch. */
TEST(policy, task_bind_two_targets)
{
	struct region slow = region_anon(8, slow_node(), 1);
	struct region fast = region_anon(8, fast_node(), 2);
	struct batch b = { 0 };

	lru_settle();
	set_policy(MPOL_BIND, slow_node());
	for (size_t i = 0; i < slow.nr_pages; i++) {
		batch_add(&b, region_phys(&slow, i), fast_node());
		batch_add(&b, region_phys(&fast, i), slow_node());
	}
	batch_run(&b, 0);
	for (unsigned long i = 0; i < b.nr; i++)
		CHECK_STATUS(b.status[i], i % 2 ? slow_node() : -EPERM);
	region_expect_node(&slow, slow_node());
	region_expect_node(&fast, slow_node());
	region_verify(&slow);
	region_verify(&fast);
	batch_free(&b);
}

TEST(policy, task_advice)
{
	static const int modes[] = { MPOL_PREFERRED, MPOL_INTERLEAVE };
	struct region r = region_anon(2, slow_node(), 1);

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		set_policy(modes[i], slow_node());
		region_move_patient(&r, fast_node(), 0);
		region_move_patient(&r, slow_node(), 0);
	}
}

/* The policy of the task is for anonymous memory that has none of its own. */
TEST(policy, task_bind_not_asked)
{
	struct region own = region_anon(2, slow_node(), 1);
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region file = region_file(fd, 2, slow_node(), 2, MAP_SHARED);

	set_policy(MPOL_BIND, slow_node());
	CHECK(bind_mode(&own, MPOL_BIND, both_nodes()), "MPOL_BIND to two nodes");
	region_move_patient(&own, fast_node(), 0);
	region_move_patient(&file, fast_node(), 0);
}

static void child_task_bound(struct child *me, void *arg)
{
	(void)arg;
	set_policy(MPOL_BIND, slow_node());
	child_sync(me);
}

/* The caller's policy is nobody's business; the owner's is. */
TEST(policy, task_bind_of_sharer)
{
	struct region r = region_anon(1, slow_node(), 1);
	struct child c = spawn(child_task_bound, NULL);

	wait_for(&c);
	expect_refusal(&r, fast_node(), MPOL_MF_MOVE_ALL, -EPERM, "policy_of_task");
	go_on(&c);
	child_end(&c);
	region_move_patient(&r, fast_node(), MPOL_MF_MOVE_ALL);
}

TEST(policy, task_bind_of_caller)
{
	struct region want = { .nr_pages = 1, .tag = 5 };
	struct child c = spawn(child_with_memory, &want);

	wait_for(&c);
	set_policy(MPOL_BIND, slow_node());
	CHECK_STATUS(move_one_patient(c.shared[1], fast_node(), 0, NULL), fast_node());
	go_on(&c);
	child_end(&c);
}

static void child_binds(struct child *me, void *arg)
{
	struct region *r = arg;

	bind_range(r->va, r->nr_pages * page_size(), slow_node());
	child_sync(me);
}

TEST(policy, mbind_of_sharer)
{
	struct region r = region_anon(1, slow_node(), 1);
	struct child c = spawn(child_binds, &r);

	wait_for(&c);
	expect_refusal(&r, fast_node(), MPOL_MF_MOVE_ALL, -EPERM, "policy_of_vma");
	go_on(&c);
	child_end(&c);
	region_move_patient(&r, fast_node(), MPOL_MF_MOVE_ALL);
}

/*
 * Shared memory keeps its policy with the file: it holds for a mapping that
 * never saw mbind(), and for the bound part of the file only.
 */
TEST(policy, shmem)
{
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = region_file(fd, 8, slow_node(), 1, MAP_SHARED);
	size_t half = r.nr_pages / 2 * page_size();
	void *other = must_mmap(r.nr_pages * page_size(), PROT_READ, MAP_SHARED, fd, 0);

	bind_range((char *)other + half, half, slow_node());
	MUST(munmap(other, r.nr_pages * page_size()));
	for (size_t i = 0; i < r.nr_pages; i++) {
		int want = i < r.nr_pages / 2 ? fast_node() : -EPERM;

		CHECK_STATUS(move_one_patient(region_phys(&r, i), fast_node(), 0, NULL), want);
	}
	region_verify(&r);
	region_move_patient(&r, fast_node(), MPP_MF_IGNORE_MEMPOLICY);
}

/* ---- hugetlb --------------------------------------------------------- */

#define HUGETLB_POOL "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages"

static void hugetlb_pool(int node, const char *nr)
{
	char path[128];

	snprintf(path, sizeof(path), HUGETLB_POOL, node);
	if (!exists("%s", path))
		SKIP("this kernel has no hugetlb pages of 2 MiB");
	write_restored(path, nr, NULL);
	if (read_number("%s", path) < atoi(nr))
		SKIP("node %d has no room for %s hugetlb pages", node, nr);
}

TEST(policy, hugetlb_mbind)
{
	size_t size = 2 << 20;
	struct region r = { .nr_pages = size / page_size(), .tag = 3 };
	uint64_t phys;

	hugetlb_pool(slow_node(), "2");
	hugetlb_pool(fast_node(), "2");
	r.va = must_mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
			 -1, 0);
	bind_range(r.va, size, slow_node());
	region_fill(&r);
	phys = region_phys(&r, 7);
	CHECK_STATUS(move_one_patient(phys, fast_node(), 0, NULL), -EPERM);
	CHECK_EQ(region_phys(&r, 7), phys);
	CHECK_STATUS(move_one_patient(phys, fast_node(), MPP_MF_IGNORE_MEMPOLICY, NULL),
		     fast_node());
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

/* ---- Cache that nobody maps ------------------------------------------ */

static void write_pattern(int fd, const struct region *r)
{
	unsigned char *page = malloc(page_size());

	for (size_t i = 0; i < r->nr_pages; i++) {
		pattern_fill(page, r->tag, i);
		CHECK_EQ(MUST(pwrite(fd, page, page_size(), (off_t)(i * page_size()))), page_size());
	}
	free(page);
}

/* Fills the file: its pages are charged to this process's cgroup. */
static void child_writes_file(struct child *me, void *arg)
{
	child_sync(me);
	prefer_node(slow_node());
	write_pattern((int)me->shared[0], arg);
	child_sync(me);
}

/* Frames of the file's pages, learned by mapping them for a moment. */
static void file_frames(int fd, struct region *r, uint64_t *phys)
{
	r->va = must_mmap(r->nr_pages * page_size(), PROT_READ, MAP_SHARED, fd, 0);
	region_verify(r);
	for (size_t i = 0; i < r->nr_pages; i++)
		phys[i] = region_phys(r, i);
	region_unmap(r);
}

static struct child charged_file(int fd, struct region *r, const char *dir)
{
	static struct region passed;
	struct child c;

	passed = *r;
	c = spawn(child_writes_file, &passed);
	c.shared[0] = (uint64_t)fd;
	wait_for(&c);
	cgroup_join(dir, c.pid);
	go_on(&c);
	wait_for(&c);
	return c;
}

TEST(policy, unmapped_charged_elsewhere)
{
	const int flags = MPOL_MF_MOVE_ALL | MPP_MF_UNMAPPED;
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = { .nr_pages = 4, .tag = 9 };
	struct counters before, after, diff;
	uint64_t phys[4], now;
	const char *dir;
	struct child c;

	cgroup_enable("memory");
	dir = cgroup_new("charged", slow_node());
	c = charged_file(fd, &r, dir);
	file_frames(fd, &r, phys);
	CHECK_EQ(node_of_phys(phys[0]), slow_node());
	CHECK_STATUS(move_one(phys[0], fast_node(), MPOL_MF_MOVE_ALL, NULL), -ESRCH);
	counters_read(&before);
	CHECK_STATUS(move_one(phys[0], fast_node(), flags, NULL), -EXDEV);
	CHECK_STATUS(move_one(phys[1], fast_node(), flags | MPP_MF_IGNORE_MEMPOLICY, NULL), -EXDEV);
	counters_read(&after);
	diff = counters_diff(&after, &before);
	CHECK_EQ(counter(&diff, "cpuset_of_cgroup"), 2);
	cgroup_set_mems(dir, "0-1");
	for (int i = 0; i < 4; i++) {
		CHECK_STATUS(move_one_patient(phys[i], fast_node(), flags, &now), fast_node());
		CHECK_EQ(node_of_phys(now), fast_node());
		phys[i] = now;
	}
	go_on(&c);
	child_end(&c);
	file_frames(fd, &r, phys);
	CHECK_EQ(node_of_phys(phys[3]), fast_node());
}

/* The cgroup may be gone while its pages are not: its ancestors are asked, and nothing breaks. */
TEST(policy, unmapped_of_removed_cgroup)
{
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = { .nr_pages = 4, .tag = 9 };
	uint64_t phys[4];
	const char *dir;
	struct child c;
	int status;

	cgroup_enable("memory");
	dir = cgroup_new("removed", slow_node());
	c = charged_file(fd, &r, dir);
	go_on(&c);
	child_end(&c);
	MUST(rmdir(dir));
	file_frames(fd, &r, phys);
	status = move_one_patient(phys[0], fast_node(), MPP_MF_UNMAPPED, NULL);
	CHECK(status == fast_node() || status == -EXDEV, "status is %s", status_name(status));
	file_frames(fd, &r, phys);
}

/* A tmpfs that is bound to a node keeps its pages there, mapped or not. */
TEST(policy, unmapped_of_bound_tmpfs)
{
	const int flags = MPOL_MF_MOVE_ALL | MPP_MF_UNMAPPED;
	struct region r = { .nr_pages = 2, .tag = 9 };
	struct counters before, after, diff;
	char options[32], path[128];
	uint64_t phys[2], now;
	int fd;

	snprintf(options, sizeof(options), "mpol=bind:%d", slow_node());
	snprintf(path, sizeof(path), "%s/file", mount_at("tmpfs", "none", "bound", options));
	fd = MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	write_pattern(fd, &r);
	file_frames(fd, &r, phys);
	CHECK_EQ(node_of_phys(phys[0]), slow_node());
	counters_read(&before);
	CHECK_STATUS(move_one_patient(phys[0], fast_node(), flags, NULL), -EPERM);
	counters_read(&after);
	diff = counters_diff(&after, &before);
	CHECK_EQ(counter(&diff, "policy_of_file"), 1);
	CHECK_STATUS(move_one_patient(phys[1], fast_node(), flags | MPP_MF_IGNORE_MEMPOLICY, &now),
		     fast_node());
	file_frames(fd, &r, phys);
	CHECK_EQ(node_of_phys(phys[0]), slow_node());
	CHECK_EQ(phys[1], now);
}

/* ---- While page tables change ------------------------------------------ */

static void *changes_protection(void *arg)
{
	const struct region *r = arg;

	for (int prot = PROT_READ;; prot ^= PROT_WRITE)
		MUST(mprotect(r->va, page_size(), prot));
	return NULL;
}

/* An entry that mprotect() is changing is empty for a moment: its owner is asked all the same. */
TEST(policy, bind_while_protection_changes, .limit_s = 180)
{
	struct region r = region_anon(1, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0);
	long long start = now_ms();
	pthread_t thread;

	bind_range(r.va, page_size(), slow_node());
	CHECK_EQ(pthread_create(&thread, NULL, changes_protection, &r), 0);
	for (int i = 0; i < 4000 || now_ms() < start + 3000; i++) {
		int status = move_one(phys, fast_node(), 0, NULL);

		CHECK(status == -EPERM || status == -EAGAIN || status == -EBUSY,
		      "call %d: %s", i, status_name(status));
	}
	CHECK_EQ(region_phys(&r, 0), phys);
}

/* ---- cgroup v1 ------------------------------------------------------- */

/* The controller has to leave v2 first, which takes until its last user is gone. */
static const char *mount_cpuset_v1(void)
{
	static const char dir[] = "/tmp/mpp-cpuset1";
	int err = 0;

	mkdir(dir, 0700);
	for (int i = 0; i < 300; i++) {
		try_write(CGROUP_ROOT "/cgroup.subtree_control", "-cpuset");
		if (!mount("cpuset", dir, "cgroup", 0, "cpuset"))
			return dir;
		err = errno;
		if (err != EBUSY)
			break;
		nap_ms(100);
	}
	if (err == EINVAL || err == ENODEV)
		SKIP("this kernel has no cpuset v1");
	FAIL("cpuset v1 cannot be mounted: %s", strerror(err));
}

TEST(policy, cpuset_v1)
{
	struct region r = region_anon(4, slow_node(), 1);
	struct child c = spawn(child_idle, NULL);
	const char *root = mount_cpuset_v1();
	char path[96], *cpus;

	wait_for(&c);
	snprintf(path, sizeof(path), "%s/t", root);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		FAIL("mkdir %s: %s", path, strerror(errno));
	cpus = read_text("%s/cpuset.cpus", root);
	cpus[strcspn(cpus, "\n")] = '\0';
	snprintf(path, sizeof(path), "%s/t/cpuset.cpus", root);
	write_text(path, "%s", cpus);
	snprintf(path, sizeof(path), "%s/t/cpuset.mems", root);
	write_text(path, "%d", slow_node());
	snprintf(path, sizeof(path), "%s/t/tasks", root);
	write_text(path, "%d", (int)c.pid);
	expect_refusal(&r, fast_node(), MPOL_MF_MOVE_ALL, -EXDEV, "cpuset_of_process");
	go_on(&c);
	child_end(&c);
	region_move_patient(&r, fast_node(), MPOL_MF_MOVE_ALL);
	snprintf(path, sizeof(path), "%s/t", root);
	rmdir(path);
	umount(root);
	free(cpus);
}
