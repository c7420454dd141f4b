// SPDX-License-Identifier: GPL-2.0-only
/* Records as lines of text, both ways. */
#include <errno.h>
#include <movephys.h>

#include "tap.h"

static struct mpp_record parse(const char *line)
{
	struct mpp_record record = { .addr = 0xbad };
	const char *why = "";

	if (mpp_record_parse(line, strlen(line), 0, &why, &record))
		tap_fail(__FILE__, __LINE__, "\"%s\": %s", line, why);
	return record;
}

static void reads_columns(void)
{
	struct mpp_record record = parse("0x1000");

	CHECK_INT(record.addr, 0x1000);
	CHECK_INT(record.size_bytes, 1);
	CHECK(record.weight == 1);
	CHECK_INT(record.time_ns, 0);
	CHECK_INT(record.source, MPP_SOURCE_TEXT);
	record = parse(" 0x1000+4k\t0.25   12.5\r");
	CHECK_INT(record.size_bytes, 4096);
	CHECK(record.weight == 0.25);
	CHECK_INT(record.time_ns, UINT64_C(12500000000));
	record = parse("0x1000-0x3000 3");
	CHECK_INT(record.size_bytes, 0x2000);
	CHECK(record.weight == 3);
	CHECK_INT(record.time_ns, 0);
}

static void reads_numbers(void)
{
	static const struct { const char *text; double weight; } weights[] = {
		{ "0", 0 }, { "0.0", 0 }, { "1e3", 1000 }, { "1E+3", 1000 }, { "25e-2", 0.25 },
		{ "0.1", 0.1 }, { "123456789.125", 123456789.125 }, { "1e300", 1e300 },
		{ "1e-400", 0 }, { "0.00000000000000000000001", 1e-23 },
		{ "100000000000000000000000", 1e23 }, { "1e-99999999999999", 0 },
		{ "0.30000000000000000000000000000000", 0.3 },
	};
	static const struct { const char *text; uint64_t ns; } times[] = {
		{ "0", 0 }, { "1", 1000000000 }, { "0.000000001", 1 },
		{ "18446744073.709551615", UINT64_MAX },
	};
	char line[128];

	for (size_t i = 0; i < ARRAY_LEN(weights); i++) {
		snprintf(line, sizeof(line), "0x1000 %s", weights[i].text);
		double got = parse(line).weight, want = weights[i].weight;

		if (got < want * (1 - 1e-15) || got > want * (1 + 1e-15))
			tap_fail(__FILE__, __LINE__, "%s is %.17g", weights[i].text, got);
	}
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		snprintf(line, sizeof(line), "0x1000 1 %s", times[i].text);
		CHECK_INT(parse(line).time_ns, times[i].ns);
	}
}

