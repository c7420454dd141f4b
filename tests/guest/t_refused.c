// SPDX-License-Identifier: GPL-2.0-only
/* What does not move, and the reason each of them gets. */
#include "harness.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <linux/kernel-page-flags.h>

#include "h_disk.h"
#include "h_hugetlb.h"
#include "harness_internal.h"

#define MOVE_ALL (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)
#define ANYTHING (MOVE_ALL | MPP_MF_UNMAPPED)
#define BIT(flag) (1ULL << (flag))
#define KPF_RESERVED 32	/* shown, though not in the header for user space */

/* Refused for both nodes, whatever is allowed; and for a query when asked for. */
static void refused(uint64_t phys, int status)
{
	CHECK_STATUS(move_one(phys, fast_node(), ANYTHING, NULL), status);
	CHECK_STATUS(move_one(phys, slow_node(), ANYTHING | MPP_MF_SYNC, NULL), status);
	CHECK_STATUS(move_one(phys, slow_node(), 0, NULL), status);
	CHECK_STATUS(move_one(phys, fast_node(), ANYTHING | MPP_MF_DRY_RUN, NULL), status);
}

static void refused_and_unknown(uint64_t phys, int status)
{
	refused(phys, status);
	CHECK_STATUS(query_one(phys, 0), status);
	CHECK_STATUS(query_one(phys, MPP_MF_UNMAPPED), status);
}

/* ---- Nobody's pages --------------------------------------------------- */

