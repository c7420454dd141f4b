// SPDX-License-Identifier: LGPL-2.1-or-later
/* Addresses from lines of text: a file, a pipe, a terminal.  Memory is constant. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define BUFFER_BYTES	65536
#define LINE_MAX_BYTES	4096
#define EXCERPT_BYTES	40

struct text_source {
	struct mpp_source base;
	char *name;
	mpp_line_parse *parse;		/* this, or */
	mpp_line_parse_for *parse_for;	/* this, which gets @parse_arg */
	void *parse_arg;
	unsigned int flags;
	uint64_t nr_records, nr_passed_over;
	int fd;
	bool owns_fd;
	bool at_eof;
	bool skipping;		/* inside a line that was too long */
	uint64_t line;		/* of the last line taken, from 1 */
	size_t pos, end;	/* unread bytes of @buffer */
	char buffer[BUFFER_BYTES];
};

static struct text_source *to_text(struct mpp_source *src)
{
	return container_of(src, struct text_source, base);
}

static void text_free(struct mpp_source *src)
{
	struct text_source *text = to_text(src);

	if (text->owns_fd)
		close(text->fd);
	free(text->name);
	free(text);
}

static bool has_line(const struct text_source *text)
{
	return text->at_eof || memchr(text->buffer + text->pos, '\n', text->end - text->pos);
}

static int text_ready(struct mpp_source *src)
{
	struct text_source *text = to_text(src);

	/* A signal or a failed poll is for the read to report. */
	return has_line(text) || mpp_source_wait(src, text->fd, 0) != 0;
}

/* Gets more bytes behind those that are left; -errno, or 0 also at the end. */
static int refill(struct text_source *text)
{
	ssize_t len;
	int err;

	memmove(text->buffer, text->buffer + text->pos, text->end - text->pos);
	text->end -= text->pos;
	text->pos = 0;

	err = mpp_source_wait(&text->base, text->fd, -1);
	if (err < 0)
		return err;
	len = read(text->fd, text->buffer + text->end, sizeof(text->buffer) - text->end);
	if (len < 0) {
		err = -errno;
		if (err != -EINTR && err != -EAGAIN)
			mpp_source_set_error(&text->base, "%s: %s", text->name, strerror(-err));
		return err;
	}
	text->end += (size_t)len;
	text->at_eof = len == 0;
	return 0;
}

static int bad_line(struct text_source *text, const char *line, size_t len, const char *why)
{
	char excerpt[EXCERPT_BYTES + 1];
	size_t shown = len < EXCERPT_BYTES ? len : EXCERPT_BYTES;

	for (size_t i = 0; i < shown; i++)
		excerpt[i] = line[i] >= ' ' && line[i] < 0x7f ? line[i] : '?';
	excerpt[shown] = '\0';
	mpp_source_set_error(&text->base, "%s:%llu: \"%s%s\": %s", text->name,
			     (unsigned long long)text->line, excerpt, shown < len ? "..." : "",
			     why);
	return -EBADMSG;
}

/*
 * 1 and a record, 0 for a line that holds none, or -EBADMSG.  @is_cut: no newline came
 * behind it.  0x13f4 may then be what is left of 0x13f400000, which is another page.
 */
static int parse_line(struct text_source *text, const char *line, size_t len, bool is_cut,
		      struct mpp_record *record)
{
	const char *comment, *why;
	int result;

	if (len > LINE_MAX_BYTES)
		return bad_line(text, line, len, "the line is longer than 4096 bytes");
	if (memchr(line, '\0', len))
		return bad_line(text, line, len, "a zero byte: this is not text");
	comment = memchr(line, '#', len);
	if (comment && (comment == line || !(text->flags & MPP_LINES_HASH)))
		len = (size_t)(comment - line);
	while (len && mpp_is_blank(line[len - 1]))
		len--;
	while (len && mpp_is_blank(*line)) {
		line++;
		len--;
	}
	if (!len)
		return 0;
	result = text->parse ? text->parse(line, len, text->flags, &why, record) :
		 text->parse_for(text->parse_arg, line, len, &why, record);
	if (result == 0 && is_cut) {
		why = "the last line has no newline, so it may be cut short";
		result = -EBADMSG;
	}
	if (result < 0)
		return bad_line(text, line, len, why);
	if (result == 0)
		text->nr_records++;
	else
		text->nr_passed_over++;
	return !result;
}

