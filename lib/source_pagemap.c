// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pages of one process, read in bulk from /proc/PID/pagemap. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

/* Documentation/admin-guide/mm/pagemap.rst */
#define PM_PRESENT	(UINT64_C(1) << 63)
#define PM_PFN_MASK	((UINT64_C(1) << 55) - 1)

#define BATCH_ENTRIES	8192	/* 64 KiB a read, which stay in the cache: 32 MiB of addresses */

/*
 * PAGEMAP_SCAN tells where a mapping has pages at all (Linux 6.7, "fs/proc/task_mmu:
 * implement IOCTL to get and optionally clear info about PTEs"), though not their
 * frames.  Declared here, as the headers of older systems lack it.
 */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL	_IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT	(UINT64_C(1) << 3)

struct pagemap_source {
	struct mpp_source base;
	struct mpp_pagemap_options options;
	unsigned int page_shift;
	FILE *maps;		/* NULL, and no @pagemap_fd: it has no memory */
	char *line;		/* getline()'s */
	size_t line_size;
	int pagemap_fd;
	bool done;
	int failure;		/* final: what every later read returns */
	uint64_t vma_pos, vma_end;	/* what is left of the current mapping */
	bool in_desert;		/* the last entries read were all empty */
	bool cannot_scan;
	uint64_t va, part_end;	/* what is left of the part of it that is being read */
	size_t pos, end;	/* unread entries; entries[pos] is for @va */
	struct mpp_record run;	/* being merged, when size_bytes is not 0 */
	uint64_t run_va;
	uint64_t *vas;		/* of the records of the last read */
	size_t nr_vas, vas_size;
	uint64_t entries[BATCH_ENTRIES];
};

static struct pagemap_source *to_pagemap(struct mpp_source *src)
{
	return container_of(src, struct pagemap_source, base);
}

static void pagemap_free(struct mpp_source *src)
{
	struct pagemap_source *pm = to_pagemap(src);

	if (pm->maps) {
		close(pm->pagemap_fd);
		fclose(pm->maps);
	}
	free(pm->line);
	free(pm->vas);
	free(pm);
}

static int fail(struct pagemap_source *pm, int err)
{
	int pid = (int)pm->options.pid;

	pm->failure = err;
	if (err == -ESRCH)
		mpp_source_set_error(&pm->base, "process %d ended while it was read", pid);
	else if (err == -EPERM)
		mpp_source_set_error(&pm->base, "the kernel hides the frame numbers of process %d: "
				     "CAP_SYS_ADMIN in the initial user namespace is needed", pid);
	else
		mpp_source_set_error(&pm->base, "reading the pages of process %d: %s", pid,
				     strerror(-err));
	return err;
}

static bool is_gone(int err)
{
	return err == ENOENT || err == ESRCH;
}

/* 1 with the next mapping in range set, 0 when there are no more, or -errno. */
static int next_vma(struct pagemap_source *pm)
{
	const uint64_t page_mask = (UINT64_C(1) << pm->page_shift) - 1;
	uint64_t limit = pm->options.va_end ? pm->options.va_end : UINT64_MAX;

	for (;;) {
		uint64_t start, end;

		errno = 0;
		if (getline(&pm->line, &pm->line_size, pm->maps) < 0) {
			if (!ferror(pm->maps))
				return 0;
			return is_gone(errno) ? -ESRCH : -errno;
		}
		if (sscanf(pm->line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2)
			return -EPROTO;
		/* Not the process's memory, and beyond what pagemap covers. */
		if (strstr(pm->line, "[vsyscall]"))
			continue;
		if (start < pm->options.va_start)
			start = pm->options.va_start;
		if (end > limit)
			end = limit;
		if (start >= end)
			continue;
		pm->vma_pos = start & ~page_mask;
		pm->vma_end = (end + page_mask) & ~page_mask;
		return 1;
	}
}

/* Goes on to where the mapping has a page again; false where the kernel cannot tell. */
static bool cross_desert(struct pagemap_source *pm)
{
	struct scan_region next = { 0 };
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = pm->vma_pos,
		.end = pm->vma_end,
		.vec = (uintptr_t)&next,
		.vec_len = 1,
		.max_pages = 1,
		.category_mask = SCAN_PRESENT,
		.return_mask = SCAN_PRESENT,
	};
	int nr = ioctl(pm->pagemap_fd, SCAN_IOCTL, &arg);

	if (nr < 0 || next.start > pm->vma_end || (nr && next.start < pm->vma_pos))
		return false;
	pm->vma_pos = nr ? next.start : pm->vma_end;
	return true;
}

