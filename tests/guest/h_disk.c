// SPDX-License-Identifier: GPL-2.0-only
#include "harness.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

#include <linux/kernel-page-flags.h>
#include <linux/loop.h>

#include "h_disk.h"
#include "harness_internal.h"

#define DISK_BYTES (64 << 20)

/* In ramfs, which is never swapped: a swap device must not need itself. */
static int backing_file(void)
{
	const char *dir = mount_at("ramfs", "none", "disk", NULL);
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/disk", dir);
	fd = MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	MUST(ftruncate(fd, DISK_BYTES));
	return fd;
}

/* It detaches itself when its last user, a mount or this process, lets it go. */
static const char *loop_device(void)
{
	struct loop_config config = {
		.block_size = 4096,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	static char path[32];
	int control, fd, number;

	if (!exists("/dev/loop-control"))
		run_program((const char *[]){ "modprobe", "loop", NULL });
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		SKIP("this kernel has no loop device");
	number = MUST(ioctl(control, LOOP_CTL_GET_FREE));
	close(control);
	snprintf(path, sizeof(path), "/dev/loop%d", number);
	config.fd = backing_file();
	fd = MUST(open(path, O_RDWR | O_CLOEXEC));
	MUST(ioctl(fd, LOOP_CONFIGURE, &config));
	/*
	 * Kept open: the device lives as long as this process, or the mount.  Only
	 * for reading: without CONFIG_BLK_DEV_WRITE_MOUNTED what somebody may write
	 * to cannot be mounted.
	 */
	MUST(open(path, O_RDONLY | O_CLOEXEC));
	close(fd);
	close(config.fd);
	return path;
}

/* mkfs.ext4 lies beside the tests when it was copied in, else where it is installed. */
static void make_ext4(const char *device)
{
	const char *const tools[] = { "./mkfs.ext4", "./mke2fs", "mkfs.ext4", "mke2fs" };

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		int status = run_program((const char *[]){ tools[i], "-q", "-F", "-t", "ext4", "-b",
							   "4096", device, NULL });

		if (status != 127) {
			CHECK(status == 0, "%s %s: exit status %d", tools[i], device, status);
			return;
		}
	}
	SKIP("there is no mkfs.ext4 in this guest (testbed/vm run --copy)");
}

struct disk_file disk_file_on(const char **device)
{
	struct disk_file f;

	*device = loop_device();
	make_ext4(*device);
	snprintf(f.path, sizeof(f.path), "%s/file", mount_at("ext4", *device, "ext4", NULL));
	f.fd = MUST(open(f.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	return f;
}

struct disk_file disk_file_new(void)
{
	const char *device;

	return disk_file_on(&device);
}

/* A group of the unified hierarchy whose I/O is throttled by the block layer. */
static const char *slow_group;

void slow_disk(const char *device, const char *what, unsigned int bytes_per_s)
{
	const char *root = mount_at("cgroup2", "none", "cgroup2", NULL);
	static char group[128];
	char path[160], limit[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
	if (try_write(path, "+memory +io") < 0)
		SKIP("this kernel has no io and memory controllers in cgroup v2");
	snprintf(group, sizeof(group), "%s/mpp-slow", root);
	if (mkdir(group, 0700) < 0 && errno != EEXIST)
		FAIL("mkdir %s: %s", group, strerror(errno));
	MUST(stat(device, &st));
	snprintf(path, sizeof(path), "%s/io.max", group);
	if (!exists("%s", path))
		SKIP("this kernel cannot throttle block devices (no io.max)");
	snprintf(limit, sizeof(limit), "%u:%u %s=%u", major(st.st_rdev), minor(st.st_rdev),
		 what, bytes_per_s);
	write_text(path, "%s", limit);
	slow_group = group;
}

void slow_disk_join(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/cgroup.procs", slow_group);
	write_text(path, "0");
}

/* What the writer and the test know of the page. */
enum { SLOW_PHYS, SLOW_NEW_PHYS, SLOW_NODE_KNOWN, SLOW_NODE };

/* The file is written to first in the slow group, which makes its writeback the group's. */
static void slow_writer(struct child *me, void *path)
{
	struct region r;
	int fd;

	slow_disk_join();
	fd = MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	r = region_file(fd, 1, slow_node(), 1, MAP_SHARED);
	me->shared[SLOW_PHYS] = region_phys(&r, 0);
	child_sync(me);
	MUST(fsync(fd));
	child_sync(me);
	if (me->shared[SLOW_NEW_PHYS])
		CHECK_EQ(region_phys(&r, 0), me->shared[SLOW_NEW_PHYS]);
	if (me->shared[SLOW_NODE_KNOWN])
		region_expect_node(&r, (int)me->shared[SLOW_NODE]);
	region_verify(&r);
}

bool under_writeback(uint64_t phys)
{
	return kpageflags(phys) >> KPF_WRITEBACK & 1;
}

uint64_t slow_writeback(struct child *writer, unsigned int bytes_per_s)
{
	const char *device;
	struct disk_file f = disk_file_on(&device);
	char path[160];
	uint64_t phys;

	snprintf(path, sizeof(path), "%s.slow", f.path);
	slow_disk(device, "wbps", bytes_per_s);
	*writer = spawn(slow_writer, path);
	wait_for(writer);
	phys = writer->shared[SLOW_PHYS];
	go_on(writer);
	for (int i = 0; i < 200 && !under_writeback(phys); i++)
		nap_ms(5);
	if (!under_writeback(phys))
		SKIP("the disk could not be made slow enough");
	return phys;
}

void slow_writeback_end(struct child *writer, int node, uint64_t phys)
{
	writer->shared[SLOW_NEW_PHYS] = phys;
	writer->shared[SLOW_NODE_KNOWN] = node >= 0;
	writer->shared[SLOW_NODE] = (uint64_t)node;
	wait_for(writer);
	go_on(writer);
	child_end(writer);
}

/* The header of a swap area, version 1. */
static void make_swap(const char *device)
{
	struct {
		char boot[1024];
		uint32_t version, last_page, nr_bad;
		unsigned char uuid[16], label[16];
	} head = { .version = 1, .last_page = DISK_BYTES / page_size() - 1 };
	int fd = MUST(open(device, O_RDWR | O_CLOEXEC));

	CHECK_EQ(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	CHECK_EQ(pwrite(fd, "SWAPSPACE2", 10, page_size() - 10), 10);
	MUST(fsync(fd));
	close(fd);
}

void swap_on_disk(void)
{
	const char *device = loop_device();

	make_swap(device);
	if (swapon(device, 0) < 0)
		SKIP("swapon %s: %s", device, strerror(errno));
	swap_off_later(device);
}
