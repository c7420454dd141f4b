// SPDX-License-Identifier: GPL-2.0-only
/* The options that every source shares, and the filter that they ask for. */
#include <errno.h>
#include <numa.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"

#define KINDS_CACHE	(1u << MPP_KIND_FILE | 1u << MPP_KIND_SHMEM | 1u << MPP_KIND_CACHE_LARGE)
#define KINDS_USER	(KINDS_CACHE | 1u << MPP_KIND_ANON | 1u << MPP_KIND_ANON_LARGE | \
			 1u << MPP_KIND_KSM | 1u << MPP_KIND_HUGETLB)

static int take_within(struct filters *filters, const char *text)
{
	struct mpp_record range, *ranges;
	const char *why;

	if (mpp_address_parse(text, strlen(text), 0, &why, &range))
		return usage_error("--within %s: %s", text, why);
	if (!strpbrk(text, "-+"))
		return usage_error("--within %s: 0xSTART-0xEND or 0xSTART+SIZE is wanted", text);
	ranges = reallocarray(filters->ranges, filters->nr_ranges + 1, sizeof(*ranges));
	if (!ranges) {
		complain("%s", strerror(ENOMEM));
		return EXIT_USAGE;
	}
	filters->ranges = ranges;
	ranges[filters->nr_ranges++] = range;
	return EXIT_DONE;
}

static uint64_t kinds_named(const char *name, size_t len)
{
	if (len == 4 && !strncmp(name, "user", len))
		return KINDS_USER;
	if (len == 5 && !strncmp(name, "cache", len))
		return KINDS_CACHE;
	for (unsigned int kind = 0; kind < MPP_NR_KINDS; kind++)
		if (strlen(mpp_kind_name(kind)) == len && !strncmp(mpp_kind_name(kind), name, len))
			return UINT64_C(1) << kind;
	return 0;
}

static int take_kinds(struct filters *filters, const char *text)
{
	const char *at = text;

	for (;;) {
		size_t len = strcspn(at, ",");
		uint64_t kinds = kinds_named(at, len);

		if (!kinds)
			return usage_error("--kind %s: \"%.*s\" is no kind of page", text,
					   (int)len, at);
		filters->kinds |= kinds;
		if (!at[len])
			return EXIT_DONE;
		at += len + 1;
	}
}

static int take_charged(struct filters *filters, const char *text)
{
	struct stat info;
	char path[512];

	/* The inode is the cgroup's number; names begin at the root of cgroup v2. */
	if (*text != '/') {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", text);
		text = path;
	}
	if (stat(text, &info)) {
		complain("--charged %s: %s", text, strerror(errno));
		return EXIT_USAGE;
	}
	if (!S_ISDIR(info.st_mode))
		return usage_error("--charged %s: the folder of a cgroup is wanted", text);
	filters->cgroup_ino = info.st_ino;
	return EXIT_DONE;
}

static int take_mapped(struct filters *filters, const char *text)
{
	char copy[48], *dash;
	bool bad;

	snprintf(copy, sizeof(copy), "%s", text);
	dash = strchr(copy, '-');
	if (dash)
		*dash++ = '\0';
	bad = parse_count(copy, UINT32_MAX, &filters->mapped_min);
	filters->mapped_max = filters->mapped_min;
	if (dash && *dash)
		bad |= parse_count(dash, UINT32_MAX, &filters->mapped_max);
	else if (dash)
		filters->mapped_max = UINT64_MAX;
	if (bad || filters->mapped_max < filters->mapped_min || strlen(text) >= sizeof(copy))
		return usage_error("--mapped %s: a count N, N-M or N- is wanted", text);
	filters->mapped = true;
	return EXIT_DONE;
}

bool filters_has(int opt)
{
	return opt == 'N' || (opt >= OPT_WITHIN && opt <= OPT_MAPPED);
}

int filters_take(int opt, struct filters *filters)
{
	switch (opt) {
	case 'N':
		nodes_free(filters->nodes);
		filters->nodes = NULL;
		return nodes_parse("--node", optarg, &filters->nodes) ? EXIT_DONE : EXIT_USAGE;
	case OPT_WITHIN:
		return take_within(filters, optarg);
	case OPT_KIND:
		return take_kinds(filters, optarg);
	case OPT_CHARGED:
		return take_charged(filters, optarg);
	default:
		return take_mapped(filters, optarg);
	}
}

int *filters_nodes(const struct filters *filters, size_t *nr)
{
	int *nodes = NULL;

	*nr = 0;
	if (filters->nodes)
		nodes = calloc(filters->nodes->size, sizeof(*nodes));
	for (unsigned int i = 0; nodes && i < filters->nodes->size; i++)
		if (numa_bitmask_isbitset(filters->nodes, i))
			nodes[(*nr)++] = (int)i;
	return nodes;
}

static void explain(int err)
{
	if (err == -EPERM)
		complain("not permitted: page flags, counts and cgroups need CAP_SYS_ADMIN: "
			 "run it as root (sudo)");
	else if (err == -ENOENT)
		complain("this kernel does not show what the filter needs (/proc/kpageflags, "
			 "kpagecgroup, kpagecount, or the nodes' memory in /sys)");
	else
		complain("%s", strerror(-err));
}

int filters_apply(const struct filters *filters, struct mpp_source **src)
{
	struct mpp_filter_options options = {
		.size = sizeof(options),
		.flags = filters->mapped ? MPP_FILTER_MAPPED : 0,
		.ranges = filters->ranges,
		.nr_ranges = filters->nr_ranges,
		.kinds = filters->kinds,
		.cgroup_ino = filters->cgroup_ino,
		.mapped_min = filters->mapped_min,
		.mapped_max = filters->mapped_max,
	};
	int *nodes;
	int err;

	if (!filters->nodes && !filters->nr_ranges && !filters->kinds && !filters->cgroup_ino &&
	    !filters->mapped)
		return EXIT_DONE;
	nodes = filters_nodes(filters, &options.nr_nodes);
	options.nodes = nodes;
	err = mpp_filter_open(*src, &options, src);
	free(nodes);
	if (!err)
		return EXIT_DONE;
	explain(err);
	*src = mpp_source_unref(*src);
	return EXIT_USAGE;
}

void filters_free(struct filters *filters)
{
	nodes_free(filters->nodes);
	free(filters->ranges);
}
