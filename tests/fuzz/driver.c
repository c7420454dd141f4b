// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a fuzz target where there is no libFuzzer: first every file of the corpus, then
 * mutations of them until the time is up.  An input that reaches new code, as
 * -fsanitize-coverage=trace-pc tells, joins those that are mutated.  The same seed
 * gives the same inputs.  An input that ends the program is left in a file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX	4096
#define INPUTS_MAX	4096
#define LOOP_S		10	/* of the processor, for one input */
#define WAIT_S		120	/* by the clock; other work may come first */
#define MAP_BITS	16

struct input {
	uint8_t *data;
	size_t size;
};

static struct input inputs[INPUTS_MAX];
static size_t nr_inputs, nr_runs;
static uint8_t current[INPUT_MAX];
static size_t current_size;
static const char *crash_dir;

/* ---- What code an input reaches: pairs of blocks that follow one another ---- */

static uint8_t seen[1 << MAP_BITS];
static uintptr_t last_block;
static size_t nr_new;

void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void)
{
	/* The distance from here: the same wherever the program is loaded. */
	uintptr_t block = (uintptr_t)__builtin_return_address(0) -
			  (uintptr_t)&__sanitizer_cov_trace_pc;
	uintptr_t pair;

	block = (block ^ block >> 15) * 0x9e3779b1u;
	pair = (block ^ last_block) & ((1u << MAP_BITS) - 1);
	last_block = block >> 1;
	nr_new += !seen[pair];
	seen[pair] = 1;
}

/* ---- When it ends badly ---- */

static void save_current(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/crash-%zu", crash_dir, nr_runs);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, current, current_size) != (ssize_t)current_size)
		perror(path);
	else
		fprintf(stderr, "the input is in %s\n", path);
}

void __sanitizer_set_death_callback(void (*callback)(void));

static void on_signal(int signal_nr)
{
	/* The process is lost anyway: the file is worth what is not safe here. */
	if (signal_nr == SIGPROF)
		fprintf(stderr, "one input took more than %d s of the processor\n", LOOP_S);
	if (signal_nr == SIGALRM)
		fprintf(stderr, "one input took longer than %d s\n", WAIT_S);
	save_current();
	signal(signal_nr, SIG_DFL);
	raise(signal_nr);
	_exit(1);
}

/* True when it reached what none before it did. */
static int run_current(void)
{
	const struct itimerval limit = { .it_value = { .tv_sec = LOOP_S } };

	nr_new = 0;
	last_block = 0;
	nr_runs++;
	setitimer(ITIMER_PROF, &limit, NULL);
	alarm(WAIT_S);
	LLVMFuzzerTestOneInput(current, current_size);
	return nr_new != 0;
}

static void keep_current(void)
{
	struct input *input = &inputs[nr_inputs];

	if (nr_inputs == INPUTS_MAX)
		return;
	input->data = malloc(current_size + 1);
	if (!input->data)
		abort();
	memcpy(input->data, current, current_size);
	input->size = current_size;
	nr_inputs++;
}

/* ---- The corpus ---- */

static void run_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, current, sizeof(current));

	if (len < 0) {
		perror(path);
		exit(2);
	}
	close(fd);
	current_size = (size_t)len;
	run_current();
	keep_current();
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void run_corpus(const char *path)
{
	struct dirent **entries;
	struct stat info;
	int nr;

	if (!stat(path, &info) && !S_ISDIR(info.st_mode)) {
		run_file(path);
		return;
	}
	nr = scandir(path, &entries, NULL, by_name);
	if (nr < 0) {
		perror(path);
		exit(2);
	}
	for (int i = 0; i < nr; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			run_file(name);
		free(entries[i]);
	}
	free(entries);
}

/* ---- Mutations ---- */

static uint64_t state;

static size_t below(size_t limit)
{
	/* splitmix64 */
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (size_t)((z ^ z >> 31) % limit);
}

static void remove_bytes(size_t at, size_t len)
{
	memmove(current + at, current + at + len, current_size - at - len);
	current_size -= len;
}

