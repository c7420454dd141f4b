// SPDX-License-Identifier: GPL-2.0-only
/* Arguments that several commands take, with what is said of bad ones. */
#include <string.h>

#include "cmd.h"

int take_duration(const char *option, const char *text, uint64_t least_ns, uint64_t *ns)
{
	if (parse_duration(text, ns) || *ns < least_ns)
		return usage_error("%s %s: a time with its unit is wanted, such as 500ms or 10s",
				   option, text);
	return EXIT_DONE;
}

int take_state(const char *text, unsigned int accessed, unsigned int idle, unsigned int *flags)
{
	*flags &= ~(accessed | idle);
	if (!strcmp(text, "accessed"))
		*flags |= accessed;
	else if (!strcmp(text, "idle"))
		*flags |= idle;
	else if (!strcmp(text, "both"))
		*flags |= accessed | idle;
	else
		return usage_error("--state %s: accessed, idle or both is wanted", text);
	return EXIT_DONE;
}
