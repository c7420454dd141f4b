// SPDX-License-Identifier: GPL-2.0-only
/* Is folio_mapcount() inline? */
#include <linux/mm.h>

/* An error where it has external linkage. */
static inline int folio_mapcount(const struct folio *folio);

static int __used mpp_probe(const struct folio *folio)
{
	return folio_mapcount(folio);
}
