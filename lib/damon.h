/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A monitor in /sys/kernel/mm/damon/admin: finding one, or setting one up. */
#ifndef MOVEPHYS_DAMON_H
#define MOVEPHYS_DAMON_H

#include <limits.h>

#include "internal.h"

struct damon_dir {
	char kdamonds[PATH_MAX / 2];	/* .../admin/kdamonds */
	unsigned int kdamond;
	unsigned int scheme;
	unsigned int max_accesses;
	uint64_t addr_unit;		/* what sysfs counts addresses in, in bytes */
	uint64_t aggregate_ns;
};

/* Reads and writes below the kdamond's folder. */
int damon_read(const struct damon_dir *dir, const char *name, uint64_t *value)
	__attribute__((nonnull));
int damon_read_text(const struct damon_dir *dir, const char *name, size_t max_bytes, char *text);
/* Tries again for a while when somebody else is writing: -EBUSY only then. */
int damon_write_text(const struct damon_dir *dir, const char *name, const char *text);
bool damon_runs(const struct damon_dir *dir);

/* Finds the running kdamond that @options name; errors as of mpp_damon_open(). */
int damon_find(const struct mpp_roots *roots, const struct mpp_damon_options *options,
	       struct damon_dir *dir);
/* Makes and starts one; when that fails nothing is left of it. */
int damon_start(const struct mpp_roots *roots, const struct mpp_damon_options *options,
		struct damon_dir *dir);
void damon_stop(const struct damon_dir *dir);

int mpp_damon_open_at(const struct mpp_roots *roots, const struct mpp_damon_options *options,
		      struct mpp_source **src);

#endif /* MOVEPHYS_DAMON_H */
