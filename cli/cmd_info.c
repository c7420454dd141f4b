// SPDX-License-Identifier: GPL-2.0-only
/* movephys info: what this machine can do, why not, and what to type next. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <numa.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "info.h"

static const char help[] =
"usage: movephys info [--json]\n"
"\n"
"Says what this machine can do, and why not: the ways into the kernel, privileges, the\n"
"sources of addresses, how the kernel was built, the nodes with their memory and tier,\n"
"what in the kernel may move pages back; and the command to type next.  Needs no\n"
"privilege, but root sees more.\n"
"\n"
"  -j, --json   as JSON\n"
"\n"
"examples:\n"
"  movephys info\n"
"  sudo movephys info --json\n";

#define TEXT_MAX	128
#define NODES_MAX	1024

struct node_info {
	int id;
	long long total_bytes, free_bytes;
	bool has_cpus;
	char tier[TEXT_MAX];	/* "memory_tier4"; "" when there are no tiers */
};

/* In the order in which they are tried; the last one only when it is asked for. */
enum { DOOR_SYSCALL, DOOR_DEVICE, DOOR_REVMAP, NR_DOORS };

struct door_info {
	enum mpp_door door;
	int err;
	const char *why, *remedy;
};

struct info {
	struct utsname system;
	bool sys_admin;
	struct door_info doors[NR_DOORS];
	bool module_loaded;
	char lockdown[TEXT_MAX];	/* each "" when the kernel does not show it */
	char secure_boot[TEXT_MAX];
	char sig_enforce[TEXT_MAX];
	char numa_balancing[TEXT_MAX];
	char demotion[TEXT_MAX];
	struct node_info *nodes;
	size_t nr_nodes;
	struct source_info sources[NR_SOURCES];
	struct kernel_info kernel;
};

void info_read_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, line, size - 1);

	line[len < 0 ? 0 : len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* "none [integrity] confidentiality" gives "integrity". */
static void read_lockdown(char *mode, size_t size)
{
	char line[TEXT_MAX];
	char *start, *end;

	mode[0] = '\0';
	info_read_line("/sys/kernel/security/lockdown", line, sizeof(line));
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (end) {
		*end = '\0';
		snprintf(mode, size, "%s", start + 1);
	}
}

static void read_secure_boot(char *state, size_t size)
{
	unsigned char value[5];		/* four bytes of attributes, one of data */
	int fd = open("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		      O_RDONLY | O_CLOEXEC);

	state[0] = '\0';
	if (fd < 0)
		return;
	if (read(fd, value, sizeof(value)) == sizeof(value))
		snprintf(state, size, "%s", value[4] ? "on" : "off");
	close(fd);
}

/* "0-2,5" contains 1; the format of the kernel's own lists. */
static bool list_contains(const char *list, int number)
{
	char *end;

	while (isdigit((unsigned char)*list)) {
		long first = strtol(list, &end, 10);
		long last = first;

		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (number >= first && number <= last)
			return true;
		list = *end == ',' ? end + 1 : end;
	}
	return false;
}

static void read_tier(int node, char *tier, size_t size)
{
	static const char tiers[] = "/sys/devices/virtual/memory_tiering";
	char path[PATH_MAX], list[TEXT_MAX];
	struct dirent *entry;
	DIR *dir = opendir(tiers);

	tier[0] = '\0';
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "memory_tier", 11))
			continue;
		snprintf(path, sizeof(path), "%s/%s/nodelist", tiers, entry->d_name);
		info_read_line(path, list, sizeof(list));
		if (list_contains(list, node))
			snprintf(tier, size, "%.*s", (int)size - 1, entry->d_name);
	}
	closedir(dir);
}

static int gather_nodes(struct info *info)
{
	char online[TEXT_MAX], with_cpus[TEXT_MAX];

	info_read_line("/sys/devices/system/node/online", online, sizeof(online));
	info_read_line("/sys/devices/system/node/has_cpu", with_cpus, sizeof(with_cpus));
	info->nodes = calloc(NODES_MAX, sizeof(*info->nodes));
	if (!info->nodes)
		return -ENOMEM;
	for (int id = 0; id < NODES_MAX; id++) {
		struct node_info *node = &info->nodes[info->nr_nodes];

		if (!list_contains(online, id))
			continue;
		node->id = id;
		node->total_bytes = numa_node_size64(id, &node->free_bytes);
		node->has_cpus = list_contains(with_cpus, id);
		read_tier(id, node->tier, sizeof(node->tier));
		info->nr_nodes++;
	}
	return 0;
}

