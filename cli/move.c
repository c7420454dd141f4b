// SPDX-License-Identifier: GPL-2.0-only
/* Moving: batches of pages from the input, calls, and what became of each page. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "move.h"

uint64_t mover_moved_bytes(const struct mover *mv)
{
	const struct tally *tally = &mv->tally;

	return (tally->outcomes[OUTCOME_MOVED] + tally->outcomes[OUTCOME_WOULD_MOVE]) *
	       (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Asks where each entry is, and puts those to be moved on the list. */
static int locate(struct mover *mv)
{
	const struct move_options *options = mv->options;
	const struct mpp_request req = {
		.size = sizeof(req),
		.flags = options->flags & MPP_MF_UNMAPPED,
		.nr_pages = mv->batch.nr,
		.pages = mv->batch.pages,
		.status = mv->from,
	};
	int err;

	do {
		err = mpp_move(mv->ctx, &req);
	} while (err == -EINTR && !interrupt_seen());
	if (err < 0)
		return err;
	mv->nr_todo = 0;
	for (size_t i = 0; i < mv->batch.nr; i++) {
		mv->status[i] = NOT_REACHED;
		if (options->from && mv->from[i] >= 0 &&
		    !nodes_contain(options->from, mv->from[i])) {
			tally_outcome(&mv->tally, OUTCOME_ELSEWHERE);
			continue;
		}
		/* Where it is unknown, --from cannot be kept: do not touch it. */
		if (options->from && mv->from[i] < 0) {
			tally_error(&mv->tally, mv->from[i], 1);
			continue;
		}
		mv->todo[mv->nr_todo++] = i;
	}
	return 0;
}

/* A file of --undo-file names the node of each page. */
static int target(const struct mover *mv, size_t entry)
{
	return mv->batch.nodes[entry] >= 0 ? mv->batch.nodes[entry] : mv->options->to;
}

/* One call for what is on the list; statuses go to their entries. */
static int call(struct mover *mv)
{
	const struct mpp_request req = {
		.size = sizeof(req),
		.flags = mv->options->flags,
		.nr_pages = mv->nr_todo,
		.pages = mv->call_pages,
		.nodes = mv->call_nodes,
		.status = mv->call_status,
		.new_pages = mv->call_new,
	};
	uint64_t start_ns;
	int err;

	for (size_t i = 0; i < mv->nr_todo; i++) {
		mv->call_pages[i] = mv->batch.pages[mv->todo[i]];
		mv->call_nodes[i] = target(mv, mv->todo[i]);
		mv->call_status[i] = NOT_REACHED;
	}
	start_ns = clock_ns();
	err = mpp_move(mv->ctx, &req);
	mv->tally.kernel_ns += clock_ns() - start_ns;
	for (size_t i = 0; i < mv->nr_todo; i++) {
		if (mv->call_status[i] == NOT_REACHED)
			continue;
		mv->status[mv->todo[i]] = mv->call_status[i];
		mv->new_pages[mv->todo[i]] = mv->call_new[i];
	}
	return err;
}

static void pause_ms(uint64_t ms)
{
	const struct timespec pause = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};

	nanosleep(&pause, NULL);
}

/* Keeps on the list what is worth another call: @reached, those that may work later. */
static void keep_for_retry(struct mover *mv, bool reached)
{
	size_t kept = 0;

	for (size_t i = 0; i < mv->nr_todo; i++) {
		int status = mv->status[mv->todo[i]];

		if (reached ? mpp_status_kind(status) == MPP_STATUS_RETRY : status == NOT_REACHED)
			mv->todo[kept++] = mv->todo[i];
	}
	mv->nr_todo = kept;
}

static int move_listed(struct mover *mv)
{
	uint64_t attempt = 0;
	int err;

	while (mv->nr_todo) {
		err = call(mv);
		if (err == -EINTR && !interrupt_seen()) {
			keep_for_retry(mv, false);
			continue;
		}
		if (err < 0)
			return err;
		keep_for_retry(mv, true);
		if (!mv->nr_todo || attempt == mv->options->nr_retries)
			return 0;
		/* 10 ms, 20 ms, ... 1.28 s: I/O ends in its own time. */
		pause_ms(UINT64_C(10) << (attempt < 7 ? attempt : 7));
		if (interrupt_seen())
			return 0;
		attempt++;
	}
	return 0;
}

