// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Idle page tracking: mark all pages idle, wait, read who still is.
 *
 * The kernel keeps one bit per folio and shows it at the first frame; at other
 * frames of the folio, and at frames that are no user's page, the bit reads 0.
 * So /proc/kpageflags is asked which frames have a bit at all, and how far the
 * folio goes.  See Documentation/admin-guide/mm/idle_page_tracking.rst.
 *
 * The marks are the kernel's, which makes two sweeps over any amount of memory
 * possible without a list of pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kpage.h"
#include "memory.h"

#define PIECE_FRAMES	16384	/* 64 MiB, 2 KiB of the bitmap */
#define SAMPLE_FRAMES	512	/* whole huge pages, each begun and ended */
#define WORD_FRAMES	64	/* the bitmap is read and written in such words */
#define NS_PER_S	UINT64_C(1000000000)
#define NS_PER_MS	UINT64_C(1000000)

enum phase {
	PHASE_MARK,
	PHASE_WAIT,
	PHASE_READ,
	PHASE_DONE,
};

struct idle_source {
	struct mpp_source base;
	struct mpp_idle_options options;
	struct mpp_memory *memory;
	struct mpp_kpage kpage;
	int bitmap_fd;
	unsigned int page_shift;
	int failure;
	enum phase phase;
	uint64_t round;
	uint64_t deadline_ns;		/* end of the wait */
	uint64_t start_ns, start_cpu_ns; /* of the sweep that is going on */
	/* The sweep: */
	size_t range;			/* index into memory->ranges */
	uint64_t next_pfn;		/* 0 at the start of a range, as frame 0 is never RAM */
	/* The piece that is being read: */
	uint64_t piece_pfn, piece_ns;
	size_t pos, nr;			/* frames of it that are looked at, and all */
	size_t nr_in_bitmap;
	uint64_t bitmap[PIECE_FRAMES / WORD_FRAMES + 1];
	uint64_t flags[PIECE_FRAMES];
};

static struct idle_source *to_idle(struct mpp_source *src)
{
	return container_of(src, struct idle_source, base);
}

static void idle_free(struct mpp_source *src)
{
	struct idle_source *idle = to_idle(src);

	mpp_memory_free(idle->memory);
	mpp_kpage_close(&idle->kpage);
	if (idle->bitmap_fd >= 0)
		close(idle->bitmap_fd);
	free(idle);
}

static uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- Sweeping: which frames, and how fast ---- */

static void sweep_begin(struct idle_source *idle)
{
	idle->range = 0;
	idle->next_pfn = 0;
	idle->pos = idle->nr = 0;
	idle->start_ns = clock_now(CLOCK_MONOTONIC);
	idle->start_cpu_ns = clock_now(CLOCK_THREAD_CPUTIME_ID);
}

/* The same answer in both sweeps of a round, another one in the next round. */
static bool is_sampled(const struct idle_source *idle, uint64_t pfn)
{
	uint64_t x = pfn / SAMPLE_FRAMES + (idle->options.seed ^ idle->round << 40);

	/* The finalizer of MurmurHash3: neighbours must not be alike. */
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	x ^= x >> 33;
	return idle->options.sample < 2 || x % idle->options.sample == 0;
}

/* The next frames of the sweep, cut where folios end; false when it is over. */
static bool next_piece(struct idle_source *idle, uint64_t *pfn, size_t *nr)
{
	const uint64_t step = idle->options.sample > 1 ? SAMPLE_FRAMES : PIECE_FRAMES;

	while (idle->range < idle->memory->nr_ranges) {
		const struct mpp_memory_range *range = &idle->memory->ranges[idle->range];
		uint64_t start = range->start >> idle->page_shift;
		uint64_t last = range->last >> idle->page_shift, end;

		if (idle->next_pfn > start)
			start = idle->next_pfn;
		if (start > last) {
			idle->range++;
			idle->next_pfn = 0;
			continue;
		}
		end = (start / step + 1) * step;
		if (end > last + 1)
			end = last + 1;
		idle->next_pfn = end;
		if (!is_sampled(idle, start))
			continue;
		*pfn = start;
		*nr = (size_t)(end - start);
		return true;
	}
	return false;
}

