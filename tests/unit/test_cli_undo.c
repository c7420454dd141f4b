// SPDX-License-Identifier: GPL-2.0-only
/* move --undo-file, which `move --undo` reads: what is written, and what is not written over. */
#include <unistd.h>

#include "run.h"

static void writes_new_addresses(void)
{
	char text[OUT_MAX];

	RUN("move", "--to", "0", "--new", IN_TREE("new"), "0x1000001000+8k", "0x5000",
	    "0x1000009123", "0x20000000000");
	CHECK_INT(run.status, 0);
	read_whole("new", text);
	CHECK_STR(text, "0x1000+8192 # node=1 was=0x1000001000\n"
		  "0x9000+4096 # node=1 was=0x1000009000\n");
	RUN("where", "--json", IN_TREE("new"));
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("nodes.0"), 3);
	RUN("move", "--to", "0", "--new", "/dev/full", "0x1000001000");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "--new /dev/full");
}

/* Is refused, and leaves @name as it is. */
static void spares(const char *name, const char *text, const char *says)
{
	char now[OUT_MAX];

	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, says);
	CHECK_HAS(run.err, tree_path(name));
	CHECK_INT(count(run.err, "\n"), 1);
	CHECK_STR(run.log, "");
	read_whole(name, now);
	CHECK_STR(now, text);
}

static void spares_files(void)
{
	static const char list[] = "0x1000001000\n", record[] = "0x1000+4096 # node=1 was=0x5\n";
	char text[OUT_MAX];

	tree_write("list", list);
	tree_write("undo", record);
	unlink(tree_path("link"));
	CHECK_INT(link(IN_TREE("list"), IN_TREE("link")), 0);
	RUN("move", "--to", "0", "--new", IN_TREE("list"), IN_TREE("list"));
	spares("list", list, "an input of this very move");
	RUN("move", "--to", "0", "--undo-file", IN_TREE("link"), "0x5000", IN_TREE("list"));
	spares("link", list, "an input of this very move");
	RUN("move", "--undo", IN_TREE("undo"), "--undo-file", IN_TREE("undo"));
	spares("undo", record, "an input of this very move");
	tree_write("in", list);
	RUN("move", "--to", "0", "--undo-file", IN_TREE("in"), "-");
	spares("in", list, "an input of this very move");
	/* What it would fill would be its input again. */
	tree_write("in", "");
	RUN("move", "--to", "0", "--undo-file", IN_TREE("in"), "-");
	spares("in", "", "an input of this very move");
	RUN("move", "--to", "0", "--undo-file", IN_TREE("undo"), "0x1000001000");
	spares("undo", record, "not empty, and may be what an earlier move can be undone by");
	RUN("move", "--to", "0", "--undo-file", IN_TREE("out"), "0x1000001000");
	spares("out", "", "the summary goes to this file");

	/* A dry run writes none, and so asks nothing of it. */
	RUN("move", "--to", "0", "--dry-run", "--undo-file", IN_TREE("undo"), "0x1000001000");
	CHECK_INT(run.status, 0);
	read_whole("undo", text);
	CHECK_STR(text, record);
	RUN("move", "--to", "0", "--dry-run", "--undo-file", IN_TREE("none"), "0x1000001000");
	CHECK_INT(run.status, 0);
	CHECK(access(tree_path("none"), F_OK));

	/* An empty one may be had, and what is no file of a disk. */
	tree_write("undo", "");
	RUN("move", "--to", "0", "--undo-file", IN_TREE("undo"), "0x1000001000");
	CHECK_INT(run.status, 0);
	read_whole("undo", text);
	CHECK_STR(text, "0x1000+4096 # node=1 was=0x1000001000\n");
	RUN("move", "--to", "0", "--undo-file", "/dev/null", "0x1000001000");
	CHECK_INT(run.status, 0);
	unlink(tree_path("undo"));
	unlink(tree_path("new"));
}

static void undoes(void)
{
	/* Nodes 1 and 2: each page goes back to its own. */
	RUN("move", "--to", "0", "--undo-file", IN_TREE("undo"), "0x1000001000+8k",
	    "0x2000005000");
	CHECK_INT(run.status, 0);
	RUN("move", "--json", "--undo", IN_TREE("undo"));
	CHECK_INT(run.status, 0);
	CHECK_INT(json_number("outcomes.moved"), 3);
	CHECK_HAS(run.log, "move nr=3 first=0x1000 last=0x5000");
	CHECK_HAS(run.out, "\"to\": 1,");
	CHECK_HAS(run.out, "\"to\": 2,");
	CHECK_HAS(run.out, "\"to\": null");

	tree_write("undo", "# nothing\n\n0x1000+4096\n0x2000 # node=1 was=0x5\nx # node=1\n"
		   "0x3000 # node=x\n");
	RUN("move", "--json", "--undo", IN_TREE("undo"));
	CHECK_INT(run.status, 2);
	CHECK_INT(json_number("outcomes.moved"), 1);
	CHECK_INT(json_number("bad_lines"), 3);
	CHECK_HAS(run.err, "undo:3: no \"# node=N\"");
	CHECK_HAS(run.err, "undo:5: not an address");
	CHECK_HAS(run.err, "undo:6: ");
	RUN("move", "--json", "--strict", "--undo", IN_TREE("undo"));
	CHECK_INT(run.status, 2);
	CHECK_INT(json_number("pages"), 0);
	unlink(tree_path("undo"));
}

/* Without a record nothing more is moved. */
static void stops_without_a_record(void)
{
	RUN("move", "--to", "0", "--undo-file", "/dev/full", "0x1000000000+64M");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "--undo-file /dev/full: No space left on device");
	CHECK_INT(count(run.err, "\n"), 1);
	CHECK_INT(count(run.log, "move "), 1);
	setenv("FAKE_MPP_EIO", "1", 1);
	RUN("move", "--to", "0", "--undo-file", IN_TREE("undo"), "0x1000000000+64M");
	CHECK_INT(run.status, 2);
	CHECK_HAS(run.err, "undo: Input/output error");
	CHECK_INT(count(run.log, "move "), 1);
	unsetenv("FAKE_MPP_EIO");
	unlink(tree_path("undo"));
}

/* Before the next batch moves, the last one is on disk. */
static void records_on_disk(void)
{
	static const char *const order[] = { "query ", "move ", "fdatasync" };
	size_t nr = 0;

	RUN("move", "--to", "0", "--undo-file", IN_TREE("undo"), "0x1000000000+64M");
	CHECK_INT(run.status, 0);
	for (char *line = strtok(run.log, "\n"); line && nr < 12; line = strtok(NULL, "\n"), nr++)
		CHECK_HAS(line, order[nr % 3]);
	CHECK_INT(nr, 12);
	unlink(tree_path("undo"));
	/* What is on no disk cannot be: nor does it fail. */
	RUN("move", "--to", "0", "--undo-file", "/dev/null", "0x1000000000+64M");
	CHECK_INT(run.status, 0);
	CHECK(!strstr(run.log, "fdatasync"));
}

RUN_MAIN(
	{ "move --new", writes_new_addresses },
	{ "move --undo-file spares what is there", spares_files },
	{ "move --undo", undoes },
	{ "move --undo-file on a full or broken disk", stops_without_a_record },
	{ "move --undo-file is on disk batch by batch", records_on_disk },
)
