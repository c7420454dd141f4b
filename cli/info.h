/* SPDX-License-Identifier: GPL-2.0-only */
/* Between cmd_info.c, info_sources.c and info_kernel.c. */
#ifndef MOVEPHYS_INFO_H
#define MOVEPHYS_INFO_H

#include <limits.h>

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

/* The first line of a file, "" when there is none to read. */
void info_read_line(const char *path, char *line, size_t size);

/* The kernel: how it was built, its module, and which of DAMON's schemes move pages. */

#define NR_KERNEL_OPTIONS	11

struct kernel_info {
	char config[PATH_MAX];		/* the file that tells, "" for none */
	bool has[NR_KERNEL_OPTIONS];
	bool is_module_installed;	/* where modprobe finds it */
	bool is_module_unsigned;	/* as far as its file can be read: not when compressed */
	bool has_damon, is_damon_hidden;
	char schemes[256];		/* names with commas between */
};

void kernel_gather(struct kernel_info *kernel);
void kernel_print_config(const struct kernel_info *kernel);
void kernel_print_schemes(const struct kernel_info *kernel);
/* NULL when it is not known. */
struct json_object *kernel_config_json(const struct kernel_info *kernel);

#endif /* MOVEPHYS_INFO_H */
