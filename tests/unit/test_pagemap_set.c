// SPDX-License-Identifier: GPL-2.0-only
/* The pages of several processes, and of cgroups, from recorded files. */
#include <errno.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"
#include "tree.h"

#define NR_MAX	16

static char root[512];

static void add_process(int pid, uint64_t pfn)
{
	uint64_t entry = UINT64_C(1) << 63 | pfn;
	char name[64];

	snprintf(name, sizeof(name), "%d/maps", pid);
	tree_write(name, "00001000-00002000 rw-p 00000000 00:00 0\n");
	snprintf(name, sizeof(name), "%d/pagemap", pid);
	tree_write_at(name, 8, &entry, sizeof(entry));
}

static void start(void)
{
	snprintf(root, sizeof(root), "%s", tree_make());
	add_process(7, 0x70);
	add_process(8, 0x80);
	add_process(9, 0x90);
	tree_write("cg/cgroup.procs", "8\n0\n");
	tree_write("cg/below/cgroup.procs", "7\n8\n");
	tree_write("cg/below/further/cgroup.procs", "");
	tree_write("cg/memory.max", "max\n");
}

static int open_set(const pid_t *pids, size_t nr_pids, const char *cgroup,
		    struct mpp_source **src)
{
	const struct mpp_pagemap_set_options options = {
		.size = sizeof(options), .pids = pids, .nr_pids = nr_pids, .cgroup = cgroup,
	};

	return mpp_pagemap_set_open_at(root, &options, src);
}

static void expect(struct mpp_source *src, const uint64_t *pfns, size_t nr)
{
	struct mpp_record records[NR_MAX];
	size_t seen = 0;
	uint64_t va;
	int got;

	while ((got = mpp_source_read(src, NR_MAX, records)) > 0)
		for (int i = 0; i < got && seen < nr; i++, seen++) {
			CHECK_INT(records[i].addr, pfns[seen] << 12);
			CHECK_INT(mpp_source_va(src, (size_t)i, &va), 0);
			CHECK_INT(va, 0x1000);
		}
	CHECK_INT(got, 0);
	CHECK_INT(seen, nr);
	mpp_source_unref(src);
}

static void reads_processes(void)
{
	static const pid_t pids[] = { 9, 7, 9 };
	struct mpp_source *src;

	start();
	CHECK_INT(open_set(pids, ARRAY_LEN(pids), NULL, &src), 0);
	expect(src, (const uint64_t[]) { 0x70, 0x90 }, 2);
	tree_remove();
}

static void reads_cgroups(void)
{
	static const pid_t nine = 9;
	struct mpp_source *src;

	start();
	CHECK_INT(open_set(NULL, 0, strdupa(tree_path("cg")), &src), 0);
	expect(src, (const uint64_t[]) { 0x70, 0x80 }, 2);
	CHECK_INT(open_set(&nine, 1, strdupa(tree_path("cg/below")), &src), 0);
	expect(src, (const uint64_t[]) { 0x70, 0x80, 0x90 }, 3);
	CHECK_INT(open_set(NULL, 0, strdupa(tree_path("cg/below/further")), &src), 0);
	expect(src, NULL, 0);
	src = NULL;
	CHECK_INT(open_set(NULL, 0, strdupa(tree_path("none")), &src), -ENOENT);
	CHECK_INT(open_set(NULL, 0, NULL, &src), -EINVAL);
	CHECK_INT(open_set((const pid_t[]) { 0 }, 1, NULL, &src), -EINVAL);
	CHECK(!src);
	tree_remove();
}

/* One that is gone is told of, and the others follow. */
static void goes_on_without_the_gone(void)
{
	static const pid_t pids[] = { 6, 7, 8, 9 };
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;

	start();
	tree_write("8/pagemap", "");	/* what a torn-down address space reads as */
	CHECK_INT(open_set(pids, ARRAY_LEN(pids), NULL, &src), 0);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -ESRCH);
	CHECK_HAS(mpp_source_error(src), "process 6 is gone");
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 1);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -ESRCH);
	CHECK_HAS(mpp_source_error(src), "process 8 ended");
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 1);
	CHECK_INT(records[0].addr, 0x90000);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 0);
	mpp_source_unref(src);
	tree_remove();
}

/* Between processes and within one. */
static void stops_when_cancelled(void)
{
	static const pid_t pids[] = { 7, 8, 9 };
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;

	start();
	CHECK_INT(open_set(pids, ARRAY_LEN(pids), NULL, &src), 0);
	CHECK_INT(mpp_source_read(src, 1, records), 1);
	mpp_source_cancel(src);
	CHECK_INT(mpp_source_read(src, 1, records), -ECANCELED);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -ECANCELED);
	mpp_source_unref(src);
	CHECK_INT(open_set(pids, ARRAY_LEN(pids), NULL, &src), 0);
	mpp_source_cancel(src);
	CHECK_INT(mpp_source_read(src, 1, records), -ECANCELED);
	mpp_source_unref(src);
	tree_remove();
}

TAP_MAIN(
	{ "processes, each once", reads_processes },
	{ "cgroups and those below", reads_cgroups },
	{ "processes that are gone", goes_on_without_the_gone },
	{ "cancelled", stops_when_cancelled },
)
