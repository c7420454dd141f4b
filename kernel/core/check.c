// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ask everybody concerned whether a folio may move to a node.
 *
 * Locks, outermost first, as in mm/rmap.c:
 *
 *	memory hotplug lock, read		(mpp_round())
 *	folio lock
 *	  i_mmap_rwsem or anon_vma->rwsem, read	(rmap_walk())
 *	    then one after the other:
 *	    alloc_lock or callback_lock		(owner's policy, owner's cpuset)
 *	    what a security module takes	(it may sleep)
 *	    mmap_lock, read, trylock only	(VMA policy)
 *	    page table lock			(page_vma_mapped_walk())
 *
 * The folio lock keeps a file folio in its mapping and a KSM folio in its stable
 * tree node, and stops migration; it does not stop munmap(), for which the
 * anon_vma is locked by folio_lock_anon_vma_read().  For hugetlb i_mmap_rwsem
 * nests outside the folio lock, so there it is only tried.  mmap_lock nests
 * outside all of them: waiting for it here could deadlock.
 */
#include "mpp.h"

struct mpp_walk {
	struct mpp_call *call;
	int nid;
	enum mpp_outcome outcome;
	unsigned int nr_vmas;
	bool count_sharers;
	struct mm_struct *sharer;
};

/**
 * mpp_check_target - tell whether a node can be a target for this caller
 * @nid: any number
 *
 * The caller's own cpuset binds because the allocator applies it to every
 * allocation; asked late it would look like a full node.
 *
 * Return: MPP_PASSED or why not.
 */
enum mpp_outcome mpp_check_target(int nid)
{
	if (nid < 0 || nid >= MAX_NUMNODES || !node_state(nid, N_MEMORY))
		return MPP_BAD_NODE;
	if (!node_isset(nid, cpuset_current_mems_allowed))
		return MPP_CPUSET_CALLER;
	return MPP_PASSED;
}

/* The policy must be kept from going away: by mmap_lock, alloc_lock or a reference. */
static bool mpp_policy_allows(const struct mempolicy *pol, int nid)
{
	return !pol || pol->mode != MPOL_BIND || node_isset(nid, pol->nodes);
}

static void mpp_ask_owner(struct mpp_limit *limit)
{
	struct task_struct *owner;
	nodemask_t allowed;

	limit->process = MPP_PASSED;
	limit->task_policy = MPP_PASSED;

	/*
	 * The task may exit at any time; its task_struct stays.  Not so that of a fork
	 * which fails late, whatever references there are: it is not asked before it runs.
	 */
	rcu_read_lock();
	owner = rcu_dereference(limit->mm->owner);
	if (owner && READ_ONCE(owner->__state) & (TASK_NEW | TASK_DEAD))
		owner = NULL;
	if (owner)
		get_task_struct(owner);
	rcu_read_unlock();
	if (!owner) {
		/* Between owners, or past the last one: then nobody is left to ask. */
		if (atomic_read(&limit->mm->mm_users))
			limit->process = MPP_RACED;
		return;
	}

	allowed = cpuset_mems_allowed(owner);
	/* As move_pages(2) asks about the one process that it is given, if not the caller. */
	if (!node_isset(limit->nid, allowed))
		limit->process = MPP_CPUSET_TASK;
	else if (limit->mm != current->mm && security_task_movememory(owner))
		limit->process = MPP_SECURITY;

	task_lock(owner);
	if (!mpp_policy_allows(owner->mempolicy, limit->nid))
		limit->task_policy = MPP_POLICY_TASK;
	task_unlock(owner);
	put_task_struct(owner);
}

/* An answer for want of somebody to ask is no answer: after a fork, a moment is enough. */
static bool mpp_limit_holds(const struct mpp_limit *limit, struct mm_struct *mm, int nid)
{
	return limit->mm == mm && limit->nid == nid && limit->process != MPP_RACED;
}

/* A process is asked once per batch and target.  The pin keeps the mm's address its own. */
static const struct mpp_limit *mpp_limit_of(struct mpp_call *call, struct mm_struct *mm, int nid)
{
	unsigned int i = hash_ptr(mm, ilog2(call->nr_limits));
	struct mpp_limit *limit = &call->limits[i];

	if (mpp_limit_holds(limit, mm, nid))
		return limit;
	/* The place beside it, when another process was here first. */
	if (limit->mm && limit->mm != mm)
		limit = &call->limits[i ^ 1];
	if (mpp_limit_holds(limit, mm, nid))
		return limit;
	if (limit->mm != mm) {
		if (limit->mm) {
			mmdrop(limit->mm);
			call->limits_crowded = true;
		}
		mmgrab(mm);
		limit->mm = mm;
	}
	limit->nid = nid;
	mpp_ask_owner(limit);
	return limit;
}

