// SPDX-License-Identifier: GPL-2.0-only
/* mpp-conformance: every test that is linked in registers itself. */
#include "harness.h"

int main(int argc, char **argv)
{
	return run_tests(argc, argv);
}
