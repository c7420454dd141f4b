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

/*
 * Counters of isolated pages must come back to zero.  They are per-CPU and
 * /proc/vmstat shows a negative sum as zero, hence the refresh, which fails
 * when a sum is negative.  Reclaim and compaction isolate pages too, so what
 * is not zero gets ten seconds.
 */
int isolated_settled(char *why, size_t len)
{
	long long anon = -1, file = -1;
	int err = 0;

	for (int i = 0; i < 100; i++) {
		err = try_write("/proc/sys/vm/stat_refresh", "1");
		anon = vmstat("nr_isolated_anon");
		file = vmstat("nr_isolated_file");
		if (!err && anon == 0 && file == 0)
			return 0;
		usleep(100000);
	}
	if (err)
		snprintf(why, len, "/proc/sys/vm/stat_refresh: %s (a counter is negative)",
			 strerror(-err));
	else
		snprintf(why, len, "isolated pages stay behind: nr_isolated_anon %lld, "
			 "nr_isolated_file %lld", anon, file);
	return -EIO;
}

/* Only what is logged from here on. */
int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* 1 and the line in @why when the kernel complained. */
int kmsg_scan(int fd, char *why, size_t len)
{
	static const char *const bad[] = {
		"WARNING:", "BUG:", "kernel BUG", "Oops", "general protection", "Call Trace",
		"Bad page", "Bad rss-counter", "list_add corruption", "list_del corruption",
		"blocked for more than", "soft lockup", "hard LOCKUP", "rcu: INFO",
		"Out of memory", "refcount_t", "nonzero pgtables", "stat_refresh",
	};
	char record[2048];
	ssize_t got;

	for (;;) {
		got = read(fd, record, sizeof(record) - 1);
		if (got < 0 && errno == EPIPE)
			continue;	/* overwritten before it was read */
		if (got <= 0)
			return 0;
		record[got] = '\0';
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			const char *text = strchr(record, ';');

			if (text && strstr(text, bad[i])) {
				snprintf(why, len, "the kernel logged: %.*s",
					 (int)strcspn(text + 1, "\n"), text + 1);
				return 1;
			}
		}
	}
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