TEST(kinds, zero_page)
{
	volatile unsigned char *va = must_mmap(page_size(), PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t phys;

	madvise((void *)va, page_size(), MADV_NOHUGEPAGE);
	CHECK_EQ(*va, 0);
	phys = phys_of((void *)va);
	CHECK(kpageflags(phys) >> KPF_ZERO_PAGE & 1);
	refused(phys, -EFAULT);
	CHECK_EQ(phys_of((void *)va), phys);
	CHECK_EQ(*va, 0);
}

TEST(kinds, huge_zero_page)
{
	size_t size = huge_size();
	volatile unsigned char *va;
	uint64_t phys;

	va = must_mmap(2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	va = (void *)(((uintptr_t)va + size - 1) & ~(size - 1));
	if (madvise((void *)va, size, MADV_HUGEPAGE) < 0)
		SKIP("this kernel has no transparent huge pages");
	CHECK_EQ(*va, 0);
	phys = phys_of((void *)va);
	if (phys_of((void *)(va + page_size())) != phys + page_size() ||
	    !(kpageflags(phys) >> KPF_ZERO_PAGE & 1))
		SKIP("the kernel gave no huge zero page");
	refused(phys, -EFAULT);
	refused(phys + 9 * page_size(), -EFAULT);
	CHECK_EQ(phys_of((void *)va), phys);
	CHECK_EQ(va[9 * page_size()], 0);
}

/* Frames whose flags are just `want` out of `mask`, a few of them over all of RAM. */
static size_t frames_with(uint64_t mask, uint64_t want, uint64_t *phys, size_t room)
{
	static uint64_t flags[8192];
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	size_t found = 0, in_chunk;
	uint64_t pfn = 0;
	ssize_t len;

	if (fd < 0)
		SKIP("this kernel has no /proc/kpageflags");
	while (found < room && (len = read(fd, flags, sizeof(flags))) > 0) {
		in_chunk = 0;
		for (size_t i = 0; i < len / sizeof(flags[0]); i++)
			if (found < room && in_chunk < 4 && (flags[i] & mask) == want) {
				phys[found++] = (pfn + i) * page_size();
				in_chunk++;
			}
		pfn += len / sizeof(flags[0]);
	}
	close(fd);
	return found;
}

/* Every frame of the kind is refused, unless it has changed kind in the meantime. */
static void kind_refused(uint64_t mask, uint64_t want, const char *kind, int status)
{
	uint64_t phys[256];
	size_t nr = frames_with(mask, want, phys, ARRAY_SIZE(phys)), tried = 0;

	if (!nr)
		SKIP("/proc/kpageflags shows no %s", kind);
	for (size_t i = 0; i < nr; i++) {
		struct batch b = { 0 };

		batch_add(&b, phys[i], fast_node());
		batch_add(&b, phys[i], slow_node());
		batch_run(&b, ANYTHING);
		if ((kpageflags(phys[i]) & mask) != want)
			continue;
		CHECK(b.status[0] == status && b.status[1] == status, "%s at %#llx: %s and %s",
		      kind, (unsigned long long)phys[i], status_name(b.status[0]),
		      status_name(b.status[1]));
		CHECK_STATUS(query_one(phys[i], MPP_MF_UNMAPPED), status);
		tried++;
		batch_free(&b);
	}
	CHECK(tried > 0, "all %zu frames changed while they were looked at", nr);
}

TEST(kinds, slab)
{
	kind_refused(BIT(KPF_SLAB) | BIT(KPF_COMPOUND_TAIL), BIT(KPF_SLAB), "slab", -ENOENT);
}

TEST(kinds, slab_tail)
{
	uint64_t phys[1];

	/* The frame behind the head of a slab of several pages. */
	if (!frames_with(BIT(KPF_SLAB) | BIT(KPF_COMPOUND_HEAD),
			 BIT(KPF_SLAB) | BIT(KPF_COMPOUND_HEAD), phys, 1))
		SKIP("/proc/kpageflags shows no slab of several pages");
	CHECK_STATUS(move_one(phys[0] + page_size(), fast_node(), ANYTHING, NULL), -ENOENT);
}

TEST(kinds, page_table)
{
	kind_refused(BIT(KPF_PGTABLE), BIT(KPF_PGTABLE), "page table", -ENOENT);
}

TEST(kinds, free_page)
{
	kind_refused(BIT(KPF_BUDDY), BIT(KPF_BUDDY), "free page", -ENOENT);
}

/* No flag at all: what drivers and the kernel allocate for themselves. */
TEST(kinds, kernel_page)
{
	kind_refused(~0ULL, 0, "kernel page", -ENOENT);
}

/* Start and end of the first or last range of that name; 0 when there is none. */
static uint64_t iomem_find(const char *name, bool nested, bool last, uint64_t *end)
{
	char *text = read_text("/proc/iomem"), *line, *save;
	unsigned long long from, to, found = 0;
	char what[64];

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, " %llx-%llx : %63[^\n]", &from, &to, what) != 3 ||
		    strcmp(what, name) || (line[0] == ' ') != nested || (found && !last))
			continue;
		found = from;
		*end = to;
	}
	free(text);
	return found;
}

TEST(kinds, kernel_text)
{
	uint64_t end, phys = iomem_find("Kernel code", true, false, &end);

	if (!phys)
		SKIP("/proc/iomem does not show where the kernel's code is");
	refused_and_unknown(phys, -ENOENT);
	refused_and_unknown((phys + end) / 2, -ENOENT);
}

/* Whether /proc/iomem calls it RAM. */
static bool in_ram(uint64_t phys)
{
	char *text = read_text("/proc/iomem"), *line, *save;
	unsigned long long from, to;
	char what[64];
	bool found = false;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (line[0] != ' ' &&
		    sscanf(line, "%llx-%llx : %63[^\n]", &from, &to, what) == 3 &&
		    !strcmp(what, "System RAM") && phys >= from && phys <= to)
			found = true;
	free(text);
	return found;
}

