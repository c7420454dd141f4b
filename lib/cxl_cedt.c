// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The CXL Early Discovery Table: CXL fixed memory windows (CFMWS) and the XOR
 * maps (CXIMS) that some of them use.  CXL 3.1, 9.18.1; little endian.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "cxl_cedt.h"

#define HEADER_BYTES	36
#define TYPE_CFMWS	1
#define TYPE_CXIMS	2
#define CFMWS_BYTES	36	/* without its targets */
#define CXIMS_BYTES	8	/* without its maps */
#define BY_MODULO	0
#define BY_XOR		1

struct cursor {
	const unsigned char *at, *end;
};

static uint64_t get(const unsigned char *at, size_t nr_bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, nr_bytes);
	return le64toh(value);
}

static const char *check_table(const unsigned char *table, size_t len_bytes)
{
	unsigned char sum = 0;
	uint64_t len;

	if (len_bytes < HEADER_BYTES || memcmp(table, "CEDT", 4))
		return "not a CEDT";
	len = get(table + 4, 4);
	if (len < HEADER_BYTES || len > len_bytes)
		return "the CEDT is cut off";
	for (uint64_t i = 0; i < len; i++)
		sum = (unsigned char)(sum + table[i]);
	return sum ? "the CEDT's checksum is wrong" : NULL;
}

/* The next structure of a type: its length; 0 at the end; -EBADMSG for a broken one. */
static int next_structure(struct cursor *cur, unsigned char type, size_t least_bytes,
			  const unsigned char **structure)
{
	while (cur->end - cur->at >= 4) {
		const unsigned char *at = cur->at;
		size_t len = get(at + 2, 2);

		if (len < 4 || len > (size_t)(cur->end - at))
			return -EBADMSG;
		cur->at += len;
		if (*at != type)
			continue;
		if (len < least_bytes)
			return -EBADMSG;
		*structure = at;
		return (int)len;
	}
	return 0;
}

/* 1, 2, 4, 8, 16 and 3, 6, 12 as the specification encodes them; 0 for what is none. */
static unsigned int decode_ways(unsigned int encoded)
{
	if (encoded <= 4)
		return 1u << encoded;
	return encoded >= 8 && encoded <= 10 ? 3u << (encoded - 8) : 0;
}

static unsigned int decode_granularity(uint64_t encoded)
{
	return encoded <= 6 ? CXL_GRANULARITY_MIN << encoded : 0;
}

/* The maps that go with a window: those for its granularity, as many as it has use for. */
static int find_xor_maps(struct cursor cur, struct cxl_window *window, const char **why)
{
	unsigned int bridges = window->ways % 3 ? window->ways : window->ways / 3;
	unsigned int nr = (unsigned int)__builtin_ctz(bridges);
	const unsigned char *cxims;
	int len;

	if (!nr)
		return 0;
	while ((len = next_structure(&cur, TYPE_CXIMS, CXIMS_BYTES, &cxims)) > 0) {
		if (decode_granularity(cxims[6]) != window->granularity)
			continue;
		if (cxims[7] < nr || CXIMS_BYTES + 8 * (size_t)cxims[7] > (size_t)len) {
			*why = "a CXIMS of the CEDT has too few XOR maps";
			return -EBADMSG;
		}
		for (unsigned int i = 0; i < nr; i++)
			window->xor_map[i] = get(cxims + CXIMS_BYTES + 8 * i, 8);
		window->nr_xor = nr;
		return 0;
	}
	*why = "the CEDT has no XOR maps (CXIMS) for the window";
	return -EBADMSG;
}

static int take_window(const unsigned char *cfmws, size_t len, struct cursor all,
		       struct cxl_window *window, const char **why)
{
	struct cxl_window found = {
		.ways = decode_ways(cfmws[24]),
		.granularity = decode_granularity(get(cfmws + 28, 4)),
	};
	int err = 0;

	if (!found.ways || !found.granularity) {
		*why = "a window of the CEDT has ways or a granularity that are not known";
		return -ENOTSUP;
	}
	if (CFMWS_BYTES + 4 * (size_t)found.ways > len) {
		*why = "a window of the CEDT lacks targets";
		return -EBADMSG;
	}
	if (cfmws[25] == BY_XOR) {
		err = find_xor_maps(all, &found, why);
	} else if (cfmws[25] != BY_MODULO) {
		*why = "a window of the CEDT has an interleave arithmetic that is not known";
		err = -ENOTSUP;
	}
	if (!err)
		*window = found;
	return err;
}

int cxl_cedt_window(const void *table, size_t len_bytes, uint64_t hpa,
		    struct cxl_window *window, const char **why)
{
	const unsigned char *bytes = table, *cfmws;
	struct cursor all, cur;
	int len;

	*why = check_table(bytes, len_bytes);
	if (*why)
		return -EBADMSG;
	all.at = bytes + HEADER_BYTES;
	all.end = bytes + get(bytes + 4, 4);
	cur = all;
	while ((len = next_structure(&cur, TYPE_CFMWS, CFMWS_BYTES, &cfmws)) > 0) {
		uint64_t start = get(cfmws + 8, 8);

		if (hpa >= start && hpa - start < get(cfmws + 16, 8))
			return take_window(cfmws, (size_t)len, all, window, why);
	}
	*why = len ? "a structure of the CEDT is broken" : "the CEDT has no window there";
	return len ? -EBADMSG : -ENXIO;
}
