// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls with everything in them: bad entries among good ones, several targets,
 * targets without room, and any number of entries.
 */
#include "harness.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>

#include "h_disk.h"
#include "h_hugetlb.h"

/* ---- Bad among good --------------------------------------------------- */

/* An entry that never works, and the status it gets. */
struct bad_entry {
	uint64_t phys;
	int node, status;
};

static size_t bad_entries(struct bad_entry bad[8])
{
	volatile unsigned char *zero = must_mmap(page_size(), PROT_READ,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static struct region r, cache;
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct iovec iov;
	int pipe_fd[2];
	size_t nr = 0;

	CHECK_EQ(*zero, 0);
	r = region_anon(2, slow_node(), 50);
	cache = region_file(fd, 1, slow_node(), 51, MAP_SHARED);
	iov = (struct iovec){ r.va, page_size() };
	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &iov, 1, 0), (long long)page_size());
	bad[nr++] = (struct bad_entry){ phys_of((void *)zero), fast_node(), -EFAULT };
	bad[nr++] = (struct bad_entry){ UINT64_MAX, fast_node(), -ENXIO };
	bad[nr++] = (struct bad_entry){ region_phys(&r, 0), fast_node(), -EBUSY };
	bad[nr++] = (struct bad_entry){ region_phys(&r, 1), INT_MIN, -ENODEV };
	bad[nr++] = (struct bad_entry){ region_phys(&cache, 0), fast_node(), -ESRCH };
	bad[nr++] = (struct bad_entry){ page_size(), fast_node(), -ENOENT };
	region_unmap(&cache);
	return nr;
}

/* Good pages with `every`th entry between them bad; all the good ones move. */
static void bad_between(size_t nr_good, size_t every)
{
	struct region r = region_anon(nr_good, slow_node(), 1);
	struct bad_entry bad[8];
	size_t nr_bad = bad_entries(bad), failed = 0, good = 0;
	struct batch b = { 0 };

	for (size_t i = 0; good < nr_good; i++) {
		if (i % every == 0) {
			const struct bad_entry *e = &bad[failed++ % nr_bad];

			batch_add(&b, e->phys, e->node);
		} else {
			batch_add(&b, region_phys(&r, good++), fast_node());
		}
	}
	CHECK_EQ(batch_run(&b, 0), (long long)failed);
	failed = good = 0;
	for (size_t i = 0; i < b.nr; i++) {
		if (i % every == 0) {
			CHECK_STATUS(b.status[i], bad[failed++ % nr_bad].status);
		} else {
			CHECK_STATUS(b.status[i], fast_node());
			CHECK_EQ(b.new_pages[i], region_phys(&r, good++));
		}
	}
	region_expect_node(&r, fast_node());
	region_verify(&r);
	batch_free(&b);
}

TEST(mixed, every_second_bad)
{
	bad_between(1300, 2);
}

TEST(mixed, every_fifth_bad)
{
	bad_between(700, 5);
}

TEST(mixed, all_bad)
{
	struct bad_entry bad[8];
	size_t nr_bad = bad_entries(bad);
	struct batch b = { 0 };

	for (size_t i = 0; i < 3000; i++)
		batch_add(&b, bad[i % nr_bad].phys, bad[i % nr_bad].node);
	CHECK_EQ(batch_run(&b, 0), 3000);
	for (size_t i = 0; i < b.nr; i++)
		CHECK_STATUS(b.status[i], bad[i % nr_bad].status);
}

/* ---- Batches as the tracepoint tells them ----------------------------- */

/* The numbers after KEY= in every line of the trace that names the event. */
static size_t trace_sum(const char *text, const char *key, long long *sum)
{
	size_t events = 0, len = strlen(key);
	const char *at = text;

	*sum = 0;
	while ((at = strstr(at, "mpp_batch:"))) {
		const char *end = strchr(at, '\n'), *field = strstr(at, key);

		if (field && (!end || field < end))
			*sum += strtoll(field + len, NULL, 0);
		events++;
		at += strlen("mpp_batch:");
	}
	return events;
}

