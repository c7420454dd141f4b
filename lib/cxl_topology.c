// SPDX-License-Identifier: LGPL-2.1-or-later
/* Devices, windows and regions from /sys/bus/cxl, through libcxl. */
#include <cxl/libcxl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cxl.h"
#include "cxl_cedt.h"

struct reader {
	const struct mpp_roots *roots;
	struct cxl_ctx *ctx;
	struct mpp_cxl *cxl;
	unsigned char *cedt;
	size_t cedt_len;
	int cedt_err;		/* of reading it */
};

static void say_nothing(struct cxl_ctx *ctx, int priority, const char *file, int line,
			const char *function, const char *format, va_list args)
{
	(void)ctx;
	(void)priority;
	(void)file;
	(void)line;
	(void)function;
	(void)format;
	(void)args;
}

static void copy_name(char *to, const char *name)
{
	snprintf(to, MPP_CXL_NAME_MAX, "%s", name ? name : "?");
}

static int add_device(struct mpp_cxl *cxl, struct cxl_memdev *memdev)
{
	struct mpp_cxl_device *devices =
		reallocarray(cxl->devices, cxl->nr_devices + 1, sizeof(*devices));
	struct mpp_cxl_device *device;

	if (!devices)
		return -ENOMEM;
	cxl->devices = devices;
	device = &devices[cxl->nr_devices++];
	*device = (struct mpp_cxl_device) {
		.size = sizeof(*device),
		.serial = cxl_memdev_get_serial(memdev),
		.ram_bytes = cxl_memdev_get_ram_size(memdev),
		.pmem_bytes = cxl_memdev_get_pmem_size(memdev),
	};
	copy_name(device->name, cxl_memdev_get_devname(memdev));
	copy_name(device->host, cxl_memdev_get_host(memdev));
	return 0;
}

/* By name, "mem2" before "mem10". */
static int compare_devices(const void *a, const void *b)
{
	return strverscmp(((const struct mpp_cxl_device *)a)->name,
			  ((const struct mpp_cxl_device *)b)->name);
}

static int compare_regions(const void *a, const void *b)
{
	return strverscmp(((const struct mpp_cxl_region *)a)->name,
			  ((const struct mpp_cxl_region *)b)->name);
}

/* ---- The firmware's table ---- */

static void read_cedt(struct reader *reader)
{
	char path[PATH_MAX];
	ssize_t len = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/firmware/acpi/tables/CEDT", reader->roots->sys);
	reader->cedt = malloc(CXL_CEDT_MAX_BYTES);
	fd = reader->cedt ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0) {
		reader->cedt_err = reader->cedt ? -errno : -ENOMEM;
		return;
	}
	while (reader->cedt_len < CXL_CEDT_MAX_BYTES) {
		len = read(fd, reader->cedt + reader->cedt_len,
			   CXL_CEDT_MAX_BYTES - reader->cedt_len);
		if (len <= 0)
			break;
		reader->cedt_len += (size_t)len;
	}
	if (len < 0)
		reader->cedt_err = -errno;
	close(fd);
}

static void set_problem(struct mpp_cxl_region *region, const char *problem)
{
	snprintf(region->problem, sizeof(region->problem), "%s", problem);
}

/* How the region's window deals out to host bridges; false with a problem told. */
static bool find_window(struct reader *reader, struct cxl_decoder *root,
			struct mpp_cxl_region *region, struct cxl_window *window)
{
	struct cxl_window told;
	const char *why;

	*window = (struct cxl_window) {
		.ways = cxl_decoder_get_interleave_ways(root),
		.granularity = cxl_decoder_get_interleave_granularity(root),
	};
	region->window_ways = window->ways;
	/* Sysfs does not tell whether a window XORs; for 1 and 3 bridges it is all the same. */
	if (window->ways == 1 || window->ways == 3)
		return true;
	if (!reader->cedt)
		read_cedt(reader);
	if (reader->cedt_err) {
		snprintf(region->problem, sizeof(region->problem),
			 "several host bridges, and whether by XOR is in the CEDT: %s",
			 reader->cedt_err == -EACCES ? "only root may read it" :
			 strerror(-reader->cedt_err));
		return false;
	}
	if (cxl_cedt_window(reader->cedt, reader->cedt_len, region->start, &told, &why)) {
		set_problem(region, why);
		return false;
	}
	if (told.ways != window->ways || told.granularity != window->granularity) {
		set_problem(region, "the kernel and the CEDT disagree about its window");
		return false;
	}
	*window = told;
	region->nr_xor = window->nr_xor;
	return true;
}

/* ---- Regions ---- */

/* Shown since Linux 6.19; regions without such a cache do not have the file. */
static uint64_t read_cache_bytes(const struct reader *reader, const char *region)
{
	char path[PATH_MAX], text[32];

	snprintf(path, sizeof(path), "%s/bus/cxl/devices/%s/extended_linear_cache_size",
		 reader->roots->sys, region);
	return mpp_read_file(path, sizeof(text), text) > 0 ? strtoull(text, NULL, 0) : 0;
}

/* What is wrong with a device's share of the region, or NULL. */
static const char *add_part(struct reader *reader, struct cxl_memdev_mapping *mapping,
			    struct mpp_cxl_region *region)
{
	struct cxl_decoder *decoder = cxl_mapping_get_decoder(mapping);
	struct cxl_memdev *memdev = decoder ? cxl_decoder_get_memdev(decoder) : NULL;
	unsigned int position = cxl_mapping_get_position(mapping);
	unsigned long long dpa, bytes;
	const char *name;
	int device;

