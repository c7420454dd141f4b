// SPDX-License-Identifier: GPL-2.0-only
/* The values of the command's options: counts, sizes, rates, times, node sets, filters. */
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "cmd.h"

#include "fuzz.h"

/* What would be said is made, but not said. */
static int swallow(const char *fmt, va_list args)
{
	char text[512];

	return vsnprintf(text, sizeof(text), fmt, args);
}

void complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	FUZZ_CHECK(swallow(fmt, args) > 0);
	va_end(args);
}

int usage_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	FUZZ_CHECK(swallow(fmt, args) > 0);
	va_end(args);
	return EXIT_USAGE;
}

static void check_units(const char *text)
{
	uint64_t count, size, rate, time, again;
	char rate_text[64], digits[32];

	if (!parse_count(text, 1000000, &count)) {
		FUZZ_CHECK(count <= 1000000 && strspn(text, "0123456789") == strlen(text));
		snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
		FUZZ_CHECK(!parse_count(digits, 1000000, &again) && again == count);
	}
	if (!parse_size(text, &size)) {
		FUZZ_CHECK(text[strspn(text, "0123456789.kKmMgGtTiB")] == '\0');
		snprintf(digits, sizeof(digits), "%llu", (unsigned long long)size);
		FUZZ_CHECK(!parse_size(digits, &again) && again == size);
		if (strlen(text) < 32) {
			snprintf(rate_text, sizeof(rate_text), "%s/s", text);
			FUZZ_CHECK(!parse_rate(rate_text, &rate) && rate == size);
		}
	}
	if (!parse_rate(text, &rate))
		FUZZ_CHECK(strlen(text) > 2 && !strcmp(text + strlen(text) - 2, "/s"));
	if (!parse_duration(text, &time))
		FUZZ_CHECK(text[strspn(text, "0123456789.")] != '\0');
}

static void check_filters(char *text)
{
	static const int options[] = { 'N', OPT_WITHIN, OPT_KIND, OPT_MAPPED };

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct filters filters = { 0 };
		int *nodes;
		size_t nr;

		optarg = text;
		if (filters_take(options[i], &filters) == EXIT_DONE) {
			nodes = filters_nodes(&filters, &nr);
			for (size_t n = 0; n < nr; n++)
				FUZZ_CHECK(nodes_contain(filters.nodes, nodes[n]));
			free(nodes);
			FUZZ_CHECK(!filters.kinds || !(filters.kinds >> MPP_NR_KINDS));
			FUZZ_CHECK(filters.mapped_min <= filters.mapped_max);
			for (size_t r = 0; r < filters.nr_ranges; r++)
				fuzz_check_record(&filters.ranges[r]);
		}
		filters_free(&filters);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An argument ends with its first zero byte. */
	char *text = malloc(size + 1);
	int node;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	check_units(text);
	check_filters(text);
	if (node_parse_target("--to", text, &node))
		FUZZ_CHECK(node >= 0);
	free(text);
	return 0;
}
