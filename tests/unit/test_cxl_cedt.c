// SPDX-License-Identifier: GPL-2.0-only
/* The CEDT: whole tables, and every way in which one can be broken. */
#include <errno.h>

#include "cxl_cedt.h"
#include "tap.h"

#define GIB	(UINT64_C(1) << 30)

struct table {
	unsigned char bytes[1024];
	size_t len;
};

static void put(struct table *table, uint64_t value, size_t nr_bytes)
{
	for (size_t i = 0; i < nr_bytes; i++)
		table->bytes[table->len++] = (unsigned char)(i < 8 ? value >> 8 * i : 0);
}

static void begin(struct table *table)
{
	memset(table, 0, sizeof(*table));
	memcpy(table->bytes, "CEDT", 4);
	table->len = 36;
}

static void finish(struct table *table)
{
	unsigned char sum = 0;

	for (unsigned int i = 0; i < 4; i++)
		table->bytes[4 + i] = (unsigned char)(table->len >> 8 * i);
	table->bytes[9] = 0;
	for (size_t i = 0; i < table->len; i++)
		sum = (unsigned char)(sum + table->bytes[i]);
	table->bytes[9] = (unsigned char)-sum;
}

static void add_bridge(struct table *table)
{
	put(table, 0, 2);
	put(table, 32, 2);
	put(table, 0, 28);
}

static void add_window(struct table *table, uint64_t start, uint64_t size, unsigned int ways_code,
		       unsigned int nr_targets, unsigned int arithmetic,
		       unsigned int granularity_code)
{
	put(table, 1, 2);
	put(table, 36 + 4 * nr_targets, 2);
	put(table, 0, 4);
	put(table, start, 8);
	put(table, size, 8);
	put(table, ways_code, 1);
	put(table, arithmetic, 1);
	put(table, 0, 2);
	put(table, granularity_code, 4);
	put(table, 6, 2);
	put(table, 0, 2);
	for (unsigned int i = 0; i < nr_targets; i++)
		put(table, i, 4);
}

static void add_maps(struct table *table, unsigned int granularity_code, unsigned int nr,
		     const uint64_t *maps)
{
	put(table, 2, 2);
	put(table, 8 + 8 * nr, 2);
	put(table, 0, 2);
	put(table, granularity_code, 1);
	put(table, nr, 1);
	for (unsigned int i = 0; i < nr; i++)
		put(table, maps[i], 8);
}

static const uint64_t maps[] = { 0x2020900, 0x4041200, 0x1010400, 0x800 };

/* Bridges, windows of each arithmetic, maps for two granularities: as a server would have. */
static void build(struct table *table)
{
	static const uint64_t other[] = { 0x11000, 0x22000 };

	begin(table);
	add_bridge(table);
	add_bridge(table);
	add_window(table, 4 * GIB, 4 * GIB, 0, 1, 0, 0);
	add_window(table, 8 * GIB, 4 * GIB, 2, 4, 1, 0);
	add_window(table, 16 * GIB, 4 * GIB, 1, 2, 0, 4);
	add_window(table, 32 * GIB, 12 * GIB, 10, 12, 1, 0);
	add_window(table, 64 * GIB, 3 * GIB, 8, 3, 1, 0);
	add_window(table, 128 * GIB, 16 * GIB, 4, 16, 1, 0);
	add_maps(table, 4, 2, other);
	add_maps(table, 0, 4, maps);
	finish(table);
}

static void finds_windows(void)
{
	struct table table;
	struct cxl_window window;
	const char *why;

	build(&table);
	CHECK_INT(cxl_cedt_window(table.bytes, table.len, 5 * GIB, &window, &why), 0);
	CHECK_INT(window.ways, 1);
	CHECK_INT(window.nr_xor, 0);
	CHECK_INT(cxl_cedt_window(table.bytes, table.len, 8 * GIB, &window, &why), 0);
	CHECK_INT(window.ways, 4);
	CHECK_INT(window.granularity, 256);
	CHECK_INT(window.nr_xor, 2);
	CHECK_INT(window.xor_map[0], 0x2020900);
	CHECK_INT(window.xor_map[1], 0x4041200);
	CHECK_INT(cxl_cedt_window(table.bytes, table.len, 20 * GIB - 1, &window, &why), 0);
	CHECK_INT(window.ways, 2);
	CHECK_INT(window.granularity, 4096);
	CHECK_INT(window.nr_xor, 0);
	CHECK_INT(cxl_cedt_window(table.bytes, table.len, 33 * GIB, &window, &why), 0);
	CHECK_INT(window.ways, 12);
	CHECK_INT(window.nr_xor, 2);
	CHECK_INT(cxl_cedt_window(table.bytes, table.len, 64 * GIB, &window, &why), 0);
	CHECK_INT(window.ways, 3);
	CHECK_INT(window.nr_xor, 0);	/* three bridges take turns, whatever it says */
	CHECK_INT(cxl_cedt_window(table.bytes, table.len, 128 * GIB, &window, &why), 0);
	CHECK_INT(window.ways, 16);
	CHECK_INT(window.nr_xor, 4);
	CHECK_INT(window.xor_map[3], 0x800);
	CHECK_INT(cxl_cedt_window(table.bytes, table.len, 4 * GIB - 1, &window, &why), -ENXIO);
	CHECK_INT(cxl_cedt_window(table.bytes, table.len, 12 * GIB, &window, &why), -ENXIO);
	CHECK_STR(why, "the CEDT has no window there");
	/* Firmware files are sometimes longer than the table. */
	CHECK_INT(cxl_cedt_window(table.bytes, table.len + 100, 8 * GIB, &window, &why), 0);
}

