/* SPDX-License-Identifier: GPL-2.0-only */
/* What mpp-holder writes into memory, and mpp-stamps finds in a device's file. */
#ifndef MPP_TEST_STAMP_H
#define MPP_TEST_STAMP_H

#include <stdint.h>

#define STAMP_BYTES	256u
#define STAMP_MAGIC	UINT64_C(0x504d415453505048)	/* "HPPSTAMP" */
#define STAMP_WORDS	29

struct stamp {
	uint64_t magic;
	uint64_t index;		/* among those of its holder */
	uint64_t address;	/* physical, at the time of writing */
	uint64_t filler[STAMP_WORDS];
};

_Static_assert(sizeof(struct stamp) == STAMP_BYTES, "a stamp fills its place");

static inline uint64_t stamp_filler(uint64_t index, unsigned int word)
{
	return (index + 1) * UINT64_C(0x9e3779b97f4a7c15) + word;
}

static inline int stamp_is_whole(const struct stamp *stamp)
{
	unsigned int word = 0;

	if (stamp->magic != STAMP_MAGIC)
		return 0;
	while (word < STAMP_WORDS && stamp->filler[word] == stamp_filler(stamp->index, word))
		word++;
	return word == STAMP_WORDS;
}

#endif /* MPP_TEST_STAMP_H */