/* Sleeps off what the sweep has used of the CPU beyond its share. */
static int throttle(struct idle_source *idle)
{
	uint64_t cpu_ns, wall_ns, due_ns;

	if (idle->options.cpu_percent == 100)
		return 0;
	cpu_ns = clock_now(CLOCK_THREAD_CPUTIME_ID) - idle->start_cpu_ns;
	wall_ns = clock_now(CLOCK_MONOTONIC) - idle->start_ns;
	due_ns = cpu_ns / idle->options.cpu_percent * 100;
	if (due_ns < wall_ns + NS_PER_MS)
		return 0;
	due_ns = (due_ns - wall_ns) / NS_PER_MS;
	return mpp_source_wait(&idle->base, -1, due_ns < INT_MAX ? (int)due_ns : INT_MAX);
}

/* ---- The bitmap ---- */

/* Words that hold the bits of [pfn, pfn + nr), of which the first may begin before. */
static size_t nr_words(uint64_t pfn, size_t nr)
{
	return (size_t)((pfn % WORD_FRAMES + nr + WORD_FRAMES - 1) / WORD_FRAMES);
}

static off_t word_offset(uint64_t pfn)
{
	return (off_t)(pfn / WORD_FRAMES * sizeof(uint64_t));
}

static int mark_piece(struct idle_source *idle, uint64_t pfn, size_t nr)
{
	size_t words = nr_words(pfn, nr), len = words * sizeof(uint64_t), done = 0;
	unsigned int head = pfn % WORD_FRAMES, tail = (unsigned int)((pfn + nr) % WORD_FRAMES);

	memset(idle->bitmap, 0xff, len);
	idle->bitmap[0] &= UINT64_MAX << head;
	if (tail)
		idle->bitmap[words - 1] &= ~(UINT64_MAX << tail);
	while (done < len) {
		ssize_t written = pwrite(idle->bitmap_fd, (char *)idle->bitmap + done, len - done,
					 word_offset(pfn) + (off_t)done);

		if (written < 0 && errno == EINTR)
			continue;
		/* Beyond the last frame: memory that has been taken out. */
		if (written < 0 && errno == ENXIO)
			break;
		if (written < 0)
			return -errno;
		/* A word that the last frame cuts short takes effect, but is not counted. */
		if (!written)
			break;
		done += (size_t)written;
	}
	return 0;
}

/*
 * The kernel looks at all frames asked for, but gives whole words only: what it says
 * of up to 63 frames at the very end of memory is in their page flags alone.
 */
static size_t frames_in(uint64_t pfn, size_t bytes)
{
	size_t frames = bytes * CHAR_BIT, head = (size_t)(pfn % WORD_FRAMES);

	return frames > head ? frames - head : 0;
}

