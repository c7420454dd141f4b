/* SPDX-License-Identifier: GPL-2.0-only */
/* hugetlb pools per node, and huge pages of tmpfs. */
#ifndef MPP_TESTS_H_HUGETLB_H
#define MPP_TESTS_H_HUGETLB_H

struct hugetlb_pool {
	int node;
	long long nr;		/* pages of PMD size */
};

/* Sets the node's pool; skips when it cannot be had.  Restored after the test. */
struct hugetlb_pool hugetlb_pool(int node, int nr);
/* The pool still has as many pages, and none is surplus. */
void hugetlb_pool_expect(const struct hugetlb_pool *pool);

struct region region_hugetlb(size_t nr_huge, int node, unsigned int tag, int map_flags, int fd);
int hugetlb_memfd(void);
/* A process that maps the region's first page by looking at it. */
void hugetlb_look(struct child *me, void *region);
/* One page of 1 GiB; skips where there is no room for it. */
struct region region_gigantic(int node);
/* One huge page of a file in a tmpfs of its own; skips when the kernel gives none. */
struct region region_tmpfs_huge(int node, unsigned int tag, int *fd);

#endif
