// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `move --undo-file` has written, read again: where moved pages are now, and
 * in a comment the node that they came from.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "input.h"

struct undo {
	FILE *file;
	char *path;
	char *line;		/* getline()'s */
	size_t line_size;
	bool is_cut;		/* the line has no newline: it is the last one */
	uint64_t nr_lines;
};

struct undo *undo_open(const char *path)
{
	struct undo *undo = calloc(1, sizeof(*undo));
	struct stat info;
	int err = ENOMEM;

	if (undo && (undo->path = strdup(path))) {
		undo->file = fopen(path, "re");
		err = !undo->file ? errno :
		      !fstat(fileno(undo->file), &info) && S_ISDIR(info.st_mode) ? EISDIR : 0;
	}
	if (!err)
		return undo;
	complain("--undo %s: %s", path, strerror(err));
	undo_close(undo);
	return NULL;
}

void undo_close(struct undo *undo)
{
	if (!undo)
		return;
	if (undo->file)
		fclose(undo->file);
	free(undo->path);
	free(undo->line);
	free(undo);
}

int undo_fd(const struct undo *undo)
{
	return fileno(undo->file);
}

off_t undo_position(const struct undo *undo)
{
	return ftello(undo->file);
}

/* 1 and a record, 0 for a line without one, or -EBADMSG after a complaint. */
static int parse(const struct undo *undo, struct mpp_record *record, int *node)
{
	char *comment = strchr(undo->line, '#');
	size_t len = comment ? (size_t)(comment - undo->line) : strlen(undo->line);
	char *text = comment ? strstr(comment, "node=") : NULL;
	const char *why = "no \"# node=N\" on the line: this is no file of --undo-file";
	uint64_t number = 0;

	if (strspn(undo->line, " \t\r\n") >= len)
		return 0;
	if (text)
		text[strcspn(text, " \t\r\n")] = '\0';
	if (text && parse_count(text + 5, 65535, &number))
		text = NULL;
	while (len && strchr(" \t\r\n", undo->line[len - 1]))
		len--;
	if (!mpp_record_parse(undo->line, len, 0, &why, record) && text && !undo->is_cut) {
		*node = (int)number;
		return 1;
	}
	if (undo->is_cut)
		why = "the last line has no newline, so it may be cut short";
	complain("%s:%llu: %s", undo->path, (unsigned long long)undo->nr_lines, why);
	return -EBADMSG;
}

int undo_read(struct undo *undo, struct mpp_record *record, int *node)
{
	ssize_t len;
	int result;

	for (;;) {
		errno = 0;
		len = getline(&undo->line, &undo->line_size, undo->file);
		if (len < 0) {
			if (!ferror(undo->file))
				return 0;
			complain("--undo %s: %s", undo->path, strerror(errno));
			return errno ? -errno : -EIO;
		}
		undo->nr_lines++;
		undo->is_cut = undo->line[len - 1] != '\n';
		result = parse(undo, record, node);
		if (result)
			return result;
	}
}