/* Reserved is what the kernel keeps of the RAM; what is no RAM at all is absent. */
TEST(kinds, reserved)
{
	const uint64_t mask = BIT(KPF_RESERVED) | BIT(KPF_NOPAGE) | BIT(KPF_ZERO_PAGE);
	size_t nr, kept = 0;
	uint64_t phys[64];

	nr = frames_with(mask, BIT(KPF_RESERVED), phys, ARRAY_SIZE(phys));
	for (size_t i = 0; i < nr; i++) {
		int want = in_ram(phys[i]) ? -ENOENT : -ENXIO;
		int got = move_one(phys[i], fast_node(), ANYTHING, NULL);

		CHECK(got == want, "reserved page at %#llx: %s, expected %s",
		      (unsigned long long)phys[i], status_name(got), status_name(want));
		kept += want == -ENOENT;
	}
	if (!kept)
		SKIP("/proc/kpageflags shows no reserved RAM");
}

/* ---- No memory -------------------------------------------------------- */

TEST(kinds, beyond_ram)
{
	uint64_t end = 0;

	CHECK(iomem_find("System RAM", false, true, &end), "/proc/iomem shows no RAM");
	/* Beyond the last memory block, which may be larger than the RAM in it. */
	end = (end | ((2ULL << 30) - 1)) + 1;
	refused_and_unknown(end, -ENXIO);
	refused_and_unknown(end + (1ULL << 40), -ENXIO);
	refused_and_unknown(1ULL << 52, -ENXIO);
	refused_and_unknown(1ULL << 63, -ENXIO);
	refused_and_unknown(UINT64_MAX, -ENXIO);
	refused_and_unknown(UINT64_MAX - page_size() + 1, -ENXIO);
}

/* An address whose frame number has the bits of a real one, and others above 32 bits. */
TEST(kinds, not_truncated)
{
	struct region r = region_anon(1, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0);

	for (int bit = 44; bit < 64; bit++)
		CHECK_STATUS(move_one(phys | 1ULL << bit, fast_node(), ANYTHING, NULL), -ENXIO);
	CHECK_EQ(region_phys(&r, 0), phys);
	region_verify(&r);
}

TEST(kinds, mmio)
{
	static const char *const device[] = { "Local APIC", "IOAPIC 0", "HPET 0", "PCI ECAM" };
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(device); i++) {
		uint64_t end, phys = iomem_find(device[i], false, false, &end);

		if (!phys)
			phys = iomem_find(device[i], true, false, &end);
		if (!phys)
			continue;
		refused_and_unknown(phys, -ENXIO);
		any = true;
	}
	if (!any)
		SKIP("/proc/iomem shows none of the devices known here");
}

/* Between the end of RAM below 4 GiB and the devices. */
TEST(kinds, hole)
{
	uint64_t phys;

	for (phys = 0xf8000000; phys > 0x10000000; phys -= 128 << 20)
		if (node_of_phys(phys) < 0)
			break;
	if (phys <= 0x10000000)
		SKIP("this machine has no hole below 4 GiB");
	refused_and_unknown(phys, -ENXIO);
}

/* In the first megabyte, beside RAM and with struct pages like RAM: still none. */
TEST(kinds, hole_of_video_memory)
{
	CHECK(!in_ram(0xa0000), "0xa0000 is RAM on this machine");
	refused_and_unknown(0xa0000, -ENXIO);
	refused_and_unknown(0xbf000, -ENXIO);
}

/* ---- Offline ---------------------------------------------------------- */

/* Offlines a block of the slow node; its first address.  Online again after the test. */
static uint64_t offline_block(void)
{
	uint64_t block_size;
	char path[96], *text;

	if (!exists("/sys/devices/system/memory/block_size_bytes"))
		SKIP("this kernel cannot offline memory (no memory blocks)");
	text = read_text("/sys/devices/system/memory/block_size_bytes");
	block_size = strtoull(text, NULL, 16);
	free(text);
	for (int block = 127; block >= 0; block--) {
		if (!exists("/sys/devices/system/memory/memory%d", block) ||
		    node_of_phys(block * block_size) != slow_node())
			continue;
		snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%d/state", block);
		text = read_text("%s", path);
		if (!strncmp(text, "online", 6) && try_write(path, "offline") == 0) {
			restore_later(path, "online");
			free(text);
			return block * block_size;
		}
		free(text);
	}
	SKIP("no memory block of node %d could be offlined", slow_node());
}

