// SPDX-License-Identifier: GPL-2.0-only
/* Can a mapping say that the kernel may not touch its pages? */
#include <linux/pagemap.h>

static bool __used mpp_probe(struct address_space *mapping)
{
	return mapping_inaccessible(mapping);
}
