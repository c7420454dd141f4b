// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a security module says: Smack, which needs no policy to be loaded
 * (testbed/vm run --append lsm=smack, with a kernel that is built here).
 */
#include "harness.h"

#include <pthread.h>

#include <linux/capability.h>

#define SMACK_LABEL	"/proc/self/attr/smack/current"

static void labelled(struct child *me, void *arg)
{
	struct region r = region_anon(1, slow_node(), 1);

	(void)arg;
	write_text(SMACK_LABEL, "mpp-victim");
	me->shared[0] = region_phys(&r, 0);
	child_sync(me);
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

/* Without the capability by which root is not bound by Smack. */
static void is_bound(struct child *me, void *phys)
{
	(void)me;
	capabilities(capabilities_now() & ~(1ull << CAP_MAC_OVERRIDE));
	CHECK_STATUS(move_one(*(uint64_t *)phys, fast_node(),
			      MPOL_MF_MOVE_ALL | MPP_MF_IGNORE_MEMPOLICY, NULL), -EPERM);
}

static pthread_barrier_t labelled_now;

/* A thread's label is its own, and that of the process is its leader's. */
static void *moves_own_page(void *phys)
{
	capabilities(capabilities_now() & ~(1ull << CAP_MAC_OVERRIDE));
	pthread_barrier_wait(&labelled_now);
	CHECK_STATUS(move_one_patient(*(uint64_t *)phys, fast_node(), 0, NULL), fast_node());
	return NULL;
}

static void own_process(struct child *me, void *arg)
{
	struct region r = region_anon(1, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0);
	pthread_t thread;

	(void)me, (void)arg;
	CHECK_EQ(pthread_barrier_init(&labelled_now, NULL, 2), 0);
	CHECK_EQ(pthread_create(&thread, NULL, moves_own_page, &phys), 0);
	write_text(SMACK_LABEL, "mpp-leader");
	pthread_barrier_wait(&labelled_now);
	pthread_join(thread, NULL);
	region_verify(&r);
}

/*
 * Who may not move a process's memory by move_pages(2), as a security module has it, may
 * not do so by its physical address either.  Nobody is asked about the own process.
 */
TEST(policy, security_module)
{
	struct counters before, after, diff;
	struct child victim, caller;
	uint64_t phys;

	if (try_write(SMACK_LABEL, "_") < 0)
		SKIP("Smack is not active in this kernel (testbed/vm run --append lsm=smack)");
	victim = spawn(labelled, NULL);
	wait_for(&victim);
	phys = victim.shared[0];
	counters_read(&before);
	caller = spawn(is_bound, &phys);
	child_end(&caller);
	counters_read(&after);
	diff = counters_diff(&after, &before);
	CHECK_EQ(counter(&diff, "security_module"), 1);
	CHECK_STATUS(query_one(phys, 0), slow_node());
	CHECK_STATUS(move_one(phys, fast_node(), 0, NULL), fast_node());
	go_on(&victim);
	child_end(&victim);
	caller = spawn(own_process, NULL);
	child_end(&caller);
}
