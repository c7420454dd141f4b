// SPDX-License-Identifier: GPL-2.0-only
#include "harness.h"

#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <sys/mount.h>

#include "h_hugetlb.h"

#define POOL "/sys/devices/system/node/node%d/hugepages/hugepages-%zukB/%s"
#define GIGANTIC ((size_t)1 << 30)

static void pool_path(char *path, size_t room, int node, size_t size, const char *file)
{
	snprintf(path, room, POOL, node, size / 1024, file);
}

struct hugetlb_pool hugetlb_pool(int node, int nr)
{
	struct hugetlb_pool pool = { .node = node, .nr = nr };
	char path[192], value[16];

	pool_path(path, sizeof(path), node, huge_size(), "nr_hugepages");
	snprintf(value, sizeof(value), "%d", nr);
	write_restored(path, value, NULL);
	if (read_number("%s", path) != nr)
		SKIP("node %d has no room for %d hugetlb pages", node, nr);
	return pool;
}

void hugetlb_pool_expect(const struct hugetlb_pool *pool)
{
	long long nr = read_number(POOL, pool->node, huge_size() / 1024, "nr_hugepages");
	long long surplus = read_number(POOL, pool->node, huge_size() / 1024, "surplus_hugepages");

	CHECK(nr == pool->nr, "node %d's pool has %lld pages, had %lld", pool->node, nr, pool->nr);
	CHECK(surplus == 0, "node %d's pool has %lld surplus pages", pool->node, surplus);
}

struct region region_hugetlb(size_t nr_huge, int node, unsigned int tag, int map_flags, int fd)
{
	size_t len = nr_huge * huge_size();
	struct region r = { .nr_pages = len / page_size(), .tag = tag };

	if (fd < 0)
		map_flags |= MAP_HUGETLB;
	else
		MUST(ftruncate(fd, len));
	r.va = must_mmap(len, PROT_READ | PROT_WRITE, map_flags, fd, 0);
	/* By task policy: a shared mapping would keep a policy of its own. */
	prefer_node(node);
	region_fill(&r);
	prefer_node(-1);
	return r;
}

int hugetlb_memfd(void)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);

	if (fd < 0)
		SKIP("memfd_create(MFD_HUGETLB): %s", strerror(errno));
	return fd;
}

void hugetlb_look(struct child *me, void *region)
{
	struct region *r = region;

	region_verify(r);
	child_sync(me);
	region_verify(r);
}

struct region region_gigantic(int node)
{
	struct region r = { .nr_pages = 1, .tag = 1 };
	char path[192];
	void *va;

	pool_path(path, sizeof(path), node, GIGANTIC, "nr_hugepages");
	if (!exists("%s", path))
		SKIP("this machine has no hugetlb pages of 1 GiB");
	write_restored(path, "1", NULL);
	if (read_number("%s", path) != 1)
		SKIP("node %d has no room for a hugetlb page of 1 GiB", node);
	prefer_node(node);
	va = mmap(NULL, GIGANTIC, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 30 << MAP_HUGE_SHIFT, -1, 0);
	if (va == MAP_FAILED)
		SKIP("mapping a hugetlb page of 1 GiB: %s", strerror(errno));
	r.va = va;
	region_fill(&r);
	prefer_node(-1);
	return r;
}

struct region region_tmpfs_huge(int node, unsigned int tag, int *fd)
{
	const char *dir = mount_at("tmpfs", "none", "hugetmp", "size=64m");
	size_t size = huge_size();
	struct region r = { .nr_pages = size / page_size(), .tag = tag };
	unsigned char *space;
	char path[128];

	if (mount("none", dir, "tmpfs", MS_REMOUNT, "huge=always") < 0)
		SKIP("this kernel has no huge pages in tmpfs");
	snprintf(path, sizeof(path), "%s/file", dir);
	*fd = MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	MUST(ftruncate(*fd, size));
	space = must_mmap(2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	space = (unsigned char *)(((uintptr_t)space + size - 1) & ~(size - 1));
	r.va = mmap(space, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, *fd, 0);
	CHECK(r.va == space, "mmap: %s", strerror(errno));
	prefer_node(node);
	region_fill(&r);
	prefer_node(-1);
	if (!(kpageflags(region_phys(&r, 0)) >> KPF_THP & 1))
		SKIP("tmpfs got no huge page");
	return r;
}
