// SPDX-License-Identifier: GPL-2.0-only
/* The summary of a move, for a person or as JSON. */
#include <inttypes.h>
#include <json-c/json.h>
#include <unistd.h>

#include "move.h"

static void print_json(const struct mover *mv, double seconds, uint64_t moved_bytes)
{
	const struct tally *tally = &mv->tally;
	struct json_object *root = json_object_new_object();
	struct json_object *outcomes = json_object_new_object();
	struct json_object *pairs = json_object_new_array();

	for (int i = 0; i < NR_OUTCOMES; i++)
		if (tally->outcomes[i])
			json_object_object_add(outcomes, outcome_name((enum outcome)i),
				json_object_new_int64((int64_t)tally->outcomes[i]));
	for (size_t i = 0; i < tally->nr_pairs; i++) {
		struct json_object *pair = json_object_new_object();

		json_object_object_add(pair, "from", tally->pairs[i].from < 0 ? NULL :
				       json_object_new_int(tally->pairs[i].from));
		json_object_object_add(pair, "to", json_object_new_int(tally->pairs[i].to));
		json_object_object_add(pair, "pages",
				       json_object_new_int64((int64_t)tally->pairs[i].nr_pages));
		json_object_array_add(pairs, pair);
	}
	json_object_object_add(root, "to", mv->options->to < 0 ? NULL :
			       json_object_new_int(mv->options->to));
	json_object_object_add(root, "dry_run",
			       json_object_new_boolean(mv->options->flags & MPP_MF_DRY_RUN));
	json_object_object_add(root, "pages", json_object_new_int64((int64_t)tally->nr_entries));
	json_object_object_add(root, "outcomes", outcomes);
	json_object_object_add(root, "errors", tally_errors_json(tally));
	json_object_object_add(root, "node_pairs", pairs);
	json_object_object_add(root, "seconds", json_decimal(seconds));
	json_object_object_add(root, "bytes_per_second",
			       json_decimal(seconds > 0 ? (double)moved_bytes / seconds : 0));
	json_object_object_add(root, "bad_lines",
			       json_object_new_int64((int64_t)input_nr_bad(mv->in)));
	json_object_object_add(root, "stopped_at_max",
			       json_object_new_boolean(mv->is_max_reached));
	json_object_object_add(root, "interrupted",
			       json_object_new_boolean(interrupt_seen() != 0));
	json_print(root, true);
}

static void print_text(const struct mover *mv, double seconds, uint64_t moved_bytes)
{
	static const char *const meanings[NR_OUTCOMES] = {
		[OUTCOME_MOVED] = "",
		[OUTCOME_WOULD_MOVE] = "every check passes now (dry run: nothing was moved)",
		[OUTCOME_ALREADY] = "were on the target before",
		[OUTCOME_ELSEWHERE] = "not on a node of --from: left alone",
		[OUTCOME_NOT_REACHED] = "interrupted before",
	};
	const struct tally *tally = &mv->tally;
	bool dry_run = mv->options->flags & MPP_MF_DRY_RUN;
	char bytes[BYTES_TEXT_MAX], rate[BYTES_TEXT_MAX];

	printf("%12s  outcome\n", "pages");
	for (int i = 0; i < NR_OUTCOMES; i++)
		if (tally->outcomes[i] || (i == OUTCOME_MOVED && !dry_run))
			printf("%12" PRIu64 "  %-12s %s\n", tally->outcomes[i],
			       outcome_name((enum outcome)i),
			       i == OUTCOME_MOVED ?
			       format_bytes(moved_bytes, bytes, sizeof(bytes)) : meanings[i]);
	tally_print_errors(tally, true);
	for (size_t i = 0; i < tally->nr_pairs; i++) {
		const struct tally_pair *pair = &tally->pairs[i];

		if (pair->from >= 0)
			printf("node %d to node %d: %" PRIu64 " pages\n", pair->from, pair->to,
			       pair->nr_pages);
		else
			printf("to node %d, from where is not known: %" PRIu64 " pages\n",
			       pair->to, pair->nr_pages);
	}
	printf("%" PRIu64 " pages looked at, %.3f s in the kernel", tally->nr_entries, seconds);
	if (moved_bytes && seconds > 0)
		printf(", %s/s moved", format_bytes((uint64_t)((double)moved_bytes / seconds),
						    rate, sizeof(rate)));
	putchar('\n');
	if (input_nr_bad(mv->in))
		printf("%" PRIu64 " bad lines\n", input_nr_bad(mv->in));
	if (mv->is_max_reached)
		puts("--max is reached: the rest of the input was not touched");
	if (interrupt_seen())
		puts("interrupted: the rest of the input was not touched");
}

void mover_report(const struct mover *mv)
{
	double seconds = (double)mv->tally.kernel_ns / 1e9;
	uint64_t moved_bytes = mv->tally.outcomes[OUTCOME_MOVED] *
			       (uint64_t)sysconf(_SC_PAGESIZE);

	progress_clear();
	if (mv->options->json)
		print_json(mv, seconds, moved_bytes);
	else
		print_text(mv, seconds, moved_bytes);
}
