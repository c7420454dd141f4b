// SPDX-License-Identifier: GPL-2.0-only
/* Lines of text as a source. */
#include <errno.h>
#include <fcntl.h>
#include <movephys.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"
#include "tree.h"

#define NR_MAX	16

static struct mpp_source *open_text(const void *text, size_t len, unsigned int flags)
{
	struct mpp_source *src = NULL;

	unlink(tree_path("list"));
	tree_write_at("list", 0, text, len);
	CHECK_INT(mpp_text_open(tree_path("list"), flags, &src), 0);
	return src;
}

static struct mpp_source *open_string(const char *text)
{
	return open_text(text, strlen(text), 0);
}

/* Reads to the end; bad lines are counted, and their texts joined in @errors. */
static size_t read_all(struct mpp_source *src, size_t nr_step, struct mpp_record *records,
		       size_t *nr_bad, char *errors, size_t errors_size)
{
	size_t nr = 0;

	*nr_bad = 0;
	errors[0] = '\0';
	for (;;) {
		struct mpp_record some[NR_MAX];
		int got = mpp_source_read(src, nr_step, some);

		if (got == -EBADMSG) {
			size_t used = strlen(errors);

			snprintf(errors + used, errors_size - used, "%s|",
				 mpp_source_error(src));
			++*nr_bad;
			continue;
		}
		if (got <= 0) {
			CHECK_INT(got, 0);
			return nr;
		}
		for (int i = 0; i < got; i++, nr++)
			if (nr < NR_MAX)
				records[nr] = some[i];
	}
}

static void reads_lines(void)
{
	static const char text[] =
		"# a list\n"
		"0x1000\n"
		"\n"
		"   \t \r\n"
		"  0x2000-0x4000  # with a comment\r\n"
		"0x5000+8k#comment\n"
		"#0x6000\n"
		"0x7000\n"
		"# no newline at the end";
	static const uint64_t addrs[] = { 0x1000, 0x2000, 0x5000, 0x7000 };
	static const uint64_t sizes[] = { 1, 0x2000, 8192, 1 };
	struct mpp_record records[NR_MAX];
	char errors[1024];
	size_t nr_bad;

	for (size_t step = 1; step <= 5; step++) {
		struct mpp_source *src = open_string(text);

		CHECK_INT(read_all(src, step, records, &nr_bad, errors, sizeof(errors)), 4);
		CHECK_INT(nr_bad, 0);
		for (size_t i = 0; i < 4; i++) {
			CHECK_INT(records[i].addr, addrs[i]);
			CHECK_INT(records[i].size_bytes, sizes[i]);
		}
		CHECK_INT(mpp_source_read(src, 1, records), 0);
		mpp_source_unref(src);
	}
}

/* The address of a line that may be cut short is nobody's; told in its place. */
static void tells_a_cut_line(void)
{
	static const char *const texts[] = {
		"0x1000\n0x2000", "0x1000\n\t0x2000  \r", "0x1000\n0x2000 3 7.5",
		"0x1000\n0x2000 # comment",
	};
	struct mpp_record records[NR_MAX];
	char errors[1024];
	size_t nr_bad;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t step = 1; step <= 3; step++) {
			struct mpp_source *src = open_string(texts[i]);

			CHECK_INT(read_all(src, step, records, &nr_bad, errors, sizeof(errors)), 1);
			CHECK_INT(nr_bad, 1);
			CHECK_INT(records[0].addr, 0x1000);
			CHECK_HAS(errors, "list:2: \"0x2000");
			CHECK_HAS(errors, "the last line has no newline");
			mpp_source_unref(src);
		}
}

