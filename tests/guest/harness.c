// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registry and runner.  Each test runs in a child of its own with a time
 * limit, so that a crash or a hang is a failed test and not a lost run.  After
 * each test the runner undoes what the test changed in the system, reads the
 * kernel's log, and sees that no page is left isolated.
 */
#include "harness.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>

#include "harness_internal.h"

#define DEFAULT_LIMIT_S 60
#define EXIT_SKIPPED 77

enum verdict { VERDICT_NONE, VERDICT_FAIL, VERDICT_SKIP };

#define MAX_RESTORE 64
#define SWAP_OFF "(swapoff)"	/* as a value: the path is a swap device */

/* Shared by the runner, the test and the processes the test starts. */
struct report {
	int verdict;
	char why[1024];
	char shown[64];
	int nr_restore;
	struct {
		char path[192];
		char value[64];
	} restore[MAX_RESTORE];
};

static struct test *tests, **tests_end = &tests;
/* What limits are multiplied by, where everything takes its time. */
static unsigned int patience = 1;
static struct report *report;
static int kmsg_fd = -1;

void test_register(struct test *t)
{
	*tests_end = t;
	tests_end = &t->next;
}

/* The first verdict stands; later ones are mostly its consequences. */
__attribute__((noreturn))
static void conclude(enum verdict verdict, const char *why)
{
	int none = VERDICT_NONE;

	if (!report) {
		fprintf(stderr, "%s\n", why);
		_exit(verdict == VERDICT_SKIP ? EXIT_SKIPPED : 1);
	}
	if (__atomic_compare_exchange_n(&report->verdict, &none, verdict, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		snprintf(report->why, sizeof(report->why), "%s", why);
	_exit(verdict == VERDICT_SKIP ? 0 : 1);
}

__attribute__((noreturn))
static void fail_at(const char *file, int line, const char *cond, const char *fmt, va_list ap)
{
	const char *base = strrchr(file, '/');
	char why[1000];
	int len;

	len = snprintf(why, sizeof(why), "%s:%d: %s", base ? base + 1 : file, line, cond);
	if (len < (int)sizeof(why))
		vsnprintf(why + len, sizeof(why) - len, fmt, ap);
	conclude(VERDICT_FAIL, why);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_at(file, line, "", fmt, ap);
}

void test_fail_cond(const char *file, int line, const char *cond, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_at(file, line, cond, fmt, ap);
}

void test_skip(const char *fmt, ...)
{
	char why[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	conclude(VERDICT_SKIP, why);
}

void test_shows(const char *what)
{
	if (report)
		snprintf(report->shown, sizeof(report->shown), "%s", what);
}

void restore_later(const char *path, const char *value)
{
	int slot;

	if (!report)
		return;
	slot = __atomic_fetch_add(&report->nr_restore, 1, __ATOMIC_SEQ_CST);
	CHECK(slot < MAX_RESTORE, "too many settings to restore");
	CHECK(strlen(path) < sizeof(report->restore[0].path), "%s", path);
	snprintf(report->restore[slot].value, sizeof(report->restore[0].value), "%s", value);
	snprintf(report->restore[slot].path, sizeof(report->restore[0].path), "%s", path);
}

void swap_off_later(const char *device)
{
	restore_later(device, SWAP_OFF);
}

/* Newest first: the oldest value of a setting written twice is the one to keep. */
static void restore_settings(void)
{
	int i = report->nr_restore < MAX_RESTORE ? report->nr_restore : MAX_RESTORE;

	while (i-- > 0) {
		const char *path = report->restore[i].path, *value = report->restore[i].value;

		if (path[0] && !strcmp(value, SWAP_OFF))
			swapoff(path);
		else if (path[0])
			try_write(path, value);
	}
}

/* ---- What a test must not leave behind ------------------------------- */

static void kmsg_open(void)
{
	kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg_fd >= 0)
		lseek(kmsg_fd, 0, SEEK_END);
	else
		fprintf(stderr, "warning: /dev/kmsg: %s: kernel warnings go unnoticed\n",
			strerror(errno));
}

static bool kmsg_is_bad(const char *line)
{
	static const char *const bad[] = {
		"WARNING:", "BUG:", "Oops", "Bad page", "bad page", "hung task", "blocked for more",
		"Call Trace", "soft lockup", "rcu_sched", "rcu_preempt", "Bad rss-counter",
		"general protection fault", "vmstat_refresh:", "kernel BUG", "UBSAN", "KASAN",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (strstr(line, bad[i]))
			return true;
	return false;
}

/* Reads what is new in the log; copies the first bad line to why. */
static bool kmsg_scan(char *why, size_t room)
{
	bool found = false;
	char rec[8192];
	ssize_t len;

	while (kmsg_fd >= 0) {
		len = read(kmsg_fd, rec, sizeof(rec) - 1);
		if (len < 0 && errno == EPIPE)	/* overrun: go on with the oldest there is */
			continue;
		if (len <= 0)
			break;
		rec[len] = '\0';
		/* "priority,sequence,time,flags;text\n continuation" */
		char *text = strchr(rec, ';');

		if (!text || found || !kmsg_is_bad(text))
			continue;
		text[1 + strcspn(text + 1, "\n")] = '\0';
		snprintf(why, room, "kernel log: %s", text + 1);
		found = true;
	}
	return found;
}

/* Isolated pages go back within 2 s: others (kcompactd) isolate for short times too. */
static bool isolated_left(char *why, size_t room)
{
	long long until = now_ms() + 2000, anon, file;

	do {
		try_write("/proc/sys/vm/stat_refresh", "1");
		anon = vmstat("nr_isolated_anon");
		file = vmstat("nr_isolated_file");
		if (anon <= 0 && file <= 0)
			return false;
		nap_ms(50);
	} while (now_ms() < until);
	snprintf(why, room, "isolated pages are left: nr_isolated_anon %lld, nr_isolated_file %lld",
		 anon, file);
	return true;
}

/* ---- One test -------------------------------------------------------- */

static void test_child(const struct test *t)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	/* Mounts of the test end with it. */
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	t->run();
	_exit(0);
}

/* Ends and collects whatever the test has started; the runner is their subreaper. */
static void reap_all(pid_t group)
{
	for (int i = 0; i < 100; i++) {
		pid_t pid;

		kill(-group, SIGKILL);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return;
		nap_ms(20);
	}
}

/* Waits for the test's process; false when it took too long and was ended. */
static bool wait_limited(pid_t pid, unsigned int limit_s, int *wstatus)
{
	long long until = now_ms() + limit_s * 1000LL;
	long nap = 1;

	while (waitpid(pid, wstatus, WNOHANG) != pid) {
		if (now_ms() > until) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, wstatus, 0);
			return false;
		}
		nap_ms(nap);
		if (nap < 20)
			nap++;
	}
	return true;
}

