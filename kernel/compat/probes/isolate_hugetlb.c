// SPDX-License-Identifier: GPL-2.0-only
/* Does isolate_hugetlb() take a folio and return a bool? */
#include <linux/hugetlb.h>

static bool (* __used mpp_probe)(struct folio *folio, struct list_head *list) = isolate_hugetlb;
