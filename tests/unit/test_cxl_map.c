// SPDX-License-Identifier: GPL-2.0-only
/*
 * CXL interleaving: against a model that deals chunks out one by one like cards,
 * against published translations, and as a bijection.
 */
#include <errno.h>
#include <inttypes.h>

#include "cxl_map.h"
#include "tap.h"

#define MIB	(UINT64_C(1) << 20)
#define GIB	(UINT64_C(1) << 30)

static const unsigned int all_ways[] = { 1, 2, 3, 4, 6, 8, 12, 16 };

static uint64_t random_state = 88172645463325252;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void fill_parts(struct cxl_set *set)
{
	for (unsigned int i = 0; i < set->ways; i++) {
		/* Neither the devices' order nor their addresses follow the position. */
		set->parts[i].device = (i * 7 + 3) % 17;
		set->parts[i].dpa = i * 256 * MIB;
	}
}

static struct cxl_map *map_of(const struct cxl_set *set)
{
	struct cxl_map *map = NULL;
	const char *why = "";

	CHECK_INT(cxl_map_new(&map), 0);
	if (cxl_map_add(map, set, &why))
		tap_fail(__FILE__, __LINE__, "%u ways of %u (bridges %u of %u, %u maps): %s",
			 set->ways, set->granularity, set->window.ways, set->window.granularity,
			 set->window.nr_xor, why);
	return map;
}

/*
 * The device that a chunk of host addresses is dealt to: bridges by the address,
 * then devices by turns.  From the definitions, bit by bit: it shares no code and
 * no formula with what it checks.
 */
static unsigned int model_position(const struct cxl_set *set, uint64_t hpa, uint64_t chunk)
{
	unsigned int bridges = set->window.ways;
	unsigned int bridge = (unsigned int)(chunk % bridges);

	for (unsigned int i = 0; i < set->window.nr_xor; i++) {
		uint64_t left = hpa & set->window.xor_map[i];
		unsigned int bit = 0;

		for (; left; left >>= 1)
			bit ^= left & 1;
		bridge &= ~(1u << i);
		bridge |= bit << i;
	}
	if (set->window.nr_xor && bridges % 3 == 0) {
		/* The bits are a number among neighbours; the thirds go on by turns. */
		unsigned int twos = bridges / 3, third = (unsigned int)(chunk / twos % 3);

		bridge = third * twos + (bridge & (twos - 1));
	}
	return bridge + (unsigned int)(chunk / bridges % (set->ways / bridges)) * bridges;
}

/* Deals out the first @nr_rounds rounds and compares every chunk, both ways. */
static void compare_with_model(const struct cxl_set *set, unsigned int nr_rounds)
{
	struct cxl_map *map = map_of(set);
	uint64_t dealt[CXL_WAYS_MAX] = { 0 };
	uint64_t hpa, within, got_dpa = 0, got_hpa = 0;
	unsigned int got_device = 0;

	for (uint64_t chunk = 0; chunk < (uint64_t)nr_rounds * set->ways; chunk++) {
		uint64_t at = set->start + set->cache_bytes + chunk * set->granularity;
		unsigned int position = model_position(set, at, chunk);
		uint64_t dpa = set->parts[position].dpa + dealt[position]++ * set->granularity;

		within = random_u64() % set->granularity;
		hpa = at + within;
		CHECK_INT(cxl_map_to_dpa(map, hpa, &got_device, &got_dpa), 0);
		CHECK_INT(cxl_map_to_hpa(map, set->parts[position].device, dpa + within,
					 &got_hpa), 0);
		if (got_device != set->parts[position].device || got_dpa != dpa + within ||
		    got_hpa != hpa) {
			tap_fail(__FILE__, __LINE__, "%u ways of %u, bridges %u, %u maps: "
				 "0x%" PRIx64 " is device %u 0x%" PRIx64 ", not device %u 0x%"
				 PRIx64 "; back 0x%" PRIx64, set->ways, set->granularity,
				 set->window.ways, set->window.nr_xor, hpa,
				 set->parts[position].device, dpa + within, got_device, got_dpa,
				 got_hpa);
			break;
		}
	}
	cxl_map_free(map);
}

