// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which event is sampled, on sysfs trees as the kernels of both vendors show them
 * (arch/x86/events/amd/ibs.c, arch/x86/events/intel/core.c).
 */
#include <errno.h>
#include <linux/perf_event.h>

#include "perf.h"
#include "tap.h"
#include "tree.h"

static struct mpp_perf_event events[MPP_PERF_EVENTS_MAX];
static const char *why;
static char root[512];
static const struct mpp_roots roots = { .sys = root, .proc = root };

static void begin(void)
{
	tree_remove();
	snprintf(root, sizeof(root), "%s", tree_make());
	memset(events, 0x5a, sizeof(events));
	why = "";
}

struct file {
	const char *name, *text;
};

static void record(const struct file *files, size_t nr)
{
	char name[256];

	for (size_t i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "bus/event_source/devices/%s", files[i].name);
		tree_write(name, files[i].text);
	}
}

#define RECORD(files)	record(files, ARRAY_LEN(files))

static int choose(const char *name, unsigned int flags)
{
	return mpp_perf_select(&roots, name, flags, &why, events);
}

/* Zen 3 under Linux 6.1: no filter in hardware, the kernel cannot be left out. */
static const struct file zen3[] = {
	{ "cpu/type", "4\n" },
	{ "cpu/format/event", "config:0-7,32-35\n" },
	{ "cpu/events/cpu-cycles", "event=0x76\n" },
	{ "ibs_fetch/type", "9\n" },
	{ "ibs_fetch/format/rand_en", "config:57\n" },
	{ "ibs_op/type", "10\n" },
	{ "ibs_op/format/cnt_ctl", "config:19\n" },
};

/* Zen 4 under Linux 6.12 and before: only what missed the third-level cache. */
static const struct file zen4[] = {
	{ "ibs_op/format/l3missonly", "config:16\n" },
	{ "ibs_op/caps/zen4_ibs_extensions", "1\n" },
};

/* Later kernels leave the kernel out in software. */
static const struct file zen5[] = {
	{ "ibs_op/format/swfilt", "config2:0\n" },
	{ "ibs_op/format/ldlat", "config1:0-11\n" },
	{ "ibs_op/caps/ldlat", "1\n" },
};

static const struct file skylake[] = {
	{ "cpu/type", "4\n" },
	{ "cpu/caps/max_precise", "3\n" },
	{ "cpu/format/event", "config:0-7\n" },
	{ "cpu/format/umask", "config:8-15\n" },
	{ "cpu/format/edge", "config:18\n" },
	{ "cpu/format/ldlat", "config1:0-15\n" },
	{ "cpu/events/mem-loads", "event=0xcd,umask=0x1,ldlat=3\n" },
	{ "cpu/events/mem-stores", "event=0xd0,umask=0x82\n" },
};

static const struct file sapphire_rapids[] = {
	{ "cpu/events/mem-loads-aux", "event=0x03,umask=0x82\n" },
};

static const struct file alder_lake[] = {
	{ "cpu_core/type", "4\n" },
	{ "cpu_core/cpus", "0-15\n" },
	{ "cpu_core/caps/max_precise", "3\n" },
	{ "cpu_core/format/event", "config:0-7\n" },
	{ "cpu_core/format/umask", "config:8-15\n" },
	{ "cpu_core/format/ldlat", "config1:0-15\n" },
	{ "cpu_core/events/mem-loads", "event=0xcd,umask=0x1,ldlat=3\n" },
	{ "cpu_core/events/mem-loads-aux", "event=0x03,umask=0x82\n" },
	{ "cpu_atom/type", "10\n" },
	{ "cpu_atom/cpus", "16-23\n" },
	{ "cpu_atom/caps/max_precise", "3\n" },
	{ "cpu_atom/format/event", "config:0-7\n" },
	{ "cpu_atom/format/umask", "config:8-15\n" },
	{ "cpu_atom/format/ldlat", "config1:0-15\n" },
	{ "cpu_atom/events/mem-loads", "event=0xd0,umask=0x5,ldlat=3\n" },
};

