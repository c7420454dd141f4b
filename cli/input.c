// SPDX-License-Identifier: GPL-2.0-only
/* Addresses from arguments, files and standard input, one after the other. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"

struct item {
	struct mpp_source *src;		/* NULL: a file of --undo-file, or the record below */
	struct undo *undo;
	int fd;				/* that @src reads; closed unless standard input */
	struct mpp_record record;
};

struct input {
	struct item *items;
	size_t nr_items, pos;
	bool strict;
	uint64_t nr_bad;
	struct feed feed;
};

struct feed *input_feed(struct input *in)
{
	return &in->feed;
}

uint64_t input_nr_bad(const struct input *in)
{
	return in->nr_bad;
}

static int open_stdin(unsigned int text_flags, struct item *item)
{
	int err = mpp_text_open_fd(STDIN_FILENO, "<stdin>", text_flags, &item->src);

	item->fd = STDIN_FILENO;
	if (err)
		complain("standard input: %s", strerror(-err));
	else if (isatty(STDIN_FILENO))
		fputs("movephys: reading addresses from the terminal; Ctrl-D ends\n", stderr);
	return err;
}

static int open_file(const char *path, unsigned int text_flags, struct item *item)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (err == -ENOENT) {
		complain("\"%s\": neither an address (0x...) nor a file", path);
		return err;
	}
	if (!err)
		err = mpp_text_open_fd(fd, path, text_flags, &item->src);
	if (err) {
		complain("\"%s\": %s", path, strerror(-err));
		if (fd >= 0)
			close(fd);
		return err;
	}
	item->fd = fd;
	return 0;
}

static int open_item(const char *arg, unsigned int text_flags, struct item *item)
{
	const char *why;

	if (!strcmp(arg, "-"))
		return open_stdin(text_flags, item);
	if (isdigit((unsigned char)*arg)) {
		int err = mpp_address_parse(arg, strlen(arg), text_flags, &why, &item->record);

		if (err)
			complain("\"%s\": %s", arg, why);
		return err;
	}
	return open_file(arg, text_flags, item);
}

struct input *input_open(int nr_args, char **args, unsigned int text_flags, bool strict)
{
	struct input *in;
	bool stdin_used = false;

	if (!nr_args) {
		usage_error("no addresses: give 0x..., a file, or - for standard input");
		return NULL;
	}
	in = calloc(1, sizeof(*in));
	if (!in || !(in->items = calloc((size_t)nr_args, sizeof(*in->items)))) {
		complain("%s", strerror(ENOMEM));
		free(in);
		return NULL;
	}
	in->strict = strict;
	in->feed.end = 1;
	for (int i = 0; i < nr_args; i++) {
		if (!strcmp(args[i], "-")) {
			if (stdin_used) {
				usage_error("\"-\" is given twice");
				goto err_close;
			}
			stdin_used = true;
		}
		if (open_item(args[i], text_flags, &in->items[in->nr_items]))
			goto err_close;
		in->nr_items++;
	}
	return in;

err_close:
	input_close(in);
	return NULL;
}

struct input *input_open_undo(const char *path, bool strict)
{
	struct input *in = calloc(1, sizeof(*in));

	if (!in || !(in->items = calloc(1, sizeof(*in->items)))) {
		complain("%s", strerror(ENOMEM));
		free(in);
		return NULL;
	}
	in->strict = strict;
	in->feed.end = 1;
	in->nr_items = 1;
	in->items[0].undo = undo_open(path);
	if (!in->items[0].undo) {
		input_close(in);
		return NULL;
	}
	return in;
}

void input_close(struct input *in)
{
	if (!in)
		return;
	interrupt_cancels(NULL);
	for (size_t i = 0; i < in->nr_items; i++) {
		mpp_source_unref(in->items[i].src);
		undo_close(in->items[i].undo);
		if (in->items[i].src && in->items[i].fd != STDIN_FILENO)
			close(in->items[i].fd);
	}
	mpp_nodemap_free(in->feed.map);
	free(in->items);
	free(in);
}

