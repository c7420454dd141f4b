// SPDX-License-Identifier: GPL-2.0-only
/*
 * The customer of the demo's redis-server: fills it with records, then keeps reading and writing
 * them and compares every answer with what it must be.
 *
 *	client SOCKET load NR_RECORDS		prints how many bytes of values it stored
 *	client SOCKET serve NR_RECORDS		until SIGTERM; see serve()
 *
 * A record is a function of its number, so nothing has to be remembered to check it. Only the count
 * of visits changes: a write puts a new one in place, and a later read must find it there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define VALUE_MAX	4096
#define MAX_RECORDS	1000000
#define PIPELINE	128
#define PREFIX		"{\"visits\":\""
#define VISITS_DIGITS	8

enum { PHASE_BEFORE, PHASE_DURING, PHASE_AFTER, NR_PHASES };

struct phase {
	uint64_t reads, writes, wrong;
	uint64_t longest_ns;
	uint64_t start_ns, end_ns;
};

static int server = -1;
static char in[1 << 16];
static size_t in_at, in_end;
static volatile sig_atomic_t phase_now, stop_now;

static void __attribute__((noreturn)) give_up(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, errno ? strerror(errno) : "unexpected answer");
	exit(1);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* xorshift64*: quick, and the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545F4914F6CDD1D);
}

/* ---- records ---- */

static const char *const items[] = {
	"espresso beans 1 kg", "desk lamp, oak and brass", "notebook A5, dotted, 120 pages",
	"bicycle inner tube 28\\\"", "wool socks, size 42", "USB-C cable, 2 m, braided",
	"chef's knife 20 cm", "tomato seeds, heirloom mix", "rain jacket, blue, M",
	"paperback, second hand", "AA batteries, pack of 24", "cast iron pan 28 cm",
	"guitar strings, light", "watercolour set, 24 pans", "climbing rope 60 m, 9.5 mm",
	"olive oil, cold pressed, 5 l",
};

static const char *const towns[] = {
	"Aarhus", "Bergen", "Bologna", "Coimbra", "Gdansk", "Ghent", "Graz", "Lyon",
	"Malaga", "Nagoya", "Porto", "Quito", "Tartu", "Turku", "Utrecht", "Valparaiso",
};

static size_t make_key(unsigned int record, char *key, size_t size)
{
	return (size_t)snprintf(key, size, "customer:%06u", record);
}

/* The value of a record, VALUE_MAX at most: who it is, and what was ordered. */
static size_t make_value(unsigned int record, unsigned int visits, char *value)
{
	uint64_t state = (record + 1) * UINT64_C(0x9E3779B97F4A7C15);
	uint64_t random = next_random(&state);
	unsigned int nr_orders = 4 + (random >> 8) % 37;
	size_t len;

	len = (size_t)snprintf(value, VALUE_MAX, PREFIX "%0*u\",\"id\":%u,\"town\":\"%s\","
			       "\"token\":\"%016" PRIx64 "\",\"orders\":[", VISITS_DIGITS, visits,
			       record, towns[random % 16], next_random(&state));
	for (unsigned int i = 0; i < nr_orders; i++) {
		const char *item;
		size_t item_len;

		random = next_random(&state);
		item = items[random % 16];
		item_len = strlen(item);
		memcpy(value + len, "{\"item\":\"", 9);
		memcpy(value + len + 9, item, item_len);
		len += 9 + item_len;
		memcpy(value + len, "\",\"n\":0},", 9);
		value[len + 6] = (char)('1' + (random >> 8) % 9);
		len += 9;
	}
	memcpy(value + len - 1, "]}", 2);
	return len + 1;
}

/* ---- the server's protocol ---- */

static void connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		give_up(path);
	}
	strcpy(address.sun_path, path);
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof(address)))
		give_up(path);
}

