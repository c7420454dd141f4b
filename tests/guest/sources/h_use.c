// SPDX-License-Identifier: GPL-2.0-only
#include "h_use.h"

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
		for (size_t i = use->first; i < use->first + use->nr; i++)
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
