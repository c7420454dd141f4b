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
"usage: movephys pagemap --pid PID [OPTIONS]\n"
"\n"
"Prints the physical addresses of a process's present pages, as 0xADDR+SIZE lines\n"
"that `movephys move` and `movephys where` read. Neighbouring pages share a line.\n"
"Needs CAP_SYS_ADMIN, but neither the module nor a patched kernel.\n"
"\n"
"  -P, --pid PID      the process\n"
"  -r, --range RANGE  only these virtual addresses: 0xSTART-0xEND or 0xSTART+SIZE\n"
"  -N, --node NODES   only pages on these nodes (0, 0-2, 1,3, all)\n"
"      --per-page     a line for each page\n"
"  -v, --va           add the virtual address as a comment: # va=0x...\n"
"  -S, --summary      pages per node instead of addresses\n"
"  -j, --json         as JSON: one object per line, or one for --summary\n"
"\n"
"examples:\n"
"  movephys pagemap --pid 1234 --summary\n"
"  movephys pagemap --pid 1234 --node 1 | movephys move --to 0 -\n"
"  movephys pagemap --pid 1234 --range 0x7f5500000000+16M --va\n";

#define READ_RECORDS	1024

struct pagemap {
	pid_t pid;
	uint64_t va_start, va_end;
	struct bitmask *nodes;
	bool per_page, va, summary, json;
	struct mpp_nodemap *map;
	uint64_t page_bytes;
	struct tally tally;
};

enum {
	OPT_PER_PAGE = 256,
};

static const struct option long_options[] = {
	{ "pid", required_argument, NULL, 'P' },
	{ "range", required_argument, NULL, 'r' },
	{ "node", required_argument, NULL, 'N' },
	{ "per-page", no_argument, NULL, OPT_PER_PAGE },
	{ "va", no_argument, NULL, 'v' },
	{ "summary", no_argument, NULL, 'S' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

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
	uint64_t pid;

	switch (opt) {
	case 'P':
		if (parse_count(optarg, INT_MAX, &pid) || !pid)
			return usage_error("--pid %s: not a process number", optarg);
		pm->pid = (pid_t)pid;
		break;
	case 'r':
		return take_range(optarg, pm);
	case 'N':
		nodes_free(pm->nodes);
		pm->nodes = NULL;
		return nodes_parse("--node", optarg, &pm->nodes) ? EXIT_DONE : EXIT_USAGE;
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
		pm->json = true;
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
		status = take_option(opt, argc, argv, pm);
		if (status)
			return status;
	}
	if (optind < argc)
		return usage_error("\"%s\": this command takes options only", argv[optind]);
	if (!pm->pid)
		return usage_error("--pid PID is missing");
	return EXIT_DONE;
}

static void print_range(const struct pagemap *pm, uint64_t addr, uint64_t bytes, uint64_t va)
{
	if (pm->json)
		printf("{\"address\":\"0x%" PRIx64 "\",\"size\":%" PRIu64 ",\"va\":\"0x%" PRIx64
		       "\"}\n", addr, bytes, va);
	else if (pm->va)
		printf("0x%" PRIx64 "+%" PRIu64 " # va=0x%" PRIx64 "\n", addr, bytes, va);
	else
		printf("0x%" PRIx64 "+%" PRIu64 "\n", addr, bytes);
}

/* Cuts a range where it goes from node to node; prints or counts the parts wanted. */
static void take_record(struct pagemap *pm, const struct mpp_record *record, uint64_t va)
{
	uint64_t done = 0, bytes;

	while (done < record->size_bytes) {
		int node = mpp_nodemap_node(pm->map, record->addr + done);

		for (bytes = pm->page_bytes; done + bytes < record->size_bytes;
		     bytes += pm->page_bytes)
			if (mpp_nodemap_node(pm->map, record->addr + done + bytes) != node)
				break;
		if (!pm->nodes || nodes_contain(pm->nodes, node)) {
			if (pm->summary)
				for (uint64_t at = 0; at < bytes; at += pm->page_bytes)
					tally_pair(&pm->tally, node, node);
			else
				print_range(pm, record->addr + done, bytes, va + done);
		}
		done += bytes;
	}
}

static int read_all(struct pagemap *pm, struct mpp_source *src)
{
	struct mpp_record *records = calloc(READ_RECORDS, sizeof(*records));
	int nr = records ? 0 : -ENOMEM;

	while (records) {
		nr = mpp_source_read(src, READ_RECORDS, records);
		if (nr <= 0 || output_is_broken() || interrupt_seen())
			break;
		for (int i = 0; i < nr; i++) {
			uint64_t va = 0;

			mpp_source_va(src, (size_t)i, &va);
			if (pm->map)
				take_record(pm, &records[i], va);
			else
				print_range(pm, records[i].addr, records[i].size_bytes, va);
		}
	}
	free(records);
	if (nr < 0 && !interrupt_seen())
		complain("%s", mpp_source_error(src));
	return nr < 0 ? nr : 0;
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
	if (!pm->json) {
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
	json_object_object_add(root, "pid", json_object_new_int(pm->pid));
	json_object_object_add(root, "nodes", nodes);
	json_print(root, true);
}

static int open_source(const struct pagemap *pm, struct mpp_source **src)
{
	const struct mpp_pagemap_options options = {
		.size = sizeof(options),
		.pid = pm->pid,
		.flags = pm->per_page ? MPP_PAGEMAP_PER_PAGE : 0,
		.va_start = pm->va_start,
		.va_end = pm->va_end,
	};
	int err = mpp_pagemap_open(&options, src);

	if (err == -ESRCH)
		complain("--pid %d: no such process", (int)pm->pid);
	else if (err == -EPERM)
		complain("--pid %d: not permitted; %s", (int)pm->pid, has_sys_admin() ?
			 "this process may not be looked into, even with CAP_SYS_ADMIN" :
			 "CAP_SYS_ADMIN is needed: run it as root (sudo)");
	else if (err)
		complain("--pid %d: %s", (int)pm->pid, strerror(-err));
	return err;
}

static int print_pages(struct pagemap *pm)
{
	struct mpp_source *src;
	int err;

	if (pm->nodes || pm->summary) {
		err = mpp_nodemap_open(&pm->map);
		if (err) {
			complain("cannot tell which node an address belongs to: %s",
				 strerror(-err));
			return EXIT_USAGE;
		}
	}
	if (open_source(pm, &src))
		return EXIT_USAGE;
	interrupt_catch();
	interrupt_cancels(src);
	err = read_all(pm, src);
	interrupt_cancels(NULL);
	mpp_source_unref(src);
	if (interrupt_seen())
		return EXIT_SIGNAL + interrupt_seen();
	if (pm->summary && !err)
		print_summary(pm);
	return err ? EXIT_USAGE : EXIT_DONE;
}

static int run_pagemap(int argc, char **argv)
{
	struct pagemap pm = { .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE) };
	int status = take_options(argc, argv, &pm);

	if (!status)
		status = print_pages(&pm);
	mpp_nodemap_free(pm.map);
	nodes_free(pm.nodes);
	tally_free(&pm.tally);
	return status;
}

const struct command cmd_pagemap = {
	.name = "pagemap",
	.summary = "print the physical addresses of a process's memory",
	.help = help,
	.run = run_pagemap,
};
