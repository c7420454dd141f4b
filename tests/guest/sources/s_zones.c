// SPDX-License-Identifier: GPL-2.0-only
/* Source zoneinfo, the filters over it, and what a shell may do to a source. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "h_command.h"

/* Bytes of a list's ranges. */
static long long list_bytes(const char *list)
{
	long long sum = 0;

	for (const char *at = strchr(list, '+'); at; at = strchr(at + 1, '+'))
		sum += strtoll(at + 1, NULL, 10);
	return sum;
}

static long long present_bytes(int node)
{
	char *text = read_text("/proc/zoneinfo"), *save = NULL;
	long long sum = 0, present;
	int at = -1;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		sscanf(line, "Node %d, zone", &at);
		if (at == node && sscanf(line, " present %lld", &present) == 1)
			sum += present * (long long)page_size();
	}
	free(text);
	return sum;
}

/* All memory of the nodes, nothing else, and nothing twice. */
TEST(zones, covers_memory, .limit_s = 180, .doorless = true)
{
	int nodes[MAX_NODES], nr = nodes_with_memory(nodes);

	for (int i = 0; i < nr; i++) {
		struct region r = region_anon(64, nodes[i], 1);
		struct output o = shell_ok("movephys zones --node %d", nodes[i]);
		long long bytes = list_bytes(o.out), present = present_bytes(nodes[i]);

		CHECK_EQ(list_count(o.out, &r), 64);
		/* The kernel counts the first page and parts of the BIOS area its own way. */
		CHECK_GE(bytes, present - (1 << 20));
		CHECK_LE(bytes, present + (1 << 20));
		output_free(&o);
		region_unmap(&r);
	}
}

/* From all addresses of a node, by kind and cgroup, to exactly the region. */
TEST(zones, whole_node_to_a_move, .limit_s = 180)
{
	const char *dir = cgroup_enter("zones");
	struct region r = region_anon(256, slow_node(), 2);
	struct output o;

	need_door();
	lru_settle();
	o = shell_ok("movephys zones --node %d --kind anon --charged %s", slow_node(), dir);
	CHECK_EQ(list_count(o.out, &r), 256);
	output_free(&o);
	o = shell("movephys zones --node %d --kind anon --charged %s | "
		  "movephys move --from %d --to %d --json -", slow_node(), dir, slow_node(),
		  fast_node());
	CHECK_GE(json_number(o.out, "moved"), 256);
	region_arrived(&r, fast_node());
	output_free(&o);
}

TEST(zones, huge_pages_by_cgroup, .limit_s = 180)
{
	const char *dir = cgroup_enter("zoneshuge");
	struct region r = region_huge(2, slow_node(), 3);
	struct output o;

	need_door();
	o = shell_ok("movephys zones --node %d --kind anon-large --charged %s", slow_node(), dir);
	CHECK_EQ(list_count(o.out, &r), (long long)r.nr_pages);
	output_free(&o);
	o = shell("movephys zones --node %d --kind anon-large --charged %s | "
		  "movephys move --from %d --to %d -", slow_node(), dir, slow_node(), fast_node());
	region_arrived(&r, fast_node());
	output_free(&o);
}

