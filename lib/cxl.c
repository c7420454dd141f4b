// SPDX-License-Identifier: LGPL-2.1-or-later
/* CXL memory as the library's users see it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cxl.h"

int mpp_cxl_open_at(const struct mpp_roots *roots, struct mpp_cxl **cxl)
{
	struct mpp_cxl *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	atomic_init(&new->refs, 1);
	err = cxl_map_new(&new->map);
	if (!err)
		err = cxl_read_topology(roots, new);
	if (err) {
		mpp_cxl_unref(new);
		return err;
	}
	*cxl = new;
	return 0;
}

int mpp_cxl_open(struct mpp_cxl **cxl)
{
	return mpp_cxl_open_at(&mpp_default_roots, cxl);
}

struct mpp_cxl *mpp_cxl_ref(struct mpp_cxl *cxl)
{
	atomic_fetch_add(&cxl->refs, 1);
	return cxl;
}

struct mpp_cxl *mpp_cxl_unref(struct mpp_cxl *cxl)
{
	if (cxl && atomic_fetch_sub(&cxl->refs, 1) == 1) {
		cxl_map_free(cxl->map);
		free(cxl->devices);
		free(cxl->regions);
		free(cxl);
	}
	return NULL;
}

/* The caller's structure may be larger than ours, when it is from a later time. */
static int copy_out(void *to, size_t to_size, const void *from, size_t known)
{
	if (to_size < known)
		return -EINVAL;
	memset(to, 0, to_size);
	memcpy(to, from, known);
	memcpy(to, &to_size, sizeof(to_size));
	return 0;
}

int mpp_cxl_get_device(const struct mpp_cxl *cxl, size_t index, struct mpp_cxl_device *device)
{
	if (index >= cxl->nr_devices)
		return -ERANGE;
	return copy_out(device, device->size, &cxl->devices[index], sizeof(*device));
}

int mpp_cxl_get_region(const struct mpp_cxl *cxl, size_t index, struct mpp_cxl_region *region)
{
	if (index >= cxl->nr_regions)
		return -ERANGE;
	return copy_out(region, region->size, &cxl->regions[index], sizeof(*region));
}

int mpp_cxl_find_device(const struct mpp_cxl *cxl, const char *name, size_t len)
{
	for (size_t i = 0; i < cxl->nr_devices; i++)
		if (strlen(cxl->devices[i].name) == len && !memcmp(cxl->devices[i].name, name, len))
			return (int)i;
	return -ENODEV;
}

int mpp_cxl_to_hpa(const struct mpp_cxl *cxl, size_t device, uint64_t dpa, uint64_t *hpa)
{
	if (device >= cxl->nr_devices)
		return -ENXIO;
	return cxl_map_to_hpa(cxl->map, (unsigned int)device, dpa, hpa);
}

int mpp_cxl_to_dpa(const struct mpp_cxl *cxl, uint64_t hpa, size_t *device, uint64_t *dpa)
{
	unsigned int index;
	int err = cxl_map_to_dpa(cxl->map, hpa, &index, dpa);

	if (!err)
		*device = index;
	return err;
}