static void judge(const struct test *t, int wstatus, bool in_time)
{
	if (report->verdict != VERDICT_NONE)
		return;
	report->verdict = VERDICT_FAIL;
	if (!in_time)
		snprintf(report->why, sizeof(report->why), "not done within %u s", t->limit_s);
	else if (WIFSIGNALED(wstatus))
		snprintf(report->why, sizeof(report->why), "ended by signal %d (%s)",
			 WTERMSIG(wstatus), strsignal(WTERMSIG(wstatus)));
	else if (WEXITSTATUS(wstatus))
		snprintf(report->why, sizeof(report->why), "exit status %d", WEXITSTATUS(wstatus));
	else
		report->verdict = VERDICT_NONE;
}

static void run_one(struct test *t)
{
	char why[512];
	bool in_time;
	int wstatus;
	pid_t pid;

	t->limit_s = (t->limit_s ? t->limit_s : DEFAULT_LIMIT_S) * patience;
	memset(report, 0, sizeof(*report));
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		test_child(t);
	if (pid < 0) {
		report->verdict = VERDICT_FAIL;
		snprintf(report->why, sizeof(report->why), "fork: %s", strerror(errno));
		return;
	}
	setpgid(pid, pid);
	in_time = wait_limited(pid, t->limit_s, &wstatus);
	reap_all(pid);
	judge(t, wstatus, in_time);
	restore_settings();
	if ((isolated_left(why, sizeof(why)) | kmsg_scan(why, sizeof(why))) &&
	    report->verdict != VERDICT_FAIL) {
		report->verdict = VERDICT_FAIL;
		snprintf(report->why, sizeof(report->why), "%s", why);
	}
}

