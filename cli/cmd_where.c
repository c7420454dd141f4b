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
"Says on which node the named pages are, by asking the kernel, and of what kind\n"
"they are; moves nothing.  Addresses are written as for `movephys move`.\n"
"\n"
"  -l, --list      a line per page: the address, with its node or the errno's name,\n"
"                  and its kind as a comment; can be input of another movephys\n"
"  -u, --unmapped  look at page and swap cache that no process maps, too\n"
"  -p, --pfn       the numbers are frame numbers, 0x or decimal\n"
"  -s, --strict    end at the first bad line; any page without a node makes status 1\n"
"      --door DOOR auto, syscall, device, or revmap (see movephys-move(1))\n"
"  -j, --json      as JSON; with --list one object per line\n"
"\n"
"examples:\n"
"  movephys where 0x13f400000+2M\n"
"  movephys pagemap --pid 1234 | movephys where -\n"
"  movephys zones --node 1 | movephys where --unmapped -\n"
"  movephys where --list --pfn 1307648 1307649\n";

#define KIND_UNKNOWN	MPP_NR_KINDS	/* /proc/kpageflags cannot be read */

/* A column of the table. */
struct column {
	int node;
	uint64_t nr_pages;
	uint64_t kinds[MPP_NR_KINDS + 1];
};

struct where {
	struct mpp_ctx *ctx;
	struct input *in;
	enum mpp_door door;
	unsigned int text_flags;
	int flags;
	bool list, strict, json;
	struct mpp_kinds *kinds;	/* NULL where they cannot be told */
	struct tally tally;		/* of errors */
	struct column *columns;
	size_t nr_columns;
	struct batch batch;
	int status[BATCH_MAX];
	unsigned char kind[BATCH_MAX];
};

enum {
	OPT_DOOR = 256,
};

static const struct option long_options[] = {
	{ "list", no_argument, NULL, 'l' },
	{ "unmapped", no_argument, NULL, 'u' },
	{ "pfn", no_argument, NULL, 'p' },
	{ "strict", no_argument, NULL, 's' },
	{ "door", required_argument, NULL, OPT_DOOR },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static int take_options(int argc, char **argv, struct where *where)
{
	int opt, status;

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
		case OPT_DOOR:
			status = door_parse(optarg, &where->door);
			if (status)
				return status;
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

static const char *kind_name(unsigned int kind)
{
	return kind == KIND_UNKNOWN ? "unknown" : mpp_kind_name(kind);
}

static void print_entry(const struct where *where, size_t i)
{
	uint64_t addr = where->batch.pages[i];
	int status = where->status[i];
	const char *kind = kind_name(where->kind[i]);

	if (where->json && status >= 0)
		printf("{\"address\":\"0x%" PRIx64 "\",\"node\":%d,\"kind\":\"%s\"}\n", addr,
		       status, kind);
	else if (where->json)
		printf("{\"address\":\"0x%" PRIx64 "\",\"error\":\"%s\",\"kind\":\"%s\"}\n",
		       addr, mpp_status_name(status), kind);
	else if (status >= 0)
		printf("0x%" PRIx64 " # node=%d kind=%s\n", addr, status, kind);
	else
		printf("0x%" PRIx64 " # error=%s kind=%s\n", addr, mpp_status_name(status), kind);
}

static struct column *find_column(struct where *where, int node)
{
	struct column *columns;

	for (size_t i = 0; i < where->nr_columns; i++)
		if (where->columns[i].node == node)
			return &where->columns[i];
	columns = reallocarray(where->columns, where->nr_columns + 1, sizeof(*columns));
	if (!columns)
		return NULL;
	where->columns = columns;
	columns[where->nr_columns] = (struct column) { .node = node };
	return &columns[where->nr_columns++];
}

static void look_kinds_up(struct where *where)
{
	if (!where->kinds || mpp_kinds_read(where->kinds, where->batch.nr, where->batch.pages,
					    where->kind))
		memset(where->kind, KIND_UNKNOWN, where->batch.nr);
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
	look_kinds_up(where);
	for (size_t i = 0; i < where->batch.nr; i++) {
		struct column *column;

		if (where->list)
			print_entry(where, i);
		if (where->status[i] < 0) {
			tally_error(&where->tally, where->status[i], 1);
			continue;
		}
		where->tally.nr_entries++;
		column = find_column(where, where->status[i]);
		if (!column)
			return -ENOMEM;
		column->nr_pages++;
		column->kinds[where->kind[i]]++;
	}
	return 0;
}

static int ask_all(struct where *where)
{
	int more, err;

	/* A list has a line for each page. */
	where->batch.with_holes = where->list;
	do {
		more = batch_fill(where->in, BATCH_PAGES, &where->batch);
		if (interrupt_seen())
			return 0;
		tally_error(&where->tally, -ENXIO, where->batch.nr_absent);
		err = where->batch.nr ? ask(where) : 0;
		if (err < 0 && !interrupt_seen()) {
			complain("the call failed as a whole: %s", strerror(-err));
			return err;
		}
	} while (more > 0 && !interrupt_seen() && !output_is_broken());
	return more < 0 && more != -ECANCELED ? more : 0;
}

static int compare_nodes(const void *a, const void *b)
{
	return ((const struct column *)a)->node - ((const struct column *)b)->node;
}

static uint64_t sum_of_kind(const struct where *where, unsigned int kind)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < where->nr_columns; i++)
		sum += where->columns[i].kinds[kind];
	return sum;
}

