#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# In the guest: the memory of a process goes to node 1 and then to node 0, by physical address.
set -eu

# anon_on NODE: pages of the process, as the kernel itself counts them.
anon_on() {
	sed -n "/ anon=/s/.* N$1=\([0-9]*\).*/\1/p" /proc/$pid/numa_maps |
		awk '{ sum += $1 } END { print sum + 0 }'
}

awk 'BEGIN { while (i < 100000) kept[i++] = i; print "ready" >"ready"; close("ready"); while (1); }' &
pid=$!
until [ -s ready ]; do
	sleep 0.1
done
bring_to() {
	movephys pagemap --pid $pid --kind anon,anon-large >addresses
	[ -s addresses ] || { echo "no addresses of process $pid" && exit 1; }
	# Some it still shares with the shell that started it.
	movephys move --to "$1" --all --retry 5 addresses
	echo "on node 0: $(anon_on 0), on node 1: $(anon_on 1)"
}

for node in 1 0; do
	bring_to $node
	# The kernel may have made huge pages of them in between, at other addresses.
	[ "$(anon_on $((1 - node)))" -lt 10 ] || bring_to $node
	[ "$(anon_on $node)" -gt 1000 ]
	[ "$(anon_on $((1 - node)))" -lt 10 ]
done
kill $pid
movephys info >/dev/null
