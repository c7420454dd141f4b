/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmovephys: move the contents of pages, named by physical address, between
 * NUMA nodes.
 *
 * Conventions, for every call here:
 *  - Failure is a negative errno value; move_phys_pages() alone sets errno and
 *    returns -1, as a system call wrapper does.
 *  - Results come through the last arguments, which failure leaves untouched.
 *  - Handles are opaque, made with a reference count of one.  A context may be
 *    used by any number of threads at a time; a source by one at a time, except
 *    for mpp_source_cancel(), which any thread or signal handler may call.
 *  - Nothing is printed, and the library never ends the process.
 *  - Structures whose first member is `size` grow at their end: set it to
 *    sizeof(the structure) and the rest to zero.
 */
#ifndef MOVEPHYS_H
#define MOVEPHYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of a move; the same values as <linux/move_phys_pages.h>. */
#ifndef MPOL_MF_MOVE
#define MPOL_MF_MOVE		(1<<1)	/* only pages mapped by one process (the default) */
#endif
#ifndef MPOL_MF_MOVE_ALL
#define MPOL_MF_MOVE_ALL	(1<<2)	/* pages shared by several processes too */
#endif
#ifndef MPP_MF_UNMAPPED
#define MPP_MF_UNMAPPED		(1 << 16) /* page and swap cache that nobody maps too */
#define MPP_MF_IGNORE_MEMPOLICY	(1 << 17) /* do not ask MPOL_BIND; all else still decides */
#define MPP_MF_DRY_RUN		(1 << 18) /* run every check, move nothing */
#define MPP_MF_SYNC		(1 << 19) /* may wait for locked pages and writeback */
#define MPP_MF_RECLAIM		(1 << 20) /* may reclaim on the target to make room */
#define MPP_MF_NEW_PAGES	(1 << 21) /* new_pages is valid */
#endif

/*
 * The drop-in call, with the arguments of the proposed system call.
 *
 * Returns 0 when every page is on its target node, a positive number of pages
 * that are not (for a query, nodes == NULL: that have a negative status), or
 * -1 with errno set.  errno is ENOSYS when this kernel has neither the system
 * call nor the device; the other values are those of the kernel: EPERM,
 * EINVAL, EFAULT, EINTR.
 *
 * The door is opened at the first call and kept for the process and its
 * children; failing to open one is not remembered, so loading the module later
 * helps.  Any thread may call at any time.
 */
long move_phys_pages(unsigned long nr_pages, const uint64_t *pages, const int *nodes,
		     int *status, int flags, uint64_t *new_pages);

/* Doors: how the kernel is reached. */

enum mpp_door {
	MPP_DOOR_AUTO,		/* the system call, else the device */
	MPP_DOOR_SYSCALL,	/* a kernel that carries the patch series */
	MPP_DOOR_DEVICE,	/* /dev/move_phys_pages: the module is loaded */
	/*
	 * No help from the kernel: the pages are looked for in /proc/PID/pagemap of
	 * every process, in each call anew, and moved with move_pages(2).  Slow, never
	 * chosen by MPP_DOOR_AUTO, and not the same in all: see mpp_open(3).
	 */
	MPP_DOOR_REVMAP,
};

struct mpp_ctx;

/*
 * Opens a door.  -ENOSYS: this kernel has no such door (for MPP_DOOR_AUTO: none
 * at all); -EPERM: there is one, but the caller lacks CAP_SYS_ADMIN in the
 * initial user namespace; -ENODEV: what is at /dev/move_phys_pages is something
 * else; -EINVAL: no door has this number.
 */
int mpp_open(enum mpp_door door, struct mpp_ctx **ctx);
struct mpp_ctx *mpp_ref(struct mpp_ctx *ctx);
/* Drops a reference and closes the door with the last; always returns NULL. */
struct mpp_ctx *mpp_unref(struct mpp_ctx *ctx);

/* The door that MPP_DOOR_AUTO chose, and the name of a door ("device"). */
enum mpp_door mpp_ctx_door(const struct mpp_ctx *ctx);
const char *mpp_door_name(enum mpp_door door);

/* 0 when the door would open, else what mpp_open() would return. */
int mpp_door_probe(enum mpp_door door);