static int gather(struct info *info)
{
	static const enum mpp_door doors[NR_DOORS] = {
		[DOOR_SYSCALL] = MPP_DOOR_SYSCALL,
		[DOOR_DEVICE] = MPP_DOOR_DEVICE,
		[DOOR_REVMAP] = MPP_DOOR_REVMAP,
	};

	uname(&info->system);
	info->sys_admin = has_sys_admin();
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		struct door_info *door = &info->doors[i];

		door->door = doors[i];
		door->err = mpp_door_probe(door->door);
		door_explain(door->door, door->err, &door->why, &door->remedy);
	}
	info->module_loaded = !access("/sys/module/move_phys_pages", F_OK);
	read_lockdown(info->lockdown, sizeof(info->lockdown));
	read_secure_boot(info->secure_boot, sizeof(info->secure_boot));
	info_read_line("/sys/module/module/parameters/sig_enforce", info->sig_enforce,
		       sizeof(info->sig_enforce));
	info_read_line("/proc/sys/kernel/numa_balancing", info->numa_balancing,
		       sizeof(info->numa_balancing));
	info_read_line("/sys/kernel/mm/numa/demotion_enabled", info->demotion,
		       sizeof(info->demotion));
	return gather_nodes(info);
}

static const struct door_info *open_door(const struct info *info)
{
	for (size_t i = 0; i < DOOR_REVMAP; i++)
		if (!info->doors[i].err)
			return &info->doors[i];
	return NULL;
}

static bool needs_signature(const struct info *info)
{
	return !strcmp(info->secure_boot, "on") || !strcmp(info->sig_enforce, "Y") ||
	       (*info->lockdown && strcmp(info->lockdown, "none"));
}

/* Where modprobe would not do: what would; NULL where it would. */
static const char *before_modprobe(const struct info *info)
{
	if (!info->kernel.is_module_installed)
		return "install it for this kernel: the package movephys-dkms, or `make install`";
	if (info->kernel.is_module_unsigned && needs_signature(info))
		return "sign it with a key that the machine trusts";
	return NULL;
}

/* Whether the only thing missing is privilege. */
static bool is_shut_by_privilege(const struct info *info)
{
	for (size_t i = 0; i < DOOR_REVMAP; i++)
		if (info->doors[i].err == -EPERM)
			return true;
	return false;
}

static size_t nr_memory_nodes(const struct info *info, const struct node_info **other)
{
	size_t nr = 0;

	*other = NULL;
	for (size_t i = 0; i < info->nr_nodes; i++) {
		if (info->nodes[i].total_bytes <= 0)
			continue;
		nr++;
		*other = &info->nodes[i];
	}
	return nr;
}

static void next_command(const struct info *info, char *text, size_t size)
{
	const struct node_info *target;
	size_t nr = nr_memory_nodes(info, &target);

	if (open_door(info) && nr > 1)
		snprintf(text, size,
			 "movephys pagemap --pid $$ | movephys move --dry-run --to %d -",
			 target->id);
	else if (open_door(info))
		snprintf(text, size, "movephys pagemap --pid $$ | movephys where -");
	else if (is_shut_by_privilege(info) || !info->sys_admin)
		snprintf(text, size, "sudo movephys info");
	else if (before_modprobe(info))
		snprintf(text, size, "movephys pagemap --pid $$ | movephys where --door revmap -");
	else
		snprintf(text, size, "modprobe move_phys_pages");
}

static void print_nodes(const struct info *info)
{
	char total[BYTES_TEXT_MAX], free_text[BYTES_TEXT_MAX];
	const struct node_info *last;

	puts("\nnodes:");
	if (!info->nr_nodes)
		puts("  none: this kernel has no NUMA support, so there is nowhere to move pages");
	for (size_t i = 0; i < info->nr_nodes; i++) {
		const struct node_info *node = &info->nodes[i];

		if (node->total_bytes <= 0) {
			printf("  node %-3d no memory%s\n", node->id,
			       node->has_cpus ? ", has CPUs" : "");
			continue;
		}
		printf("  node %-3d %s, %s free%s%s%s\n", node->id,
		       format_bytes((uint64_t)node->total_bytes, total, sizeof(total)),
		       format_bytes((uint64_t)node->free_bytes, free_text, sizeof(free_text)),
		       node->has_cpus ? "" : ", no CPUs", *node->tier ? ", " : "", node->tier);
	}
	if (info->nr_nodes && nr_memory_nodes(info, &last) < 2)
		puts("  only one node has memory, so there is nowhere to move pages");
}

static void print_rivals(const struct info *info)
{
	puts("\nwhat else moves pages here, and may undo moves:");
	if (!*info->numa_balancing)
		puts("  NUMA balancing  not in this kernel");
	else
		printf("  NUMA balancing  %s (kernel.numa_balancing = %s)\n",
		       strcmp(info->numa_balancing, "0") ? "on" : "off", info->numa_balancing);
	if (!*info->demotion)
		puts("  demotion        not in this kernel");
	else
		printf("  demotion        %s\n", strcmp(info->demotion, "true") ? "off" : "on");
	kernel_print_schemes(&info->kernel);
}

/* What to do about one way is of no use while there is another. */
static void print_doors(const struct info *info)
{
	const struct door_info *used = open_door(info);

	puts("\nways into the kernel:");
	for (size_t i = 0; i < ARRAY_SIZE(info->doors); i++) {
		const struct door_info *door = &info->doors[i];
		bool helps = !used && *door->remedy;

		printf("  %-8s %s%s%s%s\n", mpp_door_name(door->door), door->why,
		       i == DOOR_REVMAP && !door->err ? ", slow; with --door revmap only" : "",
		       helps ? "; " : "", helps ? door->remedy : "");
	}
	if (used)
		printf("  used: %s\n", mpp_door_name(used->door));
}

