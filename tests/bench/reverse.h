/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPP_BENCH_REVERSE_H
#define MPP_BENCH_REVERSE_H

#include "bench.h"

/* Neither looks at job->va or job->pid before it has found them out itself. */
extern const struct way way_reverse_plain;
extern const struct way way_reverse_bulk;

#endif