/* What caches a region is ordinary memory, and of no device. */
static void check_cache(const struct cxl_set *set)
{
	struct cxl_map *map = map_of(set);
	unsigned int device;
	uint64_t dpa;

	CHECK_INT(cxl_map_to_dpa(map, set->start, &device, &dpa), -ENXIO);
	CHECK_INT(cxl_map_to_dpa(map, set->start + set->cache_bytes - 1, &device, &dpa), -ENXIO);
	CHECK_INT(cxl_map_to_dpa(map, set->start + set->cache_bytes, &device, &dpa), 0);
	cxl_map_free(map);
}

static void follows_the_model(void)
{
	for (size_t i = 0; i < ARRAY_LEN(all_ways); i++) {
		for (unsigned int granularity = 256; granularity <= 16384; granularity *= 2) {
			struct cxl_set set = {
				.start = 48 * GIB,
				.size_bytes = all_ways[i] * 256 * MIB,
				.ways = all_ways[i],
				.granularity = granularity,
				.window = { .ways = 1, .granularity = 256 },
			};

			fill_parts(&set);
			compare_with_model(&set, 64);
			set.cache_bytes = set.size_bytes;
			set.size_bytes *= 2;
			compare_with_model(&set, 16);
			check_cache(&set);
			set.window = (struct cxl_window) {
				.ways = all_ways[i], .granularity = granularity,
			};
			compare_with_model(&set, 16);
		}
	}
}

/* Maps such as firmware would give: a low bit for each bit of the bridge, and some above. */
static void add_xor_maps(struct cxl_window *window)
{
	unsigned int low = (unsigned int)__builtin_ctz(window->granularity);
	unsigned int bridges = window->ways % 3 ? window->ways : window->ways / 3;

	window->nr_xor = (unsigned int)__builtin_ctz(bridges);
	for (unsigned int i = 0; i < window->nr_xor; i++)
		window->xor_map[i] = UINT64_C(1) << (low + i) |
				     (random_u64() & UINT64_C(0xfffff00000) &
				      ~((UINT64_C(1) << (low + 4)) - 1));
}

static void follows_the_model_with_xor(void)
{
	static const struct { unsigned int ways, bridges; } shapes[] = {
		{ 2, 2 }, { 4, 2 }, { 4, 4 }, { 8, 2 }, { 8, 4 }, { 8, 8 }, { 16, 4 }, { 16, 16 },
	};

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		for (unsigned int granularity = 256; granularity <= 16384; granularity *= 2) {
			struct cxl_set set = {
				.start = 64 * GIB,
				.size_bytes = shapes[i].ways * 256 * MIB,
				.ways = shapes[i].ways,
				.granularity = granularity,
				.window = { .ways = shapes[i].bridges,
					    .granularity = granularity },
			};

			fill_parts(&set);
			add_xor_maps(&set.window);
			compare_with_model(&set, 256);
			set.start += 7 * GIB;
			compare_with_model(&set, 64);
		}
	}
}

/*
 * Translations that the CXL memory device software guide (Intel 643805, 2.13.24
 * and 2.13.25) prints, offsets from the region's start; granularity 256.
 */
static const struct {
	uint64_t dpa;
	unsigned int position, ways, bridges;
	uint64_t hpa;
} published[] = {
	{ 248, 0, 4, 4, 248 }, { 16, 1, 4, 4, 272 }, { 16, 2, 4, 4, 528 }, { 32, 3, 4, 4, 800 },
	{ 288, 0, 4, 4, 1056 }, { 288, 3, 4, 4, 1824 }, { 544, 1, 4, 4, 2080 },
	{ 544, 0, 4, 4, 2336 }, { 544, 3, 4, 4, 2592 }, { 1040, 2, 4, 4, 4112 },
	{ 1568, 3, 4, 4, 6176 }, { 32784, 1, 4, 4, 131088 }, { 65552, 2, 4, 4, 262160 },
	{ 98336, 3, 4, 4, 393248 }, { 98328, 2, 4, 4, 393496 }, { 443953523, 0, 4, 4, 1775813747 },
	{ 248, 0, 8, 4, 248 }, { 272, 1, 8, 4, 2064 }, { 528, 2, 8, 4, 4112 },
	{ 800, 3, 8, 4, 6176 }, { 16400, 1, 8, 4, 131088 }, { 49176, 2, 8, 4, 393496 },
	{ 116520373, 3, 8, 4, 932162229 }, { 244690459, 5, 8, 4, 1957525275 },
	{ 30721158, 4, 8, 4, 245769350 }, { 529382429, 5, 8, 4, UINT64_C(4235060509) },
	{ 344295715, 7, 8, 4, UINT64_C(2754367011) },
	{ 224, 0, 12, 12, 224 }, { 32, 9, 12, 12, 2080 }, { 32, 8, 12, 12, 2336 },
	{ 32, 11, 12, 12, 2592 }, { 32, 10, 12, 12, 2848 }, { 288, 0, 12, 12, 3360 },
	{ 299017087, 7, 12, 12, UINT64_C(3588205439) }, { 151050637, 11, 12, 12, 1812608653 },
	{ 329210435, 0, 12, 12, UINT64_C(3950524995) }, { 159252439, 3, 12, 12, 1911027415 },
	{ 342098916, 5, 12, 12, UINT64_C(4105186020) }, { 40424079, 7, 12, 12, 485088911 },
};

