/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library's own files share, and the unit tests reach; not installed. */
#ifndef MOVEPHYS_INTERNAL_H
#define MOVEPHYS_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <movephys.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Where the kernel shows itself; tests point these at recorded trees. */
struct mpp_roots {
	const char *proc;	/* "/proc" */
	const char *sys;	/* "/sys" */
	const char *device;	/* "/dev/move_phys_pages" */
};

extern const struct mpp_roots mpp_default_roots;

struct mpp_ctx;

/* One door: a way to reach the kernel (or, one day, to do without it). */
struct mpp_door_ops {
	enum mpp_door id;
	const char *name;
	bool opt_in;		/* never chosen by MPP_DOOR_AUTO */
	/* -ENOSYS when this kernel has no such door. */
	int (*open)(struct mpp_ctx *ctx, const struct mpp_roots *roots);
	void (*close)(struct mpp_ctx *ctx);
	/* @flags is complete; the other answers are mpp_move()'s. */
	int (*move)(struct mpp_ctx *ctx, const struct mpp_request *req, int flags);
};

struct mpp_ctx {
	atomic_int refs;
	const struct mpp_door_ops *door;
	union {
		int fd;
		long syscall_nr;
		const struct mpp_roots *roots;
	};
	struct mpp_ctx *abandoned_next;	/* dropin.c's list of contexts it gave up */
};

extern const struct mpp_door_ops mpp_door_syscall;
extern const struct mpp_door_ops mpp_door_device;
extern const struct mpp_door_ops mpp_door_revmap;

int mpp_open_at(enum mpp_door door, const struct mpp_roots *roots, struct mpp_ctx **ctx);

/*
 * 0 when a caller's structure of @size bytes can be read as one of @known: not
 * smaller, and nothing set beyond what is known.
 */
int mpp_struct_check(const void *object, size_t size, size_t known);

#define MPP_ERROR_TEXT_MAX	256

struct mpp_source_ops {
	int (*read)(struct mpp_source *src, size_t nr_max, struct mpp_record *records);
	int (*ready)(struct mpp_source *src);				/* NULL: always */
	int (*va)(const struct mpp_source *src, size_t index, uint64_t *va);	/* NULL: has none */
	void (*free)(struct mpp_source *src);
};

/* Embedded at the start of each source. */
struct mpp_source {
	atomic_int refs;
	atomic_bool cancelled;
	int cancel_fd;		/* readable once cancelled, to wake a wait; -1 for none */
	const struct mpp_source_ops *ops;
	struct mpp_source *inner;	/* NULL, or whom a cancel concerns too */
	char error[MPP_ERROR_TEXT_MAX];
};

void mpp_source_init(struct mpp_source *src, const struct mpp_source_ops *ops);
/* For sources that wait: without it mpp_source_cancel() does not wake mpp_source_wait(). */
int mpp_source_init_cancel(struct mpp_source *src);
/*
 * Waits until @fd is readable (-1: for nothing), at most @timeout_ms (-1: without
 * end).  1: it is readable; 0: the time is up; -ECANCELED; -EINTR and other errors.
 */
int mpp_source_wait(struct mpp_source *src, int fd, int timeout_ms);
bool mpp_source_is_cancelled(const struct mpp_source *src);
void mpp_source_set_error(struct mpp_source *src, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Sources that read lines.  The parser gets each line without its comment and outer
 * blanks, and returns 0 and a record, 1 for a line that is fine but holds none, or
 * -EBADMSG and *@why.
 */
typedef int mpp_line_parse(const char *text, size_t len, unsigned int flags, const char **why,
			   struct mpp_record *record);

#define MPP_LINES_HASH	(1u << 31)	/* # begins a comment only where the line begins */

int mpp_lines_open(const char *path, mpp_line_parse *parse, unsigned int flags,
		   struct mpp_source **src);
int mpp_lines_open_fd(int fd, const char *name, mpp_line_parse *parse, unsigned int flags,
		      struct mpp_source **src);
/* Such a source with a parser that knows more than its line; @fd stays the caller's. */
typedef int mpp_line_parse_for(void *arg, const char *text, size_t len, const char **why,
			       struct mpp_record *record);
int mpp_lines_open_for(int fd, const char *name, mpp_line_parse_for *parse, void *arg,
		       struct mpp_source **src);
/* NULL for a source that does not read lines, or has a parser of the second kind. */
mpp_line_parse *mpp_lines_parser(const struct mpp_source *src);
/* Of such a source: lines that gave a record, and lines that gave 1. */
void mpp_lines_counts(const struct mpp_source *src, uint64_t *nr_records, uint64_t *nr_passed_over);

int mpp_pagemap_open_at(const char *proc, const struct mpp_pagemap_options *options,
			struct mpp_source **src);
int mpp_nodemap_open_at(const struct mpp_roots *roots, struct mpp_nodemap **map);

/* The same as without _at, in a recorded tree. */
int mpp_pagemap_set_open_at(const char *proc, const struct mpp_pagemap_set_options *options,
			    struct mpp_source **src);
int mpp_zones_read_at(const struct mpp_roots *roots, size_t nr_max, struct mpp_zone *zones);
int mpp_zoneinfo_open_at(const struct mpp_roots *roots,
			 const struct mpp_zoneinfo_options *options, struct mpp_source **src);
int mpp_idle_open_at(const struct mpp_roots *roots, const struct mpp_idle_options *options,
		     struct mpp_source **src);
int mpp_idle_is_unreliable_at(const struct mpp_roots *roots);
int mpp_kinds_open_at(const struct mpp_roots *roots, struct mpp_kinds **kinds);
int mpp_filter_open_at(const struct mpp_roots *roots, struct mpp_source *inner,
		       const struct mpp_filter_options *options, struct mpp_source **src);

unsigned int mpp_page_shift(void);

/* What may stand between columns, and around them. */
static inline bool mpp_is_blank(char c)
{
	/* One comparison for nearly all that there is. */
	return (unsigned char)c <= ' ' && (c == ' ' || c == '\t' || c == '\r');
}

/* Reads a small file whole and terminates it; the length, or a negative errno. */
int mpp_read_file(const char *path, size_t max_bytes, char *text);

#endif /* MOVEPHYS_INTERNAL_H */
