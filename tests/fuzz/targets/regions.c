// SPDX-License-Identifier: GPL-2.0-only
/* damon --regions: whatever its value, nothing is started without --start, and one line says why. */
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "cmd.h"

#include "fuzz.h"

static unsigned int nr_errors;
static bool is_taken;	/* the value, so that only --start is missing */

void complain(const char *fmt, ...)
{
	(void)fmt;
	nr_errors++;
}

int usage_error(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	FUZZ_CHECK(vsnprintf(text, sizeof(text), fmt, args) > 0);
	va_end(args);
	nr_errors++;
	is_taken = strstr(fmt, "go with --start");
	return EXIT_USAGE;
}

/* What gets no further than its options comes to none of these. */
int option_error(int argc, char **argv, int opt)
{
	(void)argc;
	(void)argv;
	(void)opt;
	abort();
}

void warn_about(const char *fmt, ...)
{
	(void)fmt;
	abort();
}

bool output_is_broken(void)
{
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char command[] = "damon", option[] = "--regions";
	/* An argument ends with its first zero byte. */
	char *text = malloc(size + 1);
	char *args[] = { command, option, text, NULL };
	char *end;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	nr_errors = 0;
	optind = 0;
	FUZZ_CHECK(cmd_damon.run(3, args) == EXIT_USAGE);
	FUZZ_CHECK(nr_errors == 1);
	if (is_taken) {
		unsigned long least = strtoul(text, &end, 10);

		FUZZ_CHECK(*end == '-' && least >= 3 && strtoul(end + 1, &end, 10) >= least);
		FUZZ_CHECK(!*end && text[strspn(text, "0123456789-")] == '\0');
	}
	free(text);
	return 0;
}
