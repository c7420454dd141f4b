/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzz targets share: a target is one file with LLVMFuzzerTestOneInput(). */
#ifndef MOVEPHYS_FUZZ_H
#define MOVEPHYS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for any input. */
#define FUZZ_CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

/* The next byte of the input; 0 when there is none left. */
static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

/*
 * The next part as a string: what is left up to a line "--", which is taken too.  In
 * memory of its own, of the exact size, so that reading behind it is seen.
 */
char *fuzz_part(struct fuzz_input *in, size_t *len);

/* A descriptor from which the bytes can be read; the same one each time. */
int fuzz_fd(const void *data, size_t len);
/* Its path, for what wants one. */
const char *fuzz_path(const void *data, size_t len);

struct mpp_record;
struct mpp_source;

/* FUZZ_CHECKs of what each record of a source must be. */
void fuzz_check_record(const struct mpp_record *record);

struct fuzz_read {
	uint64_t nr_records, nr_bad, sum;
};

/*
 * Reads a source to its end, @nr_max records at a time and at most @nr_reads times, and
 * gives it up.  The sum is of all records and of the bad ones' texts, in order.
 */
struct fuzz_read fuzz_read_all(struct mpp_source *src, size_t nr_max, size_t nr_reads);

#endif /* MOVEPHYS_FUZZ_H */
