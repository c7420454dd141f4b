// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reverse translation, then move_pages(2): what a user does who has physical
 * addresses and a kernel without move_phys_pages().  Three ways:
 *
 *  - plain: every page of every mapping of every process is looked up in pagemap.
 *  - bulk: as much as a careful program can save.  It reads in large pieces, compares
 *    what it reads by range and hash, and ends when everything is found, since
 *    /proc/kpagecount said that each frame is mapped once.  What there is to read is
 *    told by PAGEMAP_SCAN (scan), as ranges that are present and anonymous; or
 *    by PROCMAP_QUERY (query), as mappings, without a line of text to parse: first
 *    those without a file, of all processes, and the others only if it must be.
 *
 * None is allowed to know anything from an earlier call.
 */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "reverse.h"

#define PM_PRESENT (1ULL << 63)
#define PM_PFN ((1ULL << 55) - 1)
#define NO_SLOT UINT32_MAX

/* As in linux/fs.h since 6.7. */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

struct scan_region {
	uint64_t start, end, categories;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)
#define SCAN_IS_FILE (1ULL << 2)
#define SCAN_IS_PRESENT (1ULL << 3)

/* As in linux/fs.h since 6.11. */
struct map_query {
	uint64_t size, flags, address, start, end, vma_flags, page_size, offset, inode;
	uint32_t dev_major, dev_minor, name_size, build_id_size;
	uint64_t name, build_id;
};

#define QUERY_IOCTL _IOWR('f', 17, struct map_query)
#define QUERY_NEXT 0x10

#define NR_REGIONS 1024
#define NR_ENTRIES 65536

/* ---- The frames that are looked for ------------------------------------ */

struct wanted {
	uint64_t lowest, highest;	/* PFNs */
	unsigned int bits;
	uint32_t *hash;			/* index into job->phys */
	unsigned long missing;
	struct job *job;
	pid_t *pid;
};

static unsigned int slot_of(const struct wanted *w, uint64_t pfn)
{
	return pfn * 0x9e3779b97f4a7c15ULL >> (64 - w->bits);
}

static unsigned int bits_for(unsigned long nr_pages)
{
	unsigned int bits = 2;

	while (1UL << bits < 4 * nr_pages)
		bits++;
	return bits;
}

static void wanted_init(struct wanted *w, struct job *job)
{
	*w = (struct wanted){ .lowest = UINT64_MAX, .missing = job->nr, .job = job };
	w->bits = bits_for(job->nr);
	w->hash = malloc(sizeof(*w->hash) << w->bits);
	w->pid = calloc(job->nr, sizeof(*w->pid));
	CHECK(w->hash && w->pid, "out of memory");
	memset(w->hash, 0xff, sizeof(*w->hash) << w->bits);
	for (unsigned long i = 0; i < job->nr; i++) {
		uint64_t pfn = job->phys[i] / page_size();
		unsigned int slot = slot_of(w, pfn);

		while (w->hash[slot] != NO_SLOT)
			slot = (slot + 1) & ((1U << w->bits) - 1);
		w->hash[slot] = i;
		w->lowest = pfn < w->lowest ? pfn : w->lowest;
		w->highest = pfn > w->highest ? pfn : w->highest;
		job->va[i] = NULL;
	}
}

static void wanted_free(struct wanted *w)
{
	free(w->hash);
	free(w->pid);
}

static void wanted_offer(struct wanted *w, uint64_t entry, pid_t pid, uint64_t va)
{
	uint64_t pfn = entry & PM_PFN;

	if (!(entry & PM_PRESENT) || pfn - w->lowest > w->highest - w->lowest)
		return;
	for (unsigned int slot = slot_of(w, pfn); w->hash[slot] != NO_SLOT;
	     slot = (slot + 1) & ((1U << w->bits) - 1)) {
		uint32_t i = w->hash[slot];

		if (w->job->phys[i] / page_size() != pfn)
			continue;
		if (!w->job->va[i]) {
			w->job->va[i] = (void *)(uintptr_t)va;
			w->pid[i] = pid;
			w->missing--;
		}
		return;
	}
}

typedef void search_fn(struct wanted *w, pid_t pid);

/* ---- Searching ---------------------------------------------------------- */

static int open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void search_plain(struct wanted *w, pid_t pid)
{
	unsigned long long start, end;
	int pagemap = open_of(pid, "pagemap");
	char path[64], line[512];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && pagemap >= 0 && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) != 2)
			continue;
		for (uint64_t va = start; va < end; va += page_size()) {
			uint64_t entry;

			if (pread(pagemap, &entry, sizeof(entry), va / page_size() * sizeof(entry)) ==
			    sizeof(entry))
				wanted_offer(w, entry, pid, va);
		}
	}
	if (maps)
		fclose(maps);
	if (pagemap >= 0)
		close(pagemap);
}

static uint64_t entries[NR_ENTRIES];

static void read_range(struct wanted *w, pid_t pid, int pagemap, uint64_t start, uint64_t end)
{

	while (start < end && w->missing) {
		size_t nr = (end - start) / page_size();
		ssize_t got;

		if (nr > NR_ENTRIES)
			nr = NR_ENTRIES;
		got = pread(pagemap, entries, nr * sizeof(*entries),
			    start / page_size() * sizeof(*entries));
		if (got <= 0)
			return;
		for (size_t i = 0; i < got / sizeof(*entries); i++)
			wanted_offer(w, entries[i], pid, start + i * page_size());
		start += got / sizeof(*entries) * page_size();
	}
}

static struct scan_region regions[NR_REGIONS];

