// SPDX-License-Identifier: GPL-2.0-only
/* movephys info: the sources of addresses.  Each is opened, and nothing is read. */
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>

#include "info.h"

__attribute__((format(printf, 4, 5)))
static void tell(struct source_info *source, const char *name, bool usable, const char *fmt, ...)
{
	va_list args;

	source->name = name;
	source->usable = usable;
	va_start(args, fmt);
	vsnprintf(source->text, sizeof(source->text), fmt, args);
	va_end(args);
}

static const char *failure(int err)
{
	return err == -EPERM || err == -EACCES ? "needs root" : strerror(-err);
}

static void probe_pagemap(struct source_info *source)
{
	const bool root = has_sys_admin();

	tell(source, "pagemap", root, "%s", root ? "the pages of any process" :
	     "needs CAP_SYS_ADMIN: without it the kernel hides frame numbers");
}

static void probe_zones(struct source_info *source)
{
	struct mpp_zone zone;
	int nr = mpp_zones_read(1, &zone);

	if (nr > 0)
		tell(source, "zones", true, "%d zone%s of memory", nr, nr == 1 ? "" : "s");
	else
		tell(source, "zones", false, "/proc/zoneinfo: %s", strerror(nr ? -nr : ENOENT));
}

/* On as little memory as possible: it may be many CPUs. */
static void probe_perf(struct source_info *hardware, struct source_info *faults)
{
	struct mpp_perf_options options = { .size = sizeof(options), .ring_bytes = 4096 };
	struct mpp_source *src;
	const char *why;

	if (mpp_perf_open(&options, &why, &src)) {
		tell(hardware, "sample", false, "%s", why);
	} else {
		tell(hardware, "sample", true, "accesses, by %s", mpp_perf_event_name(src));
		mpp_source_unref(src);
	}
	options.event = "faults";
	if (mpp_perf_open(&options, &why, &src)) {
		tell(faults, "sample --event faults", false, "%s", why);
	} else {
		tell(faults, "sample --event faults", true, "first touches of pages");
		mpp_source_unref(src);
	}
}

static void probe_idle(struct source_info *source)
{
	const struct mpp_idle_options options = {
		.size = sizeof(options),
		.flags = MPP_IDLE_ACCESSED,
		.nr_rounds = 1,
	};
	struct mpp_source *src;
	int err = mpp_idle_open(&options, &src);

	if (err == -ENOENT) {
		tell(source, "idle", false, "the kernel lacks CONFIG_IDLE_PAGE_TRACKING");
	} else if (err) {
		tell(source, "idle", false, "%s", failure(err));
	} else {
		mpp_source_unref(src);
		tell(source, "idle", true, "pages accessed or idle in an interval%s",
		     mpp_idle_is_unreliable() > 0 ? "; unreliable under memory pressure while "
		     "/sys/kernel/mm/lru_gen/enabled is on" : "");
	}
}

static void probe_cxl(struct source_info *source)
{
	struct mpp_cxl_region region = { .size = sizeof(region) };
	size_t nr = 0, nr_usable = 0;
	struct mpp_cxl *cxl;
	int err = mpp_cxl_open(&cxl);

	if (err) {
		tell(source, "cxl", false, "%s", err == -ENOSYS ?
		     "built without libcxl (Debian: libcxl-dev)" :
		     err == -ENODEV ? "the machine shows no CXL bus" : failure(err));
		return;
	}
	for (; !mpp_cxl_get_region(cxl, nr, &region); nr++)
		nr_usable += !*region.problem;
	mpp_cxl_unref(cxl);
	if (!nr)
		tell(source, "cxl", false, "there is a CXL bus, but no region of memory on it");
	else
		tell(source, "cxl", nr_usable > 0,
		     "addresses of the devices in %zu of %zu region%s%s", nr_usable, nr,
		     nr == 1 ? "" : "s",
		     nr_usable < nr ? "; `movephys cxl` says what is with the rest" : "");
}

static void probe_damon(struct source_info *source)
{
	const struct mpp_damon_options options = {
		.size = sizeof(options),
		.flags = MPP_DAMON_ACCESSED,
		.nr_snapshots = 1,
	};
	struct mpp_source *src;
	int err = mpp_damon_open(&options, &src);

	if (!err) {
		mpp_source_unref(src);
		tell(source, "damon", true, "a monitor of physical addresses runs");
	} else if (err == -ENOENT) {
		tell(source, "damon", false, "the kernel lacks CONFIG_DAMON_SYSFS");
	} else if (err == -ENODEV || err == -ESRCH || err == -ENODATA || err == -ENOTSUP) {
		tell(source, "damon", true, "no monitor runs that it could read; --start runs one");
	} else {
		tell(source, "damon", false, "%s", failure(err));
	}
}

void sources_gather(struct source_info sources[NR_SOURCES])
{
	probe_pagemap(&sources[0]);
	probe_zones(&sources[1]);
	probe_perf(&sources[2], &sources[3]);
	probe_idle(&sources[4]);
	probe_cxl(&sources[5]);
	probe_damon(&sources[6]);
}

void sources_print(const struct source_info sources[NR_SOURCES])
{
	puts("\nsources of addresses (commands):");
	for (size_t i = 0; i < NR_SOURCES; i++)
		printf("  %-22s %-4s %s\n", sources[i].name, sources[i].usable ? "yes" : "no",
		       sources[i].text);
}

struct json_object *sources_json(const struct source_info sources[NR_SOURCES])
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < NR_SOURCES; i++) {
		struct json_object *source = json_object_new_object();

		json_object_object_add(source, "command", json_object_new_string(sources[i].name));
		json_object_object_add(source, "usable", json_object_new_boolean(sources[i].usable));
		json_object_object_add(source, "text", json_object_new_string(sources[i].text));
		json_object_array_add(list, source);
	}
	return list;
}
