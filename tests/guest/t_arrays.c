// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the caller's arrays may be: nowhere, read-only, cut short, aliased.
 *
 * Also built for 32 bits: in the structure of the device addresses are 64 bits wide
 * for all callers, so that each can be wrong in ways a pointer cannot.
 */
#include "h_raw.h"

#include <limits.h>

enum array { PAGES, NODES, STATUS, NEW_PAGES, NR_ARRAYS };

static const char *const array_name[] = { "pages", "nodes", "status", "new_pages" };

static __u64 *array_of(struct mpp_move *move, enum array which)
{
	__u64 *const at[] = { &move->pages, &move->nodes, &move->status, &move->new_pages };

	return at[which];
}

static size_t entry_size(enum array which)
{
	return which == PAGES || which == NEW_PAGES ? sizeof(uint64_t) : sizeof(int);
}

static void expect_fault(int held, enum array which, uint64_t address, const char *what)
{
	struct one o;
	int ret;

	/* Where pointers are of 32 bits only the structure can hold this one. */
	if (!door_takes(address))
		return;
	one_init(&o);
	*array_of(&o.move, which) = address;
	ret = raw(held, &o.move);
	CHECK(ret == -EFAULT, "%s %s: %s", array_name[which], what, status_name(ret));
	/* Without a place for its answer a page must not move. */
	one_expect_untouched(&o);
	region_unmap(&o.r);
}

