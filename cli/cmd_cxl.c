// SPDX-License-Identifier: GPL-2.0-only
/* movephys cxl: CXL regions, and addresses of their devices. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "input.h"

static const char help[] =
"usage: movephys cxl [list] [--json]\n"
"       movephys cxl to-hpa [--unit SIZE] [FILTERS] [--json] DEVICE:DPA|FILE|-...\n"
"       movephys cxl to-dpa [--json] ADDRESS|FILE|-...\n"
"\n"
"A CXL memory device counts its bytes from 0: device physical addresses, DPA. Where\n"
"they are among the machine's physical addresses, the region tells that the device\n"
"belongs to, alone or interleaved with others.\n"
"\n"
"  list    devices, regions, and who contributes what to them\n"
"  to-hpa  from a device's addresses to physical ones, as `movephys move` reads them.\n"
"          DEVICE:DPA, as in mem0:0x1000, gives the one byte; FILE, or - for standard\n"
"          input, is a hot list: `DEVICE DPA[+SIZE] [WEIGHT [TIME]]` a line. A unit\n"
"          that is spread over several pages yields each with its share of the weight\n"
"  to-dpa  the other way, as such a list\n"
"\n"
"  -u, --unit SIZE      what an address without a size stands for in a hot list (4K)\n"
"  -j, --json           as JSON: one object per line, or one for list\n"
"\n"
"Filters, of what hot lists yield:\n"
FILTER_HELP
"\n"
"Windows over several host bridges may XOR addresses, which only a table tells that\n"
"needs root to read.\n"
"\n"
"examples:\n"
"  movephys cxl\n"
"  movephys cxl to-hpa mem0:0x10000000\n"
"  movephys cxl to-hpa hotlist | movephys rank --top 256M | movephys move --to 0 -\n"
"  movephys cxl to-hpa --kind anon,anon-large hotlist | movephys move --to 0 -\n"
"  movephys pagemap --pid 1234 | movephys cxl to-dpa -\n";

struct options {
	bool json;
	uint64_t unit_bytes;
	struct filters filters;
	bool filtered;		/* one of these was given */
};

static int open_topology(struct mpp_cxl **cxl)
{
	int err = mpp_cxl_open(cxl);

	if (!err)
		return EXIT_DONE;
	if (err == -ENOSYS)
		complain("built without libcxl; install it (Debian: libcxl-dev) and build again");
	else if (err == -ENODEV)
		complain("no CXL bus here: the machine has no CXL memory, or the kernel's modules "
			 "cxl_acpi, cxl_pci and cxl_mem are not loaded");
	else
		complain("reading /sys/bus/cxl: %s", strerror(-err));
	return EXIT_USAGE;
}

static const char *device_name(const struct mpp_cxl *cxl, size_t index,
			       struct mpp_cxl_device *device)
{
	device->size = sizeof(*device);
	return mpp_cxl_get_device(cxl, index, device) ? "?" : device->name;
}

/* ---- list ---- */

/* -1 when none of it is online. */
static int region_node(const struct mpp_nodemap *map, const struct mpp_cxl_region *region)
{
	int node;

	if (!map || !region->size_bytes)
		return -1;
	/* Its first blocks may hold the kernel's own tables of it. */
	node = mpp_nodemap_node(map, region->start + region->size_bytes - 1);
	if (node < 0)
		node = mpp_nodemap_node(map, region->start + region->size_bytes / 2);
	return node < 0 ? -1 : node;
}

static void print_devices(const struct mpp_cxl *cxl)
{
	struct mpp_cxl_device device = { .size = sizeof(device) };
	char ram[BYTES_TEXT_MAX], pmem[BYTES_TEXT_MAX];

	puts("devices:");
	for (size_t i = 0; !mpp_cxl_get_device(cxl, i, &device); i++)
		printf("  %-6s %-13s serial 0x%" PRIx64 ", %s volatile, %s persistent\n",
		       device.name, device.host, device.serial,
		       format_bytes(device.ram_bytes, ram, sizeof(ram)),
		       format_bytes(device.pmem_bytes, pmem, sizeof(pmem)));
	if (mpp_cxl_get_device(cxl, 0, &device))
		puts("  none");
}

