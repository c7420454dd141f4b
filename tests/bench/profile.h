/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the kernel spends a call: samples of this process in the kernel with their
 * call chains, each put down to the innermost function that has a phase.
 */
#ifndef MPP_BENCH_PROFILE_H
#define MPP_BENCH_PROFILE_H

enum phase {
	PHASE_COPY,
	PHASE_ZERO,
	PHASE_UNMAP,
	PHASE_REMAP,
	PHASE_DESTINATION,
	PHASE_FREE,
	PHASE_LRU,
	PHASE_CHECK,
	PHASE_FIND,
	PHASE_USER,
	PHASE_RECORD,
	PHASE_SET_UP,
	PHASE_MIGRATE,
	PHASE_OTHER,
	NR_PHASES
};

extern const char *const phase_names[NR_PHASES];

struct profile {
	unsigned long nr_samples[NR_PHASES], total;
	const char *others[16];		/* functions of PHASE_OTHER, for who extends the table */
	unsigned long nr_others;
};

/* Skips the test where there is no such profile to be had. */
void profile_start(void);
/* Adds what was sampled since; stops sampling. */
void profile_stop(struct profile *profile);

#endif
