// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The machine's memory as ranges.  Three views are laid over each other: the
 * zones' spans say which node and zone, memory blocks say what is online, and
 * the resource tree says, to the page, what is memory at all.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void *grow(void *array, size_t nr, size_t entry_bytes)
{
	/* Doubled whenever the number is a power of two, from 16 on. */
	if (nr && (nr < 16 || nr & (nr - 1)))
		return array;
	return reallocarray(array, nr ? nr * 2 : 16, entry_bytes);
}

static int zone_add(struct mpp_memory *memory, const struct mpp_zone *zone)
{
	struct mpp_zone *zones;

	if (!zone->spanned_bytes)
		return 0;
	zones = grow(memory->zones, memory->nr_zones, sizeof(*zones));
	if (!zones)
		return -ENOMEM;
	memory->zones = zones;
	zones[memory->nr_zones++] = *zone;
	return 0;
}

/* One line of /proc/zoneinfo; a zone is complete with its start_pfn, the last of its numbers. */
static int take_line(struct mpp_memory *memory, const char *line, struct mpp_zone *zone)
{
	const unsigned int shift = mpp_page_shift();
	char name[MPP_ZONE_NAME_MAX];
	uint64_t value;
	int node;

	if (sscanf(line, "Node %d, zone %15s", &node, name) == 2) {
		*zone = (struct mpp_zone) { .node = node };
		snprintf(zone->name, sizeof(zone->name), "%s", name);
	} else if (sscanf(line, " spanned %" SCNu64, &value) == 1) {
		zone->spanned_bytes = value << shift;
	} else if (sscanf(line, " present %" SCNu64, &value) == 1) {
		zone->present_bytes = value << shift;
	} else if (sscanf(line, " managed %" SCNu64, &value) == 1) {
		zone->managed_bytes = value << shift;
	} else if (sscanf(line, " start_pfn: %" SCNu64, &value) == 1) {
		zone->start = value << shift;
		return zone_add(memory, zone);
	}
	return 0;
}

static int read_zones(struct mpp_memory *memory, const char *proc)
{
	struct mpp_zone zone = { 0 };
	char path[PATH_MAX];
	char line[256];
	FILE *file;
	int err = 0;

	snprintf(path, sizeof(path), "%s/zoneinfo", proc);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!err && fgets(line, sizeof(line), file))
		err = take_line(memory, line, &zone);
	if (!err && ferror(file))
		err = -EIO;
	fclose(file);
	return err;
}

struct ram {
	uint64_t start, last;
};

struct ram_list {
	struct ram *ram;
	size_t nr;
};

/* "System RAM" of /proc/iomem; an empty list where addresses are hidden. */
static int read_ram(struct ram_list *list, const char *proc)
{
	uint64_t start, last;
	char path[PATH_MAX];
	char line[256];
	struct ram *ram;
	FILE *file;
	int err = 0;

	snprintf(path, sizeof(path), "%s/iomem", proc);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (!err && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %" SCNx64 "-%" SCNx64, &start, &last) != 2 ||
		    !strstr(line, ": System RAM") || !last || last < start)
			continue;
		/* Hotplugged RAM is nested, but never in other RAM. */
		ram = grow(list->ram, list->nr, sizeof(*ram));
		if (ram) {
			list->ram = ram;
			ram[list->nr++] = (struct ram) { start, last };
		}
		err = ram ? 0 : -ENOMEM;
	}
	fclose(file);
	return err;
}

