// SPDX-License-Identifier: GPL-2.0-only
/* mpp-stress: what sysfs, procfs and the kernel log say, and the module's reload. */
#include "stress.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

#define MODULE_NAME	"move_phys_pages"

int file_read_text(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, buf, len - 1);
	if (got < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	buf[got] = '\0';
	close(fd);
	return 0;
}

/* The end of the last range of memory that /proc/iomem lists. */
static uint64_t iomem_end(void)
{
	FILE *iomem = fopen("/proc/iomem", "re");
	uint64_t start, last, end = 0;
	char line[256];

	while (iomem && fgets(line, sizeof(line), iomem)) {
		if (strstr(line, "System RAM") &&
		    sscanf(line, " %lx-%lx", &start, &last) == 2 && last + 1 > end)
			end = last + 1;
	}
	if (iomem)
		fclose(iomem);
	return end;
}

/* Note the memory blocks of @node, and return how many it has. */
static int machine_add_node(struct machine *m, int node)
{
	char path[64];
	struct dirent *entry;
	size_t block;
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "memory%zu", &block) != 1 || block >= m->nr_blocks)
			continue;
		m->block_node[block] = (signed char)node;
		found++;
	}
	if (dir)
		closedir(dir);
	return found;
}

static int machine_read_blocks(struct machine *m)
{
	char text[32];

	if (file_read_text("/sys/devices/system/memory/block_size_bytes", text, sizeof(text)))
		return -ENOENT;
	m->block_bytes = strtoull(text, NULL, 16);
	if (!m->block_bytes)
		return -ENOENT;
	m->nr_blocks = m->end / m->block_bytes + 1;
	m->block_node = malloc(m->nr_blocks);
	if (!m->block_node)
		return -ENOMEM;
	memset(m->block_node, -1, m->nr_blocks);
	return 0;
}

static bool node_has_memory(int node)
{
	char path[64], line[128];
	unsigned long kb = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	info = fopen(path, "re");
	if (!info)
		return false;
	while (fgets(line, sizeof(line), info) && sscanf(line, "Node %*d MemTotal: %lu", &kb) != 1)
		;
	fclose(info);
	return kb > 0;
}

int machine_read(struct machine *m)
{
	*m = (struct machine){ .end = iomem_end() };
	if (!m->end)
		return -EACCES;
	machine_read_blocks(m);
	for (int node = 0; node < MAX_NODES; node++) {
		if (!node_has_memory(node))
			continue;
		m->nodes[m->nr_nodes++] = node;
		if (m->nr_blocks)
			machine_add_node(m, node);
	}
	return 0;
}

void machine_free(struct machine *m)
{
	free(m->block_node);
	*m = (struct machine){ 0 };
}

/* -1: not known. */
int machine_node_of(const struct machine *m, uint64_t addr)
{
	if (!m->nr_blocks || addr / m->block_bytes >= m->nr_blocks)
		return -1;
	return m->block_node[addr / m->block_bytes];
}

/* Only what is logged from here on. */
void klog_open(struct klog *log)
{
	*log = (struct klog){ .fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC) };
	if (log->fd >= 0)
		lseek(log->fd, 0, SEEK_END);
}

static bool klog_line_is_bad(struct klog *log, const char *text)
{
	static const char *const bad[] = {
		"WARNING:", "BUG:", "kernel BUG", "Oops", "general protection", "Call Trace",
		"Bad page", "Bad rss-counter", "list_add corruption", "list_del corruption",
		"blocked for more than", "soft lockup", "hard LOCKUP", "rcu: INFO",
		"Out of memory", "refcount_t", "nonzero pgtables", "vmstat_refresh:",
	};

	/* What these two mean is for isolated_settled() to say. */
	if (sscanf(text, "vmstat_refresh: nr_isolated_anon %lld", &log->anon) == 1 ||
	    sscanf(text, "vmstat_refresh: nr_isolated_file %lld", &log->file) == 1)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (strstr(text, bad[i]))
			return true;
	}
	return false;
}

/* 1 and the line in @why when the kernel complained. */
int klog_scan(struct klog *log, char *why, size_t len)
{
	char record[2048], *text;
	ssize_t got;

	while (log->fd >= 0) {
		got = read(log->fd, record, sizeof(record) - 1);
		if (got < 0 && errno == EPIPE)
			continue;	/* overwritten before it was read */
		if (got <= 0)
			break;
		record[got] = '\0';
		text = strchr(record, ';');
		if (text && klog_line_is_bad(log, text + 1)) {
			snprintf(why, len, "the kernel logged: %.*s", (int)strcspn(text + 1, "\n"),
				 text + 1);
			return 1;
		}
	}
	return 0;
}

/*
 * Pages that are isolated now.  The counters are per-CPU, hence the refresh;
 * /proc/vmstat shows a negative sum as zero, but the refresh logs it.
 */
int isolated_read(struct klog *log, long long *anon, long long *file)
{
	char why[256];
	int err;

	if (klog_scan(log, why, sizeof(why)))
		return -EIO;
	log->anon = 0;
	log->file = 0;
	err = try_write("/proc/sys/vm/stat_refresh", "1");
	if (err)
		return err;
	if (klog_scan(log, why, sizeof(why)))
		return -EIO;
	*anon = log->anon ?: vmstat("nr_isolated_anon");
	*file = log->file ?: vmstat("nr_isolated_file");
	return 0;
}

/* Of a kernel that counts a huge page as one when isolating and as 512 when done. */
static bool known_miscount(long long value)
{
	return value <= 0 && value % (long long)(HUGE_PAGES - 1) == 0;
}

/*
 * Counters of isolated pages must come back to zero.  Reclaim and compaction
 * isolate pages too, so what is not zero gets ten seconds.
 */
int isolated_settled(struct klog *log, bool miscounts, char *why, size_t len)
{
	long long anon = 0, file = 0;
	int err = 0;

	for (int i = 0; i < 100; i++) {
		err = isolated_read(log, &anon, &file);
		if (!err && anon == 0 && file == 0)
			return 0;
		if (!err && miscounts && known_miscount(anon) && known_miscount(file))
			return 0;
		usleep(100000);
	}
	if (err)
		snprintf(why, len, "/proc/sys/vm/stat_refresh: %s", strerror(-err));
	else
		snprintf(why, len, "isolated pages stay behind: nr_isolated_anon %lld, "
			 "nr_isolated_file %lld", anon, file);
	return -EIO;
}

int module_reload(const char *ko, char *why, size_t len)
{
	int fd;

	if (syscall(SYS_delete_module, MODULE_NAME, O_NONBLOCK)) {
		snprintf(why, len, "unloading the module: %s", strerror(errno));
		return -errno;
	}
	fd = open(ko, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(why, len, "cannot open %s: %s", ko, strerror(errno));
		return -errno;
	}
	if (syscall(SYS_finit_module, fd, "", 0)) {
		snprintf(why, len, "loading %s: %s", ko, strerror(errno));
		close(fd);
		return -EIO;
	}
	close(fd);
	for (int i = 0; i < 50; i++) {
		int door = door_open();

		if (door >= 0) {
			close(door);
			return 0;
		}
		usleep(100000);
	}
	snprintf(why, len, "the device did not appear after the module was loaded");
	return -ENODEV;
}
