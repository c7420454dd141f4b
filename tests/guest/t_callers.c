// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may call, what the arguments may be, and what happens to a call that is
 * interrupted or whose module is to be unloaded.  Also built for 32 bits.
 */
#include "h_raw.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define DEVICE "/dev/move_phys_pages"
#define UID_NOBODY 1000

_Static_assert(sizeof(struct mpp_move) == 48, "one layout for all callers");

/* Ends well in a child, so that what it gives up stays its own affair. */
static void in_child(void (*fn)(int fd), int fd)
{
	pid_t pid = MUST(fork());
	int wstatus;

	if (pid == 0) {
		fn(fd);
		_exit(0);
	}
	MUST(waitpid(pid, &wstatus, 0));
	CHECK(WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 0, "wait status %#x", wstatus);
}

/* ---- Privilege ------------------------------------------------------- */

static void become_nobody(void)
{
	MUST(setresgid(UID_NOBODY, UID_NOBODY, UID_NOBODY));
	MUST(setresuid(UID_NOBODY, UID_NOBODY, UID_NOBODY));
}

static void nobody_opens(int fd)
{
	(void)fd;
	become_nobody();
	CHECK_STATUS(door_open(), -EACCES);
}

static void nobody_opens_relaxed(int fd)
{
	(void)fd;
	become_nobody();
	CHECK_STATUS(door_open(), -EPERM);
}

TEST(callers, open_without_privilege)
{
	struct stat st;

	close(device("a node to open"));
	MUST(stat(DEVICE, &st));
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(st.st_uid, 0);
	in_child(nobody_opens, -1);
	/* Someone who relaxes the mode does not give away the memory. */
	MUST(chmod(DEVICE, 0666));
	in_child(nobody_opens_relaxed, -1);
	MUST(chmod(DEVICE, 0600));
}

/* Having been root is no permission, nor is a descriptor of root's: each call is asked. */
static void nobody_calls(int held)
{
	struct one o;

	one_init(&o);
	become_nobody();
	CHECK_STATUS(raw_probe(held, 0), -EPERM);
	CHECK_STATUS(raw(held, &o.move), -EPERM);
	o.move.nodes = 0;
	CHECK_STATUS(raw(held, &o.move), -EPERM);
	CHECK_EQ(o.status, STATUS_UNTOUCHED);
}

TEST(callers, privileges_given_up)
{
	in_child(nobody_calls, door_hold());
}

/* Nothing is told about the arguments to someone who may not call. */
static void nobody_calls_badly(int held)
{
	struct mpp_move move = probe(1u << 31);

	become_nobody();
	CHECK_STATUS(raw(held, &move), -EPERM);
	move = probe(0);
	move.nr_pages = 1ul + INT_MAX;
	CHECK_STATUS(raw(held, &move), -EPERM);
	move = probe(0);
	move.nr_pages = 1;
	CHECK_STATUS(raw(held, &move), -EPERM);
	move.nr_pages = INT_MAX;
	CHECK_STATUS(raw(held, &move), -EPERM);
}

TEST(callers, permission_before_arguments)
{
	in_child(nobody_calls_badly, door_hold());
}

static void nobody_calls_without_structure(int fd)
{
	struct mpp_move move = probe(0);

	become_nobody();
	move.size = 1;
	CHECK_STATUS(raw(fd, &move), -EPERM);
	CHECK_STATUS(raw(fd, NULL), -EPERM);
}

TEST(callers, permission_before_structure)
{
	in_child(nobody_calls_without_structure, device("a structure"));
}

static void map_root(void)
{
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", "0 0 1");
	write_text("/proc/self/gid_map", "0 0 1");
}

static bool have_device(void)
{
	return !strcmp(door_name(), "device");
}

static void namespace_root(int held)
{
	if (unshare(CLONE_NEWUSER) < 0)
		SKIP("no user namespaces: %s", strerror(errno));
	map_root();
	CHECK_EQ(geteuid(), 0);
	CHECK(capabilities_now() >> CAP_SYS_ADMIN & 1, "root has no CAP_SYS_ADMIN here");
	CHECK_STATUS(raw_probe(held, 0), -EPERM);
	/* Owner of the node by its uid, so it is the capability that is asked. */
	if (have_device())
		CHECK_STATUS(door_open(), -EPERM);
}

