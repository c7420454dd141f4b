// SPDX-License-Identifier: GPL-2.0-only
/* Numbers as people write and read them. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
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