TEST(callers, bad_pointers)
{
	size_t page = page_size();
	unsigned char *none = must_mmap(page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* Where no later mapping comes to lie by itself. */
	void *gone = (void *)0x20000000;
	unsigned char *read_only = must_mmap(page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *last = mmap((char *)gone - page, page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	int held = door_hold();

	CHECK(last == (char *)gone - page, "mmap: %s", strerror(errno));
	CHECK(msync(gone, page, MS_ASYNC) == -1 && errno == ENOMEM, "there is something mapped");
	for (enum array which = PAGES; which < NR_ARRAYS; which++) {
		/* No nodes is a query. */
		if (which != NODES)
			expect_fault(held, which, 0, "NULL");
		expect_fault(held, which, KERNEL_ADDRESS, "in the kernel");
		expect_fault(held, which, LAST_PAGE_32, "at the end of 32 bits");
		expect_fault(held, which, 0xfffffffffffff000ull, "at the very end");
		expect_fault(held, which, 0x8000000000000000ull, "not canonical");
		expect_fault(held, which, 0x00007ffffffff000ull, "at the end of user space");
		expect_fault(held, which, (uintptr_t)none, "PROT_NONE");
		expect_fault(held, which, (uintptr_t)gone, "unmapped");
		expect_fault(held, which, (uintptr_t)last + page - entry_size(which) / 2,
			     "half of it unmapped");
		if (which == STATUS || which == NEW_PAGES)
			expect_fault(held, which, (uintptr_t)read_only, "read-only");
	}
}

/* A 32-bit caller's addresses are not cut to 32 bits. */
TEST(callers, wide_pointers)
{
	int held;

	if (sizeof(void *) != 4)
		SKIP("for the 32-bit program");
	held = device("addresses wider than the caller's pointers");
	for (enum array which = PAGES; which < NR_ARRAYS; which++) {
		struct one o;

		one_init(&o);
		*array_of(&o.move, which) |= 1ull << 32;
		CHECK(raw(held, &o.move) == -EFAULT, "%s with a bit above", array_name[which]);
		one_expect_untouched(&o);
	}
}

/* The arrays that are only read may be read-only. */
TEST(callers, read_only_input)
{
	size_t page = page_size();
	int held = door_hold();
	struct one o;
	void *copy;

	one_init(&o);
	for (enum array which = PAGES; which <= NODES; which++) {
		copy = must_mmap(page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memcpy(copy, (void *)(uintptr_t)*array_of(&o.move, which), entry_size(which));
		MUST(mprotect(copy, page, PROT_READ));
		*array_of(&o.move, which) = (uintptr_t)copy;
	}
	CHECK_EQ(raw(held, &o.move), 0);
	CHECK_EQ(o.status, fast_node());
	region_expect_node(&o.r, fast_node());
}

TEST(callers, new_pages_only_with_flag)
{
	int held = door_hold();
	struct one o;

	one_init(&o);
	o.move.flags = 0;
	CHECK_EQ(raw(held, &o.move), 0);
	CHECK_EQ(o.new_phys, PAGE_UNTOUCHED);
	CHECK_EQ(o.status, fast_node());
	one_init(&o);
	o.move.flags = 0;
	o.move.new_pages = door_takes(KERNEL_ADDRESS) ? KERNEL_ADDRESS : LAST_PAGE_32;
	CHECK_EQ(raw(held, &o.move), 0);
	CHECK_EQ(o.status, fast_node());
}

/* Four arrays for one batch; @edge is the array that ends before its @room-th entry. */
struct arrays {
	struct batch b;
	struct mpp_move move;
	unsigned char *mapping;
};

static void arrays_init(struct arrays *a, const struct region *r, enum array edge, size_t room)
{
	size_t page = page_size(), bytes = room * entry_size(edge);
	size_t whole = (bytes + page - 1) / page * page;
	__u64 *at;

	a->b = batch_of(r, fast_node());
	a->move = (struct mpp_move){
		.size = sizeof(a->move),
		.flags = MPP_MF_NEW_PAGES,
		.nr_pages = a->b.nr,
		.pages = (uintptr_t)a->b.pages,
		.nodes = (uintptr_t)a->b.nodes,
		.status = (uintptr_t)a->b.status,
		.new_pages = (uintptr_t)a->b.new_pages,
	};
	a->mapping = must_mmap(whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
	MUST(munmap(a->mapping + whole, page));
	at = array_of(&a->move, edge);
	memcpy(a->mapping + whole - bytes, (void *)(uintptr_t)*at, bytes);
	*at = (uintptr_t)(a->mapping + whole - bytes);
}

static void arrays_free(struct arrays *a)
{
	batch_free(&a->b);
}

#define EDGE_PAGES 1500
#define EDGE_ROOM 1100

/* Each array in turn ends with the page it lies in. */
TEST(callers, array_at_page_end)
{
	struct region r = region_anon(EDGE_PAGES, slow_node(), 1);
	int held = door_hold(), node = fast_node();

	for (enum array edge = PAGES; edge < NR_ARRAYS; edge++) {
		struct arrays a;
		int ret, other = node == fast_node() ? slow_node() : fast_node();

		arrays_init(&a, &r, edge, r.nr_pages);
		for (size_t i = 0; i < r.nr_pages; i++)
			((int *)(uintptr_t)a.move.nodes)[i] = node;
		ret = raw(held, &a.move);
		CHECK(ret == 0, "%s ends at a page's end: %s", array_name[edge], status_name(ret));
		region_expect_node(&r, node);
		arrays_free(&a);
		node = other;
	}
	region_verify(&r);
}

/*
 * An array that is cut short ends the call.  What was moved until then has its
 * status, and its new address where there is room for both; what has no status
 * has not moved.
 */
static void cut_short_at(int held, enum array edge, size_t nr, size_t room)
{
	struct region r = region_anon(nr, slow_node(), 1);
	size_t answers = edge == STATUS ? room : nr;
	struct arrays a;
	uint64_t *new_pages;
	int *status, ret;

	lru_settle();
	arrays_init(&a, &r, edge, room);
	new_pages = (uint64_t *)(uintptr_t)a.move.new_pages;
	status = (int *)(uintptr_t)a.move.status;
	ret = raw(held, &a.move);
	CHECK(ret == -EFAULT, "%s cut short: %s", array_name[edge], status_name(ret));
	for (size_t i = 0; i < r.nr_pages; i++) {
		int got = i < answers ? status[i] : STATUS_UNTOUCHED;
		int node = got >= 0 ? got : slow_node();

		CHECK(region_node(&r, i) == node, "%s cut short: page %zu has %s, is on %s",
		      array_name[edge], i, status_name(got), status_name(region_node(&r, i)));
		CHECK(got < 0 || edge != NEW_PAGES || i < room,
		      "page %zu moved, and there is no room for its new address", i);
		if (got >= 0)
			CHECK(new_pages[i] == region_phys(&r, i), "new_pages[%zu]", i);
		else if (got == STATUS_UNTOUCHED && (edge != NEW_PAGES || i < room))
			CHECK(new_pages[i] == PAGE_UNTOUCHED, "new_pages[%zu] was written", i);
	}
	/* It is not all or nothing: the call got somewhere, and not beyond the edge. */
	CHECK_STATUS(status[0], fast_node());
	CHECK_STATUS(region_node(&r, room), slow_node());
	region_verify(&r);
	arrays_free(&a);
	region_unmap(&r);
}

static void cut_short(int held, enum array edge)
{
	cut_short_at(held, edge, EDGE_PAGES, EDGE_ROOM);
	/* Batches have up to 512 entries; here the last one has a single one. */
	cut_short_at(held, edge, 513, 512);
}

TEST(callers, pages_cut_short)
{
	cut_short(door_hold(), PAGES);
}

TEST(callers, nodes_cut_short)
{
	cut_short(door_hold(), NODES);
}

TEST(callers, status_cut_short)
{
	cut_short(door_hold(), STATUS);
}

TEST(callers, new_pages_cut_short)
{
	cut_short(door_hold(), NEW_PAGES);
}

/* New addresses over the old ones and answers over the targets: the way to keep a list current. */
TEST(callers, in_place)
{
	struct region r = region_anon(EDGE_PAGES, slow_node(), 1);
	struct batch b = batch_of(&r, fast_node());

	lru_settle();
	CHECK_EQ(mpp(b.nr, b.pages, b.nodes, b.nodes, MPP_MF_NEW_PAGES, b.pages), 0);
	for (size_t i = 0; i < r.nr_pages; i++) {
		CHECK_STATUS(b.nodes[i], fast_node());
		CHECK_EQ(b.pages[i], region_phys(&r, i));
		b.nodes[i] = slow_node();
	}
	CHECK_EQ(mpp(b.nr, b.pages, b.nodes, b.nodes, MPP_MF_NEW_PAGES, b.pages), 0);
	region_expect_node(&r, slow_node());
	region_verify(&r);
	batch_free(&b);
}

/* Answers over input that is yet to be read: any answer will do, memory stays whole. */
TEST(callers, overlapping_arrays)
{
	struct region r = region_anon(EDGE_PAGES, slow_node(), 1);
	struct batch b = batch_of(&r, fast_node());
	long ret;

	ret = mpp(b.nr, b.pages, b.nodes, (int *)b.pages + b.nr, MPP_MF_NEW_PAGES,
		  b.pages + b.nr / 4);
	CHECK(ret >= 0 && ret <= EDGE_PAGES, "returned %s", status_name((int)ret));
	ret = mpp(b.nr, b.pages, (int *)b.pages, (int *)b.pages, 0, NULL);
	CHECK(ret >= 0 && ret <= EDGE_PAGES, "returned %s", status_name((int)ret));
	region_verify(&r);
	batch_free(&b);
}
