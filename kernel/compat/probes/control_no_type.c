// SPDX-License-Identifier: GPL-2.0-only
/* Control: must not compile; the function is there, its type is another. */
#include <linux/mm.h>

static bool (* __used mpp_probe)(struct folio *folio, int nonsense) = folio_mapping;
