// SPDX-License-Identifier: GPL-2.0-only
/*
 * Find the functions that modules may not link to, and bridge what changed.
 *
 * The names of the functions must not be redirected in this file, so it sees
 * mpp_env.h as it is before its last section.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#define MPP_ENV_NO_NAMES
#include "mpp_env.h"

#include <linux/kprobes.h>
#include <linux/utsname.h>

#define MPP_DEFINE_STATIC_CALL(fn) DEFINE_STATIC_CALL_NULL(mpp_sc_##fn, fn);
MPP_FUNCTIONS(MPP_DEFINE_STATIC_CALL)

DEFINE_STATIC_CALL_NULL(mpp_sc_kallsyms_lookup_name, kallsyms_lookup_name);

bool mpp_isolate_returns_bool;
unsigned long *mpp_env_huge_zero_pfn;
enum zone_type *mpp_env_policy_zone;
const struct address_space_operations *mpp_env_secretmem_aops;

#ifdef MPP_HAVE_FOLIO_CALLBACKS
int mpp_env_migrate_pages(struct list_head *from, unsigned long private, enum migrate_mode mode,
			  enum migrate_reason reason)
{
	return static_call(mpp_sc_migrate_pages)(from, mpp_get_new_folio, mpp_put_new_folio,
						 private, mode, reason, NULL);
}
#else
static struct page *mpp_get_new_page(struct page *page, unsigned long private)
{
	struct folio *dst = mpp_get_new_folio(page_folio(page), private);

	return dst ? &dst->page : NULL;
}

static void mpp_put_new_page(struct page *page, unsigned long private)
{
	mpp_put_new_folio(page_folio(page), private);
}

int mpp_env_migrate_pages(struct list_head *from, unsigned long private, enum migrate_mode mode,
			  enum migrate_reason reason)
{
	return static_call(mpp_sc_migrate_pages)(from, mpp_get_new_page, mpp_put_new_page, private,
						 mode, reason, NULL);
}
#endif

/* rmap calls this through a pointer, so it is a function of our own. */
struct anon_vma *mpp_env_lock_anon_vma(
#ifdef MPP_HAVE_CONST_ANON_LOCK
	const
#endif
	struct folio *folio, struct rmap_walk_control *rwc)
{
	return static_call(mpp_sc_folio_lock_anon_vma_read)(folio, rwc);
}

#ifdef MPP_HAVE_NODE_FILTER
void mpp_env_node_filter(struct mem_cgroup *memcg, nodemask_t *mask)
{
	static_call(mpp_sc_mem_cgroup_node_filter_allowed)(memcg, mask);
}

static int mpp_env_learn_cpusets(void)
{
	return 0;
}
#else
/*
 * "mm/vmscan: fix demotion targets checks in reclaim/demotion", in 7.3, brought
 * mem_cgroup_node_filter_allowed().  6.1 and 6.12 tell nobody which nodes a
 * cgroup's cpuset allows when no task is at hand, other than in the private
 * struct cpuset: its first members are these in both, and a known answer is
 * compared before they are relied on.
 */
struct mpp_cpuset {
	struct cgroup_subsys_state css;
	unsigned long flags;
	cpumask_var_t cpus_allowed;
	nodemask_t mems_allowed;
	cpumask_var_t effective_cpus;
	nodemask_t effective_mems;
};

static struct cgroup_subsys *mpp_cpuset_subsys;

void mpp_env_node_filter(struct mem_cgroup *memcg, nodemask_t *mask)
{
	struct cgroup_subsys_state *css;

	/* On v1 the memory controller's hierarchy knows no cpuset. */
	if (!memcg || !cgroup_subsys_on_dfl(cpuset_cgrp_subsys))
		return;
	css = cgroup_get_e_css(memcg->css.cgroup, mpp_cpuset_subsys);
	if (!css)
		return;
	/* Unlocked, as the kernel's own: the answer may be stale at once either way. */
	nodes_and(*mask, *mask, container_of(css, struct mpp_cpuset, css)->effective_mems);
	css_put(css);
}

