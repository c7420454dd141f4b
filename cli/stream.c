// SPDX-License-Identifier: GPL-2.0-only
/* A source's records on standard output, as lines or as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

#define READ_RECORDS	1024

static void print_json(const struct mpp_record *record, const char *key, const char *value)
{
	char line[MPP_RECORD_TEXT_MAX];
	struct mpp_record numbers = { .weight = record->weight, .time_ns = record->time_ns };
	char *weight, *end;

	/* The columns behind the address, by the one code that writes numbers. */
	if (record->weight != 1 || record->time_ns) {
		mpp_record_format(&numbers, line);
		weight = strchr(line, ' ') + 1;
		end = weight + strcspn(weight, " \n");
		*end = '\0';
	} else {
		weight = strcpy(line, "1");
	}
	printf("{\"address\":\"0x%" PRIx64 "\",\"size\":%" PRIu64 ",\"weight\":%s",
	       record->addr, record->size_bytes, weight);
	if (record->time_ns)
		printf(",\"time_ns\":%" PRIu64, record->time_ns);
	printf(",\"source\":\"%s\"", mpp_source_name(record->source));
	if (key)
		printf(",\"%s\":\"%s\"", key, value);
	puts("}");
}

void stream_record(struct stream *stream, const struct mpp_record *record, const char *key,
		   const char *value)
{
	char line[MPP_RECORD_TEXT_MAX];
	size_t len;

	stream->nr_records++;
	stream->nr_bytes += record->size_bytes;
	if (stream->json) {
		print_json(record, key, value);
		return;
	}
	len = mpp_record_format(record, line);
	if (!key) {
		fwrite_unlocked(line, 1, len, stdout);
		return;
	}
	fwrite_unlocked(line, 1, len - 1, stdout);
	printf(" # %s=%s\n", key, value);
}

/* After a failed read: whether to go on. */
static bool go_on(struct stream *stream, struct mpp_source *src, int err, int *status)
{
	const char *text = *mpp_source_error(src) ? mpp_source_error(src) : strerror(-err);

	if (interrupt_seen())
		return false;
	if (err == -EINTR)
		return true;
	if (stream->forgives && stream->forgives(stream, err, text))
		return true;
	*status = EXIT_USAGE;
	complain("%s%s", text, root_remedy(err == -EPERM));
	if (err != -EBADMSG)
		return false;
	stream->nr_bad++;
	return true;
}

/* The next records, or 0 when there are none to be had any more; *@status says why. */
static int read_some(struct stream *stream, struct mpp_source *src, size_t nr_max,
		     struct mpp_record *records, int *status)
{
	int nr;

	do {
		/* Whoever reads the pipe is to have what there is. */
		if (!mpp_source_ready(src))
			fflush(stdout);
		if (output_is_broken())
			return 0;
		nr = mpp_source_read(src, nr_max, records);
	} while (nr < 0 && go_on(stream, src, nr, status));
	return nr < 0 ? 0 : nr;
}

int stream_source(struct stream *stream, struct mpp_source *src)
{
	struct mpp_record *records = calloc(READ_RECORDS, sizeof(*records));
	int status = EXIT_DONE;
	int nr;

	if (!records) {
		complain("%s", strerror(ENOMEM));
		return EXIT_USAGE;
	}
	interrupt_catch();
	interrupt_cancels(src);
	while ((nr = read_some(stream, src, READ_RECORDS, records, &status)) > 0)
		for (int i = 0; i < nr; i++) {
			if (stream->take)
				stream->take(stream, src, (size_t)i, &records[i]);
			else
				stream_record(stream, &records[i], NULL, NULL);
		}
	interrupt_cancels(NULL);
	free(records);
	return interrupt_seen() ? EXIT_SIGNAL + interrupt_seen() : status;
}
