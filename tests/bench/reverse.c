// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reverse translation, then move_pages(2): what a user does who has physical
 * addresses and a kernel without move_phys_pages().  Two kinds:
 *
 *  - plain: every page of every mapping of every process is looked up in pagemap.
 *  - bulk: as much as a careful program can save.  It leaves out the kernel's threads,
 *    reads in large pieces, compares what it reads by range and hash, and ends when
 *    everything is found: one mapping of a frame is enough to move it, and where there
 *    are more that must not be, the kernel says so itself.  What there is to read is
 *    told by PAGEMAP_SCAN (scan), as ranges that are present and anonymous; or by
 *    PROCMAP_QUERY (query), as mappings, without a line of text to parse: first those
 *    that can be written to and have no file, of all processes, and the others only if
 *    it must be.  Where memory is charged to cgroups (cgroup), it first asks
 *    /proc/kpagecgroup for these and searches their processes.
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
#define QUERY_WRITABLE 0x02
#define QUERY_NEXT 0x10

/* As in linux/exportfs.h: the handle of a cgroup is its inode number. */
#define HANDLE_KERNFS 0xfe

#define NR_REGIONS 1024
#define NR_ENTRIES 8192
#define NR_PIDS 4096
#define NR_CGROUPS 256
/* Entries between two ranges that are read along, which costs less than to read twice. */
#define GAP 64

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

	if (!(entry & PM_PRESENT))
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

static int proc_fd = -1;

static int open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
	return openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
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

/* Got when first wanted: other processes of a machine are not to have them to be searched. */
static struct buffers {
	uint64_t entries[NR_ENTRIES];
	struct scan_region regions[NR_REGIONS];
	pid_t pids[NR_PIDS];
	char text[NR_PIDS * 8];
} *buffers;

static void read_range(struct wanted *w, pid_t pid, int pagemap, uint64_t start, uint64_t end)
{
	const uint64_t lowest = w->lowest, reach = w->highest - w->lowest;
	uint64_t *entries = buffers->entries;

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
			if ((entries[i] & PM_PFN) - lowest <= reach)
				wanted_offer(w, entries[i], pid, start + i * page_size());
		start += got / sizeof(*entries) * page_size();
	}
}

