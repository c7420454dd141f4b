// SPDX-License-Identifier: GPL-2.0-only
/* Doors, contexts and the drop-in call; the device is the fake one, linked in. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"
#include "tree.h"

#define ON_NODE(n)	((uint64_t)(n) << 36)
#define FAILS(err)	((uint64_t)(err) << 40)

static struct mpp_roots roots_of_tree(void)
{
	static char proc[512], sys[512], device[512];

	snprintf(proc, sizeof(proc), "%s", tree_path("proc"));
	snprintf(sys, sizeof(sys), "%s", tree_path("sys"));
	snprintf(device, sizeof(device), "%s", tree_path("dev/move_phys_pages"));
	return (struct mpp_roots) { .proc = proc, .sys = sys, .device = device };
}

static void no_door(void)
{
	struct mpp_ctx *ctx = NULL;
	struct mpp_roots roots;

	tree_make();
	roots = roots_of_tree();
	CHECK_INT(mpp_open_at(MPP_DOOR_AUTO, &roots, &ctx), -ENOSYS);
	CHECK_INT(mpp_open_at(MPP_DOOR_SYSCALL, &roots, &ctx), -ENOSYS);
	CHECK_INT(mpp_open_at(MPP_DOOR_DEVICE, &roots, &ctx), -ENOSYS);
	CHECK_INT(mpp_open_at((enum mpp_door)99, &roots, &ctx), -EINVAL);

	/* A file that is not the device: never take its answers for ours. */
	tree_write("dev/move_phys_pages", "not a device");
	CHECK_INT(mpp_open_at(MPP_DOOR_DEVICE, &roots, &ctx), -ENODEV);
	CHECK_INT(mpp_open_at(MPP_DOOR_AUTO, &roots, &ctx), -ENODEV);
	CHECK(!ctx);
	CHECK(!mpp_unref(NULL));
	tree_remove();
}

static void bad_numbers(void)
{
	static const char file[] = "sys/kernel/mm/move_phys_pages/syscall_nr";
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{ "", -EPROTO },
		{ "rubbish\n", -EPROTO },
		{ "0\n", -EPROTO },
		{ "-5\n", -EPROTO },
		{ "500 501\n", -EPROTO },
		{ "99999999999999999999\n", -EPROTO },
		{ "100000\n", -ENOSYS },	/* a kernel without such a call */
	};
	struct mpp_ctx *ctx = NULL;
	struct mpp_roots roots;
	char number[32];

	tree_make();
	roots = roots_of_tree();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tree_write(file, cases[i].text);
		CHECK_INT(mpp_open_at(MPP_DOOR_SYSCALL, &roots, &ctx), cases[i].err);
		CHECK_INT(mpp_open_at(MPP_DOOR_AUTO, &roots, &ctx), cases[i].err);
	}
	/* A call that answers something else to "no pages" is not this one. */
	snprintf(number, sizeof(number), "%ld\n", (long)SYS_getpid);
	tree_write(file, number);
	CHECK_INT(mpp_open_at(MPP_DOOR_SYSCALL, &roots, &ctx), -EPROTO);
	CHECK(!ctx);
	tree_remove();
}

static void moves_and_queries(void)
{
	const uint64_t pages[] = { ON_NODE(1) | 0x1000, FAILS(EBUSY) | 0x2000, ON_NODE(2) };
	const int nodes[] = { 3, 3, 2 };
	int status[3] = { 7, 7, 7 };
	uint64_t new_pages[3] = { 0 };
	struct mpp_request req = {
		.size = sizeof(req),
		.nr_pages = 3,
		.pages = pages,
		.nodes = nodes,
		.status = status,
	};
	struct mpp_ctx *ctx;

	CHECK_INT(mpp_open(MPP_DOOR_AUTO, &ctx), 0);
	CHECK_INT(mpp_ctx_door(ctx), MPP_DOOR_DEVICE);
	CHECK_INT(mpp_query(ctx, 3, pages, status), 1);
	CHECK_INT(status[0], 1);
	CHECK_INT(status[1], -EBUSY);
	CHECK_INT(status[2], 2);

	/* Without the array the flag must not reach the kernel, nor be missing with it. */
	req.flags = MPP_MF_NEW_PAGES;
	CHECK_INT(mpp_move(ctx, &req), 1);
	CHECK_INT(status[0], 3);
	req.flags = 0;
	req.new_pages = new_pages;
	CHECK_INT(mpp_move(ctx, &req), 1);
	CHECK_INT(new_pages[0], ON_NODE(3) | 0x1000);
	CHECK_INT(new_pages[1], pages[1]);
	CHECK_INT(new_pages[2], pages[2]);

	mpp_ref(ctx);
	CHECK(!mpp_unref(ctx));
	CHECK_INT(mpp_query(ctx, 1, pages, status), 0);
	CHECK(!mpp_unref(ctx));
}

