// SPDX-License-Identifier: GPL-2.0-only
/* An event's name, and what sysfs says of a PMU: name, format, event, cpus, type. */
#include <string.h>

#include "perf.h"
#include "tree.h"

#include "fuzz.h"

static void remove_tree(void)
{
	tree_remove();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const files[] = {
		"sys/bus/event_source/devices/cpu/format/ldlat",
		"sys/bus/event_source/devices/cpu/events/mem-loads",
		"sys/bus/event_source/devices/cpu/cpus",
		"sys/bus/event_source/devices/cpu/type",
	};
	static char sys[512];
	const struct mpp_roots roots = { .proc = "/nonexistent", .sys = sys, .device = "/dev/null" };
	struct fuzz_input in = { data, size };
	struct mpp_perf_event events[MPP_PERF_EVENTS_MAX];
	const char *why = NULL;
	struct mpp_cpus cpus;
	size_t len;
	char *name;
	int nr;

	if (!*sys) {
		snprintf(sys, sizeof(sys), "%s/sys", tree_make());
		atexit(remove_tree);
		tree_write("sys/bus/event_source/devices/cpu/format/event", "config:0-7\n");
		tree_write("sys/bus/event_source/devices/cpu/format/umask", "config:8-15\n");
	}
	name = fuzz_part(&in, &len);
	name[strcspn(name, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *text = fuzz_part(&in, &len);

		tree_write(files[i], text);
		if (i == 2 && !mpp_cpus_parse(text, &cpus))
			FUZZ_CHECK(strspn(text, "0123456789,-") == strcspn(text, "\n"));
		free(text);
	}
	for (size_t i = 0; i < 3; i++) {
		const char *const names[] = { name, "pebs", "auto" };

		nr = mpp_perf_select(&roots, names[i], 0, &why, events);
		FUZZ_CHECK(nr != 0 && nr <= MPP_PERF_EVENTS_MAX);
		FUZZ_CHECK(nr > 0 || (why && *why));
		for (int e = 0; e < nr; e++)
			FUZZ_CHECK(memchr(events[e].name, '\0', sizeof(events[e].name)));
	}
	free(name);
	return 0;
}
