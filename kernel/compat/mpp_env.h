/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core asks of the kernel, for the module on an unmodified kernel.
 *
 * The core names interfaces as Linux 7.3 does.  Two things stand between it and
 * the kernel at hand:
 *
 *  - Functions that modules may not link to.  They are looked up at load time and
 *    reached by static calls, that is by direct call instructions.  An indirect
 *    call would fault on machines with IBT: most of these functions are never
 *    called indirectly by the kernel, which then seals their ENDBR.
 *  - Interfaces that changed.  probe.sh asks the compiler, one
 *    question a file (probes/), and the shims below go by the answers
 *    (MPP_HAVE_*), each naming the change that it bridges.
 */
#ifndef MPP_COMPAT_ENV_H
#define MPP_COMPAT_ENV_H

#include <linux/atomic.h>
#include <linux/backing-dev.h>
#include <linux/bitops.h>
#include <linux/capability.h>
#include <linux/cgroup.h>
#include <linux/compat.h>
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
#include <linux/static_call.h>
#include <linux/swap.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include <linux/xarray.h>

#include <linux/move_phys_pages.h>

#include "mpp_probed.h"

#ifndef CONFIG_MEMCG
#error "move_phys_pages needs CONFIG_MEMCG: without it the kernel cannot tell whose memory it is"
#endif
#if !defined(CONFIG_MIGRATION) || !defined(CONFIG_NUMA) || !defined(CONFIG_CPUSETS)
#error "move_phys_pages needs CONFIG_MIGRATION, CONFIG_NUMA and CONFIG_CPUSETS"
#endif
#if !defined(CONFIG_TRANSPARENT_HUGEPAGE) || !defined(CONFIG_HUGETLB_PAGE)
#error "move_phys_pages needs CONFIG_TRANSPARENT_HUGEPAGE and CONFIG_HUGETLB_PAGE"
#endif
#if !defined(CONFIG_KPROBES) || !defined(CONFIG_KALLSYMS)
#error "move_phys_pages needs CONFIG_KPROBES and CONFIG_KALLSYMS to find kernel functions"
#endif

/* mm/internal.h; what it returns differs, see mpp_env_isolate_lru(). */
int folio_isolate_lru(struct folio *folio);
/* linux/swap.h, then mm/internal.h. */
void lru_add_drain(void);
/* linux/rmap.h, then mm/internal.h, with the three inline functions around it. */
void __put_anon_vma(struct anon_vma *anon_vma);

/* Functions to look up, where each has the same name and type on every kernel. */
#define MPP_COMMON_FUNCTIONS(X)		\
	X(__get_vma_policy)		\
	X(__mpol_put)			\
	X(__put_anon_vma)		\
	X(cpuset_mems_allowed)		\
	X(folio_isolate_lru)		\
	X(folio_lock_anon_vma_read)	\
	X(get_online_mems)		\
	X(lru_add_drain)		\
	X(lru_add_drain_all)		\
	X(migrate_pages)		\
	X(mpol_shared_policy_lookup)	\
	X(page_vma_mapped_walk)		\
	X(put_online_mems)		\
	X(putback_movable_pages)	\
	X(rmap_walk)			\
	X(size_to_hstate)		\
	X(vma_migratable)		\
	X(zone_watermark_ok)

/*
 * 7.3 has folio_isolate_hugetlb() of a folio, 6.12 calls it isolate_hugetlb(), and
 * 6.1.y has folio_isolate_hugetlb() of a page, which returns 0 for success.
 */
#ifdef MPP_HAVE_FOLIO_ISOLATE_HUGETLB
#define MPP_ISOLATE_HUGETLB_FUNCTION(X)	X(folio_isolate_hugetlb)
#elif defined(MPP_HAVE_ISOLATE_HUGETLB)
#define MPP_ISOLATE_HUGETLB_FUNCTION(X)	X(isolate_hugetlb)
#else
#define MPP_ISOLATE_HUGETLB_FUNCTION(X)	X(folio_isolate_hugetlb)
#endif

/* 6.1 has alloc_huge_page_nodemask(), which cannot be told not to fall back. */
#ifdef MPP_HAVE_ALLOC_HUGETLB_FOLIO
#define MPP_ALLOC_HUGETLB_FUNCTION(X)	X(alloc_hugetlb_folio_nodemask)
#else
#define MPP_ALLOC_HUGETLB_FUNCTION(X)	X(alloc_huge_page_nodemask)
#endif

