/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's arrays with an entry for each frame: /proc/kpageflags and its kin. */
#ifndef MOVEPHYS_KPAGE_H
#define MOVEPHYS_KPAGE_H

#include "internal.h"

/* include/uapi/linux/kernel-page-flags.h, include/linux/kernel-page-flags.h */
#define KPF_LRU			(UINT64_C(1) << 5)
#define KPF_UPTODATE		(UINT64_C(1) << 3)
#define KPF_SLAB		(UINT64_C(1) << 7)
#define KPF_BUDDY		(UINT64_C(1) << 10)
#define KPF_MMAP		(UINT64_C(1) << 11)
#define KPF_ANON		(UINT64_C(1) << 12)
#define KPF_SWAPBACKED		(UINT64_C(1) << 14)
#define KPF_COMPOUND_HEAD	(UINT64_C(1) << 15)
#define KPF_COMPOUND_TAIL	(UINT64_C(1) << 16)
#define KPF_HUGE		(UINT64_C(1) << 17)
#define KPF_UNEVICTABLE		(UINT64_C(1) << 18)
#define KPF_HWPOISON		(UINT64_C(1) << 19)
#define KPF_NOPAGE		(UINT64_C(1) << 20)
#define KPF_KSM			(UINT64_C(1) << 21)
#define KPF_THP			(UINT64_C(1) << 22)
#define KPF_OFFLINE		(UINT64_C(1) << 23)
#define KPF_ZERO_PAGE		(UINT64_C(1) << 24)
#define KPF_IDLE		(UINT64_C(1) << 25)
#define KPF_PGTABLE		(UINT64_C(1) << 26)

/* No folio but a hugetlb page has more frames, and each begins at a multiple of its size. */
#define MPP_FOLIO_FRAMES_MAX	512

enum mpp_kpage_file {
	MPP_KPAGE_FLAGS,
	MPP_KPAGE_CGROUP,
	MPP_KPAGE_COUNT,
	MPP_NR_KPAGE_FILES,
};

struct mpp_kpage {
	int fds[MPP_NR_KPAGE_FILES];
	bool calls_anon_ksm;	/* the kernel sets KSM for all anonymous pages */
};

const char *mpp_kpage_name(enum mpp_kpage_file file);
void mpp_kpage_init(struct mpp_kpage *kpage);
/* 0, -EPERM, or another errno; a file that is open already is fine. */
int mpp_kpage_open(struct mpp_kpage *kpage, const char *proc, enum mpp_kpage_file file);
void mpp_kpage_close(struct mpp_kpage *kpage);
/* Entries of @nr frames from @pfn on; what is beyond the file reads as no page. */
int mpp_kpage_read(const struct mpp_kpage *kpage, enum mpp_kpage_file file, uint64_t pfn,
		   size_t nr, uint64_t *entries);

#endif /* MOVEPHYS_KPAGE_H */
