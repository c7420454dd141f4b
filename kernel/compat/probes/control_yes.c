// SPDX-License-Identifier: GPL-2.0-only
/* Control: must compile, or no other answer means anything. */
#include <linux/mm.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/migrate.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>

static pid_t __used mpp_probe(struct folio *folio)
{
	return folio_nid(folio);
}