static void checks_requests(void)
{
	struct { struct mpp_request known; int newer; } longer = {
		.known = { .size = sizeof(longer) },
	};
	struct mpp_request req = { .size = sizeof(req) - 1 };
	struct mpp_ctx *ctx;

	CHECK_INT(mpp_open(MPP_DOOR_DEVICE, &ctx), 0);
	CHECK_INT(mpp_move(ctx, &req), -EINVAL);
	req.size = sizeof(req);
	CHECK_INT(mpp_move(ctx, &req), 0);
	req.reserved = 1;
	CHECK_INT(mpp_move(ctx, &req), -EINVAL);
	CHECK_INT(mpp_move(ctx, &longer.known), 0);
	longer.newer = 1;
	CHECK_INT(mpp_move(ctx, &longer.known), -EINVAL);
	mpp_unref(ctx);
}

static void drop_in_without_a_door(void)
{
	uint64_t page = 0x1000;
	int status = 7;

	setenv("FAKE_MPP_MODE", "absent", 1);
	errno = 0;
	CHECK_INT(move_phys_pages(1, &page, NULL, &status, 0, NULL), -1);
	CHECK_INT(errno, ENOSYS);
	setenv("FAKE_MPP_MODE", "denied", 1);
	CHECK_INT(move_phys_pages(1, &page, NULL, &status, 0, NULL), -1);
	CHECK_INT(errno, EPERM);
	CHECK_INT(mpp_door_probe(MPP_DOOR_AUTO), -EPERM);
	setenv("FAKE_MPP_MODE", "foreign", 1);
	CHECK_INT(move_phys_pages(0, NULL, NULL, NULL, 0, NULL), -1);
	CHECK_INT(errno, ENODEV);
	CHECK_INT(status, 7);
	unsetenv("FAKE_MPP_MODE");
	CHECK_INT(mpp_door_probe(MPP_DOOR_AUTO), 0);
}

static void drop_in_works_once_there_is_one(void)
{
	uint64_t pages[] = { ON_NODE(1) | 0x1000, FAILS(ENOENT) };
	uint64_t new_pages[2] = { 5, 5 };
	int nodes[] = { 2, 2 };
	int status[2];

	CHECK_INT(move_phys_pages(0, NULL, NULL, NULL, 0, NULL), 0);
	CHECK_INT(move_phys_pages(2, pages, nodes, status, 0, new_pages), 1);
	CHECK_INT(status[0], 2);
	CHECK_INT(status[1], -ENOENT);
	CHECK_INT(new_pages[0], 5);	/* the flag was not given */
	CHECK_INT(move_phys_pages(2, pages, nodes, status, MPP_MF_NEW_PAGES, new_pages), 1);
	CHECK_INT(new_pages[0], ON_NODE(2) | 0x1000);
}

static int nr_open_files(void)
{
	int nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static int shared_fd(void)
{
	char path[64], target[64];

	for (int fd = 3; fd < 256; fd++) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (!strcmp(target, "/dev/null"))
			return fd;
	}
	return -1;
}