#ifdef MPP_HAVE_NODE_FILTER
#define MPP_NODE_FILTER_FUNCTION(X)	X(mem_cgroup_node_filter_allowed)
#else
#define MPP_NODE_FILTER_FUNCTION(X)
#endif

/* Inline in 6.12 and 7.3; in 6.1 a function that is not exported. */
#ifdef MPP_HAVE_INLINE_MAPCOUNT
#define MPP_MAPCOUNT_FUNCTION(X)
#else
#define MPP_MAPCOUNT_FUNCTION(X)	X(folio_mapcount)
#endif

/* 6.1 and 6.12 go through the tree of an anon_vma by functions of another name. */
#ifdef MPP_HAVE_ANON_RMAP_TREE
#define MPP_ANON_TREE_FUNCTIONS(X)			\
	X(anon_rmap_tree_iter_first)			\
	X(anon_rmap_tree_iter_next)
#else
#define MPP_ANON_TREE_FUNCTIONS(X)			\
	X(anon_vma_interval_tree_iter_first)		\
	X(anon_vma_interval_tree_iter_next)
#endif

/* Without security modules it is inline. */
#ifdef CONFIG_SECURITY
#define MPP_SECURITY_FUNCTION(X)	X(security_task_movememory)
#else
#define MPP_SECURITY_FUNCTION(X)
#endif

#define MPP_FUNCTIONS(X)		\
	MPP_COMMON_FUNCTIONS(X)		\
	MPP_SECURITY_FUNCTION(X)	\
	MPP_ISOLATE_HUGETLB_FUNCTION(X)	\
	MPP_ALLOC_HUGETLB_FUNCTION(X)	\
	MPP_NODE_FILTER_FUNCTION(X)	\
	MPP_MAPCOUNT_FUNCTION(X)	\
	MPP_ANON_TREE_FUNCTIONS(X)

#define MPP_DECLARE_STATIC_CALL(fn) DECLARE_STATIC_CALL(mpp_sc_##fn, fn);
MPP_FUNCTIONS(MPP_DECLARE_STATIC_CALL)
#undef MPP_DECLARE_STATIC_CALL

int mpp_env_init(void);

/*
 * Which of the two ways folio_isolate_lru() reports success: 0 of an int before
 * "mm: change to return bool for folio_isolate_lru()", as in 6.1, true of a bool
 * after it, as in 6.12 and 7.3.  Found out at load time, see mpp_env_learn_isolation().
 */
extern bool mpp_isolate_returns_bool;

static inline bool mpp_env_isolate_lru(struct folio *folio)
{
	int ret = static_call(mpp_sc_folio_isolate_lru)(folio);

	return mpp_isolate_returns_bool ? (u8)ret : !ret;
}

static inline bool mpp_env_isolate_hugetlb(struct folio *folio, struct list_head *list)
{
#ifdef MPP_HAVE_FOLIO_ISOLATE_HUGETLB
	return static_call(mpp_sc_folio_isolate_hugetlb)(folio, list);
#elif defined(MPP_HAVE_ISOLATE_HUGETLB)
	return static_call(mpp_sc_isolate_hugetlb)(folio, list);
#else
	return !static_call(mpp_sc_folio_isolate_hugetlb)(&folio->page, list);
#endif
}

/*
 * As the patch series makes isolate_folio_to_list(): at the end of the list.  6.12
 * and 7.3 put folios at its front, 6.1 does not have it.
 */
static inline bool mpp_env_isolate(struct folio *folio, struct list_head *list)
{
	if (folio_test_hugetlb(folio))
		return mpp_env_isolate_hugetlb(folio, list);
	if (!mpp_env_isolate_lru(folio))
		return false;
	list_add_tail(&folio->lru, list);
	mod_node_page_state(folio_pgdat(folio), NR_ISOLATED_ANON + folio_is_file_lru(folio),
			    folio_nr_pages(folio));
	return true;
}

static inline struct folio *mpp_env_alloc_hugetlb(struct hstate *h, int nid, nodemask_t *nmask,
						  gfp_t gfp, bool allow_fallback)
{
#ifdef MPP_HAVE_ALLOC_HUGETLB_FOLIO
	return static_call(mpp_sc_alloc_hugetlb_folio_nodemask)(h, nid, nmask, gfp,
								allow_fallback);
#else
	struct page *page = static_call(mpp_sc_alloc_huge_page_nodemask)(h, nid, nmask, gfp);

	return page ? page_folio(page) : NULL;
#endif
}

/*
 * The core's callbacks, which 6.12 and 7.3 hand folios (new_folio_t) and 6.1 pages
 * (new_page_t).
 */