/* One event a batch; bad entries do not cut batches short. */
TEST(mixed, tracepoint)
{
	const char *dir = mount_at("tracefs", "none", "tracefs", NULL);
	struct region r = region_anon(1000, slow_node(), 1);
	char enable[160], trace[160], *text;
	struct batch b = { 0 };
	size_t events;
	long long sum;

	for (size_t i = 0; i < r.nr_pages; i++) {
		batch_add(&b, region_phys(&r, i), fast_node());
		batch_add(&b, i % 2 ? UINT64_MAX : page_size(), fast_node());
	}
	snprintf(enable, sizeof(enable), "%s/events/move_phys_pages/enable", dir);
	if (door_present() && !exists("%s", enable))
		SKIP("this kernel has no trace events of move_phys_pages");
	if (door_present())
		write_restored(enable, "1", "0");
	/* What others have traced goes away when the file is truncated. */
	snprintf(trace, sizeof(trace), "%s/trace", dir);
	close(MUST(open(trace, O_WRONLY | O_TRUNC | O_CLOEXEC)));
	CHECK_EQ(batch_run(&b, 0), 1000);
	write_text(enable, "0");
	text = read_text("%s", trace);
	events = trace_sum(text, " nr_entries=", &sum);
	CHECK_EQ(sum, 2000);
	CHECK(events >= 2 && events <= 8, "%zu events for 2000 entries", events);
	CHECK_EQ(trace_sum(text, " nr_refused=", &sum), (long long)events);
	CHECK_EQ(sum, 1000);
	trace_sum(text, " nr_pages=", &sum);
	CHECK_EQ(sum, 1000);
	free(text);
}

/* ---- Several targets -------------------------------------------------- */

TEST(mixed, targets_alternate)
{
	int nodes[MAX_NODES], nr = nodes_with_memory(nodes);
	struct region r = region_anon(1600, slow_node(), 1);
	struct batch b = { 0 };

	for (size_t i = 0; i < r.nr_pages; i++)
		batch_add(&b, region_phys(&r, i), nodes[i % nr]);
	CHECK_EQ(batch_run(&b, 0), 0);
	for (size_t i = 0; i < r.nr_pages; i++) {
		CHECK_STATUS(b.status[i], nodes[i % nr]);
		CHECK_EQ(region_node(&r, i), nodes[i % nr]);
		CHECK_EQ(region_phys(&r, i), b.new_pages[i]);
	}
	region_verify(&r);
}

/* Huge and small pages, files and anonymous memory, there and back in one call. */
TEST(mixed, kinds_and_targets)
{
	struct region huge = region_huge(2, slow_node(), 1), anon = region_anon(300, fast_node(), 2);
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region file = region_file(fd, 300, slow_node(), 3, MAP_SHARED);
	struct batch b = { 0 };

	for (size_t i = 0; i < 300; i++) {
		batch_add(&b, region_phys(&huge, i * 3), fast_node());
		batch_add(&b, region_phys(&anon, i), slow_node());
		batch_add(&b, region_phys(&file, i), i % 2 ? fast_node() : slow_node());
	}
	CHECK_EQ(batch_run(&b, 0), 0);
	region_expect_node(&huge, fast_node());
	region_expect_node(&anon, slow_node());
	for (size_t i = 0; i < 300; i++) {
		CHECK_EQ(region_node(&file, i), i % 2 ? fast_node() : slow_node());
		CHECK_EQ(b.new_pages[3 * i], region_phys(&huge, i * 3));
		CHECK_EQ(b.new_pages[3 * i + 1], region_phys(&anon, i));
		CHECK_EQ(b.new_pages[3 * i + 2], region_phys(&file, i));
	}
	region_verify(&huge);
	region_verify(&anon);
	region_verify(&file);
}

/* ---- How many --------------------------------------------------------- */

