// SPDX-License-Identifier: GPL-2.0-only
/* Pages counted by what became of them. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "cmd.h"

const char *outcome_name(enum outcome outcome)
{
	static const char *const names[NR_OUTCOMES] = {
		[OUTCOME_MOVED] = "moved",
		[OUTCOME_WOULD_MOVE] = "would_move",
		[OUTCOME_ALREADY] = "already",
		[OUTCOME_ELSEWHERE] = "elsewhere",
		[OUTCOME_NOT_REACHED] = "not_reached",
	};

	return names[outcome];
}

void tally_outcome(struct tally *tally, enum outcome outcome)
{
	tally->nr_entries++;
	tally->outcomes[outcome]++;
}

void tally_error(struct tally *tally, int status, uint64_t nr_pages)
{
	/* Index 0 is for statuses that no version of the contract has. */
	bool known = status < 0 && status > -TALLY_ERRNO_MAX && *mpp_status_name(status) != '?';
	unsigned int index = known ? (unsigned int)-status : 0;

	tally->nr_entries += nr_pages;
	tally->errors[index] += nr_pages;
}

void tally_pair(struct tally *tally, int from, int to, uint64_t nr_pages)
{
	struct tally_pair *pair;

	for (size_t i = 0; i < tally->nr_pairs; i++) {
		pair = &tally->pairs[i];
		if (pair->from == from && pair->to == to) {
			pair->nr_pages += nr_pages;
			return;
		}
	}
	pair = reallocarray(tally->pairs, tally->nr_pairs + 1, sizeof(*pair));
	if (!pair)
		return;		/* the table lacks a line; the outcomes are complete */
	tally->pairs = pair;
	tally->pairs[tally->nr_pairs++] = (struct tally_pair) { from, to, nr_pages };
}

uint64_t tally_kind(const struct tally *tally, enum mpp_status_kind kind)
{
	uint64_t sum = kind == MPP_STATUS_REFUSED ? tally->errors[0] : 0;

	for (int i = 1; i < TALLY_ERRNO_MAX; i++)
		if (tally->errors[i] && mpp_status_kind(-i) == kind)
			sum += tally->errors[i];
	return sum;
}

/* mpp_status_name() takes 0 for success, so the unknown ones get a value of their own. */
static int index_status(int index)
{
	return index ? -index : INT32_MIN + 1;
}

/* What of `movephys move` helps against an error, "" when nothing does. */
static const char *hint(int err)
{
	switch (err) {
	case EACCES:
		return "; --all moves it";
	case EAGAIN:
	case EBUSY:
		return " (--retry)";
	case ENOMEM:
		return "; --reclaim makes some";
	case EPERM:
		return "; --ignore-mempolicy moves it";
	case ESRCH:
		return "; --unmapped moves it";
	default:
		return "";
	}
}

void tally_print_errors(const struct tally *tally, bool with_hints)
{
	for (int i = 0; i < TALLY_ERRNO_MAX; i++)
		if (tally->errors[i])
			printf("%12llu  %-12s %s%s\n", (unsigned long long)tally->errors[i],
			       mpp_status_name(index_status(i)), mpp_status_text(index_status(i)),
			       with_hints ? hint(i) : "");
}

struct json_object *tally_errors_json(const struct tally *tally)
{
	struct json_object *errors = json_object_new_object();

	for (int i = 0; i < TALLY_ERRNO_MAX; i++)
		if (tally->errors[i])
			json_object_object_add(errors, mpp_status_name(index_status(i)),
					       json_object_new_int64((int64_t)tally->errors[i]));
	return errors;
}

struct json_object *json_decimal(double value)
{
	char text[64];

	/* The default is 17 digits, most of them noise. */
	snprintf(text, sizeof(text), "%.6f", value);
	return json_object_new_double_s(value, text);
}

void json_print(struct json_object *object, bool pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED :
		     JSON_C_TO_STRING_PLAIN);

	puts(json_object_to_json_string_ext(object, flags));
	json_object_put(object);
}

void tally_free(struct tally *tally)
{
	free(tally->pairs);
}
