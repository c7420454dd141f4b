// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who moved what, and why a page did not move: counters and a tracepoint.
 */
#include "mpp.h"

#define CREATE_TRACE_POINTS
#include "mpp_trace.h"

static_assert(MPP_NR_OUTCOMES <= BITS_PER_LONG);
static_assert(MPP_BATCH_ENTRIES <= U16_MAX);

static const char * const mpp_outcome_names[] = {
#define MPP_OUTCOME_NAME(id, name, err)		\
	[MPP_##id] = name,
	MPP_OUTCOMES(MPP_OUTCOME_NAME)
#undef MPP_OUTCOME_NAME
};

static const int mpp_outcome_errnos[] = {
#define MPP_OUTCOME_ERRNO(id, name, err)	\
	[MPP_##id] = err,
	MPP_OUTCOMES(MPP_OUTCOME_ERRNO)
#undef MPP_OUTCOME_ERRNO
};

static atomic64_t mpp_outcomes[MPP_NR_MODES][MPP_NR_OUTCOMES];

/* Pages moved, [from * nr_node_ids + to]. */
static atomic64_t *mpp_node_pairs;

/**
 * mpp_outcome_errno - the errno that stands for an outcome in a status
 * @outcome: below MPP_NR_OUTCOMES
 *
 * Return: the positive errno, 0 when the status is a node.
 */
int mpp_outcome_errno(enum mpp_outcome outcome)
{
	return mpp_outcome_errnos[outcome];
}

/**
 * mpp_stat_moved - count what moved between two nodes
 * @call: the call
 * @from: node it came from
 * @to: node it is on
 * @nr_pages: in base pages
 */
void mpp_stat_moved(struct mpp_call *call, int from, int to, unsigned long nr_pages)
{
	call->moved_pages += nr_pages;
	atomic64_add(nr_pages, &mpp_node_pairs[from * nr_node_ids + to]);
}

/**
 * mpp_stat_batch - count the outcomes of a batch and trace it
 * @call: the call, each of its entries decided
 */
void mpp_stat_batch(struct mpp_call *call)
{
	u16 tally[MPP_NR_OUTCOMES] = {};
	unsigned int failed = 0;
	unsigned long seen = 0;
	unsigned int i;

	for (i = 0; i < call->nr; i++) {
		tally[call->outcome[i]]++;
		seen |= BIT(call->outcome[i]);
	}
	for_each_set_bit(i, &seen, MPP_NR_OUTCOMES) {
		if (mpp_outcome_errnos[i])
			failed += tally[i];
		atomic64_add(tally[i], &mpp_outcomes[call->mode][i]);
	}
	trace_mpp_batch(call->mode, call->args.flags, call->nr, failed, call->moved_pages);
	call->moved_pages = 0;
}

static ssize_t mpp_show_outcomes(char *buf, enum mpp_mode mode)
{
	int len = 0;
	int i;

	for (i = 0; i < MPP_NR_OUTCOMES; i++)
		len += sysfs_emit_at(buf, len, "%s %lld\n", mpp_outcome_names[i],
				     (long long)atomic64_read(&mpp_outcomes[mode][i]));
	return len;
}

static ssize_t outcome_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return mpp_show_outcomes(buf, MPP_MODE_MOVE);
}

static ssize_t outcome_dry_run_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return mpp_show_outcomes(buf, MPP_MODE_DRY_RUN);
}

static ssize_t outcome_query_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return mpp_show_outcomes(buf, MPP_MODE_QUERY);
}

static ssize_t node_pairs_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	unsigned int from, to;
	int len = 0, more;

	for (from = 0; from < nr_node_ids; from++) {
		for (to = 0; to < nr_node_ids; to++) {
			s64 pages = atomic64_read(&mpp_node_pairs[from * nr_node_ids + to]);

			if (!pages)
				continue;
			more = snprintf(NULL, 0, "%u %u %lld\n", from, to, (long long)pages);
			/* A file of sysfs is a page; that there is more is said, not hidden. */
			if (len + more + strlen("...\n") >= PAGE_SIZE)
				return len + sysfs_emit_at(buf, len, "...\n");
			len += sysfs_emit_at(buf, len, "%u %u %lld\n", from, to,
					     (long long)pages);
		}
	}
	return len;
}

/* Root only: counts of what moved where tell about other people's memory. */
static struct kobj_attribute mpp_outcome_attr = __ATTR(outcome, 0400, outcome_show, NULL);
static struct kobj_attribute mpp_dry_run_attr =
	__ATTR(outcome_dry_run, 0400, outcome_dry_run_show, NULL);
static struct kobj_attribute mpp_query_attr =
	__ATTR(outcome_query, 0400, outcome_query_show, NULL);
static struct kobj_attribute mpp_node_pairs_attr =
	__ATTR(node_pairs, 0400, node_pairs_show, NULL);

static struct attribute *mpp_stat_attrs[] = {
	&mpp_outcome_attr.attr,
	&mpp_dry_run_attr.attr,
	&mpp_query_attr.attr,
	&mpp_node_pairs_attr.attr,
	NULL
};

/* In /sys, where the way in to the core shows it. */
const struct attribute_group mpp_stat_group = {
	.attrs = mpp_stat_attrs,
};

/**
 * mpp_stat_init - before the first call
 *
 * Return: 0 or -ENOMEM.
 */
int mpp_stat_init(void)
{
	mpp_node_pairs = kvcalloc(nr_node_ids * nr_node_ids, sizeof(*mpp_node_pairs), GFP_KERNEL);
	return mpp_node_pairs ? 0 : -ENOMEM;
}

/**
 * mpp_stat_exit - after the last call
 */
void mpp_stat_exit(void)
{
	kvfree(mpp_node_pairs);
}
