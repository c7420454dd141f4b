/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pure parts of the core ask of the kernel, in user space: integers,
 * bits, a hash, and the types that mpp.h names.  Nothing here pretends to be an
 * allocator, a folio or a lock; code that needs those is tested in a kernel.
 */
#ifndef MPP_UNIT_ENV_H
#define MPP_UNIT_ENV_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned long pgoff_t;

#define __user
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define U16_MAX		UINT16_MAX
#define NUMA_NO_NODE	(-1)
#define BITS_PER_LONG	((int)sizeof(long) * 8)
#define BIT(nr)		(1UL << (nr))

struct address_space;
struct attribute_group;
struct folio;
struct mm_struct;
struct vm_area_struct;
struct vm_operations_struct;

struct list_head {
	struct list_head *next, *prev;
};

struct xarray {
	void *head;
};

/* Multiplicative, and from the high bits: what the core's tables are made for. */
static inline unsigned int hash_long(unsigned long value, unsigned int bits)
{
	return (unsigned int)(value * 0x9e3779b97f4a7c15UL >> (64 - bits));
}

#endif /* MPP_UNIT_ENV_H */
