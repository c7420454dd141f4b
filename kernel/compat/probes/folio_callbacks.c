// SPDX-License-Identifier: GPL-2.0-only
/* Does migrate_pages() hand folios to its callbacks? */
#include <linux/migrate.h>

static struct folio *mpp_probe_get(struct folio *src, unsigned long private)
{
	return src;
}

static new_folio_t * __used mpp_probe = mpp_probe_get;