static void agrees_with_the_guide(void)
{
	for (size_t i = 0; i < ARRAY_LEN(published); i++) {
		struct cxl_set set = {
			.size_bytes = published[i].ways * 768 * MIB,
			.ways = published[i].ways,
			.granularity = 256,
			.window = { .ways = published[i].bridges, .granularity = 256, .nr_xor = 2,
				    .xor_map = { 0x2020900, 0x4041200 } },
		};
		uint64_t hpa = 0, dpa = 0;
		unsigned int device = 99;
		struct cxl_map *map;

		for (unsigned int p = 0; p < set.ways; p++)
			set.parts[p].device = p;
		map = map_of(&set);
		CHECK_INT(cxl_map_to_hpa(map, published[i].position, published[i].dpa, &hpa), 0);
		CHECK_INT(hpa, published[i].hpa);
		CHECK_INT(cxl_map_to_dpa(map, published[i].hpa, &device, &dpa), 0);
		CHECK_INT(device, published[i].position);
		CHECK_INT(dpa, published[i].dpa);
		cxl_map_free(map);
	}
}

/* A window for three bridges, and regions in it that begin anywhere: the bridge goes by address. */
static void keeps_the_bridges_rhythm(void)
{
	for (unsigned int start = 0; start < 6; start++) {
		struct cxl_set set = {
			.start = 16 * GIB + start * 256 * MIB,
			.size_bytes = 768 * MIB,
			.ways = 3,
			.granularity = 4096,
			.window = { .ways = 3, .granularity = 4096 },
			.parts = { { 0, 0 }, { 1, 0 }, { 2, 0 } },
		};
		struct cxl_map *map = map_of(&set);
		uint64_t next[3] = { 0 }, dpa = 0, hpa = 0;
		unsigned int device = 0;

		for (uint64_t at = set.start; at < set.start + 999 * 4096; at += 4096) {
			unsigned int bridge = (unsigned int)(at / 4096 % 3);

			CHECK_INT(cxl_map_to_dpa(map, at + 5, &device, &dpa), 0);
			CHECK_INT(device, bridge);
			CHECK_INT(dpa, next[bridge] + 5);
			CHECK_INT(cxl_map_to_hpa(map, bridge, next[bridge] + 5, &hpa), 0);
			CHECK_INT(hpa, at + 5);
			next[bridge] += 4096;
		}
		cxl_map_free(map);
	}
}

static void is_a_bijection(void)
{
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int ways = all_ways[random_u64() % ARRAY_LEN(all_ways)];
		struct cxl_set set = {
			.start = (random_u64() % 4096) * ways * GIB,
			.ways = ways,
			.granularity = 256u << random_u64() % 7,
			.size_bytes = ways * (1 + random_u64() % 64) * 256 * MIB,
		};
		struct cxl_map *map;

		set.window = (struct cxl_window) { .ways = ways, .granularity = set.granularity };
		if (random_u64() % 2)
			add_xor_maps(&set.window);
		fill_parts(&set);
		for (unsigned int p = 0; p < ways; p++)
			set.parts[p].dpa = random_u64() % 64 * GIB;
		map = map_of(&set);
		for (unsigned int n = 0; n < 1000; n++) {
			uint64_t hpa = set.start + random_u64() % set.size_bytes, dpa = 0, back = 0;
			unsigned int device = 0;

			CHECK_INT(cxl_map_to_dpa(map, hpa, &device, &dpa), 0);
			CHECK_INT(cxl_map_to_hpa(map, device, dpa, &back), 0);
			CHECK_INT(back, hpa);
		}
		cxl_map_free(map);
	}
}