static void refuses(void)
{
	static const struct { const char *line, *why; } bad[] = {
		{ "", "not an address" },
		{ "1000 1", "a bare number" },
		{ "0x1000 x", "not a weight" },
		{ "0x1000 0x10", "not a weight" },
		{ "0x1000 -1", "not a weight" },
		{ "0x1000 nan", "not a weight" },
		{ "0x1000 inf", "not a weight" },
		{ "0x1000 .5", "not a weight" },
		{ "0x1000 5.", "not a weight" },
		{ "0x1000 5.e3", "not a weight" },
		{ "0x1000 5e", "not a weight" },
		{ "0x1000 5e+", "not a weight" },
		{ "0x1000 1.2.3", "not a weight" },
		{ "0x1000 1e301", "the weight is too large" },
		{ "0x1000 1 x", "not a time" },
		{ "0x1000 1 1e3", "not a time" },
		{ "0x1000 1 1.0000000000", "not a time" },
		{ "0x1000 1 18446744073.709551616", "the time is too large" },
		{ "0x1000 1 99999999999999999999999", "the time is too large" },
		{ "0x1000 1 1 1", "unexpected text after the time" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct mpp_record record = { .addr = 7, .weight = 7, .time_ns = 7 };
		const char *why = "";

		CHECK_INT(mpp_record_parse(bad[i].line, strlen(bad[i].line), 0, &why, &record),
			  -EBADMSG);
		CHECK_HAS(why, bad[i].why);
		CHECK_INT(record.addr, 7);
		CHECK(record.weight == 7 && record.time_ns == 7);
		CHECK_INT(mpp_record_parse(bad[i].line, strlen(bad[i].line), 0, NULL, &record),
			  -EBADMSG);
	}
}

static const char *format(uint64_t addr, uint64_t size, double weight, uint64_t time_ns)
{
	static char text[MPP_RECORD_TEXT_MAX + 1];
	const struct mpp_record record = {
		.addr = addr, .size_bytes = size, .weight = weight, .time_ns = time_ns,
	};

	text[MPP_RECORD_TEXT_MAX] = '!';
	CHECK_INT(mpp_record_format(&record, text), strlen(text));
	CHECK_INT(text[MPP_RECORD_TEXT_MAX], '!');
	return text;
}

static void writes(void)
{
	CHECK_STR(format(0x1000, 1, 1, 0), "0x1000\n");
	CHECK_STR(format(0, 4096, 1, 0), "0x0+4096\n");
	CHECK_STR(format(0xabcdef0, 2 << 20, 3, 0), "0xabcdef0+2097152 3\n");
	CHECK_STR(format(0x1000, 1, 1, 1), "0x1000 1 0.000000001\n");
	CHECK_STR(format(0x1000, 1, 0.5, 12500000000), "0x1000 0.5 12.500000000\n");
	CHECK_STR(format(0x1000, 1, 0, 0), "0x1000 0\n");
	CHECK_STR(format(0x1000, 1, 1.0 / 3, 0), "0x1000 0.333333333\n");
	CHECK_STR(format(0x1000, 1, 1234567.5, 0), "0x1000 1234567.5\n");
	CHECK_STR(format(0x1000, 1, 0.9999999999, 0), "0x1000 1\n");
	CHECK_STR(format(0x1000, 1, 0.00001, 0), "0x1000 0.00001\n");
	CHECK_STR(format(0x1000, 1, 1.5e-6, 0), "0x1000 1.5e-6\n");
	CHECK_STR(format(0x1000, 1, 1e20, 0), "0x1000 1e20\n");
	CHECK_STR(format(0x1000, 1, 1.25e15, 0), "0x1000 1.25e15\n");
	CHECK_STR(format(0x1000, 1, 999999999999999, 0), "0x1000 999999999999999\n");
	CHECK_STR(format(0x1000, 1, -3, 0), "0x1000 0\n");
	CHECK_STR(format(0x1000, 1, __builtin_nan(""), 0), "0x1000 0\n");
	CHECK_STR(format(0x1000, 1, __builtin_inf(), 0), "0x1000 1e300\n");
	CHECK(strlen(format(UINT64_MAX, UINT64_MAX, 1.23456789e-300, UINT64_MAX)) <
	      MPP_RECORD_TEXT_MAX);
}

/* What was written reads as what it was, a weight to nine digits. */
static void goes_round(void)
{
	uint64_t seed = 88172645463325252;

	for (int i = 0; i < 200000; i++) {
		struct mpp_record in, out;
		char text[MPP_RECORD_TEXT_MAX];
		double off;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		in = (struct mpp_record) {
			.addr = seed >> (seed & 31),
			.size_bytes = (seed >> 40) + 1,
			.weight = (double)(seed >> (seed & 63)) / (double)(1 + (seed & 1023)),
			.time_ns = seed >> 3,
		};
		if (in.size_bytes > UINT64_MAX - in.addr)
			continue;
		text[mpp_record_format(&in, text) - 1] = '\0';
		out = parse(text);
		off = in.weight ? out.weight / in.weight - 1 : out.weight;
		if (out.addr != in.addr || out.size_bytes != in.size_bytes ||
		    out.time_ns != in.time_ns || off > 1e-8 || off < -1e-8)
			tap_fail(__FILE__, __LINE__, "%s comes back different", text);
		if (tap_failed)
			return;
	}
}

static void names_sources(void)
{
	CHECK_STR(mpp_source_name(MPP_SOURCE_TEXT), "text");
	CHECK_STR(mpp_source_name(MPP_SOURCE_DAMON), "damon");
	CHECK_STR(mpp_source_name(0), "?");
	CHECK_STR(mpp_source_name(1000), "?");
}

TAP_MAIN(
	{ "address, weight, time", reads_columns },
	{ "numbers", reads_numbers },
	{ "what is none", refuses },
	{ "lines as written", writes },
	{ "there and back", goes_round },
	{ "names of sources", names_sources },
)
