// SPDX-License-Identifier: GPL-2.0-only
/* cgroup.procs of a cgroup and of one below it: which processes' pages are named. */
#include <errno.h>

#include "internal.h"
#include "tree.h"

#include "fuzz.h"

#define NR_READS	4096

static char proc[512], cgroup[512];

static void remove_tree(void)
{
	tree_remove();
}

static void make_tree(void)
{
	const uint64_t entry = UINT64_C(1) << 63 | 0x70;
	const char *root = tree_make();

	atexit(remove_tree);
	snprintf(proc, sizeof(proc), "%s/proc", root);
	snprintf(cgroup, sizeof(cgroup), "%s/cg", root);
	tree_write("proc/7/maps", "00001000-00002000 rw-p 00000000 00:00 0\n");
	tree_write_at("proc/7/pagemap", 8, &entry, sizeof(entry));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const files[] = { "cg/cgroup.procs", "cg/below/cgroup.procs" };
	const struct mpp_pagemap_set_options options = {
		.size = sizeof(options), .cgroup = cgroup,
	};
	struct fuzz_input in = { data, size };
	struct mpp_record record;
	struct mpp_source *src;
	size_t nr_found = 0;
	int nr;

	if (!*proc)
		make_tree();
	for (size_t i = 0; i < 2; i++) {
		size_t len;
		char *text = fuzz_part(&in, &len);

		tree_write(files[i], text);
		free(text);
	}
	if (mpp_pagemap_set_open_at(proc, &options, &src))
		return 0;
	for (size_t i = 0; i < NR_READS; i++) {
		nr = mpp_source_read(src, 1, &record);
		if (!nr)
			break;
		/* All but one are gone, and each is named once. */
		FUZZ_CHECK(nr == 1 || nr == -ESRCH || nr == -ENOENT);
		nr_found += nr == 1;
	}
	FUZZ_CHECK(nr_found <= 1);
	mpp_source_unref(src);
	return 0;
}
