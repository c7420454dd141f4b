// SPDX-License-Identifier: GPL-2.0-only
/* Is the tree of an anon_vma gone through by anon_rmap_tree_iter_first() and _next()? */
#include <linux/mm.h>
#include <linux/rmap.h>

static struct anon_vma_chain * __used mpp_probe(struct anon_vma *anon_vma)
{
	return anon_rmap_tree_iter_first(anon_vma, 0, 1);
}
