// SPDX-License-Identifier: GPL-2.0-only
/* A program that has nothing but the installed header and library. */
#include <movephys.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	static const char line[] = "0x1000+8k 3";
	struct mpp_record record;
	struct mpp_ctx *ctx = NULL;
	char text[MPP_RECORD_TEXT_MAX];
	int err;

	if (mpp_record_parse(line, strlen(line), 0, NULL, &record) || record.size_bytes != 8192)
		return 1;
	if (mpp_record_format(&record, text) != strlen(text) || strcmp(text, "0x1000+8192 3\n"))
		return 2;
	if (strcmp(mpp_status_name(-EBUSY), "EBUSY"))
		return 3;
	/* On most machines there is no door; with one, closing it is all there is to do. */
	err = mpp_open(MPP_DOOR_AUTO, &ctx);
	if (!err)
		ctx = mpp_unref(ctx);
	else if (err != -ENOSYS && err != -EPERM)
		return 4;
	puts("works");
	return ctx != NULL;
}
