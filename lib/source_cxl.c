// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Hot lists in the addresses of CXL devices.  An inner source yields entries
 * whose address is the device's and whose source number is the device's index;
 * here they become physical pages.  Today the inner source reads text; one that
 * reads a hotness monitoring unit yields the same entries.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cxl.h"

#define ENTRIES		512
#define UNIT_MIN	64
#define UNIT_DEFAULT	4096

struct cxl_source {
	struct mpp_source base;
	struct mpp_cxl *cxl;
	int fd;				/* -1, or ours to close */
	uint64_t unit_bytes;
	unsigned int page_shift;
	size_t last_device;		/* of the line before: mostly the next one's too */
	int inner_err;			/* met behind entries that were still to be given */
	struct mpp_record entries[ENTRIES];
	size_t pos, nr;
	uint64_t done_bytes;		/* of entries[pos] */
	struct cxl_share shares[CXL_SHARES_MAX];
	size_t share_pos, nr_shares;	/* of the part of entries[pos] before done_bytes */
};

static struct cxl_source *to_cxl(struct mpp_source *src)
{
	return container_of(src, struct cxl_source, base);
}

/* ---- Lines ---- */

static int find_device(struct cxl_source *src, const char *name, size_t len)
{
	const struct mpp_cxl *cxl = src->cxl;
	const char *last = src->last_device < cxl->nr_devices ?
			   cxl->devices[src->last_device].name : "";
	int device;

	if (!strncmp(last, name, len) && !last[len])
		return (int)src->last_device;
	device = mpp_cxl_find_device(cxl, name, len);
	if (device >= 0)
		src->last_device = (size_t)device;
	return device;
}

/* An address without a size stands for its unit; 1 is what mpp_record_parse() makes of it. */
static void take_unit(const struct cxl_source *src, struct mpp_record *entry)
{
	if (entry->size_bytes == 1) {
		entry->addr &= ~(src->unit_bytes - 1);
		entry->size_bytes = src->unit_bytes;
	}
}

static int parse_entry(void *arg, const char *text, size_t len, const char **why,
		       struct mpp_record *record)
{
	struct cxl_source *src = arg;
	size_t name_len = 0;
	struct mpp_record entry;
	uint64_t hpa;
	int device, err;

	while (name_len < len && text[name_len] != ' ' && text[name_len] != '\t')
		name_len++;
	device = find_device(src, text, name_len);
	if (device < 0) {
		*why = "does not begin with the name of a CXL device, such as mem0";
		return -EBADMSG;
	}
	while (name_len < len && (text[name_len] == ' ' || text[name_len] == '\t'))
		name_len++;
	err = mpp_record_parse(text + name_len, len - name_len, 0, why, &entry);
	if (err)
		return err;
	take_unit(src, &entry);
	if (cxl_map_to_hpa(src->cxl->map, (unsigned int)device, entry.addr, &hpa) ||
	    cxl_map_to_hpa(src->cxl->map, (unsigned int)device,
			   entry.addr + entry.size_bytes - 1, &hpa)) {
		*why = "these addresses of the device are in no region";
		return -EBADMSG;
	}
	entry.source = (uint32_t)device;
	*record = entry;
	return 0;
}

/* ---- Pages ---- */

/* 1 with entries to translate; 0 at the end; else what reading them failed with. */
static int fill(struct cxl_source *src)
{
	int nr = src->inner_err;

	src->inner_err = 0;
	if (!nr)
		nr = mpp_source_read(src->base.inner, ENTRIES, src->entries);
	if (nr < 0) {
		mpp_source_set_error(&src->base, "%s", mpp_source_error(src->base.inner));
		return nr;
	}
	src->pos = 0;
	src->nr = (size_t)nr;
	src->done_bytes = 0;
	return nr > 0;
}

