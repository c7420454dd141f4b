// SPDX-License-Identifier: GPL-2.0-only
/* One line on a terminal, renewed a few times a second. */
#include <unistd.h>

#include "cmd.h"

#define INTERVAL_NS	UINT64_C(200000000)

static bool shown;

void progress_show(const struct tally *tally, double part_done)
{
	static int on_terminal = -1;
	static uint64_t start_ns, last_ns;
	uint64_t now = clock_ns();
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t moved = tally->outcomes[OUTCOME_MOVED] + tally->outcomes[OUTCOME_WOULD_MOVE];
	char text[BYTES_TEXT_MAX], rate[BYTES_TEXT_MAX];
	char left[48];
	double seconds;

	if (on_terminal < 0) {
		on_terminal = isatty(STDERR_FILENO);
		start_ns = last_ns = now;
	}
	if (!on_terminal || now - last_ns < INTERVAL_NS)
		return;
	last_ns = now;
	seconds = (double)(now - start_ns) / 1e9;
	left[0] = '\0';
	if (part_done > 0.001 && part_done < 1)
		snprintf(left, sizeof(left), ", %.0f %%, %.0f s left", part_done * 100,
			 seconds * (1 - part_done) / part_done);
	fprintf(stderr, "\r\033[K%llu pages looked at, %s moved, %s/s%s",
		(unsigned long long)tally->nr_entries,
		format_bytes(moved * page_bytes, text, sizeof(text)),
		format_bytes((uint64_t)((double)(moved * page_bytes) / seconds), rate,
			     sizeof(rate)), left);
	fflush(stderr);
	shown = true;
}

void progress_clear(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}
