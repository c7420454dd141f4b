// SPDX-License-Identifier: GPL-2.0-only
/*
 * mpp-holder: holds memory of a node whose every 256 bytes tell what they are,
 * runs a command meanwhile, and then tells whether they still say so and where
 * they are now.
 *
 *	mpp-holder --node N --pages P [--thp] [--touch] [--expect N --least P] -- CMD ARGS...
 *
 * The command finds MPP_HOLDER_PID, MPP_HOLDER_START and MPP_HOLDER_BYTES (of
 * virtual memory) in its environment.  A stamp names the physical address at which
 * it was written, so that whoever finds it in a device's own memory knows where
 * the processor saw it.  --touch keeps reading all of the memory.
 *
 * Ends with the command's status; with 1 when contents changed, or when fewer than
 * --least pages are on the node that --expect names.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stamp.h"

#define PAGE_BYTES	4096ul
#define STAMPS		(PAGE_BYTES / STAMP_BYTES)	/* in a page */
#define HUGE_BYTES	(2ul << 20)
#define BIND		2				/* MPOL_BIND */

static struct {
	int node, expect_node;
	unsigned long nr_pages, least_pages;
	int thp, touch;
} options = { .node = -1, .expect_node = -1 };

static struct stamp *memory;
static uint64_t *addresses;	/* of each page, when it was stamped */
static atomic_bool stop_touching;

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "mpp-holder: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void __attribute__((noreturn)) usage(void)
{
	fputs("usage: mpp-holder --node N --pages P [--thp] [--touch] [--expect N --least P] "
	      "-- CMD...\n", stderr);
	exit(2);
}

static void map_memory(void)
{
	unsigned long bytes = options.nr_pages * PAGE_BYTES;
	unsigned long mask[16] = { 0 };
	char *start = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		fail("mmap");
	start += HUGE_BYTES - (uintptr_t)start % HUGE_BYTES;
	madvise(start, bytes, options.thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	mask[options.node / 64] = 1ul << options.node % 64;
	if (syscall(SYS_mbind, start, bytes, BIND, mask, sizeof(mask) * 8, 0))
		fail("mbind");
	for (unsigned long at = 0; at < bytes; at += PAGE_BYTES)
		*(volatile char *)(start + at) = 1;
	/* It may leave again: a policy would keep it here. */
	if (syscall(SYS_mbind, start, bytes, 0, NULL, 0, 0))
		fail("mbind");
	memory = (struct stamp *)start;
}

static void read_addresses(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t bytes = options.nr_pages * sizeof(*addresses);

	addresses = malloc(bytes);
	if (fd < 0 || !addresses ||
	    pread(fd, addresses, bytes, (off_t)((uintptr_t)memory / PAGE_BYTES * 8)) !=
	    (ssize_t)bytes)
		fail("/proc/self/pagemap");
	close(fd);
	for (unsigned long i = 0; i < options.nr_pages; i++)
		addresses[i] = (addresses[i] & ((1ull << 55) - 1)) * PAGE_BYTES;
}

static void write_stamps(void)
{
	for (unsigned long i = 0; i < options.nr_pages * STAMPS; i++) {
		struct stamp *stamp = &memory[i];

		stamp->index = i;
		stamp->address = addresses[i / STAMPS] + i % STAMPS * STAMP_BYTES;
		for (unsigned int word = 0; word < STAMP_WORDS; word++)
			stamp->filler[word] = stamp_filler(i, word);
		stamp->magic = STAMP_MAGIC;
	}
}

static unsigned long nr_intact_pages(void)
{
	unsigned long nr = 0;

	for (unsigned long page = 0; page < options.nr_pages; page++) {
		unsigned long good = 0;

		for (unsigned long i = page * STAMPS; i < (page + 1) * STAMPS; i++)
			good += stamp_is_whole(&memory[i]) && memory[i].index == i &&
				memory[i].address ==
					addresses[page] + i % STAMPS * STAMP_BYTES;
		nr += good == STAMPS;
	}
	return nr;
}

static unsigned long nr_pages_on(int node)
{
	unsigned long nr = 0;

	for (unsigned long i = 0; i < options.nr_pages; i++) {
		void *page = (char *)memory + i * PAGE_BYTES;
		int status = -1;

		if (syscall(SYS_move_pages, 0, 1ul, &page, NULL, &status, 0))
			fail("move_pages");
		nr += status == node;
	}
	return nr;
}

static void *touch(void *unused)
{
	(void)unused;
	while (!atomic_load(&stop_touching))
		for (unsigned long i = 0; i < options.nr_pages * STAMPS; i += STAMPS)
			(void)*(volatile uint64_t *)&memory[i].magic;
	return NULL;
}

static int run_command(char **argv)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (!pid) {
		char text[3][32];

		snprintf(text[0], sizeof(text[0]), "%d", (int)getppid());
		snprintf(text[1], sizeof(text[1]), "0x%lx", (unsigned long)memory);
		snprintf(text[2], sizeof(text[2]), "%lu", options.nr_pages * PAGE_BYTES);
		setenv("MPP_HOLDER_PID", text[0], 1);
		setenv("MPP_HOLDER_START", text[1], 1);
		setenv("MPP_HOLDER_BYTES", text[2], 1);
		execvp(argv[0], argv);
		fail(argv[0]);
	}
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text)
		usage();
	return value;
}

static void take_options(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "node", required_argument, NULL, 'n' },
		{ "pages", required_argument, NULL, 'p' },
		{ "thp", no_argument, &options.thp, 1 },
		{ "touch", no_argument, &options.touch, 1 },
		{ "expect", required_argument, NULL, 'e' },
		{ "least", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		if (opt == 'n')
			options.node = (int)number(optarg);
		else if (opt == 'p')
			options.nr_pages = number(optarg);
		else if (opt == 'e')
			options.expect_node = (int)number(optarg);
		else if (opt == 'l')
			options.least_pages = number(optarg);
		else if (opt)
			usage();
	}
	if (options.node < 0 || options.node >= 1024 || !options.nr_pages || optind == argc)
		usage();
}

int main(int argc, char **argv)
{
	unsigned long intact, there = 0;
	pthread_t toucher;
	int status;

	take_options(argc, argv);
	map_memory();
	read_addresses();
	write_stamps();
	if (options.touch && pthread_create(&toucher, NULL, touch, NULL))
		fail("pthread_create");
	status = run_command(argv + optind);
	if (options.touch) {
		atomic_store(&stop_touching, true);
		pthread_join(toucher, NULL);
	}
	intact = nr_intact_pages();
	printf("holder: %lu of %lu pages intact", intact, options.nr_pages);
	if (options.expect_node >= 0) {
		there = nr_pages_on(options.expect_node);
		printf(", %lu on node %d", there, options.expect_node);
	}
	putchar('\n');
	if (!status && (intact != options.nr_pages || there < options.least_pages))
		status = 1;
	return status;
}
