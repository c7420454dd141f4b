/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM move_phys_pages

#if !defined(MPP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MPP_TRACE_H

#include <linux/tracepoint.h>

TRACE_DEFINE_ENUM(MPP_MODE_MOVE);
TRACE_DEFINE_ENUM(MPP_MODE_DRY_RUN);
TRACE_DEFINE_ENUM(MPP_MODE_QUERY);

/*
 * One batch of a call; who called is in the record's pid and comm.  @nr_entries
 * were asked about, @nr_refused of them got a negative status, and @nr_pages
 * base pages moved, also pages of named folios that were not named themselves.
 */
TRACE_EVENT(mpp_batch,
	TP_PROTO(int mode, unsigned int flags, unsigned int nr_entries, unsigned int nr_refused,
		 unsigned long nr_pages),

	TP_ARGS(mode, flags, nr_entries, nr_refused, nr_pages),

	TP_STRUCT__entry(
		__field(int, mode)
		__field(unsigned int, flags)
		__field(unsigned int, nr_entries)
		__field(unsigned int, nr_refused)
		__field(unsigned long, nr_pages)
	),

	TP_fast_assign(
		__entry->mode = mode;
		__entry->flags = flags;
		__entry->nr_entries = nr_entries;
		__entry->nr_refused = nr_refused;
		__entry->nr_pages = nr_pages;
	),

	TP_printk("mode=%s flags=%#x nr_entries=%u nr_refused=%u nr_pages=%lu",
		  __print_symbolic(__entry->mode,
				   { MPP_MODE_MOVE, "move" },
				   { MPP_MODE_DRY_RUN, "dry_run" },
				   { MPP_MODE_QUERY, "query" }),
		  __entry->flags, __entry->nr_entries, __entry->nr_refused, __entry->nr_pages)
);

#endif /* MPP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE mpp_trace
#include <trace/define_trace.h>
