// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a physical address to a folio that may be a user's.
 *
 * The address comes from user space and may be stale by the time it gets here:
 * whatever it names is looked at without trust, and nothing is touched before a
 * reference that was not taken from a free page says that it may be.
 */
#include "mpp.h"

/* A reserved page is memory of the kernel's image, or not memory at all. */
static enum mpp_outcome mpp_reserved(unsigned long pfn)
{
	return page_is_ram(pfn) ? MPP_NOT_USER : MPP_ABSENT;
}

/*
 * A user's page that is not on the LRU: in a per-CPU batch on its way there, or
 * isolated by somebody else.  Only of a page without a type of its own does
 * ->mapping say anything, and even then a driver may have set it, as perf does for
 * its buffers: such a page passes for a user's that cannot be isolated.
 */
static bool mpp_off_lru_user(struct folio *folio)
{
	if (folio_test_slab(folio) || page_has_type(&folio->page) ||
	    page_has_movable_ops(&folio->page))
		return false;
	return READ_ONCE(folio->mapping) || folio_test_swapcache(folio);
}

/* Whether a folio can be a user's.  Asked without a reference it is a guess. */
static bool mpp_maybe_user(struct folio *folio)
{
	return folio_test_lru(folio) || folio_test_hugetlb(folio) || is_huge_zero_folio(folio) ||
	       mpp_off_lru_user(folio);
}

/**
 * mpp_find - find the folio that holds a page frame, and take a reference
 * @pfn: any page frame number, also of memory that does not exist
 * @foliop: receives the folio, only with MPP_PASSED
 *
 * Memory may go offline and its struct pages away at any time: the hotplug lock is
 * held by the caller, and from then on the reference keeps the memory block from going.
 *
 * Return: MPP_PASSED with a reference that the caller drops, or an outcome.
 */
enum mpp_outcome mpp_find(unsigned long pfn, struct folio **foliop)
{
	struct page *page = pfn_to_online_page(pfn);
	struct folio *folio;

	if (!page)
		return MPP_ABSENT;
	if (is_zero_pfn(pfn))
		return MPP_ZERO_PAGE;
	if (PageReserved(page))
		return mpp_reserved(pfn);
	/* Before a reference is taken: a poisoned page may be free. */
	if (PageHWPoison(page))
		return MPP_HWPOISON;

	folio = page_folio(page);
	/* The counts of kernel memory are not ours to touch; mpp_gate() asks again. */
	if (!mpp_maybe_user(folio))
		return MPP_NOT_USER;
	/*
	 * Never from zero: that would resurrect a page on its way to the allocator.  Who
	 * migrates, splits or collapses a folio holds it at zero for a moment, too.  Only in
	 * the pool of hugetlb one stays there.
	 */
	if (!folio_try_get(folio))
		return folio_test_hugetlb(folio) ? MPP_NOT_USER : MPP_RACED;
	/* Recheck: a split, or a free and reuse, may have come before the reference. */
	if (unlikely(page_folio(page) != folio)) {
		folio_put(folio);
		return MPP_RACED;
	}
	*foliop = folio;
	return MPP_PASSED;
}

/**
 * mpp_gate - tell whether a folio is of a kind that migration can move
 * @folio: with a reference
 *
 * Asked before anything else of the folio is read: slab, page tables and
 * drivers' pages use the fields of struct page for purposes of their own.
 *
 * Return: MPP_PASSED, MPP_NOT_ISOLATED for a user's page that is not on the LRU
 * now, or why it is none of the caller's business.
 */
enum mpp_outcome mpp_gate(struct folio *folio)
{
	if (is_huge_zero_folio(folio))
		return MPP_ZERO_PAGE;
	if (folio_contain_hwpoisoned_page(folio))
		return MPP_HWPOISON;
	if (folio_test_hugetlb(folio) || folio_test_lru(folio))
		return MPP_PASSED;
	return mpp_off_lru_user(folio) ? MPP_NOT_ISOLATED : MPP_NOT_USER;
}

/**
 * __mpp_gate_unmapped - tell whether a folio that nobody maps is wanted
 * @folio: past mpp_gate(), locked
 * @flags: of the call
 *
 * Return: MPP_PASSED when the folio is mapped, or is page or swap cache that
 * the caller wants too.
 */
enum mpp_outcome __mpp_gate_unmapped(struct folio *folio, unsigned int flags)
{
	if (folio_mapped(folio))
		return MPP_PASSED;
	/* Swap cache that nobody has mapped yet, and shmem's, has no mapping of its own. */
	if (!folio_test_swapcache(folio) && (folio_test_anon(folio) || !folio->mapping))
		return MPP_FREED;
	return flags & MPP_MF_UNMAPPED ? MPP_PASSED : MPP_UNMAPPED;
}

/**
 * mpp_gate_unmapped - as __mpp_gate_unmapped(), for a folio that is not locked
 * @folio: past mpp_gate()
 * @flags: of the call
 *
 * Who migrates or splits a folio, or brings it back from swap, holds its lock, and for
 * that time nobody maps it.
 *
 * Return: as __mpp_gate_unmapped(), or an outcome that a later try may change.
 */
enum mpp_outcome mpp_gate_unmapped(struct folio *folio, unsigned int flags)
{
	enum mpp_outcome outcome = __mpp_gate_unmapped(folio, flags);

	if (likely(outcome == MPP_PASSED))
		return outcome;
	/* A driver's, perhaps: its lock is not ours to take. */
	if (!folio_test_lru(folio) && !folio_test_hugetlb(folio) && !folio_test_swapbacked(folio)) {
		if (folio_test_locked(folio))
			return MPP_RACED;
		/* Who has unlocked it has mapped it before. */
		smp_rmb();
		return __mpp_gate_unmapped(folio, flags);
	}
	if (!folio_trylock(folio))
		return MPP_LOCKED;
	outcome = __mpp_gate_unmapped(folio, flags);
	folio_unlock(folio);
	return outcome;
}