static void print_region(const struct mpp_cxl *cxl, const struct mpp_nodemap *map,
			 const struct mpp_cxl_region *region)
{
	int node = region_node(map, region);
	struct mpp_cxl_device device;
	char bytes[BYTES_TEXT_MAX], way[BYTES_TEXT_MAX];

	if (*region->problem) {
		printf("  %s: %s\n", region->name, region->problem);
		return;
	}
	printf("  %s: 0x%" PRIx64 "+%" PRIu64 " (%s), ", region->name, region->start,
	       region->size_bytes, format_bytes(region->size_bytes, bytes, sizeof(bytes)));
	if (node >= 0)
		printf("node %d, ", node);
	if (region->ways == 1)
		printf("not interleaved");
	else
		printf("%u ways of %s", region->ways,
		       format_bytes(region->granularity, way, sizeof(way)));
	printf(", %s of %u host bridge%s%s\n", region->window, region->window_ways,
	       region->window_ways == 1 ? "" : "s", region->nr_xor ? " by XOR" : "");
	if (region->cache_bytes)
		printf("    the first %s are ordinary memory that caches it\n",
		       format_bytes(region->cache_bytes, bytes, sizeof(bytes)));
	for (uint32_t i = 0; i < region->nr_parts; i++)
		printf("    %2u  %-6s 0x%" PRIx64 "+%" PRIu64 "\n", i,
		       device_name(cxl, region->parts[i].device, &device), region->parts[i].dpa,
		       region->part_bytes);
}

static void add_hex(struct json_object *object, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_object_object_add(object, key, json_object_new_string(text));
}

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static struct json_object *region_json(const struct mpp_cxl *cxl, const struct mpp_nodemap *map,
				       const struct mpp_cxl_region *region)
{
	struct json_object *object = json_object_new_object();
	struct json_object *parts = json_object_new_array();
	struct mpp_cxl_device device;
	int node = region_node(map, region);

	json_object_object_add(object, "name", json_object_new_string(region->name));
	json_object_object_add(object, "window", json_object_new_string(region->window));
	add_hex(object, "address", region->start);
	add_number(object, "size", region->size_bytes);
	json_object_object_add(object, "node", node < 0 ? NULL : json_object_new_int(node));
	add_number(object, "ways", region->ways);
	add_number(object, "granularity", region->granularity);
	add_number(object, "host_bridges", region->window_ways);
	json_object_object_add(object, "xor", json_object_new_boolean(region->nr_xor != 0));
	add_number(object, "cache_bytes", region->cache_bytes);
	for (uint32_t i = 0; i < region->nr_parts && !*region->problem; i++) {
		struct json_object *part = json_object_new_object();

		json_object_object_add(part, "device", json_object_new_string(
			device_name(cxl, region->parts[i].device, &device)));
		add_hex(part, "dpa", region->parts[i].dpa);
		add_number(part, "size", region->part_bytes);
		json_object_array_add(parts, part);
	}
	json_object_object_add(object, "parts", parts);
	json_object_object_add(object, "problem", *region->problem ?
			       json_object_new_string(region->problem) : NULL);
	return object;
}

static void print_topology_json(const struct mpp_cxl *cxl, const struct mpp_nodemap *map)
{
	struct json_object *root = json_object_new_object();
	struct json_object *devices = json_object_new_array();
	struct json_object *regions = json_object_new_array();
	struct mpp_cxl_device device = { .size = sizeof(device) };
	struct mpp_cxl_region region = { .size = sizeof(region) };

	for (size_t i = 0; !mpp_cxl_get_device(cxl, i, &device); i++) {
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "name", json_object_new_string(device.name));
		json_object_object_add(object, "host", json_object_new_string(device.host));
		add_hex(object, "serial", device.serial);
		add_number(object, "ram_bytes", device.ram_bytes);
		add_number(object, "pmem_bytes", device.pmem_bytes);
		json_object_array_add(devices, object);
	}
	for (size_t i = 0; !mpp_cxl_get_region(cxl, i, &region); i++)
		json_object_array_add(regions, region_json(cxl, map, &region));
	json_object_object_add(root, "devices", devices);
	json_object_object_add(root, "regions", regions);
	json_print(root, true);
}

static int run_list(const struct mpp_cxl *cxl, const struct options *options, int nr_args,
		    char **args)
{
	struct mpp_cxl_region region = { .size = sizeof(region) };
	struct mpp_nodemap *map = NULL;

	if (nr_args)
		return usage_error("\"%s\": `cxl list` takes options only", args[0]);
	/* Without it there is only no node to tell. */
	mpp_nodemap_open(&map);
	if (options->json) {
		print_topology_json(cxl, map);
	} else {
		print_devices(cxl);
		puts("regions:");
		for (size_t i = 0; !mpp_cxl_get_region(cxl, i, &region); i++)
			print_region(cxl, map, &region);
		if (mpp_cxl_get_region(cxl, 0, &region))
			puts("  none");
	}
	mpp_nodemap_free(map);
	return EXIT_DONE;
}

/* ---- to-hpa ---- */

