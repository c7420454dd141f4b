/* SPDX-License-Identifier: GPL-2.0-only */
/* Running the movephys command as a person would, on pages that the test owns. */
#ifndef MPP_TESTS_COMMAND_H
#define MPP_TESTS_COMMAND_H

#include "../harness.h"

/* What a shell line came to.  Both texts end with a zero byte. */
struct output {
	int status;		/* of its last command */
	char *out, *err;
	long resident_kib;	/* at most, of the shell and of whatever it has waited for */
};

/* Runs `sh -c LINE`; the line is printf-like. */
struct output shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void output_free(struct output *o);
/* For a line: until the process $pid catches SIGINT, which a shell has its jobs ignore. */
#define WAIT_FOR_HANDLER \
	"until grep -q 'SigCgt:.*[2367abef]$' /proc/$pid/status; do sleep 0.1; done; "
/* The same when it must end with 0; fails the test with what was said to standard error. */
struct output shell_ok(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Skips when there is no such subcommand (yet). */
void need_command(const char *name);
/* Skips when no door is open: for lines that move. */
void need_door(void);
/* Skips where events cannot be counted, or not without risk for the emulated machine. */
void need_events(void);

/* The number behind "KEY": in JSON; -1 when it is not there. */
long long json_number(const char *json, const char *key);

/* Does a list of 0xADDR[+SIZE] lines name this address? */
bool list_has(const char *list, uint64_t addr);
/* How many of the region's pages it names. */
size_t list_count(const char *list, const struct region *r);
/* How many lines begin with 0x. */
size_t list_lines(const char *list);

/* A memory cgroup of the test's own that this process is in from here on. */
const char *cgroup_enter(const char *name);

size_t node_free_pages(int node);

/* Frames found by a source become a move: checks where the region is, and what is in it. */
void region_arrived(const struct region *r, int node);
/* For tests that check this by themselves: the table in docs/sources.md counts them. */
void verified_move(void);

#endif /* MPP_TESTS_COMMAND_H */
