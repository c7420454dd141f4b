// SPDX-License-Identifier: GPL-2.0-only
/* The program in move_phys_pages(2), which the Makefile takes out of the page. */
#include "harness.h"

#include <sys/wait.h>

/* Its main(). */
int man_example(int argc, char *argv[]);

#define NR_PAGES 4

/* Runs it for a target; what it prints, and its exit status. */
static char *example(int node, int *exit_status)
{
	static char text[2048];
	char number[16], *argv[] = { "example", number, NULL };
	int pipe_fd[2], wstatus;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", node);
	MUST(pipe(pipe_fd));
	pid = MUST(fork());
	if (pid == 0) {
		dup2(pipe_fd[1], STDOUT_FILENO);
		exit(man_example(2, argv));
	}
	close(pipe_fd[1]);
	while ((got = read(pipe_fd[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += got;
	text[len] = '\0';
	close(pipe_fd[0]);
	MUST(waitpid(pid, &wstatus, 0));
	CHECK(WIFEXITED(wstatus), "wait status %#x", wstatus);
	*exit_status = WEXITSTATUS(wstatus);
	return text;
}

static void expect_line(const char *line, int page, int from, int to)
{
	unsigned long long old_phys, new_phys;
	int nr, was, is;

	CHECK(sscanf(line, "page %d: %llx on node %d -> %llx on node %d", &nr, &old_phys, &was,
		     &new_phys, &is) == 5, "'%s'", line);
	CHECK_EQ(nr, page);
	CHECK_EQ(was, from);
	CHECK_EQ(is, to);
	CHECK_EQ(node_of_phys(old_phys), from);
	CHECK_EQ(node_of_phys(new_phys), to);
	CHECK_NE(old_phys, new_phys);
}

/* It has no policy of its own, so its pages come from the node that has the CPUs. */
TEST(example, of_the_manual_page)
{
	int from = fast_node(), to = slow_node(), exit_status = 1;
	char *text = NULL, *line, *save, want[64];

	if (!door_present())
		mpp(0, NULL, NULL, NULL, 0, NULL);
	for (int i = 0; i < 10 && exit_status; i++)
		text = example(to, &exit_status);
	CHECK(exit_status == 0, "it exits with %d and says '%s'", exit_status, text);
	line = strtok_r(text, "\n", &save);
	for (int page = 0; page < NR_PAGES; page++, line = strtok_r(NULL, "\n", &save)) {
		CHECK(line, "it says nothing of page %d", page);
		expect_line(line, page, from, to);
	}
	snprintf(want, sizeof(want), "%d of %d are on node %d", NR_PAGES, NR_PAGES, to);
	CHECK(line && !strcmp(line, want), "'%s' instead of '%s'", line ? line : "", want);
	CHECK(!strtok_r(NULL, "\n", &save), "it says more than that");
}
