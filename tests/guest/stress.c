// SPDX-License-Identifier: GPL-2.0-only
/*
 * mpp-stress: move all memory back and forth while processes use it in every
 * way they can, and verify that nothing of theirs is lost, torn or swapped.
 */
#include "stress.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_SWEEPS	4
#define REPORT_S	10
#define ROUND_S		15	/* then the sweeps start anew, with the module loaded again */
#define SILENT_S	180	/* a worker without a sign of life for this long is stuck */
#define EXIT_SKIPPED	77
#define MIN_MOVED	500	/* pages to each node, or the run proved nothing */

const struct worker_kind worker_kinds[] = {
	{ "fork", work_fork, "children that break copy-on-write" },
	{ "exec", work_exec, "programs that start and end" },
	{ "mremap", work_mremap, "mappings that hop" },
	{ "map", work_map, "mappings that come, get holes and go" },
	{ "mlock", work_mlock, "pages locked and unlocked" },
	{ "shared", work_shared, "shared memory of three processes" },
	{ "thp", work_thp, "huge pages split, collapsed and given back in pieces" },
	{ "ksm", work_ksm, "equal pages merged and parted" },
	{ "pipe", work_pipe, "pages lent to a pipe" },
	{ "tmpfs", work_tmpfs, "a tmpfs file written, truncated, punched and mapped" },
	{ "ext4", work_ext4, "the same on disk, dropped from the cache too" },
	{ "swap", work_swap, "pages swapped out and in" },
	{ "hugetlb", work_hugetlb, "hugetlb pages and pools that change" },
	{ "cgroup", work_cgroup, "moves between cgroups whose cpusets change" },
	{ "offline", work_offline, "memory blocks taken offline and back" },
};
const size_t nr_worker_kinds = sizeof(worker_kinds) / sizeof(worker_kinds[0]);