/* Several sets, devices in more than one of them, holes on both sides. */
static void keeps_sets_apart(void)
{
	struct cxl_set pair = {
		.start = 8 * GIB, .size_bytes = 512 * MIB, .ways = 2, .granularity = 256,
		.window = { 1, 256, 0, { 0 } }, .parts = { { 4, 0 }, { 2, 256 * MIB } },
	};
	struct cxl_set single = {
		.start = 4 * GIB, .size_bytes = 256 * MIB, .ways = 1, .granularity = 1024,
		.window = { 1, 256, 0, { 0 } }, .parts = { { 2, 768 * MIB } },
	};
	struct cxl_map *map = map_of(&pair);
	const char *why = "";
	unsigned int device = 0;
	uint64_t hpa = 0, dpa = 0;

	CHECK_INT(cxl_map_add(map, &single, &why), 0);
	CHECK_INT(cxl_map_to_hpa(map, 2, 768 * MIB + 5, &hpa), 0);
	CHECK_INT(hpa, 4 * GIB + 5);
	CHECK_INT(cxl_map_to_hpa(map, 2, 256 * MIB + 5, &hpa), 0);
	CHECK_INT(hpa, 8 * GIB + 256 + 5);
	CHECK_INT(cxl_map_to_hpa(map, 4, 256 * MIB - 1, &hpa), 0);
	CHECK_INT(hpa, 8 * GIB + 512 * MIB - 256 - 1);
	CHECK_INT(cxl_map_to_dpa(map, 4 * GIB + 256 * MIB - 1, &device, &dpa), 0);
	CHECK_INT(device, 2);
	CHECK_INT(dpa, GIB - 1);

	/* What was skipped, what lies between, what comes after; devices that are in none. */
	CHECK_INT(cxl_map_to_hpa(map, 2, 0, &hpa), -ENXIO);
	CHECK_INT(cxl_map_to_hpa(map, 2, 256 * MIB - 1, &hpa), -ENXIO);
	CHECK_INT(cxl_map_to_hpa(map, 2, 512 * MIB, &hpa), -ENXIO);
	CHECK_INT(cxl_map_to_hpa(map, 2, GIB, &hpa), -ENXIO);
	CHECK_INT(cxl_map_to_hpa(map, 4, 256 * MIB, &hpa), -ENXIO);
	CHECK_INT(cxl_map_to_hpa(map, 3, 0, &hpa), -ENXIO);
	CHECK_INT(cxl_map_to_hpa(map, 0, UINT64_MAX, &hpa), -ENXIO);
	CHECK_INT(cxl_map_to_dpa(map, 4 * GIB - 1, &device, &dpa), -ENXIO);
	CHECK_INT(cxl_map_to_dpa(map, 4 * GIB + 256 * MIB, &device, &dpa), -ENXIO);
	CHECK_INT(cxl_map_to_dpa(map, 8 * GIB + 512 * MIB, &device, &dpa), -ENXIO);
	CHECK_INT(cxl_map_to_dpa(map, UINT64_MAX, &device, &dpa), -ENXIO);

	/* The same once more, and a stretch of a device twice. */
	CHECK_INT(cxl_map_add(map, &single, &why), -EINVAL);
	CHECK_STR(why, "overlaps another region");
	single.start = 32 * GIB;
	CHECK_INT(cxl_map_add(map, &single, &why), -EINVAL);
	single.parts[0].dpa = GIB;
	CHECK_INT(cxl_map_add(map, &single, &why), 0);
	cxl_map_free(map);
	CHECK(!cxl_map_free(NULL));
}

/* ---- Spreading ---- */

#define MODEL_PAGES	4096