/*
 * 1 with the next stretch to read set, 0 when there are no more, or -errno.
 * Where there are pages, reading is the fastest way to learn of them; a mapping may
 * also be terabytes with next to nothing in it, and then asking is.
 */
static int next_part(struct pagemap_source *pm)
{
	const uint64_t batch_bytes = (uint64_t)BATCH_ENTRIES << pm->page_shift;
	int err;

	while (pm->vma_pos >= pm->vma_end || pm->in_desert) {
		if (pm->vma_pos >= pm->vma_end) {
			err = next_vma(pm);
			if (err <= 0)
				return err;
		} else if (!pm->cannot_scan && pm->vma_end - pm->vma_pos > batch_bytes) {
			pm->cannot_scan = !cross_desert(pm);
		}
		pm->in_desert = false;
	}
	pm->va = pm->vma_pos;
	pm->part_end = pm->vma_end - pm->vma_pos > batch_bytes ? pm->vma_pos + batch_bytes :
		       pm->vma_end;
	pm->vma_pos = pm->part_end;
	return 1;
}

static bool is_empty(const struct pagemap_source *pm)
{
	for (size_t i = 0; i < pm->end; i++)
		if (pm->entries[i] & PM_PRESENT)
			return false;
	return true;
}

/* 1 with entries to look at, 0 at the end, or -errno. */
static int fill(struct pagemap_source *pm)
{
	uint64_t nr_pages;
	ssize_t len;
	int err;

	if (mpp_source_is_cancelled(&pm->base))
		return -ECANCELED;
	if (pm->va >= pm->part_end) {
		err = next_part(pm);
		if (err <= 0)
			return err;
	}
	nr_pages = (pm->part_end - pm->va) >> pm->page_shift;
	if (nr_pages > BATCH_ENTRIES)
		nr_pages = BATCH_ENTRIES;
	len = pread(pm->pagemap_fd, pm->entries, nr_pages * sizeof(uint64_t),
		    (off_t)((pm->va >> pm->page_shift) * sizeof(uint64_t)));
	if (len < 0)
		return is_gone(errno) ? -ESRCH : -errno;
	/* Nothing where a mapping was: its address space has been torn down. */
	if ((size_t)len < sizeof(uint64_t))
		return -ESRCH;
	pm->pos = 0;
	pm->end = (size_t)len / sizeof(uint64_t);
	pm->in_desert = is_empty(pm);
	return 1;
}

static void emit(struct pagemap_source *pm, size_t nr, struct mpp_record *records)
{
	records[nr] = pm->run;
	pm->vas[nr] = pm->run_va;
	pm->run.size_bytes = 0;
}

/*
 * Lengthens the run by the entries that continue it: present, and of the very next
 * frame each time.  This is where a read of gigabytes spends its time.
 */
static void take_run(struct pagemap_source *pm)
{
	const uint64_t *entry = pm->entries + pm->pos, *end = pm->entries + pm->end;
	uint64_t expected = PM_PRESENT |
			    ((pm->run.addr + pm->run.size_bytes) >> pm->page_shift);
	uint64_t nr_bytes;

	while (entry < end && (*entry & (PM_PRESENT | PM_PFN_MASK)) == expected) {
		entry++;
		expected++;
	}
	nr_bytes = (uint64_t)(entry - pm->entries - (ptrdiff_t)pm->pos) << pm->page_shift;
	pm->run.size_bytes += nr_bytes;
	pm->va += nr_bytes;
	pm->pos = (size_t)(entry - pm->entries);
}

static void skip_absent(struct pagemap_source *pm)
{
	size_t pos = pm->pos;

	while (pos < pm->end && !(pm->entries[pos] & PM_PRESENT))
		pos++;
	pm->va += (uint64_t)(pos - pm->pos) << pm->page_shift;
	pm->pos = pos;
}

/* Looks at buffered entries until they or the room for records run out. */
static int scan(struct pagemap_source *pm, size_t nr, size_t nr_max, struct mpp_record *records)
{
	const uint64_t page_bytes = UINT64_C(1) << pm->page_shift;
	const bool merge = !(pm->options.flags & MPP_PAGEMAP_PER_PAGE);

	while (pm->pos < pm->end && nr < nr_max) {
		uint64_t entry;

		if (merge && pm->run.size_bytes && pm->va == pm->run_va + pm->run.size_bytes)
			take_run(pm);
		skip_absent(pm);
		if (pm->pos == pm->end)
			break;
		entry = pm->entries[pm->pos];
		if (!(entry & PM_PFN_MASK))
			return -EPERM;
		/* After a gap the run may go on in the frame, but not in the address. */
		if (pm->run.size_bytes)
			emit(pm, nr++, records);
		pm->run = (struct mpp_record) {
			.addr = (entry & PM_PFN_MASK) << pm->page_shift,
			.size_bytes = page_bytes,
			.weight = 1,
			.source = MPP_SOURCE_PAGEMAP,
		};
		pm->run_va = pm->va;
		pm->pos++;
		pm->va += page_bytes;
	}
	return (int)nr;
}

