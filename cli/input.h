/* SPDX-License-Identifier: GPL-2.0-only */
/* Between input.c and batch.c. */
#ifndef MOVEPHYS_INPUT_H
#define MOVEPHYS_INPUT_H

#include "cmd.h"

/*
 * The next records, and for each the node that its line asks for, -1 for none.
 * Their number; 0 at the end; -EBADMSG when a bad line ends it (--strict);
 * -ECANCELED on a signal; else what reading failed with.  Everything but a signal
 * was complained about.
 */
int input_read(struct input *in, size_t nr_max, struct mpp_record *records, int *nodes);
/* Whether input_read() would return without waiting. */
bool input_ready(struct input *in);

/* batch.c's place in the records, kept here so that it ends with the input. */
struct feed {
	struct mpp_record records[512];
	int nodes[512];
	size_t pos, nr;
	uint64_t next_page;	/* frame number within records[pos] */
	uint64_t last_page;
	uint64_t nr_pages;	/* that batches were given so far */
	bool in_record;
	struct mpp_nodemap *map;	/* as of a record with room for holes; NULL for none */
	int end;		/* 1 while there is more; else batch_fill()'s last answer */
};

struct feed *input_feed(struct input *in);

/* undo.c: complains and returns NULL when the file cannot be opened. */
struct undo;
struct undo *undo_open(const char *path);
void undo_close(struct undo *undo);
int undo_fd(const struct undo *undo);
/* Behind the last line that was taken; negative where there is no such thing. */
off_t undo_position(const struct undo *undo);
/* 1 and the next record with its node, 0 at the end, -errno after a complaint. */
int undo_read(struct undo *undo, struct mpp_record *record, int *node);

#endif /* MOVEPHYS_INPUT_H */