/* Only the anonymous pages that are there; the frames looked for are anonymous. */
static void search_scan(struct wanted *w, pid_t pid)
{
	struct scan_arg arg = {
		.size = sizeof(arg),
		/* All that a process has, short of its last page. */
		.end = (1ULL << 47) - page_size(),
		.vec = (uintptr_t)buffers->regions,
		.vec_len = NR_REGIONS,
		.category_inverted = SCAN_IS_FILE,
		.category_mask = SCAN_IS_FILE | SCAN_IS_PRESENT,
		.return_mask = SCAN_IS_PRESENT,
	};
	const struct scan_region *regions = buffers->regions;
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

/* Mappings that can be written to and have no file, or all the others. */
static void search_query(struct wanted *w, pid_t pid, bool likely)
{
	struct map_query query = {
		.size = sizeof(query), .flags = QUERY_NEXT | (likely ? QUERY_WRITABLE : 0),
	};
	int maps = open_of(pid, "maps"), pagemap = open_of(pid, "pagemap");
	uint64_t start = 0, end = 0;

	while (maps >= 0 && pagemap >= 0 && w->missing) {
		if (ioctl(maps, QUERY_IOCTL, &query) < 0) {
			if (errno == ENOTTY)
				SKIP("this kernel has no PROCMAP_QUERY");
			/* Behind the last mapping, or a process without any. */
			CHECK(errno == ENOENT || errno == ESRCH, "PROCMAP_QUERY: %s",
			      strerror(errno));
			break;
		}
		if ((!query.inode && (query.vma_flags & QUERY_WRITABLE)) == likely) {
			if (query.start - end > GAP * page_size()) {
				read_range(w, pid, pagemap, start, end);
				start = query.start;
			}
			end = query.end;
		}
		query.address = query.end;
	}
	read_range(w, pid, pagemap, start, end);
	if (maps >= 0)
		close(maps);
	if (pagemap >= 0)
		close(pagemap);
}

static void search_query_likely(struct wanted *w, pid_t pid)
{
	search_query(w, pid, true);
}

static void search_query_rest(struct wanted *w, pid_t pid)
{
	search_query(w, pid, false);
}

/* ---- Which processes ----------------------------------------------------- */

static void read_all(int dir, const char *name, char *text, size_t room)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t len = 0, got = 1;

	while (fd >= 0 && got > 0) {
		got = read(fd, text + len, room - 1 - len);
		len += got > 0 ? got : 0;
	}
	text[len] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The process numbers that a file tells, as many as there is room for. */
static size_t read_pids(int dir, const char *name)
{
	char *text = buffers->text, *end;
	size_t nr = 0;

	read_all(dir, name, text, sizeof(buffers->text));
	for (; nr < NR_PIDS; text = end) {
		buffers->pids[nr] = strtol(text, &end, 10);
		if (end == text)
			break;
		nr++;
	}
	return nr;
}

/* The kernel's threads map nothing; their parent tells them all in one read, in order. */
static size_t kernel_threads(void)
{
	return read_pids(proc_fd, "2/task/2/children");
}

static void search_all(struct wanted *w, search_fn *search, bool all)
{
	size_t nr_threads = all ? 0 : kernel_threads(), at = 0;
	const pid_t *threads = buffers->pids;
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	CHECK(proc, "/proc: %s", strerror(errno));
	while ((entry = readdir(proc)) && (w->missing || all)) {
		pid_t pid = atoi(entry->d_name);

		while (at < nr_threads && threads[at] < pid)
			at++;
		if (pid > 0 && (at == nr_threads || threads[at] != pid))
			search(w, pid);
	}
	closedir(proc);
}

/* ---- The cgroups of frames -------------------------------------------------- */

static int by_pfn(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t *sorted_pfns(const struct job *job)
{
	uint64_t *pfns = calloc(job->nr, sizeof(*pfns));
	bool sorted = true;

	CHECK(pfns, "out of memory");
	for (unsigned long i = 0; i < job->nr; i++) {
		pfns[i] = job->phys[i] / page_size();
		sorted = sorted && (!i || pfns[i - 1] <= pfns[i]);
	}
	if (!sorted)
		qsort(pfns, job->nr, sizeof(*pfns), by_pfn);
	return pfns;
}

/* Adds what is new; the number of groups then, more than NR_CGROUPS when they are too many. */
static size_t add_cgroup(uint64_t *inodes, size_t nr, uint64_t inode)
{
	for (size_t i = nr; i-- > 0;)
		if (inodes[i] == inode)
			return nr;
	if (nr < NR_CGROUPS)
		inodes[nr] = inode;
	return nr + 1;
}

/* The cgroups that the frames are charged to, in a read for each run of frames. */
static size_t cgroups_of(const struct job *job, uint64_t *inodes)
{
	int fd = open("/proc/kpagecgroup", O_RDONLY | O_CLOEXEC);
	uint64_t *pfns = sorted_pfns(job), *entries = buffers->entries;
	unsigned long first = 0;
	size_t nr = 0;

	while (fd >= 0 && first < job->nr && nr <= NR_CGROUPS) {
		uint64_t base = pfns[first];
		unsigned long last = first;
		size_t len;

		while (last + 1 < job->nr && pfns[last + 1] - pfns[last] <= GAP &&
		       pfns[last + 1] - base < NR_ENTRIES)
			last++;
		len = (pfns[last] - base + 1) * sizeof(*entries);
		if (pread(fd, entries, len, base * sizeof(*entries)) != (ssize_t)len)
			break;
		for (; first <= last && nr <= NR_CGROUPS; first++)
			nr = add_cgroup(inodes, nr, entries[pfns[first] - base]);
	}
	free(pfns);
	if (fd >= 0)
		close(fd);
	return nr;
}

static int cgroup_root = -1;

void reverse_use_cgroups(int root_fd)
{
	cgroup_root = root_fd;
}

static void search_cgroup(struct wanted *w, uint64_t inode, search_fn *search)
{
	struct {
		struct file_handle head;
		uint64_t inode;
	} handle = { { .handle_bytes = sizeof(inode), .handle_type = HANDLE_KERNFS }, inode };
	int dir = open_by_handle_at(cgroup_root, &handle.head, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t nr;

	if (dir < 0)
		return;
	nr = read_pids(dir, "cgroup.procs");
	close(dir);
	for (size_t i = 0; i < nr && w->missing; i++)
		search(w, buffers->pids[i]);
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

static long move_reverse(struct job *job, void (*search)(struct wanted *w))
{
	struct wanted w;
	long ret;

	if (!buffers)
		buffers = malloc(sizeof(*buffers));
	CHECK(buffers, "out of memory");
	proc_fd = MUST(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	wanted_init(&w, job);
	search(&w);
	ret = w.missing ? -ENOENT : move_found(&w);
	wanted_free(&w);
	close(proc_fd);
	return ret;
}

static void find_plain(struct wanted *w)
{
	search_all(w, search_plain, true);
}

static void find_scan(struct wanted *w)
{
	search_all(w, search_scan, false);
}

static void find_query(struct wanted *w)
{
	search_all(w, search_query_likely, false);
	if (w->missing)
		search_all(w, search_query_rest, false);
}

static void find_cgroup(struct wanted *w)
{
	uint64_t inodes[NR_CGROUPS];
	size_t nr = cgroups_of(w->job, inodes);

	if (nr > NR_CGROUPS)
		nr = 0;
	for (size_t i = 0; i < nr && w->missing; i++)
		search_cgroup(w, inodes[i], search_query_likely);
	for (size_t i = 0; i < nr && w->missing; i++)
		search_cgroup(w, inodes[i], search_query_rest);
	/* A process may leave a group, its pages do not. */
	if (w->missing)
		find_query(w);
}

static long move_plain(struct job *job)
{
	return move_reverse(job, find_plain);
}

static long move_scan(struct job *job)
{
	return move_reverse(job, find_scan);
}

static long move_query(struct job *job)
{
	return move_reverse(job, find_query);
}

static long move_cgroup(struct job *job)
{
	return move_reverse(job, find_cgroup);
}

const struct way way_reverse_plain = { "reverse-plain", move_plain };
const struct way way_reverse_scan = { "reverse-scan", move_scan };
const struct way way_reverse_query = { "reverse-query", move_query };
const struct way way_reverse_cgroup = { "reverse-cgroup", move_cgroup };
