// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory with known contents at a known place.  Where a page is, is asked of
 * pagemap, move_pages(2) and the memory blocks: never of the code under test.
 */
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PM_PRESENT (1ULL << 63)
#define PM_PFN ((1ULL << 55) - 1)

size_t page_size(void)
{
	static size_t size;

	if (!size)
		size = sysconf(_SC_PAGESIZE);
	return size;
}

size_t huge_size(void)
{
	return read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
}

void *must_mmap(size_t len_bytes, int prot, int flags, int fd, off_t off)
{
	void *va = mmap(NULL, len_bytes, prot, flags, fd, off);

	CHECK(va != MAP_FAILED, "mmap of %zu bytes: %s", len_bytes, strerror(errno));
	return va;
}

/* ---- Patterns -------------------------------------------------------- */

/* Neighbouring words, pages and tags all differ, so that a mix-up of any of them shows. */
static uint64_t pattern_word(unsigned int tag, size_t page, size_t word)
{
	uint64_t x = ((uint64_t)tag << 40) ^ ((uint64_t)page << 9) ^ word;

	x = (x + 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;
	return x ^ (x >> 29);
}

unsigned char pattern_byte(unsigned int tag, size_t page, size_t off)
{
	uint64_t word = pattern_word(tag, page, off / 8);

	return ((unsigned char *)&word)[off % 8];
}

void pattern_fill(void *page_va, unsigned int tag, size_t page)
{
	uint64_t *at = page_va;

	for (size_t i = 0; i < page_size() / 8; i++)
		at[i] = pattern_word(tag, page, i);
}

long pattern_check(const void *page_va, unsigned int tag, size_t page)
{
	const uint64_t *at = page_va;

	for (size_t i = 0; i < page_size() / 8; i++) {
		if (at[i] == pattern_word(tag, page, i))
			continue;
		for (size_t off = i * 8;; off++)
			if (((const unsigned char *)page_va)[off] != pattern_byte(tag, page, off))
				return off;
	}
	return -1;
}

void region_fill(const struct region *r)
{
	for (size_t i = 0; i < r->nr_pages; i++)
		pattern_fill(r->va + i * page_size(), r->tag, i);
}

void region_verify(const struct region *r)
{
	for (size_t i = 0; i < r->nr_pages; i++) {
		const unsigned char *va = r->va + i * page_size();
		long off = pattern_check(va, r->tag, i);

		CHECK(off < 0, "page %zu of %zu is damaged at byte %ld: %#x, expected %#x", i,
		      r->nr_pages, off, va[off], pattern_byte(r->tag, i, off));
	}
}

/* ---- Where a page is ------------------------------------------------- */

static uint64_t read_word(const char *path, uint64_t index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t word = 0;

	if (fd < 0 && errno == ENOENT)
		SKIP("this kernel has no %s", path);
	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	if (pread(fd, &word, sizeof(word), index * sizeof(word)) != sizeof(word))
		word = 0;
	close(fd);
	return word;
}

uint64_t pagemap_entry(pid_t pid, const void *va)
{
	char path[64];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	else
		snprintf(path, sizeof(path), "/proc/self/pagemap");
	return read_word(path, (uintptr_t)va / page_size());
}

uint64_t phys_of_pid(pid_t pid, const void *va)
{
	uint64_t entry = pagemap_entry(pid, va);

	if (!(entry & PM_PRESENT))
		return 0;
	return (entry & PM_PFN) * page_size() + (uintptr_t)va % page_size();
}

uint64_t phys_of(const void *va)
{
	return phys_of_pid(0, va);
}

int node_of_pid(pid_t pid, const void *va)
{
	int status = -ENOSYS;

	if (syscall(SYS_move_pages, pid, 1UL, &va, NULL, &status, 0) < 0)
		return -errno;
	return status;
}

int node_of(const void *va)
{
	return node_of_pid(0, va);
}

/* The node a memory block belongs to is the nodeN link in its directory. */
static int node_of_block(uint64_t phys)
{
	static uint64_t block_size;
	struct dirent *entry;
	int node = -1;
	char path[96];
	DIR *dir;

	if (!block_size) {
		char *text = read_text("/sys/devices/system/memory/block_size_bytes");

		block_size = strtoull(text, NULL, 16);
		free(text);
	}
	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%llu",
		 (unsigned long long)(phys / block_size));
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "node%d", &node) == 1)
			break;
	closedir(dir);
	return node;
}

