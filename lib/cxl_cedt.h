/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ACPI table that tells how windows of host addresses are dealt out to CXL bridges. */
#ifndef MOVEPHYS_CXL_CEDT_H
#define MOVEPHYS_CXL_CEDT_H

#include "cxl_map.h"

#define CXL_CEDT_MAX_BYTES	(1u << 20)

/*
 * Looks up the window that contains the host address @hpa in a table of
 * @len_bytes.  0; -ENXIO: no window has it; -EBADMSG: this is no sound table;
 * -ENOTSUP: the window is of a kind that is not known.  Unless 0, *@why says so
 * in a few words (static text).
 */
int cxl_cedt_window(const void *table, size_t len_bytes, uint64_t hpa,
		    struct cxl_window *window, const char **why);

#endif /* MOVEPHYS_CXL_CEDT_H */
