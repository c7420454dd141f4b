// SPDX-License-Identifier: GPL-2.0-only
/* /proc/PID/maps, with entries of /proc/PID/pagemap behind it. */
#include <string.h>

#include "internal.h"
#include "tree.h"

#include "fuzz.h"

#define NR_READS	64	/* a line may span any number of pages */

static void remove_tree(void)
{
	tree_remove();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char proc[512];
	const struct mpp_pagemap_options options = { .size = sizeof(options), .pid = 7 };
	struct fuzz_input in = { data, size };
	struct mpp_source *src;
	size_t len;
	char *maps;

	if (!*proc) {
		snprintf(proc, sizeof(proc), "%s/proc", tree_make());
		atexit(remove_tree);
	}
	maps = fuzz_part(&in, &len);
	tree_write("proc/7/maps", maps);
	free(maps);
	tree_write("proc/7/pagemap", "");
	tree_write_at("proc/7/pagemap", 0, in.at, in.left);
	if (!mpp_pagemap_open_at(proc, &options, &src))
		fuzz_read_all(src, 64, NR_READS);
	return 0;
}
