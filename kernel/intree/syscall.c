// SPDX-License-Identifier: GPL-2.0-only
/*
 * move_phys_pages(2), and what /sys/kernel/mm/move_phys_pages/ tells about it.
 */
#include "mpp.h"

#include <linux/syscalls.h>

#include <asm/unistd.h>

/* Set once there are counters.  A program of the initramfs could come before. */
static bool mpp_ready;

/**
 * sys_move_phys_pages - move what is at physical addresses to NUMA nodes
 * @nr_pages: entries of each array, at most INT_MAX; 0 only asks whether the caller
 *            may, with these flags
 * @pages: byte addresses; any byte of a page names it, any page of a folio the folio
 * @nodes: target of each, or NULL to ask where each is
 * @status: for each its node afterwards or a negative errno; written as far as decided
 * @flags: MPOL_MF_MOVE, MPOL_MF_MOVE_ALL and MPP_MF_*
 * @new_pages: NULL, or with MPP_MF_NEW_PAGES the address that each has afterwards
 *
 * See Documentation/admin-guide/mm/move_phys_pages.rst.
 *
 * Return: how many entries are not on their target, or of a query have no node; or for
 * the call as a whole a negative errno: -EPERM without CAP_SYS_ADMIN in the initial
 * user namespace.
 */
SYSCALL_DEFINE6(move_phys_pages, unsigned long, nr_pages, const u64 __user *, pages,
		const int __user *, nodes, int __user *, status, int, flags,
		u64 __user *, new_pages)
{
	struct mpp_args args = {
		.nr_pages = nr_pages,
		.pages = pages,
		.nodes = nodes,
		.status = status,
		.new_pages = new_pages,
		.flags = flags,
	};

	if (!mpp_permitted())
		return -EPERM;
	/* Pairs with the release in mpp_init(). */
	if (!smp_load_acquire(&mpp_ready))
		return -ENOMEM;
	return mpp_core_call(&args);
}

/* Except on MIPS and for x32, the number is the same for 32-bit callers. */
static ssize_t syscall_nr_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", __NR_move_phys_pages);
}

static struct kobj_attribute mpp_syscall_nr_attr = __ATTR_RO(syscall_nr);

static int __init mpp_init(void)
{
	struct kobject *dir;
	int ret;

	ret = mpp_stat_init();
	if (ret)
		return ret;
	dir = kobject_create_and_add("move_phys_pages", mm_kobj);
	if (!dir) {
		ret = -ENOMEM;
		goto err_stat_exit;
	}
	ret = sysfs_create_group(dir, &mpp_stat_group);
	if (ret)
		goto err_put_dir;
	ret = sysfs_create_file(dir, &mpp_syscall_nr_attr.attr);
	if (ret)
		goto err_put_dir;
	/* Pairs with the acquire in the system call. */
	smp_store_release(&mpp_ready, true);
	return 0;

err_put_dir:
	kobject_put(dir);
err_stat_exit:
	mpp_stat_exit();
	return ret;
}
subsys_initcall(mpp_init);