struct folio *mpp_get_new_folio(struct folio *src, unsigned long private);
void mpp_put_new_folio(struct folio *dst, unsigned long private);

int mpp_env_migrate_pages(struct list_head *from, unsigned long private, enum migrate_mode mode,
			  enum migrate_reason reason);

struct anon_vma *mpp_env_lock_anon_vma(
#ifdef MPP_HAVE_CONST_ANON_LOCK
	/* in 7.3, not in 6.1 and 6.12 */
	const
#endif
	struct folio *folio, struct rmap_walk_control *rwc);

void mpp_env_node_filter(struct mem_cgroup *memcg, nodemask_t *mask);

/* Variables that modules may not link to. */
extern unsigned long *mpp_env_huge_zero_pfn;
extern enum zone_type *mpp_env_policy_zone;
extern const struct address_space_operations *mpp_env_secretmem_aops;

static inline void mpp_env_mpol_cond_put(struct mempolicy *pol)
{
	if (mpol_needs_cond_ref(pol))
		static_call(mpp_sc___mpol_put)(pol);
}

static inline void mpp_env_get_anon_vma(struct anon_vma *anon_vma)
{
	atomic_inc(&anon_vma->refcount);
}

static inline void mpp_env_put_anon_vma(struct anon_vma *anon_vma)
{
	if (atomic_dec_and_test(&anon_vma->refcount))
		static_call(mpp_sc___put_anon_vma)(anon_vma);
}

static inline void mpp_env_unlock_anon_vma(struct anon_vma *anon_vma)
{
	up_read(&anon_vma->root->rwsem);
}

static inline bool mpp_env_is_huge_zero(const struct folio *folio)
{
	return READ_ONCE(*mpp_env_huge_zero_pfn) == folio_pfn((struct folio *)folio);
}

static inline bool mpp_env_secretmem_mapping(const struct address_space *mapping)
{
	return mpp_env_secretmem_aops && mapping->a_ops == mpp_env_secretmem_aops;
}

/* mm/internal.h in 6.1 and 6.12, mm/page_alloc.h in 7.3, where modules cannot include it. */
#define ALLOC_CMA 0x80

/* No patch gives us a reason of our own; this one does not split large folios either. */
#define MPP_MIGRATE_REASON	MR_NUMA_MISPLACED

/* "mm: rename __PageMovable() to page_has_movable_ops()", in 7.3, not in 6.12 */
#ifndef MPP_HAVE_MOVABLE_OPS
static inline bool page_has_movable_ops(struct page *page)
{
	return __PageMovable(page);
}
#endif

/* In 7.3; 6.1 and 6.12 have the same bit under this name. */
#ifndef FOLIO_MAPPING_ANON
#define FOLIO_MAPPING_ANON PAGE_MAPPING_ANON
#endif

/* In 6.12 and 7.3, not in 6.1. */
#ifndef PMD_ORDER
#define PMD_ORDER (PMD_SHIFT - PAGE_SHIFT)
#endif

/* Likewise. */
#ifndef MPP_HAVE_FOLIO_HWPOISONED
static inline bool folio_contain_hwpoisoned_page(struct folio *folio)
{
	return folio_test_hwpoison(folio) ||
	       (folio_test_large(folio) && !folio_test_hugetlb(folio) &&
		PageHasHWPoisoned(&folio->page));
}
#endif

/* In 6.12 and 7.3; 6.1 has no memory that a mapping forbids to touch, but secret memory. */
#ifndef MPP_HAVE_INACCESSIBLE
static inline bool mapping_inaccessible(const struct address_space *mapping)
{
	return false;
}
#endif

/*
 * In all three, by backport in 6.1.y, where the folio_mapcount() that it calls cannot
 * be linked.  Counted as the migration of 6.1 does.
 */
#if !defined(MPP_HAVE_EXPECTED_REFS) || !defined(MPP_HAVE_INLINE_MAPCOUNT)
#define MPP_OWN_EXPECTED_REFS
static inline int mpp_env_expected_refs(struct folio *folio)
{
	int refs = 0;

	if (folio_test_swapcache(folio))
		refs += folio_nr_pages(folio);
	else if (!folio_test_anon(folio) && folio->mapping)
		refs += folio_test_hugetlb(folio) ? 1 : folio_nr_pages(folio);
	if (!folio_test_anon(folio))
		refs += folio_test_private(folio);
	return refs + static_call(mpp_sc_folio_mapcount)(folio);
}
#endif

