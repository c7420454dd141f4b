// SPDX-License-Identifier: GPL-2.0-only
/* movephys pagemap: the physical addresses of a process's memory. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

static const char help[] =
"usage: movephys pagemap --pid PID[,PID...]|--cgroup CGROUP [OPTIONS]\n"
"\n"
"Prints the physical addresses of the present pages of processes, as 0xADDR+SIZE\n"
"lines that `movephys move` and `movephys where` read.  Neighbouring pages share a\n"
"line.  Needs CAP_SYS_ADMIN, but neither the module nor a patched kernel.\n"
"\n"
"  -P, --pid PIDS       these processes; repeatable\n"
"      --cgroup CGROUP  the processes of this cgroup (a folder) and those below it\n"
"  -r, --range RANGE    only these virtual addresses: 0xSTART-0xEND or 0xSTART+SIZE\n"
FILTER_HELP
"      --per-page       a line for each page\n"
"  -v, --va             add the virtual address as a comment: # va=0x...\n"
"  -S, --summary        pages per node instead of addresses\n"
"  -j, --json           as JSON: one object per line, or one for --summary\n"
"\n"
"examples:\n"
"  movephys pagemap --pid 1234 --summary\n"
"  movephys pagemap --pid 1234 --node 1 | movephys move --to 0 -\n"
"  movephys pagemap --cgroup /sys/fs/cgroup/web --kind anon-large --mapped 1\n"
"  movephys pagemap --pid 1234 --range 0x7f5500000000+16M --va\n";

struct pagemap {
	struct stream stream;	/* first: what takes a record gets it */
	struct filters filters;
	pid_t *pids;
	size_t nr_pids;
	const char *cgroup;
	uint64_t va_start, va_end;
	bool per_page, va, summary;
	size_t nr_gone, nr_denied;	/* processes that were skipped */
	char skipped[256];		/* what there is to say of the first one */
	struct mpp_nodemap *map;
	uint64_t page_bytes;
	struct tally tally;
};

enum {
	OPT_PER_PAGE = 256,
	OPT_CGROUP,
};

static const struct option long_options[] = {
	{ "pid", required_argument, NULL, 'P' },
	{ "cgroup", required_argument, NULL, OPT_CGROUP },
	{ "range", required_argument, NULL, 'r' },
	FILTER_OPTIONS,
	{ "per-page", no_argument, NULL, OPT_PER_PAGE },
	{ "va", no_argument, NULL, 'v' },
	{ "summary", no_argument, NULL, 'S' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static int take_pids(char *text, struct pagemap *pm)
{
	char *rest = text, *word;
	uint64_t pid;

	while ((word = strsep(&rest, ","))) {
		pid_t *pids = reallocarray(pm->pids, pm->nr_pids + 1, sizeof(*pids));

		if (!pids) {
			complain("%s", strerror(ENOMEM));
			return EXIT_USAGE;
		}
		pm->pids = pids;
		if (parse_count(word, INT_MAX, &pid) || !pid)
			return usage_error("--pid %s: not a process number", word);
		pids[pm->nr_pids++] = (pid_t)pid;
	}
	return EXIT_DONE;
}

static int take_range(const char *text, struct pagemap *pm)
{
	struct mpp_record range;

	if (mpp_address_parse(text, strlen(text), 0, NULL, &range) || !strpbrk(text, "-+"))
		return usage_error("--range %s: 0xSTART-0xEND or 0xSTART+SIZE is wanted", text);
	pm->va_start = range.addr;
	pm->va_end = range.addr + range.size_bytes;
	if (pm->va_end <= pm->va_start)
		return usage_error("--range %s: beyond the end of the address space", text);
	return EXIT_DONE;
}

static int take_option(int opt, int argc, char **argv, struct pagemap *pm)
{
	switch (opt) {
	case 'P':
		return take_pids(optarg, pm);
	case OPT_CGROUP:
		pm->cgroup = optarg;
		break;
	case 'r':
		return take_range(optarg, pm);
	case OPT_PER_PAGE:
		pm->per_page = true;
		break;
	case 'v':
		pm->va = true;
		break;
	case 'S':
		pm->summary = true;
		break;
	case 'j':
		pm->stream.json = true;
		break;
	default:
		return option_error(argc, argv, opt);
	}
	return EXIT_DONE;
}

static int take_options(int argc, char **argv, struct pagemap *pm)
{
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":P:r:N:vSj", long_options, NULL)) != -1) {
		status = filters_has(opt) ? filters_take(opt, &pm->filters) :
			 take_option(opt, argc, argv, pm);
		if (status)
			return status;
	}
	if (optind < argc)
		return usage_error("\"%s\": this command takes options only", argv[optind]);
	if (!pm->nr_pids && !pm->cgroup)
		return usage_error("--pid PID or --cgroup CGROUP is missing");
	return EXIT_DONE;
}

