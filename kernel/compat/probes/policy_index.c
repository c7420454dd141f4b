// SPDX-License-Identifier: GPL-2.0-only
/* Does __get_vma_policy() give an interleave index too? */
#include <linux/mempolicy.h>

static struct mempolicy *(* __used mpp_probe)(struct vm_area_struct *vma, unsigned long addr,
					      pgoff_t *ilx) = __get_vma_policy;
