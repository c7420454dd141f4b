/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the harness's own files; tests do not include this. */
#ifndef MPP_TESTS_HARNESS_INTERNAL_H
#define MPP_TESTS_HARNESS_INTERNAL_H

/* The runner writes value to path when the test has ended, however it ended. */
void restore_later(const char *path, const char *value);

/* The runner switches this swap device off when the test has ended. */
void swap_off_later(const char *device);

#endif
