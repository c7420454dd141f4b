/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages in use, for sources that tell what is accessed. */
#ifndef MPP_TESTS_USE_H
#define MPP_TESTS_USE_H

#include "../harness.h"

#define LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"

struct use {
	const struct region *r;
	size_t first, nr;	/* pages that are in use */
	size_t step;		/* of them each is touched, or one in so many */
};

/*
 * A child uses the pages until end_use(); the region is this process's as well, and
 * whoever touches a page, it is accessed.
 */
struct child start_use(struct use *use);
void end_use(struct child *c);

/* Without it bits are taken by nobody else; with it a test of its own asks for a warning. */
void classic_lru(void);

/* A DAMON monitor of some physical memory, as an operator would set it up. */
void damon_monitor_on(uint64_t start, uint64_t bytes);
void damon_monitor_off(void);

#endif /* MPP_TESTS_USE_H */