static int range_add(struct mpp_memory *memory, uint64_t start, uint64_t last, int node,
		     unsigned int zone)
{
	const uint64_t page_mask = (UINT64_C(1) << mpp_page_shift()) - 1;
	struct mpp_memory_range *ranges, *before;

	/* Whole pages only: firmware may claim a part of the first or last one. */
	start = (start + page_mask) & ~page_mask;
	last = ((last + 1) & ~page_mask) - 1;
	if (start >= last)
		return 0;
	before = memory->nr_ranges ? &memory->ranges[memory->nr_ranges - 1] : NULL;
	if (before && before->zone == zone && before->last + 1 == start) {
		before->last = last;
		return 0;
	}
	ranges = grow(memory->ranges, memory->nr_ranges, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	memory->ranges = ranges;
	ranges[memory->nr_ranges++] = (struct mpp_memory_range) { start, last, node, zone };
	return 0;
}

/* Adds those parts of a stretch that the node map gives to the zone's node. */
static int add_online(struct mpp_memory *memory, const struct mpp_nodemap *map, uint64_t start,
		      uint64_t last, unsigned int zone)
{
	int node = memory->zones[zone].node;
	uint64_t part_last;
	int err = 0;

	for (;;) {
		int found = mpp_nodemap_range(map, start, &part_last);

		if (part_last > last)
			part_last = last;
		if (found == node)
			err = range_add(memory, start, part_last, node, zone);
		if (err || part_last == last)
			return err;
		start = part_last + 1;
	}
}

static int add_zone(struct mpp_memory *memory, const struct mpp_nodemap *map,
		    const struct ram_list *list, unsigned int zone)
{
	uint64_t start = memory->zones[zone].start;
	uint64_t last = start + (memory->zones[zone].spanned_bytes - 1);
	int err = 0;

	if (!list->nr)
		return add_online(memory, map, start, last, zone);
	for (size_t i = 0; i < list->nr && !err; i++) {
		const struct ram *ram = &list->ram[i];

		if (ram->last < start || ram->start > last)
			continue;
		err = add_online(memory, map, ram->start > start ? ram->start : start,
				 ram->last < last ? ram->last : last, zone);
	}
	return err;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct mpp_memory_range *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

struct mpp_memory *mpp_memory_free(struct mpp_memory *memory)
{
	if (memory) {
		free(memory->zones);
		free(memory->ranges);
		free(memory);
	}
	return NULL;
}

static int fill(struct mpp_memory *memory, const struct mpp_roots *roots)
{
	struct ram_list list = { 0 };
	struct mpp_nodemap *map = NULL;
	int err = read_zones(memory, roots->proc);

	if (!err)
		err = mpp_nodemap_open_at(roots, &map);
	if (!err)
		err = read_ram(&list, roots->proc);
	for (unsigned int zone = 0; zone < memory->nr_zones && !err; zone++)
		err = add_zone(memory, map, &list, zone);
	mpp_nodemap_free(map);
	free(list.ram);
	if (!err && memory->nr_ranges)
		qsort(memory->ranges, memory->nr_ranges, sizeof(*memory->ranges),
		      compare_ranges);
	return err;
}

int mpp_memory_read(const struct mpp_roots *roots, struct mpp_memory **memory)
{
	struct mpp_memory *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	err = fill(new, roots);
	if (!err && !new->nr_ranges)
		err = -ENOENT;
	if (err) {
		mpp_memory_free(new);
		return err;
	}
	*memory = new;
	return 0;
}

void mpp_memory_keep_nodes(struct mpp_memory *memory, const int *nodes, size_t nr_nodes)
{
	size_t kept = 0;

	if (!nr_nodes)
		return;
	for (size_t i = 0; i < memory->nr_ranges; i++)
		for (size_t n = 0; n < nr_nodes; n++)
			if (memory->ranges[i].node == nodes[n]) {
				memory->ranges[kept++] = memory->ranges[i];
				break;
			}
	memory->nr_ranges = kept;
}

int mpp_zones_read_at(const struct mpp_roots *roots, size_t nr_max, struct mpp_zone *zones)
{
	struct mpp_memory memory = { 0 };
	int err = read_zones(&memory, roots->proc);

	if (!err) {
		size_t nr = memory.nr_zones < nr_max ? memory.nr_zones : nr_max;

		if (nr)
			memcpy(zones, memory.zones, nr * sizeof(*zones));
		err = (int)memory.nr_zones;
	}
	free(memory.zones);
	return err;
}

int mpp_zones_read(size_t nr_max, struct mpp_zone *zones)
{
	return mpp_zones_read_at(&mpp_default_roots, nr_max, zones);
}
