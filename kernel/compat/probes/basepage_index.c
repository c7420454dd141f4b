// SPDX-License-Identifier: GPL-2.0-only
/* Does a hugetlb folio count its index in huge pages? */
#include <linux/hugetlb.h>
#include <linux/pagemap.h>

static pgoff_t (* __used mpp_probe)(struct page *page) = hugetlb_basepage_index;