/* A virtual machine: a PMU that has no precise sampling shows no memory events. */
static const struct file guest[] = {
	{ "cpu/type", "4\n" },
	{ "cpu/caps/max_precise", "0\n" },
	{ "cpu/format/event", "config:0-7\n" },
	{ "cpu/format/umask", "config:8-15\n" },
	{ "cpu/events/cpu-cycles", "event=0x3c\n" },
	{ "software/type", "1\n" },
};

static void selects_ibs(void)
{
	begin();
	RECORD(zen3);
	CHECK_INT(choose("auto", 0), 1);
	CHECK_STR(events[0].name, "ibs_op/cnt_ctl=1/");
	CHECK_INT(events[0].type, 10);
	CHECK_INT(events[0].config[0], 1 << 19);
	CHECK_INT(events[0].config[1], 0);
	CHECK_INT(events[0].config[2], 0);
	CHECK_INT(events[0].precise, 0);
	CHECK(!events[0].can_exclude);
	CHECK(events[0].has_data_src);
	CHECK(!events[0].has_aux);
	CHECK(mpp_cpus_has(&events[0].cpus, 0) && mpp_cpus_has(&events[0].cpus, 511));

	RECORD(zen4);
	CHECK_INT(choose("ibs", 0), 1);
	CHECK_STR(events[0].name, "ibs_op/cnt_ctl=1,l3missonly=1/");
	CHECK_INT(events[0].config[0], 1 << 19 | 1 << 16);
	CHECK(!events[0].can_exclude);
	CHECK_INT(choose("ibs", MPP_PERF_CACHED), 1);
	CHECK_INT(events[0].config[0], 1 << 19);

	RECORD(zen5);
	CHECK_INT(choose("auto", 0), 1);
	CHECK_INT(events[0].config[0], 1 << 19 | 1 << 16);
	CHECK_INT(events[0].config[2], 1);
	CHECK(events[0].can_exclude);
	CHECK_INT(choose("auto", MPP_PERF_KERNEL), 1);
	CHECK_INT(events[0].config[2], 0);
	/* By hand: the name it has is the name it takes. */
	CHECK_INT(choose("ibs_op/cnt_ctl=1,ldlat=256/", 0), 1);
	CHECK_INT(events[0].config[0], 1 << 19);
	CHECK_INT(events[0].config[1], 256);
	CHECK_STR(events[0].name, "ibs_op/cnt_ctl=1,ldlat=256/");
}

static void selects_pebs(void)
{
	begin();
	RECORD(skylake);
	CHECK_INT(choose("auto", 0), 1);
	CHECK_STR(events[0].name, "cpu/mem-loads,ldlat=128/");
	CHECK_INT(events[0].type, 4);
	CHECK_INT(events[0].config[0], 0x1cd);
	CHECK_INT(events[0].config[1], 128);
	CHECK_INT(events[0].precise, 2);
	CHECK(events[0].can_exclude);
	CHECK(!events[0].has_aux);
	CHECK_INT(choose("pebs", MPP_PERF_CACHED), 1);
	CHECK_INT(events[0].config[1], 3);
	CHECK_INT(choose("cpu/mem-stores/", 0), 1);
	CHECK_INT(events[0].config[0], 0x82d0);
	CHECK(!events[0].has_aux);

	RECORD(sapphire_rapids);
	CHECK_INT(choose("auto", 0), 1);
	CHECK(events[0].has_aux);
	CHECK_INT(events[0].aux_config[0], 0x8203);
	CHECK_INT(events[0].config[0], 0x1cd);
	CHECK_INT(choose("cpu/mem-loads,ldlat=50/", 0), 1);
	CHECK(events[0].has_aux);
	CHECK_INT(events[0].config[1], 50);
	CHECK_INT(choose("cpu/mem-stores/", 0), 1);
	CHECK(!events[0].has_aux);
	/* AMD's is taken first only where there is one. */
	CHECK_INT(choose("ibs", 0), -ENODEV);
}