static void print_json(const struct where *where)
{
	struct json_object *root = json_object_new_object();
	struct json_object *nodes = json_object_new_object();
	struct json_object *kinds = json_object_new_object();
	char key[16];

	for (size_t i = 0; i < where->nr_columns; i++) {
		snprintf(key, sizeof(key), "%d", where->columns[i].node);
		json_object_object_add(nodes, key, json_object_new_int64(
				       (int64_t)where->columns[i].nr_pages));
	}
	for (unsigned int kind = 0; kind <= MPP_NR_KINDS; kind++) {
		struct json_object *row;

		if (!sum_of_kind(where, kind))
			continue;
		row = json_object_new_object();
		for (size_t i = 0; i < where->nr_columns; i++) {
			snprintf(key, sizeof(key), "%d", where->columns[i].node);
			json_object_object_add(row, key, json_object_new_int64(
					       (int64_t)where->columns[i].kinds[kind]));
		}
		json_object_object_add(kinds, kind_name(kind), row);
	}
	json_object_object_add(root, "pages",
			       json_object_new_int64((int64_t)where->tally.nr_entries));
	json_object_object_add(root, "nodes", nodes);
	json_object_object_add(root, "kinds", kinds);
	json_object_object_add(root, "errors", tally_errors_json(&where->tally));
	json_object_object_add(root, "bad_lines",
			       json_object_new_int64((int64_t)input_nr_bad(where->in)));
	json_print(root, true);
}

static void print_kind(const struct where *where, unsigned int kind)
{
	uint64_t sum = sum_of_kind(where, kind);

	if (!sum)
		return;
	printf("%-12s", kind_name(kind));
	for (size_t i = 0; i < where->nr_columns; i++)
		printf("  %12" PRIu64, where->columns[i].kinds[kind]);
	printf("  %12" PRIu64 "\n", sum);
}

static void print_table(const struct where *where)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), sum = 0;
	char text[BYTES_TEXT_MAX];

	printf("%-12s", "pages");
	for (size_t i = 0; i < where->nr_columns; i++) {
		snprintf(text, sizeof(text), "node %d", where->columns[i].node);
		printf("  %12s", text);
	}
	printf("  %12s\n", "all");
	for (unsigned int kind = 0; kind <= MPP_NR_KINDS; kind++)
		print_kind(where, kind);
	printf("%-12s", "all");
	for (size_t i = 0; i < where->nr_columns; i++) {
		printf("  %12" PRIu64, where->columns[i].nr_pages);
		sum += where->columns[i].nr_pages;
	}
	printf("  %12" PRIu64 "\n%-12s", sum, "");
	for (size_t i = 0; i < where->nr_columns; i++)
		printf("  %12s", format_bytes(where->columns[i].nr_pages * page_bytes, text,
					      sizeof(text)));
	printf("  %12s\n", format_bytes(sum * page_bytes, text, sizeof(text)));
	tally_print_errors(&where->tally, false);
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
	if (where->nr_columns)
		qsort(where->columns, where->nr_columns, sizeof(*where->columns), compare_nodes);
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
		if (!where->in || !door_open(where->door, &where->ctx))
			status = EXIT_USAGE;
	}
	if (!status) {
		/* Without privilege the door would not have opened either. */
		if (mpp_kinds_open(&where->kinds))
			where->kinds = NULL;
		status = look(where);
	}
	mpp_kinds_free(where->kinds);
	free(where->columns);
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
