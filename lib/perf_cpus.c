// SPDX-License-Identifier: LGPL-2.1-or-later
/* Lists of CPUs, as the kernel writes them. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "perf.h"

#define LIST_MAX	8192

static int take_cpu(const char **text, unsigned long *cpu)
{
	char *end;

	/* strtoul() would take "-1" and " 1". */
	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	*cpu = strtoul(*text, &end, 10);
	*text = end;
	return *cpu < MPP_CPUS_MAX ? 0 : -EINVAL;
}

int mpp_cpus_parse(const char *text, struct mpp_cpus *cpus)
{
	struct mpp_cpus new = { 0 };

	while (*text && *text != '\n') {
		unsigned long first, last;

		if (take_cpu(&text, &first))
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (take_cpu(&text, &last) || last < first)
				return -EINVAL;
		}
		for (unsigned long cpu = first; cpu <= last; cpu++)
			mpp_cpus_add(&new, (unsigned int)cpu);
		if (*text == ',' && text[1])
			text++;
		else if (*text && *text != '\n')
			return -EINVAL;
	}
	*cpus = new;
	return 0;
}

int mpp_cpus_read(const char *path, struct mpp_cpus *cpus)
{
	char text[LIST_MAX];
	int len = mpp_read_file(path, sizeof(text), text);

	return len < 0 ? len : mpp_cpus_parse(text, cpus);
}
