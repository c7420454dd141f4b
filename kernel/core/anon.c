// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ask about the folios of an anon_vma all at once.
 *
 * The walk over a folio's mappings costs more than all other checks, and a batch
 * often names many folios that the same processes may map.  So when a second folio
 * of an anon_vma comes along, every VMA that hangs on the anon_vma is asked,
 * whichever folio it may map.  If all of them allow the move to a node, none of the
 * folios needs a walk for that node any more.  A refusal decides nothing: then each
 * folio is walked, since only a VMA that really maps it may refuse.
 *
 * An answer holds for a batch, as that of a process does, and what is changed or
 * mapped meanwhile may be missed.  The reference keeps the anon_vma's address its
 * own for as long.  Locks are those of check.c: anon_vma->root->rwsem is taken for
 * reading under the folio lock.
 */
#include "mpp.h"

/* Asking all may cost as much as a few walks, of the length that one was seen to have. */
#define MPP_ANON_WALKS	16
#define MPP_ANON_VMAS	64

/* struct mpp_anon, said */
enum {
	MPP_ANON_UNASKED,
	MPP_ANON_YES,		/* all of them allow it; there is a reference to the anon_vma */
	MPP_ANON_MIXED,		/* not all of them do */
};

static struct mpp_anon *mpp_anon_slot(struct mpp_call *call, struct folio *folio, int nid)
{
	return &call->anons[hash_long((unsigned long)folio->mapping + nid, ilog2(MPP_ANONS))];
}

/* Only what every VMA answers in the same way for all of its pages. */
static bool mpp_anon_fits(struct folio *folio)
{
	return folio_test_anon(folio) && !folio_test_ksm(folio) && !folio_test_hugetlb(folio);
}

/* What folio->mapping of an anonymous folio that is not KSM's holds, without the flag. */
static struct anon_vma *mpp_anon_vma(const struct mpp_anon *known)
{
	return known->mapping - FOLIO_MAPPING_ANON;
}

static void mpp_anon_drop(struct mpp_anon *known)
{
	if (known->said == MPP_ANON_YES)
		put_anon_vma(mpp_anon_vma(known));
	*known = (struct mpp_anon) {};
}

/* Every VMA of the folio's anon_vma says yes: true, with a reference to the anon_vma. */
static bool mpp_anon_ask(struct mpp_call *call, struct folio *folio, int nid, unsigned int limit)
{
	struct anon_vma *anon_vma = folio_lock_anon_vma_read(folio, NULL);
	struct anon_vma_chain *avc;
	bool all = true;

	if (!anon_vma)
		return false;
	call->alike.mapping = NULL;
	anon_rmap_tree_foreach(avc, anon_vma, 0, ULONG_MAX) {
		struct vm_area_struct *vma = avc->vma;

		/* A policy behind a hook may differ from page to page. */
		all = limit-- && !(vma->vm_ops && vma->vm_ops->get_policy) &&
		      mpp_vma_allows(call, folio, vma, vma->vm_start, nid) == MPP_PASSED;
		if (!all)
			break;
		cond_resched();
	}
	if (all)
		get_anon_vma(anon_vma);
	anon_vma_unlock_read(anon_vma);
	return all;
}

/**
 * mpp_anon_allows - whether all who may map an anonymous folio let it move
 * @call: the call
 * @folio: locked and mapped
 * @nid: the target
 *
 * Return: true when they do.  False says nothing: ask each mapping, and tell
 * mpp_anon_walked() when they allow it.
 */
bool mpp_anon_allows(struct mpp_call *call, struct folio *folio, int nid)
{
	struct mpp_anon *known = mpp_anon_slot(call, folio, nid);

	/* Only what fits has come here before. */
	if (known->mapping != folio->mapping || known->nid != nid)
		return false;
	if (known->said == MPP_ANON_YES)
		return true;
	if (known->said == MPP_ANON_MIXED || !mpp_anon_fits(folio))
		return false;
	known->said = mpp_anon_ask(call, folio, nid,
				   known->nr_vmas * MPP_ANON_WALKS + MPP_ANON_VMAS) ?
		      MPP_ANON_YES : MPP_ANON_MIXED;
	return known->said == MPP_ANON_YES;
}

/**
 * mpp_anon_walked - a walk found that a folio may move
 * @call: the call
 * @folio: locked
 * @nid: the target
 * @nr_vmas: how many it met
 *
 * Nothing is pinned for a folio that may be the only one of its kind: until the
 * reference is taken, the address is a hint that costs a walk too many at worst.
 */
void mpp_anon_walked(struct mpp_call *call, struct folio *folio, int nid, unsigned int nr_vmas)
{
	struct mpp_anon *known = mpp_anon_slot(call, folio, nid);

	if (!mpp_anon_fits(folio) || (known->mapping == folio->mapping && known->nid == nid))
		return;
	mpp_anon_drop(known);
	known->mapping = folio->mapping;
	known->nid = nid;
	known->nr_vmas = min_t(unsigned int, nr_vmas, U16_MAX);
}

/**
 * mpp_forget_anons - end a batch: the next one asks anew
 * @call: the call, with no folio locked
 */
void mpp_forget_anons(struct mpp_call *call)
{
	unsigned int i;

	for (i = 0; i < MPP_ANONS; i++)
		if (call->anons[i].mapping)
			mpp_anon_drop(&call->anons[i]);
}