/* ---- Others who move pages ------------------------------------------- */

/* What moves pages on its own account would make a test's page be elsewhere. */
static struct mover {
	const char *path, *quiet;
	char old[32];
} movers[] = {
	{ "/proc/sys/kernel/numa_balancing", "0", "" },
	{ "/proc/sys/vm/compaction_proactiveness", "0", "" },
	/* khugepaged drains the LRU batches of all CPUs before each scan. */
	{ "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "86400000", "" },
};

static void movers_quiet(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(movers); i++) {
		struct mover *m = &movers[i];

		if (!exists("%s", m->path))
			continue;
		snprintf(m->old, sizeof(m->old), "%lld", read_number("%s", m->path));
		try_write(m->path, m->quiet);
	}
}

static void movers_restore(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(movers); i++)
		if (movers[i].old[0])
			try_write(movers[i].path, movers[i].old);
}

/* ---- The command ----------------------------------------------------- */

/* The leading argument of a selection: no arguments select everything. */
static bool selected(const struct test *t, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (fnmatch(argv[i], t->name, 0) == 0)
			return true;
	return argc == 0;
}

static bool selects_something(char *pattern)
{
	for (const struct test *t = tests; t; t = t->next)
		if (selected(t, 1, &pattern))
			return true;
	return false;
}

static void run_selected(int argc, char **argv, bool timed, int count[3])
{
	static const char *const word[] = { "ok", "not ok", "skip" };

	for (struct test *t = tests; t; t = t->next) {
		long long start = now_ms();

		if (!selected(t, argc, argv))
			continue;
		run_one(t);
		count[report->verdict]++;
		printf("%s %s", word[report->verdict], t->name);
		if (report->verdict != VERDICT_NONE)
			printf(": %s", report->why);
		else if (*report->shown)
			printf(": %s", report->shown);
		if (timed)
			printf(" [%lld ms]", now_ms() - start);
		printf("\n");
		fflush(stdout);
	}
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: mpp-conformance [--list] [--times] [--patience N] [NAME-or-glob...]\n"
		"--patience gives each test N times its time, for kernels that check themselves.\n"
		"MPP_DOOR=device|syscall|none chooses the door; by default the system call where the\n"
		"kernel has it, else the device.\n");
}

int run_tests(int argc, char **argv)
{
	int count[3] = { 0 };
	bool list = false, timed = false;

	for (argc--, argv++; argc > 0 && argv[0][0] == '-'; argc--, argv++) {
		if (!strcmp(argv[0], "--list")) {
			list = true;
		} else if (!strcmp(argv[0], "--times")) {
			timed = true;
		} else if (!strcmp(argv[0], "--patience") && argc > 1 &&
			   atoi(argv[1]) > 0 && atoi(argv[1]) <= 100) {
			patience = (unsigned int)atoi(argv[1]);
			argc--;
			argv++;
		} else {
			bool help = !strcmp(argv[0], "--help");

			if (!help)
				fprintf(stderr, "mpp-conformance: %s is no option, or lacks its number\n",
					argv[0]);
			usage(help ? stdout : stderr);
			return help ? 0 : 2;
		}
	}
	for (int i = 0; i < argc; i++) {
		if (!selects_something(argv[i])) {
			fprintf(stderr, "mpp-conformance: no test is named %s (see --list)\n",
				argv[i]);
			return 2;
		}
	}
	if (list) {
		for (const struct test *t = tests; t; t = t->next)
			if (selected(t, argc, argv))
				printf("%s\n", t->name);
		return 0;
	}

	report = must_mmap(sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	kmsg_open();
	movers_quiet();
	printf("door: %s\n", door_name());
	run_selected(argc, argv, timed, count);
	movers_restore();
	printf("%d passed, %d failed, %d skipped\n", count[VERDICT_NONE], count[VERDICT_FAIL],
	       count[VERDICT_SKIP]);
	if (count[VERDICT_FAIL])
		return 1;
	/* Nothing but skips proves nothing: say so to whoever runs us. */
	return count[VERDICT_NONE] ? 0 : EXIT_SKIPPED;
}
