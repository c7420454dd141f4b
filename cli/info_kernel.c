// SPDX-License-Identifier: GPL-2.0-only
/* movephys info: how the kernel was built, and whom of its own it lets move pages. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "info.h"

#define MODULES		"/sys/module/"
#define KDAMONDS	"/sys/kernel/mm/damon/admin/kdamonds"

/* What movephys has a use for, and what it is for. */
static const struct {
	const char *name, *use;
} options[NR_KERNEL_OPTIONS] = {
	{ "NUMA", "several nodes" },
	{ "MIGRATION", "moving pages" },
	{ "MOVE_PHYS_PAGES", "the system call" },
	{ "KPROBES", "the module" },
	{ "PROC_PAGE_MONITOR", "pagemap, --kind" },
	{ "MEMCG", "--charged" },
	{ "PERF_EVENTS", "sample" },
	{ "IDLE_PAGE_TRACKING", "idle" },
	{ "CXL_REGION", "cxl" },
	{ "DAMON_PADDR", "damon" },
	{ "DAMON_SYSFS", "damon" },
};

/* The option that a line of a configuration sets; -1 for none that is of interest. */
static int option_of(const char *line)
{
	if (strncmp(line, "CONFIG_", 7))
		return -1;
	line += 7;
	for (int i = 0; i < NR_KERNEL_OPTIONS; i++) {
		size_t len = strlen(options[i].name);

		if (!strncmp(line, options[i].name, len) &&
		    (!strcmp(line + len, "=y\n") || !strcmp(line + len, "=m\n")))
			return i;
	}
	return -1;
}

/* Compressed or plain. */
static bool read_config(const char *path, struct kernel_info *kernel)
{
	bool has[NR_KERNEL_OPTIONS] = { false };
	gzFile file = gzopen(path, "re");
	char line[512];
	int option, err;

	if (!file)
		return false;
	while (gzgets(file, line, sizeof(line))) {
		option = option_of(line);
		if (option >= 0)
			has[option] = true;
	}
	gzerror(file, &err);
	gzclose(file);
	if (err != Z_OK)
		return false;
	memcpy(kernel->has, has, sizeof(has));
	snprintf(kernel->config, sizeof(kernel->config), "%s", path);
	return true;
}

/* The kernel's own, or where distributions put it. */
static void gather_config(struct kernel_info *kernel)
{
	static const char *const places[] = {
		"/boot/config-%s", "/lib/modules/%s/config", "/lib/modules/%s/build/.config",
	};
	struct utsname system;
	char path[PATH_MAX];

	if (read_config("/proc/config.gz", kernel) || uname(&system))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), places[i], system.release);
		if (read_config(path, kernel))
			return;
	}
}

/* ---- The module ---- */

/* The kernel looks for the mark at the end of the file (scripts/sign-file.c). */
static bool is_unsigned(const char *path)
{
	static const char mark[] = "~Module signature appended~\n";
	char end[sizeof(mark) - 1];
	size_t len = strlen(path);
	int fd = len > 3 && !strcmp(path + len - 3, ".ko") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	bool found = size > (off_t)sizeof(end) &&
		     pread(fd, end, sizeof(end), size - (off_t)sizeof(end)) == sizeof(end) &&
		     !memcmp(end, mark, sizeof(end));

	if (fd >= 0)
		close(fd);
	return size >= 0 && !found;
}

/* modules.dep has a line `FILE: what it needs` for each module, below its own folder. */
static void gather_module(struct kernel_info *kernel)
{
	char folder[PATH_MAX / 2], path[PATH_MAX], line[PATH_MAX / 2];
	struct utsname system;
	gzFile file;

	if (uname(&system))
		return;
	snprintf(folder, sizeof(folder), "/lib/modules/%s", system.release);
	snprintf(path, sizeof(path), "%s/modules.dep", folder);
	file = gzopen(path, "re");
	while (file && gzgets(file, line, sizeof(line))) {
		line[strcspn(line, ":")] = '\0';
		if (!strstr(line, "/move_phys_pages.ko"))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", *line == '/' ? "" : folder,
			 *line == '/' ? "" : "/", line);
		kernel->is_module_installed = true;
		kernel->is_module_unsigned = is_unsigned(path);
	}
	if (file)
		gzclose(file);
}