/* Byte by 64 bytes, page by page: how much of each page from @start on is covered. */
static void model_cover(const struct cxl_map *map, unsigned int device, uint64_t dpa, uint64_t len,
			uint64_t start, uint64_t *covered)
{
	for (uint64_t at = dpa; at < dpa + len; at += 64) {
		uint64_t hpa = 0;

		if (!cxl_map_to_hpa(map, device, at, &hpa))
			covered[(hpa - start) / 4096] += 64;
	}
}

static void check_spread(const struct cxl_map *map, const struct cxl_set *set, unsigned int device,
			 uint64_t dpa, uint64_t len)
{
	static uint64_t want[MODEL_PAGES], got[MODEL_PAGES];
	struct cxl_share shares[CXL_SHARES_MAX];
	uint64_t done = 0;

	memset(want, 0, sizeof(want));
	memset(got, 0, sizeof(got));
	model_cover(map, device, dpa, len, set->start, want);
	for (uint64_t at = 0; at < len; at += done) {
		size_t nr = cxl_map_spread(map, device, dpa + at, len - at, 12, shares, &done);

		CHECK(nr <= CXL_SHARES_MAX);
		if (!done || done > len - at) {
			tap_fail(__FILE__, __LINE__, "0x%" PRIx64 " done", done);
			return;
		}
		for (size_t i = 0; i < nr; i++) {
			CHECK_INT(shares[i].hpa % 4096, 0);
			CHECK_INT(shares[i].size_bytes % 4096, 0);
			for (uint64_t page = 0; page < shares[i].size_bytes; page += 4096) {
				size_t index = (size_t)((shares[i].hpa - set->start + page) / 4096);

				/* A page is told of once. */
				CHECK_INT(got[index], 0);
				got[index] = shares[i].covered_bytes * 4096 / shares[i].size_bytes;
			}
		}
	}
	if (memcmp(want, got, sizeof(want)))
		tap_fail(__FILE__, __LINE__, "%u ways of %u, 0x%" PRIx64 "+%" PRIu64, set->ways,
			 set->granularity, dpa, len);
}

static void spreads_over_pages(void)
{
	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int ways = all_ways[random_u64() % ARRAY_LEN(all_ways)];
		struct cxl_set set = {
			.start = 48 * GIB,
			.size_bytes = ways * MIB,
			.ways = ways,
			.granularity = 256u << random_u64() % 7,
		};
		unsigned int position = (unsigned int)(random_u64() % ways);
		uint64_t len = UINT64_C(64) << random_u64() % 15;
		struct cxl_map *map;

		set.window = (struct cxl_window) { .ways = ways, .granularity = set.granularity };
		if (random_u64() % 2)
			add_xor_maps(&set.window);
		fill_parts(&set);
		map = map_of(&set);
		/* Mostly aligned units, as a device counts them; some stretches that are not. */
		if (i % 4)
			check_spread(map, &set, set.parts[position].device,
				     set.parts[position].dpa + random_u64() % (MIB / len) * len,
				     len);
		else
			check_spread(map, &set, set.parts[position].device,
				     set.parts[position].dpa + random_u64() % (MIB / 128) * 64,
				     random_u64() % 4096 * 64);
		cxl_map_free(map);
	}
}

