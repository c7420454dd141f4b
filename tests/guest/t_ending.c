// SPDX-License-Identifier: GPL-2.0-only
/* Processes that end while their pages are moved: who is asked then, and what is left. */
#include "harness.h"

#include <signal.h>
#include <sys/wait.h>

static void expect_raced_answer(int status, int node)
{
	CHECK(status == node || status == -EAGAIN || status == -EBUSY || status == -ENOENT,
	      "status is %s", status_name(status));
}

#define BALLAST_AT ((void *)0x10000000)

static void must_mmap_at(void *at, size_t len_bytes)
{
	CHECK(mmap(at, len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		   MAP_FIXED_NOREPLACE, -1, 0) == at, "mmap at %p: %s", at, strerror(errno));
}

/*
 * A sharer that ends after a while.  What it has mapped goes from the lowest
 * address up, so the ballast keeps the shared pages mapped for some time by a
 * process that is nobody's any more.
 */
static pid_t dying_sharer(unsigned int after_us, size_t ballast_bytes)
{
	pid_t pid = MUST(fork());

	if (pid)
		return pid;
	if (ballast_bytes) {
		must_mmap_at(BALLAST_AT, ballast_bytes);
		/* Huge pages would be gone in no time. */
		madvise(BALLAST_AT, ballast_bytes, MADV_NOHUGEPAGE);
		memset(BALLAST_AT, 1, ballast_bytes);
	}
	usleep(after_us);
	_exit(0);
}

/* Sharers come and go while their pages are moved; only the test's own process stays. */
TEST(policy, exit_during_walk, .limit_s = 120)
{
	struct region r = region_anon(64, slow_node(), 1);
	long long until = now_ms() + 4000;
	unsigned long moved = 0;

	for (int round = 0; now_ms() < until; round++) {
		int node = round % 2 ? slow_node() : fast_node();
		struct batch b = { 0 };

		for (unsigned int i = 0; i < 4; i++)
			dying_sharer(i * 300, 0);
		b = batch_of(&r, node);
		batch_run(&b, MPOL_MF_MOVE_ALL);
		for (unsigned long i = 0; i < b.nr; i++)
			expect_raced_answer(b.status[i], node);
		moved += batch_count(&b, node);
		batch_free(&b);
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
	region_verify(&r);
	CHECK_GE(moved, 64);
	region_move_patient(&r, slow_node(), 0);
	region_move_patient(&r, fast_node(), 0);
}

/* The pages of a process that has ended and is still being taken apart: nobody is left to ask. */
TEST(policy, process_without_owner, .limit_s = 120)
{
	struct region r = region_anon(8, slow_node(), 1);

	for (int round = 0; round < 6; round++) {
		pid_t pid = dying_sharer(0, 32 << 20);
		uint64_t phys = region_phys(&r, 0);
		int node = fast_node();

		while (waitpid(pid, NULL, WNOHANG) == 0) {
			int status = move_one(phys, node, MPOL_MF_MOVE_ALL, &phys);

			expect_raced_answer(status, node);
			if (status == node)
				node = node == fast_node() ? slow_node() : fast_node();
		}
	}
	region_verify(&r);
	region_move_patient(&r, fast_node(), 0);
}

/* Live objects of a slab cache. KASAN holds on to freed ones until the cache is shrunk. */
static long long slab_objects(const char *name)
{
	char shrink[128];
	long long active;

	snprintf(shrink, sizeof(shrink), "/sys/kernel/slab/%s/shrink", name);
	if (access(shrink, W_OK) == 0)
		write_text(shrink, "1");
	active = keyed_number("/proc/slabinfo", name);
	if (active < 0)
		SKIP("this kernel does not tell how many %s there are", name);
	return active;
}

#define VISITORS 300

/* What asks a process must not keep it: the address space ends with the process. */
TEST(policy, no_process_kept, .limit_s = 120)
{
	struct region r = region_anon(4, slow_node(), 1);
	long long before, after;

	slab_objects("mm_struct");
	CHECK_STATUS(move_one_patient(region_phys(&r, 0), fast_node(), 0, NULL), fast_node());
	before = slab_objects("mm_struct");
	for (int i = 0; i < VISITORS; i++) {
		pid_t pid = MUST(fork());

		if (pid == 0) {
			pause();
			_exit(0);
		}
		move_one(region_phys(&r, 1), i % 2 ? slow_node() : fast_node(), MPOL_MF_MOVE_ALL,
			 NULL);
		MUST(kill(pid, SIGKILL));
		MUST(waitpid(pid, NULL, 0));
	}
	after = slab_objects("mm_struct");
	/* Half full slabs count as full, hence the allowance. */
	CHECK(after - before < VISITORS / 2, "%lld of %d address spaces are still there",
	      after - before, VISITORS);
	region_verify(&r);
}