static void leads_to_a_map(void)
{
	struct cxl_set set = {
		.start = 8 * GIB, .size_bytes = GIB, .ways = 4, .granularity = 256,
		.parts = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 3, 0 } },
	};
	struct cxl_map *map;
	struct table table;
	const char *why;
	uint64_t hpa = 0;

	/* The example of the software guide, moved up by 8 GiB, which its maps do not see. */
	build(&table);
	CHECK_INT(cxl_cedt_window(table.bytes, table.len, set.start, &set.window, &why), 0);
	CHECK_INT(cxl_map_new(&map), 0);
	CHECK_INT(cxl_map_add(map, &set, &why), 0);
	CHECK_INT(cxl_map_to_hpa(map, 1, 544, &hpa), 0);
	CHECK_INT(hpa, 8 * GIB + 2080);
	CHECK_INT(cxl_map_to_hpa(map, 0, 544, &hpa), 0);
	CHECK_INT(hpa, 8 * GIB + 2336);
	cxl_map_free(map);
}

static void check_bad(struct table *table, int want, const char *says)
{
	struct cxl_window window = { .ways = 77 };
	const char *why = NULL;
	int err;

	finish(table);
	err = cxl_cedt_window(table->bytes, table->len, 8 * GIB, &window, &why);
	CHECK_INT(err, want);
	CHECK_STR(why ? why : "", says);
	CHECK_INT(window.ways, 77);	/* untouched on failure */
}

static void tells_what_is_broken(void)
{
	struct table table;

	begin(&table);
	check_bad(&table, -ENXIO, "the CEDT has no window there");
	begin(&table);
	table.bytes[0] = 'X';
	check_bad(&table, -EBADMSG, "not a CEDT");
	begin(&table);
	add_window(&table, 8 * GIB, GIB, 5, 2, 0, 0);
	check_bad(&table, -ENOTSUP,
		  "a window of the CEDT has ways or a granularity that are not known");
	begin(&table);
	add_window(&table, 8 * GIB, GIB, 1, 2, 0, 7);
	check_bad(&table, -ENOTSUP,
		  "a window of the CEDT has ways or a granularity that are not known");
	begin(&table);
	add_window(&table, 8 * GIB, GIB, 2, 2, 0, 0);
	check_bad(&table, -EBADMSG, "a window of the CEDT lacks targets");
	begin(&table);
	add_window(&table, 8 * GIB, GIB, 1, 2, 2, 0);
	check_bad(&table, -ENOTSUP,
		  "a window of the CEDT has an interleave arithmetic that is not known");
	begin(&table);
	add_window(&table, 8 * GIB, GIB, 1, 2, 1, 0);
	add_maps(&table, 1, 1, maps);
	check_bad(&table, -EBADMSG, "the CEDT has no XOR maps (CXIMS) for the window");
	begin(&table);
	add_window(&table, 8 * GIB, GIB, 2, 4, 1, 0);
	add_maps(&table, 0, 1, maps);
	check_bad(&table, -EBADMSG, "a CXIMS of the CEDT has too few XOR maps");
	begin(&table);
	add_window(&table, 8 * GIB, GIB, 2, 4, 1, 0);
	add_maps(&table, 0, 2, maps);
	table.bytes[table.len - 17] = 3;	/* more maps than the structure holds */
	check_bad(&table, -EBADMSG, "a CXIMS of the CEDT has too few XOR maps");
	begin(&table);
	put(&table, 0, 2);
	put(&table, 3, 2);	/* shorter than a structure's own head: no way on */
	check_bad(&table, -EBADMSG, "a structure of the CEDT is broken");
}

/* Cut off anywhere, or with any one byte changed: an answer, never a crash. */
static void survives_anything(void)
{
	struct table table, broken;
	struct cxl_window window;
	const char *why;
	unsigned char *exact;

	build(&table);
	for (size_t len = 0; len < table.len; len++) {
		exact = malloc(len + 1);	/* so that reading behind the end is noticed */
		memcpy(exact + 1, table.bytes, len);
		CHECK_INT(cxl_cedt_window(exact + 1, len, 8 * GIB, &window, &why), -EBADMSG);
		free(exact);
	}
	for (size_t at = 0; at < table.len; at++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			broken = table;
			broken.bytes[at] ^= (unsigned char)(1u << bit);
			CHECK_INT(cxl_cedt_window(broken.bytes, broken.len, 8 * GIB, &window,
						  &why), -EBADMSG);
			if (at < 36)
				continue;
			/* The same with a checksum that fits. */
			finish(&broken);
			exact = malloc(broken.len);
			memcpy(exact, broken.bytes, broken.len);
			if (!cxl_cedt_window(exact, broken.len, 8 * GIB, &window, &why))
				CHECK(window.ways >= 1 && window.ways <= 16);
			free(exact);
		}
	}
}

TAP_MAIN(
	{ "windows of every kind", finds_windows },
	{ "a window's maps translate", leads_to_a_map },
	{ "broken tables are named", tells_what_is_broken },
	{ "any cut, any flipped bit", survives_anything },
)
