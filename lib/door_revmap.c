// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The door of a kernel that gives no help: find out through /proc which process
 * maps each frame, and let move_pages(2) move it.
 *
 * Each call reads the page tables of all processes, so its cost follows the
 * machine and not the entries named, and between finding a mapping and using it
 * anything may happen.  What can be checked again is: the frame right before
 * the move, and where the contents are right after it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "revmap.h"

#define CALL_PAGES	512
#define KNOWN_FLAGS	(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL | MPP_MF_UNMAPPED | \
			 MPP_MF_IGNORE_MEMPOLICY | MPP_MF_DRY_RUN | MPP_MF_SYNC | \
			 MPP_MF_RECLAIM | MPP_MF_NEW_PAGES)

/* ---- Moving what was found ---- */

static long move_pages_call(pid_t pid, size_t nr, const uint64_t *vas, int target, int flags,
			    int *status)
{
	const void *pointers[CALL_PAGES];
	int nodes[CALL_PAGES];
	long result;

	for (size_t i = 0; i < nr; i++) {
		pointers[i] = (const void *)(uintptr_t)vas[i];
		nodes[i] = target;
		status[i] = -EAGAIN;
	}
	result = syscall(SYS_move_pages, pid, (unsigned long)nr, pointers, nodes, status,
			 flags & MPOL_MF_MOVE_ALL ? MPOL_MF_MOVE_ALL : MPOL_MF_MOVE);
	return result < 0 ? -errno : result;
}

/* The answer of a call that failed as a whole, for each of its pages. */
static int whole_call_status(int err, int flags)
{
	switch (err) {
	case -EACCES:		/* outside the cpuset of the process */
		return -EXDEV;
	case -ESRCH:		/* it is gone, and its pages with it */
		return -ENOENT;
	case -ENODEV:
	case -ENOMEM:
		return err;
	case -EPERM:
		/*
		 * MPOL_MF_MOVE_ALL asks for CAP_SYS_NICE.  Otherwise the process is closed to
		 * us, and newer kernels let its page tables be read all the same: as where
		 * they do not, nobody is known to map the page.
		 */
		return flags & MPOL_MF_MOVE_ALL ? -EACCES : -ESRCH;
	default:
		return -EAGAIN;
	}
}

static int page_status(int status)
{
	switch (status) {
	case -EACCES:
	case -EBUSY:
	case -EFAULT:
	case -ENOENT:
	case -ENOMEM:
		return status;
	default:
		/* Also a node: move_pages(2) writes it before it has tried. */
		return -EAGAIN;
	}
}

/* Where the contents of a page are now; @why: the answer when they are not on the target. */
static void settle_by_place(struct revmap_job *job, struct revmap_page *page, int why)
{
	uint64_t frame = revmap_frame_at(job, page->pid, page->va);
	int node;

	if (!frame) {
		revmap_settle(job, page, why == -ENOENT ? why : -EAGAIN);
		return;
	}
	node = mpp_nodemap_node(job->map, frame << job->page_shift);
	if (node == page->target) {
		page->new_pfn = frame;
		revmap_settle(job, page, node);
	} else {
		revmap_settle(job, page, why);
	}
}

/* Pages from @first on that one call can take: same process, same target. */
static size_t group_size(struct revmap_page *const *list, size_t nr)
{
	size_t n = 1;

	while (n < nr && n < CALL_PAGES && list[n]->pid == list[0]->pid &&
	       list[n]->target == list[0]->target)
		n++;
	return n;
}

