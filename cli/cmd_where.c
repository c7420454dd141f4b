// SPDX-License-Identifier: GPL-2.0-only
/* movephys where: on which node each page is, as the kernel answers. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

static const char help[] =
"usage: movephys where [OPTIONS] ADDR|RANGE|FILE|- ...\n"
"\n"
"Says on which node the named pages are, by asking the kernel; moves nothing.\n"
"Addresses are written as for `movephys move`.\n"
"\n"
"  -l, --list      a line per page: the address, and its node or the errno's name\n"
"  -u, --unmapped  look at page and swap cache that no process maps, too\n"
"  -p, --pfn       the numbers are frame numbers, 0x or decimal\n"
"  -s, --strict    end at the first bad line; any page without a node makes status 1\n"
"  -j, --json      as JSON; with --list one object per line\n"
"\n"
"examples:\n"
"  movephys where 0x13f400000+2M\n"
"  movephys pagemap --pid 1234 | movephys where -\n"
"  movephys where --list --pfn 1307648 1307649\n";

struct where {
	struct mpp_ctx *ctx;
	struct input *in;
	unsigned int text_flags;
	int flags;
	bool list, strict, json;
	struct tally tally;
	struct batch batch;
	int status[BATCH_MAX];
};

static const struct option long_options[] = {
	{ "list", no_argument, NULL, 'l' },
	{ "unmapped", no_argument, NULL, 'u' },
	{ "pfn", no_argument, NULL, 'p' },
	{ "strict", no_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static int take_options(int argc, char **argv, struct where *where)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":lupsj", long_options, NULL)) != -1) {
		switch (opt) {
		case 'l':
			where->list = true;
			break;
		case 'u':
			where->flags |= MPP_MF_UNMAPPED;
			break;
		case 'p':
			where->text_flags |= MPP_TEXT_PFN;
			break;
		case 's':
			where->strict = true;
			break;
		case 'j':
			where->json = true;
			break;
		default:
			return option_error(argc, argv, opt);
		}
	}
	return EXIT_DONE;
}

static void print_entry(const struct where *where, uint64_t addr, int status)
{
	if (where->json && status >= 0)
		printf("{\"address\":\"0x%" PRIx64 "\",\"node\":%d}\n", addr, status);
	else if (where->json)
		printf("{\"address\":\"0x%" PRIx64 "\",\"error\":\"%s\"}\n", addr,
		       mpp_status_name(status));
	else if (status >= 0)
		printf("0x%" PRIx64 " %d\n", addr, status);
	else
		printf("0x%" PRIx64 " %s\n", addr, mpp_status_name(status));
}

static int ask(struct where *where)
{
	const struct mpp_request req = {
		.size = sizeof(req),
		.flags = where->flags,
		.nr_pages = where->batch.nr,
		.pages = where->batch.pages,
		.status = where->status,
	};
	int err;

	do {
		err = mpp_move(where->ctx, &req);
	} while (err == -EINTR && !interrupt_seen());
	if (err < 0)
		return err;
	for (size_t i = 0; i < where->batch.nr; i++) {
		if (where->list)
			print_entry(where, where->batch.pages[i], where->status[i]);
		if (where->status[i] < 0) {
			tally_error(&where->tally, where->status[i]);
			continue;
		}
		where->tally.nr_entries++;
		tally_pair(&where->tally, where->status[i], where->status[i]);
	}
	return 0;
}

static int ask_all(struct where *where)
{
	int more, err;

	do {
		more = batch_fill(where->in, &where->batch);
		if (interrupt_seen())
			return 0;
		err = where->batch.nr ? ask(where) : 0;
		if (err < 0 && !interrupt_seen()) {
			complain("the kernel refused the call: %s", strerror(-err));
			return err;
		}
	} while (more > 0 && !interrupt_seen() && !output_is_broken());
	return more < 0 && more != -ECANCELED ? more : 0;
}

static int compare_nodes(const void *a, const void *b)
{
	return ((const struct tally_pair *)a)->from - ((const struct tally_pair *)b)->from;
}

static void print_json(const struct where *where)
{
	const struct tally *tally = &where->tally;
	struct json_object *root = json_object_new_object();
	struct json_object *nodes = json_object_new_object();
	char key[16];

	for (size_t i = 0; i < tally->nr_pairs; i++) {
		snprintf(key, sizeof(key), "%d", tally->pairs[i].from);
		json_object_object_add(nodes, key,
				       json_object_new_int64((int64_t)tally->pairs[i].nr_pages));
	}
	json_object_object_add(root, "pages", json_object_new_int64((int64_t)tally->nr_entries));
	json_object_object_add(root, "nodes", nodes);
	json_object_object_add(root, "errors", tally_errors_json(tally));
	json_object_object_add(root, "bad_lines",
			       json_object_new_int64((int64_t)input_nr_bad(where->in)));
	json_print(root, true);
}

static void print_table(const struct where *where)
{
	const struct tally *tally = &where->tally;
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	char bytes[BYTES_TEXT_MAX];
	char name[16];

	printf("%12s  where\n", "pages");
	for (size_t i = 0; i < tally->nr_pairs; i++) {
		const struct tally_pair *pair = &tally->pairs[i];

		snprintf(name, sizeof(name), "node %d", pair->from);
		printf("%12" PRIu64 "  %-12s %s\n", pair->nr_pages, name,
		       format_bytes(pair->nr_pages * page_bytes, bytes, sizeof(bytes)));
	}
	tally_print_errors(tally, false);
	if (input_nr_bad(where->in))
		printf("%" PRIu64 " bad lines\n", input_nr_bad(where->in));
}

static int exit_status(const struct where *where, int fatal)
{
	if (interrupt_seen())
		return EXIT_SIGNAL + interrupt_seen();
	if (fatal || input_nr_bad(where->in))
		return EXIT_USAGE;
	if (where->strict)
		for (int i = 0; i < TALLY_ERRNO_MAX; i++)
			if (where->tally.errors[i])
				return EXIT_MISSED;
	return EXIT_DONE;
}

static int look(struct where *where)
{
	int fatal;

	interrupt_catch();
	fatal = ask_all(where);
	if (where->tally.nr_pairs)
		qsort(where->tally.pairs, where->tally.nr_pairs, sizeof(*where->tally.pairs),
		      compare_nodes);
	if (!where->list && where->json)
		print_json(where);
	else if (!where->list)
		print_table(where);
	return exit_status(where, fatal);
}

static int run_where(int argc, char **argv)
{
	struct where *where = calloc(1, sizeof(*where));
	int status;

	if (!where) {
		complain("%s", strerror(ENOMEM));
		return EXIT_USAGE;
	}
	status = take_options(argc, argv, where);
	if (!status) {
		where->in = input_open(argc - optind, argv + optind, where->text_flags,
				       where->strict);
		if (!where->in || !door_open(&where->ctx))
			status = EXIT_USAGE;
	}
	if (!status)
		status = look(where);
	mpp_unref(where->ctx);
	input_close(where->in);
	tally_free(&where->tally);
	free(where);
	return status;
}

const struct command cmd_where = {
	.name = "where",
	.summary = "tell on which node pages are",
	.help = help,
	.run = run_where,
};
