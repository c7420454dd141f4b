// SPDX-License-Identifier: GPL-2.0-only
/* The examples of the manual pages, as they stand there, but for names and numbers. */
#include <glob.h>
#include <signal.h>
#include <sys/wait.h>

#include "h_command.h"
#include "h_use.h"

#define LINE_MAX_BYTES	1024

/* Replaces each @from in @text, of LINE_MAX_BYTES. */
static void replace(char *text, const char *from, const char *to)
{
	char *at = strstr(text, from);

	while (at) {
		char rest[LINE_MAX_BYTES];

		snprintf(rest, sizeof(rest), "%s", at + strlen(from));
		snprintf(at, LINE_MAX_BYTES - (size_t)(at - text), "%s%s", to, rest);
		at = strstr(at + strlen(to), from);
	}
}

/*
 * What the pages call 1234, web and list.txt is this test's; minutes become seconds, and
 * many rounds a few.
 */
static void make_real(char *line, const char *cgroup)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "--pid %d", (int)getpid());
	replace(line, "\\-", "-");
	replace(line, "--pid 1234", pid);
	replace(line, "/sys/fs/cgroup/web", cgroup);
	replace(line, "--charged web", "--charged .");
	replace(line, "--interval 1m", "--interval 1s");
	replace(line, "--interval 5s", "--interval 1s");
	replace(line, "--cpu 5 ", "--cpu 50 ");
	replace(line, "--duration 10s", "--duration 1s");
	replace(line, "damon --start", "damon --start --interval 1s");
	replace(line, "--kdamond 0 --rounds 10", "--kdamond 0 --rounds 3 --interval 300ms");
	replace(line, "--rounds 5", "--rounds 2");
}

/* Those that go on until Ctrl-C get one, as from a terminal: the whole pipeline does. */
static int run_endless(const char *line)
{
	pid_t pid = MUST(fork());
	int wstatus;

	if (!pid) {
		setpgid(0, 0);
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		_exit(127);
	}
	nap_ms(1500);
	MUST(kill(-pid, SIGINT));
	MUST(waitpid(pid, &wstatus, 0));
	return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus);
}

/* For perf script to print, as far as an emulated machine gets: minor faults, not loads. */
static void record_faults(void)
{
	struct output o = shell_ok("perf record -q -d --phys-data -e minor-faults -c 7 -- "
				   "sh -c 'ls -R /proc/self >ls.txt; sleep 1' >&2");

	output_free(&o);
}

static void run_example(const char *page, const char *line, const struct region *r)
{
	struct output o;
	int status;

	if (strstr(line, "movephys rank"))
		need_command("rank");
	if (strstr(line, "--kdamond"))
		damon_monitor_on(region_phys(r, 0), 2 << 20);
	if (strstr(line, "perf script"))
		record_faults();
	if (strstr(line, "--rounds 0")) {
		status = run_endless(line);
		CHECK(status == 128 + SIGINT || status == 0, "%s: %s: status %d", page, line,
		      status);
		return;
	}
	o = shell("%s", line);
	if (strstr(line, "--kdamond"))
		damon_monitor_off();
	/* 1: something was refused, which depends on what else is on the node. */
	if (o.status > 1)
		FAIL("%s: %s: status %d: %.300s", page, line, o.status, o.err);
	if (strstr(line, "perf script"))
		CHECK(list_lines(o.out) > 0, "%s: %s: no address: %.300s", page, line, o.err);
	output_free(&o);
}

/* ---- What is in a page ---- */

struct examples {
	char *text, *save;	/* strtok_r()'s */
	bool begun;
	char line[LINE_MAX_BYTES];
	char needs[64];		/* what this machine may lack for it; "" for nothing */
};

static struct examples examples_of(const char *page)
{
	struct examples ex = { .text = read_text("%s", page) };

	CHECK(strstr(ex.text, ".SH EXAMPLES\n.nf\n"), "%s has no examples", page);
	return ex;
}

static const char *next_line(struct examples *ex)
{
	char *at = NULL;

	if (!ex->begun)
		at = strstr(ex->text, ".SH EXAMPLES\n.nf\n") + strlen(".SH EXAMPLES\n.nf\n");
	ex->begun = true;
	at = strtok_r(at, "\n", &ex->save);
	return at && strcmp(at, ".fi") != 0 ? at : NULL;
}

/*
 * A comment before an example, as in .\" needs: IBS or PEBS, says what not every
 * machine has; idle page tracking is known by the command.
 */
