/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the perf source share; not installed. */
#ifndef MOVEPHYS_PERF_H
#define MOVEPHYS_PERF_H

#include "internal.h"

/* ---- CPU lists as the kernel writes them: "0-3,8" ---- */

#define MPP_CPUS_MAX	8192	/* the most that x86 kernels can be built for */

struct mpp_cpus {
	uint64_t bits[MPP_CPUS_MAX / 64];
};

/* -EINVAL when @text is no such list, or names a CPU beyond MPP_CPUS_MAX. */
int mpp_cpus_parse(const char *text, struct mpp_cpus *cpus);
int mpp_cpus_read(const char *path, struct mpp_cpus *cpus);

static inline bool mpp_cpus_has(const struct mpp_cpus *cpus, unsigned int cpu)
{
	return cpu < MPP_CPUS_MAX && cpus->bits[cpu / 64] >> (cpu % 64) & 1;
}

static inline void mpp_cpus_add(struct mpp_cpus *cpus, unsigned int cpu)
{
	cpus->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

/* ---- perf_event.c: which event to sample, from sysfs alone ---- */

#define MPP_PERF_NAME_MAX	192

/* One PMU's event, as perf_event_open(2) wants it. */
struct mpp_perf_event {
	char name[MPP_PERF_NAME_MAX];	/* "ibs_op/cnt_ctl=1,l3missonly=1/" */
	uint32_t type;
	uint64_t config[3];		/* config, config1, config2 */
	/* Intel's auxiliary event, which has to lead the group of the real one. */
	bool has_aux;
	uint64_t aux_config[3];
	unsigned int precise;		/* attr.precise_ip */
	bool can_exclude;		/* takes attr.exclude_kernel */
	bool has_data_src;		/* says which level of the memory hierarchy answered */
	struct mpp_cpus cpus;		/* where this PMU is; all for most */
};

#define MPP_PERF_EVENTS_MAX	2	/* the core types of a hybrid machine */

/*
 * Finds the events that @name ("auto", "ibs", "pebs", "faults", "PMU/TERMS/") stands
 * for; @flags are MPP_PERF_*.  Returns their number; -ENODEV when the machine has no
 * such PMU, -EINVAL when the name is none, and then *@why says it (static text).
 */
int mpp_perf_select(const struct mpp_roots *roots, const char *name, unsigned int flags,
		    const char **why, struct mpp_perf_event events[MPP_PERF_EVENTS_MAX]);

/*
 * Why opening an event failed with @err, as far as the trees under @roots tell;
 * static text.  @privileged: the caller has CAP_PERFMON or CAP_SYS_ADMIN.
 */
const char *mpp_perf_explain(const struct mpp_roots *roots, int err, bool privileged);

/* ---- perf_decode.c: from the bytes of a ring to records ---- */

/* Unread bytes of a ring buffer; the positions only grow, as in the kernel. */
struct mpp_perf_ring {
	const unsigned char *data;
	uint64_t size;			/* a power of two */
	uint64_t head, tail;		/* written up to, read up to */
};

struct mpp_perf_decoder {
	bool has_data_src;
	uint64_t period;		/* of each sample; 0: the sample says it */
	unsigned int flags;		/* MPP_PERF_* */
	struct mpp_perf_stats stats;
};

/*
 * The samples that mpp_perf_decode() understands.  With a fixed period they are not to
 * say it: asked for that, Linux makes a sample of each software event.
 */
uint64_t mpp_perf_sample_type(bool has_data_src, bool has_period);

/*
 * Takes records from @ring until it is empty or @nr_max are there; returns their
 * number.  What is left out is counted.
 */
size_t mpp_perf_decode(struct mpp_perf_decoder *decoder, struct mpp_perf_ring *ring,
		       size_t nr_max, struct mpp_record *records);

/* ---- perf_cpu.c: what samples one CPU ---- */

struct perf_event_mmap_page;

struct mpp_perf_sampling {
	const struct mpp_roots *roots;
	struct mpp_perf_options options;	/* with the defaults filled in */
};

struct mpp_perf_cpu {
	unsigned int nr;
	const struct mpp_perf_event *event;
	/* The rest is for mpp_perf_cpu_open(). */
	int *fds;		/* one, or one for each thread; leaders of groups too */
	size_t nr_fds;
	int ring_fd;		/* that of them which has the ring */
	struct perf_event_mmap_page *page;
	uint64_t nr_lost_told;	/* by records in the ring */
};

/* -ENOBUFS: more than this user may lock; the rest is perf_event_open(2)'s. */
int mpp_perf_cpu_open(const struct mpp_perf_sampling *how, struct mpp_perf_cpu *cpu);
void mpp_perf_cpu_close(const struct mpp_perf_sampling *how, struct mpp_perf_cpu *cpu);
/* No more samples; those in the ring are still to be read. */
void mpp_perf_cpu_stop(const struct mpp_perf_cpu *cpu);
/* As mpp_perf_decode(). */
size_t mpp_perf_cpu_read(struct mpp_perf_cpu *cpu, struct mpp_perf_decoder *decoder,
			 size_t nr_max, struct mpp_record *records);
bool mpp_perf_cpu_ready(const struct mpp_perf_cpu *cpu);
/*
 * The kernel tells losses in the ring, once there is room again.  This is what it has
 * not told yet.
 */
uint64_t mpp_perf_cpu_untold(const struct mpp_perf_cpu *cpu);
/* What the kernel's bare -EINVAL means, found out by trying; static text. */
const char *mpp_perf_cpu_explain(const struct mpp_perf_sampling *how,
				 const struct mpp_perf_event *event, unsigned int cpu);

/* ---- source_perf.c, perf_script.c ---- */

int mpp_perf_open_at(const struct mpp_roots *roots, const struct mpp_perf_options *options,
		     const char **why, struct mpp_source **src);

/*
 * One line of `perf script`: 0 and a record, 1 for a sample without an address, or
 * -EBADMSG and *@why.
 */
int mpp_perf_script_parse(const char *text, size_t len, unsigned int flags, const char **why,
			  struct mpp_record *record);

#endif /* MOVEPHYS_PERF_H */
