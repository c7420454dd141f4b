// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of the testbed's guest: mounts what programs expect, loads the modules it was
 * given, runs one command and carries what that prints to the host.
 *
 * Three virtio-serial ports lead to the host: vm.out and vm.err take the command's output byte for
 * byte, vm.ctl takes one line per event ("ready", "exit N", "killed N", "fail WHY"). The command
 * itself writes into pipes: a port can be opened only once and takes short writes, which programs
 * that reopen /dev/stdout do not survive.
 *
 * The host leaves its orders in /.vm: "modules" (paths, one a line), "argv" and "env"
 * (NUL-terminated strings), "door.ko" when a module is the door, and "door-syscall" when the kernel
 * is to bring it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORK_DIR	"/t"
/* syslog(2); glibc has the call, not the names. */
#define SYSLOG_ACTION_READ_ALL	3
#define CLOCK_IS_WRONG	"PIT calibration deviates"

#define ORDERS		"/.vm/"
#define SYSCALL_NR	"/sys/kernel/mm/move_phys_pages/syscall_nr"
#define MAX_STRINGS	4096
#define PORT_WAIT_MS	20000

struct stream {
	int from;		/* the pipe's reading end, -1 once it has ended */
	int port;
};

static int ctl_port = -1;

/* Ends the guest. The host takes a machine that stops without an "exit" line for a failed one. */
static void __attribute__((noreturn)) power_off(void)
{
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vdprintf(ctl_port < 0 ? STDERR_FILENO : ctl_port, format, args);
	va_end(args);
}

static void __attribute__((noreturn)) fail(const char *what)
{
	tell("fail %s: %s\n", what, strerror(errno));
	power_off();
}

static void sleep_ms(long ms)
{
	struct timespec pause_time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause_time, NULL);
}

static void mount_at(const char *type, const char *dir, const char *options)
{
	mkdir(dir, 0755);
	/* What a kernel does not have is the business of the test that wants it. */
	if (mount(type, dir, type, 0, options) && errno != EBUSY && errno != ENODEV)
		fprintf(stderr, "init: cannot mount %s: %s\n", dir, strerror(errno));
}

