// SPDX-License-Identifier: GPL-2.0-only
/* A stream of lines: however it is cut up for reading, the same comes out. */
#include <movephys.h>

#include "fuzz.h"

static struct fuzz_read read_by(struct fuzz_input in, unsigned int flags, size_t nr_max)
{
	struct mpp_source *src;

	FUZZ_CHECK(!mpp_text_open_fd(fuzz_fd(in.at, in.left), "input", flags, &src));
	return fuzz_read_all(src, nr_max, SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned int flags = fuzz_byte(&in) & 1 ? MPP_TEXT_PFN : 0;
	struct fuzz_read one = read_by(in, flags, 1), many = read_by(in, flags, 64);

	FUZZ_CHECK(one.nr_records == many.nr_records && one.nr_bad == many.nr_bad);
	FUZZ_CHECK(one.sum == many.sum);
	return 0;
}
