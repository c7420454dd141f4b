// SPDX-License-Identifier: GPL-2.0-only
/* sysfs and procfs, nodes, counters, processes in step with the test. */
#include "harness.h"

#include <sched.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "harness_internal.h"

#define FORMAT_PATH(path, fmt)						\
	do {								\
		va_list ap_;						\
									\
		va_start(ap_, fmt);					\
		vsnprintf(path, sizeof(path), fmt, ap_);		\
		va_end(ap_);						\
	} while (0)

long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void nap_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* ---- Files ----------------------------------------------------------- */

/* NULL when it cannot be opened.  Files of procfs and sysfs do not tell their size. */
static char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0, room = 4096;
	char *text;
	ssize_t n;

	if (fd < 0)
		return NULL;
	text = malloc(room);
	while (text && (n = read(fd, text + len, room - len - 1)) > 0) {
		len += n;
		if (len == room - 1)
			text = realloc(text, room *= 2);
	}
	CHECK(text, "out of memory reading %s", path);
	text[len] = '\0';
	close(fd);
	return text;
}

char *read_text(const char *fmt, ...)
{
	char path[256], *text;

	FORMAT_PATH(path, fmt);
	text = slurp(path);
	if (!text && errno == ENOENT)
		SKIP("this kernel has no %s", path);
	CHECK(text, "%s: %s", path, strerror(errno));
	return text;
}

bool exists(const char *fmt, ...)
{
	char path[256];

	FORMAT_PATH(path, fmt);
	return access(path, F_OK) == 0;
}

long long read_number(const char *fmt, ...)
{
	char path[256], *text, *end;
	long long value;

	FORMAT_PATH(path, fmt);
	text = read_text("%s", path);
	value = strtoll(text, &end, 0);
	CHECK(end != text, "%s: no number in '%s'", path, text);
	free(text);
	return value;
}

int try_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

void write_text(const char *path, const char *fmt, ...)
{
	char text[256];
	int err;

	FORMAT_PATH(text, fmt);
	err = try_write(path, text);
	CHECK(err == 0, "writing '%s' to %s: %s", text, path, strerror(-err));
}

/* Of "always [madvise] never" the value is the word in brackets. */
static void current_value(const char *path, char *value, size_t room)
{
	char *text = read_text("%s", path), *open = strchr(text, '[');

	if (open && strchr(open, ']'))
		snprintf(value, room, "%.*s", (int)strcspn(open + 1, "]"), open + 1);
	else
		snprintf(value, room, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
}

void write_restored(const char *path, const char *value, const char *restore)
{
	char old[64];

	if (!restore) {
		current_value(path, old, sizeof(old));
		restore = old;
	}
	restore_later(path, restore);
	write_text(path, "%s", value);
}

long long keyed_number(const char *path, const char *key)
{
	char *text = slurp(path), *at;
	size_t len = strlen(key);
	long long value = -1;

	if (!text)
		return -1;
	for (at = text; at && *at; at = strchr(at, '\n'), at += !!at) {
		if (strncmp(at, key, len) == 0 && (at[len] == ' ' || at[len] == '\t')) {
			value = strtoll(at + len, NULL, 10);
			break;
		}
	}
	free(text);
	return value;
}

long long vmstat(const char *key)
{
	return keyed_number("/proc/vmstat", key);
}

long long node_vmstat(int node, const char *key)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/vmstat", node);
	return keyed_number(path, key);
}

long long smaps_kb(const void *va, const char *key)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long long start, end;
	size_t len = strlen(key);
	long long value = -1;
	bool inside = false;
	char line[512];

	CHECK(f, "/proc/self/smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			inside = (uintptr_t)va >= start && (uintptr_t)va < end;
		else if (inside && strncmp(line, key, len) == 0)
			value = strtoll(line + len, NULL, 10);
	}
	fclose(f);
	return value;
}

const char *mount_at(const char *type, const char *source, const char *name, const char *options)
{
	static char path[4][96];
	static unsigned int turn;
	char *dir = path[turn++ % 4];

	snprintf(dir, sizeof(path[0]), "/tmp/mpp-%s", name);
	mkdir("/tmp", 01777);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		FAIL("mkdir %s: %s", dir, strerror(errno));
	if (mount(source, dir, type, 0, options) < 0) {
		if (errno == ENODEV)
			SKIP("this kernel has no file system %s", type);
		FAIL("mount %s of type %s at %s: %s", source, type, dir, strerror(errno));
	}
	return dir;
}

/* ---- Nodes ----------------------------------------------------------- */

/* Reads a list such as "0-1,4" of nodes; how many there are. */
static int node_list(const char *file, int nodes[MAX_NODES])
{
	char *text = read_text("/sys/devices/system/node/%s", file), *at = text;
	int count = 0;

	while (*at >= '0' && *at <= '9') {
		long first = strtol(at, &at, 10), last = first;

		if (*at == '-')
			last = strtol(at + 1, &at, 10);
		for (; first <= last && count < MAX_NODES; first++)
			nodes[count++] = first;
		if (*at == ',')
			at++;
	}
	free(text);
	return count;
}

int nodes_with_memory(int nodes[MAX_NODES])
{
	return node_list("has_memory", nodes);
}

static bool in_list(const int *nodes, int count, int node)
{
	while (count-- > 0)
		if (nodes[count] == node)
			return true;
	return false;
}

