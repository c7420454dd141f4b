// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same pages of one process, while the machine around it grows.  Ten processes
 * share a cgroup: that only helps the way that asks for it.
 */
#include "bench.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "reverse.h"

#define NR_PAGES 64
#define PER_GROUP 10

/* ---- Groups ------------------------------------------------------------- */

/* Where they are mounted; NULL: this kernel does not charge memory to groups. */
static const char *groups;

static void start_groups(void)
{
	char path[128];

	if (groups)
		return;
	groups = mount_at("cgroup2", "none", "cgroup2", NULL);
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", groups);
	if (!exists("/proc/kpagecgroup") || try_write(path, "+memory") < 0)
		groups = NULL;
	else
		reverse_use_cgroups(MUST(open(groups, O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
}

static void path_of_group(char *path, size_t room, unsigned int group, const char *file)
{
	snprintf(path, room, "%s/bench-%u/%s", groups, group, file);
}

static void join_group(unsigned int group)
{
	char path[128];

	if (!groups)
		return;
	path_of_group(path, sizeof(path), group, "");
	if (mkdir(path, 0755) < 0)
		CHECK(errno == EEXIST, "mkdir %s: %s", path, strerror(errno));
	path_of_group(path, sizeof(path), group, "cgroup.procs");
	write_text(path, "0");
}

static void end_groups(unsigned int nr)
{
	char path[128];

	for (unsigned int i = 0; groups && i < nr; i++) {
		path_of_group(path, sizeof(path), i, "");
		MUST(rmdir(path));
	}
}

/* ---- The machine ---------------------------------------------------------- */

struct tenant {
	size_t nr_pages;
	unsigned int group;
};

/* On the slow node, so that the fast one keeps room for what is moved there. */
static void live(struct child *me, void *arg)
{
	const struct tenant *tenant = arg;
	struct place place;

	join_group(tenant->group);
	place = place_anon(tenant->nr_pages, slow_node());
	me->shared[0] = (uintptr_t)place.va;
	child_sync(me);
}

/* What the harness shares with one process is not to be in all later ones, to be searched there. */
static struct child start(const struct tenant *tenant)
{
	struct child c = spawn(live, (void *)tenant);

	MUST(madvise((void *)c.shared, page_size(), MADV_DONTFORK));
	wait_for(&c);
	return c;
}

static void end(struct child *c)
{
	go_on(c);
	child_end(c);
}

struct machine {
	unsigned int nr_others, mib;	/* that they map together */
	struct child *others;
	struct child owner;		/* in a group with others */
	struct child alone;		/* in a group of its own */
	char name[32];
};

static struct machine machine_start(unsigned int nr_others, unsigned int mib, size_t nr_pages)
{
	struct machine m = { .nr_others = nr_others, .mib = mib };
	size_t each = ((size_t)mib << 20) / page_size() / nr_others;
	/* Half way through the others and its group, where a search that ends early finds it. */
	unsigned int middle = nr_others / 2 + (nr_others > PER_GROUP ? PER_GROUP / 2 : 0);

	m.others = calloc(nr_others, sizeof(*m.others));
	CHECK(m.others, "out of memory");
	snprintf(m.name, sizeof(m.name), "%ux%u", nr_others, mib);
	start_groups();
	for (unsigned int i = 0; i < nr_others; i++) {
		if (i == middle) {
			m.owner = start(&(struct tenant){ nr_pages, i / PER_GROUP });
			m.alone = start(&(struct tenant){ NR_PAGES, nr_others / PER_GROUP });
		}
		m.others[i] = start(&(struct tenant){ each, i / PER_GROUP });
	}
	return m;
}

static void machine_end(struct machine *m)
{
	end(&m->owner);
	end(&m->alone);
	for (unsigned int i = 0; i < m->nr_others; i++)
		end(&m->others[i]);
	end_groups(m->nr_others / PER_GROUP + 1);
	free(m->others);
}

/* ---- Measuring -------------------------------------------------------------- */

/* What of a process is moved. */
struct owned {
	pid_t pid;
	uint64_t va;
};

static void take(struct job *job, const struct owned *own, int target)
{
	off_t at = own->va / page_size() * sizeof(*job->phys);
	size_t len = job->nr * sizeof(*job->phys);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)own->pid);
	fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	CHECK_EQ(pread(fd, job->phys, len, at), len);
	close(fd);
	for (unsigned long i = 0; i < job->nr; i++) {
		job->va[i] = (void *)(uintptr_t)(own->va + i * page_size());
		job->phys[i] = (job->phys[i] & ((1ULL << 55) - 1)) * page_size();
		job->nodes[i] = target;
		CHECK(job->phys[i], "a page of the owner is not present");
	}
	job->pid = own->pid;
}

static void bring_back(struct job *job, const struct owned *own)
{
	take(job, own, slow_node());
	CHECK_EQ(way_move_pages.move(job), 0);
	lru_settle();
}

static void measure_here(const char *name, const struct way *way, const struct owned *own,
			 unsigned long nr, unsigned int runs)
{
	struct job job = job_new(nr, MPOL_MF_MOVE);

	/* The first fills caches; where there is time for one it is the only one. */
	for (unsigned int run = runs > 1 ? 0 : 1; run < runs + 1; run++) {
		uint64_t count;

		bring_back(&job, own);
		take(&job, own, fast_node());
		count = bench_move(way, &job);
		for (unsigned long i = 0; i < nr; i++)
			CHECK_STATUS(job.status[i], fast_node());
		if (run)
			bench_run(name, way->name, nr, nr, count);
	}
}

/* In a process of its own, so that the memory it takes is told. */
static void measure(const struct machine *m, const char *group, const struct way *way,
		    const struct child *c, unsigned long nr, unsigned int runs)
{
	/* The process itself does not inherit what is shared with the owner. */
	struct owned own = { c->pid, c->shared[0] };
	struct rusage usage;
	char name[48], fact[96];
	int wstatus;
	pid_t pid;

	if (way == &way_reverse_cgroup && !groups)
		return;
	if (nr == NR_PAGES)
		snprintf(name, sizeof(name), "%s/%s", group, m->name);
	else
		snprintf(name, sizeof(name), "%s-%s/%lu", group, m->name, nr);
	pid = MUST(fork());
	if (!pid) {
		measure_here(name, way, &own, nr, runs);
		_exit(0);
	}
	MUST(wait4(pid, &wstatus, 0, &usage));
	CHECK(WIFEXITED(wstatus) && !WEXITSTATUS(wstatus), "%s: %s ended with wait status %#x",
	      name, way->name, wstatus);
	snprintf(fact, sizeof(fact), "%s/%s/memory", name, way->name);
	bench_fact(fact, usage.ru_maxrss, "KiB at most, with the program's own");
}

/* @plain_runs of the way that takes longest. */
static void grow(const char *group, unsigned int nr_others, unsigned int mib,
		 unsigned int plain_runs)
{
	struct machine m = machine_start(nr_others, mib, NR_PAGES);

	measure(&m, group, &way_call, &m.owner, NR_PAGES, bench_runs());
	measure(&m, group, &way_move_pages, &m.owner, NR_PAGES, bench_runs());
	measure(&m, group, &way_reverse_cgroup, &m.owner, NR_PAGES, bench_runs());
	measure(&m, group, &way_reverse_query, &m.owner, NR_PAGES, bench_runs());
	measure(&m, group, &way_reverse_scan, &m.owner, NR_PAGES, bench_runs());
	measure(&m, group, &way_reverse_plain, &m.owner, NR_PAGES, plain_runs);
	measure(&m, "own-cgroup", &way_call, &m.alone, NR_PAGES, bench_runs());
	measure(&m, "own-cgroup", &way_move_pages, &m.alone, NR_PAGES, bench_runs());
	measure(&m, "own-cgroup", &way_reverse_cgroup, &m.alone, NR_PAGES, bench_runs());
	machine_end(&m);
}

TEST(growth, small, .limit_s = 600) { grow("growth", 10, 100, bench_runs()); }
TEST(growth, medium, .limit_s = 1800) { grow("growth", 100, 1024, 1); }
TEST(growth, large, .limit_s = 3600) { grow("growth", 1000, 4096, 1); }

/* Many processes or much memory, not both. */
TEST(growth, many, .limit_s = 1800) { grow("growth-one-way", 1000, 100, 1); }
TEST(growth, much, .limit_s = 3600) { grow("growth-one-way", 10, 4096, 1); }

/* ---- Large batches ------------------------------------------------------------ */

/* A search costs the same for one page or many: how near do many bring it to the call? */
static void batch(unsigned int nr_others, unsigned int mib, unsigned long nr, unsigned int runs)
{
	struct machine m = machine_start(nr_others, mib, nr);

	measure(&m, "batch", &way_call, &m.owner, nr, runs);
	measure(&m, "batch", &way_move_pages, &m.owner, nr, runs);
	measure(&m, "batch", &way_reverse_query, &m.owner, nr, runs);
	machine_end(&m);
}

TEST(batch, small, .limit_s = 1800)
{
	batch(10, 100, 4096, bench_runs());
	batch(10, 100, 16384, bench_runs());
	batch(10, 100, 65536, 1);
}

TEST(batch, large, .limit_s = 3600)
{
	batch(1000, 4096, 65536, 1);
}
