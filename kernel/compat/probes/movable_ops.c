// SPDX-License-Identifier: GPL-2.0-only
/* Is there page_has_movable_ops()? */
#include <linux/mm.h>

static bool __used mpp_probe(struct page *page)
{
	return page_has_movable_ops(page);
}
