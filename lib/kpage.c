// SPDX-License-Identifier: LGPL-2.1-or-later
/* /proc/kpageflags, /proc/kpagecgroup, /proc/kpagecount, and what the flags say. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kpage.h"

const char *mpp_kpage_name(enum mpp_kpage_file file)
{
	static const char *const names[MPP_NR_KPAGE_FILES] = {
		[MPP_KPAGE_FLAGS] = "kpageflags",
		[MPP_KPAGE_CGROUP] = "kpagecgroup",
		[MPP_KPAGE_COUNT] = "kpagecount",
	};

	return names[file];
}

void mpp_kpage_init(struct mpp_kpage *kpage)
{
	for (int i = 0; i < MPP_NR_KPAGE_FILES; i++)
		kpage->fds[i] = -1;
	kpage->calls_anon_ksm = false;
}

/* The flags of the page at an address of this process; 0 when they cannot be had. */
static uint64_t own_flags(const struct mpp_kpage *kpage, const char *proc, const void *page)
{
	uint64_t entry = 0, flags = 0, index = (uintptr_t)page >> mpp_page_shift();
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/self/pagemap", proc);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (off_t)(index * sizeof(entry))) != sizeof(entry))
		entry = 0;
	close(fd);
	entry &= (UINT64_C(1) << 55) - 1;	/* the frame; 0 when it is hidden */
	if (!entry || mpp_kpage_read(kpage, MPP_KPAGE_FLAGS, entry, 1, &flags))
		return 0;
	return flags;
}

/*
 * Linux 6.12, for one, says KSM of every anonymous page, as it tests for any of the
 * mark's two bits, of which one stands for anonymous.  A page that has just been
 * written is certainly not a merged one.
 */
static bool calls_anon_ksm(const struct mpp_kpage *kpage, const char *proc)
{
	size_t len = (size_t)1 << mpp_page_shift();
	unsigned char *page = mmap(NULL, len, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t flags;

	if (page == MAP_FAILED)
		return false;
	*(volatile unsigned char *)page = 1;
	flags = own_flags(kpage, proc, page);
	munmap(page, len);
	return flags & KPF_KSM;
}

int mpp_kpage_open(struct mpp_kpage *kpage, const char *proc, enum mpp_kpage_file file)
{
	char path[PATH_MAX];
	int fd;

	if (kpage->fds[file] >= 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", proc, mpp_kpage_name(file));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? -EPERM : -errno;
	kpage->fds[file] = fd;
	if (file == MPP_KPAGE_FLAGS)
		kpage->calls_anon_ksm = calls_anon_ksm(kpage, proc);
	return 0;
}

void mpp_kpage_close(struct mpp_kpage *kpage)
{
	for (int i = 0; i < MPP_NR_KPAGE_FILES; i++)
		if (kpage->fds[i] >= 0)
			close(kpage->fds[i]);
	mpp_kpage_init(kpage);
}

int mpp_kpage_read(const struct mpp_kpage *kpage, enum mpp_kpage_file file, uint64_t pfn,
		   size_t nr, uint64_t *entries)
{
	size_t done = 0;
	ssize_t len = 0;

	/* Frames whose entry no file offset can name are beyond any memory. */
	while (done < nr && pfn < (uint64_t)INT64_MAX / sizeof(*entries) - nr) {
		len = pread(kpage->fds[file], entries + done, (nr - done) * sizeof(*entries),
			    (off_t)((pfn + done) * sizeof(*entries)));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < (ssize_t)sizeof(*entries))
			break;
		done += (size_t)len / sizeof(*entries);
	}
	if (len < 0)
		return -errno;
	if (file == MPP_KPAGE_FLAGS && kpage->calls_anon_ksm)
		for (size_t i = 0; i < done; i++)
			entries[i] &= ~KPF_KSM;
	for (; done < nr; done++)
		entries[done] = file == MPP_KPAGE_FLAGS ? KPF_NOPAGE : 0;
	return 0;
}

/*
 * Of the frames behind the first of a large folio, Linux 6.1 shows only some flags:
 * ANON, KSM, HUGE and THP are the whole folio's, LRU and SWAPBACKED are not.
 */
static enum mpp_kind kind_of_user(uint64_t flags)
{
	const uint64_t large = KPF_THP | KPF_COMPOUND_HEAD | KPF_COMPOUND_TAIL;

	if (flags & KPF_KSM)
		return MPP_KIND_KSM;
	if (flags & KPF_ANON)
		return flags & large ? MPP_KIND_ANON_LARGE : MPP_KIND_ANON;
	if (flags & KPF_THP)
		return MPP_KIND_CACHE_LARGE;
	/* Pages of drivers can be mapped, too, but are never read from a file. */
	if (!(flags & (KPF_LRU | KPF_UNEVICTABLE)) &&
	    (flags & (KPF_MMAP | KPF_UPTODATE)) != (KPF_MMAP | KPF_UPTODATE))
		return MPP_KIND_KERNEL;
	if (flags & large)
		return MPP_KIND_CACHE_LARGE;
	return flags & KPF_SWAPBACKED ? MPP_KIND_SHMEM : MPP_KIND_FILE;
}

enum mpp_kind mpp_kind_of(uint64_t flags)
{
	if (flags & (KPF_NOPAGE | KPF_OFFLINE))
		return MPP_KIND_NONE;
	if (flags & KPF_HWPOISON)
		return MPP_KIND_POISON;
	if (flags & KPF_HUGE)
		return MPP_KIND_HUGETLB;
	if (flags & KPF_ZERO_PAGE)
		return MPP_KIND_ZERO;
	if (flags & KPF_BUDDY)
		return MPP_KIND_FREE;
	if (flags & KPF_SLAB)
		return MPP_KIND_SLAB;
	if (flags & KPF_PGTABLE)
		return MPP_KIND_PGTABLE;
	return kind_of_user(flags);
}

const char *mpp_kind_name(unsigned int kind)
{
	static const char *const names[MPP_NR_KINDS] = {
		[MPP_KIND_ANON] = "anon",
		[MPP_KIND_ANON_LARGE] = "anon-large",
		[MPP_KIND_KSM] = "ksm",
		[MPP_KIND_FILE] = "file",
		[MPP_KIND_SHMEM] = "shmem",
		[MPP_KIND_CACHE_LARGE] = "cache-large",
		[MPP_KIND_HUGETLB] = "hugetlb",
		[MPP_KIND_FREE] = "free",
		[MPP_KIND_SLAB] = "slab",
		[MPP_KIND_PGTABLE] = "pgtable",
		[MPP_KIND_ZERO] = "zero",
		[MPP_KIND_POISON] = "poison",
		[MPP_KIND_KERNEL] = "kernel",
		[MPP_KIND_NONE] = "none",
	};

	return kind < MPP_NR_KINDS ? names[kind] : "?";
}