static int make_room(struct pagemap_source *pm, size_t nr_max)
{
	uint64_t *vas;

	if (nr_max <= pm->vas_size)
		return 0;
	vas = reallocarray(pm->vas, nr_max, sizeof(*vas));
	if (!vas)
		return -ENOMEM;
	pm->vas = vas;
	pm->vas_size = nr_max;
	return 0;
}

static int read_some(struct pagemap_source *pm, size_t nr_max, struct mpp_record *records)
{
	int nr = 0, err;

	while ((size_t)nr < nr_max && !pm->done) {
		if (pm->pos == pm->end) {
			err = fill(pm);
			if (err < 0)
				return err;
			if (!err) {
				pm->done = true;
				break;
			}
		}
		nr = scan(pm, (size_t)nr, nr_max, records);
		if (nr < 0)
			return nr;
	}
	if (pm->done && pm->run.size_bytes && (size_t)nr < nr_max)
		emit(pm, (size_t)nr++, records);
	return nr;
}

static int pagemap_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records)
{
	struct pagemap_source *pm = to_pagemap(src);
	int nr;

	pm->nr_vas = 0;
	if (pm->failure)
		return fail(pm, pm->failure);
	nr = make_room(pm, nr_max);
	if (nr < 0)
		return nr;
	nr = read_some(pm, nr_max, records);
	if (nr == -ECANCELED)
		return nr;
	if (nr < 0)
		return fail(pm, nr);
	pm->nr_vas = (size_t)nr;
	return nr;
}

static int pagemap_va(const struct mpp_source *src, size_t index, uint64_t *va)
{
	const struct pagemap_source *pm = (const void *)src;

	if (index >= pm->nr_vas)
		return -ERANGE;
	*va = pm->vas[index];
	return 0;
}

static const struct mpp_source_ops pagemap_ops = {
	.read = pagemap_read,
	.va = pagemap_va,
	.free = pagemap_free,
};

static int open_proc_file(const char *proc, pid_t pid, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%d/%s", proc, (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (is_gone(errno))
		return -ESRCH;
	return errno == EACCES ? -EPERM : -errno;
}

static int open_files(struct pagemap_source *pm, const char *proc)
{
	int maps_fd, err;

	pm->pagemap_fd = open_proc_file(proc, pm->options.pid, "pagemap");
	if (pm->pagemap_fd < 0)
		return pm->pagemap_fd;
	maps_fd = open_proc_file(proc, pm->options.pid, "maps");
	if (maps_fd < 0) {
		err = maps_fd;
		goto err_close_pagemap;
	}
	pm->maps = fdopen(maps_fd, "r");
	if (!pm->maps) {
		err = -errno;
		goto err_close_maps;
	}
	return 0;

err_close_maps:
	close(maps_fd);
err_close_pagemap:
	close(pm->pagemap_fd);
	return err;
}

/* Of a kernel thread or a zombie the files are there, but opening them gives ESRCH. */
static bool has_files(const char *proc, pid_t pid)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%d/pagemap", proc, (int)pid);
	return !access(path, F_OK);
}

int mpp_pagemap_open_at(const char *proc, const struct mpp_pagemap_options *options,
			struct mpp_source **src)
{
	struct pagemap_source *pm;
	int err = mpp_struct_check(options, options->size, sizeof(*options));

	if (err)
		return err;
	if (options->pid <= 0 || options->flags & ~MPP_PAGEMAP_PER_PAGE ||
	    (options->va_end && options->va_end <= options->va_start))
		return -EINVAL;
	pm = malloc(sizeof(*pm));
	if (!pm)
		return -ENOMEM;
	memset(pm, 0, offsetof(struct pagemap_source, entries));
	mpp_source_init(&pm->base, &pagemap_ops);
	pm->options = *options;
	pm->page_shift = mpp_page_shift();
	err = open_files(pm, proc);
	if (err == -ESRCH && has_files(proc, pm->options.pid)) {
		pm->done = true;
		err = 0;
	}
	if (err) {
		free(pm);
		return err;
	}
	*src = &pm->base;
	return 0;
}

int mpp_pagemap_open(const struct mpp_pagemap_options *options, struct mpp_source **src)
{
	return mpp_pagemap_open_at(mpp_default_roots.proc, options, src);
}
