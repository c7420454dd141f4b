/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small disk for tests that need a real file system or swap: a loop device
 * over a file in memory.  It ends with the test.
 */
#ifndef MPP_TESTS_H_DISK_H
#define MPP_TESTS_H_DISK_H

struct disk_file {
	int fd;
	char path[128];
};

/* A new file on a new ext4; skips without ext4, a block device or mkfs.ext4. */
struct disk_file disk_file_new(void);
/* The same, and the device's name such as "/dev/loop0". */
struct disk_file disk_file_on(const char **device);

/*
 * Lets this device read ("rbps") or write ("wbps") so many bytes a second for
 * processes that have joined; skips when the kernel cannot.
 */
void slow_disk(const char *device, const char *what, unsigned int bytes_per_s);
void slow_disk_join(void);

/* Swap on such a disk; the runner switches it off after the test. */
void swap_on_disk(void);

#endif
