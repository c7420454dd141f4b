// SPDX-License-Identifier: GPL-2.0-only
/* Names, kinds and texts of statuses; the header against the kernel's own. */
#include <errno.h>
#include <limits.h>
#include <numaif.h>
#include <linux/move_phys_pages.h>

enum {
	UAPI_UNMAPPED = MPP_MF_UNMAPPED,
	UAPI_IGNORE_MEMPOLICY = MPP_MF_IGNORE_MEMPOLICY,
	UAPI_DRY_RUN = MPP_MF_DRY_RUN,
	UAPI_SYNC = MPP_MF_SYNC,
	UAPI_RECLAIM = MPP_MF_RECLAIM,
	UAPI_NEW_PAGES = MPP_MF_NEW_PAGES,
	NUMAIF_MOVE = MPOL_MF_MOVE,
	NUMAIF_MOVE_ALL = MPOL_MF_MOVE_ALL,
};

#undef MPP_MF_UNMAPPED
#undef MPP_MF_IGNORE_MEMPOLICY
#undef MPP_MF_DRY_RUN
#undef MPP_MF_SYNC
#undef MPP_MF_RECLAIM
#undef MPP_MF_NEW_PAGES
#undef MPOL_MF_MOVE
#undef MPOL_MF_MOVE_ALL

#include <movephys.h>

#include "tap.h"

_Static_assert(UAPI_UNMAPPED == MPP_MF_UNMAPPED, "flag");
_Static_assert(UAPI_IGNORE_MEMPOLICY == MPP_MF_IGNORE_MEMPOLICY, "flag");
_Static_assert(UAPI_DRY_RUN == MPP_MF_DRY_RUN, "flag");
_Static_assert(UAPI_SYNC == MPP_MF_SYNC, "flag");
_Static_assert(UAPI_RECLAIM == MPP_MF_RECLAIM, "flag");
_Static_assert(UAPI_NEW_PAGES == MPP_MF_NEW_PAGES, "flag");
_Static_assert(NUMAIF_MOVE == MPOL_MF_MOVE, "flag");
_Static_assert(NUMAIF_MOVE_ALL == MPOL_MF_MOVE_ALL, "flag");

/* The contract's table, row by row. */
static const struct {
	int status;
	const char *name;
	enum mpp_status_kind kind;
} rows[] = {
	{ 0, "ok", MPP_STATUS_OK },
	{ 1023, "ok", MPP_STATUS_OK },
	{ -ENXIO, "ENXIO", MPP_STATUS_STALE },
	{ -ENOENT, "ENOENT", MPP_STATUS_STALE },
	{ -ESRCH, "ESRCH", MPP_STATUS_STALE },
	{ -EFAULT, "EFAULT", MPP_STATUS_UNMOVABLE },
	{ -EACCES, "EACCES", MPP_STATUS_REFUSED },
	{ -EXDEV, "EXDEV", MPP_STATUS_REFUSED },
	{ -EPERM, "EPERM", MPP_STATUS_REFUSED },
	{ -ENODEV, "ENODEV", MPP_STATUS_REFUSED },
	{ -EHWPOISON, "EHWPOISON", MPP_STATUS_UNMOVABLE },
	{ -EBUSY, "EBUSY", MPP_STATUS_RETRY },
	{ -EAGAIN, "EAGAIN", MPP_STATUS_RETRY },
	{ -ENOMEM, "ENOMEM", MPP_STATUS_REFUSED },
	{ -EOPNOTSUPP, "EOPNOTSUPP", MPP_STATUS_UNMOVABLE },
	/* Not in the contract: never taken for success. */
	{ -EIO, "?", MPP_STATUS_REFUSED },
	{ -4095, "?", MPP_STATUS_REFUSED },
	{ INT_MIN, "?", MPP_STATUS_REFUSED },
};

static void names(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_STR(mpp_status_name(rows[i].status), rows[i].name);
		CHECK_INT(mpp_status_kind(rows[i].status), rows[i].kind);
		CHECK(strlen(mpp_status_text(rows[i].status)) > 10);
		CHECK(!strchr(mpp_status_text(rows[i].status), '\n'));
	}
}

static void texts_differ(void)
{
	for (size_t i = 2; i < 15; i++)
		for (size_t j = i + 1; j < 15; j++)
			CHECK(strcmp(mpp_status_text(rows[i].status),
				     mpp_status_text(rows[j].status)));
}

static void door_names(void)
{
	CHECK_STR(mpp_door_name(MPP_DOOR_DEVICE), "device");
	CHECK_STR(mpp_door_name(MPP_DOOR_SYSCALL), "syscall");
	CHECK_STR(mpp_door_name(MPP_DOOR_AUTO), "auto");
	CHECK_STR(mpp_door_name((enum mpp_door)99), "?");
}

TAP_MAIN(
	{ "names and kinds of statuses", names },
	{ "each status has a text of its own", texts_differ },
	{ "names of doors", door_names },
)