/* Without memory blocks: the zone whose span holds it. */
static int node_of_zone(uint64_t phys)
{
	unsigned long long spanned = 0, start, pfn = phys / page_size();
	FILE *f = fopen("/proc/zoneinfo", "re");
	int node = -1, found = -1;
	char line[256];

	CHECK(f, "/proc/zoneinfo: %s", strerror(errno));
	while (found < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Node %d,", &node) == 1)
			spanned = 0;
		else if (sscanf(line, " spanned %llu", &spanned) == 1)
			continue;
		else if (sscanf(line, " start_pfn: %llu", &start) == 1 && pfn >= start &&
			 pfn < start + spanned)
			found = node;
	}
	fclose(f);
	return found;
}

int node_of_phys(uint64_t phys)
{
	if (exists("/sys/devices/system/memory/block_size_bytes"))
		return node_of_block(phys);
	return node_of_zone(phys);
}

uint64_t kpageflags(uint64_t phys)
{
	return read_word("/proc/kpageflags", phys / page_size());
}

uint64_t kpagecount(uint64_t phys)
{
	return read_word("/proc/kpagecount", phys / page_size());
}

uint64_t region_phys(const struct region *r, size_t page)
{
	uint64_t phys = phys_of(r->va + page * page_size());

	CHECK(phys, "page %zu of %zu is not present", page, r->nr_pages);
	return phys;
}

int region_node(const struct region *r, size_t page)
{
	return node_of(r->va + page * page_size());
}

void region_expect_node(const struct region *r, int node)
{
	for (size_t i = 0; i < r->nr_pages; i++) {
		uint64_t phys = region_phys(r, i);
		int got = region_node(r, i), block = node_of_phys(phys);

		CHECK(got == node, "page %zu of %zu is on %s by move_pages(2), expected node %d", i,
		      r->nr_pages, status_name(got), node);
		CHECK(block == node, "page %zu of %zu at %#llx is on node %d by memory block", i,
		      r->nr_pages, (unsigned long long)phys, block);
	}
}

/* ---- Getting memory -------------------------------------------------- */

static void node_mask(int node, unsigned long *mask, size_t words)
{
	memset(mask, 0, words * sizeof(*mask));
	mask[node / (8 * sizeof(*mask))] |= 1UL << node % (8 * sizeof(*mask));
}

void prefer_node(int node)
{
	unsigned long mask[16];

	if (node < 0) {
		MUST(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0UL));
		return;
	}
	node_mask(node, mask, ARRAY_SIZE(mask));
	MUST(syscall(SYS_set_mempolicy, MPOL_BIND, mask, sizeof(mask) * 8UL));
}

void bind_range(void *va, size_t len_bytes, int node)
{
	unsigned long mask[16];

	if (node < 0) {
		MUST(syscall(SYS_mbind, va, len_bytes, MPOL_DEFAULT, NULL, 0UL, 0U));
		return;
	}
	node_mask(node, mask, ARRAY_SIZE(mask));
	MUST(syscall(SYS_mbind, va, len_bytes, MPOL_BIND, mask, sizeof(mask) * 8UL, 0U));
}

struct region region_anon(size_t nr_pages, int node, unsigned int tag)
{
	size_t len = nr_pages * page_size();
	struct region r = { .nr_pages = nr_pages, .tag = tag };