static int print_one_hpa(const struct mpp_cxl *cxl, struct stream *stream, const char *arg,
			 const char *colon)
{
	int device = mpp_cxl_find_device(cxl, arg, (size_t)(colon - arg));
	struct mpp_record record;
	const char *why;

	if (device < 0)
		return usage_error("\"%s\": there is no CXL device of this name; "
				   "`movephys cxl` lists them", arg);
	if (mpp_address_parse(colon + 1, strlen(colon + 1), 0, &why, &record))
		return usage_error("\"%s\": %s", arg, why);
	if (record.size_bytes != 1)
		return usage_error("\"%s\": DEVICE:DPA is one address; "
				   "a hot list may have ranges", arg);
	if (mpp_cxl_to_hpa(cxl, (size_t)device, record.addr, &record.addr)) {
		complain("%s: in no region", arg);
		return EXIT_MISSED;
	}
	record.source = MPP_SOURCE_CXL;
	stream_record(stream, &record, "dpa", arg);
	return EXIT_DONE;
}

static int print_hot_list(const struct mpp_cxl *cxl, struct stream *stream, const char *arg,
			  const struct options *options)
{
	const struct mpp_cxl_hot_options hot = {
		.size = sizeof(hot),
		.cxl = cxl,
		.unit_bytes = options->unit_bytes,
	};
	struct mpp_source *src;
	int status, err;

	if (!strcmp(arg, "-"))
		err = mpp_cxl_hot_open_fd(0, "<stdin>", &hot, &src);
	else
		err = mpp_cxl_hot_open(arg, &hot, &src);
	if (err == -EINVAL)
		return usage_error("--unit: a power of two from 64 is wanted");
	if (err)
		return usage_error("\"%s\": neither DEVICE:DPA nor a file to read: %s", arg,
				   strerror(-err));
	status = filters_apply(&options->filters, &src);
	if (status)
		return status;
	status = stream_source(stream, src);
	mpp_source_unref(src);
	return status;
}

static bool is_address(const char *arg)
{
	return strchr(arg, ':') && !strchr(arg, '/');
}

static int run_to_hpa(const struct mpp_cxl *cxl, const struct options *options, int nr_args,
		      char **args)
{
	struct stream stream = { .json = options->json };
	int result = EXIT_DONE;

	if (!nr_args)
		return usage_error("no addresses: DEVICE:DPA, a hot list's file, or - for "
				   "standard input");
	for (int i = 0; i < nr_args; i++) {
		int status = is_address(args[i]) ?
			print_one_hpa(cxl, &stream, args[i], strchr(args[i], ':')) :
			print_hot_list(cxl, &stream, args[i], options);

		if (status > result)
			result = status;
		if (status > EXIT_USAGE)
			break;
	}
	return result;
}

/* ---- to-dpa ---- */

#define STEP_BYTES	256	/* the finest interleave; what is within goes to one device */

/* Stretches of device addresses that belong to one range of host addresses. */
struct runs {
	const struct mpp_cxl *cxl;
	bool json;
	uint64_t total_bytes;		/* of the range */
	double weight;
	uint64_t time_ns;
	uint64_t missed_bytes;		/* in no region, over all ranges */
	struct {
		size_t device;
		uint64_t dpa, bytes;	/* 0 bytes: not in use */
	} open[MPP_CXL_WAYS_MAX];
};

static void print_run(struct runs *runs, size_t at)
{
	char line[MPP_RECORD_TEXT_MAX];
	struct mpp_cxl_device device;
	const char *name = device_name(runs->cxl, runs->open[at].device, &device);
	const struct mpp_record record = {
		.addr = runs->open[at].dpa,
		.size_bytes = runs->open[at].bytes,
		.weight = runs->weight * (double)runs->open[at].bytes /
			  (double)runs->total_bytes,
		.time_ns = runs->time_ns,
	};

	runs->open[at].bytes = 0;
	if (runs->json) {
		printf("{\"device\":\"%s\",\"dpa\":\"0x%" PRIx64 "\",\"size\":%" PRIu64
		       ",\"weight\":%.9g}\n", name, record.addr, record.size_bytes,
		       record.weight);
		return;
	}
	mpp_record_format(&record, line);
	printf("%s %s", name, line);
}

static void add_to_run(struct runs *runs, size_t device, uint64_t dpa, uint64_t bytes)
{
	size_t at, unused = 0;

	for (at = 0; at < MPP_CXL_WAYS_MAX; at++) {
		if (!runs->open[at].bytes)
			unused = at;
		else if (runs->open[at].device == device)
			break;
	}
	if (at < MPP_CXL_WAYS_MAX && runs->open[at].dpa + runs->open[at].bytes == dpa) {
		runs->open[at].bytes += bytes;
		return;
	}
	if (at < MPP_CXL_WAYS_MAX)
		print_run(runs, at);
	else
		at = unused;
	/* More devices than a region has: the range goes on in another one. */
	if (runs->open[at].bytes)
		print_run(runs, at);
	runs->open[at].device = device;
	runs->open[at].dpa = dpa;
	runs->open[at].bytes = bytes;
}

