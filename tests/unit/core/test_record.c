// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/core/record.c, the same file that the kernel runs: calls of every length up to
 * many tables, held against a plain list of what was entered, and memory that runs out.
 */
#include "mpp.h"
#include "../tap.h"

int allocations_left = -1;

static struct mpp_call *call_make(u64 nr_pages)
{
	struct mpp_call *call = calloc(1, sizeof(*call));

	if (!call)
		abort();
	call->args.nr_pages = nr_pages;
	if (mpp_record_begin(call))
		abort();
	return call;
}

static void call_free(struct mpp_call *call)
{
	mpp_record_end(call);
	free(call);
}

static bool recalls(struct mpp_call *call, unsigned long pfn, unsigned long new_pfn, int at)
{
	unsigned long got_pfn = 0;
	int got_at = -1;

	return mpp_recall(call, pfn, &got_pfn, &got_at) && got_pfn == new_pfn && got_at == at;
}

static bool knows(struct mpp_call *call, unsigned long pfn)
{
	unsigned long new_pfn;
	int at;

	return mpp_recall(call, pfn, &new_pfn, &at);
}

/* Far apart, in no order, and none twice. */
static unsigned long pfn_of(unsigned long i)
{
	return (i * 0x9e3779b1UL & 0xffffffffUL) << 1;
}

/* Each entry of a call of @nr moves one page; all are known at the end, at both ends. */
static void remembers(unsigned long nr)
{
	struct mpp_call *call = call_make(nr);
	unsigned long i;

	CHECK(!knows(call, 0));
	for (i = 0; i < nr; i++) {
		unsigned long pfn = pfn_of(i);

		if (mpp_record(call, pfn, 0, pfn + 1, i % 3) ||
		    mpp_record_arrival(call, pfn + 1, 0, i % 3))
			break;
	}
	CHECK_INT(i, nr);
	for (i = 0; i < nr; i++) {
		unsigned long pfn = pfn_of(i);

		if (!recalls(call, pfn, pfn + 1, i % 3) || !recalls(call, pfn + 1, pfn + 1, i % 3))
			break;
	}
	CHECK_INT(i, nr);
	for (i = nr; i < 2 * nr && i < nr + 1000; i++)
		CHECK(!knows(call, pfn_of(i)));
	call_free(call);
}

static void remembers_calls_of_each_length(void)
{
	static const unsigned long lengths[] = { 1, 2, 3, 511, 513, 1024, 1025, 65535, 65536, 65537,
						 300000 };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		remembers(lengths[i]);
}

/* More than a call's entries: pieces of large folios that were split. */
static void grows_beyond_its_call(void)
{
	struct mpp_call *call = call_make(1);

	for (unsigned long i = 0; i < 5000; i++)
		CHECK_INT(mpp_record(call, pfn_of(i), 0, pfn_of(i), 1), 0);
	for (unsigned long i = 0; i < 5000; i++)
		CHECK(recalls(call, pfn_of(i), pfn_of(i), 1));
	call_free(call);
}

/* Folios of every size come to frames that others have left: the first contents answer. */
static void first_contents_answer(void)
{
	enum { FRAMES = 4096, STEPS = 3000 };
	static struct {
		unsigned long new_pfn;
		bool known;
	} model[FRAMES];
	struct mpp_call *call = call_make(STEPS);

	memset(model, 0, sizeof(model));
	srand(7);
	for (int step = 0; step < STEPS; step++) {
		unsigned int order = (unsigned int)(rand() % 10);
		unsigned long pages = BIT(order);
		unsigned long to = (unsigned long)rand() % (FRAMES / pages) * pages;
		/* From somewhere that nobody names again. */
		unsigned long from = 1UL << 30 | (unsigned long)step << 10;

		CHECK_INT(mpp_record(call, from, order, to, 1), 0);
		CHECK_INT(mpp_record_arrival(call, to, order, 1), 0);
		for (unsigned long i = 0; i < pages; i++) {
			if (!model[to + i].known)
				model[to + i].new_pfn = to + i;
			model[to + i].known = true;
		}
		/* Then something leaves that was named by its first page, if that is new. */
		to = (unsigned long)rand() % (FRAMES / pages) * pages;
		if (model[to].known)
			continue;
		CHECK_INT(mpp_record(call, to, order, from + pages, 0), 0);
		for (unsigned long i = 0; i < pages; i++) {
			if (!model[to + i].known)
				model[to + i].new_pfn = from + pages + i;
			model[to + i].known = true;
		}
	}
	for (unsigned long pfn = 0; pfn < FRAMES; pfn++) {
		unsigned long new_pfn = 0;
		int at;

		CHECK(mpp_recall(call, pfn, &new_pfn, &at) == model[pfn].known);
		if (model[pfn].known)
			CHECK_INT(new_pfn, model[pfn].new_pfn);
	}
	call_free(call);
}

/* What was entered before memory ran out is still known, and nothing leaks. */
static void survives_without_memory(void)
{
	for (int left = 0; left < 4; left++) {
		struct mpp_call *call = call_make(100000);
		unsigned long i, known = 0;

		allocations_left = left;
		for (i = 0; i < 100000; i++)
			if (mpp_record(call, pfn_of(i), 0, pfn_of(i), 1))
				break;
		allocations_left = -1;
		CHECK(i < 100000);
		for (unsigned long j = 0; j < i; j++)
			known += recalls(call, pfn_of(j), pfn_of(j), 1);
		CHECK_INT(known, i);
		CHECK(!knows(call, pfn_of(i)));
		/* And with memory again it goes on. */
		CHECK_INT(mpp_record(call, pfn_of(i), 0, pfn_of(i), 1), 0);
		CHECK(knows(call, pfn_of(i)));
		call_free(call);
	}
}

TAP_MAIN(
	{ "record: calls of each length", remembers_calls_of_each_length },
	{ "record: more than the call's entries", grows_beyond_its_call },
	{ "record: the first contents answer", first_contents_answer },
	{ "record: memory runs out", survives_without_memory },
)