/* One call for the first page of each folio of the group; the others go along. */
static void move_group(struct revmap_job *job, struct revmap_page **list, size_t nr)
{
	size_t asked[CALL_PAGES], nr_asked = 0;
	uint64_t vas[CALL_PAGES];
	int status[CALL_PAGES], why = -EAGAIN;
	long result;

	for (size_t i = 0; i < nr; i++) {
		/*
		 * Another page may be there by now, which nobody asked to move; or the
		 * same, when it went along with its folio, named through another process.
		 */
		if (revmap_frame_at(job, list[i]->pid, list[i]->va) != list[i]->pfn) {
			settle_by_place(job, list[i], -EAGAIN);
			continue;
		}
		if (nr_asked && list[asked[nr_asked - 1]]->head_pfn == list[i]->head_pfn)
			continue;
		asked[nr_asked] = i;
		vas[nr_asked++] = list[i]->va;
	}
	if (!nr_asked)
		return;
	result = move_pages_call(list[0]->pid, nr_asked, vas, list[0]->target, job->flags,
				 status);
	if (result < 0)
		for (size_t i = 0; i < nr_asked; i++)
			status[i] = whole_call_status((int)result, job->flags);
	for (size_t i = 0, next = 0; i < nr; i++) {
		if (list[i]->is_settled)
			continue;
		if (next < nr_asked && asked[next] == i) {
			why = page_status(status[next++]);
			if (result == -ENOMEM)
				why = -ENOMEM;
			else if (result > 0 && why == -EAGAIN)
				why = -EBUSY;
			if (result < 0 && result != -ENOMEM)
				why = whole_call_status((int)result, job->flags);
		}
		settle_by_place(job, list[i], why);
	}
}

/*
 * move_pages(2) stops at the first batch that it cannot place, and says of the rest
 * nothing: those pages get calls of their own.
 */
static void move_rest(struct revmap_job *job, struct revmap_page **list, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (list[i]->status != -EAGAIN && list[i]->status != -EBUSY &&
		    list[i]->status != -ENOMEM)
			continue;
		if (i && list[i]->head_pfn == list[i - 1]->head_pfn) {
			list[i]->is_settled = false;
			job->nr_open++;
			settle_by_place(job, list[i], list[i - 1]->status < 0 ?
					list[i - 1]->status : list[i]->status);
			continue;
		}
		list[i]->is_settled = false;
		job->nr_open++;
		move_group(job, &list[i], 1);
	}
}

static int compare_found(const void *a, const void *b)
{
	const struct revmap_page *left = *(struct revmap_page *const *)a;
	const struct revmap_page *right = *(struct revmap_page *const *)b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	if (left->target != right->target)
		return left->target < right->target ? -1 : 1;
	return left->pfn < right->pfn ? -1 : left->pfn > right->pfn;
}

/* What move_pages(2) would check first, as far as it shows. */
static int check_only(struct revmap_job *job, struct revmap_page *page)
{
	uint64_t count;
	int err = mpp_kpage_read(&job->kpage, MPP_KPAGE_COUNT, page->pfn, 1, &count);

	if (!err)
		revmap_settle(job, page, count > 1 && !(job->flags & MPOL_MF_MOVE_ALL) ?
			      -EACCES : page->target);
	return err;
}

static int move_found(struct revmap_job *job)
{
	struct revmap_page **list = calloc(job->nr_pages, sizeof(struct revmap_page *));
	size_t nr = 0, group;
	int err = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < job->nr_pages; i++)
		if (!job->pages[i].is_settled)
			list[nr++] = &job->pages[i];
	qsort(list, nr, sizeof(struct revmap_page *), compare_found);
	for (size_t at = 0; at < nr && !err; at += group) {
		group = group_size(list + at, nr - at);
		if (job->flags & MPP_MF_DRY_RUN) {
			for (size_t i = at; i < at + group && !err; i++)
				err = check_only(job, list[i]);
			continue;
		}
		move_group(job, list + at, group);
		move_rest(job, list + at, group);
	}
	free(list);
	return err;
}

/* ---- The call ---- */

static int compare_pages(const void *a, const void *b)
{
	const struct revmap_page *left = a, *right = b;

	/* Entries of one page in their order, which @va holds for now. */
	if (left->pfn != right->pfn)
		return left->pfn < right->pfn ? -1 : 1;
	return left->va < right->va ? -1 : left->va > right->va;
}

