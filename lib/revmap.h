/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the two halves of the revmap door. */
#ifndef MOVEPHYS_REVMAP_H
#define MOVEPHYS_REVMAP_H

#include <sys/types.h>

#include "kpage.h"

/* A page that a call names, once however often it is named. */
struct revmap_page {
	uint64_t pfn;
	uint64_t head_pfn;	/* first frame of its folio, or its own */
	uint64_t new_pfn;	/* where its contents are after the call */
	uint64_t va;		/* one of its mappings, when pid is not 0 */
	pid_t pid;
	int target;		/* of the first entry that names it; -1 in a query */
	int status;
	bool is_settled;	/* status is final */
};

struct revmap_job {
	const struct mpp_roots *roots;
	int flags;
	bool is_query;
	unsigned int page_shift;
	struct mpp_nodemap *map;
	struct mpp_kpage kpage;
	struct revmap_page *pages;	/* by pfn, each once */
	size_t nr_pages;
	size_t nr_open;			/* not settled */
};

void revmap_settle(struct revmap_job *job, struct revmap_page *page, int status);
/* The frame at an address of a process; 0 when there is none. */
uint64_t revmap_frame_at(const struct revmap_job *job, pid_t pid, uint64_t va);

/* Settles what is no mapped user page, from page flags. */
int revmap_classify(struct revmap_job *job);
/* Looks for a mapping of each open page in the processes' pagemaps. */
int revmap_find(struct revmap_job *job);

#endif /* MOVEPHYS_REVMAP_H */