struct mpp_request {
	size_t size;		/* sizeof(struct mpp_request) */
	int flags;		/* MPOL_MF_*, MPP_MF_*; MPP_MF_NEW_PAGES is set for you */
	int reserved;		/* 0 */
	size_t nr_pages;	/* entries in each array, at most INT_MAX */
	const uint64_t *pages;	/* physical byte addresses, any byte of the page */
	const int *nodes;	/* target nodes; NULL only asks where the pages are */
	int *status;		/* receives node or negative errno, for each entry reached */
	uint64_t *new_pages;	/* NULL, or receives where the contents are now */
};

/*
 * One call to the kernel.  Returns the number of entries that are not on their
 * target node, or a negative errno when the call as a whole failed; after
 * -EINTR and -EFAULT the entries dealt with so far have their status.
 */
int mpp_move(struct mpp_ctx *ctx, const struct mpp_request *req);

/*
 * Asks on which node each page is; moves nothing.  Returns the number of
 * negative statuses, or a negative errno.
 */
int mpp_query(struct mpp_ctx *ctx, size_t nr_pages, const uint64_t *pages, int *status);

/* What a status means. */

enum mpp_status_kind {
	MPP_STATUS_OK,		/* the contents are on the node */
	MPP_STATUS_STALE,	/* no user's page is at this address (any more) */
	MPP_STATUS_UNMOVABLE,	/* a user's page of a kind that cannot be moved */
	MPP_STATUS_REFUSED,	/* could move, but a rule or a lack of room forbids it */
	MPP_STATUS_RETRY,	/* a later try may work */
};

enum mpp_status_kind mpp_status_kind(int status);
/* "ok" or the errno's name, such as "EBUSY"; "?" for one this call never gives. */
const char *mpp_status_name(int status);
/* One line that says what the status means for a page. */
const char *mpp_status_text(int status);

/* Sources: whatever yields physical addresses, one record type for all. */

enum mpp_source_id {
	MPP_SOURCE_TEXT = 1,	/* lines of text */
	MPP_SOURCE_PAGEMAP = 2,	/* /proc/PID/pagemap */
	MPP_SOURCE_PERF = 3,	/* sampled accesses */
	MPP_SOURCE_ZONEINFO = 4, /* /proc/zoneinfo: what memory there is */
	MPP_SOURCE_IDLE = 5,	/* /sys/kernel/mm/page_idle/bitmap */
	MPP_SOURCE_CXL = 6,	/* addresses of CXL devices, translated */
	MPP_SOURCE_DAMON = 7,	/* regions of a DAMON monitor */
};

/* The name of a source ("pagemap"); "?" for a number that is none. */
const char *mpp_source_name(uint32_t source);

struct mpp_record {
	uint64_t addr;		/* physical byte address */
	uint64_t size_bytes;	/* length of the range; 1 when only a page is named */
	double weight;		/* heat; 1 where the source has no measure of it */
	uint64_t time_ns;	/* CLOCK_MONOTONIC of the observation; 0 when unknown */
	uint32_t source;	/* enum mpp_source_id */
	uint32_t reserved;	/* 0 */
};

struct mpp_source;

struct mpp_source *mpp_source_ref(struct mpp_source *src);
/* Drops a reference and frees with the last; always returns NULL. */
struct mpp_source *mpp_source_unref(struct mpp_source *src);

/*
 * Fetches up to @nr_max records, waiting where the source waits.  Returns how
 * many were stored (0: there are no more), or a negative errno, with
 * mpp_source_error() telling the rest.  -ECANCELED after mpp_source_cancel();
 * -EINTR when a signal arrived.  A source says in its own text below which
 * errors may be followed by more records.
 */
int mpp_source_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records);

/*
 * 1 when mpp_source_read() would return at once, 0 when it would wait: the time
 * to act on what one has.
 */
int mpp_source_ready(struct mpp_source *src);

/* Makes the running and every later read of @src return -ECANCELED. */
void mpp_source_cancel(struct mpp_source *src);

/*
 * What the last failed read had to say, for a person: names the file and the
 * line.  Free of control characters.  Valid until the next call with @src.
 */
const char *mpp_source_error(const struct mpp_source *src);

/*
 * The virtual address of record @index of the last read.  -ENOTSUP: the source
 * has none; -ERANGE: there was no such record.
 */
int mpp_source_va(const struct mpp_source *src, size_t index, uint64_t *va);

