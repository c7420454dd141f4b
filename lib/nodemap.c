// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which node a physical address belongs to.
 *
 * Memory blocks in sysfs say it exactly, to the block (128 MiB and up).  A
 * block that borders on two nodes is listed under both, and kernels without
 * memory hotplug have no blocks at all: there the zones' spans decide.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct span {
	uint64_t start, last;	/* inclusive: a span may end with the address space */
	int node;
};

struct span_list {
	struct span *spans;
	size_t nr, size;
};

struct mpp_nodemap {
	struct span_list blocks;	/* sorted by start; several nodes may share one */
	struct span_list zones;		/* may overlap: they include what lies in between */
};

static int span_add(struct span_list *list, uint64_t start, uint64_t len, int node)
{
	struct span *spans;

	if (!len)
		return 0;
	if (list->nr == list->size) {
		size_t size = list->size ? list->size * 2 : 64;

		spans = reallocarray(list->spans, size, sizeof(*spans));
		if (!spans)
			return -ENOMEM;
		list->spans = spans;
		list->size = size;
	}
	list->spans[list->nr++] = (struct span) { start, start + len - 1, node };
	return 0;
}

static int span_compare(const void *a, const void *b)
{
	const struct span *left = a, *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	return left->node - right->node;
}

/* Neighbouring blocks of one node become one span: a machine has thousands. */
static void span_merge(struct span_list *list)
{
	size_t kept = 0;

	if (!list->nr)
		return;
	qsort(list->spans, list->nr, sizeof(*list->spans), span_compare);
	for (size_t i = 1; i < list->nr; i++) {
		struct span *last = &list->spans[kept];
		const struct span *next = &list->spans[i];

		if (next->node == last->node && last->last + 1 == next->start)
			last->last = next->last;
		else
			list->spans[++kept] = *next;
	}
	list->nr = kept + 1;
}

/* The number in "memory12" after the prefix "memory"; -1 for any other name. */
static long numbered(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(name, prefix, len) || !isdigit((unsigned char)name[len]))
		return -1;
	return strtol(name + len, NULL, 10);
}

static bool block_is_online(const char *node_path, const char *block)
{
	char path[PATH_MAX];
	char state[16];

	if (snprintf(path, sizeof(path), "%s/%s/state", node_path, block) >= (int)sizeof(path))
		return false;
	return mpp_read_file(path, sizeof(state), state) > 0 && !strncmp(state, "online", 6);
}

static int read_node(struct mpp_nodemap *map, const char *node_path, int node,
		     uint64_t block_bytes)
{
	DIR *dir = opendir(node_path);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		long block = numbered(entry->d_name, "memory");

		if (block >= 0 && block_is_online(node_path, entry->d_name))
			err = span_add(&map->blocks, (uint64_t)block * block_bytes,
				       block_bytes, node);
	}
	closedir(dir);
	return err;
}

static int read_blocks(struct mpp_nodemap *map, const char *sys)
{
	char path[PATH_MAX], node_path[PATH_MAX + 32];
	char text[32];
	struct dirent *entry;
	uint64_t block_bytes;
	int err;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/devices/system/memory/block_size_bytes", sys);
	err = mpp_read_file(path, sizeof(text), text);
	if (err < 0)
		return err;
	block_bytes = strtoull(text, NULL, 16);
	if (!block_bytes)
		return -EPROTO;

	snprintf(path, sizeof(path), "%s/devices/system/node", sys);
	dir = opendir(path);
	if (!dir)
		return -errno;
	err = 0;
	while (!err && (entry = readdir(dir))) {
		long node = numbered(entry->d_name, "node");

		if (node < 0)
			continue;
		snprintf(node_path, sizeof(node_path), "%s/node%ld", path, node);
		err = read_node(map, node_path, (int)node, block_bytes);
	}
	closedir(dir);
	span_merge(&map->blocks);
	return err;
}

static int read_zones(struct mpp_nodemap *map, const char *proc)
{
	const unsigned int shift = mpp_page_shift();
	uint64_t spanned = 0, start;
	char path[PATH_MAX];
	char line[256];
	int node = -1;
	int err = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/zoneinfo", proc);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!err && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %d, zone", &node) == 1) {
			spanned = 0;
		} else if (sscanf(line, " spanned %" SCNu64, &spanned) == 1) {
			continue;
		} else if (node >= 0 && sscanf(line, " start_pfn: %" SCNu64, &start) == 1) {
			err = span_add(&map->zones, start << shift, spanned << shift, node);
			spanned = 0;
		}
	}
	fclose(file);
	return err;
}

struct mpp_nodemap *mpp_nodemap_free(struct mpp_nodemap *map)
{
	if (map) {
		free(map->blocks.spans);
		free(map->zones.spans);
		free(map);
	}
	return NULL;
}

int mpp_nodemap_open_at(const struct mpp_roots *roots, struct mpp_nodemap **map)
{
	struct mpp_nodemap *new = calloc(1, sizeof(*new));
	int blocks_err, zones_err;

	if (!new)
		return -ENOMEM;
	blocks_err = read_blocks(new, roots->sys);
	zones_err = read_zones(new, roots->proc);
	if (blocks_err == -ENOMEM || zones_err == -ENOMEM ||
	    (!new->blocks.nr && !new->zones.nr)) {
		mpp_nodemap_free(new);
		return blocks_err == -ENOMEM || zones_err == -ENOMEM ? -ENOMEM : -ENOENT;
	}
	*map = new;
	return 0;
}

int mpp_nodemap_open(struct mpp_nodemap **map)
{
	return mpp_nodemap_open_at(&mpp_default_roots, map);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Lowers *@last to where another zone may begin to decide. */
static int zones_node(const struct mpp_nodemap *map, uint64_t addr, uint64_t *last)
{
	for (size_t i = 0; i < map->zones.nr; i++) {
		const struct span *zone = &map->zones.spans[i];

		if (addr >= zone->start && addr <= zone->last) {
			*last = least(*last, zone->last);
			return zone->node;
		}
		if (zone->start > addr)
			*last = least(*last, zone->start - 1);
	}
	return -ENXIO;
}

/* The last span that starts at or below @addr, plus one; 0 when there is none. */
static size_t blocks_below(const struct span_list *list, uint64_t addr)
{
	size_t low = 0, high = list->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list->spans[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int mpp_nodemap_range(const struct mpp_nodemap *map, uint64_t addr, uint64_t *last)
{
	const struct span_list *blocks = &map->blocks;
	size_t below = blocks_below(blocks, addr);
	uint64_t run_last = UINT64_MAX;
	int found = -ENXIO;

	if (!blocks->nr)
		found = zones_node(map, addr, &run_last);
	else if (below < blocks->nr)
		run_last = blocks->spans[below].start - 1;
	/* Spans overlap only where one block has several nodes, so a few suffice. */
	for (size_t i = below; i > 0; i--) {
		const struct span *span = &blocks->spans[i - 1];

		if (addr > span->last)
			break;
		run_last = least(run_last, span->last);
		if (found >= 0) {
			found = zones_node(map, addr, &run_last);
			break;
		}
		found = span->node;
	}
	if (last)
		*last = run_last;
	return found;
}

int mpp_nodemap_node(const struct mpp_nodemap *map, uint64_t addr)
{
	return mpp_nodemap_range(map, addr, NULL);
}
