// SPDX-License-Identifier: GPL-2.0-only
/* Node sets, in the syntax of numactl(8): 0, 0,2, 0-3, !1, +0, all. */
#include <ctype.h>
#include <numa.h>
#include <stdarg.h>
#include <string.h>

#include "cmd.h"

#define NODE_DIGITS_MAX	5	/* kernels are built for up to 1024 nodes */

/* What libnuma has to say about a node string; it would print it otherwise. */
static char numa_said[128];

void numa_warn(int number, char *fmt, ...)
{
	va_list args;

	(void)number;
	va_start(args, fmt);
	vsnprintf(numa_said, sizeof(numa_said), fmt, args);
	va_end(args);
	numa_said[strcspn(numa_said, "\n")] = '\0';
}

/*
 * libnuma counts through a range however long it is, and takes numbers modulo 2^32.  It
 * also takes devices and files for the nodes that they are near to: "netdev:eth0".
 */
static bool has_large_number(const char *text)
{
	if (strchr(text, ':'))
		return false;
	for (; *text; text++) {
		size_t nr_digits = strspn(text, "0123456789");

		if (nr_digits > NODE_DIGITS_MAX || (nr_digits && (text[nr_digits] | 0x20) == 'x'))
			return true;
		text += nr_digits ? nr_digits - 1 : 0;
	}
	return false;
}

bool nodes_parse(const char *option, const char *text, struct bitmask **nodes)
{
	const char *set = text + (*text == '!');
	struct bitmask *mask;

	if (numa_available() < 0) {
		complain("%s %s: this kernel has no NUMA support", option, text);
		return false;
	}
	/* libnuma takes an empty string for "no nodes", and "0,+1" for "0,1". */
	if (!*text || strchr(set + (*set == '+'), '+') || has_large_number(text)) {
		complain("%s \"%s\": not a node set, such as 0, 0-2 or 1,3", option, text);
		return false;
	}
	numa_said[0] = '\0';
	/* +0 is the first node of this process's cpuset, which bounds this call only. */
	mask = *set == '+' ? numa_parse_nodestring(text) : numa_parse_nodestring_all(text);
	if (!mask) {
		complain("%s %s: not a node of this machine, or not a node set such as 0, 0-2 "
			 "or 1,3%s%s%s", option, text, *numa_said ? " (" : "", numa_said,
			 *numa_said ? ")" : "");
		return false;
	}
	/* "!0" on a machine of one node: taken for no set at all it would mean all nodes. */
	if (!numa_bitmask_weight(mask)) {
		complain("%s %s: none of this machine's nodes is in that set", option, text);
		numa_bitmask_free(mask);
		return false;
	}
	*nodes = mask;
	return true;
}

bool nodes_contain(const struct bitmask *nodes, int node)
{
	return node >= 0 && (unsigned int)node < nodes->size &&
	       numa_bitmask_isbitset(nodes, (unsigned int)node);
}

void nodes_free(struct bitmask *nodes)
{
	if (nodes)
		numa_bitmask_free(nodes);
}

bool node_parse_target(const char *option, const char *text, int *node)
{
	struct bitmask *nodes;
	int found = -1;
	bool one;

	if (!nodes_parse(option, text, &nodes))
		return false;
	one = numa_bitmask_weight(nodes) == 1;
	for (unsigned int i = 0; i < nodes->size; i++)
		if (numa_bitmask_isbitset(nodes, i))
			found = (int)i;
	nodes_free(nodes);
	if (!one) {
		complain("%s %s: exactly one node is wanted", option, text);
		return false;
	}
	if (numa_node_size64(found, NULL) <= 0) {
		complain("%s %s: node %d has no memory", option, text, found);
		return false;
	}
	*node = found;
	return true;
}