/* Counts the entries of the batch that were for moving. */
static void settle(struct mover *mv, const bool *listed)
{
	bool dry_run = mv->options->flags & MPP_MF_DRY_RUN;

	for (size_t i = 0; i < mv->batch.nr; i++) {
		int status = mv->status[i];
		bool moved;

		if (!listed[i])
			continue;
		if (status == NOT_REACHED) {
			tally_outcome(&mv->tally, OUTCOME_NOT_REACHED);
			continue;
		}
		if (status < 0) {
			tally_error(&mv->tally, status, 1);
			continue;
		}
		moved = dry_run ? mv->from[i] != status : mv->new_pages[i] != mv->batch.pages[i];
		if (!moved) {
			tally_outcome(&mv->tally, OUTCOME_ALREADY);
			continue;
		}
		tally_outcome(&mv->tally, dry_run ? OUTCOME_WOULD_MOVE : OUTCOME_MOVED);
		tally_pair(&mv->tally, mv->from[i], status, 1);
		if (mv->undo)
			undo_add(mv->undo, mv->batch.pages[i], mv->new_pages[i], mv->from[i]);
	}
}

/* By --max or by how far the input is read, whichever is further. */
static double part_done(const struct mover *mv)
{
	double of_input = input_part_done(mv->in), of_max = -1;

	if (mv->options->max_bytes)
		of_max = (double)mover_moved_bytes(mv) / (double)mv->options->max_bytes;
	return of_input > of_max ? of_input : of_max;
}

static int move_batch(struct mover *mv)
{
	bool listed[BATCH_MAX] = { false };
	int err = locate(mv);

	if (err < 0)
		return err;
	for (size_t i = 0; i < mv->nr_todo; i++)
		listed[mv->todo[i]] = true;
	err = move_listed(mv);
	settle(mv, listed);
	/* Whatever becomes of this process, what it has moved can be undone. */
	if (mv->undo)
		mv->undo_err = undo_commit(mv->undo);
	progress_show(&mv->tally, part_done(mv));
	return err;
}

/*
 * Pages for the next batch: no more than a tenth of a second's worth, and --max allows,
 * to which batch_fill() adds the rest of a huge page.
 */
static size_t batch_room(const struct mover *mv)
{
	const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t pages = BATCH_PAGES, left;

	if (mv->options->rate && mv->options->rate / 10 / page_bytes < pages)
		pages = mv->options->rate / 10 / page_bytes;
	if (mv->options->max_bytes) {
		left = (mv->options->max_bytes - mover_moved_bytes(mv)) / page_bytes;
		if (left < pages)
			pages = left;
	}
	return pages ? (size_t)pages : 1;
}

/*
 * Waits until what has been moved since @start_ns, @moved pages, is within --rate.
 * Time that passed before, waiting for input, is no credit.  A signal ends the wait.
 */
static void keep_to_rate(const struct mover *mv, uint64_t start_ns, uint64_t nr_moved)
{
	double bytes = (double)(nr_moved * (uint64_t)sysconf(_SC_PAGESIZE));
	uint64_t now, left_ms, due_ns;

	if (!mv->options->rate)
		return;
	due_ns = start_ns + (uint64_t)(bytes / (double)mv->options->rate * 1e9);
	/* In slices: a signal that comes just before one does not end it. */
	while ((now = clock_ns()) < due_ns && !interrupt_seen()) {
		left_ms = (due_ns - now + 999999) / 1000000;
		pause_ms(left_ms < 100 ? left_ms : 100);
	}
}

static bool is_max_reached(const struct mover *mv)
{
	return mv->options->max_bytes && mover_moved_bytes(mv) >= mv->options->max_bytes;
}

void mover_run(struct mover *mv)
{
	uint64_t start_ns, moved_before;
	int more, err;

	do {
		more = batch_fill(mv->in, batch_room(mv), &mv->batch);
		if (interrupt_seen())
			break;
		tally_error(&mv->tally, -ENXIO, mv->batch.nr_absent);
		start_ns = clock_ns();
		moved_before = mv->tally.outcomes[OUTCOME_MOVED];
		/* With --strict nothing behind a bad line counts, what was before it does. */
		err = mv->batch.nr ? move_batch(mv) : 0;
		if (err < 0 && !interrupt_seen()) {
			mv->fatal = err;
			complain("the call failed as a whole: %s", strerror(-err));
			return;
		}
		/* What is not on record cannot be undone: told when the file is closed. */
		if (mv->undo_err) {
			mv->fatal = mv->undo_err;
			return;
		}
		mv->is_max_reached = more > 0 && is_max_reached(mv);
		if (more > 0 && !mv->is_max_reached)
			keep_to_rate(mv, start_ns,
				     mv->tally.outcomes[OUTCOME_MOVED] - moved_before);
	} while (more > 0 && !interrupt_seen() && !mv->is_max_reached);
	if (more < 0 && more != -ECANCELED)
		mv->fatal = more;
}
