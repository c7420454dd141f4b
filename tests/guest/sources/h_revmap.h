/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the revmap door share. */
#ifndef MPP_TESTS_REVMAP_H
#define MPP_TESTS_REVMAP_H

#include "h_command.h"

/* The addresses of the first @nr pages of a region, a blank before each, as words of a command. */
void region_list(const struct region *r, size_t nr, char *text, size_t room);
/* Moves the first @nr pages of a region through that door; @options for the command. */
struct output revmap(const struct region *r, size_t nr, int node, const char *options);
/* For spawn(): maps the region (the argument) as well. */
void revmap_share(struct child *me, void *region);
/* For spawn(): holds one page, filled by the tag (the argument); tells where it is. */
void revmap_hold(struct child *me, void *tag);
/* Puts a process into a cgroup whose cpuset has the slow node only. */
void revmap_confine(pid_t pid);

#endif /* MPP_TESTS_REVMAP_H */
