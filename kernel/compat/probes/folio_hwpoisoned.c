// SPDX-License-Identifier: GPL-2.0-only
/* Is there folio_contain_hwpoisoned_page()? */
#include <linux/mm.h>

static bool __used mpp_probe(struct folio *folio)
{
	return folio_contain_hwpoisoned_page(folio);
}