struct stress {
	unsigned int seconds;
	unsigned int nr_sweeps;
	uint64_t seed;
	const char *ko;
	const char *only;		/* comma-separated names, NULL for all */
	struct machine machine;
	struct shared *shared;
	pid_t pid[MAX_WORKERS];
	uint64_t seen_loops[MAX_WORKERS];
	time_t seen_at[MAX_WORKERS];
	struct sweep *sweep[MAX_SWEEPS];
	struct sweep_totals done;	/* of sweeps that have ended */
	unsigned int reloads;
	struct klog log;
	bool miscounts;			/* the kernel, by itself: see offline_miscounts() */
	char why[512];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static bool wanted(const struct stress *s, const char *name)
{
	size_t len = strlen(name);
	const char *at = s->only;

	while (at && *at) {
		size_t part = strcspn(at, ",");

		if (part == len && !strncmp(at, name, len))
			return true;
		at += part + (at[part] == ',');
	}
	return !s->only;
}

static int start_worker(struct stress *s, size_t i)
{
	pid_t parent = getpid(), pid = fork();
	struct worker w = {
		.name = worker_kinds[i].name,
		.id = (unsigned int)i + 1,
		.rng = s->seed ^ (i + 1) << 40,
		.state = &s->shared->state[i],
		.stop = &s->shared->stop,
	};

	if (pid != 0) {
		s->pid[i] = pid;
		s->seen_at[i] = now_s();
		return pid < 0 ? -errno : 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* Ctrl-C reaches the whole group; the main process then ends us in order. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	setpriority(PRIO_PROCESS, 0, 10);
	prctl(PR_SET_NAME, w.name);
	worker_kinds[i].run(&w);
	_exit(0);
}

static int fail(struct stress *s, const char *what, const char *why)
{
	if (!s->why[0])
		snprintf(s->why, sizeof(s->why), "%s: %s", what, why);
	return -1;
}

/* A worker may end by itself only when it skipped. */
static int worker_ended(struct stress *s, size_t i, int status, bool stopping)
{
	const struct worker_state *state = &s->shared->state[i];
	char text[64];

	s->pid[i] = 0;
	if (state->failed)
		return fail(s, worker_kinds[i].name, state->why);
	/* A helper of the harness skipped; it has printed why. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		fprintf(stderr, "worker %s: skipped\n", worker_kinds[i].name);
		return 0;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && (stopping || state->skipped[0]))
		return 0;
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(text, sizeof(text), "ended with status %d", WEXITSTATUS(status));
	return fail(s, worker_kinds[i].name, text);
}

static int watch_workers(struct stress *s, bool stopping)
{
	int err = 0;

	for (size_t i = 0; i < nr_worker_kinds; i++) {
		const struct worker_state *state = &s->shared->state[i];
		int status;

		if (state->failed)
			err = fail(s, worker_kinds[i].name, state->why);
		if (!s->pid[i])
			continue;
		if (waitpid(s->pid[i], &status, WNOHANG) == s->pid[i]) {
			err = worker_ended(s, i, status, stopping) ?: err;
		} else if (s->seen_loops[i] != state->loops) {
			s->seen_loops[i] = state->loops;
			s->seen_at[i] = now_s();
		} else if (now_s() - s->seen_at[i] > SILENT_S) {
			err = fail(s, worker_kinds[i].name, "no sign of life any more");
		}
	}
	return err;
}

static int stop_sweeps(struct stress *s)
{
	char why[256];
	int err = 0;

	for (size_t i = 0; i < MAX_SWEEPS; i++) {
		if (!s->sweep[i])
			continue;
		sweep_add_totals(s->sweep[i], &s->done);
		if (sweep_stop(s->sweep[i], why, sizeof(why)))
			err = fail(s, "sweep", why);
		s->sweep[i] = NULL;
	}
	return err;
}

static int start_sweeps(struct stress *s)
{
	for (unsigned int i = 0; i < s->nr_sweeps; i++) {
		s->sweep[i] = sweep_start(&s->machine, rng_next(&s->seed));
		if (!s->sweep[i])
			return fail(s, "cannot start a sweep", strerror(errno));
	}
	return 0;
}

static void report(struct stress *s, time_t elapsed)
{
	struct sweep_totals t = s->done;

	for (size_t i = 0; i < MAX_SWEEPS; i++) {
		if (s->sweep[i])
			sweep_add_totals(s->sweep[i], &t);
	}
	fprintf(stderr, "%4lds: %ju calls, %ju entries, %ju moved", (long)elapsed,
		(uintmax_t)t.calls, (uintmax_t)t.entries, (uintmax_t)t.moved);
	for (int i = 0; i < s->machine.nr_nodes; i++)
		fprintf(stderr, "%s%ju to node %d", i ? ", " : " (",
			(uintmax_t)t.moved_to[s->machine.nodes[i]], s->machine.nodes[i]);
	fprintf(stderr, "), %ju already there, %ju dry", (uintmax_t)t.already,
		(uintmax_t)t.dry_run);
	for (size_t i = 0; i < sizeof(t.errnos) / sizeof(t.errnos[0]); i++) {
		if (t.errnos[i])
			fprintf(stderr, ", %s %ju", strerrorname_np((int)i),
				(uintmax_t)t.errnos[i]);
	}
	fprintf(stderr, "\n");
}

static void report_workers(const struct stress *s)
{
	for (size_t i = 0; i < nr_worker_kinds; i++) {
		const struct worker_state *state = &s->shared->state[i];

		if (state->skipped[0])
			fprintf(stderr, "worker %s: skipped, %s\n", worker_kinds[i].name,
				state->skipped);
		else if (state->loops)
			fprintf(stderr, "worker %s: %ju loops, %ju %s\n", worker_kinds[i].name,
				(uintmax_t)state->loops, (uintmax_t)state->checked,
				!strcmp(worker_kinds[i].name, "offline") ? "blocks offlined" :
				"pages verified");
	}
}

/* Watch everything for at most @seconds. */
static int watch(struct stress *s, time_t begin, time_t until)
{
	time_t next = now_s() + REPORT_S;

	while (now_s() < until && !interrupted) {
		char why[256];

		usleep(200000);
		if (watch_workers(s, false))
			return -1;
		for (size_t i = 0; i < MAX_SWEEPS; i++) {
			if (s->sweep[i] && sweep_failed(s->sweep[i]))
				return -1;
		}
		if (klog_scan(&s->log, why, sizeof(why)))
			return fail(s, "log", why);
		if (now_s() >= next) {
			report(s, now_s() - begin);
			next += REPORT_S;
		}
	}
	return 0;
}

static int run_rounds(struct stress *s)
{
	time_t begin = now_s(), end = begin + s->seconds;
	int err = 0;

	while (!err && !interrupted && now_s() < end) {
		time_t until = now_s() + ROUND_S < end ? now_s() + ROUND_S : end;
		char why[256];

		err = start_sweeps(s) ?: watch(s, begin, until);
		err = stop_sweeps(s) ?: err;
		if (err || !s->ko || interrupted)
			continue;
		if (module_reload(s->ko, why, sizeof(why)))
			err = fail(s, "module reload", why);
		s->reloads++;
	}
	return err;
}

/* Workers verify everything once more before they end. */
static int end_workers(struct stress *s)
{
	time_t limit = now_s() + SILENT_S;
	bool left = true;
	int err = 0;

	atomic_store(&s->shared->stop, 1);
	while (left && now_s() < limit) {
		err = watch_workers(s, true) ?: err;
		left = false;
		for (size_t i = 0; i < nr_worker_kinds; i++)
			left = left || s->pid[i];
		usleep(50000);
	}
	for (size_t i = 0; i < nr_worker_kinds; i++) {
		if (!s->pid[i])
			continue;
		err = fail(s, worker_kinds[i].name, "did not end when asked to");
		kill(s->pid[i], SIGKILL);
		waitpid(s->pid[i], NULL, 0);
	}
	return err;
}

static int final_checks(struct stress *s)
{
	char why[256];

	if (isolated_settled(&s->log, s->miscounts, why, sizeof(why)))
		return fail(s, "vmstat", why);
	if (klog_scan(&s->log, why, sizeof(why)))
		return fail(s, "log", why);
	for (int i = 0; s->nr_sweeps && !interrupted && i < s->machine.nr_nodes; i++) {
		int node = s->machine.nodes[i];

		if (s->done.moved_to[node] >= MIN_MOVED)
			continue;
		snprintf(why, sizeof(why), "only %ju pages moved to node %d: too few to prove "
			 "anything", (uintmax_t)s->done.moved_to[node], node);
		return fail(s, "sweep", why);
	}
	return 0;
}

static int usage(int status)
{
	FILE *out = status ? stderr : stdout;

	fprintf(out, "usage: mpp-stress [--seconds N] [--seed S] [--workers NAME,...]\n"
		"                  [--sweeps N] [--reload MODULE.ko]\n"
		"Moves all memory back and forth while workers use and verify theirs.\n"
		"Workers:\n");
	for (size_t i = 0; i < nr_worker_kinds; i++)
		fprintf(out, "  %-8s %s\n", worker_kinds[i].name, worker_kinds[i].what);
	return status;
}

/* Every name in the list must be a worker's, or a typo would test nothing. */
static int check_names(const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ","), i;

		for (i = 0; i < nr_worker_kinds; i++) {
			if (strlen(worker_kinds[i].name) == len &&
			    !strncmp(worker_kinds[i].name, list, len))
				break;
		}
		if (i == nr_worker_kinds) {
			fprintf(stderr, "mpp-stress: --workers: no worker is called '%.*s'\n",
				(int)len, list);
			return 2;
		}
		list += len + (list[len] == ',');
	}
	return 0;
}

static int number(const char *option, const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 0);
	if (!errno && end != text && !*end && *value <= max && *text != '-')
		return 0;
	fprintf(stderr, "mpp-stress: %s: '%s' is not a number from 0 to %lu\n", option, text, max);
	return 2;
}