TEST(callers, root_in_user_namespace)
{
	in_child(namespace_root, door_hold());
}

static void sys_admin_only(int held)
{
	struct one o;

	one_init(&o);
	capabilities(1ull << CAP_SYS_ADMIN);
	CHECK_EQ(raw(held, &o.move), 0);
	CHECK_EQ(o.status, fast_node());
	CHECK_EQ(raw_probe(door_hold(), 0), 0);
}

TEST(callers, sys_admin_only)
{
	in_child(sys_admin_only, door_hold());
}

static void all_but_sys_admin(int held)
{
	capabilities(capabilities_now() & ~(1ull << CAP_SYS_ADMIN));
	CHECK_STATUS(raw_probe(held, 0), -EPERM);
	if (have_device())
		CHECK_STATUS(door_open(), -EPERM);
}

TEST(callers, all_but_sys_admin)
{
	in_child(all_but_sys_admin, door_hold());
}

/* ---- Flags, counts, structure ---------------------------------------- */

#define KNOWN_FLAGS (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL | MPP_MF_UNMAPPED | MPP_MF_IGNORE_MEMPOLICY | \
		     MPP_MF_DRY_RUN | MPP_MF_SYNC | MPP_MF_RECLAIM | MPP_MF_NEW_PAGES)

TEST(callers, flags)
{
	for (int bit = 0; bit < 32; bit++) {
		int flag = (int)(1u << bit);
		int want = KNOWN_FLAGS & flag ? 0 : -EINVAL;

		CHECK(mpp(0, NULL, NULL, NULL, flag, NULL) == want, "bit %d", bit);
		CHECK(mpp(0, NULL, NULL, NULL, flag | KNOWN_FLAGS, NULL) == want, "bit %d with all",
		      bit);
	}
}

/* Refused as a whole: nothing is moved, nothing answered. */
TEST(callers, unknown_flag_moves_nothing)
{
	int held = door_hold();
	struct one o;

	one_init(&o);
	o.move.flags |= 1u << 22;
	CHECK_STATUS(raw(held, &o.move), -EINVAL);
	one_expect_untouched(&o);
}

TEST(callers, no_pages)
{
	struct mpp_move move = probe(MPP_MF_NEW_PAGES);
	uint64_t bad;

	CHECK_EQ(mpp(0, NULL, NULL, NULL, 0, NULL), 0);
	bad = door_takes(KERNEL_ADDRESS) ? KERNEL_ADDRESS : LAST_PAGE_32;
	move.pages = move.nodes = move.status = move.new_pages = bad;
	CHECK_EQ(raw(door_hold(), &move), 0);
}

TEST(callers, too_many_pages)
{
	static const uint64_t counts[] = { 1ull + INT_MAX, UINT_MAX, 1ull << 32, (1ull << 32) + 1,
					   ULLONG_MAX };
	int held = door_hold();
	struct one o;

	one_init(&o);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		if (!door_takes(counts[i]))
			continue;
		o.move.nr_pages = counts[i];
		CHECK(raw(held, &o.move) == -EINVAL, "%llu pages", (unsigned long long)counts[i]);
		one_expect_untouched(&o);
	}
	/* The largest count is fine in itself; arrays of that size are not there. */
	o.move.nr_pages = INT_MAX;
	o.move.pages = 0;
	CHECK_STATUS(raw(held, &o.move), -EFAULT);
}

