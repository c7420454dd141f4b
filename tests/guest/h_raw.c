// SPDX-License-Identifier: GPL-2.0-only
#include "h_raw.h"

struct mpp_move probe(unsigned int flags)
{
	return (struct mpp_move){ .size = sizeof(struct mpp_move), .flags = flags };
}

int raw_probe(int fd, unsigned int flags)
{
	struct mpp_move move = probe(flags);

	return raw(fd, &move);
}

void one_init(struct one *o)
{
	o->r = region_anon(1, slow_node(), 1);
	lru_settle();
	o->phys = region_phys(&o->r, 0);
	o->new_phys = PAGE_UNTOUCHED;
	o->node = fast_node();
	o->status = STATUS_UNTOUCHED;
	o->move = (struct mpp_move){
		.size = sizeof(o->move),
		.flags = MPP_MF_NEW_PAGES,
		.nr_pages = 1,
		.pages = (uintptr_t)&o->phys,
		.nodes = (uintptr_t)&o->node,
		.status = (uintptr_t)&o->status,
		.new_pages = (uintptr_t)&o->new_phys,
	};
}

void one_expect_untouched(const struct one *o)
{
	CHECK_EQ(o->status, STATUS_UNTOUCHED);
	CHECK_EQ(o->new_phys, PAGE_UNTOUCHED);
	region_expect_node(&o->r, slow_node());
	region_verify(&o->r);
}
