/* SPDX-License-Identifier: GPL-2.0-only */
/* Running the built command as a person would, with the fake device preloaded. */
#ifndef MOVEPHYS_TEST_RUN_H
#define MOVEPHYS_TEST_RUN_H

#include <stddef.h>
#include <sys/types.h>

#include "tap.h"
#include "tree.h"

#define OUT_MAX		65536
#define ARGS_MAX	24

struct run {
	int status;		/* exit status, or 128 + signal */
	char out[OUT_MAX];
	char err[OUT_MAX];
	char log[OUT_MAX];	/* the fake device's calls */
};

extern struct run run;
extern int run_terminal;	/* standard error of what is started, unless -1 */

/* Starts the command; standard input from the file "in" unless @in_fd >= 0, output likewise. */
pid_t start(int in_fd, int out_fd, const char *const *args);
/* The same for another program, without the fake device. */
pid_t start_program(const char *path, int in_fd, int out_fd, const char *const *args);
/* Waits for its end and fills `run`. */
void finish(pid_t pid);
/* The first OUT_MAX bytes of a file in the tree; "" when there is none. */
void read_whole(const char *name, char *text);

#define ARGS(...)	((const char *const[]) { __VA_ARGS__, NULL })
/* Of a file in the tree, for arguments: stays valid while the command runs. */
#define IN_TREE(name)	strdupa(tree_path(name))

#define RUN(...)	finish(start(-1, -1, ARGS(__VA_ARGS__)))

size_t count(const char *text, const char *part);
/* The number under a path such as "outcomes.moved" in the JSON printed; -1 for none. */
long long json_number(const char *path);

/* -1 when the tests can run, else what main() is to return. */
int run_begin(void);

/* MOVEPHYS is the command's path, FAKE_DEVICE the library's. */
#define RUN_MAIN(...) \
	int main(void) \
	{ \
		static const struct tap_test tests[] = { __VA_ARGS__ }; \
		int status = run_begin(); \
		\
		if (status >= 0) \
			return status; \
		status = tap_main(tests, ARRAY_LEN(tests)); \
		tree_remove(); \
		return status; \
	}

#endif /* MOVEPHYS_TEST_RUN_H */