/**
 * mpp_forget_limits - end a batch: the next one asks the processes anew
 * @call: the call
 */
void mpp_forget_limits(struct mpp_call *call)
{
	unsigned int i;

	for (i = 0; i < call->nr_limits; i++) {
		if (!call->limits[i].mm)
			continue;
		mmdrop(call->limits[i].mm);
		call->limits[i].mm = NULL;
	}
}

/**
 * mpp_free_limits - give back what mpp_make_limits_fit() took
 * @call: the call, with its limits forgotten
 */
void mpp_free_limits(struct mpp_call *call)
{
	if (call->limits != call->first_limits)
		kvfree(call->limits);
}

/*
 * A page that hundreds of processes share would ask each of them anew for every
 * page, were there fewer places than processes.  Without memory it has to.
 */
static void mpp_make_limits_fit(struct mpp_call *call)
{
	unsigned int nr = call->nr_limits * 16;
	struct mpp_limit *limits;

	call->limits_crowded = false;
	if (nr > MPP_LIMITS_MAX || call->limits_final)
		return;
	limits = mpp_alloc_more(nr, sizeof(*limits));
	if (!limits) {
		call->limits_final = true;
		return;
	}
	mpp_forget_limits(call);
	mpp_free_limits(call);
	call->limits = limits;
	call->nr_limits = nr;
}

static pgoff_t mpp_pgoff(const struct vm_area_struct *vma, unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/*
 * VMAs of a file that differ in nothing that is asked of them, as those of the many
 * who map a library or share memory, give the same answer at the same offset: also
 * shared memory, which keeps its policy with the file.  Only a VMA with a policy of
 * its own must be asked itself; some files prefer that to theirs.
 */
static bool mpp_alike(const struct mpp_alike *last, const struct vm_area_struct *vma,
		      unsigned long addr)
{
	return last->mapping && vma->vm_file && vma->vm_file->f_mapping == last->mapping &&
	       vma->vm_ops == last->vm_ops && vma->vm_flags == last->vm_flags &&
	       mpp_pgoff(vma, addr) == last->pgoff && !READ_ONCE(vma->vm_policy);
}

static void mpp_remember_alike(struct mpp_alike *last, const struct vm_area_struct *vma,
			       unsigned long addr, enum mpp_outcome outcome)
{
	if (!vma->vm_file)
		return;
	last->mapping = vma->vm_file->f_mapping;
	last->vm_ops = vma->vm_ops;
	last->vm_flags = vma->vm_flags;
	last->pgoff = mpp_pgoff(vma, addr);
	last->outcome = outcome;
}

/*
 * What the VMA's policy says, its own or its file's.  MPP_PENDING: there is none.
 * @own tells which; only the file's may be remembered, and a moment after the lock is
 * dropped it could not be told any more.
 *
 * No policy and no hook to ask is seen without the lock; a policy that is set
 * just now is missed, as it is by move_pages(2).
 */
static enum mpp_outcome mpp_vma_policy(struct vm_area_struct *vma, unsigned long addr, int nid,
				       bool *own)
{
	enum mpp_outcome outcome = MPP_PENDING;
	struct mempolicy *pol;
	pgoff_t ilx;

	if (!READ_ONCE(vma->vm_policy) && !(vma->vm_ops && vma->vm_ops->get_policy))
		return MPP_PENDING;
	if (!mmap_read_trylock(vma->vm_mm))
		return MPP_CONTENDED;
	pol = __get_vma_policy(vma, addr, &ilx);
	if (pol)
		outcome = mpp_policy_allows(pol, nid) ? MPP_PASSED : MPP_POLICY_VMA;
	mpol_cond_put(pol);
	*own = vma->vm_policy;
	mmap_read_unlock(vma->vm_mm);
	return outcome;
}

/* What the VMA itself says, whoever's it is.  MPP_PENDING: the task's policy decides. */
static enum mpp_outcome mpp_ask_vma(struct mpp_call *call, struct vm_area_struct *vma,
				    unsigned long addr, int nid)
{
	enum mpp_outcome outcome;
	bool own = false;

	if (mpp_alike(&call->alike, vma, addr))
		return call->alike.outcome;
	if (!vma_migratable(vma))
		outcome = MPP_VMA;
	else if (call->args.flags & MPP_MF_IGNORE_MEMPOLICY)
		outcome = MPP_PASSED;
	else
		outcome = mpp_vma_policy(vma, addr, nid, &own);
	if (!own && outcome != MPP_CONTENDED)
		mpp_remember_alike(&call->alike, vma, addr, outcome);
	return outcome;
}

/**
 * mpp_vma_allows - whether a VMA lets a folio move that it may map
 * @call: the call
 * @folio: locked
 * @vma: kept by the lock of a walk
 * @addr: where in the VMA
 * @nid: the target
 *
 * Return: MPP_PASSED or why not.
 */
enum mpp_outcome mpp_vma_allows(struct mpp_call *call, struct folio *folio,
				struct vm_area_struct *vma, unsigned long addr, int nid)
{
	enum mpp_outcome outcome = mpp_ask_vma(call, vma, addr, nid);
	const struct mpp_limit *limit;

	if (outcome == MPP_VMA)
		return outcome;
	limit = mpp_limit_of(call, vma->vm_mm, nid);
	if (limit->process != MPP_PASSED)
		return limit->process;
	if (outcome != MPP_PENDING)
		return outcome;
	return folio_test_anon(folio) ? limit->task_policy : MPP_PASSED;
}

/* rmap over-approximates: it visits VMAs that have broken copy-on-write long ago. */
static bool mpp_maps(struct folio *folio, struct vm_area_struct *vma, unsigned long addr)
{
	/*
	 * With the lock even where nothing is seen: an entry that mprotect() or mremap() is
	 * changing is empty for a moment, and its owner would not be asked.
	 */
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, addr, PVMW_SYNC);

	if (!page_vma_mapped_walk(&pvmw))
		return false;
	page_vma_mapped_walk_done(&pvmw);
	return true;
}