static int find_fast_node(void)
{
	int memory[MAX_NODES], cpu[MAX_NODES];
	int nr_memory = nodes_with_memory(memory), nr_cpu = node_list("has_cpu", cpu);

	if (nr_memory < 2)
		SKIP("this machine has %d node with memory, two are needed", nr_memory);
	for (int i = 0; i < nr_memory; i++)
		if (in_list(cpu, nr_cpu, memory[i]))
			return memory[i];
	return memory[0];
}

/* Asked for each entry of long calls: remembered. */
int fast_node(void)
{
	static int fast = -1;

	if (fast < 0)
		fast = find_fast_node();
	return fast;
}

int slow_node(void)
{
	static int slow = -1;
	int memory[MAX_NODES], nr;

	if (slow >= 0)
		return slow;
	nr = nodes_with_memory(memory);
	for (int i = 0; i < nr && slow < 0; i++)
		if (memory[i] != fast_node())
			slow = memory[i];
	CHECK(slow >= 0, "fast_node() is the only node");
	return slow;
}

int absent_node(void)
{
	int possible[MAX_NODES], online[MAX_NODES];
	int nr_possible = node_list("possible", possible), nr_online = node_list("online", online);

	for (int i = 0; i < nr_possible; i++)
		if (!in_list(online, nr_online, possible[i]))
			return possible[i];
	return -1;
}

/* ---- Counters -------------------------------------------------------- */

static void read_outcomes(struct counters *c, const char *file)
{
	char *text = read_text("%s/%s", door_stats_dir(), file), *line, *save;

	memset(c, 0, sizeof(*c));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int i = c->nr_outcomes;

		CHECK((size_t)i < ARRAY_SIZE(c->outcome), "too many outcomes");
		CHECK(sscanf(line, "%31s %lld", c->outcome[i].name, &c->outcome[i].count) == 2,
		      "%s has the line '%s'", file, line);
		c->nr_outcomes++;
	}
	free(text);
}

void counters_read(struct counters *c)
{
	char *text, *line, *save;

	read_outcomes(c, "outcome");
	text = read_text("%s/node_pairs", door_stats_dir());
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		long long pages;
		int src, dst;

		CHECK(sscanf(line, "%d %d %lld", &src, &dst, &pages) == 3,
		      "node_pairs has the line '%s'", line);
		if (src >= 0 && src < MAX_NODES && dst >= 0 && dst < MAX_NODES)
			c->pair[src][dst] = pages;
	}
	free(text);
}

void counters_read_dry_run(struct counters *c)
{
	read_outcomes(c, "outcome_dry_run");
}

void counters_read_query(struct counters *c)
{
	read_outcomes(c, "outcome_query");
}

long long counter(const struct counters *c, const char *name)
{
	for (int i = 0; i < c->nr_outcomes; i++)
		if (!strcmp(c->outcome[i].name, name))
			return c->outcome[i].count;
	FAIL("%s/outcome has no line '%s'", door_stats_dir(), name);
}

struct counters counters_diff(const struct counters *after, const struct counters *before)
{
	struct counters d = *after;

	for (int i = 0; i < d.nr_outcomes; i++)
		d.outcome[i].count -= counter(before, d.outcome[i].name);
	for (int src = 0; src < MAX_NODES; src++)
		for (int dst = 0; dst < MAX_NODES; dst++)
			d.pair[src][dst] -= before->pair[src][dst];
	return d;
}

long long counters_total(const struct counters *c)
{
	long long total = 0;

	for (int i = 0; i < c->nr_outcomes; i++)
		total += c->outcome[i].count;
	return total;
}

/* ---- Processes ------------------------------------------------------- */

struct child spawn(void (*fn)(struct child *me, void *arg), void *arg)
{
	struct child c = { 0 };
	int down[2], up[2];

	MUST(pipe2(down, O_CLOEXEC));
	MUST(pipe2(up, O_CLOEXEC));
	c.shared = must_mmap(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			     -1, 0);
	c.pid = MUST(fork());
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		close(up[0]);
		c.pid = getpid();
		c.to_child = down[0];
		c.from_child = up[1];
		fn(&c, arg);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	c.to_child = down[1];
	c.from_child = up[0];
	return c;
}

void child_tell(struct child *me)
{
	if (write(me->from_child, "t", 1) != 1)
		_exit(1);
}

/* The test's end closes the pipe: a child never outlives it. */
void child_wait(struct child *me)
{
	char c;

	if (read(me->to_child, &c, 1) != 1)
		_exit(1);
}

void child_sync(struct child *me)
{
	child_tell(me);
	child_wait(me);
}

void wait_for(struct child *c)
{
	char token;

	CHECK(read(c->from_child, &token, 1) == 1, "process %d ended early", (int)c->pid);
}

void go_on(struct child *c)
{
	CHECK(write(c->to_child, "g", 1) == 1, "process %d is gone", (int)c->pid);
}

void child_end(struct child *c)
{
	int wstatus;

	MUST(waitpid(c->pid, &wstatus, 0));
	close(c->to_child);
	close(c->from_child);
	CHECK(WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 0,
	      "process %d ended with wait status %#x", (int)c->pid, wstatus);
}

int run_program(const char *const argv[])
{
	pid_t pid = MUST(fork());
	int wstatus;

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char **)argv);
		_exit(127);
	}
	MUST(waitpid(pid, &wstatus, 0));
	return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 126;
}

void pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		SKIP("this machine has no CPU %d", cpu);
}

void capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
		{ .effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32) },
	};

	MUST(syscall(SYS_capset, &header, data));
}

uint64_t capabilities_now(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	MUST(syscall(SYS_capget, &header, data));
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}