/*
 * Takes one whole line out of the buffer.  @records_held: a bad line is left
 * in place when the caller has records to hand over first.
 * 2 when the buffer holds no whole line, else as parse_line().
 */
static int take_line(struct text_source *text, bool records_held, struct mpp_record *record)
{
	char *line = text->buffer + text->pos;
	size_t avail = text->end - text->pos;
	char *newline = memchr(line, '\n', avail);
	size_t len = newline ? (size_t)(newline - line) : avail;
	int result;

	if (text->skipping) {
		text->skipping = !newline && !text->at_eof;
		text->pos += newline ? len + 1 : len;
		return newline ? 0 : 2;
	}
	if (!newline && avail <= LINE_MAX_BYTES && !text->at_eof)
		return 2;
	if (!avail)
		return 2;

	text->line++;
	result = parse_line(text, line, len, !newline, record);
	if (result < 0 && records_held) {
		text->line--;
		return result;
	}
	text->skipping = !newline && !text->at_eof;
	text->pos += newline ? len + 1 : len;
	return result;
}

static int text_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records)
{
	struct text_source *text = to_text(src);
	size_t nr = 0;
	int result;

	while (nr < nr_max) {
		result = take_line(text, nr > 0, &records[nr]);
		if (result == 1) {
			nr++;
		} else if (result < 0) {
			return nr ? (int)nr : result;
		} else if (result == 2) {
			if (text->at_eof)
				break;
			/* What is there must not wait for what may come. */
			if (nr && !mpp_source_wait(&text->base, text->fd, 0))
				break;
			result = refill(text);
			if (result < 0)
				return nr && result != -ECANCELED ? (int)nr : result;
		}
	}
	return (int)nr;
}

static const struct mpp_source_ops text_ops = {
	.read = text_read,
	.ready = text_ready,
	.free = text_free,
};

mpp_line_parse *mpp_lines_parser(const struct mpp_source *src)
{
	return src->ops == &text_ops ? ((const struct text_source *)(const void *)src)->parse : NULL;
}

void mpp_lines_counts(const struct mpp_source *src, uint64_t *nr_records, uint64_t *nr_passed_over)
{
	const struct text_source *text = (const void *)src;

	*nr_records = text->nr_records;
	*nr_passed_over = text->nr_passed_over;
}

int mpp_lines_open_fd(int fd, const char *name, mpp_line_parse *parse, unsigned int flags,
		      struct mpp_source **src)
{
	struct text_source *text;
	struct stat info;
	int err;

	if (!fstat(fd, &info) && S_ISDIR(info.st_mode))
		return -EISDIR;
	text = malloc(sizeof(*text));
	if (!text)
		return -ENOMEM;
	memset(text, 0, offsetof(struct text_source, buffer));
	mpp_source_init(&text->base, &text_ops);
	text->fd = fd;
	text->parse = parse;
	text->flags = flags;
	text->name = strdup(name);
	if (!text->name) {
		err = -ENOMEM;
		goto err_free_text;
	}
	err = mpp_source_init_cancel(&text->base);
	if (err)
		goto err_free_name;
	*src = &text->base;
	return 0;

err_free_name:
	free(text->name);
err_free_text:
	free(text);
	return err;
}

int mpp_lines_open_for(int fd, const char *name, mpp_line_parse_for *parse, void *arg,
		       struct mpp_source **src)
{
	int err = mpp_lines_open_fd(fd, name, NULL, 0, src);

	if (!err) {
		to_text(*src)->parse_for = parse;
		to_text(*src)->parse_arg = arg;
	}
	return err;
}

int mpp_lines_open(const char *path, mpp_line_parse *parse, unsigned int flags,
		   struct mpp_source **src)
{
	struct mpp_source *new;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = mpp_lines_open_fd(fd, path, parse, flags, &new);
	if (err) {
		close(fd);
		return err;
	}
	to_text(new)->owns_fd = true;
	*src = new;
	return 0;
}

int mpp_text_open_fd(int fd, const char *name, unsigned int flags, struct mpp_source **src)
{
	if (flags & ~MPP_TEXT_PFN)
		return -EINVAL;
	return mpp_lines_open_fd(fd, name, mpp_record_parse, flags, src);
}

int mpp_text_open(const char *path, unsigned int flags, struct mpp_source **src)
{
	if (flags & ~MPP_TEXT_PFN)
		return -EINVAL;
	return mpp_lines_open(path, mpp_record_parse, flags, src);
}