/* The shares of the next part of the current entry; a hole within it yields none. */
static void spread(struct cxl_source *src)
{
	const struct mpp_record *entry = &src->entries[src->pos];
	uint64_t bytes;

	src->share_pos = 0;
	src->nr_shares = cxl_map_spread(src->cxl->map, entry->source,
					entry->addr + src->done_bytes,
					entry->size_bytes - src->done_bytes, src->page_shift,
					src->shares, &bytes);
	src->done_bytes += bytes;
}

static void take_share(struct cxl_source *src, struct mpp_record *record)
{
	const struct mpp_record *entry = &src->entries[src->pos];
	const struct cxl_share *share = &src->shares[src->share_pos++];

	*record = (struct mpp_record) {
		.addr = share->hpa,
		.size_bytes = share->size_bytes,
		.weight = entry->weight * (double)share->covered_bytes /
			  (double)entry->size_bytes,
		.time_ns = entry->time_ns,
		.source = MPP_SOURCE_CXL,
	};
}

static int cxl_source_read(struct mpp_source *base, size_t nr_max, struct mpp_record *records)
{
	struct cxl_source *src = to_cxl(base);
	size_t nr = 0;
	int err;

	while (nr < nr_max) {
		if (src->share_pos < src->nr_shares) {
			take_share(src, &records[nr++]);
			continue;
		}
		if (src->pos < src->nr && src->done_bytes < src->entries[src->pos].size_bytes) {
			spread(src);
			continue;
		}
		src->pos += src->pos < src->nr;
		src->done_bytes = 0;
		if (src->pos < src->nr)
			continue;
		/* What is there must not wait for what may come. */
		if (nr && !mpp_source_ready(base->inner))
			break;
		err = fill(src);
		if (err <= 0 && nr) {
			src->inner_err = err;
			break;
		}
		if (err <= 0)
			return err;
	}
	return (int)nr;
}

static int cxl_source_ready(struct mpp_source *base)
{
	struct cxl_source *src = to_cxl(base);

	if (src->share_pos < src->nr_shares || src->inner_err || src->pos + 1 < src->nr)
		return 1;
	if (src->pos < src->nr && src->done_bytes < src->entries[src->pos].size_bytes)
		return 1;
	return mpp_source_ready(base->inner);
}

static void cxl_source_free(struct mpp_source *base)
{
	struct cxl_source *src = to_cxl(base);

	mpp_source_unref(base->inner);
	mpp_cxl_unref(src->cxl);
	if (src->fd >= 0)
		close(src->fd);
	free(src);
}

static const struct mpp_source_ops cxl_ops = {
	.read = cxl_source_read,
	.ready = cxl_source_ready,
	.free = cxl_source_free,
};

static int check_options(const struct mpp_cxl_hot_options *options)
{
	int err = mpp_struct_check(options, options->size, sizeof(*options));

	if (err)
		return err;
	if (!options->cxl || options->unit_bytes & (options->unit_bytes - 1) ||
	    (options->unit_bytes && options->unit_bytes < UNIT_MIN))
		return -EINVAL;
	return 0;
}

int mpp_cxl_hot_open_fd(int fd, const char *name, const struct mpp_cxl_hot_options *options,
			struct mpp_source **src)
{
	struct cxl_source *new;
	int err = check_options(options);

	if (err)
		return err;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	mpp_source_init(&new->base, &cxl_ops);
	err = mpp_lines_open_for(fd, name, parse_entry, new, &new->base.inner);
	if (err) {
		free(new);
		return err;
	}
	/* A count is all that is written to. */
	new->cxl = mpp_cxl_ref((struct mpp_cxl *)(uintptr_t)options->cxl);
	new->fd = -1;
	new->unit_bytes = options->unit_bytes ? options->unit_bytes : UNIT_DEFAULT;
	new->page_shift = mpp_page_shift();
	*src = &new->base;
	return 0;
}

int mpp_cxl_hot_open(const char *path, const struct mpp_cxl_hot_options *options,
		     struct mpp_source **src)
{
	struct mpp_source *new;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = mpp_cxl_hot_open_fd(fd, path, options, &new);
	if (err) {
		close(fd);
		return err;
	}
	to_cxl(new)->fd = fd;
	*src = new;
	return 0;
}