static void print_dpas(struct runs *runs, const struct mpp_record *record)
{
	uint64_t done = 0, bytes, dpa;
	size_t device;

	runs->total_bytes = record->size_bytes;
	runs->weight = record->weight;
	runs->time_ns = record->time_ns;
	while (done < record->size_bytes && !output_is_broken() && !interrupt_seen()) {
		uint64_t hpa = record->addr + done;

		bytes = STEP_BYTES - hpa % STEP_BYTES;
		if (bytes > record->size_bytes - done)
			bytes = record->size_bytes - done;
		if (mpp_cxl_to_dpa(runs->cxl, hpa, &device, &dpa))
			runs->missed_bytes += bytes;
		else
			add_to_run(runs, device, dpa, bytes);
		done += bytes;
	}
	for (size_t at = 0; at < MPP_CXL_WAYS_MAX; at++)
		if (runs->open[at].bytes)
			print_run(runs, at);
}

static int run_to_dpa(const struct mpp_cxl *cxl, const struct options *options, int nr_args,
		      char **args)
{
	struct runs runs = { .cxl = cxl, .json = options->json };
	char bytes[BYTES_TEXT_MAX];
	struct mpp_record records[64];
	int nodes[64];
	struct input *in;
	uint64_t nr_bad;
	int nr;

	in = input_open(nr_args, args, 0, false);
	if (!in)
		return EXIT_USAGE;
	interrupt_catch();
	while ((nr = input_read(in, ARRAY_SIZE(records), records, nodes)) > 0) {
		for (int i = 0; i < nr; i++)
			print_dpas(&runs, &records[i]);
		if (output_is_broken() || interrupt_seen())
			break;
		if (!input_ready(in))
			fflush(stdout);
	}
	nr_bad = input_nr_bad(in);
	input_close(in);
	if (interrupt_seen())
		return EXIT_SIGNAL + interrupt_seen();
	if (runs.missed_bytes)
		complain("%s are in no CXL region that could be translated",
			 format_bytes(runs.missed_bytes, bytes, sizeof(bytes)));
	if (nr < 0 || nr_bad)
		return EXIT_USAGE;
	return runs.missed_bytes ? EXIT_MISSED : EXIT_DONE;
}

/* ---- The command ---- */

static const struct verb {
	const char *name;
	int (*run)(const struct mpp_cxl *cxl, const struct options *options, int nr_args,
		   char **args);
} verbs[] = {
	{ "list", run_list },
	{ "to-hpa", run_to_hpa },
	{ "to-dpa", run_to_dpa },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int take_options(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
		{ "unit", required_argument, NULL, 'u' },
		FILTER_OPTIONS,
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":ju:N:", long_options, NULL)) != -1) {
		if (opt == 'j') {
			options->json = true;
		} else if (filters_has(opt)) {
			status = filters_take(opt, &options->filters);
			if (status)
				return status;
			options->filtered = true;
		} else if (opt != 'u') {
			return option_error(argc, argv, opt);
		} else if (parse_size(optarg, &options->unit_bytes) || options->unit_bytes < 64 ||
			   options->unit_bytes & (options->unit_bytes - 1)) {
			return usage_error("--unit %s: a power of two from 64 is wanted", optarg);
		}
	}
	return EXIT_DONE;
}

/* What hot lists yield can be filtered, and nothing else. */
static int check_filters(const struct verb *verb, int nr_args, char **args)
{
	if (verb->run != run_to_hpa)
		return usage_error("filters such as --node are for `cxl to-hpa`");
	for (int i = 0; i < nr_args; i++)
		if (is_address(args[i]))
			return usage_error("\"%s\": one address; filters are for hot lists",
					   args[i]);
	return EXIT_DONE;
}

static int run_cxl(int argc, char **argv)
{
	struct options options = { 0 };
	const struct verb *verb = &verbs[0];
	struct mpp_cxl *cxl;
	int status = take_options(argc, argv, &options);

	if (!status && optind < argc) {
		verb = find_verb(argv[optind]);
		if (!verb)
			status = usage_error("\"%s\": list, to-hpa or to-dpa is wanted",
					     argv[optind]);
		optind++;
	}
	if (!status && options.filtered)
		status = check_filters(verb, argc - optind, argv + optind);
	if (!status)
		status = open_topology(&cxl);
	if (!status) {
		status = verb->run(cxl, &options, argc - optind, argv + optind);
		mpp_cxl_unref(cxl);
	}
	filters_free(&options.filters);
	return status;
}

const struct command cmd_cxl = {
	.name = "cxl",
	.summary = "list CXL memory, translate the addresses of its devices",
	.help = help,
	.run = run_cxl,
};
