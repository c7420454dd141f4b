// SPDX-License-Identifier: GPL-2.0-only
/* The shared library, as a program sees it: every public call, and no other. */
#include <dlfcn.h>

#include "tap.h"

static const char *const calls[] = {
	"move_phys_pages",
	"mpp_address_parse",
	"mpp_ctx_door",
	"mpp_door_name",
	"mpp_door_probe",
	"mpp_move",
	"mpp_nodemap_free",
	"mpp_nodemap_node",
	"mpp_nodemap_open",
	"mpp_open",
	"mpp_pagemap_open",
	"mpp_perf_event_name",
	"mpp_perf_open",
	"mpp_perf_script_open",
	"mpp_perf_script_open_fd",
	"mpp_perf_stats",
	"mpp_query",
	"mpp_rank_add",
	"mpp_rank_clear",
	"mpp_rank_free",
	"mpp_rank_open",
	"mpp_rank_read",
	"mpp_rank_select",
	"mpp_rank_stats",
	"mpp_ref",
	"mpp_source_cancel",
	"mpp_source_error",
	"mpp_source_read",
	"mpp_source_ready",
	"mpp_source_ref",
	"mpp_source_unref",
	"mpp_source_va",
	"mpp_status_kind",
	"mpp_status_name",
	"mpp_status_text",
	"mpp_text_open",
	"mpp_text_open_fd",
	"mpp_unref",
};

static void exports_the_calls(void *library)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (!dlsym(library, calls[i]))
			tap_fail(__FILE__, __LINE__, "%s is not exported", calls[i]);
}

static void exports_nothing_else(void *library)
{
	CHECK(!dlsym(library, "mpp_open_at"));
	CHECK(!dlsym(library, "mpp_default_roots"));
	CHECK(!dlsym(library, "mpp_source_init"));
}

static void run(void)
{
	const char *path = getenv("LIBMOVEPHYS");
	void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

	if (!library) {
		tap_fail(__FILE__, __LINE__, "LIBMOVEPHYS: %s", path ? dlerror() : "not set");
		return;
	}
	exports_the_calls(library);
	exports_nothing_else(library);
	dlclose(library);
}

TAP_MAIN(
	{ "the public calls, and no other", run },
)
