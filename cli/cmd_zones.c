// SPDX-License-Identifier: GPL-2.0-only
/* movephys zones: what memory there is, and where. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static const char help[] =
"usage: movephys zones [OPTIONS]\n"
"\n"
"Prints all physical addresses that hold memory, as 0xADDR+SIZE lines: one for\n"
"each stretch without a hole in one zone of a node.  `movephys move`, `where` and\n"
"the other commands read them.  Holes inside a memory block are known to root only.\n"
"\n"
FILTER_HELP
"  -S, --summary        a table of zones with their spans and holes instead\n"
"  -j, --json           as JSON: one object per line, or one for --summary\n"
"\n"
"examples:\n"
"  movephys zones --summary\n"
"  movephys zones --node 1 | movephys where -\n"
"  movephys zones --node 1 --kind user --charged /sys/fs/cgroup/web |\n"
"      movephys move --to 0 -\n";

#define ZONES_MAX	8192	/* more than 1024 nodes can have */

struct zones {
	struct stream stream;	/* first: take_record() gets it */
	struct filters filters;
	bool summary;
};

static const struct option long_options[] = {
	FILTER_OPTIONS,
	{ "summary", no_argument, NULL, 'S' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static int take_options(int argc, char **argv, struct zones *zones)
{
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":N:Sj", long_options, NULL)) != -1) {
		if (filters_has(opt)) {
			status = filters_take(opt, &zones->filters);
			if (status)
				return status;
		} else if (opt == 'S') {
			zones->summary = true;
		} else if (opt == 'j') {
			zones->stream.json = true;
		} else {
			return option_error(argc, argv, opt);
		}
	}
	if (optind < argc)
		return usage_error("\"%s\": this command takes options only", argv[optind]);
	return EXIT_DONE;
}

static void print_row(const struct mpp_zone *zone)
{
	char spanned[BYTES_TEXT_MAX], present[BYTES_TEXT_MAX], holes[BYTES_TEXT_MAX];
	char managed[BYTES_TEXT_MAX];

	printf("%4d  %-8s  0x%-14" PRIx64 "  0x%-14" PRIx64 "  %11s  %11s  %11s  %11s\n",
	       zone->node, zone->name, zone->start, zone->start + zone->spanned_bytes,
	       format_bytes(zone->spanned_bytes, spanned, sizeof(spanned)),
	       format_bytes(zone->spanned_bytes - zone->present_bytes, holes, sizeof(holes)),
	       format_bytes(zone->present_bytes, present, sizeof(present)),
	       format_bytes(zone->managed_bytes, managed, sizeof(managed)));
}

static struct json_object *zone_json(const struct mpp_zone *zone)
{
	struct json_object *object = json_object_new_object();
	char address[32];

	snprintf(address, sizeof(address), "0x%" PRIx64, zone->start);
	json_object_object_add(object, "node", json_object_new_int(zone->node));
	json_object_object_add(object, "zone", json_object_new_string(zone->name));
	json_object_object_add(object, "start", json_object_new_string(address));
	json_object_object_add(object, "spanned_bytes",
			       json_object_new_int64((int64_t)zone->spanned_bytes));
	json_object_object_add(object, "present_bytes",
			       json_object_new_int64((int64_t)zone->present_bytes));
	json_object_object_add(object, "managed_bytes",
			       json_object_new_int64((int64_t)zone->managed_bytes));
	return object;
}

static int print_summary(const struct zones *zones)
{
	struct mpp_zone *all = calloc(ZONES_MAX, sizeof(*all));
	struct json_object *list = json_object_new_array();
	int nr = all ? mpp_zones_read(ZONES_MAX, all) : -ENOMEM;

	if (nr < 0)
		complain("cannot read the zones: %s", strerror(-nr));
	else if (!zones->stream.json)
		printf("%4s  %-8s  %-16s  %-16s  %11s  %11s  %11s  %11s\n", "node", "zone",
		       "start", "end", "spanned", "holes", "present", "managed");
	for (int i = 0; i < nr && i < ZONES_MAX; i++) {
		if (zones->filters.nodes && !nodes_contain(zones->filters.nodes, all[i].node))
			continue;
		if (zones->stream.json)
			json_object_array_add(list, zone_json(&all[i]));
		else
			print_row(&all[i]);
	}
	free(all);
	if (nr >= 0 && zones->stream.json)
		json_print(list, true);
	else
		json_object_put(list);
	return nr < 0 ? EXIT_USAGE : EXIT_DONE;
}

/* With a filter on top, which zone a record is of is not to be had. */
static void take_record(struct stream *stream, struct mpp_source *src, size_t index,
			const struct mpp_record *record)
{
	struct mpp_zone zone;
	char name[MPP_ZONE_NAME_MAX + 16];

	if (mpp_zoneinfo_zone(src, index, &zone)) {
		stream_record(stream, record, NULL, NULL);
		return;
	}
	snprintf(name, sizeof(name), "node%d:%s", zone.node, zone.name);
	stream_record(stream, record, "zone", name);
}

static int print_ranges(struct zones *zones)
{
	struct mpp_zoneinfo_options options = { .size = sizeof(options) };
	int *nodes = filters_nodes(&zones->filters, &options.nr_nodes);
	struct filters others = zones->filters;
	struct mpp_source *src;
	int status, err;

	options.nodes = nodes;
	err = mpp_zoneinfo_open(&options, &src);
	free(nodes);
	if (err) {
		complain("cannot tell what memory there is: %s", err == -ENOENT ?
			 "the kernel shows no zones in /proc/zoneinfo" : strerror(-err));
		return EXIT_USAGE;
	}
	others.nodes = NULL;	/* the source itself has seen to them */
	status = filters_apply(&others, &src);
	if (!status) {
		zones->stream.take = take_record;
		status = stream_source(&zones->stream, src);
		mpp_source_unref(src);
	}
	return status;
}

static int run_zones(int argc, char **argv)
{
	struct zones zones = { 0 };
	int status = take_options(argc, argv, &zones);

	if (!status)
		status = zones.summary ? print_summary(&zones) : print_ranges(&zones);
	filters_free(&zones.filters);
	return status;
}

const struct command cmd_zones = {
	.name = "zones",
	.summary = "print where memory is, and on which node",
	.help = help,
	.run = run_zones,
};