TEST(callers, structure_size)
{
	size_t page = page_size();
	unsigned char *buf = must_mmap(4 * page, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mpp_move *move = (struct mpp_move *)buf;
	int fd = device("a structure");
	struct one o;

	one_init(&o);
	memcpy(move, &o.move, sizeof(*move));
	for (uint32_t size = 0; size < sizeof(*move); size++) {
		move->size = size;
		CHECK(raw(fd, move) == -EINVAL, "size %u", size);
	}
	for (size_t size = sizeof(*move) + 1; size <= page; size += size < 64 ? 1 : 997) {
		move->size = (uint32_t)size;
		buf[size - 1] = 1;
		CHECK(raw(fd, move) == -EINVAL, "size %zu with a byte set at its end", size);
		buf[size - 1] = 0;
	}
	one_expect_untouched(&o);
	/* What lies beyond the size is not looked at. */
	move->size = (uint32_t)page;
	buf[page] = 1;
	CHECK_EQ(raw(fd, move), 0);
	CHECK_EQ(o.status, fast_node());
	/* No structure is larger than a page in any future, and no size makes trouble. */
	buf[page] = 0;
	for (size_t size = page + 1; size <= 3 * page; size += page - 1) {
		int ret;

		move->size = (uint32_t)size;
		ret = raw(fd, move);
		CHECK(ret == 0 || ret == -EINVAL, "size %zu gave %s", size, status_name(ret));
		buf[size - 1] = 1;
		CHECK(raw(fd, move) == -EINVAL, "size %zu with a byte set", size);
		buf[size - 1] = 0;
	}
	move->size = UINT_MAX;
	CHECK(raw(fd, move) < 0, "the largest size");
}

/* The structure itself ends at the end of what is mapped. */
TEST(callers, structure_at_page_end)
{
	size_t page = page_size();
	unsigned char *buf = must_mmap(2 * page, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mpp_move *move = (struct mpp_move *)(buf + page - sizeof(*move));
	int fd = device("a structure");

	MUST(munmap(buf + page, page));
	*move = probe(0);
	CHECK_STATUS(raw(fd, move), 0);
	move->size = sizeof(*move) + 8;
	CHECK_STATUS(raw(fd, move), -EFAULT);
	/* Only part of it is there. */
	memset(buf + page - 16, 0, 16);
	*(uint32_t *)(buf + page - 16) = sizeof(*move);
	CHECK_STATUS(raw(fd, (void *)(buf + page - 16)), -EFAULT);
	CHECK_STATUS(raw(fd, (void *)(buf + page)), -EFAULT);
	CHECK_STATUS(raw(fd, NULL), -EFAULT);
}

TEST(callers, unknown_ioctl)
{
	static const unsigned long numbers[] = {
		_IO(MPP_IOC_TYPE, 1), _IO(MPP_IOC_TYPE, 255), _IO(MPP_IOC_TYPE + 1, 0),
		_IOWR(MPP_IOC_TYPE, 0, struct mpp_move), _IOR(MPP_IOC_TYPE, 0, int), 0, 0x5401,
	};
	struct mpp_move move = probe(0);
	int fd = device("ioctl numbers");

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int ret = ioctl(fd, numbers[i], &move);

		CHECK(ret == -1 && errno == ENOTTY, "ioctl %#lx gave %d, %s", numbers[i], ret,
		      strerror(errno));
	}
}

TEST(callers, flag_zero_means_move)
{
	struct region r = region_anon(1, slow_node(), 1);
	pid_t pid = MUST(fork());

	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), 0, NULL), -EACCES);
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), MPOL_MF_MOVE, NULL), -EACCES);
	CHECK_STATUS(move_one_patient(region_phys(&r, 0), fast_node(),
				      MPOL_MF_MOVE | MPOL_MF_MOVE_ALL, NULL), fast_node());
	CHECK_STATUS(move_one_patient(region_phys(&r, 0), slow_node(), MPOL_MF_MOVE_ALL, NULL),
		     slow_node());
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	CHECK_STATUS(move_one_patient(region_phys(&r, 0), fast_node(), 0, NULL), fast_node());
	CHECK_STATUS(move_one_patient(region_phys(&r, 0), slow_node(), MPOL_MF_MOVE, NULL),
		     slow_node());
	region_verify(&r);
}

/* ---- Signals --------------------------------------------------------- */

/* Long enough that no machine gets through it before a signal can come. */
#define LONG_CALL (sizeof(void *) == 8 ? 64ul << 20 : 32ul << 20)

/*
 * A call of LONG_CALL entries, the first of which name the region's pages.  All
 * others name address 0, which no process has, and whose status is therefore
 * never the 0 that the array starts with.
 */
