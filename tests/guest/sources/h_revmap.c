// SPDX-License-Identifier: GPL-2.0-only
#include <sys/stat.h>

#include "h_revmap.h"

void region_list(const struct region *r, size_t nr, char *text, size_t room)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < nr; i++)
		len += (size_t)snprintf(text + len, room - len, " 0x%llx",
					(unsigned long long)region_phys(r, i));
}

struct output revmap(const struct region *r, size_t nr, int node, const char *options)
{
	char list[4096];

	region_list(r, nr, list, sizeof(list));
	return shell("movephys move --door revmap --to %d --json %s%s", node, options, list);
}

void revmap_share(struct child *me, void *arg)
{
	const struct region *r = arg;

	for (size_t i = 0; i < r->nr_pages; i++)
		(void)*(volatile unsigned char *)(r->va + i * page_size());
	child_sync(me);
	region_verify(r);
}

void revmap_hold(struct child *me, void *arg)
{
	struct region r = region_anon(1, slow_node(), *(unsigned int *)arg);

	me->shared[0] = (uint64_t)(uintptr_t)r.va;
	child_sync(me);
	region_verify(&r);
}

void revmap_confine(pid_t pid)
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
