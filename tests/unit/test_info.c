// SPDX-License-Identifier: GPL-2.0-only
/*
 * movephys info on machines that it is not running on: trees as their kernels show
 * them, in place of /sys and /proc/sys/kernel in a mount namespace of the test's own.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "run.h"

#define SECURE_BOOT	"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define TIERS		"sys/devices/virtual/memory_tiering/"
#define NODE		"sys/devices/system/node/"

/* Two nodes, the second without processors. */
static void add_nodes(void)
{
	tree_write(NODE "online", "0-1\n");
	tree_write(NODE "possible", "0-1\n");
	tree_write(NODE "has_cpu", "0\n");
	tree_write(NODE "has_memory", "0-1\n");
	for (int node = 0; node < 2; node++) {
		char name[64], text[256];

		snprintf(name, sizeof(name), NODE "node%d/meminfo", node);
		snprintf(text, sizeof(text),
			 "Node %d MemTotal:       16777216 kB\n"
			 "Node %d MemFree:         8388608 kB\n", node, node);
		tree_write(name, text);
		snprintf(name, sizeof(name), NODE "node%d/cpumap", node);
		tree_write(name, node ? "0\n" : "3\n");
	}
}

static void set_secure_boot(unsigned char state)
{
	const unsigned char variable[] = { 6, 0, 0, 0, state };

	tree_write_at(SECURE_BOOT, 0, variable, sizeof(variable));
}

/* Runs the command with the tree in place of the machine's own. */
static void run_on_tree(const char *option)
{
	tree_write("proc/perf_event_paranoid", "2\n");
	if (mount(IN_TREE("sys"), "/sys", NULL, MS_BIND, NULL) ||
	    mount(IN_TREE("proc"), "/proc/sys/kernel", NULL, MS_BIND, NULL)) {
		tap_fail(__FILE__, __LINE__, "mount: %s", strerror(errno));
		return;
	}
	RUN("info", option);
	umount("/proc/sys/kernel");
	umount("/sys");
	CHECK_INT(run.status, 0);
	CHECK_STR(run.err, "");
}

static void begin(void)
{
	tree_remove();
	tree_make();
	tree_write("in", "");
	add_nodes();
}

/* A server with Secure Boot, and CXL memory in a tier of its own. */
static void tells_of_a_locked_machine(void)
{
	begin();
	tree_write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	set_secure_boot(1);
	tree_write("sys/module/module/parameters/sig_enforce", "N\n");
	tree_write(TIERS "memory_tier4/nodelist", "0\n");
	tree_write(TIERS "memory_tier22/nodelist", "1-2\n");
	tree_write("proc/numa_balancing", "2\n");
	tree_write("sys/kernel/mm/numa/demotion_enabled", "true\n");
	run_on_tree(NULL);
	CHECK_HAS(run.out, "  Secure Boot on, lockdown integrity, sig_enforce N\n");
	CHECK_HAS(run.out, "  this kernel takes only signed modules: ");
	CHECK_HAS(run.out, "  node 0   16.0 GiB, 8.0 GiB free, memory_tier4\n");
	CHECK_HAS(run.out, "  node 1   16.0 GiB, 8.0 GiB free, no CPUs, memory_tier22\n");
	CHECK_HAS(run.out, "  NUMA balancing  on (kernel.numa_balancing = 2)\n");
	CHECK_HAS(run.out, "  demotion        on\n");
	run_on_tree("--json");
	CHECK_HAS(run.out, "\"secure_boot\": \"on\"");
	CHECK_HAS(run.out, "\"lockdown\": \"integrity\"");
	CHECK_HAS(run.out, "\"module_sig_enforce\": \"N\"");
	CHECK_HAS(run.out, "\"tier\": \"memory_tier22\"");
	CHECK_HAS(run.out, "\"numa_balancing\": \"2\"");
	CHECK_HAS(run.out, "\"demotion\": \"true\"");
}

/* Each alone asks for signatures. */
static void tells_who_wants_signatures(void)
{
	static const char wanted[] = "takes only signed modules";

	begin();
	tree_write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	set_secure_boot(0);
	tree_write("sys/module/module/parameters/sig_enforce", "N\n");
	tree_write("proc/numa_balancing", "0\n");
	tree_write("sys/kernel/mm/numa/demotion_enabled", "false\n");
	run_on_tree(NULL);
	CHECK_HAS(run.out, "  Secure Boot off, lockdown none, sig_enforce N\n");
	CHECK(!strstr(run.out, wanted));
	CHECK_HAS(run.out, "  NUMA balancing  off (kernel.numa_balancing = 0)\n");
	CHECK_HAS(run.out, "  demotion        off\n");
	/* No tiers, as before Linux 6.1. */
	CHECK_HAS(run.out, "  node 0   16.0 GiB, 8.0 GiB free\n");
	tree_write("sys/module/module/parameters/sig_enforce", "Y\n");
	run_on_tree(NULL);
	CHECK_HAS(run.out, wanted);
	tree_write("sys/module/module/parameters/sig_enforce", "N\n");
	set_secure_boot(1);
	run_on_tree(NULL);
	CHECK_HAS(run.out, wanted);
	set_secure_boot(0);
	tree_write("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	run_on_tree(NULL);
	CHECK_HAS(run.out, "lockdown confidentiality");
	CHECK_HAS(run.out, wanted);
}

/* No firmware of that kind, no security modules, no tiers: nothing is made up. */
static void tells_what_it_does_not_know(void)
{
	begin();
	run_on_tree(NULL);
	CHECK_HAS(run.out, "  Secure Boot unknown, lockdown unknown, sig_enforce unknown\n");
	CHECK_HAS(run.out, "  NUMA balancing  not in this kernel\n");
	CHECK_HAS(run.out, "  demotion        not in this kernel\n");
	CHECK(!strstr(run.out, "takes only signed modules"));
	/* An efivar that is cut, and a file that has no brackets. */
	tree_write(SECURE_BOOT, "\6");
	tree_write("sys/kernel/security/lockdown", "none integrity\n");
	run_on_tree("--json");
	CHECK_HAS(run.out, "\"secure_boot\": null");
	CHECK_HAS(run.out, "\"lockdown\": null");
	CHECK_HAS(run.out, "\"tier\": null");
}

int main(void)
{
	static const struct tap_test tests[] = {
		{ "Secure Boot, lockdown, tiers, demotion", tells_of_a_locked_machine },
		{ "who wants signed modules", tells_who_wants_signatures },
		{ "what the kernel does not show", tells_what_it_does_not_know },
	};
	int status = run_begin();

	if (status >= 0)
		return status;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		puts("1..0 # SKIP only root may put other trees in place of /sys");
		tree_remove();
		return EXIT_SUCCESS;
	}
	setenv("FAKE_MPP_MODE", "absent", 1);
	status = tap_main(tests, ARRAY_LEN(tests));
	tree_remove();
	return status;
}
