// SPDX-License-Identifier: GPL-2.0-only
/* Is there folio_expected_ref_count()? */
#include <linux/mm.h>

static int __used mpp_probe(struct folio *folio)
{
	return folio_expected_ref_count(folio);
}