/* Source: addresses as text. */

/*
 * One record per line, in columns: an address or range, then optionally its
 * weight, then optionally its time.  movephys-records(5) describes it in full.
 * An address or range is `0xADDR`, `0xSTART-0xEND` (END is the first byte after
 * it, as in /proc/PID/maps), `0xSTART+SIZE` (0x..., or decimal with an optional
 * k, M, G or T).  `#` starts a comment; blank lines are skipped.  A number
 * without 0x is refused, because nobody can tell an address from a frame
 * number; with MPP_TEXT_PFN all addresses and sizes count frames, and 0x is
 * optional.
 *
 * A read that meets a bad line returns -EBADMSG; the next one goes on behind it.
 * Opening a folder gives -EISDIR.
 * An address on a last line without a newline is bad: the line may be cut short.
 */
#define MPP_TEXT_PFN	(1u << 0)	/* frame numbers, not byte addresses */

int mpp_text_open(const char *path, unsigned int flags, struct mpp_source **src);
/* @fd stays the caller's; @name is what error texts call it. */
int mpp_text_open_fd(int fd, const char *name, unsigned int flags, struct mpp_source **src);

/*
 * Parses one address or range of @len bytes.  -EBADMSG when it is none, and
 * then *@why, unless NULL, says why in a few words (static text).
 */
int mpp_address_parse(const char *text, size_t len, unsigned int flags, const char **why,
		      struct mpp_record *record);

/* The same for the columns of a whole line: ADDRESS [WEIGHT [TIME]]. */
int mpp_record_parse(const char *text, size_t len, unsigned int flags, const char **why,
		     struct mpp_record *record);

#define MPP_RECORD_TEXT_MAX	96

/*
 * Writes @record as such a line, with the newline and a zero byte behind it, and
 * returns its length without the zero byte.  Columns that say nothing (weight 1,
 * time 0) are left out at the end of the line.  @text has room for
 * MPP_RECORD_TEXT_MAX bytes.
 */
size_t mpp_record_format(const struct mpp_record *record, char *text);

/* Source: the pages of a process, through /proc/PID/pagemap. */

#define MPP_PAGEMAP_PER_PAGE	(1u << 0)	/* one record per page: merge nothing */

struct mpp_pagemap_options {
	size_t size;		/* sizeof(struct mpp_pagemap_options) */
	pid_t pid;
	unsigned int flags;	/* MPP_PAGEMAP_* */
	uint64_t va_start;	/* only virtual addresses from here ... */
	uint64_t va_end;	/* ... to below here; 0 for no limit */
};

/*
 * Present pages only, in order of virtual address.  Pages that follow one
 * another both virtually and physically make one record, so a huge page is one.
 * A kernel thread or a zombie has none.
 * Opening or reading gives -ESRCH when the process is gone, and -EPERM when
 * the caller may not see frame numbers (CAP_SYS_ADMIN in the initial user
 * namespace, and permission to look into the process); both are final.
 */
int mpp_pagemap_open(const struct mpp_pagemap_options *options, struct mpp_source **src);

/* Source: the pages of several processes, or of those of a cgroup. */

struct mpp_pagemap_set_options {
	size_t size;		/* sizeof(struct mpp_pagemap_set_options) */
	unsigned int flags;	/* MPP_PAGEMAP_* */
	unsigned int reserved;	/* 0 */
	const pid_t *pids;	/* copied */
	size_t nr_pids;
	const char *cgroup;	/* NULL, or the folder of a cgroup, whose cgroup.procs adds to
				 * @pids; those of the cgroups below it too */
	uint64_t va_start;	/* as in struct mpp_pagemap_options */
	uint64_t va_end;
};

/*
 * One process after the other, each as mpp_pagemap_open() does; a page that several
 * of them map comes once for each.  -ESRCH and -EPERM concern one process, which
 * mpp_source_error() names, and the next read goes on with the next one.  Processes
 * that the cgroup gains later are not looked at.  Opening gives -ENOENT when there
 * is no such cgroup.
 */
int mpp_pagemap_set_open(const struct mpp_pagemap_set_options *options,
			 struct mpp_source **src);

/* Zones, and source: the ranges of physical addresses that hold memory. */

#define MPP_ZONE_NAME_MAX	16