static const char *or_unknown(const char *text)
{
	return *text ? text : "unknown";
}

static void print_privileges(const struct info *info)
{
	puts("\nprivileges:");
	printf("  CAP_SYS_ADMIN: %s\n", info->sys_admin ? "yes" :
	       "no; without it nothing can be moved and frame numbers are hidden");
	printf("  Secure Boot %s, lockdown %s, sig_enforce %s\n", or_unknown(info->secure_boot),
	       or_unknown(info->lockdown), or_unknown(info->sig_enforce));
	if (!open_door(info) && needs_signature(info))
		puts("  this kernel takes only signed modules: sign the module with a key that "
		     "the machine trusts");
}

static void print_text(const struct info *info)
{
	char next[TEXT_MAX];

	printf("kernel: %s %s %s\n", info->system.sysname, info->system.release,
	       info->system.machine);
	print_doors(info);
	if (info->module_loaded && info->doors[DOOR_DEVICE].err == -ENOSYS)
		puts("  the module is loaded, but its device node is missing: is /dev a devtmpfs?");
	print_privileges(info);
	sources_print(info->sources);
	kernel_print_config(&info->kernel);
	print_nodes(info);
	print_rivals(info);
	next_command(info, next, sizeof(next));
	printf("\nnext: %s\n", next);
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, *text ? json_object_new_string(text) : NULL);
}

static struct json_object *doors_json(const struct info *info)
{
	struct json_object *doors = json_object_new_array();

	for (size_t i = 0; i < ARRAY_SIZE(info->doors); i++) {
		const struct door_info *door = &info->doors[i];
		struct json_object *entry = json_object_new_object();

		add_text(entry, "name", mpp_door_name(door->door));
		json_object_object_add(entry, "open", json_object_new_boolean(!door->err));
		add_text(entry, "why", door->why);
		add_text(entry, "remedy", door->remedy);
		json_object_array_add(doors, entry);
	}
	return doors;
}

static struct json_object *nodes_json(const struct info *info)
{
	struct json_object *nodes = json_object_new_array();

	for (size_t i = 0; i < info->nr_nodes; i++) {
		const struct node_info *node = &info->nodes[i];
		bool has_memory = node->total_bytes > 0;
		struct json_object *entry = json_object_new_object();

		json_object_object_add(entry, "node", json_object_new_int(node->id));
		json_object_object_add(entry, "total_bytes",
				json_object_new_int64(has_memory ? node->total_bytes : 0));
		json_object_object_add(entry, "free_bytes",
				json_object_new_int64(has_memory ? node->free_bytes : 0));
		json_object_object_add(entry, "has_cpus",
				json_object_new_boolean(node->has_cpus));
		add_text(entry, "tier", node->tier);
		json_object_array_add(nodes, entry);
	}
	return nodes;
}

static void print_json(const struct info *info)
{
	const struct door_info *used = open_door(info);
	struct json_object *root = json_object_new_object();
	char next[TEXT_MAX];

	next_command(info, next, sizeof(next));
	add_text(root, "kernel", info->system.release);
	add_text(root, "machine", info->system.machine);
	json_object_object_add(root, "doors", doors_json(info));
	add_text(root, "door", used ? mpp_door_name(used->door) : "");
	json_object_object_add(root, "module_loaded",
			       json_object_new_boolean(info->module_loaded));
	json_object_object_add(root, "cap_sys_admin", json_object_new_boolean(info->sys_admin));
	add_text(root, "secure_boot", info->secure_boot);
	add_text(root, "lockdown", info->lockdown);
	add_text(root, "module_sig_enforce", info->sig_enforce);
	json_object_object_add(root, "sources", sources_json(info->sources));
	json_object_object_add(root, "nodes", nodes_json(info));
	add_text(root, "numa_balancing", info->numa_balancing);
	add_text(root, "demotion", info->demotion);
	add_text(root, "damon_schemes", info->kernel.schemes);
	json_object_object_add(root, "kernel_configuration", kernel_config_json(&info->kernel));
	add_text(root, "next", next);
	json_print(root, true);
}

static int run_info(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct info info = { 0 };
	bool json = false;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":j", long_options, NULL)) != -1) {
		if (opt != 'j')
			return option_error(argc, argv, opt);
		json = true;
	}
	if (optind < argc)
		return usage_error("\"%s\": this command takes options only", argv[optind]);
	if (gather(&info)) {
		complain("%s", strerror(ENOMEM));
		return EXIT_USAGE;
	}
	sources_gather(info.sources);
	kernel_gather(&info.kernel);
	if (info.doors[DOOR_DEVICE].err == -ENOSYS && before_modprobe(&info))
		info.doors[DOOR_DEVICE].remedy = before_modprobe(&info);
	if (json)
		print_json(&info);
	else
		print_text(&info);
	free(info.nodes);
	return EXIT_DONE;
}

const struct command cmd_info = {
	.name = "info",
	.summary = "tell what this machine can do, and why not",
	.help = help,
	.run = run_info,
};
