/* SPDX-License-Identifier: GPL-2.0-only */
/* Between cmd_info.c and info_sources.c. */
#ifndef MOVEPHYS_INFO_H
#define MOVEPHYS_INFO_H

#include "cmd.h"

/* The sources of addresses: which of them work here and for this user, and why not. */

#define SOURCE_TEXT_MAX	256

struct source_info {
	const char *name;	/* of the command */
	bool usable;
	char text[SOURCE_TEXT_MAX];
};

#define NR_SOURCES	7

void sources_gather(struct source_info sources[NR_SOURCES]);
void sources_print(const struct source_info sources[NR_SOURCES]);
struct json_object *sources_json(const struct source_info sources[NR_SOURCES]);

#endif /* MOVEPHYS_INFO_H */
