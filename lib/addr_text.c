// SPDX-License-Identifier: LGPL-2.1-or-later
/* One physical address, or range of them, from text. */
#include <errno.h>
#include <stdbool.h>

#include "internal.h"

struct cursor {
	const char *at;
	const char *end;
};

static const char why_overflow[] = "the number does not fit 64 bits";
static const char why_beyond[] = "the range ends beyond 64 bits";

/* The value of a digit, plus one; 0 for what is none.  Looked up, as lists are long. */
static const unsigned char digit_values[256] = {
	['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	['A'] = 11, 12, 13, 14, 15, 16,
	['a'] = 11, 12, 13, 14, 15, 16,
};

/* 16 and above: not a digit in any base. */
static unsigned int digit_value(char c)
{
	return digit_values[(unsigned char)c] - 1u;
}

static bool take_0x(struct cursor *cur)
{
	if (cur->end - cur->at < 2 || cur->at[0] != '0' || (cur->at[1] | 0x20) != 'x')
		return false;
	cur->at += 2;
	return true;
}

/* Both return NULL and the digits' value, or what is wrong. */
static const char *take_hex(struct cursor *cur, uint64_t *value)
{
	const char *at = cur->at, *end = cur->end;
	uint64_t sum = 0;

	for (; at < end && digit_value(*at) < 16; at++) {
		if (sum >> 60)
			return why_overflow;
		sum = sum << 4 | digit_value(*at);
	}
	if (at == cur->at)
		return "no hexadecimal digits after 0x";
	cur->at = at;
	*value = sum;
	return NULL;
}

static const char *take_decimal(struct cursor *cur, uint64_t *value)
{
	const char *at = cur->at, *end = cur->end;
	uint64_t sum = 0;

	for (; at < end && digit_value(*at) < 10; at++)
		if (__builtin_mul_overflow(sum, UINT64_C(10), &sum) ||
		    __builtin_add_overflow(sum, digit_value(*at), &sum))
			return why_overflow;
	if (at == cur->at)
		return "not a number";
	cur->at = at;
	*value = sum;
	return NULL;
}

/* An address, or in frame mode a frame number; in bytes or frames as written. */
static const char *take_address(struct cursor *cur, unsigned int flags, uint64_t *value)
{
	if (take_0x(cur))
		return take_hex(cur, value);
	if (cur->at == cur->end || digit_value(*cur->at) >= 10)
		return "not an address: 0xADDR, 0xSTART-0xEND or 0xSTART+SIZE is wanted";
	if (!(flags & MPP_TEXT_PFN))
		return "a bare number: a byte address starts with 0x, "
		       "and frame numbers are taken with --pfn";
	return take_decimal(cur, value);
}

static const char *take_size(struct cursor *cur, unsigned int flags, uint64_t *value)
{
	static const char units[] = "kMGT";
	const char *why;

	if (take_0x(cur))
		return take_hex(cur, value);
	why = take_decimal(cur, value);
	if (why)
		return why;
	if (flags & MPP_TEXT_PFN)
		return NULL;
	for (unsigned int i = 0; units[i]; i++) {
		uint64_t factor = UINT64_C(1) << (10 * (i + 1));

		if (cur->at == cur->end || (*cur->at | 0x20) != (units[i] | 0x20))
			continue;
		cur->at++;
		if (__builtin_mul_overflow(*value, factor, value))
			return why_overflow;
		break;
	}
	return NULL;
}

/* Turns what was written into bytes; a bare address names one byte of its page. */
static const char *to_bytes(unsigned int flags, bool is_range, uint64_t *start, uint64_t *size)
{
	if (flags & MPP_TEXT_PFN) {
		const unsigned int shift = mpp_page_shift();

		if (*start > UINT64_MAX >> shift)
			return "the frame number is beyond the last frame";
		*start <<= shift;
		if (is_range && *size > UINT64_MAX >> shift)
			return why_beyond;
		*size <<= shift;
	}
	if (!is_range)
		*size = 1;
	if (!*size)
		return "an empty range";
	if (*size - 1 > UINT64_MAX - *start)
		return why_beyond;
	return NULL;
}

static const char *parse(struct cursor *cur, unsigned int flags, uint64_t *start, uint64_t *size)
{
	bool is_range = false;
	uint64_t end;
	const char *why = take_address(cur, flags, start);

	*size = 0;
	if (why)
		return why;
	if (cur->at < cur->end && *cur->at == '-') {
		cur->at++;
		is_range = true;
		why = take_address(cur, flags, &end);
		if (why)
			return why;
		if (end <= *start)
			return "the range ends before it starts (END is the first byte after it)";
		*size = end - *start;
	} else if (cur->at < cur->end && *cur->at == '+') {
		cur->at++;
		is_range = true;
		why = take_size(cur, flags, size);
		if (why)
			return why;
	}
	if (cur->at != cur->end)
		return "unexpected text after the address (one address or range per line)";
	return to_bytes(flags, is_range, start, size);
}

int mpp_address_parse(const char *text, size_t len, unsigned int flags, const char **why,
		      struct mpp_record *record)
{
	struct cursor cur = { .at = text, .end = text + len };
	uint64_t start, size;
	const char *wrong;

	while (cur.at < cur.end && mpp_is_blank(*cur.at))
		cur.at++;
	while (cur.at < cur.end && mpp_is_blank(cur.end[-1]))
		cur.end--;
	wrong = parse(&cur, flags, &start, &size);
	if (wrong) {
		if (why)
			*why = wrong;
		return -EBADMSG;
	}
	*record = (struct mpp_record) {
		.addr = start,
		.size_bytes = size,
		.weight = 1,
		.source = MPP_SOURCE_TEXT,
	};
	return 0;
}
