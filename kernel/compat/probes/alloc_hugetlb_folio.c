// SPDX-License-Identifier: GPL-2.0-only
/* Is there alloc_hugetlb_folio_nodemask(), which can be told not to fall back? */
#include <linux/hugetlb.h>

static struct folio *(* __used mpp_probe)(struct hstate *h, int nid, nodemask_t *nmask, gfp_t gfp,
					   bool allow_fallback) =
	alloc_hugetlb_folio_nodemask;
