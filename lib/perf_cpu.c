// SPDX-License-Identifier: LGPL-2.1-or-later
/* What samples one CPU: its events, and the ring buffer that they write to. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "perf.h"

static void fill_attr(const struct mpp_perf_sampling *how, const struct mpp_perf_event *event,
		      struct perf_event_attr *attr)
{
	*attr = (struct perf_event_attr) {
		.size = sizeof(*attr),
		.type = event->type,
		.config = event->config[0],
		.config1 = event->config[1],
		.config2 = event->config[2],
		.sample_type = mpp_perf_sample_type(event->has_data_src, !how->options.period),
		.read_format = PERF_FORMAT_LOST,
		.precise_ip = event->precise & 3,
		.exclude_kernel = event->can_exclude && !(how->options.flags & MPP_PERF_KERNEL),
		.inherit = how->options.pid > 0,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		/* Nobody sleeps on the rings: no wake-ups. */
		.watermark = 1,
		.wakeup_watermark = (uint32_t)how->options.ring_bytes,
	};
	if (how->options.period) {
		attr->sample_period = how->options.period;
	} else {
		attr->freq = 1;
		attr->sample_freq = how->options.rate;
	}
}

static int open_event(struct perf_event_attr *attr, pid_t tid, unsigned int cpu, int group_fd)
{
	long fd = syscall(SYS_perf_event_open, attr, tid, (int)cpu, group_fd,
			  PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static int keep_fd(struct mpp_perf_cpu *cpu, int fd)
{
	int *fds = reallocarray(cpu->fds, cpu->nr_fds + 1, sizeof(*fds));

	if (!fds) {
		close(fd);
		return -ENOMEM;
	}
	cpu->fds = fds;
	fds[cpu->nr_fds++] = fd;
	return 0;
}

static int map_ring(const struct mpp_perf_sampling *how, struct mpp_perf_cpu *cpu, int fd)
{
	size_t len = how->options.ring_bytes + (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return errno == EPERM ? -ENOBUFS : -errno;
	cpu->page = page;
	cpu->ring_fd = fd;
	return 0;
}

/* Samples @tid (-1: everything) on the CPU. */
static int open_on_cpu(const struct mpp_perf_sampling *how, struct mpp_perf_cpu *cpu, pid_t tid)
{
	const struct mpp_perf_event *event = cpu->event;
	struct perf_event_attr attr;
	int group_fd = -1, fd, err;

	fill_attr(how, event, &attr);
	if (event->has_aux) {
		/* Only counted: an auxiliary event that samples is refused. */
		struct perf_event_attr aux = {
			.size = sizeof(aux),
			.type = event->type,
			.config = event->aux_config[0],
			.config1 = event->aux_config[1],
			.config2 = event->aux_config[2],
			.exclude_kernel = attr.exclude_kernel,
			.inherit = attr.inherit,
		};

		group_fd = open_event(&aux, tid, cpu->nr, -1);
		if (group_fd < 0)
			return group_fd;
		err = keep_fd(cpu, group_fd);
		if (err)
			return err;
	}
	fd = open_event(&attr, tid, cpu->nr, group_fd);
	if (fd < 0)
		return fd;
	err = keep_fd(cpu, fd);
	if (err)
		return err;
	if (!cpu->page)
		return map_ring(how, cpu, fd);
	return ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, cpu->ring_fd) ? -errno : 0;
}

static int open_threads(const struct mpp_perf_sampling *how, struct mpp_perf_cpu *cpu)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int err = 0;

	snprintf(path, sizeof(path), "%s/%d/task", how->roots->proc, (int)how->options.pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && (entry = readdir(dir))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0)
			continue;
		err = open_on_cpu(how, cpu, tid);
		/* It has ended since. */
		if (err == -ESRCH)
			err = 0;
	}
	closedir(dir);
	return err ? err : cpu->page ? 0 : -ESRCH;
}

uint64_t mpp_perf_cpu_untold(const struct mpp_perf_cpu *cpu)
{
	uint64_t counts[2];	/* of PERF_FORMAT_LOST: events, losses */

	if (cpu->ring_fd < 0 || read(cpu->ring_fd, counts, sizeof(counts)) != sizeof(counts))
		return 0;
	return counts[1] > cpu->nr_lost_told ? counts[1] - cpu->nr_lost_told : 0;
}

int mpp_perf_cpu_open(const struct mpp_perf_sampling *how, struct mpp_perf_cpu *cpu)
{
	int err;

	cpu->fds = NULL;
	cpu->nr_fds = 0;
	cpu->ring_fd = -1;
	cpu->page = NULL;
	cpu->nr_lost_told = 0;
	err = how->options.pid ? open_threads(how, cpu) : open_on_cpu(how, cpu, -1);
	if (err)
		mpp_perf_cpu_close(how, cpu);
	return err;
}

void mpp_perf_cpu_close(const struct mpp_perf_sampling *how, struct mpp_perf_cpu *cpu)
{
	if (cpu->page)
		munmap(cpu->page, how->options.ring_bytes + (size_t)sysconf(_SC_PAGESIZE));
	for (size_t i = 0; i < cpu->nr_fds; i++)
		close(cpu->fds[i]);
	free(cpu->fds);
}

void mpp_perf_cpu_stop(const struct mpp_perf_cpu *cpu)
{
	for (size_t i = 0; i < cpu->nr_fds; i++)
		ioctl(cpu->fds[i], PERF_EVENT_IOC_DISABLE, 0);
}

size_t mpp_perf_cpu_read(struct mpp_perf_cpu *cpu, struct mpp_perf_decoder *decoder,
			 size_t nr_max, struct mpp_record *records)
{
	const uint64_t nr_lost = decoder->stats.nr_lost;
	struct mpp_perf_ring ring = {
		.data = (const unsigned char *)cpu->page + cpu->page->data_offset,
		.size = cpu->page->data_size,
		/* Pairs with the kernel's barrier between the records and the head. */
		.head = __atomic_load_n(&cpu->page->data_head, __ATOMIC_ACQUIRE),
		.tail = cpu->page->data_tail,
	};
	size_t nr;

	decoder->has_data_src = cpu->event->has_data_src;
	nr = mpp_perf_decode(decoder, &ring, nr_max, records);
	/* The kernel may write there as soon as it sees this. */
	__atomic_store_n(&cpu->page->data_tail, ring.tail, __ATOMIC_RELEASE);
	cpu->nr_lost_told += decoder->stats.nr_lost - nr_lost;
	return nr;
}

bool mpp_perf_cpu_ready(const struct mpp_perf_cpu *cpu)
{
	return __atomic_load_n(&cpu->page->data_head, __ATOMIC_ACQUIRE) != cpu->page->data_tail;
}

const char *mpp_perf_cpu_explain(const struct mpp_perf_sampling *how,
				 const struct mpp_perf_event *event, unsigned int cpu)
{
	struct perf_event_attr attr;
	int fd;

	fill_attr(how, event, &attr);
	attr.sample_type &= ~(uint64_t)PERF_SAMPLE_PHYS_ADDR;
	fd = open_event(&attr, how->options.pid ? how->options.pid : -1, cpu, -1);
	if (fd < 0)
		return "the kernel refuses this event with these options";
	close(fd);
	return "this kernel gives no physical addresses with samples (before Linux 4.14)";
}
