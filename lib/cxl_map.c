// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The arithmetic of CXL interleaving, without any I/O.
 *
 * A region of W ways and granularity G deals its host addresses out in chunks of
 * G bytes: chunk c goes to slot c mod W, and becomes that slot's chunk c / W (CXL
 * 3.1, 8.2.4.20.13, in which the formulas for 3, 6 and 12 ways are the same thing
 * in bits).  Which device sits in a slot is its position in the region; the two
 * differ only where a region of 3, 6 or 12 bridges begins off their rhythm.  A
 * window that XORs (CXL 3.1, 9.18.1.4) swaps chunks among neighbours before that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cxl_map.h"

#define BRIDGE_ALIGN	(UINT64_C(256) << 20)	/* of a window, for each bridge */

/* A set made ready for translation. */
struct ready_set {
	uint64_t start, size_bytes;
	uint64_t devices_start;		/* where chunk 0 is, behind the cache */
	uint64_t part_bytes;		/* of each device */
	unsigned int ways, shift;
	struct cxl_window window;
	struct cxl_part parts[CXL_WAYS_MAX];	/* by slot */
};

/* A stretch of one device's addresses; sorted by device and address. */
struct segment {
	unsigned int device, slot;
	uint64_t dpa, end;
	size_t set;
};

struct cxl_map {
	struct ready_set *sets;		/* sorted by start */
	size_t nr_sets;
	struct segment *segments;
	size_t nr_segments;
};

int cxl_map_new(struct cxl_map **map)
{
	struct cxl_map *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	*map = new;
	return 0;
}

struct cxl_map *cxl_map_free(struct cxl_map *map)
{
	if (map) {
		free(map->sets);
		free(map->segments);
		free(map);
	}
	return NULL;
}

uint64_t cxl_xor_apply(const struct cxl_window *window, uint64_t addr)
{
	for (unsigned int i = 0; i < window->nr_xor; i++) {
		uint64_t lowest = window->xor_map[i] & -window->xor_map[i];

		/* The lowest bit of the map becomes the parity of all its bits. */
		if (__builtin_parityll(addr & window->xor_map[i]))
			addr |= lowest;
		else
			addr &= ~lowest;
	}
	return addr;
}

/* ---- Making a set ready ---- */

static bool is_ways(unsigned int ways)
{
	return ways && ways <= CXL_WAYS_MAX &&
	       (!(ways & (ways - 1)) || ways == 3 || ways == 6 || ways == 12);
}

static bool is_granularity(unsigned int granularity)
{
	return granularity >= CXL_GRANULARITY_MIN && granularity <= CXL_GRANULARITY_MAX &&
	       !(granularity & (granularity - 1));
}

/* The size of the aligned blocks within which the window's XOR moves chunks about. */
static uint64_t xor_block(const struct cxl_window *window)
{
	uint64_t block = 1;

	for (unsigned int i = 0; i < window->nr_xor; i++) {
		uint64_t lowest = window->xor_map[i] & -window->xor_map[i];

		if (lowest * 2 > block)
			block = lowest * 2;
	}
	return block;
}

static const char *check_xor(const struct cxl_set *set)
{
	const struct cxl_window *window = &set->window;
	/* A map for each bit of a bridge's number; a factor of 3 stays out of it. */
	unsigned int bridges = window->ways % 3 ? window->ways : window->ways / 3;

	if (!window->nr_xor)
		return NULL;
	if (window->nr_xor != (unsigned int)__builtin_ctz(bridges))
		return "a number of XOR maps that does not go with the number of host bridges";
	for (unsigned int i = 0; i < window->nr_xor; i++) {
		uint64_t lowest = window->xor_map[i] & -window->xor_map[i];

		if (lowest < set->granularity)
			return "an XOR map that does not go with the granularity";
	}
	if ((set->start | set->size_bytes) % xor_block(window))
		return "the XOR maps reach beyond the region";
	return NULL;
}

