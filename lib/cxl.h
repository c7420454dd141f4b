/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this machine's CXL devices, regions and their addresses look like, in memory. */
#ifndef MOVEPHYS_CXL_H
#define MOVEPHYS_CXL_H

#include <stdatomic.h>

#include "cxl_map.h"
#include "internal.h"

struct mpp_cxl {
	atomic_int refs;
	struct cxl_map *map;
	struct mpp_cxl_device *devices;
	struct mpp_cxl_region *regions;
	size_t nr_devices, nr_regions;
};

/*
 * Fills in devices and regions and maps those that can be; a region that cannot
 * says why in its `problem`.  -ENOSYS: built without libcxl; -ENODEV: no CXL here.
 */
int cxl_read_topology(const struct mpp_roots *roots, struct mpp_cxl *cxl);

int mpp_cxl_open_at(const struct mpp_roots *roots, struct mpp_cxl **cxl);

#endif /* MOVEPHYS_CXL_H */