static int mpp_env_learn_cpusets(void)
{
	nodemask_t known = static_call(mpp_sc_cpuset_mems_allowed)(current);
	struct mpp_cpuset *cpuset;
	nodemask_t seen;

	mpp_cpuset_subsys =
		(void *)static_call(mpp_sc_kallsyms_lookup_name)("cpuset_cgrp_subsys");
	if (!mpp_cpuset_subsys) {
		pr_err("cannot load: this kernel has no cpuset_cgrp_subsys\n");
		return -EOPNOTSUPP;
	}
	rcu_read_lock();
	cpuset = container_of(task_css(current, cpuset_cgrp_id), struct mpp_cpuset, css);
	seen = cpuset->effective_mems;
	rcu_read_unlock();
	nodes_and(seen, seen, node_states[N_MEMORY]);
	if (nodes_equal(seen, known))
		return 0;
	pr_err("cannot load: struct cpuset of this kernel (%s) is not laid out as expected\n",
	       utsname()->release);
	return -EOPNOTSUPP;
}
#endif

/*
 * Ask folio_isolate_lru() for a folio that is not on any LRU: it fails, with
 * -EBUSY or with false.  The compiler cannot see the difference, and taking one
 * for the other corrupts lists.
 */
static int mpp_env_learn_isolation(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	u8 answer;

	if (!page)
		return -ENOMEM;
	/* Of a bool, only the lowest byte of the register is defined. */
	answer = static_call(mpp_sc_folio_isolate_lru)(page_folio(page));
	__free_page(page);

	if (answer != (u8)-EBUSY && answer != 0) {
		pr_err("cannot load: folio_isolate_lru() of this kernel (%s) returns neither -EBUSY nor false for a folio off the LRU\n",
		       utsname()->release);
		return -EOPNOTSUPP;
	}
	mpp_isolate_returns_bool = answer == 0;
	return 0;
}

/* kallsyms_lookup_name() is not exported either, but a kprobe finds it. */
static int mpp_env_find_lookup(void)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long addr;
	int ret;

	ret = register_kprobe(&kp);
	if (ret) {
		pr_err("cannot load: no kprobe on kallsyms_lookup_name (error %d), so kernel functions cannot be found\n",
		       ret);
		return ret;
	}
	addr = (unsigned long)kp.addr;
	unregister_kprobe(&kp);

	/* Past an ENDBR, where the kprobe may sit, a direct call works as well. */
	static_call_update(mpp_sc_kallsyms_lookup_name,
			   (unsigned long (*)(const char *))addr);
	return 0;
}

static unsigned long mpp_env_find(const char *name)
{
	unsigned long addr = static_call(mpp_sc_kallsyms_lookup_name)(name);

	if (!addr)
		pr_err("cannot load: this kernel (%s) has no %s\n", utsname()->release, name);
	return addr;
}

/**
 * mpp_env_init - find everything the core needs of this kernel
 *
 * Return: 0, or a negative errno with one line in the log that names what is
 * missing.
 */
int mpp_env_init(void)
{
	unsigned long addr;
	int ret;

	ret = mpp_env_find_lookup();
	if (ret)
		return ret;

#define MPP_FIND(fn)							\
	do {								\
		addr = mpp_env_find(#fn);				\
		if (!addr)						\
			return -EOPNOTSUPP;				\
		static_call_update(mpp_sc_##fn, (typeof(fn) *)addr);	\
	} while (0);
	MPP_FUNCTIONS(MPP_FIND)
#undef MPP_FIND

	mpp_env_huge_zero_pfn = (void *)mpp_env_find("huge_zero_pfn");
	mpp_env_policy_zone = (void *)mpp_env_find("policy_zone");
	if (!mpp_env_huge_zero_pfn || !mpp_env_policy_zone)
		return -EOPNOTSUPP;

	/* Absent where the kernel has no secret memory. */
	mpp_env_secretmem_aops =
		(void *)static_call(mpp_sc_kallsyms_lookup_name)("secretmem_aops");

	ret = mpp_env_learn_isolation();
	return ret ?: mpp_env_learn_cpusets();
}
