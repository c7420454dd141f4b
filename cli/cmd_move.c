// SPDX-License-Identifier: GPL-2.0-only
/* movephys move: addresses in, pages moved, a truthful summary out. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"

static const char help[] =
"usage: movephys move --to NODE [OPTIONS] ADDR|RANGE|FILE|- ...\n"
"\n"
"Moves the contents of the named pages to NODE and says what became of each.\n"
"Addresses come from the arguments, from files, or from standard input (-):\n"
"  0xADDR           the page that holds this byte\n"
"  0xSTART-0xEND    a range; END is the first byte after it\n"
"  0xSTART+SIZE     a range; SIZE is 0x..., or decimal with k, M, G or T\n"
"In files, one of these per line; # starts a comment.\n"
"\n"
"  -t, --to NODE            the target node\n"
"  -f, --from NODES         only pages that are now on these nodes (0, 0-2, 1,3, all)\n"
"  -a, --all                pages shared by several processes too\n"
"  -u, --unmapped           page and swap cache that no process maps too\n"
"      --ignore-mempolicy   even where MPOL_BIND excludes the target\n"
"      --sync               wait for locked pages and for writeback\n"
"      --reclaim            make room on the target by reclaiming there\n"
"  -n, --dry-run            run every check, move nothing\n"
"  -r, --retry N            try busy pages again, up to N times\n"
"  -p, --pfn                the numbers are frame numbers, 0x or decimal\n"
"  -s, --strict             end at the first bad line; any page missed makes status 1\n"
"      --new FILE           write where moved pages are now, as input for another move\n"
"  -j, --json               the summary as JSON\n"
"\n"
"Exit status: 0 nothing that could be moved was refused (addresses that name no\n"
"user's page any more are counted, not failures); 1 refused or busy pages are\n"
"left; 2 bad input, or this machine cannot; 130 after Ctrl-C.\n"
"\n"
"examples:\n"
"  movephys move --to 1 0x13f400000              one page\n"
"  movephys move --to 0 0x13f400000+2M           512 of them, or one huge page\n"
"  movephys pagemap --pid 1234 | movephys move --to 0 --retry 3 -\n"
"                                                a whole process\n"
"  movephys move --to 1 --dry-run --all list.txt\n"
"                                                would it work?\n"
"  movephys move --to 1 --new now.txt list.txt && movephys move --to 0 now.txt\n"
"                                                there and back again\n";

struct move_options {
	int to;
	struct bitmask *from;
	int flags;
	unsigned int text_flags;
	uint64_t nr_retries;
	bool strict, json;
	const char *new_path;
};

#define NOT_REACHED	INT_MIN

struct mover {
	const struct move_options *options;
	struct mpp_ctx *ctx;
	struct input *in;
	FILE *new_file;
	struct tally tally;
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
};

enum {
	OPT_IGNORE_MEMPOLICY = 256,
	OPT_SYNC,
	OPT_RECLAIM,
	OPT_NEW,
};

static const struct option long_options[] = {
	{ "to", required_argument, NULL, 't' },
	{ "from", required_argument, NULL, 'f' },
	{ "all", no_argument, NULL, 'a' },
	{ "unmapped", no_argument, NULL, 'u' },
	{ "ignore-mempolicy", no_argument, NULL, OPT_IGNORE_MEMPOLICY },
	{ "sync", no_argument, NULL, OPT_SYNC },
	{ "reclaim", no_argument, NULL, OPT_RECLAIM },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "retry", required_argument, NULL, 'r' },
	{ "pfn", no_argument, NULL, 'p' },
	{ "strict", no_argument, NULL, 's' },
	{ "new", required_argument, NULL, OPT_NEW },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

/* EXIT_DONE, or EXIT_USAGE after a complaint. */
static int take_option(int opt, int argc, char **argv, struct move_options *options)
{
	switch (opt) {
	case 't':
		return node_parse_target("--to", optarg, &options->to) ? EXIT_DONE : EXIT_USAGE;
	case 'f':
		nodes_free(options->from);
		options->from = NULL;
		return nodes_parse("--from", optarg, &options->from) ? EXIT_DONE : EXIT_USAGE;
	case 'r':
		if (parse_count(optarg, 1000, &options->nr_retries))
			return usage_error("--retry %s: a number from 0 to 1000 is wanted", optarg);
		break;
	case 'a':
		options->flags |= MPOL_MF_MOVE_ALL;
		break;
	case 'u':
		options->flags |= MPP_MF_UNMAPPED;
		break;
	case OPT_IGNORE_MEMPOLICY:
		options->flags |= MPP_MF_IGNORE_MEMPOLICY;
		break;
	case OPT_SYNC:
		options->flags |= MPP_MF_SYNC;
		break;
	case OPT_RECLAIM:
		options->flags |= MPP_MF_RECLAIM;
		break;
	case 'n':
		options->flags |= MPP_MF_DRY_RUN;
		break;
	case 'p':
		options->text_flags |= MPP_TEXT_PFN;
		break;
	case 's':
		options->strict = true;
		break;
	case OPT_NEW:
		options->new_path = optarg;
		break;
	case 'j':
		options->json = true;
		break;
	default:
		return option_error(argc, argv, opt);
	}
	return EXIT_DONE;
}

