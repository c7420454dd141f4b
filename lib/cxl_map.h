/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arithmetic of CXL interleaving: device addresses (DPA) to host addresses and back. */
#ifndef MOVEPHYS_CXL_MAP_H
#define MOVEPHYS_CXL_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <movephys.h>

#define CXL_WAYS_MAX		MPP_CXL_WAYS_MAX
#define CXL_XOR_MAPS_MAX	4
#define CXL_GRANULARITY_MIN	256u
#define CXL_GRANULARITY_MAX	16384u

/* How a window of host addresses is dealt out to host bridges. */
struct cxl_window {
	unsigned int ways;		/* host bridges */
	unsigned int granularity;
	unsigned int nr_xor;		/* 0: by modulo */
	uint64_t xor_map[CXL_XOR_MAPS_MAX];
};

/* What one device contributes to a region. */
struct cxl_part {
	unsigned int device;		/* a number of the caller's */
	uint64_t dpa;			/* its first address */
};

/* An interleave set, as the kernel tells it. */
struct cxl_set {
	uint64_t start, size_bytes;	/* host addresses */
	/* Ordinary memory that caches the devices', at the set's start; most have none. */
	uint64_t cache_bytes;
	unsigned int ways, granularity;
	struct cxl_window window;
	struct cxl_part parts[CXL_WAYS_MAX];	/* by position */
};

struct cxl_map;

int cxl_map_new(struct cxl_map **map);
struct cxl_map *cxl_map_free(struct cxl_map *map);

/*
 * Adds a set.  -EINVAL when it is none that hardware could have or overlaps one
 * that was added before, and then *@why says so in a few words (static text).
 */
int cxl_map_add(struct cxl_map *map, const struct cxl_set *set, const char **why);

/* -ENXIO: no set has this address. */
int cxl_map_to_hpa(const struct cxl_map *map, unsigned int device, uint64_t dpa, uint64_t *hpa);
int cxl_map_to_dpa(const struct cxl_map *map, uint64_t hpa, unsigned int *device, uint64_t *dpa);

/* Host pages, and how many bytes of them a range of device addresses makes up. */
struct cxl_share {
	uint64_t hpa;			/* of the first page */
	uint64_t size_bytes;		/* whole pages */
	uint64_t covered_bytes;		/* evenly spread over them */
};

#define CXL_SHARES_MAX	256

/*
 * The host pages of the first part of [@dpa, @dpa + @len_bytes), in no given
 * order: no later part has to do with the same ones.  Returns their number, at
 * most CXL_SHARES_MAX, or 0 when these addresses are in no set; *@done_bytes
 * tells how long the part is, which is never 0 and at most @len_bytes.
 */
size_t cxl_map_spread(const struct cxl_map *map, unsigned int device, uint64_t dpa,
		      uint64_t len_bytes, unsigned int page_shift, struct cxl_share *shares,
		      uint64_t *done_bytes);

/* What the window's XOR maps make of an address; applied twice, nothing. */
uint64_t cxl_xor_apply(const struct cxl_window *window, uint64_t addr);

#endif /* MOVEPHYS_CXL_MAP_H */