static void mount_all(void)
{
	mount_at("proc", "/proc", NULL);
	mount_at("sysfs", "/sys", NULL);
	mount_at("devtmpfs", "/dev", NULL);
	mount_at("devpts", "/dev/pts", "mode=620,ptmxmode=666");
	mount_at("tmpfs", "/dev/shm", "mode=1777");
	mount_at("tmpfs", "/tmp", "mode=1777");
	mount_at("tmpfs", "/run", "mode=755");
	mount_at("cgroup2", "/sys/fs/cgroup", NULL);
	mount_at("debugfs", "/sys/kernel/debug", NULL);
	mount_at("tracefs", "/sys/kernel/tracing", NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

static int load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret, err;

	if (fd < 0)
		return -1;
	ret = (int)syscall(SYS_finit_module, fd, "", 0);
	err = errno;
	close(fd);
	errno = err;
	return ret && errno != EEXIST ? -1 : 0;
}

static void load_listed_modules(void)
{
	FILE *list = fopen(ORDERS "modules", "re");
	char path[512];

	if (!list)
		return;
	while (fgets(path, sizeof(path), list)) {
		path[strcspn(path, "\n")] = '\0';
		if (*path && load_module(path))
			fprintf(stderr, "init: cannot load %s: %s\n", path, strerror(errno));
	}
	fclose(list);
}

/* Returns a descriptor for the virtio-serial port of this name, or -1 while there is none. */
static int open_port_once(const char *name)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	int found = -1;

	if (!dir)
		return -1;
	while (found < 0 && (entry = readdir(dir))) {
		char path[sizeof("/sys/class/virtio-ports//name") + sizeof(entry->d_name)];
		char text[64] = "";
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(text, sizeof(text), file))
			text[strcspn(text, "\n")] = '\0';
		fclose(file);
		if (strcmp(text, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		found = open(path, O_WRONLY | O_CLOEXEC);
	}
	closedir(dir);
	return found;
}

static int open_port(const char *name)
{
	int waited_ms;

	for (waited_ms = 0; waited_ms < PORT_WAIT_MS; waited_ms += 10) {
		int fd = open_port_once(name);

		if (fd >= 0)
			return fd;
		sleep_ms(10);
	}
	errno = ENODEV;
	fail(name);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	strcpy(request.ifr_name, "lo");
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		fprintf(stderr, "init: cannot bring up lo: %s\n", strerror(errno));
	close(fd);
}

/* Reads NUL-terminated strings; the answer lives as long as the process. */
static char **read_strings(const char *path)
{
	static const size_t limit = 1 << 20;
	char **strings = calloc(MAX_STRINGS + 1, sizeof(*strings));
	char *text = calloc(1, limit + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0, at = 0;
	ssize_t got = 1;
	int nr = 0;

	if (!strings || !text || fd < 0)
		fail(path);
	while (len < limit && got > 0) {
		got = read(fd, text + len, limit - len);
		if (got > 0)
			len += (size_t)got;
	}
	close(fd);
	while (at < len && nr < MAX_STRINGS) {
		strings[nr++] = text + at;
		at += strlen(text + at) + 1;
	}
	return strings;
}

static void __attribute__((noreturn)) run_command(char **argv, int out, int err)
{
	int null = open("/dev/null", O_RDONLY);

	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(null);
	setsid();
	if (chdir(WORK_DIR)) {
		fprintf(stderr, "vm: cannot enter %s: %s\n", WORK_DIR, strerror(errno));
		_exit(126);
	}
	execvp(argv[0], argv);
	/* The codes a shell gives: 127 for what is not there, 126 for what cannot be run. */
	fprintf(stderr, "vm: cannot run %s in the guest: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t done = write(fd, data, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			fail("cannot send output");
		data += done;
		len -= (size_t)done;
	}
}

/* Carries what is there now; returns how much it was. */
static size_t carry(struct stream *stream)
{
	static char buffer[65536];
	ssize_t got;

	if (stream->from < 0)
		return 0;
	got = read(stream->from, buffer, sizeof(buffer));
	if (got > 0) {
		write_all(stream->port, buffer, (size_t)got);
		return (size_t)got;
	}
	if (!got || (errno != EAGAIN && errno != EINTR)) {
		close(stream->from);
		stream->from = -1;
	}
	return 0;
}

/* As the first process, inherits every orphan: reap them all, tell when it was the command. */
static int reap(pid_t command, int *status)
{
	int ended = 0, one;
	pid_t pid;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0) {
		if (pid == command) {
			*status = one;
			ended = 1;
		}
	}
	return ended;
}

static int relay_until_end(pid_t command, struct stream *streams)
{
	int status = 0, ended = 0;

	while (!ended) {
		struct pollfd polls[2] = {
			{ .fd = streams[0].from, .events = POLLIN },
			{ .fd = streams[1].from, .events = POLLIN },
		};

		/*
		 * The end of the command shows as the end of its pipes, unless something it
		 * left behind holds them open: then the time limit finds it.
		 */
		if (streams[0].from < 0 && streams[1].from < 0)
			sleep_ms(10);
		else
			poll(polls, 2, 50);
		ended = reap(command, &status);
		carry(&streams[0]);
		carry(&streams[1]);
	}
	while (carry(&streams[0]) | carry(&streams[1]))
		;
	return status;
}

static void open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC))
		fail("pipe");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static void check_door(void)
{
	if (!access(ORDERS "door.ko", F_OK) && load_module(ORDERS "door.ko"))
		fail("door: the kernel does not take the module");
	if (!access(ORDERS "door-syscall", F_OK) && access(SYSCALL_NR, F_OK))
		fail("door: this kernel has no such system call, see " SYSCALL_NR);
}

static void take_environment(void)
{
	char **strings = read_strings(ORDERS "env");

	clearenv();
	for (; *strings; strings++)
		putenv(*strings);
}

/*
 * An emulator that is late while the kernel measures the rate of the clock makes it run fast by
 * any factor, and then no time limit in the guest means anything.  The kernel says when the two
 * clocks that it measures by do not agree.
 */
static void check_clock(void)
{
	static char log[1 << 20];
	int len = klogctl(SYSLOG_ACTION_READ_ALL, log, sizeof(log) - 1);

	if (len <= 0 || !memmem(log, (size_t)len, CLOCK_IS_WRONG, strlen(CLOCK_IS_WRONG)))
		return;
	tell("fail the kernel measured its clock wrong (" CLOCK_IS_WRONG "); is the host busy?\n");
	power_off();
}

int main(void)
{
	struct stream streams[2];
	int out[2], err[2], status;
	char **argv;
	pid_t command;

	mount_all();
	load_listed_modules();
	ctl_port = open_port("vm.ctl");
	streams[0].port = open_port("vm.out");
	streams[1].port = open_port("vm.err");
	sethostname("guest", 5);
	loopback_up();
	check_clock();
	take_environment();
	argv = read_strings(ORDERS "argv");
	check_door();

	open_pipe(out);
	open_pipe(err);
	streams[0].from = out[0];
	streams[1].from = err[0];
	tell("ready\n");
	command = fork();
	if (command < 0)
		fail("fork");
	if (!command)
		run_command(argv, out[1], err[1]);
	close(out[1]);
	close(err[1]);

	status = relay_until_end(command, streams);
	if (WIFSIGNALED(status))
		tell("killed %d\n", WTERMSIG(status));
	else
		tell("exit %d\n", WEXITSTATUS(status));
	power_off();
}
