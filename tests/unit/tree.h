/* SPDX-License-Identifier: GPL-2.0-only */
/* A throw-away directory tree that stands for /proc, /sys and /dev. */
#ifndef MOVEPHYS_TREE_H
#define MOVEPHYS_TREE_H

#include <stddef.h>
#include <stdint.h>

/* Makes an empty tree; the path is static. */
const char *tree_make(void);
/* The path of @name in the tree; static, for one use at a time. */
const char *tree_path(const char *name);
/* Writes a file, with the directories that it needs. */
void tree_write(const char *name, const char *text);
void tree_write_at(const char *name, uint64_t offset, const void *data, size_t len);
void tree_link(const char *name, const char *target);
/*
 * Makes what a recording holds: lines "L PATH TARGET" for a link, "F PATH TEXT" for
 * a file, "X PATH BYTES" for the next bytes of one, in hexadecimal.
 */
void tree_replay(const char *recording);
void tree_remove(void);

#endif /* MOVEPHYS_TREE_H */
