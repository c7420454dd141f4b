// SPDX-License-Identifier: GPL-2.0-only
/*
 * move_phys_pages(2): pages named by physical address go to the node that was
 * asked for, with their contents, and what does not go says why.
 *
 * Where a page is, is asked of pagemap and move_pages(2), not of the call.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/mempolicy.h>
#include <linux/move_phys_pages.h>

#define SYSFS		"/sys/kernel/mm/move_phys_pages/"
#define PAGEMAP_PRESENT	0x8000000000000000ULL
#define PAGEMAP_PFN	0x007fffffffffffffULL
#define UNTOUCHED	(-4711)
#define TRIES		50

/* -1 when there is none. */
static long long read_number(const char *path)
{
	long long value = -1;
	FILE *file = fopen(path, "r");

	if (file && fscanf(file, "%lld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

/* The first two of a list such as "0-1" or "0,2-3". */
static int first_nodes(int node[2])
{
	FILE *file = fopen("/sys/devices/system/node/has_memory", "r");
	int found = 0, first, last;
	char sep = ',';

	while (file && found < 2 && sep == ',' && fscanf(file, "%d", &first) == 1) {
		last = first;
		if (fscanf(file, "%c", &sep) == 1 && sep == '-' &&
		    (fscanf(file, "%d", &last) != 1 || fscanf(file, "%c", &sep) != 1))
			break;
		for (; first <= last && found < 2; first++)
			node[found++] = first;
	}
	if (file)
		fclose(file);
	return found;
}

static int bind_to(void *addr, size_t size, int node)
{
	unsigned long mask = 1UL << node;

	if (node < 0)
		return syscall(SYS_mbind, addr, size, MPOL_DEFAULT, NULL, 0, 0);
	return syscall(SYS_mbind, addr, size, MPOL_BIND, &mask, 8 * sizeof(mask), 0);
}

/* By move_pages(2), of a page that is there. */
static int node_of(void *addr)
{
	int status = -1;

	syscall(SYS_move_pages, 0, 1UL, &addr, NULL, &status, 0);
	return status;
}

FIXTURE(mpp)
{
	long nr;
	int home, away;
	size_t page_size;
	int pagemap;
	unsigned char *mem;	/* one page at home */
};

static __u64 phys_of(FIXTURE_DATA(mpp) * self, void *addr)
{
	__u64 entry = 0;

	if (pread(self->pagemap, &entry, sizeof(entry),
		  (uintptr_t)addr / self->page_size * sizeof(entry)) != sizeof(entry) ||
	    !(entry & PAGEMAP_PRESENT))
		return 0;
	return (entry & PAGEMAP_PFN) * self->page_size;
}

static long mpp(FIXTURE_DATA(mpp) * self, unsigned long nr_pages, const __u64 *pages,
		const int *nodes, int *status, int flags, __u64 *new_pages)
{
	long ret = syscall(self->nr, nr_pages, pages, nodes, status, flags, new_pages);

	return ret < 0 ? -errno : ret;
}

static bool may_work_later(int status)
{
	return status == -EAGAIN || status == -EBUSY;
}

/* One page; what a later try may cure is tried again. */
static int move_one(FIXTURE_DATA(mpp) * self, __u64 phys, int node, int flags,
		    __u64 *new_phys)
{
	int status = -EAGAIN;
	long ret;

	for (int i = 0; i < TRIES && may_work_later(status); i++) {
		status = UNTOUCHED;
		ret = mpp(self, 1, &phys, &node, &status, flags | MPP_MF_NEW_PAGES, new_phys);
		if (ret < 0)
			return UNTOUCHED;
		usleep(i * 1000);
	}
	return status;
}

static int query_one(FIXTURE_DATA(mpp) * self, __u64 phys)
{
	int status = UNTOUCHED;

	mpp(self, 1, &phys, NULL, &status, 0, NULL);
	return status;
}

static unsigned char *map_at(int node, size_t size)
{
	unsigned char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED || bind_to(mem, size, node))
		return NULL;
	for (size_t i = 0; i < size; i++)
		mem[i] = i * 7 + i / 4096;
	return bind_to(mem, size, -1) ? NULL : mem;
}

static bool intact(const unsigned char *mem, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (mem[i] != (unsigned char)(i * 7 + i / 4096))
			return false;
	}
	return true;
}

FIXTURE_SETUP(mpp)
{
	int node[2];

	self->pagemap = -1;
	self->nr = read_number(SYSFS "syscall_nr");
	if (self->nr < 0)
		SKIP(return, "no %ssyscall_nr: CONFIG_MOVE_PHYS_PAGES is not set", SYSFS);
	if (geteuid())
		SKIP(return, "needs root");
	if (first_nodes(node) < 2)
		SKIP(return, "needs two nodes with memory");
	self->home = node[0];
	self->away = node[1];
	self->page_size = sysconf(_SC_PAGESIZE);
	self->pagemap = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_GE(self->pagemap, 0);
	self->mem = map_at(self->home, self->page_size);
	ASSERT_NE(self->mem, NULL);
	ASSERT_EQ(node_of(self->mem), self->home);
	ASSERT_NE(phys_of(self, self->mem), 0);
}

FIXTURE_TEARDOWN(mpp)
{
	if (self->pagemap >= 0)
		close(self->pagemap);
}

TEST_F(mpp, probe)
{
	EXPECT_EQ(mpp(self, 0, NULL, NULL, NULL, 0, NULL), 0);
	EXPECT_EQ(mpp(self, 0, NULL, NULL, NULL, MPOL_MF_MOVE_ALL | MPP_MF_SYNC, NULL), 0);
	EXPECT_EQ(mpp(self, 0, NULL, NULL, NULL, 1, NULL), -EINVAL);
	EXPECT_EQ(mpp(self, 0, NULL, NULL, NULL, INT_MIN, NULL), -EINVAL);
	EXPECT_EQ(mpp(self, 1UL + INT_MAX, NULL, NULL, NULL, 0, NULL), -EINVAL);
	EXPECT_EQ(mpp(self, 1, NULL, NULL, NULL, 0, NULL), -EFAULT);
}

TEST_F(mpp, needs_privilege)
{
	__u64 phys = phys_of(self, self->mem);
	int status = UNTOUCHED;

	ASSERT_EQ(setresuid(65534, 65534, 65534), 0);
	EXPECT_EQ(mpp(self, 0, NULL, NULL, NULL, 0, NULL), -EPERM);
	EXPECT_EQ(mpp(self, 1, &phys, &self->away, &status, 0, NULL), -EPERM);
	/* Nothing is told about the arguments either. */
	EXPECT_EQ(mpp(self, 1, NULL, NULL, NULL, 1, NULL), -EPERM);
	EXPECT_EQ(status, UNTOUCHED);
	EXPECT_EQ(node_of(self->mem), self->home);
}

TEST_F(mpp, there_and_back)
{
	int target[] = { self->away, self->home };
	__u64 phys, new_phys;

	for (int i = 0; i < 2; i++) {
		phys = phys_of(self, self->mem);
		new_phys = 0;
		/* Any byte of the page names it. */
		ASSERT_EQ(move_one(self, phys + 123, target[i], 0, &new_phys), target[i]);
		EXPECT_EQ(node_of(self->mem), target[i]);
		EXPECT_NE(new_phys, phys + 123);
		EXPECT_EQ(new_phys, phys_of(self, self->mem) + 123);
		EXPECT_TRUE(intact(self->mem, self->page_size));
		/* There already: the same node, and the same address. */
		EXPECT_EQ(move_one(self, new_phys, target[i], 0, &phys), target[i]);
		EXPECT_EQ(phys, new_phys);
	}
}

TEST_F(mpp, query)
{
	__u64 phys = phys_of(self, self->mem);

	EXPECT_EQ(query_one(self, phys), self->home);
	EXPECT_EQ(phys_of(self, self->mem), phys);
	ASSERT_EQ(move_one(self, phys, self->away, 0, &phys), self->away);
	EXPECT_EQ(query_one(self, phys), self->away);
}

TEST_F(mpp, dry_run)
{
	__u64 phys = phys_of(self, self->mem), new_phys = 0;

	EXPECT_EQ(move_one(self, phys, self->away, MPP_MF_DRY_RUN, &new_phys), self->away);
	EXPECT_EQ(new_phys, phys);
	EXPECT_EQ(phys_of(self, self->mem), phys);
}

TEST_F(mpp, huge_page_by_its_tail)
{
	long long size = read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
	unsigned char *mem;
	__u64 phys;

	if (size <= 0)
		SKIP(return, "no transparent huge pages");
	mem = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(mem, MAP_FAILED);
	mem = (unsigned char *)(((uintptr_t)mem + size - 1) & ~(size - 1));
	ASSERT_EQ(bind_to(mem, size, self->home), 0);
	if (madvise(mem, size, MADV_HUGEPAGE))
		SKIP(return, "no transparent huge pages");
	for (long long i = 0; i < size; i++)
		mem[i] = i * 7 + i / 4096;
	ASSERT_EQ(bind_to(mem, size, -1), 0);
	phys = phys_of(self, mem);
	if (phys % size || phys_of(self, mem + size - 1) != phys + size - self->page_size)
		SKIP(return, "no huge page was to be had");

	ASSERT_EQ(move_one(self, phys + size / 2, self->away, 0, &phys), self->away);
	phys -= size / 2;
	EXPECT_EQ(phys % size, 0);
	for (long long i = 0; i < size; i += self->page_size)
		ASSERT_EQ(phys_of(self, mem + i), phys + i);
	EXPECT_EQ(node_of(mem), self->away);
	EXPECT_TRUE(intact(mem, size));
}

/* Bad ones among a good one: each gets its own answer, and the good one moves. */
TEST_F(mpp, bad_addresses)
{
	enum { BEYOND, TOO_WIDE, ZERO, GOOD, NO_NODE, NEGATIVE_NODE, NR };
	unsigned char *zero = mmap(NULL, self->page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	__u64 pages[NR];
	int nodes[NR], status[NR];
	long ret = 0;

	ASSERT_NE(zero, MAP_FAILED);
	ASSERT_EQ(madvise(zero, self->page_size, MADV_POPULATE_READ), 0);
	ASSERT_NE(phys_of(self, zero), 0);
	for (int i = 0; i < TRIES; i++) {
		for (int entry = 0; entry < NR; entry++) {
			pages[entry] = phys_of(self, self->mem);
			nodes[entry] = self->away;
			status[entry] = UNTOUCHED;
		}
		pages[BEYOND] = 1ULL << 51;
		pages[TOO_WIDE] = ~0ULL;
		pages[ZERO] = phys_of(self, zero);
		nodes[NO_NODE] = 1 << 20;
		nodes[NEGATIVE_NODE] = -1;
		ret = mpp(self, NR, pages, nodes, status, 0, NULL);
		if (!may_work_later(status[GOOD]))
			break;
	}
	EXPECT_EQ(ret, NR - 1);
	EXPECT_EQ(status[BEYOND], -ENXIO);
	EXPECT_EQ(status[TOO_WIDE], -ENXIO);
	EXPECT_EQ(status[ZERO], -EFAULT);
	EXPECT_EQ(status[GOOD], self->away);
	EXPECT_EQ(status[NO_NODE], -ENODEV);
	EXPECT_EQ(status[NEGATIVE_NODE], -ENODEV);
	EXPECT_EQ(node_of(self->mem), self->away);
	EXPECT_TRUE(intact(self->mem, self->page_size));
}

TEST_F(mpp, shared)
{
	__u64 phys = phys_of(self, self->mem);
	pid_t child = fork();

	ASSERT_GE(child, 0);
	if (!child) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(move_one(self, phys, self->away, 0, &phys), -EACCES);
	EXPECT_EQ(move_one(self, phys, self->away, MPOL_MF_MOVE, &phys), -EACCES);
	EXPECT_EQ(node_of(self->mem), self->home);
	EXPECT_EQ(move_one(self, phys, self->away, MPOL_MF_MOVE_ALL, &phys), self->away);
	EXPECT_EQ(phys, phys_of(self, self->mem));
	EXPECT_TRUE(intact(self->mem, self->page_size));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

TEST_F(mpp, bound_by_policy)
{
	__u64 phys = phys_of(self, self->mem);

	ASSERT_EQ(bind_to(self->mem, self->page_size, self->home), 0);
	EXPECT_EQ(move_one(self, phys, self->away, 0, &phys), -EPERM);
	EXPECT_EQ(phys, phys_of(self, self->mem));
	EXPECT_EQ(move_one(self, phys, self->away, MPP_MF_IGNORE_MEMPOLICY, &phys), self->away);
	EXPECT_EQ(node_of(self->mem), self->away);
}

/* More than one batch, with each page named twice: it moves once. */
TEST_F(mpp, many_pages)
{
	const unsigned long nr_pages = 700, nr = 2 * nr_pages;
	unsigned char *mem = map_at(self->home, nr_pages * self->page_size);
	__u64 *pages = calloc(nr, sizeof(*pages)), *new_pages = calloc(nr, sizeof(*pages));
	int *nodes = calloc(nr, sizeof(*nodes)), *status = calloc(nr, sizeof(*status));
	long ret = 1;

	ASSERT_NE(mem, NULL);
	ASSERT_TRUE(pages && new_pages && nodes && status);
	for (int i = 0; i < TRIES && ret; i++) {
		for (unsigned long entry = 0; entry < nr; entry++) {
			pages[entry] = phys_of(self, mem + entry % nr_pages * self->page_size);
			nodes[entry] = self->away;
		}
		ret = mpp(self, nr, pages, nodes, status, MPP_MF_NEW_PAGES, new_pages);
		ASSERT_GE(ret, 0);
		/* The next try finds the others there, whatever became of their second names. */
		for (unsigned long entry = 0; entry < nr; entry++)
			ASSERT_TRUE(status[entry] == self->away || may_work_later(status[entry]));
	}
	EXPECT_EQ(ret, 0);
	for (unsigned long entry = 0; entry < nr; entry++) {
		void *addr = mem + entry % nr_pages * self->page_size;

		ASSERT_EQ(status[entry], self->away);
		ASSERT_EQ(new_pages[entry], phys_of(self, addr));
		ASSERT_EQ(node_of(addr), self->away);
	}
	EXPECT_TRUE(intact(mem, nr_pages * self->page_size));
}

TEST_HARNESS_MAIN