static void print_with_va(struct stream *stream, struct mpp_source *src, size_t index,
			  const struct mpp_record *record)
{
	char text[32];
	uint64_t va;

	if (mpp_source_va(src, index, &va)) {
		stream_record(stream, record, NULL, NULL);
		return;
	}
	snprintf(text, sizeof(text), "0x%" PRIx64, va);
	stream_record(stream, record, "va", text);
}

/* A record may go from one node to the next. */
static void count_nodes(struct stream *stream, struct mpp_source *src, size_t index,
			const struct mpp_record *record)
{
	struct pagemap *pm = (struct pagemap *)stream;
	uint64_t at = record->addr, last = record->addr + (record->size_bytes - 1), part_last;

	(void)src;
	(void)index;
	for (;;) {
		int node = mpp_nodemap_range(pm->map, at, &part_last);

		if (part_last > last)
			part_last = last;
		tally_pair(&pm->tally, node, node, (part_last - at) / pm->page_bytes + 1);
		if (part_last == last)
			return;
		at = part_last + 1;
	}
}

static int compare_nodes(const void *a, const void *b)
{
	return ((const struct tally_pair *)a)->from - ((const struct tally_pair *)b)->from;
}

static void print_summary(struct pagemap *pm)
{
	struct tally *tally = &pm->tally;
	struct json_object *root, *nodes;
	char bytes[BYTES_TEXT_MAX];
	char key[16];

	if (tally->nr_pairs)
		qsort(tally->pairs, tally->nr_pairs, sizeof(*tally->pairs), compare_nodes);
	if (!pm->stream.json) {
		printf("%12s  where\n", "pages");
		for (size_t i = 0; i < tally->nr_pairs; i++) {
			const struct tally_pair *pair = &tally->pairs[i];

			if (pair->from < 0)
				snprintf(key, sizeof(key), "no memory");
			else
				snprintf(key, sizeof(key), "node %d", pair->from);
			printf("%12" PRIu64 "  %-12s %s\n", pair->nr_pages, key,
			       format_bytes(pair->nr_pages * pm->page_bytes, bytes,
					    sizeof(bytes)));
		}
		return;
	}
	root = json_object_new_object();
	nodes = json_object_new_object();
	for (size_t i = 0; i < tally->nr_pairs; i++) {
		const struct tally_pair *pair = &tally->pairs[i];

		if (pair->from < 0)
			snprintf(key, sizeof(key), "none");
		else
			snprintf(key, sizeof(key), "%d", pair->from);
		json_object_object_add(nodes, key,
				       json_object_new_int64((int64_t)pair->nr_pages));
	}
	if (pm->nr_pids == 1)
		json_object_object_add(root, "pid", json_object_new_int(pm->pids[0]));
	json_object_object_add(root, "nodes", nodes);
	json_print(root, true);
}

