// SPDX-License-Identifier: GPL-2.0-only
/* Addresses from arguments, files and standard input, one after the other. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"

struct item {
	struct mpp_source *src;		/* NULL: the record below */
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

static int open_stdin(unsigned int text_flags, struct mpp_source **src)
{
	int err = mpp_text_open_fd(STDIN_FILENO, "<stdin>", text_flags, src);

	if (err)
		complain("standard input: %s", strerror(-err));
	else if (isatty(STDIN_FILENO))
		fputs("movephys: reading addresses from the terminal; Ctrl-D ends\n", stderr);
	return err;
}

static int open_file(const char *path, unsigned int text_flags, struct mpp_source **src)
{
	struct stat info;
	int err = mpp_text_open(path, text_flags, src);

	if (err == -ENOENT) {
		complain("\"%s\": neither an address (0x...) nor a file", path);
		return err;
	}
	if (!err && !stat(path, &info) && S_ISDIR(info.st_mode)) {
		*src = mpp_source_unref(*src);
		err = -EISDIR;
	}
	if (err)
		complain("\"%s\": %s", path, strerror(-err));
	return err;
}

static int open_item(const char *arg, unsigned int text_flags, struct item *item)
{
	const char *why;

	if (!strcmp(arg, "-"))
		return open_stdin(text_flags, &item->src);
	if (isdigit((unsigned char)*arg)) {
		int err = mpp_address_parse(arg, strlen(arg), text_flags, &why, &item->record);

		if (err)
			complain("\"%s\": %s", arg, why);
		return err;
	}
	return open_file(arg, text_flags, &item->src);
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

void input_close(struct input *in)
{
	if (!in)
		return;
	interrupt_cancels(NULL);
	for (size_t i = 0; i < in->nr_items; i++)
		mpp_source_unref(in->items[i].src);
	free(in->items);
	free(in);
}

bool input_ready(struct input *in)
{
	struct mpp_source *src = in->pos < in->nr_items ? in->items[in->pos].src : NULL;

	return !src || mpp_source_ready(src);
}

int input_read(struct input *in, size_t nr_max, struct mpp_record *records)
{
	while (in->pos < in->nr_items) {
		struct item *item = &in->items[in->pos];
		int nr;

		if (!item->src) {
			records[0] = item->record;
			in->pos++;
			return 1;
		}
		interrupt_cancels(item->src);
		nr = mpp_source_read(item->src, nr_max, records);
		interrupt_cancels(NULL);
		if (nr > 0)
			return nr;
		if (!nr) {
			in->pos++;
			continue;
		}
		if (nr == -EINTR && !interrupt_seen())
			continue;
		if (nr == -EINTR || nr == -ECANCELED)
			return -ECANCELED;
		complain("%s", mpp_source_error(item->src));
		if (nr != -EBADMSG)
			return nr;
		in->nr_bad++;
		if (in->strict)
			return nr;
		/* The next read goes on behind the bad line. */
	}
	return 0;
}
