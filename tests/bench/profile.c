// SPDX-License-Identifier: GPL-2.0-only
/*
 * Samples by the processor's clock, which is the instruction clock in the testbed: a
 * sample is so many instructions.  A part that runs with interrupts off is put down to
 * where they are allowed again, which is nearly always the same phase.  The period is
 * long beside the interrupt that takes a sample: that depends on how deep the stack
 * is, and what is left of a short period would be sampled too often where it is deep.
 * It is another one for each call, so as not to be in step with the loop over pages.
 */
#include "bench.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "profile.h"

#define SHORTEST_NS 60000
#define LONGEST_NS 140000
#define RING_PAGES 1024
#define NAME_LEN 64

const char *const phase_names[NR_PHASES] = {
	[PHASE_COPY] = "copying",
	[PHASE_ZERO] = "zeroing-the-destination",
	[PHASE_UNMAP] = "unmapping-and-TLB",
	[PHASE_REMAP] = "mapping-again",
	[PHASE_DESTINATION] = "allocating",
	[PHASE_FREE] = "freeing-the-source",
	[PHASE_LRU] = "isolation-and-LRU",
	[PHASE_CHECK] = "checks",
	[PHASE_FIND] = "finding-the-page",
	[PHASE_USER] = "user-copies",
	[PHASE_RECORD] = "records-and-answers",
	[PHASE_SET_UP] = "setting-up-the-call",
	[PHASE_MIGRATE] = "rest-of-migrate_pages",
	[PHASE_OTHER] = "rest",
};

/* By the beginning of a function's name; the first that fits counts. */
static const struct {
	const char *prefix;
	enum phase phase;
} table[] = {
	{ "folio_mc_copy", PHASE_COPY },
	{ "folio_copy", PHASE_COPY },
	{ "clear_page", PHASE_ZERO },
	{ "kernel_init_pages", PHASE_ZERO },
	{ "try_to_migrate", PHASE_UNMAP },
	{ "try_to_unmap_flush", PHASE_UNMAP },
	{ "flush_tlb", PHASE_UNMAP },
	{ "remove_migration_pte", PHASE_REMAP },
	{ "alloc_migration_target", PHASE_DESTINATION },
	{ "mpp_get_new_folio", PHASE_DESTINATION },
	{ "__folio_alloc", PHASE_DESTINATION },
	{ "__alloc_pages", PHASE_DESTINATION },
	{ "get_page_from_freelist", PHASE_DESTINATION },
	{ "__folio_put", PHASE_FREE },
	{ "folios_put", PHASE_FREE },
	{ "free_unref", PHASE_FREE },
	{ "migrate_folio_done", PHASE_FREE },
	{ "folio_isolate", PHASE_LRU },
	{ "isolate_", PHASE_LRU },
	{ "folio_putback", PHASE_LRU },
	{ "putback_", PHASE_LRU },
	{ "folio_add_lru", PHASE_LRU },
	{ "lru_add", PHASE_LRU },
	{ "lru_cache", PHASE_LRU },
	{ "__lru_add", PHASE_LRU },
	{ "mpp_queue", PHASE_LRU },
	{ "mpp_check", PHASE_CHECK },
	{ "mpp_anon", PHASE_CHECK },
	{ "mpp_vma", PHASE_CHECK },
	{ "mpp_walk", PHASE_CHECK },
	{ "mpp_limit", PHASE_CHECK },
	{ "mpp_gate", PHASE_CHECK },
	{ "mpp_forget", PHASE_CHECK },
	{ "mpp_permitted", PHASE_CHECK },
	{ "security_", PHASE_CHECK },
	{ "mpp_find", PHASE_FIND },
	{ "add_folio_for_migration", PHASE_FIND },
	{ "folio_walk_start", PHASE_FIND },
	{ "follow_page", PHASE_FIND },
	{ "_copy_", PHASE_USER },
	{ "copy_user", PHASE_USER },
	{ "__check_object_size", PHASE_USER },
	{ "__check_heap_object", PHASE_USER },
	{ "rep_movs", PHASE_USER },
	{ "__put_user", PHASE_USER },
	{ "__get_user", PHASE_USER },
	{ "store_status", PHASE_USER },
	{ "mpp_item", PHASE_RECORD },
	{ "mpp_record", PHASE_RECORD },
	{ "mpp_recall", PHASE_RECORD },
	{ "mpp_fate", PHASE_RECORD },
	{ "mpp_settle", PHASE_RECORD },
	{ "mpp_stat", PHASE_RECORD },
	{ "mpp_call_", PHASE_SET_UP },
	{ "mpp_free_limits", PHASE_SET_UP },
	{ "migrate_pages", PHASE_MIGRATE },
};

