/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small disk for tests that need a real file system or swap: a loop device
 * over a file in memory.  It ends with the test.
 */
#ifndef MPP_TESTS_H_DISK_H
#define MPP_TESTS_H_DISK_H

#include "harness.h"

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

/*
 * The physical address of a page of a file, on the slow node, that is under writeback
 * to such a disk; skips where that cannot be had.  The end waits for the writer, who
 * finds his data in the page: on this node and at this address, where they are known
 * (-1, 0: they are not).
 */
uint64_t slow_writeback(struct child *writer, unsigned int bytes_per_s);
void slow_writeback_end(struct child *writer, int node, uint64_t phys);
bool under_writeback(uint64_t phys);

/* Swap on such a disk; the runner switches it off after the test. */
void swap_on_disk(void);

#endif
