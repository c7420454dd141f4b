// SPDX-License-Identifier: GPL-2.0-only
/* One address or range from text. */
#include <errno.h>
#include <movephys.h>

#include "tap.h"

static const struct {
	const char *text;
	unsigned int flags;
	uint64_t addr, size;
} good[] = {
	{ "0x0", 0, 0, 1 },
	{ "0x13f400123", 0, 0x13f400123, 1 },
	{ "0XAbCdEf", 0, 0xabcdef, 1 },
	{ " \t0x1000\r", 0, 0x1000, 1 },
	{ "0xffffffffffffffff", 0, UINT64_MAX, 1 },
	{ "0x00000000000000000001", 0, 1, 1 },
	{ "0x1000-0x3000", 0, 0x1000, 0x2000 },
	{ "0x1000-0x1001", 0, 0x1000, 1 },
	{ "0x1000+4096", 0, 0x1000, 4096 },
	{ "0x1000+0x10", 0, 0x1000, 16 },
	{ "0x1000+2M", 0, 0x1000, 2 << 20 },
	{ "0x1000+3k", 0, 0x1000, 3072 },
	{ "0x1000+1K", 0, 0x1000, 1024 },
	{ "0x1000+1g", 0, 0x1000, 1 << 30 },
	{ "0x0+2T", 0, 0, UINT64_C(2) << 40 },
	{ "0xfffffffffffff000+4096", 0, 0xfffffffffffff000, 4096 },
	{ "5", MPP_TEXT_PFN, 5 * 4096, 1 },
	{ "0x10", MPP_TEXT_PFN, 16 * 4096, 1 },
	{ "5-7", MPP_TEXT_PFN, 5 * 4096, 2 * 4096 },
	{ "5+512", MPP_TEXT_PFN, 5 * 4096, 512 * 4096 },
	{ "1+0xfffffffffffff", MPP_TEXT_PFN, 4096, 0xfffffffffffff000 },
	{ "0xfffffffffffff", MPP_TEXT_PFN, 0xfffffffffffff000, 1 },
};

static void accepts(void)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct mpp_record record = { .addr = 42 };
		const char *why = "";
		int err = mpp_address_parse(good[i].text, strlen(good[i].text), good[i].flags,
					    &why, &record);

		if (err)
			tap_fail(__FILE__, __LINE__, "\"%s\": %s", good[i].text, why);
		CHECK_INT(record.addr, good[i].addr);
		CHECK_INT(record.size_bytes, good[i].size);
		CHECK_INT(record.source, MPP_SOURCE_TEXT);
		CHECK(record.weight == 1);
	}
}

static const struct {
	const char *text;
	unsigned int flags;
	const char *why;
} bad[] = {
	{ "", 0, "not an address" },
	{ "   ", 0, "not an address" },
	{ "hello", 0, "not an address" },
	{ "-0x1000", 0, "not an address" },
	{ "+0x1000", 0, "not an address" },
	{ "123", 0, "bare number" },
	{ "1000", 0, "bare number" },
	{ "0x", 0, "no hexadecimal digits" },
	{ "0xg", 0, "no hexadecimal digits" },
	{ "0x12zz", 0, "unexpected text" },
	{ "0x1000 0x2000", 0, "unexpected text" },
	{ "0x1000,0x2000", 0, "unexpected text" },
	{ "0x10000000000000000", 0, "64 bits" },
	{ "0x1000-", 0, "not an address" },
	{ "0x1000-2000", 0, "bare number" },
	{ "0x1000-0x1000", 0, "before it starts" },
	{ "0x2000-0x1000", 0, "before it starts" },
	{ "0x1000-0x2000-0x3000", 0, "unexpected text" },
	{ "0x1000+", 0, "not a number" },
	{ "0x1000+0", 0, "empty" },
	{ "0x1000+1X", 0, "unexpected text" },
	{ "0x1000+1MB", 0, "unexpected text" },
	{ "0x1000+18446744073709551616", 0, "64 bits" },
	{ "0x1000+16777216T", 0, "64 bits" },
	{ "0x1000+0xffffffffffffffff", 0, "beyond 64 bits" },
	{ "0xfffffffffffff000+4097", 0, "beyond 64 bits" },
	{ "0x10000000000000", MPP_TEXT_PFN, "beyond the last frame" },
	{ "5+2M", MPP_TEXT_PFN, "unexpected text" },
	{ "1+0xffffffffffffffff", MPP_TEXT_PFN, "beyond 64 bits" },
	{ "2+0xfffffffffffff", MPP_TEXT_PFN, "beyond 64 bits" },
	{ "x5", MPP_TEXT_PFN, "not an address" },
};

static void refuses(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct mpp_record record = { .addr = 42, .size_bytes = 43 };
		const char *why = "";
		int err = mpp_address_parse(bad[i].text, strlen(bad[i].text), bad[i].flags,
					    &why, &record);

		if (err != -EBADMSG)
			tap_fail(__FILE__, __LINE__, "\"%s\" gives %d", bad[i].text, err);
		if (!strstr(why, bad[i].why))
			tap_fail(__FILE__, __LINE__, "\"%s\": \"%s\"", bad[i].text, why);
		CHECK_INT(record.addr, 42);
		CHECK_INT(record.size_bytes, 43);
	}
}

/* Every prefix of a good text, in a buffer of just its size: a read beyond is seen. */
static void stays_inside(void)
{
	static const char text[] = "0x1000-0x2000";
	struct mpp_record record;

	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len ? len : 1);

		memcpy(copy, text, len);
		mpp_address_parse(copy, len, 0, NULL, &record);
		free(copy);
	}
	CHECK_INT(mpp_address_parse("0x1000\0", 7, 0, NULL, &record), -EBADMSG);
	CHECK_INT(mpp_address_parse("0x1000zzz", 6, 0, NULL, &record), 0);
	CHECK_INT(record.addr, 0x1000);
}

TAP_MAIN(
	{ "addresses and ranges that are accepted", accepts },
	{ "texts that are refused, each with its reason", refuses },
	{ "nothing beyond the text is read", stays_inside },
)