static void reports_bad_lines(void)
{
	static const char text[] = "0x1000\n42\n0x2000\n\x1b[31mred\n\n0x3000 x\n0x4000\n9";
	struct mpp_record records[NR_MAX];
	char errors[1024];
	size_t nr_bad;

	for (size_t step = 1; step <= NR_MAX; step += 5) {
		struct mpp_source *src = open_string(text);

		CHECK_INT(read_all(src, step, records, &nr_bad, errors, sizeof(errors)), 3);
		CHECK_INT(nr_bad, 4);
		CHECK_HAS(errors, "list:2: \"42\": a bare number");
		CHECK_HAS(errors, "list:4: \"?[31mred\": not an address");
		CHECK_HAS(errors, "list:6: \"0x3000 x\": not a weight");
		CHECK_HAS(errors, "list:8: \"9\": a bare number");
		CHECK(!strchr(errors, '\x1b'));
		CHECK_INT(records[2].addr, 0x4000);
		mpp_source_unref(src);
	}
}

static void survives_zero_bytes(void)
{
	static const char text[] = "0x1000\n0x20\0" "00\n0x3000\n\0\n0x5000\n\0";
	struct mpp_record records[NR_MAX];
	char errors[1024];
	size_t nr_bad;
	struct mpp_source *src = open_text(text, sizeof(text) - 1, 0);

	CHECK_INT(read_all(src, 4, records, &nr_bad, errors, sizeof(errors)), 3);
	CHECK_INT(nr_bad, 3);
	CHECK_HAS(errors, "list:2: \"0x20?00\": a zero byte");
	CHECK_HAS(errors, "list:6:");
	mpp_source_unref(src);
}

/* Around the limit of a line and around the size of the buffer. */
static void survives_long_lines(void)
{
	static const size_t lengths[] = { 4095, 4096, 4097, 65535, 65536, 65537, 200000 };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		size_t len = lengths[i];
		char *text = malloc(len + 32);
		struct mpp_record records[NR_MAX];
		char errors[1024];
		size_t nr_bad;
		struct mpp_source *src;

		memcpy(text, "0x1000\n", 7);
		memset(text + 7, ' ', len);
		memcpy(text + 7, "0x2000", 6);
		memcpy(text + 7 + len, "\n0x3000\n5", 9);
		src = open_text(text, len + 16, 0);
		CHECK_INT(read_all(src, 4, records, &nr_bad, errors, sizeof(errors)),
			  len <= 4096 ? 3 : 2);
		CHECK_INT(nr_bad, len <= 4096 ? 1 : 2);
		if (len > 4096)
			CHECK_HAS(errors, "list:2: \"0x2000");
		CHECK_HAS(errors, "list:4: \"5\"");
		mpp_source_unref(src);
		free(text);
	}
}

/* A line cut by the end of the buffer is put together again. */
static void joins_across_buffers(void)
{
	const size_t nr_lines = 20000;
	char *text = malloc(nr_lines * 16);
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	uint64_t expected = 0;
	size_t len = 0;
	int got;

	for (size_t i = 0; i < nr_lines; i++)
		len += (size_t)sprintf(text + len, "0x%zx\n", i << 12);
	src = open_text(text, len, 0);
	while ((got = mpp_source_read(src, NR_MAX, records)) > 0)
		for (int i = 0; i < got; i++, expected += 4096)
			if (records[i].addr != expected)
				tap_fail(__FILE__, __LINE__, "0x%llx, not 0x%llx",
					 (unsigned long long)records[i].addr,
					 (unsigned long long)expected);
	CHECK_INT(got, 0);
	CHECK_INT(expected, nr_lines << 12);
	mpp_source_unref(src);
	free(text);
}

static void opens_what_it_can(void)
{
	struct mpp_source *src = (void *)&src;
	struct mpp_source *untouched = src;

	CHECK_INT(mpp_text_open(tree_path("nothing"), 0, &src), -ENOENT);
	CHECK_INT(mpp_text_open(tree_path("list"), 1u << 31, &src), -EINVAL);
	CHECK_INT(mpp_text_open("/", 0, &src), -EISDIR);
	CHECK(src == untouched);
}

