// SPDX-License-Identifier: GPL-2.0-only
/* mpp-sources: from each source of addresses to a verified move, by the command. */
#include "../harness.h"

int main(int argc, char **argv)
{
	return run_tests(argc, argv);
}
