/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * move_phys_pages: what the files of the core share.
 *
 * A call runs in batches, a batch in four phases, one file each:
 *
 *	call.c		take entries in from user space, give answers back
 *	find.c		from a physical address to a folio that may be a user's
 *	check.c		ask every mapping of the folio whether it may move there
 *	migrate.c	isolate, migrate per target node, learn what became of each
 *
 * anon.c spares check.c most of its walks, items.c is the table of folios that a
 * batch names, record.c remembers what the call decided before, stat.c counts.
 * What they ask of the rest of the kernel comes through mpp_env.h.
 */
#ifndef MPP_CORE_H
#define MPP_CORE_H

#include "mpp_env.h"

/*
 * Limits of one batch.  Entries bound the memory of a call and the time to the
 * next signal check.  Bytes bound what is off the LRU at once: reclaim throttles
 * itself on isolated pages (too_many_isolated()), and 512 huge pages would be
 * 1 GiB.
 */
#define MPP_BATCH_ENTRIES	512U
#define MPP_BATCH_BYTES		(8UL << 20)

/*
 * Zeroed memory for what grows with a call, charged to the caller, or NULL: the call
 * can do without, so nobody is killed for it.  Nor is anything compacted for it, as
 * kvcalloc() would do with these flags.  For kvfree().
 */
static inline void *mpp_alloc_more(unsigned long nr, size_t size)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN | __GFP_ZERO;

	return nr * size > PAGE_SIZE ? __vmalloc(nr * size, gfp) : kmalloc(nr * size, gfp);
}

/* What can become of an entry: name in the counters, errno of its status. */
#define MPP_OUTCOMES(X)						\
	X(MOVED,	"moved",		0)		\
	X(ALREADY,	"already",		0)		\
	X(WOULD_MOVE,	"would_move",		0)		\
	X(FOUND,	"found",		0)		\
	X(ABSENT,	"absent",		ENXIO)		\
	X(NOT_USER,	"not_user",		ENOENT)		\
	X(FREED,	"freed",		ENOENT)		\
	X(UNMAPPED,	"unmapped",		ESRCH)		\
	X(ZERO_PAGE,	"zero_page",		EFAULT)		\
	X(VMA,		"vma_not_migratable",	EFAULT)		\
	X(ZONE,		"bound_to_zone",	EFAULT)		\
	X(SHARED,	"shared",		EACCES)		\
	X(CPUSET_TASK,	"cpuset_of_process",	EXDEV)		\
	X(CPUSET_CGROUP, "cpuset_of_cgroup",	EXDEV)		\
	X(CPUSET_CALLER, "cpuset_of_caller",	EXDEV)		\
	X(POLICY_VMA,	"policy_of_vma",	EPERM)		\
	X(POLICY_TASK,	"policy_of_task",	EPERM)		\
	X(POLICY_FILE,	"policy_of_file",	EPERM)		\
	X(SECURITY,	"security_module",	EPERM)		\
	X(BAD_NODE,	"bad_node",		ENODEV)		\
	X(HWPOISON,	"poisoned",		EHWPOISON)	\
	X(NOT_ISOLATED,	"not_isolated",		EBUSY)		\
	X(PINNED,	"pinned",		EBUSY)		\
	X(LOCKED,	"locked",		EAGAIN)		\
	X(WRITEBACK,	"writeback",		EAGAIN)		\
	X(CONTENDED,	"contended",		EAGAIN)		\
	X(RACED,	"raced",		EAGAIN)		\
	X(NO_RECORD,	"no_record",		EAGAIN)		\
	X(NO_ROOM,	"no_room",		ENOMEM)		\
	X(UNSUPPORTED,	"unsupported",		EOPNOTSUPP)

enum mpp_outcome {
#define MPP_OUTCOME_ENUM(id, name, err) MPP_##id,
	MPP_OUTCOMES(MPP_OUTCOME_ENUM)
#undef MPP_OUTCOME_ENUM
	MPP_NR_OUTCOMES,
	/* States on the way to an outcome; none of them leaves the core. */
	MPP_PENDING = MPP_NR_OUTCOMES,	/* not looked at, or to be looked at again */
	MPP_PASSED,			/* passed the phase that was asked */
	MPP_QUEUED,			/* isolated, its fate decided by migration */
};

/* Those before it tell a node. */
#define MPP_FIRST_ERROR	MPP_ABSENT

