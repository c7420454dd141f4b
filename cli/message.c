// SPDX-License-Identifier: GPL-2.0-only
/* Messages to the person at the other end. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "cmd.h"

static const char *command_name;

void message_set_command(const char *name)
{
	command_name = name;
}

static void vcomplain(const char *kind, const char *fmt, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, args);
	/* Arguments are quoted in messages: keep their terminal escapes out. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	progress_clear();
	fprintf(stderr, "movephys%s%s: %s%s\n", command_name ? " " : "",
		command_name ? command_name : "", kind, text);
}

void complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vcomplain("", fmt, args);
	va_end(args);
}

void warn_about(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vcomplain("warning: ", fmt, args);
	va_end(args);
}

int usage_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vcomplain("", fmt, args);
	va_end(args);
	fprintf(stderr, "Try: movephys%s%s --help\n", command_name ? " " : "",
		command_name ? command_name : "");
	return EXIT_USAGE;
}

int option_error(int argc, char **argv, int opt)
{
	/* A bad long option is behind optind already, a bad letter may not be. */
	const char *arg = optopt && optind < argc && argv[optind][0] == '-' &&
			  argv[optind][1] != '-' && strchr(argv[optind], optopt) ?
			  argv[optind] : argv[optind - 1];

	if (opt == ':')
		return usage_error("%s needs a value", arg);
	return usage_error("%s: no such option, or it takes no value", arg);
}

bool output_is_broken(void)
{
	return ferror(stdout);
}

int finish_output(int status)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	/* Nobody reads any more: that is the reader's decision, not a failure. */
	if (errno == EPIPE || errno == 0)
		return status;
	complain("standard output: %s", strerror(errno));
	return EXIT_USAGE;
}