static int collect_pages(struct revmap_job *job, const struct mpp_request *req)
{
	size_t kept = 0;

	job->pages = calloc(req->nr_pages, sizeof(*job->pages));
	if (!job->pages)
		return -ENOMEM;
	for (size_t i = 0; i < req->nr_pages; i++)
		job->pages[i] = (struct revmap_page) {
			.pfn = req->pages[i] >> job->page_shift,
			.va = i,
			.target = req->nodes ? req->nodes[i] : -1,
		};
	qsort(job->pages, req->nr_pages, sizeof(*job->pages), compare_pages);
	for (size_t i = 1; i < req->nr_pages; i++)
		if (job->pages[i].pfn != job->pages[kept].pfn)
			job->pages[++kept] = job->pages[i];
	job->nr_pages = job->nr_open = kept + 1;
	for (size_t i = 0; i < job->nr_pages; i++)
		job->pages[i].new_pfn = job->pages[i].pfn;
	return 0;
}

static const struct revmap_page *page_of(const struct revmap_job *job, uint64_t pfn)
{
	const struct revmap_page key = { .pfn = pfn };
	size_t low = 0, high = job->nr_pages;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (job->pages[mid].pfn <= key.pfn)
			low = mid;
		else
			high = mid;
	}
	return &job->pages[low];
}

static int answer(const struct revmap_job *job, const struct mpp_request *req)
{
	const uint64_t offset_mask = (UINT64_C(1) << job->page_shift) - 1;
	int nr_missed = 0;

	for (size_t i = 0; i < req->nr_pages; i++) {
		const struct revmap_page *page = page_of(job, req->pages[i] >> job->page_shift);

		req->status[i] = page->status;
		nr_missed += req->nodes ? page->status != req->nodes[i] : page->status < 0;
		if (!(job->flags & MPP_MF_NEW_PAGES) || !req->new_pages)
			continue;
		req->new_pages[i] = (page->new_pfn << job->page_shift) |
				    (req->pages[i] & offset_mask);
	}
	return nr_missed;
}

static int open_files(struct revmap_job *job)
{
	int err = mpp_nodemap_open_at(job->roots, &job->map);

	if (!err)
		err = mpp_kpage_open(&job->kpage, job->roots->proc, MPP_KPAGE_FLAGS);
	if (!err && job->flags & MPP_MF_DRY_RUN)
		err = mpp_kpage_open(&job->kpage, job->roots->proc, MPP_KPAGE_COUNT);
	return err;
}

static int revmap_move(struct mpp_ctx *ctx, const struct mpp_request *req, int flags)
{
	struct revmap_job job = {
		.roots = ctx->roots,
		.flags = flags,
		.is_query = !req->nodes,
		.page_shift = mpp_page_shift(),
	};
	int err;

	if (flags & ~KNOWN_FLAGS || req->nr_pages > INT32_MAX)
		return -EINVAL;
	if (!req->nr_pages)
		return 0;
	mpp_kpage_init(&job.kpage);
	err = open_files(&job);
	if (!err)
		err = collect_pages(&job, req);
	if (!err)
		err = revmap_classify(&job);
	if (!err && job.nr_open)
		err = revmap_find(&job);
	if (!err && job.nr_open)
		err = move_found(&job);
	if (!err)
		err = answer(&job, req);
	mpp_nodemap_free(job.map);
	mpp_kpage_close(&job.kpage);
	free(job.pages);
	return err;
}

static void revmap_close(struct mpp_ctx *ctx)
{
	ctx->roots = NULL;
}

static int revmap_open(struct mpp_ctx *ctx, const struct mpp_roots *roots)
{
	struct revmap_job job = { .roots = roots, .page_shift = mpp_page_shift() };
	int err;

	if (syscall(SYS_move_pages, 0, 0UL, NULL, NULL, NULL, MPOL_MF_MOVE) && errno == ENOSYS)
		return -ENOSYS;
	mpp_kpage_init(&job.kpage);
	err = open_files(&job);
	mpp_nodemap_free(job.map);
	mpp_kpage_close(&job.kpage);
	if (err)
		return err == -ENOENT ? -ENOSYS : err;
	/* What is not our own business reads as frame 0: this variable's, for one. */
	if (!revmap_frame_at(&job, getpid(), (uintptr_t)&job))
		return -EPERM;
	ctx->roots = roots;
	return 0;
}

const struct mpp_door_ops mpp_door_revmap = {
	.id = MPP_DOOR_REVMAP,
	.name = "revmap",
	.opt_in = true,
	.open = revmap_open,
	.close = revmap_close,
	.move = revmap_move,
};
