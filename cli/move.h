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
	FILE *new_file;
	int new_errno;		/* why the first write to it failed */
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
	/* The stretch of moved pages that --new has not written yet: */
	uint64_t run_old, run_new, run_bytes;
	int run_from;
};

/* move.c: works through the input; what ended that before its end is in @fatal. */
void mover_run(struct mover *mv);
/* False after a complaint. */
bool mover_close_new(struct mover *mv);
uint64_t mover_moved_bytes(const struct mover *mv);

/* move_report.c: the summary. */
void mover_report(const struct mover *mv);

#endif /* MOVEPHYS_MOVE_H */
