// SPDX-License-Identifier: GPL-2.0-only
/* Messages to the person at the other end. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

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
	struct pollfd out = { .fd = STDOUT_FILENO };
	int err;

	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	err = errno;
	/*
	 * Nobody reads any more: that is the reader's decision, not a failure.  When it
	 * was an earlier write that failed, its errno is lost, but such a pipe still tells.
	 * And a signal that ends the work also ends a write that waits for the reader.
	 */
	if (err == EPIPE || status >= EXIT_SIGNAL)
		return status;
	if (!err && poll(&out, 1, 0) > 0 && out.revents & (POLLERR | POLLHUP))
		return status;
	complain("standard output: %s", err ? strerror(err) : "not all could be written");
	return EXIT_USAGE;
}
