// SPDX-License-Identifier: GPL-2.0-only
/*
 * mpp-stamps: on the host, what the guest's processor wrote, as a device has it.
 *
 *	mpp-stamps SERIAL FILE
 *
 * FILE is what is behind an emulated device; prints a line for each stamp in it:
 * the physical address at which it was written, SERIAL, its place in FILE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stamp.h"

int main(int argc, char **argv)
{
	const char *bytes;
	struct stat info;
	off_t at = 0;
	int fd;

	if (argc != 3) {
		fputs("usage: mpp-stamps SERIAL FILE\n", stderr);
		return 2;
	}
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &info)) {
		perror(argv[2]);
		return 2;
	}
	bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		perror(argv[2]);
		return 2;
	}
	while (at + (off_t)STAMP_BYTES <= info.st_size) {
		/* The guest writes to a few megabytes; the rest of the file is a hole. */
		off_t data = lseek(fd, at, SEEK_DATA);
		off_t hole = data < 0 ? data : lseek(fd, data, SEEK_HOLE);

		if (data < 0 || hole < 0)
			break;
		for (at = data - data % STAMP_BYTES; at < hole; at += STAMP_BYTES) {
			const struct stamp *stamp = (const void *)(bytes + at);

			if (stamp_is_whole(stamp))
				printf("0x%" PRIx64 " %s 0x%" PRIx64 "\n", stamp->address,
				       argv[1], (uint64_t)at);
		}
	}
	return 0;
}
