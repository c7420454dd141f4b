// SPDX-License-Identifier: GPL-2.0-only
/* Numbers as people write and read them. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"

int parse_count(const char *text, uint64_t max, uint64_t *count)
{
	unsigned long long value;
	char *end;

	/* strtoull() would take "-1" and " 1". */
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end || errno || value > max)
		return -EINVAL;
	*count = value;
	return 0;
}

/* digits[.digits], counted in millionths of a unit so that 1.5G is exact. */
static int take_number(const char **text, uint64_t *whole, uint64_t *millionths)
{
	uint64_t unit = 1000000;
	const char *at = *text;
	char *end;

	if (!isdigit((unsigned char)*at))
		return -EINVAL;
	errno = 0;
	*whole = strtoull(at, &end, 10);
	if (errno)
		return -EINVAL;
	*millionths = 0;
	if (*end == '.') {
		end++;
		if (!isdigit((unsigned char)*end))
			return -EINVAL;
		for (; isdigit((unsigned char)*end); end++) {
			unit /= 10;
			*millionths += (uint64_t)(*end - '0') * unit;
		}
	}
	*text = end;
	return 0;
}

static int in_units(uint64_t whole, uint64_t millionths, uint64_t unit, uint64_t *value)
{
	uint64_t part = millionths * (unit / 1000000) + millionths * (unit % 1000000) / 1000000;

	if (__builtin_mul_overflow(whole, unit, &whole) ||
	    __builtin_add_overflow(whole, part, &whole))
		return -EINVAL;
	*value = whole;
	return 0;
}

int parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	uint64_t whole, millionths, unit = 1;
	const char *found;

	if (take_number(&text, &whole, &millionths))
		return -EINVAL;
	found = *text ? strchr(units, toupper((unsigned char)*text)) : NULL;
	if (found) {
		unit = UINT64_C(1) << (10 * (found - units + 1));
		text++;
	}
	if (*text == 'i' && found)
		text++;
	if (*text == 'B')
		text++;
	if (*text)
		return -EINVAL;
	return in_units(whole, millionths, unit, bytes);
}

int parse_rate(const char *text, uint64_t *bytes_per_s)
{
	size_t len = strlen(text);
	char copy[64];

	if (len < 3 || len >= sizeof(copy) || strcmp(text + len - 2, "/s"))
		return -EINVAL;
	memcpy(copy, text, len - 2);
	copy[len - 2] = '\0';
	return parse_size(copy, bytes_per_s);
}

int parse_duration(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "us", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", UINT64_C(60000000000) },
		{ "h", UINT64_C(3600000000000) },
	};
	uint64_t whole, millionths;

	if (take_number(&text, &whole, &millionths))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(text, units[i].name))
			return in_units(whole, millionths, units[i].ns, ns);
	return -EINVAL;
}

const char *format_bytes(uint64_t bytes, char *text, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
