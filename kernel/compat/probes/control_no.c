// SPDX-License-Identifier: GPL-2.0-only
/* Control: must not compile; there is no such function and no such type. */
#include <linux/mm.h>

static bool __used mpp_probe(struct folio *folio)
{
	return folio_has_no_such_property(folio);
}