static void selects_both_kinds_of_cores(void)
{
	begin();
	RECORD(alder_lake);
	CHECK_INT(choose("auto", 0), 2);
	CHECK_STR(events[0].name, "cpu_core/mem-loads,ldlat=128/");
	CHECK_INT(events[0].type, 4);
	CHECK(events[0].has_aux);
	CHECK_INT(events[0].aux_config[0], 0x8203);
	CHECK(mpp_cpus_has(&events[0].cpus, 15) && !mpp_cpus_has(&events[0].cpus, 16));
	CHECK_STR(events[1].name, "cpu_atom/mem-loads,ldlat=128/");
	CHECK_INT(events[1].type, 10);
	CHECK_INT(events[1].config[0], 0x5d0);
	CHECK(!events[1].has_aux);
	CHECK(mpp_cpus_has(&events[1].cpus, 16) && mpp_cpus_has(&events[1].cpus, 23));
	CHECK(!mpp_cpus_has(&events[1].cpus, 0) && !mpp_cpus_has(&events[1].cpus, 24));
}

static void says_what_is_missing(void)
{
	begin();
	CHECK_INT(choose("auto", 0), -ENODEV);
	RECORD(guest);
	CHECK_INT(choose("auto", 0), -ENODEV);
	CHECK_HAS(why, "AMD IBS, Intel PEBS");
	CHECK_INT(choose("ibs", 0), -ENODEV);
	CHECK_HAS(why, "no such PMU");
	CHECK_INT(choose("pebs", 0), -ENODEV);
	CHECK_HAS(why, "no such PMU");
	CHECK_INT(choose("nothing/event=1/", 0), -ENODEV);
	CHECK_HAS(why, "no such PMU");
	/* First touches need nothing. */
	CHECK_INT(choose("faults", 0), 1);
	CHECK_INT(events[0].type, PERF_TYPE_SOFTWARE);
	CHECK_INT(events[0].config[0], PERF_COUNT_SW_PAGE_FAULTS_MIN);
	CHECK(events[0].can_exclude && !events[0].has_data_src && !events[0].has_aux);
	CHECK_INT(events[0].precise, 0);
	CHECK(mpp_cpus_has(&events[0].cpus, 7));
}

static void takes_terms(void)
{
	static const struct {
		const char *name, *why;
	} bad[] = {
		{ "cpu", "not an event" }, { "", "not an event" }, { "/", "not an event" },
		{ "//", "not an event" }, { "cpu/event=1", "not an event" },
		{ "../cpu/event=1/", "not an event" }, { "cpu/..//", "no such term" },
		{ "cpu/bogus=1/", "no such term" }, { "cpu/,/", "no such term" },
		{ "cpu/../../../format=1/", "no such term" },
		{ "cpu/event=/", "value" }, { "cpu/event=x/", "value" },
		{ "cpu/event=-1/", "value" },
		{ "cpu/event=0x100/", "value" }, { "cpu/edge=2/", "value" },
		{ "cpu/event=99999999999999999999/", "value" },
		{ "cpu/mem-loads=1/", "no such term" }, { "cpu/odd=1/", "value" },
		{ "cpu/other=1/", "value" },
	};
	static const struct file further[] = {
		{ "cpu/format/wide", "config:0-7,32-35\n" },
		{ "cpu/format/odd", "config:zero\n" },
		{ "cpu/format/other", "config9:1\n" },
		{ "cpu/format/three", "config:3,5,7\n" },
	};

	begin();
	RECORD(skylake);
	RECORD(further);
	CHECK_INT(choose("cpu/event=0xab,umask=1,edge/", 0), 1);
	CHECK_INT(events[0].config[0], 0x401ab);
	CHECK_INT(choose("cpu/wide=0xfff/", 0), 1);
	CHECK_INT(events[0].config[0], 0xf000000ffLL);
	CHECK_INT(choose("cpu/three=5/", 0), 1);
	CHECK_INT(events[0].config[0], 1 << 3 | 1 << 7);
	/* The later of two wins, bit by bit. */
	CHECK_INT(choose("cpu/event=0xff,event=0x01/", 0), 1);
	CHECK_INT(events[0].config[0], 1);
	CHECK_INT(choose("cpu/config=0x1234,config1=7,config2=9/", 0), 1);
	CHECK_INT(events[0].config[0], 0x1234);
	CHECK_INT(events[0].config[1], 7);
	CHECK_INT(events[0].config[2], 9);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (choose(bad[i].name, 0) != -EINVAL)
			tap_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i].name);
		CHECK_HAS(why, bad[i].why);
	}
}

