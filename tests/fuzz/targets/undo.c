// SPDX-License-Identifier: GPL-2.0-only
/* What `move --undo` reads. */
#include "input.h"

#include "fuzz.h"

void complain(const char *fmt, ...)
{
	FUZZ_CHECK(*fmt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct undo *undo = undo_open(fuzz_path(data, size));
	struct mpp_record record;
	size_t nr_lines = 1;
	int node, result;

	FUZZ_CHECK(undo);
	for (size_t i = 0; i < size; i++)
		nr_lines += data[i] == '\n';
	do {
		result = undo_read(undo, &record, &node);
		FUZZ_CHECK(result <= 1);
		if (result == 1) {
			fuzz_check_record(&record);
			FUZZ_CHECK(node >= 0 && node <= 65535);
		}
		/* Each answer is a line's. */
		FUZZ_CHECK(!result || nr_lines--);
	} while (result);
	undo_close(undo);
	return 0;
}
