// SPDX-License-Identifier: GPL-2.0-only
/* movephys: the table of subcommands. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

#define COMMAND_ADDRESS(name)	&cmd_##name,

static const struct command *const commands[] = {
	COMMANDS(COMMAND_ADDRESS)
};

static void print_help(void)
{
	puts("movephys: move memory pages, named by physical address, between NUMA nodes\n"
	     "\n"
	     "usage: movephys COMMAND [OPTIONS] [ARGUMENTS]\n"
	     "\n"
	     "commands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	puts("\n"
	     "examples:\n"
	     "  movephys info                                 what this machine can do\n"
	     "  movephys pagemap --pid 1234 --summary         on which nodes a process lives\n"
	     "  movephys pagemap --pid 1234 | movephys move --to 0 -\n"
	     "                                                bring its memory to node 0\n"
	     "  movephys where 0x13f400000+2M                 on which node these pages are\n"
	     "\n"
	     "`movephys COMMAND --help` tells the rest; `movephys --version` the version.");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int run_command(int argc, char **argv)
{
	const struct command *command = find_command(argv[0]);

	if (!command)
		return usage_error("\"%s\" is not a command", argv[0]);
	message_set_command(command->name);
	if (wants_help(argc, argv)) {
		fputs(command->help, stdout);
		return EXIT_DONE;
	}
	return command->run(argc, argv);
}

/*
 * A descriptor that was closed would go to the next file that is opened, which then is
 * read as standard input or printed into.  What takes its place answers EBADF, as it did.
 */
static void keep_standard_files(void)
{
	static const int flags[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) < 0)
			return;
}

int main(int argc, char **argv)
{
	int status;

	keep_standard_files();

	/* A reader that goes away ends the output, not a move half way. */
	signal(SIGPIPE, SIG_IGN);

	if (argc < 2) {
		status = usage_error("no command given");
	} else if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_help();
		status = EXIT_DONE;
	} else if (!strcmp(argv[1], "--version")) {
		puts("movephys " MOVEPHYS_VERSION);
		status = EXIT_DONE;
	} else if (!strcmp(argv[1], "help")) {
		if (argc > 2) {
			char *args[] = { argv[2], (char[]){ "--help" }, NULL };

			status = run_command(2, args);
		} else {
			print_help();
			status = EXIT_DONE;
		}
	} else {
		status = run_command(argc - 1, argv + 1);
	}
	return finish_output(status);
}