struct mpp_zone {
	int node;
	char name[MPP_ZONE_NAME_MAX];	/* "Normal" */
	uint64_t start;			/* first byte address */
	uint64_t spanned_bytes;		/* with holes and what lies in other zones */
	uint64_t present_bytes;		/* without */
	uint64_t managed_bytes;		/* of these, what the page allocator has */
};

/* Stores up to @nr_max zones that span memory; returns how many there are, or -errno. */
int mpp_zones_read(size_t nr_max, struct mpp_zone *zones);

struct mpp_zoneinfo_options {
	size_t size;		/* sizeof(struct mpp_zoneinfo_options) */
	const int *nodes;	/* only these; copied */
	size_t nr_nodes;	/* 0: all */
};

/*
 * All online memory in order of address, a record for each stretch without a hole
 * in one zone: what /proc/zoneinfo, sysfs and /proc/iomem say together.  Where the
 * caller may not see the addresses in /proc/iomem, holes within a memory block
 * (128 MiB and up) are not known and are part of a record.
 */
int mpp_zoneinfo_open(const struct mpp_zoneinfo_options *options, struct mpp_source **src);

/* The zone of record @index of the last read; -ERANGE: there was no such record, -ENOTSUP:
 * this is no such source. */
int mpp_zoneinfo_zone(const struct mpp_source *src, size_t index, struct mpp_zone *zone);

/* Source: idle page tracking, /sys/kernel/mm/page_idle/bitmap. */

#define MPP_IDLE_ACCESSED	(1u << 0)	/* pages touched in the interval: weight 1 */
#define MPP_IDLE_IDLE		(1u << 1)	/* pages not touched in it: weight 0 */

struct mpp_idle_options {
	size_t size;		/* sizeof(struct mpp_idle_options) */
	unsigned int flags;	/* MPP_IDLE_*, at least one */
	unsigned int cpu_percent; /* 1 to 100: at most so much of one CPU; 0 as 100 */
	unsigned int sample;	/* look at one in @sample blocks of 2 MiB; 0 and 1: at all */
	unsigned int nr_rounds;	/* 0: until cancelled */
	uint64_t interval_ns;	/* between marking and reading */
	const int *nodes;	/* only these; copied */
	size_t nr_nodes;	/* 0: all */
	uint64_t seed;		/* of the sample; each round draws another */
};

/*
 * Marks all user pages idle, waits, and reads which still are.  A record is a page,
 * or all of a large folio: the kernel keeps one bit for it.  With both flags each
 * page on an LRU list comes in each round.  Pages that came into use after the
 * marking count as accessed; hugetlb, kernel memory and free pages do not come.
 * Holds no list of pages: memory is the same for any node.
 *
 * Opening gives -ENOENT when the kernel has no idle page tracking
 * (CONFIG_IDLE_PAGE_TRACKING), and -EPERM when the caller may not use it.
 */
int mpp_idle_open(const struct mpp_idle_options *options, struct mpp_source **src);

/*
 * 1 when this kernel's multi-generational LRU is on: under memory pressure it takes
 * accessed bits without telling idle page tracking, so that pages in use look idle.
 * 0 when not, or negative when it cannot be told.
 */
int mpp_idle_is_unreliable(void);

/* What kind of page a frame holds, from /proc/kpageflags. */

enum mpp_kind {
	MPP_KIND_ANON,		/* anonymous */
	MPP_KIND_ANON_LARGE,	/* anonymous, in a huge page or other large folio */
	MPP_KIND_KSM,		/* anonymous, merged */
	MPP_KIND_FILE,		/* page cache of files */
	MPP_KIND_SHMEM,		/* shared memory and tmpfs */
	MPP_KIND_CACHE_LARGE,	/* either of them, in a large folio */
	MPP_KIND_HUGETLB,
	MPP_KIND_FREE,
	MPP_KIND_SLAB,
	MPP_KIND_PGTABLE,
	MPP_KIND_ZERO,		/* the zero page */
	MPP_KIND_POISON,	/* has a hardware error */
	MPP_KIND_KERNEL,	/* other memory of the kernel, and pages on their way */
	MPP_KIND_NONE,		/* no memory, or offline */
	MPP_NR_KINDS,
};

