/* SPDX-License-Identifier: GPL-2.0-only */
/* What the KUnit tests of move_phys_pages(2) share; see kunit.c. */
#ifndef MPP_KUNIT_H
#define MPP_KUNIT_H

#include "mpp.h"

#include <kunit/test.h>

struct mpp_call *mpp_test_call(struct kunit *test, u64 nr_pages);
void mpp_expect_recall(struct kunit *test, struct mpp_call *call, unsigned long pfn,
		       unsigned long new_pfn, int at);
void mpp_expect_unknown(struct kunit *test, struct mpp_call *call, unsigned long pfn);
void mpp_expect_fate(struct kunit *test, struct mpp_call *call, struct mpp_item *item,
		     unsigned long pfn, enum mpp_outcome outcome, unsigned long new_pfn, int at);

#endif /* MPP_KUNIT_H */