/* ---- DAMON ---- */

static void add_scheme(struct kernel_info *kernel, const char *name)
{
	size_t len = strlen(kernel->schemes);

	if (strstr(kernel->schemes, name))
		return;
	snprintf(kernel->schemes + len, sizeof(kernel->schemes) - len, "%s%s", len ? ", " : "",
		 name);
}

static bool moves_pages(const char *action)
{
	return !strcmp(action, "pageout") || !strcmp(action, "migrate_hot") ||
	       !strcmp(action, "migrate_cold");
}

/* The schemes of one running kdamond, of whose contexts there is one today. */
static void gather_schemes(struct kernel_info *kernel, const char *kdamond)
{
	char path[PATH_MAX], action[32], name[64 + sizeof(action)];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), KDAMONDS "/%s/contexts/0/schemes", kdamond);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), KDAMONDS "/%s/contexts/0/schemes/%s/action", kdamond,
			 entry->d_name);
		info_read_line(path, action, sizeof(action));
		if (!moves_pages(action))
			continue;
		snprintf(name, sizeof(name), "kdamond %.32s: %s", kdamond, action);
		add_scheme(kernel, name);
	}
	if (dir)
		closedir(dir);
}

/* Those that a person has set up, and the kernel's own two. */
static void gather_damon(struct kernel_info *kernel)
{
	static const char *const modules[] = { "damon_reclaim", "damon_lru_sort" };
	char path[PATH_MAX], text[16];
	struct dirent *entry;
	DIR *dir = opendir(KDAMONDS);

	kernel->has_damon = dir;
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), KDAMONDS "/%s/state", entry->d_name);
		if (access(path, R_OK) && errno == EACCES)
			kernel->is_damon_hidden = true;
		info_read_line(path, text, sizeof(text));
		if (!strcmp(text, "on"))
			gather_schemes(kernel, entry->d_name);
	}
	if (dir)
		closedir(dir);
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		snprintf(path, sizeof(path), MODULES "%s/parameters/enabled", modules[i]);
		info_read_line(path, text, sizeof(text));
		if (*text == 'Y' || *text == '1')
			add_scheme(kernel, modules[i]);
	}
}

void kernel_gather(struct kernel_info *kernel)
{
	gather_config(kernel);
	gather_module(kernel);
	gather_damon(kernel);
}

/* ---- Printing ---- */

void kernel_print_config(const struct kernel_info *kernel)
{
	const char *separator = "";

	puts("\nkernel configuration:");
	if (!*kernel->config) {
		puts("  unknown: neither /proc/config.gz nor /boot/config-RELEASE can be read");
		return;
	}
	printf("  by     %s\n  has    ", kernel->config);
	for (size_t i = 0; i < NR_KERNEL_OPTIONS; i++)
		if (kernel->has[i]) {
			printf("%s%s", separator, options[i].name);
			separator = ", ";
		}
	puts(*separator ? "" : "nothing that is of use here");
	for (size_t i = 0; i < NR_KERNEL_OPTIONS; i++)
		if (!kernel->has[i])
			printf("  lacks  %-18s for %s\n", options[i].name, options[i].use);
}

void kernel_print_schemes(const struct kernel_info *kernel)
{
	const char *text = kernel->schemes;

	if (!*text)
		text = kernel->is_damon_hidden ? "only root may see them" :
		       kernel->has_damon ? "none that moves pages" : "not in this kernel";
	printf("  DAMON schemes   %s\n", text);
}

struct json_object *kernel_config_json(const struct kernel_info *kernel)
{
	struct json_object *config = *kernel->config ? json_object_new_object() : NULL;
	char name[64];

	for (size_t i = 0; config && i < NR_KERNEL_OPTIONS; i++) {
		snprintf(name, sizeof(name), "CONFIG_%s", options[i].name);
		json_object_object_add(config, name, json_object_new_boolean(kernel->has[i]));
	}
	return config;
}
