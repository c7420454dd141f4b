// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many addresses of CXL devices a second are translated: alone, and as a hot
 * list of text that becomes pages.  Needs no CXL: the arithmetic is the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cxl.h"

#define GIB		(UINT64_C(1) << 30)
#define NR_ADDRESSES	(UINT64_C(1) << 20)	/* in random order, again and again */
#define NR_ROUNDS	32
#define NR_LINES	UINT64_C(10000000)

static uint64_t random_state = 88172645463325252;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Of processor time, so that what else the machine does does not count. */
static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "bench_cxl: %s: %s\n", what, strerror(-err));
		exit(EXIT_FAILURE);
	}
}

/* Eight sets of @ways devices each, as on a large machine; devices are used once. */
static struct cxl_map *make_map(unsigned int ways, unsigned int granularity, unsigned int nr_xor)
{
	struct cxl_map *map;
	const char *why = "?";

	must(cxl_map_new(&map), "cxl_map_new");
	for (unsigned int i = 0; i < 8; i++) {
		struct cxl_set set = {
			.start = (i + 1) * 256 * GIB,
			.size_bytes = ways * 16 * GIB,
			.ways = ways,
			.granularity = granularity,
			.window = { nr_xor ? ways : 1, granularity, nr_xor,
				    { 0x2020900, 0x4041200, 0x1010400, 0x800 } },
		};

		for (unsigned int p = 0; p < ways; p++)
			set.parts[p].device = i * ways + p;
		if (cxl_map_add(map, &set, &why)) {
			fprintf(stderr, "bench_cxl: %u ways: %s\n", ways, why);
			exit(EXIT_FAILURE);
		}
	}
	return map;
}

static void measure_map(unsigned int ways, unsigned int granularity, unsigned int nr_xor)
{
	struct cxl_map *map = make_map(ways, granularity, nr_xor);
	uint64_t *addresses = calloc(NR_ADDRESSES, sizeof(*addresses));
	uint64_t hpa = 0, dpa = 0, sum = 0;
	unsigned int device;
	double start, to_hpa, to_dpa;

	must(addresses ? 0 : -ENOMEM, "memory");
	for (uint64_t i = 0; i < NR_ADDRESSES; i++)
		addresses[i] = random_u64() % (16 * GIB);
	start = now();
	for (unsigned int round = 0; round < NR_ROUNDS; round++)
		for (uint64_t i = 0; i < NR_ADDRESSES; i++) {
			cxl_map_to_hpa(map, (unsigned int)(i % (8 * ways)), addresses[i], &hpa);
			sum += hpa;
		}
	to_hpa = now() - start;
	for (uint64_t i = 0; i < NR_ADDRESSES; i++) {
		cxl_map_to_hpa(map, (unsigned int)(i % (8 * ways)), addresses[i], &hpa);
		addresses[i] = hpa;
	}
	start = now();
	for (unsigned int round = 0; round < NR_ROUNDS; round++)
		for (uint64_t i = 0; i < NR_ADDRESSES; i++) {
			cxl_map_to_dpa(map, addresses[i], &device, &dpa);
			sum += dpa + device;
		}
	to_dpa = now() - start;
	printf("%2u ways of %5u bytes%s: %6.1f million/s to host, %6.1f to device (%" PRIx64 ")\n",
	       ways, granularity, nr_xor ? ", XOR" : "", NR_ROUNDS * NR_ADDRESSES / to_hpa / 1e6,
	       NR_ROUNDS * NR_ADDRESSES / to_dpa / 1e6, sum & 0xff);
	free(addresses);
	cxl_map_free(map);
}

/* A file of random units, which is gone once it is closed. */
static int make_list(unsigned int ways)
{
	char name[] = "/tmp/movephys-bench-XXXXXX";
	int fd = mkstemp(name);
	FILE *file = fd >= 0 ? fdopen(dup(fd), "w") : NULL;

	if (!file) {
		perror(name);
		exit(EXIT_FAILURE);
	}
	unlink(name);
	for (uint64_t i = 0; i < NR_LINES; i++)
		fprintf(file, "mem%u 0x%" PRIx64 " %u\n", (unsigned int)(i % ways),
			(random_u64() % (16 * GIB)) & ~UINT64_C(4095),
			(unsigned int)(random_u64() % 1000));
	fclose(file);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void measure_list(unsigned int ways, unsigned int granularity)
{
	struct mpp_cxl cxl = { .map = make_map(ways, granularity, 0), .nr_devices = ways };
	const struct mpp_cxl_hot_options options = { .size = sizeof(options), .cxl = &cxl };
	static struct mpp_record records[1024];
	struct mpp_source *src;
	uint64_t nr_records = 0;
	double start;
	int fd = make_list(ways), nr;

	atomic_init(&cxl.refs, 2);	/* one more than there are, as it is not to be freed */
	cxl.devices = calloc(ways, sizeof(*cxl.devices));
	must(cxl.devices ? 0 : -ENOMEM, "memory");
	for (unsigned int i = 0; i < ways; i++)
		snprintf(cxl.devices[i].name, sizeof(cxl.devices[i].name), "mem%u", i);
	must(mpp_cxl_hot_open_fd(fd, "list", &options, &src), "mpp_cxl_hot_open_fd");
	start = now();
	while ((nr = mpp_source_read(src, 1024, records)) > 0)
		nr_records += (uint64_t)nr;
	must(nr, mpp_source_error(src));
	start = now() - start;
	printf("hot list, %u ways of %5u bytes: %6.2f million lines/s, %.2f million pages/s\n",
	       ways, granularity, NR_LINES / start / 1e6, (double)nr_records / start / 1e6);
	mpp_source_unref(src);
	close(fd);
	free(cxl.devices);
	cxl_map_free(cxl.map);
}

int main(void)
{
	struct rusage usage;

	measure_map(1, 256, 0);
	measure_map(2, 256, 0);
	measure_map(4, 256, 2);
	measure_map(8, 4096, 0);
	measure_map(12, 256, 0);
	measure_map(16, 256, 4);
	measure_list(1, 256);
	measure_list(2, 4096);
	measure_list(2, 256);
	getrusage(RUSAGE_SELF, &usage);
	printf("at most %.1f MiB resident, 8 of them the addresses to translate\n",
	       (double)usage.ru_maxrss / 1024);
	return EXIT_SUCCESS;
}
