/* SPDX-License-Identifier: GPL-2.0-only */
/* What the subcommands share. */
#ifndef MOVEPHYS_CMD_H
#define MOVEPHYS_CMD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <movephys.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

enum exit_status {
	EXIT_DONE = 0,
	EXIT_MISSED = 1,	/* refused or retryable pages are left */
	EXIT_USAGE = 2,		/* bad input, or this machine cannot */
	EXIT_SIGNAL = 128,	/* plus the signal's number */
};

struct command {
	const char *name;
	const char *summary;
	const char *help;
	int (*run)(int argc, char **argv);
};

/*
 * The subcommands, in the order in which --help lists them; X(where) is cmd_where
 * in cmd_where.c.
 */
#define COMMANDS(X)	\
	/* act */	\
	X(move)		\
	X(where)	\
	X(rank)		\
	/* sources */	\
	X(pagemap)	\
	X(sample)	\
	X(idle)		\
	X(zones)	\
	X(cxl)		\
	X(damon)	\
	/* the machine */ \
	X(info)

#define DECLARE_COMMAND(name)	extern const struct command cmd_##name;
COMMANDS(DECLARE_COMMAND)

/* message.c: to stderr, with the command's name in front. */
void message_set_command(const char *name);
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same with "warning: " in front. */
void warn_about(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Complains, points to --help, and returns EXIT_USAGE. */
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For getopt_long()'s '?' and ':': names the offending argument. */
int option_error(int argc, char **argv, int opt);
/* @status, or EXIT_USAGE when standard output could not be written. */
int finish_output(int status);
/* True once writing to standard output has failed: stop producing. */
bool output_is_broken(void);

/* units.c: 0, or -EINVAL when the text is none. */
int parse_count(const char *text, uint64_t max, uint64_t *count);
/* 4096, 4K, 512M, 1.5G, 2GiB: powers of 1024. */
int parse_size(const char *text, uint64_t *bytes);
/* A size and "/s". */
int parse_rate(const char *text, uint64_t *bytes_per_s);
/* 100us, 50ms, 1.5s, 2m, 1h: the unit is needed. */
int parse_duration(const char *text, uint64_t *ns);
const char *format_bytes(uint64_t bytes, char *text, size_t size);
#define BYTES_TEXT_MAX	32

/* arguments.c: EXIT_DONE, or EXIT_USAGE after saying what is wrong with the option. */
int take_duration(const char *option, const char *text, uint64_t least_ns, uint64_t *ns);
/* accessed, idle or both: sets those of two flags, and clears the other. */
int take_state(const char *text, unsigned int accessed, unsigned int idle, unsigned int *flags);

/* nodes.c: node sets in libnuma's syntax; complains and returns false when bad. */
struct bitmask;
bool nodes_parse(const char *option, const char *text, struct bitmask **nodes);
bool nodes_contain(const struct bitmask *nodes, int node);
void nodes_free(struct bitmask *nodes);
/* The one node of @text, which must have memory. */
bool node_parse_target(const char *option, const char *text, int *node);

/* door.c: complains with the way out when no door opens. */
bool door_open(enum mpp_door door, struct mpp_ctx **ctx);
/* The door of this name; EXIT_USAGE after a complaint. */
int door_parse(const char *text, enum mpp_door *door);
/* What keeps a door shut, in a few words, and what helps (may be ""). */
void door_explain(enum mpp_door door, int err, const char **why, const char **remedy);
bool has_sys_admin(void);
/* What ends a complaint: a hint where the caller was denied what root is not, else "". */
const char *root_remedy(bool denied);

/* interrupt.c: SIGINT, SIGTERM and SIGHUP end the work between two batches. */
void interrupt_catch(void);
/* The signal that came, or 0. */
int interrupt_seen(void);
/* A signal also wakes a read that waits in @src; NULL for none. */
void interrupt_cancels(struct mpp_source *src);

/* input.c: addresses from arguments, files and standard input. */
struct input;
struct stat;
/* Checks every argument before the first is used; complains and returns NULL. */
struct input *input_open(int nr_args, char **args, unsigned int text_flags, bool strict);
/* The same for a file that `move --undo-file` has written. */
struct input *input_open_undo(const char *path, bool strict);
void input_close(struct input *in);
/* How much of the input is read, from 0 to 1; negative where that is not known. */
double input_part_done(const struct input *in);
/* Whether this file is one that the input comes from. */
bool input_reads(const struct input *in, const struct stat *file);
/* Bad lines so far; each was complained about. */
uint64_t input_nr_bad(const struct input *in);

/* stream.c: a source's records on standard output. */
struct stream {
	bool json;		/* an object per line instead of movephys-records(5) */
	/* NULL to print it, or what else to do with record @index of the last read. */
	void (*take)(struct stream *stream, struct mpp_source *src, size_t index,
		     const struct mpp_record *record);
	/* Whether reading goes on after this error, which then is for this to tell. */
	bool (*forgives)(struct stream *stream, int err, const char *text);
	uint64_t nr_records, nr_bytes;
	uint64_t nr_bad;	/* bad records so far; each was complained about */
};

/*
 * Prints one record; unless @key is NULL, what else there is to say goes behind it
 * as a comment, or into the object.  Both are plain characters.
 */
void stream_record(struct stream *stream, const struct mpp_record *record, const char *key,
		   const char *value);
/*
 * Prints all that @src has, until its end, a signal, or a reader that has gone.
 * EXIT_DONE; EXIT_USAGE after a complaint; EXIT_SIGNAL plus the signal's number.
 * Records go out before a read that would wait.
 */
int stream_source(struct stream *stream, struct mpp_source *src);

/* filters.c: the options that every source shares. */
struct filters {
	struct bitmask *nodes;
	struct mpp_record *ranges;
	size_t nr_ranges;
	uint64_t kinds;
	uint64_t cgroup_ino;
	bool mapped;
	uint64_t mapped_min, mapped_max;
};

enum {
	OPT_WITHIN = 512,	/* above each command's own */
	OPT_KIND,
	OPT_CHARGED,
	OPT_MAPPED,
};

#define FILTER_OPTIONS \
	{ "node", required_argument, NULL, 'N' },		\
	{ "within", required_argument, NULL, OPT_WITHIN },	\
	{ "kind", required_argument, NULL, OPT_KIND },		\
	{ "charged", required_argument, NULL, OPT_CHARGED },	\
	{ "mapped", required_argument, NULL, OPT_MAPPED }

#define FILTER_HELP \
"  -N, --node NODES     only on these nodes (0, 0-2, 1,3, !0, all)\n"			\
"      --within RANGE   only in this range of physical addresses; repeatable\n"		\
"      --kind KINDS     only pages of these kinds: anon, anon-large, ksm, file, shmem,\n"	\
"                       cache-large, hugetlb, free, slab, pgtable, zero, poison,\n"	\
"                       kernel; or user, cache; with commas between\n"			\
"      --charged CGROUP only pages charged to this memory cgroup (a folder)\n"		\
"      --mapped N       only frames mapped N times; or N-M, or N- for N and more\n"

bool filters_has(int opt);
/* For the options above: EXIT_DONE, or EXIT_USAGE after a complaint. */
int filters_take(int opt, struct filters *filters);
/* The nodes asked for as an array, NULL and 0 for all; the caller frees it. */
int *filters_nodes(const struct filters *filters, size_t *nr);
/*
 * Puts a filter before *@src when one is needed.  EXIT_DONE, or EXIT_USAGE after a
 * complaint, and then the source has been given up.
 */
int filters_apply(const struct filters *filters, struct mpp_source **src);
void filters_free(struct filters *filters);

/* batch.c: from ranges to arrays of pages. */
#define BATCH_PAGES	4096
#define BATCH_SLACK	512	/* so that a huge page is never cut in two */
#define BATCH_MAX	(BATCH_PAGES + BATCH_SLACK)

struct batch {
	bool with_holes;	/* set by the caller: leave out nothing */
	uint64_t nr_absent;	/* pages of large holes, which were left out: -ENXIO */
	size_t nr;
	uint64_t pages[BATCH_MAX];
	int nodes[BATCH_MAX];	/* that the input asks for; -1 for none */
};

/*
 * Fills @batch with up to @nr_max pages (and what completes a huge page), until it
 * is full or the input would wait.  What the machine's memory map knows to be no
 * memory is only counted, where a range has a GiB of it on end.  1: go on
 * with what is there and come back; 0: these are the last; negative: give up
 * (the reason was told), @batch holds what came before.
 */
int batch_fill(struct input *in, size_t nr_max, struct batch *batch);

/* tally.c: pages counted by outcome. */
enum outcome {
	OUTCOME_MOVED,
	OUTCOME_WOULD_MOVE,
	OUTCOME_ALREADY,
	OUTCOME_ELSEWHERE,	/* not on a node of --from */
	OUTCOME_NOT_REACHED,	/* interrupted before */
	NR_OUTCOMES,
};

#define TALLY_ERRNO_MAX	256

struct tally_pair {
	int from, to;
	uint64_t nr_pages;
};

struct tally {
	uint64_t nr_entries;
	uint64_t outcomes[NR_OUTCOMES];
	uint64_t errors[TALLY_ERRNO_MAX];
	struct tally_pair *pairs;
	size_t nr_pairs;
	uint64_t kernel_ns;
};

const char *outcome_name(enum outcome outcome);
void tally_outcome(struct tally *tally, enum outcome outcome);
void tally_error(struct tally *tally, int status, uint64_t nr_pages);
void tally_pair(struct tally *tally, int from, int to, uint64_t nr_pages);
uint64_t tally_kind(const struct tally *tally, enum mpp_status_kind kind);
/* A line per error, with what helps against it when @with_hints. */
void tally_print_errors(const struct tally *tally, bool with_hints);
void tally_free(struct tally *tally);

struct json_object;
struct json_object *tally_errors_json(const struct tally *tally);
/* A number with six decimals. */
struct json_object *json_decimal(double value);
/* Prints and frees @object; one line unless @pretty. */
void json_print(struct json_object *object, bool pretty);

/* progress.c: on standard error, when that is a terminal. */
/* @part_done: from 0 to 1, negative where that is not known. */
void progress_show(const struct tally *tally, double part_done);
void progress_clear(void);

uint64_t clock_ns(void);

#endif /* MOVEPHYS_CMD_H */
