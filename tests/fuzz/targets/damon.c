// SPDX-License-Identifier: GPL-2.0-only
/* What a DAMON monitor's files in sysfs say: schemes, intervals, and two regions. */
#include "damon.h"
#include "tree.h"

#include "fuzz.h"

#define ADMIN	"sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT	ADMIN "0/contexts/0/"
#define REGION	CONTEXT "schemes/0/tried_regions/"

static void remove_tree(void)
{
	tree_remove();
}

static const struct mpp_roots *make_tree(void)
{
	static char sys[512];
	static const struct mpp_roots roots = { .proc = "/nonexistent", .sys = sys };

	if (!*sys) {
		snprintf(sys, sizeof(sys), "%s/sys", tree_make());
		atexit(remove_tree);
		tree_write(ADMIN "nr_kdamonds", "1\n");
		tree_write(CONTEXT "operations", "paddr\n");
	}
	/* Reading asks for a snapshot by writing here. */
	tree_write(ADMIN "0/state", "on\n");
	return &roots;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const files[] = {
		REGION "0/start", REGION "0/end", REGION "0/nr_accesses", REGION "0/age",
		REGION "1/start", REGION "1/end", REGION "1/nr_accesses", REGION "1/age",
		CONTEXT "addr_unit", CONTEXT "schemes/nr_schemes",
		CONTEXT "monitoring_attrs/intervals/sample_us",
		CONTEXT "monitoring_attrs/intervals/aggr_us",
		CONTEXT "schemes/0/action",
	};
	const struct mpp_damon_options options = {
		.size = sizeof(options),
		.flags = MPP_DAMON_ACCESSED | MPP_DAMON_IDLE,
		.nr_snapshots = 1,
	};
	const struct mpp_roots *roots = make_tree();
	struct fuzz_input in = { data, size };
	struct mpp_source *src;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		size_t len;
		char *text = fuzz_part(&in, &len);

		tree_write(files[i], text);
		free(text);
	}
	if (!mpp_damon_open_at(roots, &options, &src))
		fuzz_read_all(src, 64, 16);
	return 0;
}