static void spreads_as_expected(void)
{
	struct cxl_set set = {
		.start = 16 * GIB, .size_bytes = 768 * MIB, .ways = 3, .granularity = 256,
		.window = { 1, 256, 0, { 0 } },
		.parts = { { 0, MIB }, { 1, MIB }, { 2, MIB } },
	};
	struct cxl_share shares[CXL_SHARES_MAX];
	struct cxl_map *map = map_of(&set);
	uint64_t done = 0;

	/* 16 chunks of 256 bytes, every third: 6, 5 and 5 of them in three pages. */
	CHECK_INT(cxl_map_spread(map, 0, MIB, 4096, 12, shares, &done), 3);
	CHECK_INT(done, 4096);
	CHECK_INT(shares[0].hpa, set.start);
	CHECK_INT(shares[0].covered_bytes, 6 * 256);
	CHECK_INT(shares[1].covered_bytes, 5 * 256);
	CHECK_INT(shares[2].hpa, set.start + 8192);
	CHECK_INT(shares[2].covered_bytes, 5 * 256);

	/* Holes: before, reaching into the set, behind, a device that is in none. */
	CHECK_INT(cxl_map_spread(map, 0, 0, 4096, 12, shares, &done), 0);
	CHECK_INT(done, 4096);
	CHECK_INT(cxl_map_spread(map, 0, MIB - 1024, 4096, 12, shares, &done), 0);
	CHECK_INT(done, 1024);
	CHECK_INT(cxl_map_spread(map, 0, 257 * MIB - 1024, 4096, 12, shares, &done), 1);
	CHECK_INT(done, 1024);
	CHECK_INT(cxl_map_spread(map, 0, 257 * MIB, 4096, 12, shares, &done), 0);
	CHECK_INT(cxl_map_spread(map, 5, MIB, 4096, 12, shares, &done), 0);
	CHECK_INT(done, 4096);
	cxl_map_free(map);

	/* Not interleaved: one range however long. */
	set.ways = 1;
	map = map_of(&set);
	CHECK_INT(cxl_map_spread(map, 0, 3 * MIB, 64 * MIB, 12, shares, &done), 1);
	CHECK_INT(done, 64 * MIB);
	CHECK_INT(shares[0].hpa, set.start + 2 * MIB);
	CHECK_INT(shares[0].size_bytes, 64 * MIB);
	CHECK_INT(shares[0].covered_bytes, 64 * MIB);
	CHECK_INT(cxl_map_spread(map, 0, 768 * MIB, 64 * MIB, 12, shares, &done), 1);
	CHECK_INT(done, MIB);	/* the region ends */
	CHECK_INT(shares[0].size_bytes, MIB);
	cxl_map_free(map);
}

static void refuses_what_cannot_be(void)
{
	const struct cxl_set good = {
		.start = 16 * GIB, .size_bytes = 512 * MIB, .ways = 2, .granularity = 256,
		.window = { 2, 256, 1, { 0x2020900 } },
		.parts = { { 0, 0 }, { 1, 0 } },
	};
	struct cxl_set bad[18];
	size_t nr = 0;
	struct cxl_map *map = map_of(&good);

	cxl_map_free(map);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[nr++].ways = 0;
	bad[nr++].ways = 5;
	bad[nr++].ways = 1;		/* less than the window has bridges */
	bad[nr++].ways = 3;
	bad[nr++].granularity = 128;
	bad[nr++].granularity = 32768;
	bad[nr++].granularity = 768;
	bad[nr++].window.ways = 0;
	bad[nr++].size_bytes = 0;
	bad[nr++].size_bytes = 512 * MIB + 256;
	bad[nr++].cache_bytes = 512 * MIB;
	bad[nr].window.xor_map[1] = 0x4041200;
	bad[nr++].window.nr_xor = 2;	/* for two bridges */
	bad[nr].start += MIB / 2;
	bad[nr++].window.xor_map[0] = MIB;	/* swaps addresses with what is outside */
	bad[nr++].window.xor_map[0] = 128;	/* within a chunk */
	bad[nr++].parts[1].dpa = UINT64_MAX - MIB;
	bad[nr++].window.xor_map[0] = 0;
	bad[nr++].window.xor_map[0] = UINT64_C(1) << 40;
	bad[nr++].parts[1].device = 0;
	for (size_t i = 0; i < nr; i++) {
		const char *why = NULL;

		CHECK_INT(cxl_map_new(&map), 0);
		if (cxl_map_add(map, &bad[i], &why) != -EINVAL || !why)
			tap_fail(__FILE__, __LINE__, "bad[%zu] was taken", i);
		cxl_map_free(map);
	}
	CHECK_INT(nr, ARRAY_LEN(bad));
}

TAP_MAIN(
	{ "as dealt by hand: all ways, all granularities", follows_the_model },
	{ "as dealt by hand, with XOR maps", follows_the_model_with_xor },
	{ "published translations", agrees_with_the_guide },
	{ "regions off the rhythm of three bridges", keeps_the_bridges_rhythm },
	{ "there and back", is_a_bijection },
	{ "several regions, skips and holes", keeps_sets_apart },
	{ "units over host pages, against counting", spreads_over_pages },
	{ "units over host pages, by hand", spreads_as_expected },
	{ "what no hardware has", refuses_what_cannot_be },
)