/*
 * @flags: an entry of /proc/kpageflags.  Some kernels (Linux 6.12) set KPF_KSM for
 * every anonymous page; the library notices, and there never says MPP_KIND_KSM but
 * in this call, which goes by what it is given.
 */
enum mpp_kind mpp_kind_of(uint64_t flags);
/* "anon", "anon-large", ...; "?" for a number that is none. */
const char *mpp_kind_name(unsigned int kind);

struct mpp_kinds;

/* -EPERM when the caller may not read /proc/kpageflags, -ENOENT when there is none. */
int mpp_kinds_open(struct mpp_kinds **kinds);
/* Closes; always returns NULL. */
struct mpp_kinds *mpp_kinds_free(struct mpp_kinds *kinds);
/* The kind (enum mpp_kind) of each page; neighbours are looked up together. */
int mpp_kinds_read(struct mpp_kinds *kinds, size_t nr_pages, const uint64_t *pages,
		   unsigned char *kind);

/* Filter: a source that passes on a part of another. */

#define MPP_FILTER_MAPPED	(1u << 0)	/* go by mapped_min and mapped_max */

struct mpp_filter_options {
	size_t size;		/* sizeof(struct mpp_filter_options) */
	unsigned int flags;	/* MPP_FILTER_* */
	unsigned int reserved;	/* 0 */
	const int *nodes;	/* only on these nodes; copied */
	size_t nr_nodes;	/* 0: any */
	const struct mpp_record *ranges; /* only within these, by address; copied */
	size_t nr_ranges;	/* 0: any */
	uint64_t kinds;		/* a bit (1 << MPP_KIND_*) for each kind wanted; 0: any */
	uint64_t cgroup_ino;	/* only charged to the cgroup with this inode; 0: any */
	uint64_t mapped_min;	/* only frames mapped at least so often ... */
	uint64_t mapped_max;	/* ... and at most so often */
};

/*
 * Takes the caller's reference to @inner over when it succeeds.  A record of which
 * only parts pass is cut up; each part keeps weight, time and source.  Cheap checks
 * come first, and a file in /proc is read only for what got so far.  Reading gives
 * what @inner gives, and -EPERM when the caller may not read those files.
 */
int mpp_filter_open(struct mpp_source *inner, const struct mpp_filter_options *options,
		    struct mpp_source **src);
/* CXL memory: from a device's own addresses (DPA) to physical ones and back. */

#define MPP_CXL_NAME_MAX	32
#define MPP_CXL_WAYS_MAX	16

/* The machine's CXL memory, as it was when it was opened; any thread may ask. */
struct mpp_cxl;

struct mpp_cxl_device {
	size_t size;			/* sizeof(struct mpp_cxl_device) */
	char name[MPP_CXL_NAME_MAX];	/* "mem0" */
	char host[MPP_CXL_NAME_MAX];	/* its PCI function, "0000:0d:00.0" */
	uint64_t serial;
	uint64_t ram_bytes, pmem_bytes;
};

struct mpp_cxl_part {
	uint32_t device;		/* an index for mpp_cxl_get_device() */
	uint32_t reserved;
	uint64_t dpa;			/* its first address in the region */
};

struct mpp_cxl_region {
	size_t size;			/* sizeof(struct mpp_cxl_region) */
	char name[MPP_CXL_NAME_MAX];	/* "region0" */
	char window[MPP_CXL_NAME_MAX];	/* the root decoder it is in, "decoder0.0" */
	uint64_t start, size_bytes;	/* physical addresses */
	uint64_t cache_bytes;		/* at its start: ordinary memory that caches it */
	uint64_t part_bytes;		/* what each device contributes */
	uint32_t ways, granularity;	/* over all devices */
	uint32_t window_ways;		/* host bridges of the window */
	uint32_t nr_xor;		/* XOR maps that deal out to them; 0: by turns */
	uint32_t nr_parts;		/* as many as ways, once it is complete */
	uint32_t reserved;
	struct mpp_cxl_part parts[MPP_CXL_WAYS_MAX];	/* by position */
	char problem[128];		/* why its addresses cannot be translated; or "" */
};

/*
 * Reads the topology.  -ENOSYS: the library was built without libcxl; -ENODEV:
 * the kernel shows no CXL bus.  Windows that XOR are told by the firmware's table
 * (CEDT), which only root may read.
 */