bool input_ready(struct input *in)
{
	struct mpp_source *src = in->pos < in->nr_items ? in->items[in->pos].src : NULL;

	return !src || mpp_source_ready(src);
}

/* As input_read(), for a bad line of a file of --undo-file, told already. */
static int read_undo(struct input *in, struct undo *undo, struct mpp_record *record, int *node)
{
	for (;;) {
		int result = undo_read(undo, record, node);

		if (result != -EBADMSG)
			return result;
		in->nr_bad++;
		if (in->strict)
			return result;
	}
}

static int read_source(struct input *in, struct mpp_source *src, size_t nr_max,
		       struct mpp_record *records)
{
	for (;;) {
		int nr;

		interrupt_cancels(src);
		nr = mpp_source_read(src, nr_max, records);
		interrupt_cancels(NULL);
		if (nr >= 0)
			return nr;
		if (nr == -EINTR && !interrupt_seen())
			continue;
		if (nr == -EINTR || nr == -ECANCELED)
			return -ECANCELED;
		complain("%s", mpp_source_error(src));
		if (nr != -EBADMSG)
			return nr;
		in->nr_bad++;
		if (in->strict)
			return nr;
		/* The next read goes on behind the bad line. */
	}
}

int input_read(struct input *in, size_t nr_max, struct mpp_record *records, int *nodes)
{
	while (in->pos < in->nr_items) {
		struct item *item = &in->items[in->pos];
		int nr;

		if (item->undo) {
			nr = read_undo(in, item->undo, records, nodes);
		} else if (item->src) {
			nr = read_source(in, item->src, nr_max, records);
			for (int i = 0; i < nr; i++)
				nodes[i] = -1;
		} else {
			records[0] = item->record;
			nodes[0] = -1;
			in->pos++;
			return 1;
		}
		if (nr)
			return nr;
		in->pos++;
	}
	return 0;
}

bool input_reads(const struct input *in, const struct stat *file)
{
	for (size_t i = 0; i < in->nr_items; i++) {
		const struct item *item = &in->items[i];
		int fd = item->undo ? undo_fd(item->undo) : item->fd;
		struct stat info;

		if (!item->undo && !item->src)
			continue;
		if (!fstat(fd, &info) && info.st_dev == file->st_dev &&
		    info.st_ino == file->st_ino)
			return true;
	}
	return false;
}

/* Bytes of a file, and how many of them are read; false where that is not known. */
static bool file_position(const struct item *item, off_t *at, off_t *size)
{
	int fd = item->undo ? undo_fd(item->undo) : item->fd;
	struct stat info;

	*at = item->undo ? undo_position(item->undo) : lseek(fd, 0, SEEK_CUR);
	if (*at < 0 || fstat(fd, &info) || !S_ISREG(info.st_mode))
		return false;
	*size = info.st_size;
	return true;
}

static uint64_t pages_of(const struct mpp_record *record)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	return (record->addr + (record->size_bytes - 1)) / page_bytes -
	       record->addr / page_bytes + 1;
}

/* Of arguments by pages, of files by bytes; of both together it is not known. */
double input_part_done(const struct input *in)
{
	off_t nr_read = 0, nr_bytes = 0, at, size;
	uint64_t nr_pages = 0;

	for (size_t i = 0; i < in->nr_items; i++) {
		const struct item *item = &in->items[i];

		if (!item->undo && !item->src) {
			nr_pages += pages_of(&item->record);
			continue;
		}
		if (!file_position(item, &at, &size))
			return -1;
		nr_read += at;
		nr_bytes += size;
	}
	if (!nr_pages == !nr_bytes)
		return -1;
	return nr_pages ? (double)in->feed.nr_pages / (double)nr_pages :
	       (double)nr_read / (double)nr_bytes;
}