	if (!memdev)
		return "one of its devices is not there";
	name = cxl_memdev_get_devname(memdev);
	device = mpp_cxl_find_device(reader->cxl, name, strlen(name));
	dpa = cxl_decoder_get_dpa_resource(decoder);
	bytes = cxl_decoder_get_dpa_size(decoder);
	if (device < 0 || position >= region->ways || dpa == ULLONG_MAX)
		return "one of its devices is not as the kernel tells";
	if (region->nr_parts && bytes != region->part_bytes)
		return "its devices contribute different sizes";
	/* Platforms that translate once more on the way to the device show it here. */
	if (cxl_decoder_get_resource(decoder) != region->start + region->cache_bytes)
		return "the platform hides the addresses that its devices see";
	region->part_bytes = bytes;
	region->parts[position].device = (uint32_t)device;
	region->parts[position].dpa = dpa;
	region->nr_parts++;
	return NULL;
}

static const char *add_parts(struct reader *reader, struct cxl_region *cxl_region,
			     struct mpp_cxl_region *region)
{
	struct cxl_memdev_mapping *mapping;
	const char *why = NULL;

	cxl_mapping_foreach(cxl_region, mapping) {
		why = add_part(reader, mapping, region);
		if (why)
			return why;
	}
	if (region->nr_parts != region->ways)
		return "not all of its devices are there";
	if (region->cache_bytes >= region->size_bytes ||
	    region->part_bytes != (region->size_bytes - region->cache_bytes) / region->ways)
		return "its size is not the sum of what its devices contribute";
	return NULL;
}

static int map_region(struct reader *reader, struct mpp_cxl_region *region,
		      const struct cxl_window *window)
{
	struct cxl_set set = {
		.start = region->start,
		.size_bytes = region->size_bytes,
		.cache_bytes = region->cache_bytes,
		.ways = region->ways,
		.granularity = region->granularity,
		.window = *window,
	};
	const char *why;
	int err;

	for (unsigned int i = 0; i < region->ways; i++) {
		set.parts[i].device = region->parts[i].device;
		set.parts[i].dpa = region->parts[i].dpa;
	}
	err = cxl_map_add(reader->cxl->map, &set, &why);
	if (err == -EINVAL)
		set_problem(region, why);
	return err == -EINVAL ? 0 : err;
}

static int add_region(struct reader *reader, struct cxl_decoder *root,
		      struct cxl_region *cxl_region)
{
	struct mpp_cxl *cxl = reader->cxl;
	struct mpp_cxl_region *regions =
		reallocarray(cxl->regions, cxl->nr_regions + 1, sizeof(*regions));
	struct mpp_cxl_region *region;
	struct cxl_window window;
	const char *why;

	if (!regions)
		return -ENOMEM;
	cxl->regions = regions;
	region = &regions[cxl->nr_regions++];
	*region = (struct mpp_cxl_region) {
		.size = sizeof(*region),
		.start = cxl_region_get_resource(cxl_region),
		.size_bytes = cxl_region_get_size(cxl_region),
		.ways = cxl_region_get_interleave_ways(cxl_region),
		.granularity = cxl_region_get_interleave_granularity(cxl_region),
		.window_ways = cxl_decoder_get_interleave_ways(root),
	};
	copy_name(region->name, cxl_region_get_devname(cxl_region));
	copy_name(region->window, cxl_decoder_get_devname(root));
	region->cache_bytes = read_cache_bytes(reader, region->name);
	if (cxl_region_decode_is_committed(cxl_region) != 1 ||
	    region->start == ULLONG_MAX || !region->ways || region->ways > MPP_CXL_WAYS_MAX) {
		set_problem(region, "not set up: it is not committed");
		return 0;
	}
	why = add_parts(reader, cxl_region, region);
	if (why) {
		set_problem(region, why);
		return 0;
	}
	if (!find_window(reader, root, region, &window))
		return 0;
	return map_region(reader, region, &window);
}

static int read_bus(struct reader *reader, struct cxl_bus *bus)
{
	struct cxl_port *port = cxl_bus_get_port(bus);
	struct cxl_decoder *root;
	struct cxl_region *region;
	int err;

	cxl_decoder_foreach(port, root) {
		cxl_region_foreach(root, region) {
			err = add_region(reader, root, region);
			if (err)
				return err;
		}
	}
	return 0;
}

static int read_all(struct reader *reader)
{
	struct mpp_cxl *cxl = reader->cxl;
	struct cxl_memdev *memdev;
	struct cxl_bus *bus;
	int err = 0;

	cxl_memdev_foreach(reader->ctx, memdev) {
		err = add_device(cxl, memdev);
		if (err)
			return err;
	}
	if (cxl->nr_devices)
		qsort(cxl->devices, cxl->nr_devices, sizeof(*cxl->devices), compare_devices);
	cxl_bus_foreach(reader->ctx, bus) {
		err = read_bus(reader, bus);
		if (err)
			return err;
	}
	if (cxl->nr_regions)
		qsort(cxl->regions, cxl->nr_regions, sizeof(*cxl->regions), compare_regions);
	return 0;
}

int cxl_read_topology(const struct mpp_roots *roots, struct mpp_cxl *cxl)
{
	struct reader reader = { .roots = roots, .cxl = cxl };
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/bus/cxl/devices", roots->sys);
	if (access(path, F_OK))
		return -ENODEV;
	err = cxl_new(&reader.ctx);
	if (err)
		return err;
	cxl_set_log_fn(reader.ctx, say_nothing);
	err = read_all(&reader);
	free(reader.cedt);
	cxl_unref(reader.ctx);
	return err;
}