static bool next_example(struct examples *ex)
{
	static const char mark[] = ".\\\" needs: ";
	const char *at;

	ex->line[0] = ex->needs[0] = '\0';
	while ((at = next_line(ex))) {
		size_t len = strlen(ex->line);

		if (!strncmp(at, mark, strlen(mark)))
			snprintf(ex->needs, sizeof(ex->needs), "%s", at + strlen(mark));
		if (*at == '#' || *at == '.')
			continue;
		snprintf(ex->line + len, sizeof(ex->line) - len, " %s", at + (*at == '\t'));
		/* A pipeline goes on in the next line. */
		if (at[strlen(at) - 1] == '|')
			continue;
		if (strstr(ex->line, "movephys idle"))
			snprintf(ex->needs, sizeof(ex->needs), "idle page tracking");
		return true;
	}
	return false;
}

/* The host's, which is in the working directory then; so is what it records. */
static bool has_perf(void)
{
	struct output o = shell("perf --version");
	bool found = !o.status;

	output_free(&o);
	return found;
}

static bool has(const char *need)
{
	if (!strcmp(need, "idle page tracking"))
		return exists("/sys/kernel/mm/page_idle/bitmap");
	if (!strcmp(need, "IBS or PEBS"))
		return exists("/sys/bus/event_source/devices/ibs_op") ||
		       exists("/sys/bus/event_source/devices/cpu/events/mem-loads");
	CHECK(!strcmp(need, "perf") || !*need, "a page needs \"%s\", which no test knows", need);
	return !*need || has_perf();
}

/* ---- Running them ---- */

static struct region prepare(const char **cgroup)
{
	struct region r;
	struct output o;

	need_door();
	*cgroup = cgroup_enter("examples");
	r = region_anon(64, slow_node(), 1);
	o = shell_ok("movephys pagemap --pid %d --range 0x%lx+256k | tee list.txt >samples.txt",
		     (int)getpid(), (unsigned long)r.va);
	output_free(&o);
	return r;
}

/* Those that this machine has everything for; the others are named by those that follow. */
static void run_page(const char *page)
{
	const char *cgroup;
	struct region r = prepare(&cgroup);
	struct examples ex = examples_of(page);
	int nr = 0;

	while (next_example(&ex)) {
		nr++;
		if (!has(ex.needs))
			continue;
		make_real(ex.line, cgroup);
		run_example(page, ex.line, &r);
	}
	CHECK_GE(nr, 3);
	region_verify(&r);
	free(ex.text);
}

/* Those that have a test here. */
static const char *const pages[] = {
	"movephys.1", "movephys-move.1", "movephys-where.1", "movephys-zones.1",
	"movephys-pagemap.1", "movephys-sample.1", "movephys-idle.1", "movephys-damon.1",
	"movephys-rank.1", "movephys-info.1",
};

static void name_those_that_need(const char *need)
{
	char list[4 * LINE_MAX_BYTES] = "";

	if (has(need))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		struct examples ex = examples_of(pages[i]);

		while (next_example(&ex)) {
			size_t len = strlen(list);

			replace(ex.line, "\\-", "-");
			if (!strcmp(ex.needs, need))
				snprintf(list + len, sizeof(list) - len, "%s%s", *list ? ";" : "",
					 ex.line);
		}
		free(ex.text);
	}
	if (*list)
		SKIP("no %s here, so these were not run:%s", need, list);
}

TEST(examples, movephys, .limit_s = 120)
{
	run_page("movephys.1");
}

TEST(examples, move, .limit_s = 120)
{
	run_page("movephys-move.1");
}

TEST(examples, where)
{
	run_page("movephys-where.1");
}

TEST(examples, zones)
{
	run_page("movephys-zones.1");
}

TEST(examples, pagemap)
{
	run_page("movephys-pagemap.1");
}

TEST(examples, idle, .limit_s = 120)
{
	if (!exists("/sys/kernel/mm/page_idle/bitmap"))
		SKIP("this kernel has no idle page tracking");
	run_page("movephys-idle.1");
}

TEST(examples, damon, .limit_s = 120)
{
	if (!exists("/sys/kernel/mm/damon/admin"))
		SKIP("this kernel has no DAMON");
	run_page("movephys-damon.1");
}

TEST(examples, rank, .limit_s = 120)
{
	run_page("movephys-rank.1");
}

TEST(examples, info)
{
	run_page("movephys-info.1");
}

TEST(examples, sample, .limit_s = 240)
{
	need_events();
	run_page("movephys-sample.1");
}

/* That of movephys-cxl is run with CXL memory, by run-cxl. */
TEST(examples, each_page)
{
	glob_t found;

	CHECK_EQ(glob("*.1", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		bool known = !strcmp(found.gl_pathv[i], "movephys-cxl.1");

		for (size_t k = 0; k < ARRAY_SIZE(pages); k++)
			known |= !strcmp(found.gl_pathv[i], pages[k]);
		CHECK(known, "no test runs the examples of %s", found.gl_pathv[i]);
	}
	globfree(&found);
}

TEST(examples, need_idle)
{
	name_those_that_need("idle page tracking");
}

TEST(examples, need_hardware)
{
	name_those_that_need("IBS or PEBS");
}

TEST(examples, need_perf)
{
	name_those_that_need("perf");
}