	r.va = must_mmap(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(r.va, len, MADV_NOHUGEPAGE);
	bind_range(r.va, len, node);
	region_fill(&r);
	bind_range(r.va, len, -1);
	return r;
}

static bool is_huge(const struct region *r)
{
	return smaps_kb(r->va, "AnonHugePages:") * 1024 == (long long)(r->nr_pages * page_size());
}

struct region region_huge(size_t nr_huge, int node, unsigned int tag)
{
	size_t size = huge_size(), len = nr_huge * size;
	struct region r = { .nr_pages = len / page_size(), .tag = tag };
	unsigned char *va;

	va = must_mmap(len + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	r.va = (unsigned char *)(((uintptr_t)va + size - 1) & ~(size - 1));
	/* Reserved beyond the end stays PROT_NONE, so that the mapping has its own VMA. */
	MUST(mprotect(r.va, len, PROT_READ | PROT_WRITE));
	if (madvise(r.va, len, MADV_HUGEPAGE) < 0)
		SKIP("this kernel has no transparent huge pages (MADV_HUGEPAGE: %s)",
		     strerror(errno));
	/* Where a test takes a part away, nobody is to make it whole again meanwhile. */
	write_restored("/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none", "0", NULL);
	bind_range(r.va, len, node);
	region_fill(&r);
	bind_range(r.va, len, -1);
	if (!is_huge(&r))
		SKIP("no huge page could be had on node %d", node);
	return r;
}

struct region region_file(int fd, size_t nr_pages, int node, unsigned int tag, int map_flags)
{
	size_t len = nr_pages * page_size();
	struct region r = { .nr_pages = nr_pages, .tag = tag };

	MUST(ftruncate(fd, len));
	r.va = must_mmap(len, PROT_READ | PROT_WRITE, map_flags, fd, 0);
	/* Page cache asks the task's policy where the file system has none of its own. */
	prefer_node(node);
	region_fill(&r);
	prefer_node(-1);
	return r;
}

void region_unmap(struct region *r)
{
	MUST(munmap(r->va, r->nr_pages * page_size()));
	r->va = NULL;
}

struct batch batch_of(const struct region *r, int node)
{
	struct batch b = { 0 };

	for (size_t i = 0; i < r->nr_pages; i++)
		batch_add(&b, region_phys(r, i), node);
	return b;
}

void region_move(const struct region *r, int node, int flags)
{
	struct batch b = batch_of(r, node);

	batch_run(&b, flags);
	batch_expect(&b, node);
	for (size_t i = 0; i < r->nr_pages; i++) {
		uint64_t phys = region_phys(r, i);

		CHECK(b.new_pages[i] == phys, "new_pages[%zu] is %#llx, pagemap says %#llx", i,
		      (unsigned long long)b.new_pages[i], (unsigned long long)phys);
	}
	region_expect_node(r, node);
	region_verify(r);
	batch_free(&b);
}

void region_move_patient(const struct region *r, int node, int flags)
{
	for (size_t i = 0; i < r->nr_pages; i++)
		CHECK_STATUS(move_one_patient(region_phys(r, i), node, flags, NULL), node);
	region_expect_node(r, node);
	region_verify(r);
}

void region_refused(const struct region *r, int node, int flags, int status)
{
	struct batch b = batch_of(r, node);

	batch_run(&b, flags);
	batch_expect(&b, status);
	for (size_t i = 0; i < r->nr_pages; i++)
		CHECK(region_phys(r, i) == b.pages[i], "page %zu was refused and yet moved", i);
	region_verify(r);
	batch_free(&b);
}

/* move_pages(2) drains every CPU's batches first, even for a page that stays where it is. */
void lru_settle(void)
{
	const void *va = &page_size;
	int node = node_of(va), status;

	if (node >= 0)
		MUST(syscall(SYS_move_pages, 0, 1UL, &va, &node, &status, MPOL_MF_MOVE));
}
