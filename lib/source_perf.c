// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory accesses sampled by the kernel's perf events: one ring buffer for each CPU,
 * looked at in turn.
 */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "perf.h"

#define RING_BYTES	(512u << 10)

/*
 * How often the rings are looked at.  Cheaper than an interrupt per wake-up, and a
 * ring of the default size takes 500,000 samples a second between two looks.
 */
#define TICK_MS		20
#define HOTPLUG_NS	UINT64_C(1000000000)

struct perf_source {
	struct mpp_source base;
	struct mpp_perf_sampling how;
	struct mpp_cpus wanted;
	struct mpp_perf_event events[MPP_PERF_EVENTS_MAX];
	int nr_events;
	int pidfd;
	bool ending;		/* only what is in the rings is still to come */
	uint64_t end_ns;	/* 0 for none */
	uint64_t hotplug_ns;	/* of the last look */
	struct mpp_cpus online;
	struct mpp_perf_cpu *cpus;
	size_t nr_cpus, next;	/* @next: the ring to look at first */
	uint32_t nr_cpu_changes;
	struct mpp_perf_decoder decoder;
};

static struct perf_source *to_perf(struct mpp_source *src)
{
	return container_of(src, struct perf_source, base);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static const struct mpp_perf_event *event_of_cpu(const struct perf_source *perf, unsigned int cpu)
{
	for (int i = 0; i < perf->nr_events; i++)
		if (mpp_cpus_has(&perf->events[i].cpus, cpu))
			return &perf->events[i];
	return NULL;
}

/* 0 also where there is nothing to sample on this CPU. */
static int add_cpu(struct perf_source *perf, unsigned int nr)
{
	struct mpp_perf_cpu cpu = { .nr = nr, .event = event_of_cpu(perf, nr) };
	struct mpp_perf_cpu *cpus;
	int err;

	if (!cpu.event)
		return 0;
	cpus = reallocarray(perf->cpus, perf->nr_cpus + 1, sizeof(*cpus));
	if (!cpus)
		return -ENOMEM;
	perf->cpus = cpus;
	err = mpp_perf_cpu_open(&perf->how, &cpu);
	if (!err)
		cpus[perf->nr_cpus++] = cpu;
	/* It may have gone offline since we looked. */
	return err == -ENODEV ? 0 : err;
}

static int read_online(const struct perf_source *perf, struct mpp_cpus *online)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/devices/system/cpu/online", perf->how.roots->sys);
	return mpp_cpus_read(path, online);
}

static int open_cpus(struct perf_source *perf)
{
	int err = read_online(perf, &perf->online);

	for (unsigned int nr = 0; nr < MPP_CPUS_MAX && !err; nr++)
		if (mpp_cpus_has(&perf->online, nr) && mpp_cpus_has(&perf->wanted, nr))
			err = add_cpu(perf, nr);
	if (!err && !perf->nr_cpus)
		err = -ENODEV;
	perf->hotplug_ns = now_ns();
	return err;
}

/* ---- Reading ---- */

static size_t drain(struct perf_source *perf, size_t nr_max, struct mpp_record *records)
{
	size_t nr = 0;

	for (size_t i = 0; i < perf->nr_cpus && nr < nr_max; i++) {
		if (perf->next >= perf->nr_cpus)
			perf->next = 0;
		nr += mpp_perf_cpu_read(&perf->cpus[perf->next], &perf->decoder, nr_max - nr,
					records + nr);
		/* A busy CPU does not keep the others from being read. */
		if (nr < nr_max)
			perf->next++;
	}
	if (nr == nr_max)
		perf->next++;
	return nr;
}

/* Leaves CPUs that went offline, once their rings are empty, and takes those that came. */
static int follow_hotplug(struct perf_source *perf)
{
	struct mpp_cpus online;
	int err = read_online(perf, &online);

	perf->hotplug_ns = now_ns();
	if (err || !memcmp(&online, &perf->online, sizeof(online)))
		return 0;
	for (size_t i = perf->nr_cpus; i-- > 0;) {
		if (mpp_cpus_has(&online, perf->cpus[i].nr))
			continue;
		if (mpp_perf_cpu_ready(&perf->cpus[i])) {
			/* As if it were still there, until the next look. */
			mpp_cpus_add(&online, perf->cpus[i].nr);
			continue;
		}
		perf->decoder.stats.nr_lost += mpp_perf_cpu_untold(&perf->cpus[i]);
		mpp_perf_cpu_close(&perf->how, &perf->cpus[i]);
		perf->cpus[i] = perf->cpus[--perf->nr_cpus];
		perf->nr_cpu_changes++;
	}
	for (unsigned int nr = 0; nr < MPP_CPUS_MAX && !err; nr++) {
		if (!mpp_cpus_has(&online, nr) || mpp_cpus_has(&perf->online, nr) ||
		    !mpp_cpus_has(&perf->wanted, nr))
			continue;
		err = add_cpu(perf, nr);
		perf->nr_cpu_changes++;
	}
	perf->online = online;
	/* A process that ends is for the next look at its pidfd. */
	return err == -ESRCH ? 0 : err;
}