TEST(kinds, offlined_block, .limit_s = 120)
{
	uint64_t phys = offline_block();
	struct region r;

	refused_and_unknown(phys, -ENXIO);
	refused_and_unknown(phys + (1 << 20), -ENXIO);
	/* The rest of the node still takes pages. */
	r = region_anon(16, fast_node(), 1);
	region_move(&r, slow_node(), 0);
}

/* ---- Held ------------------------------------------------------------- */

TEST(kinds, pinned_by_vmsplice)
{
	struct region r = region_anon(2, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0), new_phys;
	struct iovec iov = { r.va, page_size() };
	unsigned char *copy = malloc(page_size());
	long long failed;
	int fd[2];

	MUST(pipe(fd));
	CHECK_EQ(vmsplice(fd[1], &iov, 1, 0), (long long)page_size());
	failed = vmstat("pgmigrate_fail");
	CHECK_STATUS(move_one(phys, fast_node(), 0, &new_phys), -EBUSY);
	CHECK_STATUS(move_one(phys, fast_node(), MOVE_ALL, NULL), -EBUSY);
	CHECK_STATUS(move_one(phys, fast_node(), MPP_MF_SYNC, NULL), -EBUSY);
	CHECK_STATUS(move_one(phys, fast_node(), MPP_MF_RECLAIM, NULL), -EBUSY);
	CHECK_STATUS(move_one(phys, fast_node(), MPP_MF_DRY_RUN, NULL), -EBUSY);
	/* Seen before migration tries: its user is not disturbed. */
	CHECK_EQ(vmstat("pgmigrate_fail"), failed);
	CHECK_EQ(region_phys(&r, 0), phys);
	CHECK_EQ(new_phys, phys);
	/* Its neighbour is not concerned. */
	CHECK_STATUS(move_one(region_phys(&r, 1), fast_node(), 0, NULL), fast_node());

	CHECK_EQ(read(fd[0], copy, page_size()), (long long)page_size());
	CHECK_EQ(pattern_check(copy, r.tag, 0), -1);
	CHECK_STATUS(move_one(phys, fast_node(), 0, &new_phys), fast_node());
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

static struct region pinned_huge(int pipe_fd[2])
{
	struct region r = region_huge(1, slow_node(), 1);
	struct iovec iov = { r.va + 7 * page_size(), page_size() };

	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &iov, 1, 0), (long long)page_size());
	return r;
}

