/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPP_BENCH_REVERSE_H
#define MPP_BENCH_REVERSE_H

#include "bench.h"

/* None looks at job->va or job->pid before it has found them out itself. */
extern const struct way way_reverse_plain;
extern const struct way way_reverse_scan;
extern const struct way way_reverse_query;

/* What the bulk ones hold in memory to look for so many pages. */
size_t reverse_bytes(unsigned long nr_pages);

#endif