/* What is due by the clock, however busy the rings are. */
static int keep_time(struct perf_source *perf)
{
	const uint64_t now = now_ns();

	if (!perf->ending && perf->end_ns && now >= perf->end_ns) {
		/* Or what is still to come would never end. */
		for (size_t i = 0; i < perf->nr_cpus; i++)
			mpp_perf_cpu_stop(&perf->cpus[i]);
		perf->ending = true;
	}
	if (perf->ending || now - perf->hotplug_ns < HOTPLUG_NS)
		return 0;
	return follow_hotplug(perf);
}

/* Waits for the next look at the rings; 0, or what ends the read. */
static int wait_tick(struct perf_source *perf)
{
	const uint64_t now = now_ns();
	int timeout_ms = TICK_MS, result;

	if (perf->end_ns && perf->end_ns < now + TICK_MS * UINT64_C(1000000))
		timeout_ms = perf->end_ns > now ? (int)((perf->end_ns - now) / 1000000 + 1) : 0;
	result = mpp_source_wait(&perf->base, perf->pidfd, timeout_ms);
	if (result > 0)
		perf->ending = true;
	return result < 0 ? result : 0;
}

static int fail(struct perf_source *perf, int err)
{
	if (err != -EINTR && err != -ECANCELED)
		mpp_source_set_error(&perf->base, "sampling %s: %s", perf->events[0].name,
				     strerror(-err));
	return err;
}

static int perf_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records)
{
	struct perf_source *perf = to_perf(src);

	for (;;) {
		int err = keep_time(perf);
		const bool last = perf->ending;
		size_t nr;

		if (err)
			return fail(perf, err);
		nr = drain(perf, nr_max, records);
		if (nr || last)
			return (int)nr;
		err = wait_tick(perf);
		if (err)
			return fail(perf, err);
	}
}

static int perf_ready(struct mpp_source *src)
{
	struct perf_source *perf = to_perf(src);

	for (size_t i = 0; i < perf->nr_cpus; i++)
		if (mpp_perf_cpu_ready(&perf->cpus[i]))
			return 1;
	return perf->ending;
}

static void perf_free(struct mpp_source *src)
{
	struct perf_source *perf = to_perf(src);

	for (size_t i = 0; i < perf->nr_cpus; i++)
		mpp_perf_cpu_close(&perf->how, &perf->cpus[i]);
	free(perf->cpus);
	if (perf->pidfd >= 0)
		close(perf->pidfd);
	free(perf);
}

static const struct mpp_source_ops perf_ops = {
	.read = perf_read,
	.ready = perf_ready,
	.free = perf_free,
};

/* ---- Opening the source ---- */

static bool has_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return !syscall(SYS_capget, &header, data) &&
	       data[capability / 32].effective >> (capability % 32) & 1;
}

static int check_options(const struct mpp_roots *roots, struct mpp_perf_options *options,
			 const char **why)
{
	char path[PATH_MAX], text[32];

	*why = "an option has a value that makes no sense";
	if (options->pid < 0 || options->flags & ~(MPP_PERF_KERNEL | MPP_PERF_CACHED) ||
	    (options->rate && options->period) || options->period >> 63)
		return -EINVAL;
	if (!options->event)
		options->event = "auto";
	if (!options->ring_bytes)
		options->ring_bytes = RING_BYTES;
	if (options->ring_bytes & (options->ring_bytes - 1) || options->ring_bytes >> 30 ||
	    options->ring_bytes < (size_t)sysconf(_SC_PAGESIZE))
		return -EINVAL;
	if (options->period)
		return 0;
	if (!options->rate)
		options->rate = MPP_PERF_RATE;
	snprintf(path, sizeof(path), "%s/sys/kernel/perf_event_max_sample_rate", roots->proc);
	if (mpp_read_file(path, sizeof(text), text) > 0 &&
	    options->rate > strtoull(text, NULL, 10)) {
		*why = "the rate is above kernel.perf_event_max_sample_rate";
		return -EINVAL;
	}
	return 0;
}

