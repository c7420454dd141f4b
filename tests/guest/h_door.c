// SPDX-License-Identifier: GPL-2.0-only
/*
 * The raw doors, without the library on purpose: what is tested here is the
 * kernel's side of the contract.  Only this file knows which door it is; tests
 * of what one of them alone has ask for it with device() or syscall_number().
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define DEVICE "/dev/move_phys_pages"
#define SYSFS_DIR "/sys/kernel/mm/move_phys_pages"

enum door { DOOR_UNKNOWN, DOOR_NONE, DOOR_DEVICE, DOOR_SYSCALL };

static enum door door_found;
static long syscall_nr = -1;

static enum door door_search(void)
{
	const char *want = getenv("MPP_DOOR");
	bool any = !want || !*want;

	if (!any && strcmp(want, "device") && strcmp(want, "syscall") && strcmp(want, "none"))
		FAIL("MPP_DOOR is '%s'; it can be device, syscall or none", want);
	if ((any || !strcmp(want, "syscall")) && exists(SYSFS_DIR "/syscall_nr")) {
		syscall_nr = read_number(SYSFS_DIR "/syscall_nr");
		return DOOR_SYSCALL;
	}
	if ((any || !strcmp(want, "device")) && exists(DEVICE))
		return DOOR_DEVICE;
	return DOOR_NONE;
}

static enum door door(void)
{
	if (door_found == DOOR_UNKNOWN)
		door_found = door_search();
	return door_found;
}

__attribute__((noreturn))
static void skip_without_door(void)
{
	SKIP("no door: neither the system call nor " DEVICE);
}

bool door_present(void)
{
	return door() != DOOR_NONE;
}

const char *door_name(void)
{
	switch (door()) {
	case DOOR_DEVICE:
		return "device";
	case DOOR_SYSCALL:
		return "syscall";
	default:
		return "none";
	}
}

const char *door_stats_dir(void)
{
	return door() == DOOR_SYSCALL ? SYSFS_DIR : "/sys/module/move_phys_pages/stats";
}

int device(const char *what)
{
	int fd;

	if (door() == DOOR_NONE)
		skip_without_door();
	if (door() != DOOR_DEVICE)
		SKIP("only the device has %s", what);
	fd = door_open();
	CHECK(fd >= 0, DEVICE ": %s", strerror(-fd));
	return fd;
}

long syscall_number(const char *what)
{
	if (door() == DOOR_NONE)
		skip_without_door();
	if (door() != DOOR_SYSCALL)
		SKIP("only the system call has %s", what);
	return syscall_nr;
}

int door_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int door_hold(void)
{
	if (door() == DOOR_NONE)
		skip_without_door();
	return door() == DOOR_DEVICE ? device("") : -1;
}

bool door_takes(uint64_t value)
{
	return door() != DOOR_SYSCALL || (unsigned long)value == value;
}

/* An argument of the system call, which must not be cut to what fits. */
static unsigned long argument(uint64_t value)
{
	CHECK(door_takes(value), "%#llx is no argument for this caller",
	      (unsigned long long)value);
	return (unsigned long)value;
}

int raw(int held, const struct mpp_move *move)
{
	long ret;

	switch (door()) {
	case DOOR_DEVICE:
		ret = ioctl(held, MPP_IOC_MOVE, move);
		break;
	case DOOR_SYSCALL:
		ret = syscall(syscall_nr, argument(move->nr_pages), argument(move->pages),
			      argument(move->nodes), argument(move->status), (int)move->flags,
			      argument(move->new_pages));
		break;
	default:
		skip_without_door();
	}
	return ret < 0 ? -errno : (int)ret;
}

long mpp(unsigned long nr_pages, const uint64_t *pages, const int *nodes, int *status, int flags,
	 uint64_t *new_pages)
{
	struct mpp_move move = {
		.size = sizeof(move),
		.flags = flags,
		.nr_pages = nr_pages,
		.pages = (uintptr_t)pages,
		.nodes = (uintptr_t)nodes,
		.status = (uintptr_t)status,
		.new_pages = (uintptr_t)new_pages,
	};
	int fd = -1, ret;

	if (door() == DOOR_DEVICE) {
		fd = door_open();
		if (fd < 0)
			return fd;
	}
	ret = raw(fd, &move);
	if (fd >= 0)
		close(fd);
	return ret;
}

const char *status_name(int status)
{
	static char buf[4][32];
	static unsigned int turn;
	char *out = buf[turn++ % 4];
	const char *name;

	if (status == STATUS_UNTOUCHED)
		return "untouched";
	if (status >= 0) {
		snprintf(out, sizeof(buf[0]), "node %d", status);
		return out;
	}
	name = strerrorname_np(-status);
	if (name)
		snprintf(out, sizeof(buf[0]), "-%s", name);
	else
		snprintf(out, sizeof(buf[0]), "%d", status);
	return out;
}

/* ---- Batches --------------------------------------------------------- */

static void *grown(void *old, unsigned long room, size_t each)
{
	void *new = realloc(old, room * each);

	CHECK(new, "out of memory");
	return new;
}

