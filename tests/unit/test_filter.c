// SPDX-License-Identifier: GPL-2.0-only
/* Filters, alone and together, on recorded files. */
#include <errno.h>

#include "kpage.h"
#include "machine.h"
#include "tap.h"

#define NR_MAX	64

struct expected {
	uint64_t addr, size;
	double weight;
};

static struct mpp_source *open_list(const char *lines)
{
	struct mpp_source *src = NULL;

	tree_write("list", lines);
	CHECK_INT(mpp_text_open(tree_path("list"), 0, &src), 0);
	return src;
}

static void expect(const char *lines, struct mpp_filter_options options,
		   const struct expected *want, size_t nr)
{
	options.size = sizeof(options);
	for (size_t step = 1; step <= NR_MAX; step += 21) {
		struct mpp_source *src = open_list(lines);
		struct mpp_record records[NR_MAX];
		size_t seen = 0;
		int got;

		CHECK_INT(mpp_filter_open_at(&machine_roots, src, &options, &src), 0);
		while ((got = mpp_source_read(src, step, records)) > 0)
			for (int i = 0; i < got; i++, seen++) {
				if (seen >= nr)
					continue;
				CHECK_INT(records[i].addr, want[seen].addr);
				CHECK_INT(records[i].size_bytes, want[seen].size);
				CHECK(records[i].weight == want[seen].weight);
			}
		CHECK_INT(got, 0);
		CHECK_INT(seen, nr);
		mpp_source_unref(src);
	}
}

static void goes_by_node(void)
{
	static const struct expected want[] = {
		{ 0x10001234, 1, 1 }, { 0x10000000, 0x1000, 7 }, { 0x10000000, 0x8000000, 2 },
	};
	static const int one = 1, both[] = { 0, 1 };

	machine_make();
	expect("0x1000\n0x10001234\n0xffff000-0x10001000 7\n0x0+1T 2\n0x20000000+1G\n",
	       (struct mpp_filter_options) { .nodes = &one, .nr_nodes = 1 }, want,
	       ARRAY_LEN(want));
	expect("0x1000\n0x20000000\n0x10001000\n",
	       (struct mpp_filter_options) { .nodes = both, .nr_nodes = 2 },
	       (const struct expected[]) { { 0x1000, 1, 1 }, { 0x10001000, 1, 1 } }, 2);
	tree_remove();
}

static void goes_by_range(void)
{
	static const struct mpp_record ranges[] = {
		{ .addr = 0x8000, .size_bytes = 0x1000 },
		{ .addr = 0x2000, .size_bytes = 0x1000 },
		{ .addr = 0x2800, .size_bytes = 0x1800 },	/* overlaps */
		{ .addr = 0xfffffffffffff000, .size_bytes = 0x1000 },
	};
	static const struct expected want[] = {
		{ 0x2000, 0x2000, 3 }, { 0x8000, 0x1000, 3 }, { 0x2fff, 1, 1 },
		{ 0xffffffffffffffff, 1, 1 },
	};

	machine_make();
	expect("0x0+64k 3\n0x1fff\n0x2fff\n0x4000\n0xffffffffffffffff\n",
	       (struct mpp_filter_options) { .ranges = ranges, .nr_ranges = ARRAY_LEN(ranges) },
	       want, ARRAY_LEN(want));
	tree_remove();
}

static void make_frames(void)
{
	machine_make();
	machine_entry("kpageflags", 0x18000, 0);
	machine_entry("kpageflags", 0x10, KPF_ANON | KPF_LRU);
	machine_entry("kpageflags", 0x11, KPF_ANON | KPF_LRU);
	machine_entry("kpageflags", 0x12, KPF_LRU | KPF_SWAPBACKED);
	machine_entry("kpageflags", 0x13, KPF_LRU);
	machine_entry("kpageflags", 0x14, KPF_BUDDY);
	machine_entry("kpageflags", 0x200, KPF_ANON | KPF_LRU | KPF_THP | KPF_COMPOUND_HEAD);
	for (uint64_t i = 1; i < 512; i++)
		machine_entry("kpageflags", 0x200 + i, KPF_ANON | KPF_THP | KPF_COMPOUND_TAIL);
	machine_entry("kpagecgroup", 0x18000, 0);
	machine_entry("kpagecgroup", 0x10, 77);
	machine_entry("kpagecgroup", 0x11, 78);
	machine_entry("kpagecgroup", 0x13, 77);
	machine_entry("kpagecgroup", 0x200, 77);	/* tails show 0 on Linux 6.1 */
	machine_entry("kpagecount", 0x18000, 0);
	machine_entry("kpagecount", 0x10, 1);
	machine_entry("kpagecount", 0x11, 3);
	machine_entry("kpagecount", 0x13, 2);
}