static int open_process(const struct pagemap *pm, struct mpp_source **src)
{
	const struct mpp_pagemap_options options = {
		.size = sizeof(options),
		.pid = pm->pids[0],
		.flags = pm->per_page ? MPP_PAGEMAP_PER_PAGE : 0,
		.va_start = pm->va_start,
		.va_end = pm->va_end,
	};
	int pid = (int)options.pid;
	int err = mpp_pagemap_open(&options, src);

	if (err == -ESRCH)
		complain("--pid %d: no such process", pid);
	else if (err == -EPERM)
		complain("--pid %d: not permitted; %s", pid, has_sys_admin() ?
			 "this process may not be looked into, even with CAP_SYS_ADMIN" :
			 "CAP_SYS_ADMIN is needed: run it as root (sudo)");
	else if (err)
		complain("--pid %d: %s", pid, strerror(-err));
	return err;
}

static int open_set(const struct pagemap *pm, struct mpp_source **src)
{
	const struct mpp_pagemap_set_options options = {
		.size = sizeof(options),
		.flags = pm->per_page ? MPP_PAGEMAP_PER_PAGE : 0,
		.pids = pm->pids,
		.nr_pids = pm->nr_pids,
		.cgroup = pm->cgroup,
		.va_start = pm->va_start,
		.va_end = pm->va_end,
	};
	int err = mpp_pagemap_set_open(&options, src);

	if (err && pm->cgroup)
		complain("--cgroup %s: %s%s", pm->cgroup, err == -ENOENT ?
			 "not the folder of a cgroup (there is no cgroup.procs)" : strerror(-err),
			 root_remedy(err == -EACCES));
	else if (err)
		complain("%s", strerror(-err));
	return err;
}

/* Of many processes some end in the meantime, and some may not be looked into. */
static bool skip_process(struct stream *stream, int err, const char *text)
{
	struct pagemap *pm = (struct pagemap *)stream;

	if (err != -ESRCH && (err != -EPERM || !has_sys_admin()))
		return false;
	if (!pm->nr_gone && !pm->nr_denied)
		snprintf(pm->skipped, sizeof(pm->skipped), "%s", text);
	pm->nr_gone += err == -ESRCH;
	pm->nr_denied += err == -EPERM;
	return true;
}

/* One line, of however many. */
static void warn_of_skipped(const struct pagemap *pm)
{
	if (pm->nr_gone + pm->nr_denied == 1)
		warn_about("%s", pm->skipped);
	else if (pm->nr_gone + pm->nr_denied)
		warn_about("%zu processes skipped: %zu gone, %zu that may not be looked into; "
			   "the first: %s", pm->nr_gone + pm->nr_denied, pm->nr_gone,
			   pm->nr_denied, pm->skipped);
}

static int open_source(struct pagemap *pm, struct mpp_source **src)
{
	bool single = pm->nr_pids == 1 && !pm->cgroup;
	int err = single ? open_process(pm, src) : open_set(pm, src);

	if (err)
		return EXIT_USAGE;
	if (!single)
		pm->stream.forgives = skip_process;
	return filters_apply(&pm->filters, src);
}

static int print_pages(struct pagemap *pm)
{
	struct mpp_source *src;
	int status, err;

	if (pm->summary) {
		err = mpp_nodemap_open(&pm->map);
		if (err) {
			complain("cannot tell which node an address belongs to: %s",
				 strerror(-err));
			return EXIT_USAGE;
		}
	}
	status = open_source(pm, &src);
	if (status)
		return status;
	if (pm->summary)
		pm->stream.take = count_nodes;
	else if (pm->va)
		pm->stream.take = print_with_va;
	status = stream_source(&pm->stream, src);
	mpp_source_unref(src);
	warn_of_skipped(pm);
	if (pm->summary && !status)
		print_summary(pm);
	return status;
}

static int run_pagemap(int argc, char **argv)
{
	struct pagemap pm = { .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE) };
	int status = take_options(argc, argv, &pm);

	if (!status)
		status = print_pages(&pm);
	mpp_nodemap_free(pm.map);
	filters_free(&pm.filters);
	free(pm.pids);
	tally_free(&pm.tally);
	return status;
}

const struct command cmd_pagemap = {
	.name = "pagemap",
	.summary = "print the physical addresses of processes' memory",
	.help = help,
	.run = run_pagemap,
};