static void reads_frames(void)
{
	static const char text[] = "5\n0x6\n7-9\n";
	struct mpp_source *src = open_text(text, strlen(text), MPP_TEXT_PFN);
	struct mpp_record records[NR_MAX];

	CHECK_INT(mpp_source_read(src, NR_MAX, records), 3);
	CHECK_INT(records[0].addr, 5 * 4096);
	CHECK_INT(records[1].addr, 6 * 4096);
	CHECK_INT(records[2].size_bytes, 2 * 4096);
	mpp_source_unref(src);
}

/* What has come is handed over, though more may come. */
static void does_not_hold_back(void)
{
	struct mpp_record records[NR_MAX];
	struct mpp_source *src;
	int fds[2];

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	CHECK_INT(mpp_text_open_fd(fds[0], "pipe", 0, &src), 0);
	CHECK_INT(mpp_source_ready(src), 0);
	CHECK_INT(write(fds[1], "0x1000\n0x2000\n0x3", 17), 17);
	CHECK_INT(mpp_source_ready(src), 1);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 2);
	CHECK_INT(mpp_source_ready(src), 0);
	CHECK_INT(write(fds[1], "000\n", 4), 4);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 1);
	CHECK_INT(records[0].addr, 0x3000);
	close(fds[1]);
	CHECK_INT(mpp_source_ready(src), 1);
	CHECK_INT(mpp_source_read(src, NR_MAX, records), 0);
	mpp_source_unref(src);
	CHECK_INT(fcntl(fds[0], F_GETFD), FD_CLOEXEC);	/* stays the caller's */
	close(fds[0]);
}

static void *cancel_later(void *src)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	nanosleep(&pause, NULL);
	mpp_source_cancel(src);
	return NULL;
}

static void cancels_a_wait(void)
{
	struct mpp_record record;
	struct mpp_source *src;
	pthread_t thread;
	int fds[2];

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	CHECK_INT(mpp_text_open_fd(fds[0], "pipe", 0, &src), 0);
	CHECK_INT(pthread_create(&thread, NULL, cancel_later, src), 0);
	alarm(10);	/* a wait that is not woken ends the test program */
	CHECK_INT(mpp_source_read(src, 1, &record), -ECANCELED);
	alarm(0);
	CHECK_INT(mpp_source_read(src, 1, &record), -ECANCELED);
	pthread_join(thread, NULL);
	mpp_source_cancel(src);
	mpp_source_unref(src);
	close(fds[0]);
	close(fds[1]);
}

static void has_no_va(void)
{
	struct mpp_source *src = open_string("0x1000\n");
	struct mpp_record record;
	uint64_t va = 7;

	CHECK_INT(mpp_source_read(src, 1, &record), 1);
	CHECK_INT(mpp_source_va(src, 0, &va), -ENOTSUP);
	CHECK_INT(va, 7);
	mpp_source_ref(src);
	mpp_source_unref(src);
	CHECK_INT(mpp_source_read(src, 1, &record), 0);
	CHECK(!mpp_source_unref(src));
	CHECK(!mpp_source_unref(NULL));
}

int main(void)
{
	static const struct tap_test tests[] = {
		{ "lines, comments, blanks, CRLF, no newline at the end", reads_lines },
		{ "a last line that may be cut", tells_a_cut_line },
		{ "bad lines are told with their number and passed", reports_bad_lines },
		{ "zero bytes", survives_zero_bytes },
		{ "very long lines", survives_long_lines },
		{ "lines across buffers", joins_across_buffers },
		{ "files that cannot be read", opens_what_it_can },
		{ "frame numbers", reads_frames },
		{ "a pipe's records are not held back", does_not_hold_back },
		{ "cancelling wakes a read", cancels_a_wait },
		{ "no virtual addresses; references", has_no_va },
	};
	int status;

	tree_make();
	tree_write("list", "");
	status = tap_main(tests, ARRAY_LEN(tests));
	tree_remove();
	return status;
}
