// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reverse translation: who maps these frames?  By reading what every process maps. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "revmap.h"

#define READ_RECORDS	1024

void revmap_settle(struct revmap_job *job, struct revmap_page *page, int status)
{
	if (page->is_settled)
		return;
	page->status = status;
	page->is_settled = true;
	job->nr_open--;
}

/* What the flags alone say; 1 for a page that may be mapped. */
static int status_of(uint64_t flags)
{
	switch (mpp_kind_of(flags)) {
	case MPP_KIND_NONE:
		return -ENXIO;
	case MPP_KIND_POISON:
		return -EHWPOISON;
	case MPP_KIND_ZERO:
		return -EFAULT;
	case MPP_KIND_FREE:
	case MPP_KIND_SLAB:
	case MPP_KIND_PGTABLE:
	case MPP_KIND_KERNEL:
		return -ENOENT;
	default:
		return 1;
	}
}

/* Flags of the first frame of the folio that holds @pfn, and which frame that is. */
static int head_flags(const struct revmap_job *job, uint64_t pfn, uint64_t *head_pfn,
		      uint64_t *flags)
{
	uint64_t window[MPP_FOLIO_FRAMES_MAX];
	size_t index = (size_t)(pfn % MPP_FOLIO_FRAMES_MAX);
	int err = mpp_kpage_read(&job->kpage, MPP_KPAGE_FLAGS, pfn - index, index + 1, window);

	if (err)
		return err;
	while (index && window[index] & KPF_COMPOUND_TAIL)
		index--;
	*head_pfn = pfn - pfn % MPP_FOLIO_FRAMES_MAX + index;
	*flags = window[index];
	return 0;
}

static int classify(struct revmap_job *job, struct revmap_page *page)
{
	uint64_t addr = page->pfn << job->page_shift, flags, head;
	int node = mpp_nodemap_node(job->map, addr);
	int err, status;

	if (node < 0) {
		revmap_settle(job, page, -ENXIO);
		return 0;
	}
	err = mpp_kpage_read(&job->kpage, MPP_KPAGE_FLAGS, page->pfn, 1, &flags);
	if (err)
		return err;
	page->head_pfn = page->pfn;
	status = status_of(flags);
	if (flags & KPF_COMPOUND_TAIL && status > 0) {
		err = head_flags(job, page->pfn, &page->head_pfn, &head);
		if (err)
			return err;
	}
	/* The flag is the folio's: of its frames the search may find only some. */
	if (status > 0 && !(flags & KPF_MMAP) &&
	    !(job->is_query && job->flags & MPP_MF_UNMAPPED))
		status = -ESRCH;
	if (status < 0)
		revmap_settle(job, page, status);
	else if (job->is_query)
		revmap_settle(job, page, node);
	return 0;
}

int revmap_classify(struct revmap_job *job)
{
	int err = 0;

	for (size_t i = 0; i < job->nr_pages && !err; i++)
		err = classify(job, &job->pages[i]);
	return err;
}

uint64_t revmap_frame_at(const struct revmap_job *job, pid_t pid, uint64_t va)
{
	uint64_t entry = 0;
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%d/pagemap", job->roots->proc, (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry),
		  (off_t)((va >> job->page_shift) * sizeof(entry))) != sizeof(entry))
		entry = 0;
	close(fd);
	/* Bit 63: present; bits 0 to 54: the frame. */
	return entry >> 63 ? entry & ((UINT64_C(1) << 55) - 1) : 0;
}

/* The first page that is not below @pfn. */
static size_t lower_bound(const struct revmap_job *job, uint64_t pfn)
{
	size_t low = 0, high = job->nr_pages;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (job->pages[mid].pfn < pfn)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Notes the mapping of those pages that lie in a stretch of a process's memory. */
static size_t take_record(struct revmap_job *job, const struct mpp_record *record, uint64_t va,
			  pid_t pid)
{
	uint64_t first = record->addr >> job->page_shift;
	uint64_t nr = record->size_bytes >> job->page_shift;
	size_t found = 0;

	for (size_t i = lower_bound(job, first);
	     i < job->nr_pages && job->pages[i].pfn - first < nr; i++) {
		struct revmap_page *page = &job->pages[i];

		if (page->is_settled || page->pid)
			continue;
		page->pid = pid;
		page->va = va + ((page->pfn - first) << job->page_shift);
		found++;
	}
	return found;
}

/* How many pages are found in a process; one that goes away or is closed to us has none. */
static size_t search_process(struct revmap_job *job, pid_t pid, struct mpp_record *records)
{
	const struct mpp_pagemap_options options = { .size = sizeof(options), .pid = pid };
	struct mpp_source *src;
	size_t found = 0;
	uint64_t va;
	int nr;

	if (mpp_pagemap_open_at(job->roots->proc, &options, &src))
		return 0;
	while ((nr = mpp_source_read(src, READ_RECORDS, records)) > 0)
		for (int i = 0; i < nr; i++)
			if (!mpp_source_va(src, (size_t)i, &va))
				found += take_record(job, &records[i], va, pid);
	mpp_source_unref(src);
	return found;
}

int revmap_find(struct revmap_job *job)
{
	struct mpp_record *records = calloc(READ_RECORDS, sizeof(*records));
	DIR *dir = records ? opendir(job->roots->proc) : NULL;
	size_t missing = job->nr_open;
	struct dirent *entry;

	if (!dir) {
		int err = records ? -errno : -ENOMEM;

		free(records);
		return err;
	}
	while (missing && (entry = readdir(dir))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid <= INT_MAX)
			missing -= search_process(job, (pid_t)pid, records);
	}
	closedir(dir);
	free(records);
	/* A user's page that no process maps (any more). */
	for (size_t i = 0; i < job->nr_pages; i++)
		if (!job->pages[i].is_settled && !job->pages[i].pid)
			revmap_settle(job, &job->pages[i], -ESRCH);
	return 0;
}
