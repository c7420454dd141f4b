/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/move_phys_pages: the door on a kernel without the system call, where the
 * module is loaded.  Arguments, flags and answers are those of the system call.
 */
#ifndef _UAPI_LINUX_MOVE_PHYS_PAGES_DEV_H
#define _UAPI_LINUX_MOVE_PHYS_PAGES_DEV_H

#include <linux/ioctl.h>
#include <linux/move_phys_pages.h>
#include <linux/types.h>

/**
 * struct mpp_move - argument of MPP_IOC_MOVE
 * @size: size of this structure in bytes, as the caller knows it.  It grows at
 *	its end only; bytes that the kernel does not know must be zero.
 * @flags: MPOL_MF_* and MPP_MF_* bits; any other bit gives -EINVAL.
 * @nr_pages: entries in each array, at most INT_MAX.  0 returns 0 and, with
 *	@flags, tells whether the flags are supported.
 * @pages: user address of __u64[@nr_pages]: physical byte addresses.
 * @nodes: user address of __s32[@nr_pages]: target nodes, or 0 to ask on which
 *	node each page is without moving anything.
 * @status: user address of __s32[@nr_pages]: receives the node that now holds
 *	the contents, or a negative errno.
 * @new_pages: user address of __u64[@nr_pages]: receives the physical address
 *	at which the contents are after the call.  Only used with
 *	MPP_MF_NEW_PAGES.
 *
 * The layout is the same for 32-bit and 64-bit callers.
 */
struct mpp_move {
	__u32 size;
	__u32 flags;
	__u64 nr_pages;
	__u64 pages;
	__u64 nodes;
	__u64 status;
	__u64 new_pages;
};

#define MPP_IOC_TYPE	0xEA

/*
 * Returns 0 when every entry is on its target node, else the number of entries
 * that are not (for a query: that have a negative status), or -1 with errno.
 * The size is in the structure, not in the command number, so that the number
 * stays the same when the structure grows.
 */
#define MPP_IOC_MOVE	_IO(MPP_IOC_TYPE, 0)

#endif /* _UAPI_LINUX_MOVE_PHYS_PAGES_DEV_H */
