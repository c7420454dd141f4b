/* SPDX-License-Identifier: GPL-2.0-only */
/* movephys move: what its parts share. */
#ifndef MOVEPHYS_MOVE_H
#define MOVEPHYS_MOVE_H

#include <limits.h>

#include "cmd.h"

struct move_options {
	int to;			/* -1 with @undo_path */
	enum mpp_door door;
	struct bitmask *from;
	int flags;
	unsigned int text_flags;
	uint64_t nr_retries;
	uint64_t rate;		/* bytes per second; 0 for no limit */
	uint64_t max_bytes;	/* 0 for no limit */
	bool strict, json;
	const char *undo_path;	/* whose moves to undo */
	const char *new_path;	/* where to write what may be undone */
	const char *new_option;	/* that named it */
};

#define NOT_REACHED	INT_MIN

struct mover {
	const struct move_options *options;
	struct mpp_ctx *ctx;
	struct input *in;
	struct undo_writer *undo;	/* NULL when nothing is recorded */
	int undo_err;
	struct tally tally;
	bool is_max_reached;
	int fatal;		/* what ended the work before the input did */
	struct batch batch;
	/* For each entry of the batch: */
	int from[BATCH_MAX];	/* its node before, or a negative errno */
	int status[BATCH_MAX];
	uint64_t new_pages[BATCH_MAX];
	/* The entries that the next call names, and its arrays: */
	size_t nr_todo;
	size_t todo[BATCH_MAX];
	uint64_t call_pages[BATCH_MAX];
	int call_nodes[BATCH_MAX];
	int call_status[BATCH_MAX];
	uint64_t call_new[BATCH_MAX];
};

/* move.c: works through the input; what ended that before its end is in @fatal. */
void mover_run(struct mover *mv);
uint64_t mover_moved_bytes(const struct mover *mv);

/* move_report.c: the summary. */
void mover_report(const struct mover *mv);

/*
 * undo_write.c: the file of --undo-file.  @option is what named it.  NULL after a complaint:
 * a file that holds something, or that @in reads, is left as it is.
 */
struct undo_writer *undo_create(const char *option, const char *path, const struct input *in);
void undo_add(struct undo_writer *writer, uint64_t old_addr, uint64_t new_addr, int from);
/* What was added is on disk, if the file is on one; 0, or why the first write failed. */
int undo_commit(struct undo_writer *writer);
/* Writes the rest and frees it; false after a complaint.  NULL is fine. */
bool undo_finish(struct undo_writer *writer);

#endif /* MOVEPHYS_MOVE_H */
