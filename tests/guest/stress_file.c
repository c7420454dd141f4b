// SPDX-License-Identifier: GPL-2.0-only
/* mpp-stress: workers on files: written, truncated, mapped, dropped from the cache. */
#include "stress.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "h_disk.h"

#define FILE_PAGES	512

/* A region whose pages are those of a file; it is mapped only now and then. */
struct file {
	struct span r;
	int fd;
	size_t size;		/* pages up to the end of the file */
	bool on_disk;
};

static void file_put(struct file *f, size_t page)
{
	static unsigned char buf[PAGE_SIZE] __attribute__((aligned(4096)));
	struct worker *w = f->r.w;

	f->r.gen[page]++;
	page_fill(buf, w->id, page, f->r.gen[page]);
	if (pwrite(f->fd, buf, PAGE_SIZE, (off_t)(page * PAGE_SIZE)) != (ssize_t)PAGE_SIZE)
		worker_fail(w, "write of page %zu: %s", page, strerror(errno));
	if (page >= f->size)
		f->size = page + 1;
}

static void file_check(struct file *f)
{
	static unsigned char buf[16 * PAGE_SIZE] __attribute__((aligned(4096)));
	struct worker *w = f->r.w;
	struct stat st;

	if (fstat(f->fd, &st) || (size_t)st.st_size != f->size * PAGE_SIZE)
		worker_fail(w, "the file has %jd bytes instead of %zu", (intmax_t)st.st_size,
			    f->size * PAGE_SIZE);
	for (size_t page = 0; page < f->size; page += 16) {
		size_t nr = f->size - page < 16 ? f->size - page : 16;
		ssize_t got = pread(f->fd, buf, nr * PAGE_SIZE, (off_t)(page * PAGE_SIZE));

		if (got != (ssize_t)(nr * PAGE_SIZE))
			worker_fail(w, "read of page %zu gave %zd: %s", page, got, strerror(errno));
		for (size_t i = 0; i < nr; i++)
			page_check(w, buf + i * PAGE_SIZE, page + i, f->r.gen[page + i]);
	}
}

/* Write and verify through a mapping, so that the pages are mapped, dirty and accessed. */
static void file_map_step(struct file *f)
{
	struct worker *w = f->r.w;
	void *at;

	if (!f->size)
		return;
	at = mmap(NULL, f->size * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (at == MAP_FAILED)
		worker_fail(w, "mmap of the file: %s", strerror(errno));
	f->r.at = at;
	f->r.nr_pages = f->size;
	span_write_some(&f->r, 48);
	span_check_all(&f->r);
	usleep(rng_below(&w->rng, 10000));
	span_check_all(&f->r);
	munmap(at, f->size * PAGE_SIZE);
	f->r.at = NULL;
	f->r.nr_pages = FILE_PAGES;
}

static void file_truncate_step(struct file *f)
{
	size_t size = rng_below(&f->r.w->rng, FILE_PAGES + 1);

	if (ftruncate(f->fd, (off_t)(size * PAGE_SIZE)))
		worker_fail(f->r.w, "truncate to %zu pages: %s", size, strerror(errno));
	span_zeroed(&f->r, size, FILE_PAGES - size);
	f->size = size;
}

static void file_punch_step(struct file *f)
{
	size_t first = rng_below(&f->r.w->rng, FILE_PAGES);
	size_t nr = 1 + rng_below(&f->r.w->rng, FILE_PAGES - first);

	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)(first * PAGE_SIZE), (off_t)(nr * PAGE_SIZE)))
		worker_fail(f->r.w, "punching %zu pages at %zu: %s", nr, first, strerror(errno));
	span_zeroed(&f->r, first, nr);
}

static void file_step(struct file *f)
{
	uint64_t *rng = &f->r.w->rng;

	switch (rng_below(rng, 8)) {
	case 0:
		file_truncate_step(f);
		break;
	case 1:
		file_punch_step(f);
		break;
	case 2:
	case 3:
		file_map_step(f);
		break;
	case 4:
		/* Written out and dropped: the next read comes from the disk. */
		if (!f->on_disk)
			break;
		if (fdatasync(f->fd))
			worker_fail(f->r.w, "fdatasync: %s", strerror(errno));
		posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
		break;
	default:
		for (int i = 0; i < 96; i++)
			file_put(f, rng_below(rng, FILE_PAGES));
	}
}

static void work_file(struct worker *w, int fd, bool on_disk)
{
	struct file f = { .fd = fd, .on_disk = on_disk };

	span_init(&f.r, w, NULL, FILE_PAGES);
	while (worker_next(w)) {
		file_step(&f);
		file_check(&f);
	}
	close(f.fd);
}

void work_tmpfs(struct worker *w)
{
	int fd = memfd_create("mpp-stress", MFD_CLOEXEC);

	if (fd < 0)
		worker_fail(w, "memfd_create: %s", strerror(errno));
	work_file(w, fd, false);
}

/* On a disk of its own, in a mount namespace that takes the mount with it. */
void work_ext4(struct worker *w)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		worker_skip(w, "no mount namespace: %s", strerror(errno));
	work_file(w, disk_file_new().fd, true);
}
