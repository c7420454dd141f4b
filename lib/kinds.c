// SPDX-License-Identifier: LGPL-2.1-or-later
/* The kinds of pages that are named one by one. */
#include <errno.h>
#include <stdlib.h>

#include "kpage.h"

#define BATCH_FRAMES	512

struct mpp_kinds {
	struct mpp_kpage kpage;
	unsigned int page_shift;
	uint64_t flags[BATCH_FRAMES];
};

int mpp_kinds_open_at(const struct mpp_roots *roots, struct mpp_kinds **kinds)
{
	struct mpp_kinds *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	mpp_kpage_init(&new->kpage);
	new->page_shift = mpp_page_shift();
	err = mpp_kpage_open(&new->kpage, roots->proc, MPP_KPAGE_FLAGS);
	if (err) {
		free(new);
		return err;
	}
	*kinds = new;
	return 0;
}

int mpp_kinds_open(struct mpp_kinds **kinds)
{
	return mpp_kinds_open_at(&mpp_default_roots, kinds);
}

struct mpp_kinds *mpp_kinds_free(struct mpp_kinds *kinds)
{
	if (kinds) {
		mpp_kpage_close(&kinds->kpage);
		free(kinds);
	}
	return NULL;
}

int mpp_kinds_read(struct mpp_kinds *kinds, size_t nr_pages, const uint64_t *pages,
		   unsigned char *kind)
{
	size_t done = 0;

	while (done < nr_pages) {
		uint64_t pfn = pages[done] >> kinds->page_shift;
		size_t nr = 1;
		int err;

		while (nr < BATCH_FRAMES && done + nr < nr_pages &&
		       pages[done + nr] >> kinds->page_shift == pfn + nr)
			nr++;
		err = mpp_kpage_read(&kinds->kpage, MPP_KPAGE_FLAGS, pfn, nr, kinds->flags);
		if (err)
			return err;
		for (size_t i = 0; i < nr; i++)
			kind[done + i] = (unsigned char)mpp_kind_of(kinds->flags[i]);
		done += nr;
	}
	return 0;
}