static void long_call_init(struct batch *b, const struct region *r, int node)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	const int shared = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
	const int prot = PROT_READ | PROT_WRITE;

	b->nr = LONG_CALL;
	b->pages = must_mmap(b->nr * sizeof(*b->pages), prot, flags, -1, 0);
	b->nodes = must_mmap(b->nr * sizeof(*b->nodes), prot, flags, -1, 0);
	/* Of a call that a child makes the parent sees the end. */
	b->status = must_mmap(b->nr * sizeof(*b->status), prot, shared, -1, 0);
	b->new_pages = NULL;
	for (size_t i = 0; i < r->nr_pages; i++) {
		b->pages[i] = region_phys(r, i);
		b->nodes[i] = node;
		b->status[i] = STATUS_UNTOUCHED;
	}
}

static void long_call_free(struct batch *b)
{
	munmap(b->pages, b->nr * sizeof(*b->pages));
	munmap(b->nodes, b->nr * sizeof(*b->nodes));
	munmap(b->status, b->nr * sizeof(*b->status));
}

/* What was answered is a piece from the start, and what was not is left alone. */
static void expect_prefix(const struct batch *b, size_t nr_real)
{
	size_t end = nr_real;

	while (end < b->nr && b->status[end])
		end++;
	CHECK(end < b->nr, "every entry was answered");
	for (size_t i = end; i < b->nr && i < end + 8192; i++)
		CHECK(b->status[i] == 0, "entry %zu has %s, but %zu has none", i,
		      status_name(b->status[i]), end);
	CHECK_EQ(b->status[b->nr - 1], 0);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void interrupted_call(int sa_flags)
{
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = sa_flags };
	struct region r = region_anon(64, slow_node(), 1);
	struct batch b;
	long ret;

	lru_settle();
	MUST(sigaction(SIGALRM, &act, NULL));
	/* The first batch may not be through, nor begun, when the signal comes on a busy machine. */
	for (long ms = 200; ms < 5000; ms *= 2) {
		const struct timeval after = { ms / 1000, ms % 1000 * 1000 };
		const struct itimerval timer = { after, after }, off = { 0 };

		long_call_init(&b, &r, fast_node());
		MUST(setitimer(ITIMER_REAL, &timer, NULL));
		ret = mpp(b.nr, b.pages, b.nodes, b.status, 0, NULL);
		MUST(setitimer(ITIMER_REAL, &off, NULL));
		CHECK_STATUS((int)ret, -EINTR);
		if (b.status[0] != STATUS_UNTOUCHED)
			break;
		long_call_free(&b);
	}
	for (size_t i = 0; i < r.nr_pages; i++)
		CHECK_STATUS(b.status[i], fast_node());
	expect_prefix(&b, r.nr_pages);
	region_expect_node(&r, fast_node());
	region_verify(&r);
	long_call_free(&b);
}

TEST(callers, interrupted)
{
	interrupted_call(0);
}

/* Never started over: part of it is done. */
TEST(callers, interrupted_with_restart)
{
	interrupted_call(SA_RESTART);
}

/* A signal that is blocked interrupts nothing. */
TEST(callers, blocked_signal)
{
	struct region r = region_anon(1500, slow_node(), 1);
	struct batch b = batch_of(&r, fast_node());
	sigset_t set;

	lru_settle();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	MUST(raise(SIGUSR1));
	CHECK_EQ(batch_run(&b, 0), 0);
	region_expect_node(&r, fast_node());
	batch_free(&b);
}

/* The answer to SIGKILL must not wait for the end of the call. */
static void end_by_kill(pid_t pid)
{
	long long start = now_ms();
	int wstatus;

	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, &wstatus, 0));
	CHECK(WIFSIGNALED(wstatus), "the call was over by itself: wait status %#x", wstatus);
	CHECK(now_ms() - start < 10000, "took %lld ms to die", now_ms() - start);
}

TEST(callers, killed)
{
	struct region r = region_anon(64, slow_node(), 1);
	struct batch b;
	pid_t pid;

	lru_settle();
	if (!door_present())
		mpp(0, NULL, NULL, NULL, 0, NULL);
	long_call_init(&b, &r, fast_node());
	pid = MUST(fork());
	if (pid == 0) {
		mpp(b.nr, b.pages, b.nodes, b.status, MPOL_MF_MOVE_ALL, NULL);
		_exit(0);
	}
	nap_ms(500);
	end_by_kill(pid);
	expect_prefix(&b, r.nr_pages);
	region_verify(&r);
	long_call_free(&b);
}