static int take_options(int argc, char **argv, struct move_options *options)
{
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":t:f:aunr:psj", long_options, NULL)) != -1) {
		status = take_option(opt, argc, argv, options);
		if (status)
			return status;
	}
	if (options->to < 0)
		return usage_error("--to NODE is missing");
	return EXIT_DONE;
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
			tally_error(&mv->tally, mv->from[i]);
			continue;
		}
		mv->todo[mv->nr_todo++] = i;
	}
	return 0;
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
		mv->call_nodes[i] = mv->options->to;
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

static void new_flush(struct mover *mv)
{
	if (mv->run_bytes)
		fprintf(mv->new_file, "0x%" PRIx64 "+%" PRIu64 " # was 0x%" PRIx64 "\n",
			mv->run_new, mv->run_bytes, mv->run_old);
	mv->run_bytes = 0;
}

static void new_record(struct mover *mv, uint64_t old_addr, uint64_t new_addr)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!mv->new_file)
		return;
	old_addr &= ~(page_bytes - 1);
	new_addr &= ~(page_bytes - 1);
	if (!mv->run_bytes || old_addr != mv->run_old + mv->run_bytes ||
	    new_addr != mv->run_new + mv->run_bytes) {
		new_flush(mv);
		mv->run_old = old_addr;
		mv->run_new = new_addr;
	}
	mv->run_bytes += page_bytes;
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
			tally_error(&mv->tally, status);
			continue;
		}
		moved = dry_run ? mv->from[i] != status : mv->new_pages[i] != mv->batch.pages[i];
		if (!moved) {
			tally_outcome(&mv->tally, OUTCOME_ALREADY);
			continue;
		}
		tally_outcome(&mv->tally, dry_run ? OUTCOME_WOULD_MOVE : OUTCOME_MOVED);
		tally_pair(&mv->tally, mv->from[i], status);
		if (!dry_run)
			new_record(mv, mv->batch.pages[i], mv->new_pages[i]);
	}
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
	progress_show(&mv->tally);
	return err;
}

/* Sets mv->fatal to what ended the work before the input did, else 0. */
static void move_all(struct mover *mv)
{
	int more, err;

	do {
		more = batch_fill(mv->in, &mv->batch);
		if (interrupt_seen())
			break;
		/* With --strict nothing behind a bad line counts, what was before it does. */
		err = mv->batch.nr ? move_batch(mv) : 0;
		if (err < 0 && !interrupt_seen()) {
			mv->fatal = err;
			complain("the kernel refused the call: %s", strerror(-err));
			return;
		}
	} while (more > 0 && !interrupt_seen());
	if (more < 0 && more != -ECANCELED)
		mv->fatal = more;
}

static void print_json(const struct mover *mv, double seconds, uint64_t moved_bytes)
{
	const struct tally *tally = &mv->tally;
	struct json_object *root = json_object_new_object();
	struct json_object *outcomes = json_object_new_object();
	struct json_object *pairs = json_object_new_array();

	for (int i = 0; i < NR_OUTCOMES; i++)
		if (tally->outcomes[i])
			json_object_object_add(outcomes, outcome_name((enum outcome)i),
				json_object_new_int64((int64_t)tally->outcomes[i]));
	for (size_t i = 0; i < tally->nr_pairs; i++) {
		struct json_object *pair = json_object_new_object();

		json_object_object_add(pair, "from", tally->pairs[i].from < 0 ? NULL :
				       json_object_new_int(tally->pairs[i].from));
		json_object_object_add(pair, "to", json_object_new_int(tally->pairs[i].to));
		json_object_object_add(pair, "pages",
				       json_object_new_int64((int64_t)tally->pairs[i].nr_pages));
		json_object_array_add(pairs, pair);
	}
	json_object_object_add(root, "to", json_object_new_int(mv->options->to));
	json_object_object_add(root, "dry_run",
			       json_object_new_boolean(mv->options->flags & MPP_MF_DRY_RUN));
	json_object_object_add(root, "pages", json_object_new_int64((int64_t)tally->nr_entries));
	json_object_object_add(root, "outcomes", outcomes);
	json_object_object_add(root, "errors", tally_errors_json(tally));
	json_object_object_add(root, "node_pairs", pairs);
	json_object_object_add(root, "seconds", json_decimal(seconds));
	json_object_object_add(root, "bytes_per_second",
			       json_decimal(seconds > 0 ? (double)moved_bytes / seconds : 0));
	json_object_object_add(root, "bad_lines",
			       json_object_new_int64((int64_t)input_nr_bad(mv->in)));
	json_object_object_add(root, "interrupted",
			       json_object_new_boolean(interrupt_seen() != 0));
	json_print(root, true);
}

