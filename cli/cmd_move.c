// SPDX-License-Identifier: GPL-2.0-only
/* movephys move: addresses in, pages moved, a truthful summary out. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "move.h"

static const char help[] =
"usage: movephys move --to NODE [OPTIONS] ADDR|RANGE|FILE|- ...\n"
"       movephys move --undo FILE [OPTIONS]\n"
"\n"
"Moves the contents of the named pages to NODE and counts them by outcome.\n"
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
"      --rate RATE          no faster than this: 200M/s\n"
"      --max SIZE           stop when so much has moved: 512M\n"
"  -p, --pfn                the numbers are frame numbers, 0x or decimal\n"
"  -s, --strict             end at the first bad line; any page missed makes status 1\n"
"      --new FILE           write where moved pages are now and from where they came, to\n"
"                           a file that is new or empty; not with --dry-run\n"
"      --undo-file FILE     the same by its other name\n"
"      --undo FILE          put back what such a file tells of\n"
"      --door DOOR          auto, syscall, device; or revmap: no help from the kernel,\n"
"                           slow, looks into every process (see movephys-move(1))\n"
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
"  movephys move --to 1 --undo-file undo.txt list.txt && movephys move --undo undo.txt\n"
"                                                there and back again\n"
"  movephys idle --node 1 | movephys move --from 1 --to 0 --rate 200M/s --max 1G -\n"
"                                                what is in use, at a measured pace\n";

enum {
	OPT_IGNORE_MEMPOLICY = 256,
	OPT_SYNC,
	OPT_RECLAIM,
	OPT_NEW,
	OPT_UNDO_FILE,
	OPT_UNDO,
	OPT_RATE,
	OPT_MAX,
	OPT_DOOR,
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
	{ "undo-file", required_argument, NULL, OPT_UNDO_FILE },
	{ "undo", required_argument, NULL, OPT_UNDO },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "max", required_argument, NULL, OPT_MAX },
	{ "door", required_argument, NULL, OPT_DOOR },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static int take_flag(int opt, int argc, char **argv, struct move_options *options)
{
	switch (opt) {
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
	case OPT_UNDO_FILE:
		options->new_option = opt == OPT_NEW ? "--new" : "--undo-file";
		options->new_path = optarg;
		break;
	case OPT_UNDO:
		options->undo_path = optarg;
		break;
	case 'j':
		options->json = true;
		break;
	default:
		return option_error(argc, argv, opt);
	}
	return EXIT_DONE;
}

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
	case OPT_RATE:
		if (parse_rate(optarg, &options->rate) || options->rate < 4096)
			return usage_error("--rate %s: bytes per second are wanted, such as 200M/s",
					   optarg);
		break;
	case OPT_MAX:
		if (parse_size(optarg, &options->max_bytes) || options->max_bytes < 4096)
			return usage_error("--max %s: a size is wanted, such as 512M", optarg);
		break;
	case OPT_DOOR:
		return door_parse(optarg, &options->door);
	default:
		return take_flag(opt, argc, argv, options);
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
	if (options->undo_path && options->to >= 0)
		return usage_error("--undo and --to exclude each other: the file names the nodes");
	if (options->undo_path && optind < argc)
		return usage_error("\"%s\": --undo takes its addresses from the file",
				   argv[optind]);
	if (options->to < 0 && !options->undo_path)
		return usage_error("--to NODE is missing");
	return EXIT_DONE;
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
				    tally_kind(tally, MPP_STATUS_UNMOVABLE) ||
				    tally->outcomes[OUTCOME_ELSEWHERE]))
		return EXIT_MISSED;
	return EXIT_DONE;
}

/* Everything that can be wrong is found before the first page moves. */
static int prepare(struct mover *mv, int nr_args, char **args)
{
	const struct move_options *options = mv->options;

	mv->in = options->undo_path ? input_open_undo(options->undo_path, options->strict) :
		 input_open(nr_args, args, options->text_flags, options->strict);
	if (!mv->in || !door_open(options->door, &mv->ctx))
		return EXIT_USAGE;
	/* A dry run has nothing to tell. */
	if (options->new_path && !(options->flags & MPP_MF_DRY_RUN)) {
		mv->undo = undo_create(options->new_option, options->new_path, mv->in);
		if (!mv->undo)
			return EXIT_USAGE;
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
		mover_run(mv);
		mover_report(mv);
		status = exit_status(mv);
		if (!undo_finish(mv->undo))
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
