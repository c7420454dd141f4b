// SPDX-License-Identifier: GPL-2.0-only
/* A source streams: however much there is to tell, it takes no more memory for it. */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "h_command.h"

#define RESIDENT_MAX_KIB	(64 << 10)

__attribute__((format(printf, 1, 2)))
static void expect_little(const char *fmt, ...)
{
	char line[320];
	struct output o;
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	o = shell_ok("%s >list.txt", line);

	CHECK(o.resident_kib <= RESIDENT_MAX_KIB, "%s: %ld KiB resident", line, o.resident_kib);
	output_free(&o);
	o = shell_ok("wc -l <list.txt");
	CHECK(atoi(o.out) > 0, "%s: no lines", line);
	output_free(&o);
}

#define HELD_BYTES	((size_t)256 << 20)

/* In a process of its own: what is started is a fork of the test, and as large at first. */
static void hold(struct child *me, void *arg)
{
	unsigned char *va = must_mmap(HELD_BYTES, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	madvise(va, HELD_BYTES, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < HELD_BYTES; at += page_size())
		va[at] = 1;
	me->shared[0] = (uint64_t)(uintptr_t)va;
	child_sync(me);
}

/* More pages than could be told of in that memory, were they kept. */
TEST(resident, pagemap, .limit_s = 180, .doorless = true)
{
	struct child c = spawn(hold, NULL);

	wait_for(&c);
	expect_little("movephys pagemap --pid %d --range 0x%llx+%zu --per-page", (int)c.pid,
		      (unsigned long long)c.shared[0], HELD_BYTES);
	go_on(&c);
	child_end(&c);
}

TEST(resident, zones, .doorless = true)
{
	expect_little("movephys zones --node %d", slow_node());
}

TEST(resident, filters, .limit_s = 180, .doorless = true)
{
	const char *dir = cgroup_enter("resident");

	region_anon(4096, slow_node(), 1);
	expect_little("movephys zones --node %d --kind anon", slow_node());
	expect_little("movephys zones --node %d --mapped 1-", slow_node());
	expect_little("movephys zones --node %d --charged %s", slow_node(), dir);
}

TEST(resident, idle, .limit_s = 180, .doorless = true)
{
	if (!exists("/sys/kernel/mm/page_idle/bitmap"))
		SKIP("this kernel has no idle page tracking");
	region_anon(4096, slow_node(), 3);
	lru_settle();
	expect_little("movephys idle --node %d --interval 100ms --state both", slow_node());
}

TEST(resident, damon, .limit_s = 180, .doorless = true)
{
	if (!exists("/sys/kernel/mm/damon/admin"))
		SKIP("this kernel has no DAMON");
	expect_little("movephys damon --start --node %d --interval 300ms --state both "
		      "--regions 500-1000", slow_node());
}

/* Terabytes with next to nothing in them: where there is something is asked, not read. */
TEST(resident, terabytes, .doorless = true)
{
	const size_t len = (size_t)8 << 40, step = len / 16;
	uint64_t arg[12] = { sizeof(arg), UINT64_MAX };
	struct output o;
	unsigned char *va;
	int fd;

	fd = (int)MUST(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	if (ioctl(fd, _IOWR('f', 16, arg)) && errno == ENOTTY)
		SKIP("this kernel has no PAGEMAP_SCAN (6.7 has)");
	va = must_mmap(len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (size_t at = 0; at < len; at += step)
		va[at] = 1;
	o = shell_ok("movephys pagemap --pid %d --range 0x%lx+%zu --per-page", (int)getpid(),
		     (unsigned long)va, len);
	CHECK(list_lines(o.out) >= 16, "%s", o.out);
	CHECK_LE(o.resident_kib, RESIDENT_MAX_KIB);
	output_free(&o);
	close(fd);
}