int mpp_cxl_open(struct mpp_cxl **cxl);
struct mpp_cxl *mpp_cxl_ref(struct mpp_cxl *cxl);
/* Drops a reference and frees with the last; always returns NULL. */
struct mpp_cxl *mpp_cxl_unref(struct mpp_cxl *cxl);

/*
 * Copies what is known of device or region @index, counted from 0; its `size` is
 * set by the caller.  -ERANGE: there are not so many; -EINVAL: a bad `size`.
 */
int mpp_cxl_get_device(const struct mpp_cxl *cxl, size_t index, struct mpp_cxl_device *device);
int mpp_cxl_get_region(const struct mpp_cxl *cxl, size_t index, struct mpp_cxl_region *region);
/* The index of the device of this name (of @len bytes), or -ENODEV. */
int mpp_cxl_find_device(const struct mpp_cxl *cxl, const char *name, size_t len);

/*
 * Translate one address.  -ENXIO: it is in no region that can be translated, or
 * for a host address, in none at all; @device counts as in mpp_cxl_get_device().
 */
int mpp_cxl_to_hpa(const struct mpp_cxl *cxl, size_t device, uint64_t dpa, uint64_t *hpa);
int mpp_cxl_to_dpa(const struct mpp_cxl *cxl, uint64_t hpa, size_t *device, uint64_t *dpa);

/* Source: hot lists in the addresses of CXL devices. */

struct mpp_cxl_hot_options {
	size_t size;			/* sizeof(struct mpp_cxl_hot_options) */
	const struct mpp_cxl *cxl;	/* the source takes a reference of its own */
	/* How much an address without a size stands for: a power of two from 64; 0: 4096. */
	uint64_t unit_bytes;
};

/*
 * One entry per line: a device, then the columns of a record in the device's
 * addresses: `mem0 0x1000 5`, `mem1 0x200000+2M 0.5 1234.5`.  An address without a
 * size stands for the unit that it is in.  Yields the physical pages that hold
 * these bytes; where a unit is spread over several, each has its share of the
 * weight, by bytes.
 *
 * A line that cannot be read, names no device, or addresses that are in no region,
 * makes a read return -EBADMSG; the next one goes on behind it.
 */
int mpp_cxl_hot_open(const char *path, const struct mpp_cxl_hot_options *options,
		     struct mpp_source **src);
/* @fd stays the caller's; @name is what error texts call it. */
int mpp_cxl_hot_open_fd(int fd, const char *name, const struct mpp_cxl_hot_options *options,
			struct mpp_source **src);

/* Source: memory accesses sampled by the processor, through perf_event_open(2). */

#define MPP_PERF_KERNEL	(1u << 0)	/* keep accesses by the kernel itself */
#define MPP_PERF_CACHED	(1u << 1)	/* keep accesses that a cache answered */

struct mpp_perf_options {
	size_t size;		/* sizeof(struct mpp_perf_options) */
	/*
	 * What is sampled.  NULL or "auto": what this machine has, of "ibs" (AMD) and
	 * "pebs" (Intel); "faults": first touches of pages, on any machine;
	 * "PMU/TERM=VALUE,.../": any event of /sys/bus/event_source/devices.
	 */
	const char *event;
	const char *cpus;	/* "0-3,8"; NULL for all */
	pid_t pid;		/* this process and what it starts; 0 for whole CPUs */
	unsigned int flags;	/* MPP_PERF_* */
	uint64_t rate;		/* samples a second on each CPU; 0 for MPP_PERF_RATE */
	uint64_t period;	/* instead of a rate: every so many events; 0 for a rate */
	uint64_t duration_ns;	/* ends by itself after that; 0 for never */
	size_t ring_bytes;	/* buffer for each CPU, a power of two; 0 for 512 KiB */
};

#define MPP_PERF_RATE	2000

/*
 * Records name the byte that was accessed, weigh as many events as the sample
 * stands for, and have the time of the access.  They come CPU by CPU, so times of
 * one read are not in order.  Reading waits for samples, and ends with the
 * duration or with the process.  CPUs may go and come meanwhile.
 *
 * Opening fails with -ENODEV (this machine cannot), -EACCES or -EPERM (this caller
 * may not), -EINVAL (options), -ESRCH (no such process) and what
 * perf_event_open(2) tells; *@why, unless NULL, says it for a person (static text).
 */
