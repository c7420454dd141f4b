// SPDX-License-Identifier: GPL-2.0-only
#include "run.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <numa.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

struct run run;
int run_terminal = -1;

void read_whole(const char *name, char *text)
{
	FILE *file = fopen(tree_path(name), "r");
	size_t len = file ? fread(text, 1, OUT_MAX - 1, file) : 0;

	text[len] = '\0';
	if (file)
		fclose(file);
}

static void redirect(int fd, const char *name, int flags)
{
	int file = open(tree_path(name), flags, 0600);

	if (file < 0 || dup2(file, fd) < 0)
		_exit(99);
	close(file);
}

static pid_t start_with(const char *path, const char *preload, int in_fd, int out_fd,
			const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { (char *)(uintptr_t)path };
	pid_t pid;

	for (int i = 0; args[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	unlink(tree_path("log"));
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	if (in_fd >= 0)
		dup2(in_fd, STDIN_FILENO);
	else
		redirect(STDIN_FILENO, "in", O_RDONLY);
	if (out_fd >= 0)
		dup2(out_fd, STDOUT_FILENO);
	else
		redirect(STDOUT_FILENO, "out", O_WRONLY | O_CREAT | O_TRUNC);
	redirect(STDERR_FILENO, "err", O_WRONLY | O_CREAT | O_TRUNC);
	if (run_terminal >= 0)
		dup2(run_terminal, STDERR_FILENO);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	setenv("FAKE_MPP_LOG", tree_path("log"), 1);
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	signal(SIGPIPE, SIG_DFL);
	alarm(30);
	execv(argv[0], argv);
	_exit(98);
}

pid_t start(int in_fd, int out_fd, const char *const *args)
{
	return start_with(getenv("MOVEPHYS"), getenv("FAKE_DEVICE"), in_fd, out_fd, args);
}

pid_t start_program(const char *path, int in_fd, int out_fd, const char *const *args)
{
	return start_with(path, NULL, in_fd, out_fd, args);
}

void finish(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	read_whole("out", run.out);
	read_whole("err", run.err);
	read_whole("log", run.log);
}

size_t count(const char *text, const char *part)
{
	size_t nr = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		nr++;
	return nr;
}

long long json_number(const char *path)
{
	struct json_object *root = json_tokener_parse(run.out), *at = root;
	char copy[128];
	long long value;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok(copy, "."); key && at; key = strtok(NULL, "."))
		if (!json_object_object_get_ex(at, key, &at))
			at = NULL;
	value = at ? json_object_get_int64(at) : -1;
	json_object_put(root);
	return value;
}

int run_begin(void)
{
	if (!getenv("MOVEPHYS") || !getenv("FAKE_DEVICE")) {
		fputs("MOVEPHYS and FAKE_DEVICE are to be set: run it by `meson test`\n", stderr);
		return EXIT_FAILURE;
	}
	if (numa_available() < 0) {
		puts("1..0 # SKIP this kernel has no NUMA support");
		return EXIT_SUCCESS;
	}
	/* The stand-in is preloaded, so the sanitizers' library comes second. */
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	tree_make();
	tree_write("in", "");
	return -1;
}
