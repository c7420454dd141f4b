// SPDX-License-Identifier: GPL-2.0-only
/* Hot lists in the addresses of CXL devices, on a machine with an interleave set. */
#include "cxl.h"

#include "fuzz.h"

#define MIB(n)		((uint64_t)(n) << 20)
#define NR_READS	256	/* a line may name all of a device */

static struct mpp_cxl_device devices[] = { { .name = "mem0" }, { .name = "mem1" } };
static struct mpp_cxl machine = { .refs = 1, .devices = devices, .nr_devices = 2 };

static void make_machine(void)
{
	const struct cxl_set sets[] = {
		{
			.start = UINT64_C(1) << 32, .size_bytes = MIB(256), .ways = 2,
			.granularity = 256, .window = { .ways = 1, .granularity = 256 },
			.parts = { { 0, 0 }, { 1, 0 } },
		}, {
			.start = UINT64_C(2) << 32, .size_bytes = MIB(256), .ways = 1,
			.granularity = 4096, .window = { .ways = 1, .granularity = 4096 },
			.parts = { { 1, MIB(256) } },
		},
	};
	const char *why;

	FUZZ_CHECK(!cxl_map_new(&machine.map));
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		FUZZ_CHECK(!cxl_map_add(machine.map, &sets[i], &why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	const struct mpp_cxl_hot_options options = {
		.size = sizeof(options),
		.cxl = &machine,
		.unit_bytes = UINT64_C(1) << (6 + fuzz_byte(&in) % 16),
	};
	struct mpp_source *src;

	if (!machine.map)
		make_machine();
	FUZZ_CHECK(!mpp_cxl_hot_open_fd(fuzz_fd(in.at, in.left), "input", &options, &src));
	fuzz_read_all(src, 64, NR_READS);
	return 0;
}
