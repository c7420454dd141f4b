// SPDX-License-Identifier: GPL-2.0-only
/* The text of `perf script`. */
#include <string.h>

#include "perf.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mpp_source *src;
	struct mpp_record record;
	struct fuzz_read one, many;
	const char *why = NULL;
	char *text = malloc(size);
	int result;

	if (!text && size)
		abort();
	if (size)
		memcpy(text, data, size);
	result = mpp_perf_script_parse(text, size, 0, &why, &record);
	FUZZ_CHECK(result == 0 || result == 1 || (result < 0 && why && *why));
	if (!result)
		fuzz_check_record(&record);
	free(text);

	FUZZ_CHECK(!mpp_perf_script_open_fd(fuzz_fd(data, size), "input", &src));
	one = fuzz_read_all(src, 1, SIZE_MAX);
	FUZZ_CHECK(!mpp_perf_script_open_fd(fuzz_fd(data, size), "input", &src));
	many = fuzz_read_all(src, 64, SIZE_MAX);
	FUZZ_CHECK(one.sum == many.sum && one.nr_records == many.nr_records);
	return 0;
}
