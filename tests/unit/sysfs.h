/* SPDX-License-Identifier: GPL-2.0-only */
/* The recorded tree in place of /sys and /dev, for a library that knows no other. */
#ifndef MOVEPHYS_TEST_SYSFS_H
#define MOVEPHYS_TEST_SYSFS_H

#include <stdbool.h>

/* While this is set, what libcxl opens there is the tree's. */
extern bool sysfs_recorded;

#endif /* MOVEPHYS_TEST_SYSFS_H */