static void explains(void)
{
	static const struct {
		const char *paranoid;
		int err;
		bool privileged;
		const char *part;
	} cases[] = {
		{ NULL, -EACCES, true, "without perf events" },
		{ "2\n", -ENOSYS, true, "without perf events" },
		{ "2\n", -EACCES, false, "perf_event_paranoid is above 1" },
		{ "4\n", -EPERM, false, "perf_event_paranoid is above 1" },
		{ "1\n", -EACCES, false, "perf_event_paranoid is above 0" },
		{ "-1\n", -EACCES, false, "lockdown" },
		{ "2\n", -EPERM, true, "lockdown" },
		{ "2\n", -EOPNOTSUPP, true, "virtual machines" },
		{ "2\n", -EMFILE, true, "ulimit -n" },
		{ "2\n", -EBUSY, true, "somebody else" },
		{ "2\n", -ENODATA, true, "auxiliary" },
		{ "2\n", -ESRCH, true, "no such process" },
		{ "2\n", -ENODEV, true, "online" },
		{ "2\n", -ENOENT, true, "does not know" },
		{ "2\n", -EIO, true, "Input/output error" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin();
		if (cases[i].paranoid)
			tree_write("sys/kernel/perf_event_paranoid", cases[i].paranoid);
		CHECK_HAS(mpp_perf_explain(&roots, cases[i].err, cases[i].privileged),
			  cases[i].part);
	}
}

static void reads_cpu_lists(void)
{
	static const char *const bad[] = {
		"a", "1-", "-1", "3-1", "1,", "1,,2", "1;2", " 1", "8192", "0-8192", "1 2",
		"99999999999999999999",
	};
	struct mpp_cpus cpus;

	CHECK_INT(mpp_cpus_parse("0-3,8,100-101\n", &cpus), 0);
	for (unsigned int cpu = 0; cpu < MPP_CPUS_MAX + 10; cpu++)
		CHECK_INT(mpp_cpus_has(&cpus, cpu),
			  cpu <= 3 || cpu == 8 || cpu == 100 || cpu == 101);
	CHECK_INT(mpp_cpus_parse("8191", &cpus), 0);
	CHECK(mpp_cpus_has(&cpus, 8191) && !mpp_cpus_has(&cpus, 0));
	CHECK_INT(mpp_cpus_parse("\n", &cpus), 0);
	CHECK(!mpp_cpus_has(&cpus, 8191));
	CHECK_INT(mpp_cpus_parse("5", &cpus), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (mpp_cpus_parse(bad[i], &cpus) != -EINVAL)
			tap_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i]);
	CHECK(mpp_cpus_has(&cpus, 5));	/* untouched by failures */
	begin();
	CHECK_INT(mpp_cpus_read(tree_path("none"), &cpus), -ENOENT);
}

int main(void)
{
	static const struct tap_test tests[] = {
		{ "AMD IBS by generation", selects_ibs },
		{ "Intel PEBS, with and without the auxiliary event", selects_pebs },
		{ "hybrid processors", selects_both_kinds_of_cores },
		{ "machines that have neither", says_what_is_missing },
		{ "terms and formats", takes_terms },
		{ "reasons in words", explains },
		{ "lists of CPUs", reads_cpu_lists },
	};
	int status = tap_main(tests, ARRAY_LEN(tests));

	tree_remove();
	return status;
}
