// SPDX-License-Identifier: LGPL-2.1-or-later
/* What each status means, in the terms of the contract. */
#include <errno.h>

#include "internal.h"

static const struct status_row {
	int err;
	enum mpp_status_kind kind;
	const char *name;
	const char *text;
} rows[] = {
	{ ENXIO, MPP_STATUS_STALE, "ENXIO",
	  "no online memory at this address (beyond RAM, a hole, device memory, offline)" },
	{ ENOENT, MPP_STATUS_STALE, "ENOENT",
	  "not a user's page: free, kernel memory, or freed in the meantime" },
	{ ESRCH, MPP_STATUS_STALE, "ESRCH",
	  "page or swap cache that no process maps" },
	{ EFAULT, MPP_STATUS_UNMOVABLE, "EFAULT",
	  "a zero page, or a mapping or file whose pages may not migrate" },
	{ EACCES, MPP_STATUS_REFUSED, "EACCES",
	  "shared by several processes" },
	{ EXDEV, MPP_STATUS_REFUSED, "EXDEV",
	  "the target is outside the cpuset of an owner of the page, or of the caller" },
	{ EPERM, MPP_STATUS_REFUSED, "EPERM",
	  "the owner's MPOL_BIND policy excludes the target, or a security module the move" },
	{ ENODEV, MPP_STATUS_REFUSED, "ENODEV",
	  "no such node, or a node without memory" },
	{ EHWPOISON, MPP_STATUS_UNMOVABLE, "EHWPOISON",
	  "the page has a hardware memory error" },
	{ EBUSY, MPP_STATUS_RETRY, "EBUSY",
	  "in use by I/O or pinned; a later try may work" },
	{ EAGAIN, MPP_STATUS_RETRY, "EAGAIN",
	  "locked, under writeback or lost a race; a later try may work" },
	{ ENOMEM, MPP_STATUS_REFUSED, "ENOMEM",
	  "the target node has no room" },
	{ EOPNOTSUPP, MPP_STATUS_UNMOVABLE, "EOPNOTSUPP",
	  "cannot be migrated by its owner (inaccessible memory, gigantic pages, ramfs)" },
};

static const struct status_row *status_find(int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (-rows[i].err == status)
			return &rows[i];
	return NULL;
}

enum mpp_status_kind mpp_status_kind(int status)
{
	const struct status_row *row = status_find(status);

	if (status >= 0)
		return MPP_STATUS_OK;
	/* One from a newer kernel: never report as done what may not be. */
	return row ? row->kind : MPP_STATUS_REFUSED;
}

const char *mpp_status_name(int status)
{
	const struct status_row *row = status_find(status);

	if (status >= 0)
		return "ok";
	return row ? row->name : "?";
}

const char *mpp_status_text(int status)
{
	const struct status_row *row = status_find(status);

	if (status >= 0)
		return "the contents are on this node";
	return row ? row->text : "a status that this library does not know";
}
