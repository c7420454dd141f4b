/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls that name their arguments one by one, for tests of what each of them may be. */
#ifndef MPP_TEST_RAW_H
#define MPP_TEST_RAW_H

#include "harness.h"

/* Valid flags and nothing to do: the way to ask whether a call would be let in. */
struct mpp_move probe(unsigned int flags);
int raw_probe(int fd, unsigned int flags);

/* Addresses that no caller may use: one of any width, and one of 64 bits. */
#define LAST_PAGE_32	0xfffff000ull
#define KERNEL_ADDRESS	0xffff888000000000ull

/* One page and room for its answers. */
struct one {
	struct region r;
	uint64_t phys, new_phys;
	int node, status;
	struct mpp_move move;
};

void one_init(struct one *o);
void one_expect_untouched(const struct one *o);

#endif
