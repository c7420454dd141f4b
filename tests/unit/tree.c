// SPDX-License-Identifier: GPL-2.0-only
#include "tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX / 2];

static void need(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(EXIT_FAILURE);
	}
}

const char *tree_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%s/movephys-unit-XXXXXX", tmp ? tmp : "/tmp");
	need(mkdtemp(root) != NULL, "mkdtemp");
	return root;
}

const char *tree_path(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static const char *with_parents(const char *name)
{
	char dir[PATH_MAX];

	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%s/%.*s", root, (int)(slash - name), name);
		mkdir(dir, 0755);
	}
	return tree_path(name);
}

void tree_write_at(const char *name, uint64_t offset, const void *data, size_t len)
{
	int fd = open(with_parents(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	need(fd >= 0, name);
	need(pwrite(fd, data, len, (off_t)offset) == (ssize_t)len, name);
	close(fd);
}

void tree_write(const char *name, const char *text)
{
	unlink(with_parents(name));
	tree_write_at(name, 0, text, strlen(text));
}

void tree_link(const char *name, const char *target)
{
	need(!symlink(target, with_parents(name)), name);
}

static void add_bytes(const char *name, uint64_t *at, const char *text)
{
	unsigned int byte;
	int used;

	for (; sscanf(text, " %2x%n", &byte, &used) == 1; text += used) {
		unsigned char value = (unsigned char)byte;

		tree_write_at(name, (*at)++, &value, 1);
	}
}

void tree_replay(const char *recording)
{
	FILE *file = fopen(recording, "re");
	char line[1024], text[1040];
	uint64_t nr_bytes = 0;

	need(file != NULL, recording);
	while (fgets(line, sizeof(line), file)) {
		char *name = line + 2, *rest;

		line[strcspn(line, "\n")] = '\0';
		rest = name + strcspn(name, " ");
		if (*rest)
			*rest++ = '\0';
		snprintf(text, sizeof(text), "%s\n", rest);
		if (*line == 'L')
			tree_link(name, rest);
		else if (*line == 'F')
			tree_write(name, text);
		else if (*line == 'X')
			add_bytes(name, &nr_bytes, rest);
	}
	fclose(file);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	(void)info;
	(void)type;
	(void)ftw;
	return remove(path);
}

void tree_remove(void)
{
	if (*root)
		nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	root[0] = '\0';
}
