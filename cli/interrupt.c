// SPDX-License-Identifier: GPL-2.0-only
/* Ctrl-C stops the work between two batches; a second one ends the process. */
#include <stdatomic.h>

#include "cmd.h"

static volatile sig_atomic_t seen;
static _Atomic(struct mpp_source *) waiting;

static void on_signal(int signal)
{
	struct mpp_source *src = atomic_load(&waiting);

	seen = signal;
	if (src)
		mpp_source_cancel(src);
}

void interrupt_catch(void)
{
	/* Without SA_RESTART: a call into the kernel is to return, too. */
	struct sigaction action = {
		.sa_handler = on_signal,
		.sa_flags = (int)SA_RESETHAND,
	};
	struct sigaction before;

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* nohup(1) has it ignored, and that stays. */
	sigaction(SIGHUP, NULL, &before);
	if (before.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}

int interrupt_seen(void)
{
	return seen;
}

void interrupt_cancels(struct mpp_source *src)
{
	atomic_store(&waiting, src);
	/* The signal may have come just before. */
	if (src && seen)
		mpp_source_cancel(src);
}