/*
 * "mm/filemap: remove hugetlb special casing in filemap.c" is in 6.12.  In 6.1 a
 * hugetlb folio's index counts huge pages, and the header's conversion cannot be
 * linked.
 */
#ifdef MPP_HAVE_BASEPAGE_INDEX
#undef DEFINE_FOLIO_VMA_WALK
#define DEFINE_FOLIO_VMA_WALK(name, _folio, _vma, _address, _flags)		\
	struct page_vma_mapped_walk name = {					\
		.pfn = folio_pfn(_folio),					\
		.nr_pages = folio_nr_pages(_folio),				\
		.pgoff = (_folio)->index <<					\
			 (folio_test_hugetlb(_folio) ? folio_order(_folio) : 0),	\
		.vma = _vma,							\
		.address = _address,						\
		.flags = _flags,						\
	}
#endif

/* "mempolicy: alloc_pages_mpol() for NUMA policy without vma" is in 6.12, not in 6.1. */
static inline struct mempolicy *mpp_env_vma_policy(struct vm_area_struct *vma, unsigned long addr,
						   pgoff_t *ilx)
{
#ifdef MPP_HAVE_POLICY_INDEX
	return static_call(mpp_sc___get_vma_policy)(vma, addr, ilx);
#else
	*ilx = 0;
	return static_call(mpp_sc___get_vma_policy)(vma, addr);
#endif
}

/* From here on the core's names lead to the above. */
#ifndef MPP_ENV_NO_NAMES
#define __get_vma_policy		mpp_env_vma_policy
#define anon_vma_unlock_read		mpp_env_unlock_anon_vma
#define alloc_hugetlb_folio_nodemask	mpp_env_alloc_hugetlb
#define cpuset_mems_allowed		static_call(mpp_sc_cpuset_mems_allowed)
#define folio_hstate(folio)		static_call(mpp_sc_size_to_hstate)(folio_size(folio))
#define folio_lock_anon_vma_read	mpp_env_lock_anon_vma
#define get_anon_vma			mpp_env_get_anon_vma
#define get_online_mems			static_call(mpp_sc_get_online_mems)
#define is_huge_zero_folio		mpp_env_is_huge_zero
#define isolate_folio_to_list		mpp_env_isolate
#define lru_add_drain			static_call(mpp_sc_lru_add_drain)
#define lru_add_drain_all		static_call(mpp_sc_lru_add_drain_all)
#define mem_cgroup_node_filter_allowed	mpp_env_node_filter
#define migrate_pages(from, get, put, private, mode, reason, nr) \
	mpp_env_migrate_pages(from, private, mode, reason)
#define mpol_cond_put			mpp_env_mpol_cond_put
#define mpol_shared_policy_lookup	static_call(mpp_sc_mpol_shared_policy_lookup)
#define page_vma_mapped_walk(pvmw)	static_call(mpp_sc_page_vma_mapped_walk)(pvmw)
#define put_anon_vma			mpp_env_put_anon_vma
#define policy_zone			(*mpp_env_policy_zone)
#define put_online_mems			static_call(mpp_sc_put_online_mems)
#define putback_movable_pages		static_call(mpp_sc_putback_movable_pages)
#define rmap_walk			static_call(mpp_sc_rmap_walk)
#define secretmem_mapping		mpp_env_secretmem_mapping
#ifdef CONFIG_SECURITY
#define security_task_movememory	static_call(mpp_sc_security_task_movememory)
#endif
#define vma_migratable			static_call(mpp_sc_vma_migratable)
#define zone_watermark_ok		static_call(mpp_sc_zone_watermark_ok)
#ifndef MPP_HAVE_INLINE_MAPCOUNT
#define folio_mapcount			static_call(mpp_sc_folio_mapcount)
#endif
#ifdef MPP_HAVE_ANON_RMAP_TREE
#define anon_rmap_tree_iter_first	static_call(mpp_sc_anon_rmap_tree_iter_first)
#define anon_rmap_tree_iter_next	static_call(mpp_sc_anon_rmap_tree_iter_next)
#else
#define anon_rmap_tree_foreach(avc, anon_vma, start, last)				\
	for (avc = static_call(mpp_sc_anon_vma_interval_tree_iter_first)		\
			(&(anon_vma)->rb_root, start, last);				\
	     avc; avc = static_call(mpp_sc_anon_vma_interval_tree_iter_next)(avc, start, last))
#endif
#ifdef MPP_OWN_EXPECTED_REFS
#define folio_expected_ref_count	mpp_env_expected_refs
#endif
#endif /* !MPP_ENV_NO_NAMES */

#endif /* MPP_COMPAT_ENV_H */
