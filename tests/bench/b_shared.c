// SPDX-License-Identifier: GPL-2.0-only
/* Pages that many processes map. */
#include "bench.h"

#define NR_PAGES 64

static const struct way *const both[] = { &way_call, &way_move_pages, NULL };

/* Maps nothing of its own: what it shares is what it was born with. */
static void sharer(struct child *me, void *arg)
{
	const struct place *place = arg;

	for (size_t i = 0; i < place->nr_pages; i++)
		(void)*(volatile unsigned char *)(place->va + i * page_size());
	child_sync(me);
}

static void share(const char *name, struct place *place, unsigned int nr_processes)
{
	struct child *children = calloc(nr_processes, sizeof(*children));
	struct plan plan = {
		.name = name,
		.ways = both,
		.place = place,
		.target = fast_node(),
		.flags = MPOL_MF_MOVE_ALL,
		.n = place->nr_pages,
	};

	CHECK(children, "out of memory");
	/* This process is one of those that share. */
	for (unsigned int i = 0; i + 1 < nr_processes; i++) {
		children[i] = spawn(sharer, place);
		wait_for(&children[i]);
	}
	place_restore(place, MPOL_MF_MOVE_ALL);
	plan_run(&plan);
	for (unsigned int i = 0; i + 1 < nr_processes; i++) {
		go_on(&children[i]);
		child_end(&children[i]);
	}
}

static void share_anon(unsigned int nr_processes)
{
	struct place place = place_anon(NR_PAGES, slow_node());
	char name[32];

	snprintf(name, sizeof(name), "shared-anon/%u", nr_processes);
	share(name, &place, nr_processes);
}

static void share_file(unsigned int nr_processes)
{
	int fd = MUST(memfd_create("bench", MFD_CLOEXEC));
	struct place place = { .nr_pages = NR_PAGES, .node = slow_node() };
	char name[32];

	place.va = region_file(fd, NR_PAGES, slow_node(), 1, MAP_SHARED).va;
	snprintf(name, sizeof(name), "shared-file/%u", nr_processes);
	share(name, &place, nr_processes);
}

TEST(shared_anon, 2) { share_anon(2); }
TEST(shared_anon, 20) { share_anon(20); }
TEST(shared_anon, 200, .limit_s = 600) { share_anon(200); }

TEST(shared_anon, 1000, .limit_s = 1800)
{
	share_anon(1000);
}

TEST(shared_file, 2) { share_file(2); }
TEST(shared_file, 20) { share_file(20); }
TEST(shared_file, 200, .limit_s = 600) { share_file(200); }

TEST(shared_file, 1000, .limit_s = 1800)
{
	share_file(1000);
}