static const char *check_set(const struct cxl_set *set)
{
	const struct cxl_window *window = &set->window;

	if (!is_ways(set->ways) || !is_ways(window->ways) || set->ways % window->ways)
		return "no such number of interleave ways";
	if (!is_granularity(set->granularity) || !is_granularity(window->granularity))
		return "no such interleave granularity";
	if (!set->size_bytes || set->size_bytes - 1 > UINT64_MAX - set->start)
		return "the size is none";
	if (set->cache_bytes >= set->size_bytes)
		return "the memory-side cache takes all of it";
	if ((set->start | set->cache_bytes) % CXL_GRANULARITY_MAX ||
	    (set->size_bytes - set->cache_bytes) % ((uint64_t)set->granularity * set->ways))
		return "the size is no multiple of what one round of the interleave takes";
	return check_xor(set);
}

/*
 * Where in the round a position is served.  Bridges take turns by host address:
 * in a window for 3, 6 or 12 of them a region need not begin with the first one's.
 * Returns what is wrong, or NULL.
 */
static const char *find_slot(const struct cxl_set *set, unsigned int position, unsigned int *slot)
{
	unsigned int bridges = set->window.ways;
	unsigned int per_bridge = set->ways / bridges;
	unsigned int first, bridge;

	*slot = position;
	if (bridges % 3 || !(set->start % (BRIDGE_ALIGN * bridges)))
		return NULL;
	if (per_bridge > 1 && set->window.granularity != set->granularity * per_bridge)
		return "begins off the rhythm of its host bridges, in a way that is not known";
	first = (unsigned int)(set->start / set->window.granularity % bridges);
	bridge = (position / per_bridge + bridges - first) % bridges;
	*slot = bridge * per_bridge + position % per_bridge;
	return NULL;
}

static const char *make_ready(const struct cxl_set *set, struct ready_set *ready)
{
	const char *why = check_set(set);
	unsigned int slot;

	if (why)
		return why;
	*ready = (struct ready_set) {
		.start = set->start,
		.size_bytes = set->size_bytes,
		.devices_start = set->start + set->cache_bytes,
		.part_bytes = (set->size_bytes - set->cache_bytes) / set->ways,
		.ways = set->ways,
		.shift = (unsigned int)__builtin_ctz(set->granularity),
		.window = set->window,
	};
	for (unsigned int position = 0; position < set->ways; position++) {
		why = find_slot(set, position, &slot);
		if (why)
			return why;
		ready->parts[slot] = set->parts[position];
		if (set->parts[position].dpa > UINT64_MAX - ready->part_bytes)
			return "the device's addresses go beyond 64 bits";
	}
	return NULL;
}

/* ---- The map ---- */

/* The last segment that begins at or before an address, or NULL. */
static const struct segment *find_segment(const struct cxl_map *map, unsigned int device,
					  uint64_t dpa)
{
	size_t low = 0, high = map->nr_segments;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct segment *segment = &map->segments[mid];

		if (segment->device < device ||
		    (segment->device == device && segment->dpa <= dpa))
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || map->segments[low - 1].device != device)
		return NULL;
	return &map->segments[low - 1];
}

static const struct ready_set *find_set(const struct cxl_map *map, uint64_t hpa)
{
	size_t low = 0, high = map->nr_sets;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (map->sets[mid].start <= hpa)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || hpa - map->sets[low - 1].start >= map->sets[low - 1].size_bytes)
		return NULL;
	return &map->sets[low - 1];
}

static bool is_free(const struct cxl_map *map, const struct ready_set *ready)
{
	for (size_t i = 0; i < map->nr_sets; i++) {
		const struct ready_set *other = &map->sets[i];

		if (ready->start <= other->start + (other->size_bytes - 1) &&
		    other->start <= ready->start + (ready->size_bytes - 1))
			return false;
	}
	for (unsigned int slot = 0; slot < ready->ways; slot++) {
		const struct cxl_part *part = &ready->parts[slot];

		for (size_t i = 0; i < map->nr_segments; i++)
			if (map->segments[i].device == part->device &&
			    part->dpa < map->segments[i].end &&
			    map->segments[i].dpa < part->dpa + ready->part_bytes)
				return false;
		for (unsigned int i = 0; i < slot; i++)
			if (ready->parts[i].device == part->device)
				return false;
	}
	return true;
}