int mpp_perf_open(const struct mpp_perf_options *options, const char **why,
		  struct mpp_source **src);

/*
 * Source: what `perf script -F ...,phys_addr` prints.  The physical address is the
 * last field, but for page sizes; a `time` is taken where there is one, and a
 * `period` between `time` and `event`.  Bad lines are as those of mpp_text_open().
 */
int mpp_perf_script_open(const char *path, struct mpp_source **src);
int mpp_perf_script_open_fd(int fd, const char *name, struct mpp_source **src);

struct mpp_perf_stats {
	size_t size;		/* sizeof(struct mpp_perf_stats), set by the caller */
	uint64_t nr_samples;	/* that became records */
	uint64_t nr_lost;	/* that the kernel had no room for */
	uint64_t nr_no_address;	/* without a physical address: left out */
	uint64_t nr_kernel;	/* accesses by the kernel: left out */
	uint64_t nr_cached;	/* answered by a cache: left out */
	uint64_t nr_throttled;	/* times the kernel stopped sampling to keep its limits */
	uint64_t nr_unknown;	/* entries of the buffer that mean nothing here */
	uint32_t nr_cpus;	/* sampled now */
	uint32_t nr_cpu_changes; /* CPUs that went or came */
};

/* What became of the samples up to now.  -EINVAL: @src is none of the two above. */
int mpp_perf_stats(const struct mpp_source *src, struct mpp_perf_stats *stats);
/* The event that is sampled, as mpp_perf_open() would take it; NULL for other sources. */
const char *mpp_perf_event_name(const struct mpp_source *src);

/* Ranking: from single observations to the pages that are worth a move. */

/*
 * Counts heat per page in bounded memory, over records of any source.  A record's
 * weight goes to the pages it covers in equal parts; a range stays one entry.
 *
 * When the table is full, a value is subtracted from all entries such that at
 * least half of them vanish (the scheme of Misra and Gries, in batches).  So no
 * page is ever ranked hotter than it was seen, and what an entry lacks is at most
 * 2 / capacity of all weight, with ranges weighed per page; how much it is at most
 * in fact is in the statistics, and 0 while everything fits.
 *
 * The same records in the same order give the same answer.  No input or output.
 */
struct mpp_rank;

struct mpp_rank_options {
	size_t size;		/* sizeof(struct mpp_rank_options) */
	size_t memory_bytes;	/* never more than that; 0 for 64 MiB, at least 64 KiB */
	uint64_t page_bytes;	/* granularity, a power of two; 0 for the base page */
	uint64_t half_life_ns;	/* heat halves in this time; 0: it does not fade */
};

int mpp_rank_open(const struct mpp_rank_options *options, struct mpp_rank **rank);
/* Frees it; always returns NULL. */
struct mpp_rank *mpp_rank_free(struct mpp_rank *rank);
/* Forgets all records. */
void mpp_rank_clear(struct mpp_rank *rank);

/*
 * Counts records and returns how many: less than @nr when the next one makes no sense,
 * with a range that is empty or ends beyond 64 bits, or a weight that is negative, no
 * number or above 1e200.  A time of 0 stands for that of the newest record so far.
 */
size_t mpp_rank_add(struct mpp_rank *rank, size_t nr, const struct mpp_record *records);

#define MPP_RANK_COLD	(1u << 0)	/* the coldest of the pages seen, not the hottest */

struct mpp_rank_query {
	size_t size;		/* sizeof(struct mpp_rank_query) */
	unsigned int flags;	/* MPP_RANK_* */
	uint32_t reserved;	/* 0 */
	uint64_t top_bytes;	/* no more than that; 0 for no limit */
	double min_heat;	/* only pages with at least that, as of the newest record */
};

/*
 * Chooses pages: by heat, of equals the lowest addresses first.  Neighbours among
 * them make one range.  Overlapping ranges add up.  -EINVAL: top_bytes is less than
 * a page.
 */
int mpp_rank_select(struct mpp_rank *rank, const struct mpp_rank_query *query);
/*
 * The chosen ranges, those with the most heat per page first (the least, when cold):
 * up to @nr_max; returns their number, 0 at the end.  The weight is that of all pages
 * together, the time that of the newest record.  Nothing after mpp_rank_add().
 */