static int read_piece(struct idle_source *idle, uint64_t pfn, size_t nr)
{
	size_t len = nr_words(pfn, nr) * sizeof(uint64_t), done = 0;
	int err;

	while (done < len) {
		ssize_t got = pread(idle->bitmap_fd, (char *)idle->bitmap + done, len - done,
				    word_offset(pfn) + (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		done += (size_t)got;
	}
	idle->nr_in_bitmap = frames_in(pfn, done);
	err = mpp_kpage_read(&idle->kpage, MPP_KPAGE_FLAGS, pfn, nr, idle->flags);
	if (err)
		return err;
	idle->piece_pfn = pfn;
	idle->piece_ns = clock_now(CLOCK_MONOTONIC);
	idle->pos = 0;
	idle->nr = nr;
	return 0;
}

static bool is_idle(const struct idle_source *idle, size_t index)
{
	size_t bit = (size_t)(idle->piece_pfn % WORD_FRAMES) + index;

	if (index >= idle->nr_in_bitmap)
		return idle->flags[index] & KPF_IDLE;
	return idle->bitmap[bit / WORD_FRAMES] >> (bit % WORD_FRAMES) & 1;
}

/* ---- Phases ---- */

static int mark_all(struct idle_source *idle)
{
	uint64_t pfn, now;
	size_t nr;
	int err = 0;

	/* After an interruption the sweep goes on where it was. */
	if (!idle->start_ns)
		sweep_begin(idle);
	while (err >= 0 && !mpp_source_is_cancelled(&idle->base)) {
		if (!next_piece(idle, &pfn, &nr)) {
			/*
			 * Each page waits from its mark to its reading.  Both sweeps
			 * go the same way, so the time of the first counts.
			 */
			now = clock_now(CLOCK_MONOTONIC);
			idle->deadline_ns = idle->start_ns + idle->options.interval_ns;
			if (idle->deadline_ns < now)
				idle->deadline_ns = now;
			idle->phase = PHASE_WAIT;
			return 0;
		}
		err = mark_piece(idle, pfn, nr);
		if (!err)
			err = throttle(idle);
	}
	return err < 0 ? err : -ECANCELED;
}

static int wait_interval(struct idle_source *idle)
{
	for (;;) {
		uint64_t now = clock_now(CLOCK_MONOTONIC);
		uint64_t left_ms;
		int err;

		if (now >= idle->deadline_ns)
			break;
		left_ms = (idle->deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;
		err = mpp_source_wait(&idle->base, -1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
		if (err < 0)
			return err;
	}
	sweep_begin(idle);
	idle->phase = PHASE_READ;
	return 0;
}

/* How many frames the folio at @index has, of those in the piece. */
static size_t folio_frames(const struct idle_source *idle, size_t index)
{
	size_t nr = 1;

	if (idle->flags[index] & KPF_COMPOUND_HEAD)
		while (index + nr < idle->nr && idle->flags[index + nr] & KPF_COMPOUND_TAIL)
			nr++;
	return nr;
}

/* Records from what is left of the piece. */
static size_t take_piece(struct idle_source *idle, size_t nr, size_t nr_max,
			 struct mpp_record *records)
{
	while (idle->pos < idle->nr && nr < nr_max) {
		uint64_t flags = idle->flags[idle->pos];
		size_t index = idle->pos, frames;
		bool still_idle;

		idle->pos++;
		if (!(flags & KPF_LRU) || flags & (KPF_COMPOUND_TAIL | KPF_HUGE | KPF_NOPAGE))
			continue;
		frames = folio_frames(idle, index);
		idle->pos = index + frames;
		still_idle = is_idle(idle, index);
		if (!(idle->options.flags & (still_idle ? MPP_IDLE_IDLE : MPP_IDLE_ACCESSED)))
			continue;
		records[nr++] = (struct mpp_record) {
			.addr = (idle->piece_pfn + index) << idle->page_shift,
			.size_bytes = (uint64_t)frames << idle->page_shift,
			.weight = still_idle ? 0 : 1,
			.time_ns = idle->piece_ns,
			.source = MPP_SOURCE_IDLE,
		};
	}
	return nr;
}

static void end_round(struct idle_source *idle)
{
	idle->round++;
	idle->phase = idle->round == idle->options.nr_rounds ? PHASE_DONE : PHASE_MARK;
	idle->start_ns = 0;
}

static int read_some(struct idle_source *idle, size_t nr_max, struct mpp_record *records)
{
	uint64_t pfn;
	size_t nr = 0, piece_nr;
	int err;

	while (nr < nr_max) {
		if (idle->pos < idle->nr) {
			nr = take_piece(idle, nr, nr_max, records);
			continue;
		}
		if (mpp_source_is_cancelled(&idle->base))
			return -ECANCELED;
		err = throttle(idle);
		if (!err && !next_piece(idle, &pfn, &piece_nr)) {
			end_round(idle);
			break;
		}
		if (!err)
			err = read_piece(idle, pfn, piece_nr);
		if (err)
			return nr ? (int)nr : err;
	}
	return (int)nr;
}

static int run(struct idle_source *idle, size_t nr_max, struct mpp_record *records)
{
	int result = 0;

	while (!result) {
		switch (idle->phase) {
		case PHASE_MARK:
			result = mark_all(idle);
			break;
		case PHASE_WAIT:
			result = wait_interval(idle);
			break;
		case PHASE_READ:
			result = read_some(idle, nr_max, records);
			break;
		case PHASE_DONE:
			return 0;
		}
	}
	return result;
}

static int idle_read(struct mpp_source *src, size_t nr_max, struct mpp_record *records)
{
	struct idle_source *idle = to_idle(src);
	int nr = idle->failure;

	if (!nr && nr_max)
		nr = run(idle, nr_max, records);
	if (nr >= 0 || nr == -ECANCELED || nr == -EINTR)
		return nr;
	idle->failure = nr;
	mpp_source_set_error(src, "idle page tracking, while %s: %s",
			     idle->phase == PHASE_MARK ? "marking" : "reading", strerror(-nr));
	return nr;
}

/* A sweep that is slowed down waits, too. */
static int idle_ready(struct mpp_source *src)
{
	struct idle_source *idle = to_idle(src);

	return idle->failure || idle->phase == PHASE_DONE || idle->pos < idle->nr ||
	       (idle->phase == PHASE_READ && idle->options.cpu_percent == 100);
}

static const struct mpp_source_ops idle_ops = {
	.read = idle_read,
	.ready = idle_ready,
	.free = idle_free,
};

/* ---- Opening ---- */

static int open_files(struct idle_source *idle, const struct mpp_roots *roots)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/kernel/mm/page_idle/bitmap", roots->sys);
	idle->bitmap_fd = open(path, O_RDWR | O_CLOEXEC);
	if (idle->bitmap_fd < 0)
		return errno == EACCES ? -EPERM : -errno;
	return mpp_kpage_open(&idle->kpage, roots->proc, MPP_KPAGE_FLAGS);
}

static int check_options(const struct mpp_idle_options *options)
{
	const unsigned int known = MPP_IDLE_ACCESSED | MPP_IDLE_IDLE;
	int err = mpp_struct_check(options, options->size, sizeof(*options));

	if (err)
		return err;
	if (!options->flags || options->flags & ~known || options->cpu_percent > 100)
		return -EINVAL;
	return 0;
}

int mpp_idle_open_at(const struct mpp_roots *roots, const struct mpp_idle_options *options,
		     struct mpp_source **src)
{
	struct idle_source *idle;
	int err = check_options(options);

	if (err)
		return err;
	idle = calloc(1, sizeof(*idle));
	if (!idle)
		return -ENOMEM;
	mpp_source_init(&idle->base, &idle_ops);
	mpp_kpage_init(&idle->kpage);
	idle->page_shift = mpp_page_shift();
	idle->options = *options;
	idle->options.nodes = NULL;
	if (!idle->options.cpu_percent)
		idle->options.cpu_percent = 100;
	err = open_files(idle, roots);
	if (!err)
		err = mpp_memory_read(roots, &idle->memory);
	if (!err)
		err = mpp_source_init_cancel(&idle->base);
	if (err) {
		idle_free(&idle->base);
		return err;
	}
	mpp_memory_keep_nodes(idle->memory, options->nodes, options->nr_nodes);
	*src = &idle->base;
	return 0;
}

int mpp_idle_open(const struct mpp_idle_options *options, struct mpp_source **src)
{
	return mpp_idle_open_at(&mpp_default_roots, options, src);
}

int mpp_idle_is_unreliable_at(const struct mpp_roots *roots)
{
	char path[PATH_MAX];
	char text[32];
	int len;

	snprintf(path, sizeof(path), "%s/kernel/mm/lru_gen/enabled", roots->sys);
	len = mpp_read_file(path, sizeof(text), text);
	if (len == -ENOENT || len == -ENOTDIR)
		return 0;
	return len < 0 ? len : strtoul(text, NULL, 16) != 0;
}

int mpp_idle_is_unreliable(void)
{
	return mpp_idle_is_unreliable_at(&mpp_default_roots);
}