static void print_text(const struct mover *mv, double seconds, uint64_t moved_bytes)
{
	static const char *const meanings[NR_OUTCOMES] = {
		[OUTCOME_MOVED] = "",
		[OUTCOME_WOULD_MOVE] = "every check passes now (dry run: nothing was moved)",
		[OUTCOME_ALREADY] = "were on the target before",
		[OUTCOME_ELSEWHERE] = "not on a node of --from: left alone",
		[OUTCOME_NOT_REACHED] = "interrupted before",
	};
	const struct tally *tally = &mv->tally;
	bool dry_run = mv->options->flags & MPP_MF_DRY_RUN;
	char bytes[BYTES_TEXT_MAX], rate[BYTES_TEXT_MAX];

	printf("%12s  outcome\n", "pages");
	for (int i = 0; i < NR_OUTCOMES; i++)
		if (tally->outcomes[i] || (i == OUTCOME_MOVED && !dry_run))
			printf("%12" PRIu64 "  %-12s %s\n", tally->outcomes[i],
			       outcome_name((enum outcome)i),
			       i == OUTCOME_MOVED ?
			       format_bytes(moved_bytes, bytes, sizeof(bytes)) : meanings[i]);
	tally_print_errors(tally, true);
	for (size_t i = 0; i < tally->nr_pairs; i++) {
		const struct tally_pair *pair = &tally->pairs[i];

		if (pair->from >= 0)
			printf("node %d to node %d: %" PRIu64 " pages\n", pair->from, pair->to,
			       pair->nr_pages);
		else
			printf("to node %d, from where is not known: %" PRIu64 " pages\n",
			       pair->to, pair->nr_pages);
	}
	printf("%" PRIu64 " pages looked at, %.3f s in the kernel", tally->nr_entries, seconds);
	if (moved_bytes && seconds > 0)
		printf(", %s/s moved", format_bytes((uint64_t)((double)moved_bytes / seconds),
						    rate, sizeof(rate)));
	putchar('\n');
	if (input_nr_bad(mv->in))
		printf("%" PRIu64 " bad lines\n", input_nr_bad(mv->in));
	if (interrupt_seen())
		puts("interrupted: the rest of the input was not touched");
}

static void report(const struct mover *mv)
{
	double seconds = (double)mv->tally.kernel_ns / 1e9;
	uint64_t moved_bytes = mv->tally.outcomes[OUTCOME_MOVED] *
			       (uint64_t)sysconf(_SC_PAGESIZE);

	progress_clear();
	if (mv->options->json)
		print_json(mv, seconds, moved_bytes);
	else
		print_text(mv, seconds, moved_bytes);
}

static int exit_status(const struct mover *mv)
{
	const struct tally *tally = &mv->tally;

	if (interrupt_seen())
		return EXIT_SIGNAL + interrupt_seen();
	if (mv->fatal || input_nr_bad(mv->in))
		return EXIT_USAGE;
	if (tally_kind(tally, MPP_STATUS_REFUSED) || tally_kind(tally, MPP_STATUS_RETRY))
		return EXIT_MISSED;
	if (mv->options->strict && (tally_kind(tally, MPP_STATUS_STALE) ||
				    tally_kind(tally, MPP_STATUS_UNMOVABLE)))
		return EXIT_MISSED;
	return EXIT_DONE;
}

static bool close_new_file(struct mover *mv)
{
	bool bad;

	if (!mv->new_file)
		return true;
	new_flush(mv);
	bad = ferror(mv->new_file);
	bad |= fclose(mv->new_file) != 0;
	if (bad)
		complain("--new %s: %s", mv->options->new_path, strerror(errno));
	return !bad;
}

/* Everything that can be wrong is found before the first page moves. */
static int prepare(struct mover *mv, int nr_args, char **args)
{
	const struct move_options *options = mv->options;

	mv->in = input_open(nr_args, args, options->text_flags, options->strict);
	if (!mv->in || !door_open(&mv->ctx))
		return EXIT_USAGE;
	if (options->new_path) {
		mv->new_file = fopen(options->new_path, "we");
		if (!mv->new_file) {
			complain("--new %s: %s", options->new_path, strerror(errno));
			return EXIT_USAGE;
		}
	}
	return EXIT_DONE;
}

static int run_move(int argc, char **argv)
{
	struct move_options options = { .to = -1 };
	struct mover *mv = NULL;
	int status = take_options(argc, argv, &options);

	if (!status) {
		mv = calloc(1, sizeof(*mv));
		if (!mv) {
			complain("%s", strerror(ENOMEM));
			status = EXIT_USAGE;
		}
	}
	if (!status) {
		mv->options = &options;
		status = prepare(mv, argc - optind, argv + optind);
	}
	if (!status) {
		interrupt_catch();
		move_all(mv);
		report(mv);
		status = exit_status(mv);
		if (!close_new_file(mv))
			status = EXIT_USAGE;
	}
	if (mv) {
		mpp_unref(mv->ctx);
		input_close(mv->in);
		tally_free(&mv->tally);
		free(mv);
	}
	nodes_free(options.from);
	return status;
}

const struct command cmd_move = {
	.name = "move",
	.summary = "move pages to a node",
	.help = help,
	.run = run_move,
};
