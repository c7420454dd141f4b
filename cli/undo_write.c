// SPDX-License-Identifier: GPL-2.0-only
/* What `move --undo-file` writes, and undo.c reads again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "move.h"

struct undo_writer {
	FILE *file;
	const char *option, *path;
	bool on_disk;		/* a regular file */
	int err;		/* why the first write failed */
	/* The stretch of moved pages that is not written yet: */
	uint64_t old_addr, new_addr, nr_bytes;
	int from;
};

/* A file that holds something else, or will, is not this one's to write. */
static const char *refusal(const struct stat *info, const struct input *in)
{
	struct stat out;

	if (!S_ISREG(info->st_mode))
		return NULL;
	if (input_reads(in, info))
		return "this file is an input of this very move; name another one";
	if (!fstat(STDOUT_FILENO, &out) && out.st_dev == info->st_dev &&
	    out.st_ino == info->st_ino)
		return "the summary goes to this file; name another one";
	if (info->st_size)
		return "this file is not empty, and may be what an earlier move can be undone by; "
		       "name another one, or remove it";
	return NULL;
}

struct undo_writer *undo_create(const char *option, const char *path, const struct input *in)
{
	struct undo_writer *writer = calloc(1, sizeof(*writer));
	const char *why = NULL;
	struct stat info;
	int fd = -1;

	if (writer)
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (fd < 0 || fstat(fd, &info))
		why = strerror(errno);
	else
		why = refusal(&info, in);
	if (!why) {
		writer->file = fdopen(fd, "w");
		why = writer->file ? NULL : strerror(errno);
	}
	if (why) {
		complain("%s %s: %s", option, path, why);
		if (fd >= 0)
			close(fd);
		free(writer);
		return NULL;
	}
	writer->on_disk = S_ISREG(info.st_mode);
	writer->option = option;
	writer->path = path;
	return writer;
}

static void write_stretch(struct undo_writer *writer)
{
	if (!writer->nr_bytes)
		return;
	fprintf(writer->file, "0x%" PRIx64 "+%" PRIu64 " #", writer->new_addr, writer->nr_bytes);
	if (writer->from >= 0)
		fprintf(writer->file, " node=%d", writer->from);
	fprintf(writer->file, " was=0x%" PRIx64 "\n", writer->old_addr);
	writer->nr_bytes = 0;
}

void undo_add(struct undo_writer *writer, uint64_t old_addr, uint64_t new_addr, int from)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	old_addr &= ~(page_bytes - 1);
	new_addr &= ~(page_bytes - 1);
	if (!writer->nr_bytes || old_addr != writer->old_addr + writer->nr_bytes ||
	    new_addr != writer->new_addr + writer->nr_bytes || from != writer->from) {
		write_stretch(writer);
		writer->old_addr = old_addr;
		writer->new_addr = new_addr;
		writer->from = from;
	}
	writer->nr_bytes += page_bytes;
}

int undo_commit(struct undo_writer *writer)
{
	write_stretch(writer);
	if (fflush(writer->file) && !writer->err)
		writer->err = errno;
	if (ferror(writer->file) && !writer->err)
		writer->err = EIO;
	if (writer->on_disk && !writer->err && fdatasync(fileno(writer->file)))
		writer->err = errno;
	return -writer->err;
}

bool undo_finish(struct undo_writer *writer)
{
	bool done;

	if (!writer)
		return true;
	undo_commit(writer);
	if (fclose(writer->file) && !writer->err)
		writer->err = errno;
	done = !writer->err;
	if (!done)
		complain("%s %s: %s", writer->option, writer->path, strerror(writer->err));
	free(writer);
	return done;
}