/* One page held holds the huge page; it is neither moved nor split. */
TEST(kinds, huge_pinned_by_vmsplice)
{
	int fd[2];
	struct region r = pinned_huge(fd);
	uint64_t head = region_phys(&r, 0);

	CHECK_STATUS(move_one(head, fast_node(), 0, NULL), -EBUSY);
	CHECK_STATUS(move_one(head + 7 * page_size(), fast_node(), 0, NULL), -EBUSY);
	CHECK_EQ(region_phys(&r, 0), head);
	CHECK_EQ(smaps_kb(r.va, "AnonHugePages:"), (long long)(huge_size() / 1024));
	close(fd[0]);
	close(fd[1]);
	CHECK_STATUS(move_one(head, fast_node(), 0, NULL), fast_node());
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

/* Mapped, but its owner cannot let it be copied. */
TEST(kinds, secretmem)
{
	struct region r = { .nr_pages = 1, .tag = 1 };
	int fd = syscall(SYS_memfd_secret, 0);
	uint64_t phys;
	int status;

	if (fd < 0)
		SKIP("this kernel has no secret memory (memfd_secret: %s)", strerror(errno));
	MUST(ftruncate(fd, page_size()));
	r.va = must_mmap(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	prefer_node(slow_node());
	region_fill(&r);
	prefer_node(-1);
	phys = region_phys(&r, 0);
	status = move_one(phys, fast_node(), MOVE_ALL, NULL);
	CHECK_STATUS(status, -EOPNOTSUPP);
	CHECK_EQ(region_phys(&r, 0), phys);
	region_verify(&r);
}

/* ---- Writeback -------------------------------------------------------- */

/*
 * A page under writeback to a disk that takes its time: without MPP_MF_SYNC the
 * call does not wait for it, with it it does.
 */
TEST(kinds, writeback)
{
	uint64_t phys, new_phys;
	struct child c;

	phys = slow_writeback(&c, 512);
	CHECK_STATUS(move_one(phys, fast_node(), MOVE_ALL, NULL), -EAGAIN);
	CHECK(under_writeback(phys), "writeback ended too early to tell");
	CHECK_STATUS(move_one_sync(phys, fast_node(), MOVE_ALL, &new_phys), fast_node());
	slow_writeback_end(&c, fast_node(), new_phys);
}

/*
 * Who takes memory offline need not wait until a call has done so: for a disk, or for
 * a file system whose server does not answer.
 */
static void waits_for_disk(struct child *me, void *phys)
{
	uint64_t new_phys;

	child_tell(me);
	CHECK_STATUS(move_one_sync(*(uint64_t *)phys, fast_node(), MOVE_ALL, &new_phys),
		     fast_node());
	me->shared[0] = new_phys;
	child_sync(me);
}

TEST(kinds, writeback_lets_memory_go, .limit_s = 120)
{
	static uint64_t phys;
	struct child writer, caller;

	door_present();
	phys = slow_writeback(&writer, 256);
	caller = spawn(waits_for_disk, &phys);
	wait_for(&caller);
	nap_ms(300);
	CHECK(under_writeback(phys), "writeback ended too early to tell");
	offline_block();
	CHECK(under_writeback(phys), "to take memory offline took until writeback had ended");
	wait_for(&caller);
	go_on(&caller);
	slow_writeback_end(&writer, fast_node(), caller.shared[0]);
	child_end(&caller);
}

/* ---- Locked ----------------------------------------------------------- */

static void slow_reader(struct child *me, void *path)
{
	int fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	char byte;

	slow_disk_join();
	child_sync(me);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, (char)pattern_byte(1, 0, 0));
	child_sync(me);
}

/* The frame that is locked while it is read from the disk; 0 when there is none. */
static uint64_t frame_being_read(void)
{
	const uint64_t mask = BIT(KPF_LOCKED) | BIT(KPF_UPTODATE) | BIT(KPF_WRITEBACK) |
			      BIT(KPF_ANON) | BIT(KPF_SLAB);
	uint64_t phys[1];

	return frames_with(mask, BIT(KPF_LOCKED), phys, 1) ? phys[0] : 0;
}

/* A page that is locked while a slow disk fills it. */
TEST(kinds, locked)
{
	const char *device;
	struct disk_file f = disk_file_on(&device);
	struct region r = region_file(f.fd, 1, slow_node(), 1, MAP_SHARED);
	uint64_t phys = 0;
	long long start;
	struct child c;
	int to;

	MUST(fsync(f.fd));
	region_unmap(&r);
	slow_disk(device, "rbps", 512);
	c = spawn(slow_reader, f.path);
	wait_for(&c);
	lru_settle();
	write_text("/proc/sys/vm/drop_caches", "1");
	go_on(&c);
	for (start = now_ms(); !phys && now_ms() < start + 4000;)
		phys = frame_being_read();
	if (!phys)
		SKIP("the disk could not be made slow enough");
	to = node_of_phys(phys) == fast_node() ? slow_node() : fast_node();
	CHECK_STATUS(move_one(phys, to, MPP_MF_UNMAPPED, NULL), -EAGAIN);
	CHECK(kpageflags(phys) >> KPF_LOCKED & 1, "it was read too early to tell");
	CHECK_STATUS(move_one_sync(phys, to, MPP_MF_UNMAPPED, NULL), to);
	wait_for(&c);
	go_on(&c);
	child_end(&c);
}

/* ---- File systems that do not move pages ------------------------------- */

/* ramfs neither copies its pages nor writes them: once dirty, they stay. */
TEST(kinds, ramfs)
{
	char path[128];
	struct region r;
	int fd;

	snprintf(path, sizeof(path), "%s/file", mount_at("ramfs", "none", "ramfs", NULL));
	fd = MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	r = region_file(fd, 4, slow_node(), 1, MAP_SHARED);
	region_refused(&r, fast_node(), MOVE_ALL, -EOPNOTSUPP);
	region_refused(&r, fast_node(), MOVE_ALL | MPP_MF_SYNC, -EOPNOTSUPP);
}

/* ---- Poisoned --------------------------------------------------------- */

#define UNPOISON "/sys/kernel/debug/hwpoison/unpoison-pfn"

/* Gives the frame back to the kernel after the test; false where that cannot be done. */
static bool unpoison_later(uint64_t phys)
{
	char text[32];

	if (!exists(UNPOISON))
		run_program((const char *[]){ "modprobe", "hwpoison_inject", NULL });
	if (!exists(UNPOISON))
		return false;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(phys / page_size()));
	restore_later(UNPOISON, text);
	return true;
}

