// SPDX-License-Identifier: GPL-2.0-only
/* mpp-stress: workers that need the system's help: swap, hugetlb, cgroups, memory blocks. */
#include "stress.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <linux/fs.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define SWAP_BYTES	(64ul << 20)

/* Quietly: whether the module exists is seen by what it would have made. */
static void modprobe(struct worker *w, const char *module, const char *option)
{
	pid_t pid = worker_fork(w);

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		execlp("modprobe", "modprobe", "-q", module, option, NULL);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* What mkswap(8) writes: version 1, the last page, and the signature at the end of page 0. */
static int swap_header(const char *path, uint64_t bytes)
{
	unsigned char page[PAGE_SIZE] = { 0 };
	uint32_t info[2] = { 1, (uint32_t)(bytes / PAGE_SIZE - 1) };
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	memcpy(page + 1024, info, sizeof(info));
	memcpy(page + PAGE_SIZE - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, page, sizeof(page), 0) != (ssize_t)sizeof(page) || fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

static const char *swap_device(struct worker *w)
{
	modprobe(w, "zram", "num_devices=1");
	if (!access("/dev/zram0", W_OK)) {
		char bytes[32];

		snprintf(bytes, sizeof(bytes), "%lu", SWAP_BYTES);
		if (!try_write("/sys/block/zram0/disksize", bytes))
			return "/dev/zram0";
	}
	modprobe(w, "brd", "rd_size=65536");
	if (!access("/dev/ram0", W_OK))
		return "/dev/ram0";
	return NULL;
}

static uint64_t device_bytes(const char *path)
{
	uint64_t bytes = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		bytes = 0;
	close(fd);
	return bytes < SWAP_BYTES ? bytes : SWAP_BYTES;
}

void work_swap(struct worker *w)
{
	const char *device = swap_device(w);
	struct span r;
	int err;

	if (!device)
		worker_skip(w, "neither zram nor a RAM disk to swap to");
	err = swap_header(device, device_bytes(device));
	if (err)
		worker_fail(w, "cannot write a swap header to %s: %s", device, strerror(-err));
	if (swapon(device, 0))
		worker_skip(w, "swapon %s: %s", device, strerror(errno));
	span_init(&r, w, map_anon(w, 2048, 0), 2048);
	while (worker_next(w)) {
		size_t first = rng_below(&w->rng, r.nr_pages - 512);

		span_write_some(&r, 192);
		if (madvise(r.at + first * PAGE_SIZE, 512 * PAGE_SIZE, MADV_PAGEOUT))
			worker_fail(w, "MADV_PAGEOUT: %s", strerror(errno));
		/* Some come back at once, through the swap cache; the rest at the check. */
		span_check(&r, first, 64);
		usleep(rng_below(&w->rng, 20000));
		if (rng_below(&w->rng, 4) == 0)
			span_check_all(&r);
	}
	span_check_all(&r);
	if (swapoff(device))
		worker_fail(w, "swapoff %s: %s", device, strerror(errno));
	span_check_all(&r);
	span_free(&r);
}

#define HUGE_POOL	8

static void huge_pool(int node, unsigned int nr)
{
	char path[128], text[16];

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages", node);
	snprintf(text, sizeof(text), "%u", nr);
	try_write(path, text);
}

static void hugetlb_round(struct worker *w)
{
	size_t nr = (1 + rng_below(&w->rng, 4)) * HUGE_PAGES;
	struct span r;
	void *at = mmap(NULL, nr * PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	/* The pool may be smaller than asked for, and memory too scattered to grow it. */
	if (at == MAP_FAILED)
		return;
	/*
	 * Reserved is not had: newer kernels pass over free hugetlb pages in a
	 * memory block that is going offline, and a fault then ends in SIGBUS.
	 */
	if (madvise(at, nr * PAGE_SIZE, MADV_POPULATE_WRITE)) {
		munmap(at, nr * PAGE_SIZE);
		return;
	}
	span_init(&r, w, at, nr);
	for (int i = 0; i < 4; i++) {
		span_write_some(&r, 64);
		usleep(rng_below(&w->rng, 20000));
		span_check_all(&r);
	}
	span_free(&r);
}

void work_hugetlb(struct worker *w)
{
	if (access("/sys/devices/system/node/node0/hugepages/hugepages-2048kB", F_OK))
		worker_skip(w, "the kernel has no 2 MiB hugetlb pages");
	while (worker_next(w)) {
		for (int node = 0; node < 2; node++) {
			if (rng_below(&w->rng, 4) == 0)
				huge_pool(node, 2 + (unsigned int)rng_below(&w->rng, HUGE_POOL));
		}
		hugetlb_round(w);
	}
	for (int node = 0; node < 2; node++)
		huge_pool(node, 0);
}

/* Where the cgroup v2 hierarchy is, mounted here if nobody else did. */
static void cgroup_root(struct worker *w, char *dir, size_t len)
{
	char line[512], where[256];
	FILE *mounts = fopen("/proc/self/mounts", "re");
	bool found = false;

	while (mounts && !found && fgets(line, sizeof(line), mounts)) {
		char kind[64];

		found = sscanf(line, "%*s %255s %63s", where, kind) == 2 && !strcmp(kind, "cgroup2");
	}
	if (mounts)
		fclose(mounts);
	if (!found) {
		snprintf(where, sizeof(where), "/tmp/mpp-stress.cgroup");
		mkdir(where, 0700);
		if (mount("cgroup2", where, "cgroup2", 0, NULL))
			worker_skip(w, "cgroup v2 cannot be mounted: %s", strerror(errno));
	}
	snprintf(dir, len, "%s", where);
}

static void cgroup_write(struct worker *w, const char *root, const char *file, const char *text)
{
	char path[384];
	int err;

	snprintf(path, sizeof(path), "%s/%s", root, file);
	err = try_write(path, text);
	/* A process that is being migrated by a cpuset change may make the next one wait. */
	if (err && err != -EBUSY && err != -EINTR)
		worker_fail(w, "writing %s to %s: %s", text, path, strerror(-err));
}

void work_cgroup(struct worker *w)
{
	static const char *const mems[] = { "0", "1", "0-1" };
	static const char *const procs[] = { "mpp-a/cgroup.procs", "mpp-b/cgroup.procs",
					     "cgroup.procs" };
	char root[256], path[320];
	struct span r;

	cgroup_root(w, root, sizeof(root));
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
	if (try_write(path, "+cpuset"))
		worker_skip(w, "cgroup v2 has no cpuset controller here");
	try_write(path, "+memory");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/mpp-%c", root, 'a' + i);
		if (mkdir(path, 0755) && errno != EEXIST)
			worker_fail(w, "cannot make %s: %s", path, strerror(errno));
	}
	span_init(&r, w, map_anon(w, 256, 0), 256);
	while (worker_next(w)) {
		cgroup_write(w, root, rng_below(&w->rng, 2) ? "mpp-a/cpuset.mems" :
			     "mpp-b/cpuset.mems", mems[rng_below(&w->rng, 3)]);
		cgroup_write(w, root, procs[rng_below(&w->rng, 3)], "0");
		span_write_some(&r, 48);
		span_check_all(&r);
	}
	cgroup_write(w, root, "cgroup.procs", "0");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/mpp-%c", root, 'a' + i);
		/* Fails while page cache of a child that just ended is uncharged; harmless. */
		rmdir(path);
	}
	span_check_all(&r);
	span_free(&r);
}

static void alarm_handler(int sig)
{
	(void)sig;
}

/*
 * Offlining goes on until it succeeds or a signal arrives.  Meanwhile nobody
 * else may look at a page by its address, the sweep included: be brief.
 */
static int block_offline(const char *path)
{
	/* Again and again: the first may come before the write. */
	const struct timeval after = { .tv_usec = 900000 };
	const struct itimerval limit = { after, after }, off = { 0 };
	int err;

	setitimer(ITIMER_REAL, &limit, NULL);
	err = try_write(path, "offline");
	setitimer(ITIMER_REAL, &off, NULL);
	return err;
}

static void block_path(char *path, size_t len, size_t block)
{
	snprintf(path, len, "/sys/devices/system/memory/memory%zu/state", block);
}

/* Off and on again as movable, so that huge pages go there next. */
static int block_cycle(size_t block)
{
	char path[128];
	int err;

	block_path(path, sizeof(path), block);
	err = block_offline(path);
	return err ?: try_write(path, "online_movable");
}

#define PROBE_HUGE	4

/* With huge pages in the block; they go there once it is the node's movable memory. */
static bool miscounts_block(const struct machine *m, struct klog *log, size_t block)
{
	struct worker_state state = { 0 };
	struct worker w = { .name = "probe", .state = &state };
	size_t nr = PROBE_HUGE * HUGE_PAGES;
	unsigned char *at = map_aligned(&w, nr, HUGE_SIZE);
	long long anon = 0, file = 0;
	int err = -EINTR;

	bind_range(at, nr * PAGE_SIZE, m->block_node[block]);
	madvise(at, nr * PAGE_SIZE, MADV_HUGEPAGE);
	memset(at, 1, nr * PAGE_SIZE);
	/* A busy machine may need longer than is granted for one try. */
	for (int i = 0; i < 10 && err == -EINTR && phys_of(at) / m->block_bytes == block; i++)
		err = block_cycle(block);
	/* Also after a try that ended with half of it done. */
	isolated_read(log, &anon, &file);
	munmap(at, nr * PAGE_SIZE);
	return anon < 0;
}

/*
 * Whether this kernel miscounts isolated pages by itself: Linux 6.1 counts a
 * huge page that is moved out of a memory block as one page when it isolates
 * it, and as 512 when it is done.  Asked while nothing else runs.
 */
bool offline_miscounts(const struct machine *m, struct klog *log)
{
	struct sigaction act = { .sa_handler = alarm_handler }, old;
	bool found = false;
	size_t block = m->nr_blocks;

	sigaction(SIGALRM, &act, &old);
	/* From the end: the kernel's own data lie mostly at the start. */
	while (block-- > 0) {
		if (m->block_node[block] < 0 || block_cycle(block))
			continue;
		found = miscounts_block(m, log, block);
		break;
	}
	sigaction(SIGALRM, &old, NULL);
	return found;
}

void work_offline(struct worker *w)
{
	struct sigaction act = { .sa_handler = alarm_handler };
	struct machine m;
	char path[128], state[32];
	uint64_t offlined = 0;

	if (machine_read(&m) || !m.nr_blocks)
		worker_skip(w, "the kernel has no memory hotplug");
	sigaction(SIGALRM, &act, NULL);
	while (worker_next(w)) {
		size_t block = rng_below(&w->rng, m.nr_blocks);

		if (m.block_node[block] < 0)
			continue;
		usleep(200000 + rng_below(&w->rng, 1000000));
		block_path(path, sizeof(path), block);
		if (file_read_text(path, state, sizeof(state)) || strncmp(state, "online", 6))
			continue;
		/* Blocks with the kernel's own data refuse, and that is fine. */
		if (block_offline(path))
			continue;
		offlined++;
		usleep(rng_below(&w->rng, 300000));
		if (try_write(path, "online_movable") && try_write(path, "online"))
			worker_fail(w, "memory block %zu cannot be brought back online", block);
	}
	atomic_store(&w->state->checked, offlined);
	machine_free(&m);
}
