// SPDX-License-Identifier: GPL-2.0-only
/* The examples of the manual pages, as they stand there, but for names and numbers. */
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

/* What the pages call 1234, web and list.txt is this test's; minutes become seconds. */
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
	nap_ms(3000);
	MUST(kill(-pid, SIGINT));
	MUST(waitpid(pid, &wstatus, 0));
	return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus);
}

static void run_example(const char *page, const char *line, const struct region *r)
{
	struct output o;
	int status;

	if (strstr(line, "movephys idle") && !exists("/sys/kernel/mm/page_idle/bitmap"))
		return;
	if (strstr(line, "movephys rank"))
		need_command("rank");
	if (strstr(line, "--kdamond"))
		damon_monitor_on(region_phys(r, 0), 2 << 20);
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
	output_free(&o);
}

static void run_page(const char *page)
{
	const char *cgroup = cgroup_enter("examples");
	struct region r = region_anon(64, slow_node(), 1);
	char *text = read_text("%s", page), *save = NULL, *at;
	char line[LINE_MAX_BYTES] = "";
	struct output o;
	int nr = 0;

	need_door();
	o = shell_ok("movephys pagemap --pid %d --range 0x%lx+256k >list.txt", (int)getpid(),
		     (unsigned long)r.va);
	output_free(&o);
	at = strstr(text, ".SH EXAMPLES\n.nf\n");
	CHECK(at, "%s has no examples", page);
	for (at = strtok_r(at + strlen(".SH EXAMPLES\n.nf\n"), "\n", &save); at && strcmp(at, ".fi");
	     at = strtok_r(NULL, "\n", &save)) {
		size_t len = strlen(line);

		if (*at == '#')
			continue;
		snprintf(line + len, sizeof(line) - len, "%s ", at);
		/* A pipeline goes on in the next line. */
		if (at[strlen(at) - 1] == '|')
			continue;
		make_real(line, cgroup);
		run_example(page, line, &r);
		line[0] = '\0';
		nr++;
	}
	CHECK_GE(nr, 3);
	region_verify(&r);
	free(text);
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