static int parse(struct stress *s, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'e' },
		{ "workers", required_argument, NULL, 'w' },
		{ "sweeps", required_argument, NULL, 'p' },
		{ "reload", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	unsigned long value;
	int opt, err = 0;

	while (!err && (opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			err = number("--seconds", optarg, 10000000, &value);
			s->seconds = (unsigned int)value;
			break;
		case 'e':
			err = number("--seed", optarg, ~0ul, &value);
			s->seed = value;
			break;
		case 'p':
			err = number("--sweeps", optarg, MAX_SWEEPS, &value);
			s->nr_sweeps = (unsigned int)value;
			break;
		case 'w':
			s->only = optarg;
			err = check_names(optarg);
			break;
		case 'r':
			s->ko = optarg;
			break;
		case 'h':
			exit(usage(0));
		default:
			return usage(2);
		}
	}
	if (!err && optind < argc) {
		fprintf(stderr, "mpp-stress: unexpected argument '%s'\n", argv[optind]);
		return 2;
	}
	return err;
}

static int run(struct stress *s)
{
	int err = 0;

	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->shared == MAP_FAILED)
		return fail(s, "mmap", strerror(errno));
	klog_open(&s->log);
	if (wanted(s, "offline") && s->machine.nr_blocks)
		s->miscounts = offline_miscounts(&s->machine, &s->log);
	if (s->miscounts)
		fprintf(stderr, "this kernel miscounts huge pages that it moves out of memory "
			"blocks: multiples of 511 are let pass\n");
	for (size_t i = 0; !err && i < nr_worker_kinds; i++) {
		if (wanted(s, worker_kinds[i].name))
			err = start_worker(s, i);
	}
	if (err)
		fail(s, "fork", strerror(-err));
	else
		err = run_rounds(s);
	err = end_workers(s) ?: err;
	return err ?: final_checks(s);
}

int main(int argc, char **argv)
{
	static struct stress s = { .seconds = 60, .nr_sweeps = 2, .seed = 1 };
	struct sigaction act = { .sa_handler = on_signal };
	time_t begin = now_s();
	uint64_t seed;
	int err;

	if (argc == 2 && !strcmp(argv[1], "--exec-check"))
		return exec_check();
	s.ko = getenv("MPP_MODULE");
	err = parse(&s, argc, argv);
	if (err)
		return err;
	seed = s.seed;
	if (geteuid() != 0) {
		fprintf(stderr, "mpp-stress: needs root\n");
		return 2;
	}
	if (s.nr_sweeps && !door_present()) {
		printf("skip stress: no door: neither the device nor the system call\n");
		return EXIT_SKIPPED;
	}
	if (s.ko && strcmp(door_name(), "device")) {
		fprintf(stderr, "nothing is loaded again: only the device has a module\n");
		s.ko = NULL;
	}
	if (machine_read(&s.machine)) {
		fprintf(stderr, "mpp-stress: /proc/iomem shows no System RAM\n");
		return 1;
	}
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	err = run(&s);
	report(&s, now_s() - begin);
	report_workers(&s);
	if (err)
		printf("not ok stress: %s\n", s.why);
	else
		printf("ok stress: %s%s, seed %ju, %ld s, %ju calls, %ju pages moved, %u reloads\n",
		       interrupted ? "interrupted, " : "", door_name(), (uintmax_t)seed,
		       (long)(now_s() - begin), (uintmax_t)s.done.calls, (uintmax_t)s.done.moved,
		       s.reloads);
	return err ? 1 : 0;
}