static unsigned int first_cpu(const struct perf_source *perf)
{
	unsigned int cpu = 0;

	while (cpu < MPP_CPUS_MAX - 1 && !(mpp_cpus_has(&perf->online, cpu) &&
					   mpp_cpus_has(&perf->wanted, cpu)))
		cpu++;
	return cpu;
}

static int start(struct perf_source *perf, const char **why)
{
	struct mpp_perf_options *options = &perf->how.options;
	int err = check_options(perf->how.roots, options, why);

	if (err)
		return err;
	*why = "not a list of CPUs, such as 0-3,8";
	memset(&perf->wanted, 0xff, sizeof(perf->wanted));
	if (options->cpus && mpp_cpus_parse(options->cpus, &perf->wanted))
		return -EINVAL;
	err = mpp_perf_select(perf->how.roots, options->event, options->flags, why, perf->events);
	if (err < 0)
		return err;
	perf->nr_events = err;
	if (options->pid)
		perf->pidfd = (int)syscall(SYS_pidfd_open, options->pid, 0);
	err = options->pid && perf->pidfd < 0 ? -errno : open_cpus(perf);
	if (err == -ENOBUFS) {
		*why = "the buffers take more memory than this user may lock "
		       "(kernel.perf_event_mlock_kb, ulimit -l)";
		return -EPERM;
	}
	if (err == -EINVAL)
		*why = mpp_perf_cpu_explain(&perf->how, &perf->events[0], first_cpu(perf));
	else if (err)
		*why = mpp_perf_explain(perf->how.roots, err, has_capability(CAP_PERFMON) ||
					has_capability(CAP_SYS_ADMIN));
	/* The caller's, and of no use from here on. */
	options->event = options->cpus = NULL;
	if (!err && options->duration_ns)
		perf->end_ns = now_ns() + options->duration_ns;
	return err;
}

int mpp_perf_open_at(const struct mpp_roots *roots, const struct mpp_perf_options *options,
		     const char **why, struct mpp_source **src)
{
	struct perf_source *perf;
	const char *unused;
	int err = mpp_struct_check(options, options->size, sizeof(*options));

	if (!why)
		why = &unused;
	*why = "the options are of another version of the library";
	if (err)
		return err;
	perf = calloc(1, sizeof(*perf));
	if (!perf) {
		*why = "out of memory";
		return -ENOMEM;
	}
	mpp_source_init(&perf->base, &perf_ops);
	perf->how.roots = roots;
	perf->how.options = *options;
	perf->pidfd = -1;
	perf->decoder.flags = options->flags;
	perf->decoder.period = options->period;
	err = mpp_source_init_cancel(&perf->base);
	if (err)
		*why = strerrordesc_np(-err);
	else
		err = start(perf, why);
	if (err) {
		mpp_source_unref(&perf->base);
		return err;
	}
	*src = &perf->base;
	return 0;
}

int mpp_perf_stats(const struct mpp_source *src, struct mpp_perf_stats *stats)
{
	const struct perf_source *perf = (const void *)src;
	struct mpp_perf_stats now = { 0 };
	size_t size = stats->size;

	if (mpp_struct_check(stats, size, sizeof(*stats)))
		return -EINVAL;
	if (src->ops == &perf_ops) {
		now = perf->decoder.stats;
		now.nr_cpus = (uint32_t)perf->nr_cpus;
		now.nr_cpu_changes = perf->nr_cpu_changes;
		for (size_t i = 0; i < perf->nr_cpus; i++)
			now.nr_lost += mpp_perf_cpu_untold(&perf->cpus[i]);
	} else if (mpp_lines_parser(src) == mpp_perf_script_parse) {
		mpp_lines_counts(src, &now.nr_samples, &now.nr_no_address);
	} else {
		return -EINVAL;
	}
	now.size = size;
	*stats = now;
	return 0;
}

const char *mpp_perf_event_name(const struct mpp_source *src)
{
	const struct perf_source *perf = (const void *)src;

	return src->ops == &perf_ops ? perf->events[0].name : NULL;
}

int mpp_perf_open(const struct mpp_perf_options *options, const char **why,
		  struct mpp_source **src)
{
	return mpp_perf_open_at(&mpp_default_roots, options, why, src);
}