static void send_all(const char *data, size_t len)
{
	while (len) {
		ssize_t sent = send(server, data, len, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			give_up("sending to redis-server");
		data += sent;
		len -= (size_t)sent;
	}
}

static void receive(void)
{
	ssize_t got;

	do {
		got = recv(server, in, sizeof(in), 0);
	} while (got < 0 && errno == EINTR);
	if (!got)
		errno = ECONNRESET;
	if (got <= 0)
		give_up("receiving from redis-server");
	in_at = 0;
	in_end = (size_t)got;
}

static void read_bytes(char *data, size_t len)
{
	while (len) {
		size_t part;

		if (in_at == in_end)
			receive();
		part = in_end - in_at < len ? in_end - in_at : len;
		memcpy(data, in + in_at, part);
		in_at += part;
		data += part;
		len -= part;
	}
}

/* One line of an answer, without its end. */
static void read_line(char *line, size_t size)
{
	size_t len = 0;

	do {
		if (len == size)
			give_up("a line of an answer is too long");
		read_bytes(line + len, 1);
	} while (line[len++] != '\n');
	if (len < 2)
		give_up("an empty line in an answer");
	line[len - 2] = '\0';
}

static bool answer_is(const char *wanted)
{
	char line[256];

	read_line(line, sizeof(line));
	if (!strcmp(line, wanted))
		return true;
	fprintf(stderr, "client: redis-server answered %s, not %s\n", line, wanted);
	return false;
}

/* Writes the command that stores a record, and adds the size of the value to @bytes. */
static size_t put_set(unsigned int record, char *command, uint64_t *bytes)
{
	static char value[VALUE_MAX];
	char key[32];
	size_t key_len = make_key(record, key, sizeof(key));
	size_t value_len = make_value(record, 0, value);
	size_t len;

	len = (size_t)sprintf(command, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n", key_len, key,
			      value_len);
	memcpy(command + len, value, value_len);
	memcpy(command + len + value_len, "\r\n", 2);
	*bytes += value_len;
	return len + value_len + 2;
}

/* Is the record what it must be? */
static bool check_record(unsigned int record, unsigned int visits)
{
	static char wanted[VALUE_MAX], got[VALUE_MAX + 2];
	char text[128], key[32];
	size_t key_len = make_key(record, key, sizeof(key));
	size_t len = make_value(record, visits, wanted);
	unsigned long long got_len;
	char *end;

	send_all(text, (size_t)sprintf(text, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", key_len, key));
	read_line(text, sizeof(text));
	got_len = strtoull(text + 1, &end, 10);
	if (text[0] != '$' || end == text + 1 || *end || got_len > VALUE_MAX) {
		fprintf(stderr, "client: GET %s: redis-server answered %s\n", key, text);
		return false;
	}
	read_bytes(got, got_len + 2);
	if (got_len == len && !memcmp(got, wanted, len))
		return true;
	fprintf(stderr, "client: GET %s: the value is not what it was\n", key);
	return false;
}

static bool write_visits(unsigned int record, unsigned int visits)
{
	char text[160], key[32], wanted[32];
	static char value[VALUE_MAX];
	size_t key_len = make_key(record, key, sizeof(key));
	size_t value_len = make_value(record, 0, value);

	send_all(text, (size_t)sprintf(text, "*4\r\n$8\r\nSETRANGE\r\n$%zu\r\n%s\r\n$2\r\n%zu\r\n"
				       "$%d\r\n%0*u\r\n", key_len, key, strlen(PREFIX),
				       VISITS_DIGITS, VISITS_DIGITS, visits));
	snprintf(wanted, sizeof(wanted), ":%zu", value_len);
	return answer_is(wanted);
}

/* ---- the two jobs ---- */

static void load(unsigned int nr_records)
{
	char *commands = malloc((size_t)PIPELINE * (VALUE_MAX + 128));
	uint64_t bytes = 0;

	if (!commands)
		give_up("memory");
	for (unsigned int first = 0; first < nr_records; first += PIPELINE) {
		unsigned int nr = nr_records - first < PIPELINE ? nr_records - first : PIPELINE;
		size_t len = 0;

		for (unsigned int i = 0; i < nr; i++)
			len += put_set(first + i, commands + len, &bytes);
		send_all(commands, len);
		for (unsigned int i = 0; i < nr; i++)
			if (!answer_is("+OK"))
				exit(1);
	}
	printf("%" PRIu64 "\n", bytes);
	free(commands);
}

static void next_phase(int signo)
{
	(void)signo;
	if (phase_now < NR_PHASES - 1)
		phase_now++;
}

static void stop(int signo)
{
	(void)signo;
	stop_now = 1;
}

/* A request that spans two phases counts in the later one, its wait in both. */
static void count(struct phase *phases, int began, uint64_t start_ns, bool write, bool right)
{
	uint64_t now_ns = clock_ns();
	int ended = phase_now;

	for (int i = began; i <= ended; i++) {
		if (now_ns - start_ns > phases[i].longest_ns)
			phases[i].longest_ns = now_ns - start_ns;
		if (!phases[i].start_ns)
			phases[i].start_ns = start_ns;
		phases[i].end_ns = now_ns;
	}
	phases[ended].reads += !write;
	phases[ended].writes += write;
	phases[ended].wrong += !right;
}

/* Reads back every record that was written to, and makes it what it was at first. */
static uint64_t restore(unsigned int nr_records, const unsigned int *visits)
{
	uint64_t wrong = 0;

	for (unsigned int record = 0; record < nr_records; record++) {
		if (!visits[record])
			continue;
		wrong += !check_record(record, visits[record]);
		wrong += !write_visits(record, 0);
	}
	return wrong;
}

/*
 * Three reads, one write, and so on. The first SIGUSR1 begins the phase "during", the second the
 * phase "after". SIGTERM ends: the written records are checked and restored, then each phase, with
 * "restore" as the last one, has a line "NAME reads writes wrong longest-wait-us ms".
 */
static void serve(unsigned int nr_records)
{
	static const char *const names[NR_PHASES] = { "before", "during", "after" };
	unsigned int *visits = calloc(nr_records, sizeof(*visits));
	struct phase phases[NR_PHASES] = { 0 };
	uint64_t state = 1, wrong;

	if (!visits)
		give_up("memory");
	signal(SIGUSR1, next_phase);
	signal(SIGTERM, stop);
	fprintf(stderr, "serving\n");
	for (uint64_t i = 0; !stop_now; i++) {
		unsigned int record = (unsigned int)(next_random(&state) >> 32) % nr_records;
		bool write = i % 4 == 3, right;
		uint64_t start_ns = clock_ns();
		int began = phase_now;

		right = write ? write_visits(record, ++visits[record]) :
				check_record(record, visits[record]);
		count(phases, began, start_ns, write, right);
	}
	wrong = restore(nr_records, visits);
	for (int i = 0; i < NR_PHASES; i++)
		printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", names[i],
		       phases[i].reads, phases[i].writes, phases[i].wrong,
		       phases[i].longest_ns / 1000,
		       (phases[i].end_ns - phases[i].start_ns) / 1000000);
	printf("restore 0 0 %" PRIu64 " 0 0\n", wrong);
	free(visits);
}

int main(int argc, char **argv)
{
	unsigned long nr_records = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	if (!nr_records || nr_records > MAX_RECORDS ||
	    (strcmp(argv[2], "load") && strcmp(argv[2], "serve"))) {
		fprintf(stderr, "usage: client SOCKET load|serve NR_RECORDS\n");
		return 2;
	}
	connect_to(argv[1]);
	if (!strcmp(argv[2], "load"))
		load((unsigned int)nr_records);
	else
		serve((unsigned int)nr_records);
	return 0;
}