static void on_sigbus(int signo)
{
	(void)signo;
}

static void poison(void *va, size_t len)
{
	int ret, err;

	/* The process is told that it has lost the page; to ignore it would be fatal. */
	signal(SIGBUS, on_sigbus);
	ret = madvise(va, len, MADV_HWPOISON);
	err = errno;
	signal(SIGBUS, SIG_DFL);
	if (ret == 0)
		return;
	if (err == EINVAL)
		SKIP("this kernel has no memory failure handling (MADV_HWPOISON)");
	FAIL("madvise(MADV_HWPOISON): %s", strerror(err));
}

TEST(kinds, poisoned)
{
	struct region r = region_anon(3, slow_node(), 1);
	uint64_t phys = region_phys(&r, 1);

	unpoison_later(phys);
	poison(r.va + page_size(), page_size());
	CHECK(kpageflags(phys) >> KPF_HWPOISON & 1);
	refused_and_unknown(phys, -EHWPOISON);
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), 0, NULL), fast_node());
	CHECK_STATUS(move_one(region_phys(&r, 2), fast_node(), 0, NULL), fast_node());
	CHECK_EQ(pattern_check(r.va, r.tag, 0), -1);
	CHECK_EQ(pattern_check(r.va + 2 * page_size(), r.tag, 2), -1);
}

/* Still in the page cache, as shared memory keeps its poisoned pages. */
TEST(kinds, poisoned_in_cache)
{
	int fd = MUST(memfd_create("mpp", MFD_CLOEXEC));
	struct region r = region_file(fd, 3, slow_node(), 1, MAP_SHARED);
	uint64_t phys = region_phys(&r, 1);

	unpoison_later(phys);
	poison(r.va + page_size(), page_size());
	refused_and_unknown(phys, -EHWPOISON);
	CHECK_STATUS(move_one(region_phys(&r, 0), fast_node(), 0, NULL), fast_node());
}

/* A page of a hugetlb folio: the others of the folio are not to be copied either. */
TEST(kinds, poisoned_hugetlb)
{
	struct hugetlb_pool fast = hugetlb_pool(fast_node(), 2);
	struct region r;
	uint64_t head;

	hugetlb_pool(slow_node(), 2);
	r = region_hugetlb(1, slow_node(), 1, MAP_SHARED, hugetlb_memfd());
	head = region_phys(&r, 0);
	/* The head bears the flag while the folio is whole, the page itself once it is not. */
	if (!unpoison_later(head + 5 * page_size()) || !unpoison_later(head))
		SKIP("this kernel has no " UNPOISON ", and would keep the page in the pool");
	poison(r.va + 5 * page_size(), page_size());
	CHECK_STATUS(move_one(head + 5 * page_size(), fast_node(), ANYTHING, NULL), -EHWPOISON);
	if (!(kpageflags(head) >> KPF_HUGE & 1))
		SKIP("the kernel has dissolved the poisoned hugetlb page");
	refused_and_unknown(head, -EHWPOISON);
	refused_and_unknown(head + 6 * page_size(), -EHWPOISON);
	hugetlb_pool_expect(&fast);
}

