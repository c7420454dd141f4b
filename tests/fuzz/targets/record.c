// SPDX-License-Identifier: GPL-2.0-only
/* One line of movephys-records(5), both ways. */
#include <string.h>

#include <movephys.h>

#include "fuzz.h"

static void check_round_trip(const struct mpp_record *record)
{
	char text[MPP_RECORD_TEXT_MAX];
	size_t len = mpp_record_format(record, text);
	struct mpp_record back, again;

	FUZZ_CHECK(len < sizeof(text) && len == strlen(text) && text[len - 1] == '\n');
	FUZZ_CHECK(!mpp_record_parse(text, len - 1, 0, NULL, &back));
	fuzz_check_record(&back);
	FUZZ_CHECK(back.addr == record->addr && back.size_bytes == record->size_bytes);
	FUZZ_CHECK(back.time_ns == record->time_ns);
	/* Nine digits of the weight are kept, and then stay. */
	FUZZ_CHECK(back.weight >= record->weight * (1 - 1e-8) &&
		   back.weight <= record->weight * (1 + 1e-8));
	len = mpp_record_format(&back, text);
	FUZZ_CHECK(!mpp_record_parse(text, len - 1, 0, NULL, &again) && again.weight == back.weight);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned int flags = fuzz_byte(&in) & 1 ? MPP_TEXT_PFN : 0;
	struct mpp_record record, alone;
	const char *why = NULL;
	char *text = malloc(in.left);

	if (!text && in.left)
		abort();
	if (in.left)
		memcpy(text, in.at, in.left);
	if (!mpp_address_parse(text, in.left, flags, &why, &alone)) {
		fuzz_check_record(&alone);
		FUZZ_CHECK(!mpp_record_parse(text, in.left, flags, &why, &record));
		FUZZ_CHECK(record.addr == alone.addr && record.weight == 1);
	} else {
		FUZZ_CHECK(why && *why);
	}
	why = NULL;
	if (!mpp_record_parse(text, in.left, flags, &why, &record)) {
		fuzz_check_record(&record);
		check_round_trip(&record);
	} else {
		FUZZ_CHECK(why && *why);
	}
	free(text);
	return 0;
}
