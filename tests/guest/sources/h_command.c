// SPDX-License-Identifier: GPL-2.0-only
/* Running the movephys command. */
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "h_command.h"

static char *read_back(FILE *file)
{
	char *text;
	long len;

	fseek(file, 0, SEEK_END);
	len = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)len + 1);
	if (!text || fread(text, 1, (size_t)len, file) != (size_t)len)
		FAIL("cannot read back %ld bytes of output", len);
	fclose(file);
	return text;
}

static struct output run_line(const char *line)
{
	FILE *out = tmpfile(), *err = tmpfile();
	struct rusage usage;
	struct output o;
	int wstatus;
	pid_t pid;

	CHECK(out && err, "tmpfile: %s", strerror(errno));
	pid = MUST(fork());
	if (!pid) {
		/* As a person's shell has it; the harness ignores it. */
		signal(SIGPIPE, SIG_DFL);
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		_exit(127);
	}
	MUST(wait4(pid, &wstatus, 0, &usage));
	o.status = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus);
	o.resident_kib = usage.ru_maxrss;
	o.out = read_back(out);
	o.err = read_back(err);
	return o;
}

struct output shell(const char *fmt, ...)
{
	char line[4096];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	return run_line(line);
}

struct output shell_ok(const char *fmt, ...)
{
	char line[4096];
	struct output o;
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	o = run_line(line);
	if (o.status)
		FAIL("%s: status %d: %.300s%.300s", line, o.status, o.err, o.out);
	return o;
}

void output_free(struct output *o)
{
	free(o->out);
	free(o->err);
}

void need_command(const char *name)
{
	struct output o = shell("movephys %s --help", name);

	if (o.status)
		SKIP("this movephys has no command %s", name);
	output_free(&o);
}

void need_door(void)
{
	if (!door_present())
		SKIP("there is no door: nothing can be moved");
}

/*
 * Counting an event makes a kernel with jump labels patch code that all processors run.
 * QEMU's emulation does not always survive that: it goes on to execute the int3 that was
 * there for a moment, and the guest loops or dies.  So these tests run there only when
 * they are asked for by name.
 */
static bool patching_is_safe(void)
{
	char *cpus = read_text("/proc/cpuinfo"), *symbols = read_text("/proc/kallsyms");
	bool emulated = strstr(cpus, "QEMU TCG"), patches = strstr(symbols, " jump_label_update\n");

	free(cpus);
	free(symbols);
	return !emulated || !patches || getenv("MPP_TESTS_NAMED");
}

void need_events(void)
{
	if (!exists("/proc/sys/kernel/perf_event_paranoid"))
		SKIP("this kernel has no perf events");
	if (!patching_is_safe())
		SKIP("this kernel patches its code for it, which the emulator may not survive "
		     "(run-sources KERNEL 'perf/*' tries)");
}

long long json_number(const char *json, const char *key)
{
	char pattern[64];
	const char *at;

	snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	at = strstr(json, pattern);
	return at ? strtoll(at + strlen(pattern), NULL, 10) : -1;
}

static const char *next_line(const char *at)
{
	at = strchr(at, '\n');
	return at ? at + 1 : NULL;
}

bool list_has(const char *list, uint64_t addr)
{
	for (const char *at = list; at && *at; at = next_line(at)) {
		uint64_t start, size = 1;
		char *end;

		if (strncmp(at, "0x", 2))
			continue;
		start = strtoull(at, &end, 16);
		if (*end == '+')
			size = strtoull(end + 1, NULL, 10);
		if (addr >= start && addr - start < size)
			return true;
	}
	return false;
}

size_t list_count(const char *list, const struct region *r)
{
	size_t nr = 0;

	for (size_t i = 0; i < r->nr_pages; i++)
		nr += list_has(list, region_phys(r, i));
	return nr;
}

size_t list_lines(const char *list)
{
	size_t nr = 0;

	for (const char *at = list; at && *at; at = next_line(at))
		nr += !strncmp(at, "0x", 2);
	return nr;
}

const char *cgroup_enter(const char *name)
{
	static char dir[128];
	char procs[160];

	if (!exists("/sys/fs/cgroup/cgroup.controllers"))
		SKIP("cgroup v2 is not mounted at /sys/fs/cgroup");
	if (try_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory"))
		SKIP("cgroup v2 has no memory controller");
	snprintf(dir, sizeof(dir), "/sys/fs/cgroup/%s-%d", name, (int)getpid());
	CHECK(!mkdir(dir, 0755) || errno == EEXIST, "%s: %s", dir, strerror(errno));
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	write_text(procs, "%d", (int)getpid());
	return dir;
}

void region_arrived(const struct region *r, int node)
{
	region_expect_node(r, node);
	region_verify(r);
	verified_move();
}

void verified_move(void)
{
	test_shows("verified move");
}

size_t node_free_pages(int node)
{
	char path[96], key[32];

	try_write("/proc/sys/vm/stat_refresh", "1");
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	snprintf(key, sizeof(key), "Node %d MemFree:", node);
	return (size_t)keyed_number(path, key) * 1024 / page_size();
}
