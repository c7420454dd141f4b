// SPDX-License-Identifier: GPL-2.0-only
#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <movephys.h>

#define READ_MAX	64

char *fuzz_part(struct fuzz_input *in, size_t *len)
{
	static const char mark[] = "--\n";
	const size_t mark_len = sizeof(mark) - 1;
	const uint8_t *end = NULL;
	size_t taken;
	char *part;

	for (size_t i = 0; i + mark_len <= in->left && !end; i++)
		if ((!i || in->at[i - 1] == '\n') && !memcmp(in->at + i, mark, mark_len))
			end = in->at + i;
	*len = end ? (size_t)(end - in->at) : in->left;
	part = malloc(*len + 1);
	if (!part)
		abort();
	memcpy(part, in->at, *len);
	part[*len] = '\0';
	taken = end ? *len + mark_len : *len;
	in->at += taken;
	in->left -= taken;
	return part;
}

static int write_all(const void *data, size_t len)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, len, 0) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET))
		abort();
	return fd;
}

int fuzz_fd(const void *data, size_t len)
{
	return write_all(data, len);
}

const char *fuzz_path(const void *data, size_t len)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", write_all(data, len));
	return path;
}

void fuzz_check_record(const struct mpp_record *record)
{
	FUZZ_CHECK(record->size_bytes > 0);
	FUZZ_CHECK(record->size_bytes - 1 <= UINT64_MAX - record->addr);
	FUZZ_CHECK(record->weight >= 0);	/* no NaN either */
	FUZZ_CHECK(record->reserved == 0);
}

static uint64_t mix(uint64_t sum, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
	return sum;
}

struct fuzz_read fuzz_read_all(struct mpp_source *src, size_t nr_max, size_t nr_reads)
{
	struct fuzz_read read = { 0 };
	struct mpp_record records[READ_MAX];
	const char *error;
	int nr = 1;

	FUZZ_CHECK(nr_max <= READ_MAX);
	while (nr && nr_reads--) {
		nr = mpp_source_read(src, nr_max, records);
		FUZZ_CHECK(nr <= (int)nr_max);
		for (int i = 0; i < nr; i++) {
			fuzz_check_record(&records[i]);
			read.sum = mix(read.sum, &records[i], sizeof(records[i]));
			read.nr_records++;
		}
		if (nr >= 0)
			continue;
		error = mpp_source_error(src);
		/* It is printed on terminals. */
		for (const char *c = error; *c; c++)
			FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
		read.sum = mix(read.sum, error, strlen(error));
		read.nr_bad++;
		if (nr != -EBADMSG)
			break;
	}
	mpp_source_unref(src);
	return read;
}