static void drop_in_survives_closing(void)
{
	uint64_t page = ON_NODE(1);
	int fd = shared_fd();
	int status = -1;

	CHECK(fd >= 0);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	CHECK_INT(move_phys_pages(1, &page, NULL, &status, 0, NULL), 0);
	CHECK_INT(status, 1);
	/* The number may belong to another file by then, which must be left alone. */
	fd = shared_fd();
	close(fd);
	CHECK_INT(open("/dev/zero", O_RDWR | O_CLOEXEC), fd);
	CHECK_INT(move_phys_pages(1, &page, NULL, &status, 0, NULL), 0);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

static void drop_in_survives_fork(void)
{
	uint64_t page = ON_NODE(1);
	int nr_files = nr_open_files();
	int status = -1, wait_status;
	pid_t child = fork();

	if (!child)
		_exit(move_phys_pages(1, &page, NULL, &status, 0, NULL) || status != 1 ||
		      nr_open_files() != nr_files);
	CHECK_INT(waitpid(child, &wait_status, 0), child);
	CHECK_INT(wait_status, 0);
}

static pthread_barrier_t all_ready;

/* NULL when all went well. */
static void *call_often(void *arg)
{
	uint64_t page = ON_NODE(1);
	int status;

	pthread_barrier_wait(&all_ready);
	for (int i = 0; i < 20; i++)
		if (move_phys_pages(1, &page, NULL, &status, 0, NULL) || status != 1)
			return arg;
	return NULL;
}

/* All threads find the door shut; in the end one file is open, as before. */
static int race_to_open(void)
{
	pthread_t threads[8];
	int nr_files = nr_open_files();
	void *result;

	close(shared_fd());
	pthread_barrier_init(&all_ready, NULL, ARRAY_LEN(threads));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, call_often, threads);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], &result);
		if (result)
			return 1;
	}
	pthread_barrier_destroy(&all_ready);
	return nr_open_files() == nr_files ? 0 : 2;
}

static void drop_in_opens_once(void)
{
	int wait_status;
	pid_t child = fork();

	if (!child) {
		int result = 0;

		for (int round = 0; round < 100 && !result; round++)
			result = race_to_open();
		_exit(result);
	}
	CHECK_INT(waitpid(child, &wait_status, 0), child);
	CHECK_INT(wait_status, 0);
}

struct sharer {
	struct mpp_ctx *ctx;
	int number;
	pthread_t thread;
};

/* Moves and asks by a handle of which it has a reference; NULL when all was as for one thread. */
static void *use_shared(void *arg)
{
	struct sharer *sharer = arg;
	int target = 1 + sharer->number % 7;
	const uint64_t pages[] = { ON_NODE(8) | 0x1000, FAILS(EBUSY), ON_NODE(target) };
	const int nodes[] = { target, target, target };
	uint64_t new_pages[3];
	int status[3];
	struct mpp_request req = {
		.size = sizeof(req), .nr_pages = 3, .pages = pages, .nodes = nodes,
		.status = status, .new_pages = new_pages,
	};
	void *result = NULL;

	pthread_barrier_wait(&all_ready);
	for (int i = 0; i < 200 && !result; i++) {
		mpp_ref(sharer->ctx);
		if (mpp_move(sharer->ctx, &req) != 1 || status[0] != target ||
		    status[1] != -EBUSY || new_pages[0] != (ON_NODE(target) | 0x1000) ||
		    mpp_query(sharer->ctx, 3, pages, status) != 1 || status[0] != 8 ||
		    mpp_ctx_door(sharer->ctx) != MPP_DOOR_DEVICE)
			result = arg;
		mpp_unref(sharer->ctx);
	}
	mpp_unref(sharer->ctx);
	return result;
}

static void shares_a_handle(void)
{
	struct sharer sharers[8];
	int nr_files = nr_open_files();
	struct mpp_ctx *ctx;
	void *result;

	CHECK_INT(mpp_open(MPP_DOOR_DEVICE, &ctx), 0);
	pthread_barrier_init(&all_ready, NULL, ARRAY_LEN(sharers));
	for (size_t i = 0; i < ARRAY_LEN(sharers); i++) {
		sharers[i] = (struct sharer) { .ctx = mpp_ref(ctx), .number = (int)i };
		CHECK_INT(pthread_create(&sharers[i].thread, NULL, use_shared, &sharers[i]), 0);
	}
	/* Whoever is last closes it. */
	mpp_unref(ctx);
	for (size_t i = 0; i < ARRAY_LEN(sharers); i++) {
		pthread_join(sharers[i].thread, &result);
		CHECK(!result);
	}
	pthread_barrier_destroy(&all_ready);
	CHECK_INT(nr_open_files(), nr_files);
}

TAP_MAIN(
	{ "no door, or something else in its place", no_door },
	{ "system call numbers that cannot be right", bad_numbers },
	{ "moving and asking", moves_and_queries },
	{ "requests of other sizes", checks_requests },
	{ "threads that share a handle", shares_a_handle },
	{ "drop-in call: no door, no permission", drop_in_without_a_door },
	{ "drop-in call: a door that appears later", drop_in_works_once_there_is_one },
	{ "drop-in call: its descriptor closed by others", drop_in_survives_closing },
	{ "drop-in call: after fork", drop_in_survives_fork },
	{ "drop-in call: many threads", drop_in_opens_once },
)