size_t mpp_rank_read(struct mpp_rank *rank, size_t nr_max, struct mpp_record *records);

struct mpp_rank_stats {
	size_t size;		/* sizeof(struct mpp_rank_stats), set by the caller */
	size_t memory_bytes;	/* allocated, for good */
	uint64_t capacity;	/* entries: pages, or distinct ranges */
	uint64_t nr_entries;	/* in use */
	uint64_t nr_records;
	uint64_t nr_evicted;	/* entries that were dropped for room */
	double weight;		/* of all records, per page, faded */
	double max_error;	/* an entry's heat may be short by that much, never over */
	uint64_t newest_ns;	/* the time up to which heat has faded; 0: none seen */
};

int mpp_rank_stats(const struct mpp_rank *rank, struct mpp_rank_stats *stats);

/* Source: DAMON, the kernel's monitor of data accesses, on physical addresses. */

#define MPP_DAMON_ACCESSED	(1u << 0)	/* regions with accesses in the last interval */
#define MPP_DAMON_IDLE		(1u << 1)	/* regions without: weight 0 */
#define MPP_DAMON_START		(1u << 2)	/* run a monitor, and end it with the source */

struct mpp_damon_options {
	size_t size;		/* sizeof(struct mpp_damon_options) */
	unsigned int flags;	/* MPP_DAMON_*, at least one of the first two */
	unsigned int kdamond;	/* which one to read, as in sysfs; 0 with MPP_DAMON_START */
	unsigned int nr_snapshots; /* 0: until cancelled */
	unsigned int min_accesses; /* of those accessed, only from here on */
	uint64_t interval_ns;	/* between snapshots; with MPP_DAMON_START before the first, too */
	/* The rest is for MPP_DAMON_START.  0: as DAMON does by itself. */
	uint64_t sample_ns;	/* between two looks at a region */
	uint64_t aggregate_ns;	/* over which accesses are counted */
	unsigned int min_regions, max_regions;
	const int *nodes;	/* monitor the memory of these; copied */
	size_t nr_nodes;
	const struct mpp_record *ranges; /* or these, by address; copied */
	size_t nr_ranges;	/* with neither, all memory */
};

/*
 * Snapshots of the regions that a scheme of the monitor has looked at: the first
 * scheme whose action is "stat", else the first.  DAMON takes all pages of a region
 * to be accessed alike: the weight is the number of accesses it counted times the
 * number of pages.
 *
 * Opening gives -ENOENT when the kernel has no DAMON (CONFIG_DAMON_SYSFS), -EPERM
 * when the caller may not use it, -ENODEV when there is no such kdamond, -ESRCH when
 * it does not run, -ENOTSUP when it does not monitor physical addresses (or cannot),
 * -ENODATA when it has no scheme; with MPP_DAMON_START -EBUSY when somebody else has
 * set up kdamonds, which starting another one would remove.  Reading gives -ESRCH
 * when the monitor has ended.
 */
int mpp_damon_open(const struct mpp_damon_options *options, struct mpp_source **src);

struct mpp_damon_region {
	unsigned int nr_accesses;	/* in the last interval */
	unsigned int max_accesses;	/* as many as there could have been; 0: not known */
	uint64_t age;			/* for how many intervals it has been so */
};

/* Of record @index of the last read; -ERANGE: there was no such record, -ENOTSUP:
 * this is no such source. */
int mpp_damon_region(const struct mpp_source *src, size_t index,
		     struct mpp_damon_region *region);

/* Which node a physical address belongs to, by the machine's memory map. */

struct mpp_nodemap;

/*
 * Reads the map from sysfs and /proc/zoneinfo, once.  Needs no privilege on
 * most systems; -ENOENT when the kernel shows neither.
 */
int mpp_nodemap_open(struct mpp_nodemap **map);
/* Frees the map; always returns NULL. */
struct mpp_nodemap *mpp_nodemap_free(struct mpp_nodemap *map);
/* The node, or -ENXIO when no online memory is there. */
int mpp_nodemap_node(const struct mpp_nodemap *map, uint64_t addr);
/* The same, and up to which address it goes for at least. */
int mpp_nodemap_range(const struct mpp_nodemap *map, uint64_t addr, uint64_t *last);

#ifdef __cplusplus
}
#endif

#endif /* MOVEPHYS_H */