static void entries(size_t nr, size_t nr_pages)
{
	struct region r = region_anon(nr_pages, slow_node(), 1);
	struct batch b = { 0 };

	for (size_t i = 0; i < nr; i++)
		batch_add(&b, i < nr_pages ? region_phys(&r, i) : b.pages[i % nr_pages],
			  fast_node());
	CHECK_EQ(batch_run(&b, 0), 0);
	batch_expect(&b, fast_node());
	region_expect_node(&r, fast_node());
	region_verify(&r);
	batch_free(&b);
	region_unmap(&r);
}

TEST(mixed, no_entries)
{
	const int flags[] = { 0, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, MPP_MF_UNMAPPED,
			      MPP_MF_IGNORE_MEMPOLICY, MPP_MF_DRY_RUN, MPP_MF_SYNC,
			      MPP_MF_RECLAIM, MPP_MF_NEW_PAGES };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		CHECK_EQ(mpp(0, NULL, NULL, NULL, flags[i], NULL), 0);
		CHECK_EQ(mpp(0, (void *)8, (void *)8, (void *)8, flags[i], (void *)8), 0);
	}
}

TEST(mixed, batch_borders)
{
	const size_t nr[] = { 1, 2, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025 };

	for (size_t i = 0; i < ARRAY_SIZE(nr); i++)
		entries(nr[i], nr[i]);
}

TEST(mixed, hundred_thousand)
{
	entries(100000, 3000);
}

/* What lies behind the last entry is not written to. */
TEST(mixed, nothing_beyond)
{
	struct region r = region_anon(513, slow_node(), 1);
	struct batch b = batch_of(&r, fast_node());

	for (size_t i = 500; i < b.nr; i++) {
		b.status[i] = STATUS_UNTOUCHED;
		b.new_pages[i] = PAGE_UNTOUCHED;
	}
	CHECK_EQ(mpp(500, b.pages, b.nodes, b.status, MPP_MF_NEW_PAGES, b.new_pages), 0);
	for (size_t i = 0; i < 500; i++)
		CHECK_STATUS(b.status[i], fast_node());
	for (size_t i = 500; i < b.nr; i++) {
		CHECK_STATUS(b.status[i], STATUS_UNTOUCHED);
		CHECK_EQ(b.new_pages[i], PAGE_UNTOUCHED);
		CHECK_EQ(region_phys(&r, i), b.pages[i]);
	}
	region_verify(&r);
}

/* ---- Full targets ----------------------------------------------------- */

/*
 * Sums a field of the node's zones in /proc/zoneinfo, in pages.  The DMA zone
 * by itself: it is small, mostly kept back, and does not tell how full a node is.
 */
static long long zone_sum(int node, const char *format, bool dma)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	long long sum = 0, value;
	int found = -1;
	char line[256], zone[32] = "";

	CHECK(f, "/proc/zoneinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Node %d, zone %31s", &found, zone) == 2)
			continue;
		if (found == node && dma == !strcmp(zone, "DMA") &&
		    sscanf(line, format, &value) == 1)
			sum += value;
	}
	fclose(f);
	return sum;
}

static long long node_free(int node)
{
	try_write("/proc/sys/vm/stat_refresh", "1");
	return zone_sum(node, " pages free %lld", false);
}

/* Above the high watermarks nobody reclaims. */
static long long node_high(int node)
{
	return zone_sum(node, " high %lld", false);
}

/* More pages than a node with so many left can take, whatever comes from DMA. */
static size_t more_than_fits(int node, long long left)
{
	return left + zone_sum(node, " pages free %lld", true) + 1000;
}

/*
 * Little is kept free for emergencies: less to fill.  And no mark is raised, which wakes
 * reclaim, for an allocation that took a block of another kind.
 */
static void low_watermarks(void)
{
	write_restored("/proc/sys/vm/min_free_kbytes", "4096", NULL);
	write_restored("/proc/sys/vm/watermark_boost_factor", "0", NULL);
}

/*
 * Takes the node's memory until so many pages are left; what it took last, by
 * small pages.  Most goes to the hugetlb pool, which is quick.
 */
