// SPDX-License-Identifier: GPL-2.0-only
/* Opening a door, and saying why it stays shut. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

#define CAP_SYS_ADMIN_BIT	21

bool has_sys_admin(void)
{
	unsigned long long caps = 0;
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");

	if (!status)
		return geteuid() == 0;
	while (fgets(line, sizeof(line), status))
		if (!strncmp(line, "CapEff:", 7))
			caps = strtoull(line + 7, NULL, 16);
	fclose(status);
	return caps >> CAP_SYS_ADMIN_BIT & 1;
}

const char *root_remedy(bool denied)
{
	return denied && !has_sys_admin() ? "; run it as root (sudo)" : "";
}

void door_explain(enum mpp_door door, int err, const char **why, const char **remedy)
{
	bool is_device = door == MPP_DOOR_DEVICE;

	*remedy = "";
	switch (err) {
	case 0:
		*why = "open";
		break;
	case -ENOSYS:
		*why = is_device ? "the module is not loaded (no /dev/move_phys_pages)" :
		       door == MPP_DOOR_REVMAP ? "this kernel lacks move_pages(2) or /proc/kpageflags" :
		       "this kernel does not carry the system call";
		if (is_device)
			*remedy = "modprobe move_phys_pages";
		break;
	case -EPERM:
		*why = "CAP_SYS_ADMIN in the initial user namespace is needed";
		*remedy = has_sys_admin() ? "run it outside the container" :
			  "run it as root (sudo)";
		break;
	case -ENODEV:
		*why = "/dev/move_phys_pages is not this module's device";
		break;
	default:
		*why = strerror(-err);
		break;
	}
}

int door_parse(const char *text, enum mpp_door *door)
{
	static const enum mpp_door doors[] = {
		MPP_DOOR_AUTO, MPP_DOOR_SYSCALL, MPP_DOOR_DEVICE, MPP_DOOR_REVMAP,
	};

	for (size_t i = 0; i < ARRAY_SIZE(doors); i++)
		if (!strcmp(text, mpp_door_name(doors[i]))) {
			*door = doors[i];
			return EXIT_DONE;
		}
	return usage_error("--door %s: auto, syscall, device or revmap is wanted", text);
}

bool door_open(enum mpp_door door, struct mpp_ctx **ctx)
{
	const char *why, *remedy;
	int err = mpp_open(door, ctx);

	if (!err)
		return true;
	if (door != MPP_DOOR_AUTO) {
		door_explain(door, err, &why, &remedy);
		complain("--door %s: %s%s%s", mpp_door_name(door), why, *remedy ? ": " : "", remedy);
		return false;
	}
	if (err == -ENOSYS && !has_sys_admin()) {
		complain("this kernel has neither the system call nor /dev/move_phys_pages; "
			 "as root: modprobe move_phys_pages");
		return false;
	}
	if (err == -ENOSYS) {
		complain("this kernel has neither the system call nor /dev/move_phys_pages; "
			 "run: modprobe move_phys_pages (`movephys info` tells more)");
		return false;
	}
	door_explain(MPP_DOOR_AUTO, err, &why, &remedy);
	complain("%s%s%s", why, *remedy ? ": " : "", remedy);
	return false;
}
