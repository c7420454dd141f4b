// SPDX-License-Identifier: GPL-2.0-only
/* Does the kernel tell which nodes a memory cgroup may use? */
#include <linux/memcontrol.h>

static void (* __used mpp_probe)(struct mem_cgroup *memcg, nodemask_t *mask) =
	mem_cgroup_node_filter_allowed;