static int compare_segments(const void *a, const void *b)
{
	const struct segment *one = a, *other = b;

	if (one->device != other->device)
		return one->device < other->device ? -1 : 1;
	return one->dpa < other->dpa ? -1 : one->dpa > other->dpa;
}

/* Keeps the sets sorted; segments name them by index, so they follow. */
static void insert(struct cxl_map *map, const struct ready_set *ready)
{
	size_t at = map->nr_sets;

	while (at && map->sets[at - 1].start > ready->start)
		at--;
	memmove(&map->sets[at + 1], &map->sets[at], (map->nr_sets - at) * sizeof(*map->sets));
	map->sets[at] = *ready;
	map->nr_sets++;
	for (size_t i = 0; i < map->nr_segments; i++)
		map->segments[i].set += map->segments[i].set >= at;
	for (unsigned int slot = 0; slot < ready->ways; slot++) {
		const struct cxl_part *part = &ready->parts[slot];

		map->segments[map->nr_segments++] = (struct segment) {
			.device = part->device,
			.slot = slot,
			.dpa = part->dpa,
			.end = part->dpa + ready->part_bytes,
			.set = at,
		};
	}
	qsort(map->segments, map->nr_segments, sizeof(*map->segments), compare_segments);
}

int cxl_map_add(struct cxl_map *map, const struct cxl_set *set, const char **why)
{
	struct ready_set ready, *sets;
	struct segment *segments;
	const char *wrong = make_ready(set, &ready);

	if (!wrong && !is_free(map, &ready))
		wrong = "overlaps another region";
	if (wrong) {
		*why = wrong;
		return -EINVAL;
	}
	sets = reallocarray(map->sets, map->nr_sets + 1, sizeof(*sets));
	if (!sets)
		return -ENOMEM;
	map->sets = sets;
	segments = reallocarray(map->segments, map->nr_segments + ready.ways, sizeof(*segments));
	if (!segments)
		return -ENOMEM;
	map->segments = segments;
	insert(map, &ready);
	return 0;
}

/* ---- Translation ---- */

/* @offset: from the start of the device's part. */
static uint64_t set_to_hpa(const struct ready_set *set, unsigned int slot, uint64_t offset)
{
	uint64_t chunk = (offset >> set->shift) * set->ways + slot;
	uint64_t within = offset & ((UINT64_C(1) << set->shift) - 1);

	return cxl_xor_apply(&set->window, set->devices_start + (chunk << set->shift) + within);
}

int cxl_map_to_hpa(const struct cxl_map *map, unsigned int device, uint64_t dpa, uint64_t *hpa)
{
	const struct segment *segment = find_segment(map, device, dpa);

	if (!segment || dpa >= segment->end)
		return -ENXIO;
	*hpa = set_to_hpa(&map->sets[segment->set], segment->slot, dpa - segment->dpa);
	return 0;
}

int cxl_map_to_dpa(const struct cxl_map *map, uint64_t hpa, unsigned int *device, uint64_t *dpa)
{
	const struct ready_set *set = find_set(map, hpa);
	uint64_t chunk, offset;
	const struct cxl_part *part;

	if (!set)
		return -ENXIO;
	offset = cxl_xor_apply(&set->window, hpa);
	if (offset < set->devices_start)
		return -ENXIO;
	offset -= set->devices_start;
	chunk = offset >> set->shift;
	part = &set->parts[chunk % set->ways];
	*device = part->device;
	*dpa = part->dpa + (chunk / set->ways << set->shift) +
	       (offset & ((UINT64_C(1) << set->shift) - 1));
	return 0;
}