static void goes_by_kind(void)
{
	make_frames();
	expect("0x0+16M 5\n", (struct mpp_filter_options) { .kinds = 1 << MPP_KIND_ANON },
	       (const struct expected[]) { { 0x10000, 0x2000, 5 } }, 1);
	expect("0x0+256M\n", (struct mpp_filter_options) {
		.kinds = 1 << MPP_KIND_ANON | 1 << MPP_KIND_ANON_LARGE | 1 << MPP_KIND_FILE },
	       (const struct expected[]) {
		{ 0x10000, 0x2000, 1 }, { 0x13000, 0x1000, 1 }, { 0x200000, 0x200000, 1 } }, 3);
	expect("0x10123\n0x12fff\n0x14000\n0x7fffffffffffffff\n",
	       (struct mpp_filter_options) { .kinds = 1 << MPP_KIND_SHMEM },
	       (const struct expected[]) { { 0x12fff, 1, 1 } }, 1);
	tree_remove();
}

static void goes_by_cgroup(void)
{
	make_frames();
	expect("0x0+16M\n", (struct mpp_filter_options) { .cgroup_ino = 77 },
	       (const struct expected[]) {
		{ 0x10000, 0x1000, 1 }, { 0x13000, 0x1000, 1 }, { 0x200000, 0x200000, 1 } }, 3);
	/* Named from the middle of a huge page on. */
	expect("0x234000+4M\n0x300123\n", (struct mpp_filter_options) { .cgroup_ino = 77 },
	       (const struct expected[]) { { 0x234000, 0x1cc000, 1 }, { 0x300123, 1, 1 } }, 2);
	tree_remove();
}

static void goes_by_count(void)
{
	make_frames();
	expect("0x10000+64k\n", (struct mpp_filter_options) {
		.flags = MPP_FILTER_MAPPED, .mapped_min = 2, .mapped_max = UINT64_MAX },
	       (const struct expected[]) { { 0x11000, 0x1000, 1 }, { 0x13000, 0x1000, 1 } }, 2);
	expect("0x10000+16k\n", (struct mpp_filter_options) { .flags = MPP_FILTER_MAPPED },
	       (const struct expected[]) { { 0x12000, 0x1000, 1 } }, 1);
	tree_remove();
}

static void composes(void)
{
	static const struct mpp_record ranges[] = { { .addr = 0, .size_bytes = 0x280000 } };
	static const int nodes[] = { 0 };
	const struct mpp_filter_options options = {
		.nodes = nodes, .nr_nodes = 1, .ranges = ranges, .nr_ranges = 1,
		.kinds = 1 << MPP_KIND_ANON | 1 << MPP_KIND_ANON_LARGE, .cgroup_ino = 77,
		.flags = MPP_FILTER_MAPPED, .mapped_max = 1,
	};

	make_frames();
	expect("0x0+1T 9\n", options, (const struct expected[]) {
		{ 0x10000, 0x1000, 9 }, { 0x200000, 0x80000, 9 } }, 2);
	tree_remove();
}

/* Alternating frames over many windows: each comes, in any step. */
static void crosses_windows(void)
{
	const struct mpp_filter_options options = {
		.size = sizeof(options), .kinds = 1 << MPP_KIND_FILE,
	};
	struct mpp_record records[NR_MAX];
	uint64_t expected = FRAME(1), frames[0x3000];
	struct mpp_source *src;
	int got;

	machine_make();
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		frames[i] = i & 1 ? KPF_LRU : 0;
	tree_write_at("proc/kpageflags", 0, frames, sizeof(frames));
	src = open_list("0x0+48M\n");
	CHECK_INT(mpp_filter_open_at(&machine_roots, src, &options, &src), 0);
	while ((got = mpp_source_read(src, 7, records)) > 0)
		for (int i = 0; i < got; i++, expected += FRAME(2)) {
			CHECK_INT(records[i].addr, expected);
			CHECK_INT(records[i].size_bytes, 4096);
		}
	CHECK_INT(expected, FRAME(0x3001));
	mpp_source_unref(src);
	/* One stretch over all of them comes in one. */
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		frames[i] = KPF_LRU;
	tree_write_at("proc/kpageflags", 0, frames, sizeof(frames));
	src = open_list("0x0+48M\n");
	CHECK_INT(mpp_filter_open_at(&machine_roots, src, &options, &src), 0);
	CHECK_INT(mpp_source_read(src, 7, records), 1);
	CHECK_INT(records[0].size_bytes, 48 << 20);
	mpp_source_unref(src);
	tree_remove();
}

