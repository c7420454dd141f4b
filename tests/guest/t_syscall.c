// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the system call has: a number that the kernel tells, arguments in
 * registers, and callers of 32 bits with pointers of their own width.
 */
#include "h_raw.h"

#include <ctype.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NUMBER_FILE "/sys/kernel/mm/move_phys_pages/syscall_nr"
#define UID_NOBODY 1000

/* Runs in a process of its own, so that what it gives up stays its own affair. */
static void in_child(void (*fn)(long number), long number)
{
	pid_t pid = MUST(fork());
	int wstatus;

	if (pid == 0) {
		fn(number);
		_exit(0);
	}
	MUST(waitpid(pid, &wstatus, 0));
	CHECK(WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 0, "wait status %#x", wstatus);
}

static int call6(long number, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
		 unsigned long e, unsigned long f)
{
	long ret = syscall(number, a, b, c, d, e, f);

	return ret < 0 ? -errno : (int)ret;
}

static void nobody_reads_number(long number)
{
	MUST(setresgid(UID_NOBODY, UID_NOBODY, UID_NOBODY));
	MUST(setresuid(UID_NOBODY, UID_NOBODY, UID_NOBODY));
	CHECK_EQ(read_number(NUMBER_FILE), number);
}

/* One number for callers of any width: this test is in the 32-bit program too. */
TEST(callers, syscall_number)
{
	long number = syscall_number("a number");
	char *text = read_text(NUMBER_FILE), *at = text;
	struct stat st;

	while (isdigit((unsigned char)*at))
		at++;
	CHECK(at > text && !strcmp(at, "\n"), "the file says '%s'", text);
	CHECK(text[0] != '0', "the file says '%s'", text);
	free(text);
	MUST(stat(NUMBER_FILE, &st));
	CHECK_EQ(st.st_mode & 07777, 0444);
	in_child(nobody_reads_number, number);
	CHECK_EQ(call6(number, 0, 0, 0, 0, 0, 0), 0);
}

static void nobody_calls(long number)
{
	MUST(setresuid(UID_NOBODY, UID_NOBODY, UID_NOBODY));
	CHECK_STATUS(call6(number, 0, 0, 0, 0, 0, 0), -EPERM);
	CHECK_STATUS(call6(number, 1, 0, 0, 0, -1, 0), -EPERM);
}

/* ENOSYS is for a kernel without the call: programs look for another door then. */
TEST(callers, syscall_never_enosys)
{
	long number = syscall_number("an ENOSYS of its own");

	for (unsigned int bit = 0; bit < 32; bit++) {
		int ret = call6(number, 0, 0, 0, 0, 1u << bit, 0);

		CHECK(ret == 0 || ret == -EINVAL, "bit %u gave %s", bit, status_name(ret));
		ret = call6(number, 1, 0, 0, 0, 1u << bit, 0);
		CHECK(ret == -EFAULT || ret == -EINVAL, "bit %u without arrays gave %s", bit,
		      status_name(ret));
	}
	in_child(nobody_calls, number);
}

/* Flags are an int: the upper half of a 64-bit register is nobody's business. */
TEST(callers, syscall_flags_are_an_int)
{
	const unsigned long above = sizeof(long) == 8 ? ~0ul << 32 : 0;
	long number = syscall_number("flags in a register");
	struct one o;

	if (!above)
		SKIP("for the 64-bit program");
	one_init(&o);
	CHECK_EQ(call6(number, 1, (uintptr_t)&o.phys, (uintptr_t)&o.node, (uintptr_t)&o.status,
		       above | MPP_MF_NEW_PAGES, (uintptr_t)&o.new_phys), 0);
	CHECK_EQ(o.status, fast_node());
	CHECK_EQ(o.new_phys, region_phys(&o.r, 0));
	CHECK_STATUS(call6(number, 0, 0, 0, 0, above | INT_MIN, 0), -EINVAL);
}

/* Arrays that start at an address which a careless conversion would sign-extend. */
TEST(callers, syscall_high_pointers)
{
	long number = syscall_number("pointers of 32 bits");
	struct {
		uint64_t phys, new_phys;
		int node, status;
	} *high;
	struct one o;

	if (sizeof(void *) != 4)
		SKIP("for the 32-bit program");
	one_init(&o);
	high = mmap((void *)0xc0de0000ul, page_size(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(high != MAP_FAILED, "mmap: %s", strerror(errno));
	high->phys = o.phys;
	high->node = o.node;
	high->status = STATUS_UNTOUCHED;
	CHECK_EQ(call6(number, 1, (uintptr_t)&high->phys, (uintptr_t)&high->node,
		       (uintptr_t)&high->status, MPP_MF_NEW_PAGES, (uintptr_t)&high->new_phys), 0);
	CHECK_EQ(high->status, fast_node());
	CHECK_EQ(high->new_phys, region_phys(&o.r, 0));
	region_expect_node(&o.r, fast_node());
	region_verify(&o.r);
}

#ifdef __x86_64__

/* The way into the kernel of 32-bit programs, which any program may take. */
static int int80(uint64_t number, const uint64_t arg[6])
{
	uint64_t ret = number, sixth = arg[5];

	__asm__ volatile("xchg %%rbp, %[sixth]\n\t"
			 "int $0x80\n\t"
			 "xchg %%rbp, %[sixth]"
			 : "+a" (ret), [sixth] "+r" (sixth)
			 : "b" (arg[0]), "c" (arg[1]), "d" (arg[2]), "S" (arg[3]), "D" (arg[4])
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	return (int)ret;
}

#define GETPID_OF_32_BITS 20

static bool takes_int80(void)
{
	static const uint64_t none[6];
	pid_t pid = MUST(fork());
	int wstatus;

	if (pid == 0)
		_exit(int80(GETPID_OF_32_BITS, none) != getpid());
	MUST(waitpid(pid, &wstatus, 0));
	return WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 0;
}

/* The same number and the same answers; what is above 32 bits is not looked at. */
TEST(callers, syscall_of_32_bits)
{
	const uint64_t above = 0x5a5a5a5aull << 32;
	long number = syscall_number("an entry for 32-bit programs");
	struct {
		uint64_t phys, new_phys;
		int node, status;
	} *low;
	struct one o;

	if (!takes_int80())
		SKIP("this kernel takes no 32-bit system calls (CONFIG_IA32_EMULATION)");
	one_init(&o);
	low = must_mmap(page_size(), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	low->phys = o.phys;
	low->node = o.node;
	low->status = STATUS_UNTOUCHED;
	CHECK_EQ(int80(number, (uint64_t[]){ above | 1, above | (uintptr_t)&low->phys,
					     above | (uintptr_t)&low->node,
					     above | (uintptr_t)&low->status,
					     above | MPP_MF_NEW_PAGES,
					     above | (uintptr_t)&low->new_phys }), 0);
	CHECK_EQ(low->status, fast_node());
	CHECK_EQ(low->new_phys, region_phys(&o.r, 0));
	region_expect_node(&o.r, fast_node());
	CHECK_STATUS(int80(number, (uint64_t[6]){ UINT_MAX }), -EINVAL);
	CHECK_STATUS(int80(number, (uint64_t[6]){ 1, 0, 0, (uintptr_t)&low->status }), -EFAULT);
	CHECK_STATUS(int80(number, (uint64_t[6]){ [4] = 1u << 31 }), -EINVAL);
}

#endif /* __x86_64__ */