/* +0 is the first node of the caller's cpuset. */
TEST(zones, nodes_of_the_cpuset, .limit_s = 180, .doorless = true)
{
	static const char cgroup[] = "/sys/fs/cgroup/zones-cpuset";
	struct output o, all;

	if (try_write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset"))
		SKIP("cgroup v2 has no cpuset controller");
	CHECK(!mkdir(cgroup, 0755) || errno == EEXIST, "%s: %s", cgroup, strerror(errno));
	write_text("/sys/fs/cgroup/zones-cpuset/cpuset.mems", "%d", slow_node());
	all = shell_ok("movephys zones --node %d", slow_node());
	o = shell_ok("echo 0 >%s/cgroup.procs && movephys zones --node +0", cgroup);
	CHECK(*o.out && !strcmp(o.out, all.out), "%s", o.out);
	output_free(&o);
	o = shell("echo 0 >%s/cgroup.procs && movephys zones --node +1", cgroup);
	CHECK(o.status == 2 && strstr(o.err, "--node +1"), "%s", o.err);
	output_free(&o);
	output_free(&all);
	rmdir(cgroup);
}

static void share(struct child *me, void *arg)
{
	const struct region *r = arg;

	for (size_t i = 0; i < r->nr_pages; i++)
		(void)*(volatile unsigned char *)(r->va + i * page_size());
	child_sync(me);
}

/* Mapped by two processes, or by one. */
TEST(zones, mapped_count, .limit_s = 180, .doorless = true)
{
	struct region shared = region_anon(16, slow_node(), 4), own;
	struct child c = spawn(share, &shared);
	struct output o;

	wait_for(&c);
	own = region_anon(16, slow_node(), 5);
	o = shell_ok("movephys zones --node %d --kind anon --mapped 2", slow_node());
	CHECK_EQ(list_count(o.out, &shared), 16);
	CHECK_EQ(list_count(o.out, &own), 0);
	output_free(&o);
	o = shell_ok("movephys zones --node %d --kind anon --mapped 1", slow_node());
	CHECK_EQ(list_count(o.out, &shared), 0);
	CHECK_EQ(list_count(o.out, &own), 16);
	output_free(&o);
	go_on(&c);
	child_end(&c);
}

/* Kinds and nodes as `where` tells them are those of the pages. */
TEST(zones, where_by_kind, .limit_s = 180)
{
	struct region small = region_anon(32, slow_node(), 6), huge;
	struct output o;
	char list[128];

	need_door();
	snprintf(list, sizeof(list), "where-%d.txt", (int)getpid());
	o = shell_ok("movephys pagemap --pid %d --range 0x%lx+128k >%s && "
		     "movephys where --list %s", (int)getpid(), (unsigned long)small.va,
		     list, list);
	CHECK_EQ(list_count(o.out, &small), 32);
	for (char *at = o.out; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		char expected[64];

		snprintf(expected, sizeof(expected), " # node=%d kind=anon\n", slow_node());
		CHECK(strstr(at, expected) == strchr(at, ' '), "%s", at);
	}
	output_free(&o);
	huge = region_huge(1, slow_node(), 7);
	o = shell_ok("movephys pagemap --pid %d --range 0x%lx+2M | movephys where --json -",
		     (int)getpid(), (unsigned long)huge.va);
	CHECK(strstr(o.out, "\"anon-large\""), "%s", o.out);
	CHECK_EQ(json_number(o.out, "pages"), 512);
	output_free(&o);
}

/* A reader that has seen enough is no error, and ends what would never end. */
TEST(shell, closed_pipe, .limit_s = 180)
{
	struct output o;

	need_door();
	o = shell("{ yes 0x100000 | movephys where --list -; echo $? >status; } | head -n 1; "
		  "cat status");
	CHECK_EQ(list_lines(o.out), 1);
	CHECK(!strcmp(strchr(o.out, '\n') + 1, "0\n"), "%s", o.out);
	CHECK(!*o.err, "%s", o.err);
	output_free(&o);
}

TEST(shell, ctrl_c, .limit_s = 180)
{
	struct output o;

	need_door();
	/* Input that never ends, and a signal: what was done is told. */
	o = shell("mkfifo fifo; sleep 1000 >fifo & "
		  "movephys move --to %d --json - <fifo >out & pid=$!; " WAIT_FOR_HANDLER
		  "kill -INT $pid; wait $pid; echo $?; cat out; kill %%1", fast_node());
	CHECK(!strncmp(o.out, "130\n", 4), "%s%s", o.out, o.err);
	CHECK(strstr(o.out, "\"interrupted\": true"), "%s", o.out);
	output_free(&o);
}

TEST(shell, garbage_lines)
{
	struct region r = region_anon(2, slow_node(), 8);
	struct output o;

	need_door();
	o = shell("printf '0x%%x\\n\\377\\376garbage\\n12345\\n0x%%x 1 2 3\\n' %llu %llu >lines; "
		  "printf '0x%%x 0.5 7.25 # ok\\n' %llu >>lines; "
		  "movephys move --to %d --json - <lines",
		  (unsigned long long)region_phys(&r, 0), (unsigned long long)region_phys(&r, 0),
		  (unsigned long long)region_phys(&r, 1), fast_node());
	CHECK_EQ(o.status, 2);
	CHECK_EQ(json_number(o.out, "bad_lines"), 3);
	CHECK(strstr(o.err, "<stdin>:2: ") && strstr(o.err, "<stdin>:3: ") &&
	      strstr(o.err, "<stdin>:4: "), "%s", o.err);
	region_arrived(&r, fast_node());
	output_free(&o);
}

/* Takes a node's memory until about so many pages are left. */
static void fill_node(int node, size_t left)
{
	size_t spare = node_free_pages(node), len;
	unsigned char *hog;

	if (spare <= left)
		return;
	len = (spare - left) * page_size();
	hog = must_mmap(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);
	bind_range(hog, len, node);
	madvise(hog, len, MADV_HUGEPAGE);	/* where there are some it is done sooner */
	for (size_t at = 0; at < len; at += page_size())
		hog[at] = 1;
}

/* More than fits: some move, the others are told of and stay, and the status says it. */
TEST(shell, full_target, .limit_s = 180)
{
	const size_t left = 4000;	/* above what the kernel then keeps for itself */
	struct region r;
	struct output o;
	size_t nr = 0;

	need_door();
	write_restored("/proc/sys/vm/min_free_kbytes", "2048", NULL);
	fill_node(slow_node(), left);
	/* More than the kernel makes room for meanwhile. */
	r = region_anon(node_free_pages(slow_node()) + 8000, fast_node(), 9);
	o = shell("movephys pagemap --pid %d --range 0x%lx+%zu | movephys move --to %d --json -",
		  (int)getpid(), (unsigned long)r.va, r.nr_pages * page_size(), slow_node());
	CHECK(o.status == 1, "status %d: %s%s", o.status, o.err, o.out);
	for (size_t i = 0; i < r.nr_pages; i++)
		nr += region_node(&r, i) == slow_node();
	CHECK_GE(nr, 1);
	CHECK_EQ(json_number(o.out, "moved"), (long long)nr);
	CHECK_EQ(json_number(o.out, "ENOMEM"), (long long)(r.nr_pages - nr));
	region_verify(&r);
	output_free(&o);
}

/* One clear line for a caller without privilege, whatever he asks for. */
TEST(shell, unprivileged, .limit_s = 180, .doorless = true)
{
	static const char *const commands[] = {
		"move --to 0 0x100000", "where 0x100000", "pagemap --pid 1",
		"pagemap --pid 1,$$", "pagemap --pid $$", "pagemap --pid $$,1",
		"pagemap --cgroup /sys/fs/cgroup", "pagemap --cgroup /sys/fs/cgroup/mpp-private",
		"pagemap --pid 1 --summary",
		"idle", "idle --summary", "zones --kind anon", "damon", "damon --start",
		"sample --duration 1s", "sample --event faults --duration 1s",
		"move --door revmap --to 0 0x100000",
		"where --door revmap 0x100000",
	};

	if (mkdir("/sys/fs/cgroup/mpp-private", 0700) < 0 && errno != EEXIST)
		FAIL("mkdir: %s", strerror(errno));
	/* Of this kernel's own it may be that anybody may sample. */
	write_restored("/proc/sys/kernel/perf_event_paranoid", "2", NULL);
	MUST(setgid(1000));
	MUST(setuid(1000));
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct output o = shell("movephys %s", commands[i]);
		char *end = strchr(o.err, '\n');

		if (o.status == 127 || o.status == 126)
			SKIP("user 1000 may not run the command here");
		CHECK(o.status == 2, "%s: status %d", commands[i], o.status);
		CHECK(end && !end[1], "%s: %s", commands[i], o.err);
		/* And with the way out, where there is one. */
		if (!strncmp(commands[i], "pagemap", 7))
			CHECK(strstr(o.err, "run it as root"), "%s: %s", commands[i], o.err);
		output_free(&o);
	}
}
