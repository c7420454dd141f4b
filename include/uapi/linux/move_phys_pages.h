/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * move_phys_pages: move the contents of pages, named by physical address, to
 * NUMA nodes.
 */
#ifndef _UAPI_LINUX_MOVE_PHYS_PAGES_H
#define _UAPI_LINUX_MOVE_PHYS_PAGES_H

/*
 * Flags.  MPOL_MF_MOVE (1 << 1) and MPOL_MF_MOVE_ALL (1 << 2) of
 * <linux/mempolicy.h> are valid too, with the meaning they have for
 * move_pages(2): without MPOL_MF_MOVE_ALL a folio that several processes map
 * is refused with -EACCES.
 */
#define MPP_MF_UNMAPPED		(1 << 16) /* page and swap cache that nobody maps too */
#define MPP_MF_IGNORE_MEMPOLICY	(1 << 17) /* do not ask MPOL_BIND; all else still decides */
#define MPP_MF_DRY_RUN		(1 << 18) /* run every check, move nothing */
#define MPP_MF_SYNC		(1 << 19) /* may wait for locked pages and writeback */
#define MPP_MF_RECLAIM		(1 << 20) /* may reclaim on the target to make room */
#define MPP_MF_NEW_PAGES	(1 << 21) /* new_pages is valid */

#endif /* _UAPI_LINUX_MOVE_PHYS_PAGES_H */