static bool mpp_check_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
			  void *arg)
{
	struct mpp_walk *walk = arg;
	enum mpp_outcome outcome;

	walk->nr_vmas++;
	/* Its walk drops one lock and takes the next: what was behind a VMA may be gone. */
	if (folio_test_ksm(folio))
		walk->call->alike.mapping = NULL;
	outcome = mpp_vma_allows(walk->call, folio, vma, addr, walk->nid);

	/* Only what would decide the outcome is worth the look into the page tables. */
	if (outcome == MPP_PASSED && !walk->count_sharers)
		return true;
	if (!mpp_maps(folio, vma, addr))
		return true;
	if (outcome == MPP_PASSED && walk->sharer && walk->sharer != vma->vm_mm)
		outcome = MPP_SHARED;
	walk->sharer = vma->vm_mm;
	walk->outcome = outcome;
	return outcome == MPP_PASSED;
}

/* Processes that share the page table of a hugetlb mapping count as one mapping. */
static bool mpp_maybe_shared(struct folio *folio)
{
	return folio_mapcount(folio) > 1 ||
	       (folio_test_hugetlb(folio) && !folio_test_anon(folio));
}

static noinline enum mpp_outcome mpp_walk_mappings(struct mpp_call *call, struct folio *folio,
						   int nid, bool count_sharers)
{
	struct mpp_walk walk = {
		.call = call,
		.nid = nid,
		.outcome = MPP_PASSED,
		.count_sharers = count_sharers,
	};
	struct rmap_walk_control rwc = {
		.arg = &walk,
		.try_lock = folio_test_hugetlb(folio),
		.rmap_one = mpp_check_one,
		.anon_lock = folio_lock_anon_vma_read,
	};

	call->alike.mapping = NULL;
	rmap_walk(folio, &rwc);
	if (rwc.contended)
		return MPP_CONTENDED;
	/* Mapped a moment ago, and nobody to ask: it is being unmapped. */
	if (!walk.nr_vmas)
		return MPP_RACED;
	if (walk.outcome == MPP_PASSED)
		mpp_anon_walked(call, folio, nid, walk.nr_vmas);
	return walk.outcome;
}

static enum mpp_outcome mpp_check_mappings(struct mpp_call *call, struct folio *folio, int nid)
{
	bool count_sharers = !(call->args.flags & MPOL_MF_MOVE_ALL) && mpp_maybe_shared(folio);

	/* One process may map a KSM page many times, on behalf of data that were not one. */
	if (count_sharers && folio_test_ksm(folio))
		return MPP_SHARED;
	if (!count_sharers && mpp_anon_allows(call, folio, nid))
		return MPP_PASSED;
	return mpp_walk_mappings(call, folio, nid, count_sharers);
}

/* The policy of a tmpfs file binds its pages, mapped or not. */
static bool mpp_file_policy_allows(struct folio *folio, int nid)
{
	struct address_space *mapping = folio_mapping(folio);
	struct mempolicy *pol;
	bool allows;

	if (!mapping || !shmem_mapping(mapping))
		return true;
	/* The folio is locked and has its mapping, and so the inode. */
	pol = mpol_shared_policy_lookup(&SHMEM_I(mapping->host)->policy, folio->index);
	allows = mpp_policy_allows(pol, nid);
	mpol_cond_put(pol);
	return allows;
}

