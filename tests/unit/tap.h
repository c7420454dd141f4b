/* SPDX-License-Identifier: GPL-2.0-only */
/* A test program: TEST() functions in order, TAP on standard output. */
#ifndef MOVEPHYS_TAP_H
#define MOVEPHYS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool tap_failed;
static const char *tap_skipped;

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

__attribute__((format(printf, 3, 4)))
static inline void tap_fail(const char *file, int line, const char *fmt, ...)
{
	char text[2048];
	va_list args;

	tap_failed = true;
	printf("# %s:%d: ", file, line);
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* A line of TAP is a line. */
	for (char *c = text; *c; c++)
		putchar(*c == '\n' ? '|' : *c);
	putchar('\n');
}

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			tap_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

#define CHECK_INT(got, want) \
	do { \
		long long got_ = (long long)(got), want_ = (long long)(want); \
		if (got_ != want_) \
			tap_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #got, got_, want_); \
	} while (0)

#define CHECK_STR(got, want) \
	do { \
		const char *got_ = (got), *want_ = (want); \
		if (strcmp(got_, want_)) \
			tap_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #got, got_, \
				 want_); \
	} while (0)

#define CHECK_HAS(text, part) \
	do { \
		const char *text_ = (text), *part_ = (part); \
		if (!strstr(text_, part_)) \
			tap_fail(__FILE__, __LINE__, "\"%s\" lacks \"%s\"", text_, part_); \
	} while (0)

struct tap_test {
	const char *name;
	void (*run)(void);
};

static inline void tap_skip(const char *reason)
{
	tap_skipped = reason;
}

static inline int tap_main(const struct tap_test *tests, size_t nr)
{
	size_t nr_failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", nr);
	for (size_t i = 0; i < nr; i++) {
		tap_failed = false;
		tap_skipped = NULL;
		tests[i].run();
		printf("%s %zu - %s%s%s\n", tap_failed ? "not ok" : "ok", i + 1, tests[i].name,
		       tap_skipped ? " # SKIP " : "", tap_skipped ? tap_skipped : "");
		nr_failed += tap_failed;
	}
	return nr_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define TAP_MAIN(...) \
	int main(void) \
	{ \
		static const struct tap_test tests[] = { __VA_ARGS__ }; \
		\
		return tap_main(tests, ARRAY_LEN(tests)); \
	}

#endif /* MOVEPHYS_TAP_H */
