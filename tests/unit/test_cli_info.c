// SPDX-License-Identifier: GPL-2.0-only
/* movephys info on this machine, and with files of the test's in place of some of its own. */
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "run.h"

static void informs(void)
{
	RUN("info");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "device   open\n");
	CHECK_HAS(run.out, "\n  used: device\n");
	CHECK_HAS(run.out, "\n  zones                  yes  ");
	CHECK_HAS(run.out, "\n  sample --event faults  ");
	CHECK_STR(run.err, "");
	CHECK_HAS(run.out, "\nnext: movephys ");
	RUN("info", "--json");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "\"name\": \"device\"");
	CHECK_HAS(run.out, "\"door\": \"device\"");
	CHECK_INT(count(run.out, "\"usable\": "), 7);
	CHECK(json_number("cap_sys_admin") >= 0);
}

/* @name in the folder that stands for /. */
static void write_gz(const char *name, const char *text)
{
	gzFile file;

	tree_write(name, "");	/* with its folders */
	file = gzopen(tree_path(name), "w");
	CHECK_INT(gzputs(file, text), strlen(text));
	gzclose(file);
	setenv("FAKE_MPP_ROOT", IN_TREE("root"), 1);
}

static void reads_the_kernels_configuration(void)
{
	write_gz("root/proc/config.gz", "CONFIG_NUMA=y\n# CONFIG_DAMON_PADDR is not set\n"
		 "CONFIG_CXL_REGION=m\nCONFIG_MEMCG_V1=y\n");
	RUN("info");
	CHECK_INT(run.status, 0);
	CHECK_HAS(run.out, "  by     /proc/config.gz\n  has    NUMA, CXL_REGION\n");
	CHECK_HAS(run.out, "  lacks  DAMON_PADDR        for damon\n");
	CHECK_HAS(run.out, "  lacks  MEMCG              for --charged\n");
	/* One that is cut short does not count. */
	CHECK_INT(truncate(tree_path("root/proc/config.gz"), 40), 0);
	RUN("info");
	CHECK_INT(run.status, 0);
	CHECK(!strstr(run.out, "/proc/config.gz\n"));
	unlink(tree_path("root/proc/config.gz"));
	unsetenv("FAKE_MPP_ROOT");
}

/* modprobe is only told to be typed where it will do. */
static void tells_what_comes_before_modprobe(void)
{
	struct utsname system;
	char dep[256], line[1024];
	char *module;

	CHECK_INT(uname(&system), 0);
	snprintf(dep, sizeof(dep), "root/lib/modules/%s/modules.dep", system.release);
	module = IN_TREE("move_phys_pages.ko");
	setenv("FAKE_MPP_MODE", "absent", 1);
	setenv("FAKE_MPP_ROOT", IN_TREE("root"), 1);
	tree_write(dep, "kernel/fs/move_phys_pages_not.ko:\n");
	tree_write("root/sys/module/module/parameters/sig_enforce", "N\n");
	if (geteuid()) {
		tap_skip("others than root are told to become root first");
		goto end;
	}
	RUN("info");
	CHECK_HAS(run.out, "(no /dev/move_phys_pages); install it for this kernel: the package ");
	CHECK_HAS(run.out, "\nnext: movephys pagemap --pid $$ | movephys where --door revmap -\n");

	snprintf(line, sizeof(line), "kernel/fs/ext4.ko:\n%s: kernel/mm/x.ko\n", module);
	tree_write(dep, line);
	tree_write("root/sys/module/module/parameters/sig_enforce", "Y\n");
	tree_write("move_phys_pages.ko", "ELF and so on, but no signature\n");
	RUN("info");
	CHECK_HAS(run.out, "(no /dev/move_phys_pages); sign it with a key that the machine trusts\n");
	CHECK_HAS(run.out, "\nnext: movephys pagemap --pid $$ | movephys where --door revmap -\n");

	tree_write("move_phys_pages.ko", "ELF and so on~Module signature appended~\n");
	RUN("info");
	CHECK_HAS(run.out, "(no /dev/move_phys_pages); modprobe move_phys_pages\n");
	CHECK_HAS(run.out, "\nnext: modprobe move_phys_pages\n");
end:
	unsetenv("FAKE_MPP_MODE");
	unsetenv("FAKE_MPP_ROOT");
}

RUN_MAIN(
	{ "info", informs },
	{ "info: /proc/config.gz", reads_the_kernels_configuration },
	{ "info: what comes before modprobe", tells_what_comes_before_modprobe },
)
