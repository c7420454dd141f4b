// SPDX-License-Identifier: GPL-2.0-only
/* The firmware's table of CXL windows. */
#include <string.h>

#include "cxl_cedt.h"

#include "fuzz.h"

/* Else nearly every input would end at the check of length and sum. */
static void make_sound(unsigned char *table, size_t len)
{
	const uint32_t len_bytes = (uint32_t)len;
	unsigned char sum = 0;

	memcpy(table, "CEDT", 4);
	memcpy(table + 4, &len_bytes, 4);
	table[9] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (unsigned char)(sum + table[i]);
	table[9] = (unsigned char)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t how = fuzz_byte(&in);
	unsigned char *table = malloc(in.left);
	struct cxl_window window;
	const char *why;

	if (!table && in.left)
		abort();
	if (in.left)
		memcpy(table, in.at, in.left);
	if (!(how & 1) && in.left >= 36)
		make_sound(table, in.left);
	for (uint64_t hpa = 0; hpa < UINT64_C(1) << 36; hpa += UINT64_C(1) << 32) {
		why = NULL;
		if (cxl_cedt_window(table, in.left, hpa, &window, &why)) {
			FUZZ_CHECK(why && *why);
			continue;
		}
		FUZZ_CHECK(window.ways >= 1 && window.ways <= CXL_WAYS_MAX);
		FUZZ_CHECK(window.granularity >= CXL_GRANULARITY_MIN &&
			   window.granularity <= CXL_GRANULARITY_MAX);
		FUZZ_CHECK(window.nr_xor <= CXL_XOR_MAPS_MAX);
		cxl_xor_apply(&window, hpa + 12345);
	}
	free(table);
	return 0;
}
