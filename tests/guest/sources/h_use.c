// SPDX-License-Identifier: GPL-2.0-only
#include "h_command.h"
#include "h_use.h"

#define KDAMONDS	"/sys/kernel/mm/damon/admin/kdamonds"

void classic_lru(void)
{
	if (exists(LRU_GEN))
		write_restored(LRU_GEN, "0", "7");
}

/*
 * Touches pages until it is told to end.  A processor notes an access in the page
 * table only when it has to look there: so the translations are thrown away each
 * time, as they are by themselves where more is going on than in this guest.
 */
static void use_pages(struct child *me, void *arg)
{
	const struct use *use = arg;
	const size_t many = 64 * page_size();	/* more than are flushed one by one */
	unsigned char *other = must_mmap(many, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile unsigned char sum = 0;

	child_tell(me);
	while (!me->shared[0]) {
		for (size_t i = use->first; i < use->first + use->nr; i += use->step ?: 1)
			sum += *(volatile unsigned char *)(use->r->va + i * page_size());
		MUST(mprotect(other, many, PROT_READ | PROT_WRITE));
		memset(other, sum, many);
		MUST(mprotect(other, many, PROT_READ));
	}
}

struct child start_use(struct use *use)
{
	struct child c = spawn(use_pages, use);

	wait_for(&c);
	return c;
}

void end_use(struct child *c)
{
	c->shared[0] = 1;
	child_end(c);
}

void damon_monitor_on(uint64_t start, uint64_t bytes)
{
	struct output o = shell_ok(
		"cd " KDAMONDS " && echo 1 >nr_kdamonds && echo 1 >0/contexts/nr_contexts && "
		"cd 0/contexts/0 && echo paddr >operations && echo 1 >targets/nr_targets && "
		"echo 1 >targets/0/regions/nr_regions && "
		"echo %llu >targets/0/regions/0/start && echo %llu >targets/0/regions/0/end && "
		"echo 1 >schemes/nr_schemes && cd schemes/0 && echo stat >action && "
		"for f in access_pattern/*/max; do echo 4294967295 >$f; done && "
		"echo on >" KDAMONDS "/0/state",
		(unsigned long long)start, (unsigned long long)(start + bytes));

	output_free(&o);
}

void damon_monitor_off(void)
{
	struct output o = shell("echo off >" KDAMONDS "/0/state; echo 0 >" KDAMONDS "/nr_kdamonds");

	output_free(&o);
}
