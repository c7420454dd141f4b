// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memory device is taken out of the machine while calls name every page of it:
 * what was in it goes elsewhere, and its addresses become those of no memory.
 *
 * Needs a device that ACPI can eject (testbed/vm run --dimm 1:128M).
 */
#include "harness.h"

#include <dirent.h>

#define EJECT	"/sys/bus/acpi/devices/PNP0C80:00/eject"
#define MEMORY	"/sys/devices/system/memory"

#define NR_PAGES	8192
#define STEP		8	/* of the device's pages, every so many are named */
#define PATIENCE_MS	240000

struct device {
	uint64_t start, size;	/* bytes */
	unsigned int block;	/* one of its memory blocks */
};

static bool only_movable(unsigned int block)
{
	char *zones = read_text(MEMORY "/memory%u/valid_zones", block);
	bool movable = !strncmp(zones, "Movable", 7);

	free(zones);
	return movable;
}

/* The memory blocks that came as movable: nothing else of this machine did. */
static struct device find_device(void)
{
	char *text = read_text(MEMORY "/block_size_bytes");
	uint64_t block_size = strtoull(text, NULL, 16);
	struct device dev = { .start = UINT64_MAX };
	DIR *dir = opendir(MEMORY);
	struct dirent *entry;
	unsigned int block;

	free(text);
	CHECK(dir, "%s: %s", MEMORY, strerror(errno));
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "memory%u", &block) != 1 || !only_movable(block))
			continue;
		if (block * block_size < dev.start)
			dev.start = block * block_size;
		dev.size += block_size;
		dev.block = block;
	}
	closedir(dir);
	CHECK(dev.size, "there is a memory device, and no block of movable memory");
	CHECK_EQ(node_of_phys(dev.start), slow_node());
	return dev;
}

static bool within(const struct device *dev, uint64_t phys)
{
	return phys - dev->start < dev->size;
}

/* Names pages all over the device, for either node in turn, until told to stop. */
static void name_its_pages(struct child *me, void *arg)
{
	const struct device *dev = arg;
	int node = fast_node();

	child_tell(me);
	while (!me->shared[0]) {
		struct batch b = { 0 };

		for (uint64_t at = 0; at < dev->size; at += STEP * page_size())
			batch_add(&b, dev->start + at, node);
		batch_run(&b, MPOL_MF_MOVE_ALL);
		batch_free(&b);
		node = node == fast_node() ? slow_node() : fast_node();
		me->shared[1]++;
	}
}

static void take_out(const struct device *dev)
{
	long long until = now_ms() + PATIENCE_MS;

	write_text(EJECT, "1");
	while (exists(MEMORY "/memory%u", dev->block)) {
		CHECK(now_ms() < until, "the device at %#llx is still there after %d s",
		      (unsigned long long)dev->start, PATIENCE_MS / 1000);
		nap_ms(200);
	}
}

static void expect_no_memory(const struct device *dev)
{
	struct batch b = { 0 };

	for (uint64_t at = 0; at < dev->size; at += STEP * page_size())
		batch_add(&b, dev->start + at, fast_node());
	batch_run(&b, MPOL_MF_MOVE_ALL);
	batch_expect(&b, -ENXIO);
	batch_query(&b, 0);
	batch_expect(&b, -ENXIO);
	batch_free(&b);
}

TEST(unplug, memory_device, .limit_s = 300)
{
	struct device dev;
	struct region r;
	struct child c;
	uint64_t calls;

	if (!exists(EJECT))
		SKIP("no memory device to take out (testbed/vm run --dimm 1:128M)");
	dev = find_device();
	/* Pages of users go to movable memory first. */
	r = region_anon(NR_PAGES, slow_node(), 1);
	CHECK(within(&dev, region_phys(&r, 0)), "page at %#llx is not of the device",
	      (unsigned long long)region_phys(&r, 0));
	CHECK_STATUS(query_one(region_phys(&r, 0), 0), slow_node());

	c = spawn(name_its_pages, &dev);
	wait_for(&c);
	take_out(&dev);
	region_verify(&r);
	for (size_t i = 0; i < r.nr_pages; i++)
		CHECK(!within(&dev, region_phys(&r, i)), "page %zu is where no memory is", i);
	expect_no_memory(&dev);

	/* Calls that came while it went are over, and later ones fare no worse. */
	calls = c.shared[1];
	while (c.shared[1] < calls + 2)
		nap_ms(10);
	c.shared[0] = 1;
	child_end(&c);
	region_move(&r, fast_node(), 0);
}