void batch_add(struct batch *b, uint64_t phys, int node)
{
	if (b->nr == b->room) {
		b->room = b->room ? b->room * 2 : 64;
		b->pages = grown(b->pages, b->room, sizeof(*b->pages));
		b->nodes = grown(b->nodes, b->room, sizeof(*b->nodes));
		b->status = grown(b->status, b->room, sizeof(*b->status));
		b->new_pages = grown(b->new_pages, b->room, sizeof(*b->new_pages));
	}
	b->pages[b->nr] = phys;
	b->nodes[b->nr] = node;
	b->status[b->nr] = STATUS_UNTOUCHED;
	b->new_pages[b->nr] = PAGE_UNTOUCHED;
	b->nr++;
}

void batch_shuffle(struct batch *b, unsigned int seed)
{
	for (unsigned long i = b->nr; i > 1; i--) {
		unsigned long j;
		uint64_t page;
		int node;

		seed = seed * 1103515245u + 12345u;
		j = (seed >> 8) % i;
		page = b->pages[i - 1];
		node = b->nodes[i - 1];
		b->pages[i - 1] = b->pages[j];
		b->nodes[i - 1] = b->nodes[j];
		b->pages[j] = page;
		b->nodes[j] = node;
	}
}

void batch_free(struct batch *b)
{
	free(b->pages);
	free(b->nodes);
	free(b->status);
	free(b->new_pages);
	memset(b, 0, sizeof(*b));
}

static long batch_call(struct batch *b, const int *nodes, int flags)
{
	long ret, missed = 0;

	for (unsigned long i = 0; i < b->nr; i++) {
		b->status[i] = STATUS_UNTOUCHED;
		b->new_pages[i] = PAGE_UNTOUCHED;
	}
	ret = mpp(b->nr, b->pages, nodes, b->status, flags | MPP_MF_NEW_PAGES, b->new_pages);
	CHECK(ret >= 0, "the call failed with %s", status_name(ret));
	for (unsigned long i = 0; i < b->nr; i++) {
		int status = b->status[i];

		CHECK(status != STATUS_UNTOUCHED, "status[%lu] of %lu was not written", i, b->nr);
		CHECK(b->new_pages[i] != PAGE_UNTOUCHED, "new_pages[%lu] of %lu was not written",
		      i, b->nr);
		missed += nodes ? status != nodes[i] : status < 0;
		if (status < 0 || !nodes || (flags & MPP_MF_DRY_RUN))
			CHECK(b->new_pages[i] == b->pages[i],
			      "entry %lu did not move (%s) but new_pages is %#llx, not %#llx", i,
			      status_name(status), (unsigned long long)b->new_pages[i],
			      (unsigned long long)b->pages[i]);
	}
	CHECK(ret == missed, "returned %ld, but %ld of %lu entries %s", ret, missed, b->nr,
	      nodes ? "are not on their target" : "have no node");
	return ret;
}

long batch_run(struct batch *b, int flags)
{
	return batch_call(b, b->nodes, flags);
}

long batch_query(struct batch *b, int flags)
{
	return batch_call(b, NULL, flags);
}

unsigned long batch_count(const struct batch *b, int status)
{
	unsigned long count = 0;

	for (unsigned long i = 0; i < b->nr; i++)
		count += b->status[i] == status;
	return count;
}

void batch_expect(const struct batch *b, int status)
{
	for (unsigned long i = 0; i < b->nr; i++)
		CHECK(b->status[i] == status, "status[%lu] is %s, expected %s (%lu of %lu are)", i,
		      status_name(b->status[i]), status_name(status), batch_count(b, status),
		      b->nr);
}

int move_one(uint64_t phys, int node, int flags, uint64_t *new_phys)
{
	struct batch b = { 0 };
	int status;

	batch_add(&b, phys, node);
	batch_run(&b, flags);
	status = b.status[0];
	if (new_phys)
		*new_phys = b.new_pages[0];
	batch_free(&b);
	return status;
}

int query_one(uint64_t phys, int flags)
{
	struct batch b = { 0 };
	int status;

	batch_add(&b, phys, 0);
	batch_query(&b, flags);
	status = b.status[0];
	batch_free(&b);
	return status;
}

/* Asks again on -EBUSY, and on -EAGAIN if told to, for about a second. */
static int move_one_again(uint64_t phys, int node, int flags, uint64_t *new_phys, bool on_eagain)
{
	int status = move_one(phys, node, flags, new_phys);

	for (int i = 1; i < 50 && (status == -EBUSY || (on_eagain && status == -EAGAIN)); i++) {
		nap_ms(20);
		status = move_one(phys, node, flags, new_phys);
	}
	return status;
}

int move_one_sync(uint64_t phys, int node, int flags, uint64_t *new_phys)
{
	return move_one_again(phys, node, flags | MPP_MF_SYNC, new_phys, false);
}

int move_one_patient(uint64_t phys, int node, int flags, uint64_t *new_phys)
{
	return move_one_again(phys, node, flags, new_phys, true);
}