/* ---- Functions of the kernel ------------------------------------------ */

struct symbol {
	uint64_t address;
	char name[NAME_LEN];
};

static struct symbol *symbols;
static size_t nr_symbols;

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static void read_symbols(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	size_t room = 1 << 18;
	char line[512], type;

	CHECK(file, "/proc/kallsyms: %s", strerror(errno));
	symbols = malloc(room * sizeof(*symbols));
	CHECK(symbols, "out of memory");
	while (nr_symbols < room && fgets(line, sizeof(line), file)) {
		struct symbol *s = &symbols[nr_symbols];
		unsigned long long address;

		if (sscanf(line, "%llx %c %63s", &address, &type, s->name) != 3 || !strchr("tT", type))
			continue;
		s->address = address;
		nr_symbols++;
	}
	fclose(file);
	CHECK(nr_symbols && symbols[0].address, "/proc/kallsyms hides the addresses");
	qsort(symbols, nr_symbols, sizeof(*symbols), by_address);
}

static const char *name_of(uint64_t address)
{
	size_t low = 0, high = nr_symbols;

	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (symbols[mid].address <= address)
			low = mid;
		else
			high = mid;
	}
	return symbols[low].name;
}

static enum phase phase_of(const uint64_t *chain, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const char *name;

		if (chain[i] >= PERF_CONTEXT_MAX)
			continue;
		name = name_of(chain[i]);
		for (size_t j = 0; j < ARRAY_SIZE(table); j++)
			if (!strncmp(name, table[j].prefix, strlen(table[j].prefix)))
				return table[j].phase;
	}
	return PHASE_OTHER;
}

/* ---- Sampling ---------------------------------------------------------- */

static int sampler = -1;
static struct perf_event_mmap_page *ring;

static void open_sampler(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = LONGEST_NS,
		.sample_type = PERF_SAMPLE_CALLCHAIN,
		.disabled = 1,
		.exclude_user = 1,
		.exclude_callchain_user = 1,
	};

	sampler = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (sampler < 0)
		SKIP("perf_event_open: %s", strerror(errno));
	ring = must_mmap((1 + RING_PAGES) * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
			 sampler, 0);
	read_symbols();
}

void profile_start(void)
{
	static uint32_t state = 1;
	uint64_t period;

	if (sampler < 0)
		open_sampler();
	state = state * 1664525 + 1013904223;
	period = SHORTEST_NS + (state >> 8) % (LONGEST_NS - SHORTEST_NS);
	MUST(ioctl(sampler, PERF_EVENT_IOC_PERIOD, &period));
	MUST(ioctl(sampler, PERF_EVENT_IOC_ENABLE, 0));
}

/* Records are multiples of eight bytes, and so is the ring: words never wrap. */
static uint64_t word_at(uint64_t at)
{
	const unsigned char *data = (const unsigned char *)ring + page_size();
	uint64_t word;

	memcpy(&word, data + at % (RING_PAGES * page_size()), sizeof(word));
	return word;
}

static void take_sample(struct profile *profile, uint64_t at)
{
	uint64_t chain[PERF_MAX_STACK_DEPTH];
	size_t nr = word_at(at + 8);
	enum phase phase;

	CHECK(nr <= ARRAY_SIZE(chain), "a call chain of %zu", nr);
	for (size_t i = 0; i < nr; i++)
		chain[i] = word_at(at + 16 + 8 * i);
	phase = phase_of(chain, nr);
	profile->nr_samples[phase]++;
	profile->total++;
	if (phase == PHASE_OTHER && nr > 1)
		profile->others[profile->nr_others++ % ARRAY_SIZE(profile->others)] =
			name_of(chain[1]);
}

void profile_stop(struct profile *profile)
{
	uint64_t head, at;

	MUST(ioctl(sampler, PERF_EVENT_IOC_DISABLE, 0));
	head = __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE);
	for (at = ring->data_tail; at < head;) {
		uint64_t word = word_at(at);
		struct perf_event_header header;

		memcpy(&header, &word, sizeof(header));
		CHECK(header.type != PERF_RECORD_LOST, "samples were lost");
		if (header.type == PERF_RECORD_SAMPLE)
			take_sample(profile, at);
		at += header.size;
	}
	__atomic_store_n(&ring->data_tail, head, __ATOMIC_RELEASE);
}