/* Adds bytes that lie within one page, or that are whole pages. */
static size_t add_share(struct cxl_share *shares, size_t nr, uint64_t hpa, uint64_t bytes,
			uint64_t page_bytes)
{
	uint64_t page = hpa & ~(page_bytes - 1);
	uint64_t size = bytes < page_bytes ? page_bytes : bytes;

	if (bytes < page_bytes) {
		for (size_t i = nr; i-- > 0;) {
			if (shares[i].hpa != page)
				continue;
			shares[i].covered_bytes += bytes;
			return nr;
		}
	} else if (nr && shares[nr - 1].hpa + shares[nr - 1].size_bytes == page &&
		   shares[nr - 1].covered_bytes == shares[nr - 1].size_bytes) {
		shares[nr - 1].size_bytes += bytes;
		shares[nr - 1].covered_bytes += bytes;
		return nr;
	}
	shares[nr] = (struct cxl_share) {
		.hpa = page,
		.size_bytes = size,
		.covered_bytes = bytes,
	};
	return nr + 1;
}

/* Cuts contiguous host bytes into the pages that they cover in part and in full. */
static size_t add_run(struct cxl_share *shares, size_t nr, uint64_t hpa, uint64_t bytes,
		      uint64_t page_bytes)
{
	while (bytes) {
		uint64_t to_end = page_bytes - (hpa & (page_bytes - 1));
		uint64_t part;

		if (to_end < page_bytes || bytes < page_bytes)
			part = bytes < to_end ? bytes : to_end;
		else
			part = bytes & ~(page_bytes - 1);
		nr = add_share(shares, nr, hpa, part, page_bytes);
		hpa += part;
		bytes -= part;
	}
	return nr;
}

/* How far the addresses from @dpa on are in no set. */
static uint64_t hole_bytes(const struct cxl_map *map, unsigned int device, uint64_t dpa,
			   uint64_t len_bytes)
{
	for (size_t i = 0; i < map->nr_segments; i++) {
		const struct segment *segment = &map->segments[i];

		if (segment->device == device && segment->dpa > dpa &&
		    segment->dpa - dpa < len_bytes)
			return segment->dpa - dpa;
	}
	return len_bytes;
}

size_t cxl_map_spread(const struct cxl_map *map, unsigned int device, uint64_t dpa,
		      uint64_t len_bytes, unsigned int page_shift, struct cxl_share *shares,
		      uint64_t *done_bytes)
{
	const struct segment *segment = find_segment(map, device, dpa);
	const uint64_t page_bytes = UINT64_C(1) << page_shift;
	const struct ready_set *set;
	uint64_t offset, end, slice;
	size_t nr = 0;

	if (!segment || dpa >= segment->end) {
		*done_bytes = hole_bytes(map, device, dpa, len_bytes);
		return 0;
	}
	set = &map->sets[segment->set];
	offset = dpa - segment->dpa;
	if (len_bytes > segment->end - dpa)
		len_bytes = segment->end - dpa;
	/*
	 * Without interleaving, what follows on the device follows on the host.  With
	 * it, aligned stretches of a page make up so many whole pages as there are ways,
	 * and XOR maps move bytes about either within a page or with all of it.
	 */
	if (set->ways > 1) {
		slice = UINT64_C(1) << set->shift;
		if (slice < page_bytes)
			slice = page_bytes;
		if (len_bytes > slice - offset % slice)
			len_bytes = slice - offset % slice;
	}
	*done_bytes = len_bytes;
	if (set->ways == 1)
		return add_run(shares, 0, set_to_hpa(set, 0, offset), len_bytes, page_bytes);
	for (end = offset + len_bytes; offset < end;) {
		uint64_t chunk = UINT64_C(1) << set->shift;
		uint64_t run = chunk - (offset & (chunk - 1));

		if (run > end - offset)
			run = end - offset;
		nr = add_run(shares, nr, set_to_hpa(set, segment->slot, offset), run, page_bytes);
		offset += run;
	}
	return nr;
}
