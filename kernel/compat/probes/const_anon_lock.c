// SPDX-License-Identifier: GPL-2.0-only
/* Does rmap lock the anon_vma of a const folio? */
#include <linux/rmap.h>

static struct anon_vma *(* __used mpp_probe)(const struct folio *folio,
					     struct rmap_walk_control *rwc) =
	folio_lock_anon_vma_read;
