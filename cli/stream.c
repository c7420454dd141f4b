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

/* The next records, or 0 when there are none to be had any more; *@status says why. */
static int read_some(struct stream *stream, struct mpp_source *src, size_t nr_max,
		     struct mpp_record *records, int *status)
{
	int nr;

	for (;;) {
		/* Whoever reads the pipe is to have what there is. */
		if (!mpp_source_ready(src))
			fflush(stdout);
		if (output_is_broken())
			return 0;
		nr = mpp_source_read(src, nr_max, records);
		if (nr >= 0)
			return nr;
		if (interrupt_seen())
			return 0;
		if (nr == -EINTR)
			continue;
		*status = EXIT_USAGE;
		complain("%s", *mpp_source_error(src) ? mpp_source_error(src) : strerror(-nr));
		if (nr != -EBADMSG)
			return 0;
		stream->nr_bad++;
	}
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
		for (int i = 0; i < nr; i++)
			stream_record(stream, &records[i], NULL, NULL);
	interrupt_cancels(NULL);
	free(records);
	return interrupt_seen() ? EXIT_SIGNAL + interrupt_seen() : status;
}