/* What a call does; each kind is counted apart. */
enum mpp_mode { MPP_MODE_MOVE, MPP_MODE_DRY_RUN, MPP_MODE_QUERY, MPP_NR_MODES };

/* The arguments of one call, as the caller passed them: see the uapi header. */
struct mpp_args {
	u64 nr_pages;
	const u64 __user *pages;
	const int __user *nodes;
	int __user *status;
	u64 __user *new_pages;
	unsigned int flags;
};

/*
 * One folio that entries of the running batch name.  @folio is only valid while
 * the item is queued: isolation holds the reference.
 */
struct mpp_item {
	struct folio *folio;
	unsigned long pfn;	/* of the first page, before the move */
	unsigned long dst_pfn;	/* likewise after it, while @paired */
	int nid;		/* target */
	int from;		/* node it was on when it was queued */
	int at;			/* node that holds the contents */
	u8 order;
	u8 outcome;
	bool paired;		/* migration holds a destination for it */
};

/* What the limits of one process say about one target node, for a batch. */
struct mpp_limit {
	struct mm_struct *mm;	/* pinned by mm_count */
	int nid;
	u8 process;		/* MPP_PASSED or why not: always decides */
	u8 task_policy;		/* likewise: for anonymous memory without VMA policy */
};

/* Places for limits: at first, and when processes compete for them.  Powers of two. */
#define MPP_LIMITS	16
#define MPP_LIMITS_MAX	4096

/* The VMA of a file that was asked last in the walk that is running, and its answer. */
struct mpp_alike {
	const struct address_space *mapping;	/* NULL: none was */
	const struct vm_operations_struct *vm_ops;
	unsigned long vm_flags;
	pgoff_t pgoff;		/* a VMA may map but the end of a large folio */
	u8 outcome;
};

/* What is known of the folios of an anon_vma and one target node, for a batch: see anon.c. */
struct mpp_anon {
	void *mapping;		/* as in their folio->mapping */
	int nid;
	u16 nr_vmas;		/* that a walk met, at least */
	u8 said;		/* by all who may map them, see anon.c */
};

#define MPP_ANONS	16	/* power of two */

#define MPP_NO_ITEM	U16_MAX

/* What a call decided so far, see record.c. */
struct mpp_slot {
	unsigned long key;	/* a PFN and an order */
	unsigned long value;	/* 0: free */
};

struct mpp_table {
	struct mpp_slot *slots;
	unsigned long nr;
	unsigned long room;	/* half of the slots; then it grows */
	unsigned int shift;	/* of a hash, to the index of a slot */
};

struct mpp_records {
	struct mpp_table only;		/* of a call of usual length */
	struct mpp_table *tables;	/* of a long one */
	unsigned int table_bits;
	unsigned long orders;	/* that any entry has */
};

/*
 * The state of one call.  One allocation; the arrays behind it hold @cap entries of
 * the batch.
 */
struct mpp_call {
	struct mpp_args args;
	enum mpp_mode mode;
	bool drained;		/* machine-wide, which is worth doing once a call */
	unsigned int cap;

	/* The batch: @nr entries. */
	unsigned int nr;
	u64 *pages;		/* in: addresses; out: where the contents are now */
	int *nodes;		/* targets */
	int *status;
	u64 *scratch;		/* for the test that the answers can be written */
	u8 *outcome;
	u16 *item_of;
	unsigned int nr_items;
	struct mpp_item *items;
	struct mpp_item *last;	/* of a large folio that was queued, or named once more */
	u16 *hash;		/* items by PFN, open addressing */
	unsigned int hash_bits;
	bool retry;		/* an entry is worth another look */
	bool drained_here;	/* this CPU's batches, which is worth doing once a round */
	bool batched;		/* a page may be in those of another CPU */
	struct folio *awaited;	/* with a reference: to be waited for between rounds */
	unsigned long awaited_pfn;	/* of the one before, */
	unsigned int waits;		/* and how often in a row it was */

	/* Queued folios, and what is known while they migrate. */
	struct list_head queued;
	unsigned long queued_bytes;
	int nid;		/* the first one's target; then the one being served */
	bool several_targets;
	struct mpp_item *last_paired;
	struct xarray fragments;	/* pages of folios split on the way */
	bool unnoted;		/* and one of them is missing there */
	unsigned int full_order;	/* smallest order that found no room */
	bool full_hugetlb;		/* and whether that was a hugetlb folio */