static void insert_bytes(size_t at, const void *bytes, size_t len)
{
	if (len > INPUT_MAX - current_size)
		len = INPUT_MAX - current_size;
	memmove(current + at + len, current + at, current_size - at);
	memcpy(current + at, bytes, len);
	current_size += len;
}

/* A piece of another input, or of this one, or what parsers trip over. */
static void insert_piece(size_t at)
{
	static const char *const tokens[] = {
		"0x", "-", "+", "#", "\n", "\r\n", " ", "\t", ",", ".", "/", "=", ":", "e9",
		"18446744073709551615", "18446744073709551616", "ffffffffffffffff", "9223372036854775808",
		"4294967295", "00000000000000000000", "0", "1", "k", "T", "--\n", "%s", "\xff", "\x1b",
	};
	const struct input *other = &inputs[below(nr_inputs)];
	uint8_t piece[64];
	size_t from, len;

	if (!other->size || below(2)) {
		const char *token = tokens[below(sizeof(tokens) / sizeof(*tokens))];

		insert_bytes(at, token, strlen(token));
		return;
	}
	from = below(other->size);
	len = 1 + below(other->size - from < sizeof(piece) ? other->size - from : sizeof(piece));
	if (len > other->size - from)
		len = other->size - from;
	memcpy(piece, other->data + from, len);
	insert_bytes(at, piece, len);
}

static void put_number(size_t at)
{
	static const uint64_t numbers[] = {
		0, 1, 7, 8, 16, 127, 128, 255, 256, 4096, 32767, 65535, 65536, INT32_MAX, UINT32_MAX,
		INT64_MAX, UINT64_MAX,
	};
	uint64_t number = numbers[below(sizeof(numbers) / sizeof(*numbers))];
	size_t len = (size_t)1 << below(4);

	if (len <= current_size - at)
		memcpy(current + at, &number, len);
}

static void mutate_once(void)
{
	size_t at = below(current_size + 1), rest = current_size - at;
	uint8_t byte = (uint8_t)below(256);

	switch (below(8)) {
	case 0:
		insert_bytes(at, &byte, 1);
		break;
	case 1:
	case 2:
		insert_piece(at);
		break;
	case 3:
		if (rest)
			remove_bytes(at, 1 + below(rest < 8 ? rest : 8));
		break;
	case 4:
		if (rest)
			remove_bytes(at, 1 + below(rest));
		break;
	case 5:
		if (rest)
			current[at] = byte;
		break;
	case 6:
		if (rest)
			current[at] ^= (uint8_t)(1u << below(8));
		break;
	case 7:
		put_number(at);
		break;
	}
}

static void mutate(void)
{
	const struct input *input = &inputs[below(nr_inputs)];

	memcpy(current, input->data, input->size);
	current_size = input->size;
	for (size_t nr = (size_t)1 << below(4); nr; nr--)
		mutate_once();
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void usage(void)
{
	fputs("usage: fuzz_TARGET CRASHES SECONDS [SEED] CORPUS\n"
	      "       fuzz_TARGET CRASHES 0 FILE\n"
	      "\n"
	      "Runs the corpus, a folder or one file, then mutations of it for so many seconds.\n"
	      "An input that ends the program is left in the folder CRASHES.\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	double seconds, end;
	size_t nr_corpus;

	if (argc < 4 || argc > 5)
		usage();
	crash_dir = argv[1];
	seconds = strtod(argv[2], NULL);
	state = argc == 5 ? strtoull(argv[3], NULL, 0) : 1;
	__sanitizer_set_death_callback(save_current);
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	signal(SIGPROF, on_signal);
	end = now_s() + seconds;
	current_size = 0;
	run_current();
	keep_current();
	run_corpus(argv[argc - 1]);
	nr_corpus = nr_inputs;
	while (now_s() < end) {
		mutate();
		if (run_current())
			keep_current();
	}
	setitimer(ITIMER_PROF, &(struct itimerval) { 0 }, NULL);
	alarm(0);
	printf("%zu runs, %zu inputs in the corpus, %zu more reached new code\n", nr_runs, nr_corpus,
	       nr_inputs - nr_corpus);
	return 0;
}