static void passes_errors_on(void)
{
	struct mpp_filter_options options = { .size = sizeof(options) };
	struct mpp_record records[NR_MAX];
	struct mpp_source *src, *inner;

	machine_make();
	inner = open_list("0x1000\nrubbish\n0x2000\n");
	options.kinds = 1;
	CHECK_INT(mpp_filter_open_at(&machine_roots, inner, &options, &src), -ENOENT);
	options.kinds = UINT64_C(1) << MPP_NR_KINDS;
	CHECK_INT(mpp_filter_open_at(&machine_roots, inner, &options, &src), -EINVAL);
	options.kinds = 0;
	options.reserved = 1;
	CHECK_INT(mpp_filter_open_at(&machine_roots, inner, &options, &src), -EINVAL);
	options.reserved = 0;
	CHECK_INT(mpp_filter_open_at(&machine_roots, inner, &options, &src), 0);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 1);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), -EBADMSG);
	CHECK_HAS(mpp_source_error(src), "list:2: \"rubbish\"");
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 1);
	CHECK_INT(records[0].addr, 0x2000);
	mpp_source_cancel(src);
	CHECK_INT(mpp_source_read(inner, NR_MAX, records), -ECANCELED);
	mpp_source_unref(src);
	tree_remove();
}

static void names_kinds(void)
{
	for (unsigned int kind = 0; kind < MPP_NR_KINDS; kind++)
		CHECK(*mpp_kind_name(kind) != '?');
	CHECK_STR(mpp_kind_name(MPP_NR_KINDS), "?");
	CHECK_INT(mpp_kind_of(0), MPP_KIND_KERNEL);
	CHECK_INT(mpp_kind_of(KPF_NOPAGE), MPP_KIND_NONE);
	CHECK_INT(mpp_kind_of(KPF_ANON | KPF_HWPOISON), MPP_KIND_POISON);
	CHECK_INT(mpp_kind_of(KPF_ANON | KPF_KSM), MPP_KIND_KSM);
	CHECK_INT(mpp_kind_of(KPF_HUGE | KPF_COMPOUND_TAIL), MPP_KIND_HUGETLB);
	CHECK_INT(mpp_kind_of(KPF_ZERO_PAGE | KPF_THP), MPP_KIND_ZERO);
	CHECK_INT(mpp_kind_of(KPF_THP | KPF_COMPOUND_TAIL), MPP_KIND_CACHE_LARGE);
	CHECK_INT(mpp_kind_of(KPF_LRU | KPF_COMPOUND_HEAD), MPP_KIND_CACHE_LARGE);
	CHECK_INT(mpp_kind_of(KPF_MMAP), MPP_KIND_KERNEL);
	CHECK_INT(mpp_kind_of(KPF_MMAP | KPF_UPTODATE), MPP_KIND_FILE);
	CHECK_INT(mpp_kind_of(KPF_SLAB), MPP_KIND_SLAB);
	CHECK_INT(mpp_kind_of(KPF_PGTABLE), MPP_KIND_PGTABLE);
}

static void looks_kinds_up(void)
{
	static const uint64_t pages[] = { 0x10000, 0x11fff, 0x12000, 0x14000, 0x3ff000, 0x10000 };
	static const unsigned char want[] = {
		MPP_KIND_ANON, MPP_KIND_ANON, MPP_KIND_SHMEM, MPP_KIND_FREE,
		MPP_KIND_ANON_LARGE, MPP_KIND_ANON,
	};
	unsigned char kinds[ARRAY_LEN(pages)];
	struct mpp_kinds *reader;

	make_frames();
	CHECK_INT(mpp_kinds_open_at(&machine_roots, &reader), 0);
	CHECK_INT(mpp_kinds_read(reader, ARRAY_LEN(pages), pages, kinds), 0);
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		CHECK_INT(kinds[i], want[i]);
	CHECK(!mpp_kinds_free(reader));
	tree_remove();
}

TAP_MAIN(
	{ "nodes", goes_by_node },
	{ "ranges", goes_by_range },
	{ "kinds", goes_by_kind },
	{ "cgroups, of huge pages too", goes_by_cgroup },
	{ "mapped counts", goes_by_count },
	{ "all together", composes },
	{ "windows", crosses_windows },
	{ "errors of the source and of options", passes_errors_on },
	{ "flags and kinds", names_kinds },
	{ "kinds of single pages", looks_kinds_up },
)
