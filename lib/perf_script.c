// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The lines of `perf script -F ...,phys_addr`.  perf prints fields in an order of its
 * own, whatever the order in -F: comm, pid/tid, [cpu], time:, period, event:, address,
 * data source, weights, instruction and symbol, physical address, page sizes.  So the
 * physical address, in bare hexadecimal, is the last but for page sizes.
 */
#include <errno.h>

#include "perf.h"

#define NS_DECIMALS	9

struct word {
	const char *at;
	size_t len;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool next_word(const char **at, const char *end, struct word *word)
{
	while (*at < end && mpp_is_blank(**at))
		++*at;
	word->at = *at;
	while (*at < end && !mpp_is_blank(**at))
		++*at;
	word->len = (size_t)(*at - word->at);
	return word->len > 0;
}

static bool last_word(const char *start, const char **end, struct word *word)
{
	while (*end > start && mpp_is_blank((*end)[-1]))
		--*end;
	word->len = 0;
	for (; *end > start && !mpp_is_blank((*end)[-1]); --*end)
		word->len++;
	word->at = *end;
	return word->len > 0;
}

/* "4K", "2M", "1G", "N/A", as perf prints page sizes. */
static bool is_page_size(struct word word)
{
	if (word.len == 3 && word.at[0] == 'N' && word.at[1] == '/' && word.at[2] == 'A')
		return true;
	for (size_t i = 0; i + 1 < word.len; i++)
		if (!is_digit(word.at[i]))
			return false;
	return word.len > 1 && (word.at[word.len - 1] == 'K' || word.at[word.len - 1] == 'M' ||
				word.at[word.len - 1] == 'G');
}

static bool take_hex(struct word word, uint64_t *value)
{
	uint64_t sum = 0;

	if (word.len > 16)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.at[i];

		if (is_digit(c))
			sum = sum << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			sum = sum << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*value = sum;
	return true;
}

/* At most 18 digits, so that nothing overflows; longer ones are none of perf's. */
static bool take_decimal(struct word word, uint64_t *value)
{
	uint64_t sum = 0;

	if (!word.len || word.len > 18)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (!is_digit(word.at[i]))
			return false;
		sum = sum * 10 + (uint64_t)(word.at[i] - '0');
	}
	*value = sum;
	return true;
}

/* "12345.678901:", with six decimals, or with nine for `perf script --ns`. */
static bool take_time(struct word word, uint64_t *time_ns)
{
	struct word seconds = word, decimals;
	uint64_t whole, part;

	if (word.len < 4 || word.at[word.len - 1] != ':')
		return false;
	for (seconds.len = 0; seconds.len < word.len && word.at[seconds.len] != '.';)
		seconds.len++;
	if (seconds.len + 2 >= word.len || seconds.len > 9)
		return false;
	decimals.at = word.at + seconds.len + 1;
	decimals.len = word.len - seconds.len - 2;
	if (decimals.len > NS_DECIMALS || !take_decimal(seconds, &whole) ||
	    !take_decimal(decimals, &part))
		return false;
	for (size_t i = decimals.len; i < NS_DECIMALS; i++)
		part *= 10;
	*time_ns = whole * UINT64_C(1000000000) + part;
	return true;
}

/*
 * A time, and the period if there is one: a number right behind the time that an
 * event's name follows.  Any other number may be something else.
 */
static void take_front(const char *at, const char *end, struct mpp_record *record)
{
	struct word word, event;
	uint64_t period;

	while (next_word(&at, end, &word)) {
		if (!take_time(word, &record->time_ns))
			continue;
		if (next_word(&at, end, &word) && take_decimal(word, &period) && period &&
		    next_word(&at, end, &event) && event.at[event.len - 1] == ':')
			record->weight = (double)period;
		return;
	}
}

int mpp_perf_script_parse(const char *text, size_t len, unsigned int flags, const char **why,
			  struct mpp_record *record)
{
	const char *end = text + len;
	struct word word = { 0 };
	struct mpp_record new = {
		.size_bytes = 1,
		.weight = 1,
		.source = MPP_SOURCE_PERF,
	};
	bool found = false;

	(void)flags;
	/* At most two: of the data's page, and of the code's. */
	for (int i = 0; i < 3; i++) {
		found = last_word(text, &end, &word);
		if (!found || !is_page_size(word))
			break;
	}
	if (!found || !take_hex(word, &new.addr)) {
		if (why)
			*why = "no physical address at the end: run perf script with -F "
			       "time,period,event,phys_addr";
		return -EBADMSG;
	}
	take_front(text, end, &new);
	if (!new.addr)
		return 1;
	*record = new;
	return 0;
}

/* A comm may hold a #. */
int mpp_perf_script_open(const char *path, struct mpp_source **src)
{
	return mpp_lines_open(path, mpp_perf_script_parse, MPP_LINES_HASH, src);
}

int mpp_perf_script_open_fd(int fd, const char *name, struct mpp_source **src)
{
	return mpp_lines_open_fd(fd, name, mpp_perf_script_parse, MPP_LINES_HASH, src);
}