/* Nobody maps it: the cgroup that is charged for it speaks, and the file. */
static enum mpp_outcome mpp_check_unmapped(struct mpp_call *call, struct folio *folio, int nid)
{
	nodemask_t allowed = node_states[N_MEMORY];
	struct mem_cgroup *memcg;

	/* The folio lock keeps the binding, RCU the cgroup behind it. */
	rcu_read_lock();
	memcg = folio_memcg(folio);
	mem_cgroup_node_filter_allowed(memcg, &allowed);
	rcu_read_unlock();
	if (!node_isset(nid, allowed))
		return MPP_CPUSET_CGROUP;
	if (!(call->args.flags & MPP_MF_IGNORE_MEMPOLICY) && !mpp_file_policy_allows(folio, nid))
		return MPP_POLICY_FILE;
	return MPP_PASSED;
}

static enum mpp_outcome mpp_check_mapping(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);

	/* Gigantic pages: no pool can be counted on, and one alone is a batch too long. */
	if (folio_test_hugetlb(folio) && folio_order(folio) > PMD_ORDER)
		return MPP_UNSUPPORTED;
	if (!mapping || folio_test_anon(folio))
		return MPP_PASSED;
	/* Memory that the kernel itself may not read, a guest's or a secret. */
	if (mapping_inaccessible(mapping) || secretmem_mapping(mapping))
		return MPP_UNSUPPORTED;
	if (gfp_zone(mapping_gfp_mask(mapping)) < policy_zone)
		return MPP_ZONE;
	/* Its file system cannot move it before it is written, and ramfs never writes. */
	if (!mapping->a_ops->migrate_folio && folio_test_dirty(folio))
		return mapping_can_writeback(mapping) ? MPP_WRITEBACK : MPP_UNSUPPORTED;
	return MPP_PASSED;
}

/*
 * A reference that nothing accounts for makes migration fail after it has
 * unmapped the folio; seen here it costs its users nothing.  hugetlb keeps its
 * references differently on each kernel and is left to migration.
 *
 * A folio in a per-CPU batch has such a reference too: granted to one that is off
 * the LRU.  Batches that move folios about the LRU, and those of mlock, leave the
 * LRU flag set; only a drain tells one in them from a pinned one.  They hold small
 * folios only.
 */
static enum mpp_outcome mpp_check_references(struct mpp_call *call, struct folio *folio)
{
	int ours = folio_test_lru(folio) ? 1 : 2;

	if (folio_test_hugetlb(folio))
		return MPP_PASSED;
	if (folio_ref_count(folio) <= folio_expected_ref_count(folio) + ours)
		return MPP_PASSED;
	if (call->drained || folio_test_large(folio) || folio_maybe_dma_pinned(folio))
		return MPP_PINNED;
	return MPP_NOT_ISOLATED;
}

static enum mpp_outcome mpp_check_locked(struct mpp_call *call, struct folio *folio, int nid)
{
	enum mpp_outcome outcome;

	if (folio_contain_hwpoisoned_page(folio))
		return MPP_HWPOISON;
	outcome = __mpp_gate_unmapped(folio, call->args.flags);
	if (outcome != MPP_PASSED)
		return outcome;
	outcome = mpp_check_mapping(folio);
	if (outcome != MPP_PASSED)
		return outcome;
	if (folio_mapped(folio))
		outcome = mpp_check_mappings(call, folio, nid);
	else
		outcome = mpp_check_unmapped(call, folio, nid);
	if (outcome != MPP_PASSED)
		return outcome;
	return mpp_check_references(call, folio);
}

/**
 * mpp_check_folio - run every check for one folio and one target
 * @call: the call, for its flags and its memory of processes already asked
 * @folio: past mpp_gate(), with a reference, not locked
 * @nid: past mpp_check_target()
 *
 * May sleep, but waits neither for the folio lock nor for writeback.
 *
 * Return: MPP_PASSED or why not.
 */
enum mpp_outcome mpp_check_folio(struct mpp_call *call, struct folio *folio, int nid)
{
	enum mpp_outcome outcome;

	if (call->limits_crowded)
		mpp_make_limits_fit(call);
	if (!folio_trylock(folio))
		return MPP_LOCKED;
	if (folio_test_writeback(folio))
		outcome = MPP_WRITEBACK;
	else
		outcome = mpp_check_locked(call, folio, nid);
	folio_unlock(folio);
	return outcome;
}
