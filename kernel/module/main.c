// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/move_phys_pages: the door to the core on an unmodified kernel.
 */
#include "mpp.h"

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/move_phys_pages_dev.h>

/* Up to new_pages: the first published form of struct mpp_move. */
#define MPP_MOVE_SIZE_VER0	48

static_assert(sizeof(struct mpp_move) == MPP_MOVE_SIZE_VER0);

static int mpp_open(struct inode *inode, struct file *file)
{
	/* The mode of the node is the administrator's to change; this is not. */
	return mpp_permitted() ? 0 : -EPERM;
}

static int mpp_copy_move(struct mpp_move *move, void __user *arg)
{
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)arg))
		return -EFAULT;
	if (size < MPP_MOVE_SIZE_VER0 || size > PAGE_SIZE)
		return -EINVAL;
	/* Nearly always; a copy of a size that the compiler knows is cheaper. */
	if (size == sizeof(*move))
		return copy_from_user(move, arg, sizeof(*move)) ? -EFAULT : 0;
	ret = copy_struct_from_user(move, sizeof(*move), arg, size);
	/* Bytes we do not know ask for something we cannot do. */
	return ret == -E2BIG ? -EINVAL : ret;
}

static long mpp_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mpp_move move;
	struct mpp_args args;
	int ret;

	/* Again at each call: the descriptor may have been handed on. */
	if (!mpp_permitted())
		return -EPERM;
	if (cmd != MPP_IOC_MOVE)
		return -ENOTTY;
	ret = mpp_copy_move(&move, (void __user *)arg);
	if (ret)
		return ret;

	args = (struct mpp_args) {
		.nr_pages = move.nr_pages,
		.pages = u64_to_user_ptr(move.pages),
		.nodes = u64_to_user_ptr(move.nodes),
		.status = u64_to_user_ptr(move.status),
		.new_pages = u64_to_user_ptr(move.new_pages),
		.flags = move.flags,
	};
	return mpp_core_call(&args);
}

static const struct file_operations mpp_fops = {
	.owner = THIS_MODULE,
	.open = mpp_open,
	.unlocked_ioctl = mpp_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice mpp_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "move_phys_pages",
	.fops = &mpp_fops,
	.mode = 0600,
};

/* A kobject of our own: the module's hands attributes arguments of other types. */
static struct kobject *mpp_stats;

static int __init mpp_init(void)
{
	int ret;

	ret = mpp_env_init();
	if (ret)
		return ret;
	ret = mpp_stat_init();
	if (ret)
		return ret;
	mpp_stats = kobject_create_and_add("stats", &THIS_MODULE->mkobj.kobj);
	if (!mpp_stats) {
		ret = -ENOMEM;
		goto err_stat_exit;
	}
	ret = sysfs_create_group(mpp_stats, &mpp_stat_group);
	if (ret)
		goto err_put_stats;
	ret = misc_register(&mpp_device);
	if (ret)
		goto err_put_stats;
	return 0;

err_put_stats:
	kobject_put(mpp_stats);
err_stat_exit:
	mpp_stat_exit();
	return ret;
}

static void __exit mpp_exit(void)
{
	misc_deregister(&mpp_device);
	kobject_put(mpp_stats);
	mpp_stat_exit();
}

module_init(mpp_init);
module_exit(mpp_exit);

MODULE_DESCRIPTION("Move the contents of pages, named by physical address, between NUMA nodes");
MODULE_LICENSE("GPL");