/* Only the anonymous pages that are there; the frames looked for are anonymous. */
static void search_scan(struct wanted *w, pid_t pid)
{
	struct scan_arg arg = {
		.size = sizeof(arg),
		/* All that a process has, short of its last page. */
		.end = (1ULL << 47) - page_size(),
		.vec = (uintptr_t)regions,
		.vec_len = NR_REGIONS,
		.category_inverted = SCAN_IS_FILE,
		.category_mask = SCAN_IS_FILE | SCAN_IS_PRESENT,
		.return_mask = SCAN_IS_PRESENT,
	};
	int pagemap = open_of(pid, "pagemap");
	long nr;

	while (pagemap >= 0 && w->missing && arg.start < arg.end) {
		nr = ioctl(pagemap, SCAN_IOCTL, &arg);
		if (nr < 0) {
			if (errno == ENOTTY)
				SKIP("this kernel has no PAGEMAP_SCAN");
			/* A process that has ended meanwhile. */
			CHECK(errno == ESRCH, "PAGEMAP_SCAN: %s", strerror(errno));
			break;
		}
		for (long i = 0; i < nr && w->missing; i++)
			read_range(w, pid, pagemap, regions[i].start, regions[i].end);
		if (arg.walk_end <= arg.start)
			break;
		arg.start = arg.walk_end;
	}
	if (pagemap >= 0)
		close(pagemap);
}

/* Mappings with a file, or those without. */
static void search_query(struct wanted *w, pid_t pid, bool with_file)
{
	struct map_query query = { .size = sizeof(query), .flags = QUERY_NEXT };
	int maps = open_of(pid, "maps"), pagemap = open_of(pid, "pagemap");

	while (maps >= 0 && pagemap >= 0 && w->missing) {
		if (ioctl(maps, QUERY_IOCTL, &query) < 0) {
			if (errno == ENOTTY)
				SKIP("this kernel has no PROCMAP_QUERY");
			/* Behind the last mapping, or a process without any. */
			CHECK(errno == ENOENT || errno == ESRCH, "PROCMAP_QUERY: %s",
			      strerror(errno));
			break;
		}
		if ((query.inode != 0) == with_file)
			read_range(w, pid, pagemap, query.start, query.end);
		query.address = query.end;
	}
	if (maps >= 0)
		close(maps);
	if (pagemap >= 0)
		close(pagemap);
}

static void search_query_anon(struct wanted *w, pid_t pid)
{
	search_query(w, pid, false);
}

static void search_query_file(struct wanted *w, pid_t pid)
{
	search_query(w, pid, true);
}

/* The early end is only allowed where no frame has a second mapping to be found. */
static bool mapped_once(const struct job *job)
{
	int fd = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	bool once = fd >= 0;

	for (unsigned long i = 0; i < job->nr && once; i++) {
		uint64_t count;

		once = pread(fd, &count, sizeof(count), job->phys[i] / page_size() * sizeof(count)) ==
		       sizeof(count) && count == 1;
	}
	if (fd >= 0)
		close(fd);
	return once;
}

static void search_all(struct wanted *w, search_fn *search, bool may_end)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	CHECK(proc, "/proc: %s", strerror(errno));
	while ((entry = readdir(proc)) && (w->missing || !may_end)) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0)
			search(w, pid);
	}
	closedir(proc);
}

/* One call for each process that was found to hold some of the pages. */
static long move_found(struct wanted *w)
{
	struct job *job = w->job, part = job_new(job->nr, job->flags);
	unsigned long *index = calloc(job->nr, sizeof(*index)), left = job->nr;
	long ret = 0;

	CHECK(index, "out of memory");
	while (left && !ret) {
		part.nr = 0;
		for (unsigned long i = 0; i < job->nr; i++) {
			if (!w->pid[i] || (part.nr && w->pid[i] != part.pid))
				continue;
			part.pid = w->pid[i];
			part.va[part.nr] = job->va[i];
			part.nodes[part.nr] = job->nodes[i];
			index[part.nr++] = i;
			w->pid[i] = 0;
		}
		if (!part.nr)
			break;
		ret = way_move_pages.move(&part);
		for (unsigned long i = 0; i < part.nr; i++)
			job->status[index[i]] = part.status[i];
		left -= part.nr;
	}
	free(index);
	part.nr = job->nr;
	job_free(&part);
	return ret;
}

/* @second is what is left to look at when the first search was not enough; or NULL. */
static long move_reverse(struct job *job, search_fn *first, search_fn *second, bool may_end)
{
	struct wanted w;
	long ret;

	wanted_init(&w, job);
	search_all(&w, first, may_end);
	if (second && w.missing)
		search_all(&w, second, may_end);
	ret = w.missing ? -ENOENT : move_found(&w);
	wanted_free(&w);
	return ret;
}

static long move_plain(struct job *job)
{
	return move_reverse(job, search_plain, NULL, false);
}

static long move_scan(struct job *job)
{
	return move_reverse(job, search_scan, NULL, mapped_once(job));
}

static long move_query(struct job *job)
{
	return move_reverse(job, search_query_anon, search_query_file, mapped_once(job));
}

const struct way way_reverse_plain = { "reverse-plain", move_plain };
const struct way way_reverse_scan = { "reverse-scan", move_scan };
const struct way way_reverse_query = { "reverse-query", move_query };

size_t reverse_bytes(unsigned long nr_pages)
{
	return sizeof(entries) + sizeof(regions) +
	       (sizeof(uint32_t) << bits_for(nr_pages)) + nr_pages * sizeof(pid_t);
}
