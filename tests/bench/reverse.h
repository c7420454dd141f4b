/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPP_BENCH_REVERSE_H
#define MPP_BENCH_REVERSE_H

#include "bench.h"

/* None looks at job->va or job->pid before it has found them out itself. */
extern const struct way way_reverse_plain;
extern const struct way way_reverse_scan;
extern const struct way way_reverse_query;
extern const struct way way_reverse_cgroup;

/* Where cgroups are mounted, for the last. */
void reverse_use_cgroups(int root_fd);

#endif
