// SPDX-License-Identifier: LGPL-2.1-or-later
/* In the place of cxl_topology.c where libcxl was not there to build with. */
#include <errno.h>

#include "cxl.h"

int cxl_read_topology(const struct mpp_roots *roots, struct mpp_cxl *cxl)
{
	(void)roots;
	(void)cxl;
	return -ENOSYS;
}