/* A poisoned huge page is split by the kernel: its healthy parts live on. */
TEST(kinds, poisoned_huge)
{
	struct region r = region_huge(1, slow_node(), 1);
	uint64_t head = region_phys(&r, 0), bad = head + 5 * page_size();

	unpoison_later(bad);
	poison(r.va + 5 * page_size(), page_size());
	refused_and_unknown(bad, -EHWPOISON);
	if (phys_of(r.va) == head)
		CHECK_STATUS(move_one(head, fast_node(), 0, NULL), fast_node());
	CHECK_EQ(pattern_check(r.va, r.tag, 0), -1);
	CHECK_EQ(pattern_check(r.va + 6 * page_size(), r.tag, 6), -1);
}

/* ---- Given back, and bad nodes ---------------------------------------- */

/* Addresses of memory that was given back: the frames are free, not somebody's. */
TEST(kinds, freed)
{
	struct region r = region_anon(256, slow_node(), 1);
	struct batch b = batch_of(&r, fast_node());
	unsigned long stayed_free = 0;

	region_unmap(&r);
	lru_settle();
	batch_run(&b, ANYTHING);
	for (unsigned long i = 0; i < b.nr; i++) {
		uint64_t flags = kpageflags(b.pages[i]);

		/* In the allocator's lists, or in its per-CPU ones, which show nothing. */
		if (flags && flags != BIT(KPF_BUDDY))
			continue;
		CHECK_STATUS(b.status[i], -ENOENT);
		stayed_free++;
	}
	CHECK_GE(stayed_free, 64);
	batch_free(&b);
}

TEST(kinds, bad_nodes)
{
	const int bad[] = { -1, -2, INT_MIN, INT_MAX, 64, 1023, 1024, 4096, 65536, 1 << 20 };
	struct region r = region_anon(1, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int got = move_one(phys, bad[i], 0, NULL);

		CHECK(got == -ENODEV, "node %d: %s", bad[i], status_name(got));
		got = move_one(phys, bad[i], MPP_MF_DRY_RUN, NULL);
		CHECK(got == -ENODEV, "node %d, dry run: %s", bad[i], status_name(got));
	}
	CHECK_EQ(region_phys(&r, 0), phys);
	region_verify(&r);
}

/* The node is asked of each entry, also of one whose page has been dealt with. */
TEST(kinds, bad_node_for_moved)
{
	struct region r = region_anon(1, slow_node(), 1);
	struct batch b = { 0 };

	batch_add(&b, region_phys(&r, 0), -1);
	batch_add(&b, region_phys(&r, 0), fast_node());
	batch_add(&b, region_phys(&r, 0), -1);
	CHECK_EQ(batch_run(&b, 0), 2);
	CHECK_STATUS(b.status[0], -ENODEV);
	CHECK_STATUS(b.status[1], fast_node());
	CHECK_STATUS(b.status[2], -ENODEV);
	region_expect_node(&r, fast_node());
	region_verify(&r);
}

/* Every number that is no node with memory, online or not. */
TEST(kinds, nodes_without_memory)
{
	int nodes[MAX_NODES], nr = nodes_with_memory(nodes);
	struct region r = region_anon(1, slow_node(), 1);
	uint64_t phys = region_phys(&r, 0);

	for (int node = 0; node < 1100; node++) {
		bool memory = false;

		for (int i = 0; i < nr; i++)
			memory |= nodes[i] == node;
		if (memory)
			continue;
		CHECK(move_one(phys, node, 0, NULL) == -ENODEV, "node %d", node);
	}
	CHECK_EQ(region_phys(&r, 0), phys);
}