/* Killed in the midst of migration, again and again: nothing is lost, nothing stays isolated. */
TEST(callers, killed_while_moving, .limit_s = 120)
{
	struct region r = region_anon(1024, slow_node(), 1);
	int node = fast_node();

	lru_settle();
	if (!door_present())
		mpp(0, NULL, NULL, NULL, 0, NULL);
	for (int round = 0; round < 12; round++) {
		struct batch b = batch_of(&r, node);
		pid_t pid = MUST(fork());

		for (long turn = 0; pid == 0; turn++) {
			for (unsigned long i = 0; i < b.nr; i++)
				b.nodes[i] = turn % 2 ? slow_node() : fast_node();
			mpp(b.nr, b.pages, b.nodes, b.status, MPOL_MF_MOVE_ALL | MPP_MF_NEW_PAGES,
			    b.pages);
		}
		nap_ms(40 + round * 17);
		end_by_kill(pid);
		region_verify(&r);
		batch_free(&b);
	}
}

/* ---- The module ------------------------------------------------------ */

#define MODULE "move_phys_pages"

/* What the module was loaded from; these tests put it back. */
static const char *module_file(void)
{
	const char *path = getenv("MPP_MODULE");

	close(device("a module to unload"));
	if (!path)
		path = "/.vm/door.ko";
	if (access(path, R_OK))
		SKIP("the module's file is not here (MPP_MODULE)");
	return path;
}

static int module_unload(void)
{
	return syscall(SYS_delete_module, MODULE, O_NONBLOCK) ? -errno : 0;
}

/* The kernel says EWOULDBLOCK when somebody uses it, EBUSY when it can never go. */
static void expect_in_use(const char *when)
{
	int ret = module_unload();

	CHECK(ret == -EWOULDBLOCK || ret == -EBUSY, "unloading %s: %s", when, status_name(ret));
}

static void module_load(const char *path)
{
	int fd = MUST(open(path, O_RDONLY | O_CLOEXEC));

	MUST(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	for (int i = 0; i < 50 && !exists(DEVICE); i++)
		nap_ms(20);
}

static void expect_working(void)
{
	struct region r = region_anon(1, slow_node(), 1);

	CHECK_STATUS(move_one_patient(region_phys(&r, 0), fast_node(), 0, NULL), fast_node());
	region_verify(&r);
}

TEST(callers, unload)
{
	const char *path = module_file();
	int fd = door_open();

	CHECK(fd >= 0, "open: %s", strerror(-fd));
	expect_in_use("with an open descriptor");
	CHECK_STATUS(raw_probe(fd, 0), 0);
	close(fd);
	expect_working();
	CHECK_STATUS(module_unload(), 0);
	CHECK(!exists(DEVICE), "the device outlived its module");
	module_load(path);
	expect_working();
}

TEST(callers, unload_in_flight)
{
	struct region r = region_anon(64, slow_node(), 1);
	const char *path = module_file();
	struct batch b;
	int ret = 0;
	pid_t pid;

	long_call_init(&b, &r, fast_node());
	pid = MUST(fork());
	if (pid == 0) {
		mpp(b.nr, b.pages, b.nodes, b.status, MPOL_MF_MOVE_ALL, NULL);
		_exit(0);
	}
	for (int i = 0; i < 500 && !read_number("/sys/module/" MODULE "/refcnt"); i++)
		nap_ms(20);
	/* Opened; now let it call. */
	nap_ms(300);
	for (int i = 0; i < 20; i++)
		expect_in_use("during a call");
	end_by_kill(pid);
	/* The descriptor is closed for good a moment after its process is gone. */
	for (int i = 0; i < 50; i++) {
		ret = module_unload();
		if (!ret)
			break;
		nap_ms(20);
	}
	CHECK_STATUS(ret, 0);
	module_load(path);
	expect_working();
	region_verify(&r);
	long_call_free(&b);
}
