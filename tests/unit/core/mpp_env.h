/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pure parts of the core ask of the kernel, in user space: integers,
 * bits, a hash, zeroed memory that a test can refuse, and the types that mpp.h
 * names.  Nothing here pretends to be a folio or a lock; code that needs those is
 * tested in a kernel.
 */
#ifndef MPP_UNIT_ENV_H
#define MPP_UNIT_ENV_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned long pgoff_t;

#define __user
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define noinline	__attribute__((noinline))
/* The kernel's takes no text. */
#undef static_assert
#define static_assert(cond)	_Static_assert(cond, #cond)

#define U16_MAX		UINT16_MAX
#define NUMA_NO_NODE	(-1)
#define BITS_PER_LONG	((int)sizeof(long) * 8)
#define BIT(nr)		(1UL << (nr))
#define NODES_SHIFT	10
#define GOLDEN_RATIO_64	0x61c8864680b583ebUL

#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define __ffs(word)		((unsigned int)__builtin_ctzl(word))
#define cond_resched()		((void)0)

#define GFP_KERNEL_ACCOUNT	0
#define __GFP_RETRY_MAYFAIL	0
#define __GFP_NOWARN		0
#define __GFP_ZERO		0
#define PAGE_SIZE		4096UL

typedef unsigned int gfp_t;

/* Memory is refused when this has come down to 0; negative: never. */
extern int allocations_left;

#define kmalloc(size, gfp)	((void)(gfp), allocations_left-- ? calloc(1, size) : NULL)
#define __vmalloc(size, gfp)	kmalloc(size, gfp)
#define kvfree(memory)		free(memory)

static inline unsigned int order_base_2(unsigned long n)
{
	return n > 1 ? (unsigned int)BITS_PER_LONG - (unsigned int)__builtin_clzl(n - 1) : 0;
}

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