static struct region hog(int node, long long left)
{
	const long long own = 8192;	/* small pages that can be looked at, and reclaimed */
	size_t step = 256, room = own + 65536;
	struct region r = { .tag = 200 };
	long long spare;

	spare = node_free(node) - left - own;
	if (spare > 0)
		hugetlb_pool(node, spare * page_size() / huge_size());
	r.va = must_mmap(room * page_size(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	madvise(r.va, room * page_size(), MADV_NOHUGEPAGE);
	bind_range(r.va, room * page_size(), node);
	while (node_free(node) > left) {
		CHECK(r.nr_pages + step <= room, "node %d does not fill", node);
		for (size_t end = r.nr_pages + step; r.nr_pages < end; r.nr_pages++)
			pattern_fill(r.va + r.nr_pages * page_size(), r.tag, r.nr_pages);
	}
	bind_range(r.va, room * page_size(), -1);
	return r;
}

/* Some of what the hog holds in the pool goes back to the node, or is taken again. */
static void hog_resize_pool(int node, int by)
{
	char path[128];

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%d/hugepages/hugepages-%zukB/nr_hugepages", node,
		 huge_size() / 1024);
	write_text(path, "%lld", read_number("%s", path) + by);
}

static void hog_give_way(int node)
{
	hog_resize_pool(node, -16);
}

static void hog_take_again(int node)
{
	hog_resize_pool(node, 16);
}

static void expect_resident(const struct region *r)
{
	size_t gone = 0;

	for (size_t i = 0; i < r->nr_pages; i++)
		gone += !(pagemap_entry(0, r->va + i * page_size()) >> 63);
	CHECK(gone == 0, "%zu of %zu pages of a bystander were taken from memory", gone,
	      r->nr_pages);
}

/* Node by node nothing else than the moved pages: what was refused is where it was. */
static void expect_no_spill(const struct region *r, const struct batch *b)
{
	for (size_t i = 0; i < r->nr_pages; i++) {
		int status = b->status[i];

		CHECK(status == fast_node() || status == -ENOMEM, "entry %zu: %s", i,
		      status_name(status));
		CHECK_EQ(region_phys(r, i), b->new_pages[i]);
		CHECK_EQ(region_node(r, i), status < 0 ? slow_node() : fast_node());
		if (status < 0)
			CHECK_EQ(region_phys(r, i), b->pages[i]);
	}
}

struct reclaim_seen {
	long long swapped, scanned, stolen;
};

static struct reclaim_seen reclaim_seen(void)
{
	try_write("/proc/sys/vm/stat_refresh", "1");
	return (struct reclaim_seen){
		vmstat("pswpout"),
		vmstat("pgscan_kswapd") + vmstat("pgscan_direct"),
		vmstat("pgsteal_kswapd") + vmstat("pgsteal_direct"),
	};
}

/*
 * More pages than the target has room for.  Some find it, the others say so and
 * stay; nobody else's memory is touched.  With MPP_MF_RECLAIM it may be.
 */
TEST(mixed, full_target, .limit_s = 180)
{
	struct reclaim_seen before, after;
	struct region r, bystander;
	long long left;
	struct batch b;
	size_t full;

	swap_on_disk();
	low_watermarks();
	left = node_high(fast_node()) + 2000;
	r = region_anon(more_than_fits(fast_node(), left), slow_node(), 1);
	b = batch_of(&r, fast_node());
	bystander = hog(fast_node(), left);
	before = reclaim_seen();
	full = batch_run(&b, 0);
	/* Give way first: the next allocation of anybody might wake reclaim. */
	hog_give_way(fast_node());
	after = reclaim_seen();
	CHECK(full > 0 && full < b.nr, "%zu of %lu entries found no room", full, b.nr);
	CHECK_EQ(after.swapped, before.swapped);
	CHECK_EQ(after.scanned, before.scanned);
	CHECK_EQ(after.stolen, before.stolen);
	expect_resident(&bystander);
	expect_no_spill(&r, &b);
	region_verify(&r);
	batch_free(&b);

	/* A few hundred of those that found no room, with the room taken again. */
	hog_take_again(fast_node());
	for (size_t i = r.nr_pages; i-- > 0 && b.nr < 300;)
		if (region_node(&r, i) == slow_node())
			batch_add(&b, region_phys(&r, i), fast_node());
	CHECK_EQ(batch_run(&b, MPP_MF_RECLAIM), 0);
	region_verify(&r);
	region_verify(&bystander);
}

/* No room on one target is no reason not to serve the other. */
TEST(mixed, full_target_and_another, .limit_s = 180)
{
	struct region r, back = region_anon(200, fast_node(), 2), bystander;
	struct batch b = { 0 };
	long long left;
	size_t every;

	low_watermarks();
	left = node_high(fast_node()) + 500;
	/* With pages to spare: what leaves the node makes room on it too. */
	r = region_anon(more_than_fits(fast_node(), left) + 2000, slow_node(), 1);
	bystander = hog(fast_node(), left);
	every = r.nr_pages / back.nr_pages;
	for (size_t i = 0; i < r.nr_pages; i++) {
		batch_add(&b, region_phys(&r, i), fast_node());
		if (i % every == 0 && i / every < back.nr_pages)
			batch_add(&b, region_phys(&back, i / every), slow_node());
	}
	batch_run(&b, 0);
	CHECK_GE(batch_count(&b, -ENOMEM), 1);
	region_expect_node(&back, slow_node());
	region_verify(&back);
	region_verify(&r);
	expect_resident(&bystander);
}

/* Every second page of so many is given back: room, but none for a huge page. */
static void punch_holes(struct region *r, size_t nr)
{
	for (size_t i = 0; i < 2 * nr && i < r->nr_pages; i += 2)
		MUST(madvise(r->va + i * page_size(), page_size(), MADV_DONTNEED));
}

/*
 * Huge pages do not fit a target whose room is in small pieces.  They are not
 * split to make them fit, and the small pages behind them get the last room.
 */
TEST(mixed, no_room_for_huge_but_for_small, .limit_s = 180)
{
	const size_t nr_huge = 22, nr_small = 600;
	struct region huge = region_huge(nr_huge, slow_node(), 1);
	struct region small = region_anon(nr_small, slow_node(), 2), bystander;
	const size_t each = huge_size() / page_size();
	struct batch b = { 0 };
	size_t full = 0;

	low_watermarks();
	bystander = hog(fast_node(), node_high(fast_node()) + 1000);
	punch_holes(&bystander, 4096);
	for (size_t i = 0; i < nr_huge; i++)
		batch_add(&b, region_phys(&huge, i * each + 3), fast_node());
	for (size_t i = 0; i < nr_small; i++)
		batch_add(&b, region_phys(&small, i), fast_node());
	batch_run(&b, 0);
	for (size_t i = 0; i < nr_huge; i++) {
		full += b.status[i] == -ENOMEM;
		CHECK(b.status[i] == -ENOMEM || b.status[i] == fast_node(), "huge page %zu: %s",
		      i, status_name(b.status[i]));
		CHECK_EQ(region_node(&huge, i * each), b.status[i] < 0 ? slow_node() : fast_node());
	}
	if (!full)
		SKIP("node %d found room for %zu huge pages", fast_node(), nr_huge);
	region_expect_node(&small, fast_node());
	CHECK_EQ(smaps_kb(huge.va, "AnonHugePages:"), (long long)(nr_huge * huge_size() / 1024));
	region_verify(&huge);
	region_verify(&small);
}

/* The target is short of memory, but what is there already needs none. */
TEST(mixed, full_target_already, .limit_s = 180)
{
	struct region r = region_anon(400, fast_node(), 1), bystander;
	struct batch b;

	low_watermarks();
	bystander = hog(fast_node(), node_high(fast_node()) + 200);
	b = batch_of(&r, fast_node());
	CHECK_EQ(batch_run(&b, 0), 0);
	for (size_t i = 0; i < r.nr_pages; i++)
		CHECK_EQ(region_phys(&r, i), b.pages[i]);
	expect_resident(&bystander);
}
