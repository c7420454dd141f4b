/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What move_phys_pages asks of the rest of the kernel, in one place.
 */
#ifndef MPP_ENV_H
#define MPP_ENV_H

#include <linux/atomic.h>
#include <linux/backing-dev.h>
#include <linux/bitops.h>
#include <linux/capability.h>
#include <linux/cpuset.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/ioport.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/memory_hotplug.h>
#include <linux/mempolicy.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmap_lock.h>
#include <linux/mmzone.h>
#include <linux/move_phys_pages.h>
#include <linux/nodemask.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/secretmem.h>
#include <linux/security.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include <linux/xarray.h>

#include "../internal.h"
#include "../page_alloc.h"

/* The reason that migrate_pages() is given. */
#define MPP_MIGRATE_REASON	MR_PHYS_PAGES

#endif /* MPP_ENV_H */
