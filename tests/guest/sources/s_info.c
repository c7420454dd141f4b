// SPDX-License-Identifier: GPL-2.0-only
/* movephys info: what it says is so. */
#include <sys/stat.h>
#include <sys/utsname.h>

#include "h_command.h"
#include "h_use.h"

TEST(info, kernel_configuration, .doorless = true)
{
	struct utsname system;
	struct output o;
	char path[160];

	/* Then no other place is asked. */
	if (exists("/proc/config.gz")) {
		o = shell_ok("movephys info");
		CHECK(strstr(o.out, "  by     /proc/config.gz\n  has    NUMA, "), "%s", o.out);
		output_free(&o);
		return;
	}
	MUST(uname(&system));
	snprintf(path, sizeof(path), "/boot/config-%s", system.release);
	o = shell_ok("test -e %s || { mkdir -p /boot && printf '%s' >%s; }", path,
		     "CONFIG_NUMA=y\\n# CONFIG_DAMON_PADDR is not set\\nCONFIG_CXL_REGION=m\\n"
		     "CONFIG_MEMCG_V1=y\\n", path);
	output_free(&o);
	o = shell_ok("movephys info --json");
	CHECK(strstr(o.out, "\"CONFIG_NUMA\": true") &&
	      strstr(o.out, "\"CONFIG_CXL_REGION\": true") &&
	      strstr(o.out, "\"CONFIG_DAMON_PADDR\": false") &&
	      strstr(o.out, "\"CONFIG_MEMCG\": false"), "%s", o.out);
	output_free(&o);
	o = shell_ok("movephys info; rm %s", path);
	CHECK(strstr(o.out, "  has    NUMA, CXL_REGION\n") &&
	      strstr(o.out, "  lacks  DAMON_PADDR        for damon\n"), "%s", o.out);
	output_free(&o);
	o = shell_ok("movephys info --json");
	CHECK(strstr(o.out, "\"kernel_configuration\": null"), "%s", o.out);
	output_free(&o);
}

/* Whoever pages out undoes what was moved; a scheme that only counts does not. */
TEST(info, damon_schemes, .doorless = true)
{
	static const char scheme[] =
		"/sys/kernel/mm/damon/admin/kdamonds/0/contexts/0/schemes/0/action";
	struct output counting, paging, none;

	if (!exists("/sys/kernel/mm/damon/admin"))
		SKIP("this kernel has no DAMON");
	damon_monitor_on(32 << 20, 2 << 20);
	counting = shell("movephys info");
	/* Only the file: the monitor runs with what it was started with. */
	paging = shell("echo pageout >%s; movephys info", scheme);
	damon_monitor_off();
	none = shell("movephys info --json");
	CHECK(strstr(counting.out, "DAMON schemes   none that moves pages\n"), "%s", counting.out);
	CHECK(strstr(paging.out, "DAMON schemes   kdamond 0: pageout\n"), "%s", paging.out);
	CHECK(strstr(none.out, "\"damon_schemes\": null"), "%s", none.out);
	output_free(&counting);
	output_free(&paging);
	output_free(&none);
}

TEST(info, doors, .doorless = true)
{
	struct output o = shell_ok("movephys info");

	CHECK(strstr(o.out, "  revmap   open, slow; with --door revmap only\n"), "%s", o.out);
	CHECK(strstr(o.out, "  CAP_SYS_ADMIN: yes\n"), "%s", o.out);
	if (door_present())
		CHECK(strstr(o.out, "  used: "), "%s", o.out);
	else
		/* It is nowhere that modprobe looks. */
		CHECK(strstr(o.out, "; install it for this kernel: ") &&
		      strstr(o.out, "\nnext: movephys pagemap --pid $$ | "
			     "movephys where --door revmap -\n"), "%s", o.out);
	output_free(&o);
}

/* What it says to type next can be typed. */
TEST(info, next_command)
{
	struct output o;

	need_door();
	o = shell("eval \"$(movephys info | sed -n 's/^next: //p')\"");
	CHECK(o.status == 0 || o.status == 1, "status %d: %s", o.status, o.err);
	CHECK(strstr(o.out, "pages looked at"), "%s%s", o.out, o.err);
	output_free(&o);
}

static void ask_as_nobody(struct child *me, void *arg)
{
	struct output o;

	(void)me;
	(void)arg;
	MUST(setgid(1000));
	MUST(setuid(1000));
	o = shell("movephys info");
	if (o.status == 127 || o.status == 126)
		SKIP("user 1000 may not run the command here");
	CHECK(o.status == 0 && !*o.err, "status %d: %s", o.status, o.err);
	CHECK(strstr(o.out, "  CAP_SYS_ADMIN: no; ") && strstr(o.out, "\nnext: "), "%s", o.out);
	if (exists("/sys/kernel/mm/damon/admin"))
		CHECK(strstr(o.out, "  DAMON schemes   only root may see them\n"), "%s",
		      strstr(o.out, "DAMON schemes"));
	output_free(&o);
}

TEST(info, unprivileged, .doorless = true)
{
	struct child c;

	if (exists("/sys/kernel/mm/damon/admin"))
		damon_monitor_on(32 << 20, 2 << 20);
	c = spawn(ask_as_nobody, NULL);
	child_end(&c);
	if (exists("/sys/kernel/mm/damon/admin"))
		damon_monitor_off();
}