	struct mpp_limit *limits;
	unsigned int nr_limits;
	bool limits_crowded;	/* one has had to make room for another */
	bool limits_final;	/* there was no memory for more */
	struct mpp_limit first_limits[MPP_LIMITS];
	struct mpp_alike alike;
	struct mpp_anon anons[MPP_ANONS];

	struct mpp_records record;
	bool blind;		/* something could not be recorded */

	unsigned long moved_pages;	/* in this batch */
};

/* call.c */
bool mpp_permitted(void);
struct mpp_call *mpp_call_alloc(const struct mpp_args *args);
void mpp_call_free(struct mpp_call *call);
long mpp_core_call(const struct mpp_args *args);

/* find.c */
enum mpp_outcome mpp_find(unsigned long pfn, struct folio **foliop);
enum mpp_outcome mpp_gate(struct folio *folio);
enum mpp_outcome __mpp_gate_unmapped(struct folio *folio, unsigned int flags);
enum mpp_outcome mpp_gate_unmapped(struct folio *folio, unsigned int flags);

/* check.c */
enum mpp_outcome mpp_check_target(int nid);
enum mpp_outcome mpp_check_folio(struct mpp_call *call, struct folio *folio, int nid);
enum mpp_outcome mpp_vma_allows(struct mpp_call *call, struct folio *folio,
				struct vm_area_struct *vma, unsigned long addr, int nid);
void mpp_forget_limits(struct mpp_call *call);
void mpp_free_limits(struct mpp_call *call);

/* anon.c */
bool mpp_anon_allows(struct mpp_call *call, struct folio *folio, int nid);
void mpp_anon_walked(struct mpp_call *call, struct folio *folio, int nid, unsigned int nr_vmas);
void mpp_forget_anons(struct mpp_call *call);

/* items.c */
void mpp_items_begin(struct mpp_call *call);
struct mpp_item *mpp_item_find(struct mpp_call *call, unsigned long pfn);
struct mpp_item *mpp_item_get(struct mpp_call *call, unsigned long pfn);

/* migrate.c */
enum mpp_outcome mpp_queue(struct mpp_call *call, struct mpp_item *item, struct folio *folio);
void mpp_migrate_queued(struct mpp_call *call);
enum mpp_outcome mpp_fate_otherwise(struct mpp_call *call, const struct mpp_item *item,
				    unsigned long pfn, unsigned long *new_pfn, int *at);
void mpp_items_account(struct mpp_call *call, bool remember);
struct folio *mpp_get_new_folio(struct folio *src, unsigned long private);
void mpp_put_new_folio(struct folio *dst, unsigned long private);

/**
 * mpp_fate - what became of one page
 * @call: the call, after mpp_migrate_queued()
 * @item: the item of the page's folio
 * @pfn: the page, by the name it had before
 * @new_pfn: receives where its contents are, only with MPP_MOVED
 * @at: receives the node that holds them, with an outcome without errno
 *
 * Nearly always the folio was queued and moved as a whole.
 *
 * Return: the outcome.
 */
static __always_inline enum mpp_outcome mpp_fate(struct mpp_call *call,
						 const struct mpp_item *item, unsigned long pfn,
						 unsigned long *new_pfn, int *at)
{
	if (unlikely(item->outcome != MPP_QUEUED || !item->paired))
		return mpp_fate_otherwise(call, item, pfn, new_pfn, at);
	*new_pfn = item->dst_pfn + (pfn - item->pfn);
	*at = item->at;
	return MPP_MOVED;
}

/* record.c */
int mpp_record_begin(struct mpp_call *call);
int mpp_record(struct mpp_call *call, unsigned long pfn, unsigned int order,
	       unsigned long new_pfn, int at);
int mpp_record_arrival(struct mpp_call *call, unsigned long pfn, unsigned int order, int at);
bool mpp_recall(struct mpp_call *call, unsigned long pfn, unsigned long *new_pfn, int *at);
void mpp_record_end(struct mpp_call *call);

/* stat.c */
int mpp_stat_init(void);
void mpp_stat_exit(void);
int mpp_outcome_errno(enum mpp_outcome outcome);
void mpp_stat_batch(struct mpp_call *call);
void mpp_stat_moved(struct mpp_call *call, int from, int to, unsigned long nr_pages);
extern const struct attribute_group mpp_stat_group;

#endif /* MPP_CORE_H */
