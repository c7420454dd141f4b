#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC3043 # the guest's shell is busybox, which has local
#
# The demo's part inside the guest: redis-server starts in the slow node, is filled, and its memory
# moves to the fast one by physical address while a client talks to it. Standard output is the
# report, standard error tells what goes on. Every number printed was measured here; status 1 when
# one of them is not what it must be.
#
#	guest.sh NR_RECORDS

set -u

fast=0 slow=1
nr_records=$1
socket=/tmp/redis.sock
failed=
client_pid='' server_pid=''

progress() {
	echo "demo: $*" >&2
}

# Something that must hold does not; the report goes on, so that the rest can be seen.
broken() {
	failed="$failed
  $*"
}

give_up() {
	progress "FAILED: $*"
	if [ -s /tmp/redis.log ]; then
		tail -n 5 /tmp/redis.log >&2
	fi
	exit 1
}

# 1234567 as 1,234,567
grouped() {
	echo "$1" | sed -e ':next' -e 's/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/' -e 't next'
}

# Microseconds as 12.3
milliseconds() {
	awk -v us="${1:-0}" 'BEGIN { printf "%.1f", us / 1000 }'
}

mebibytes() {
	awk -v bytes="$1" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'
}

# pages_on NODE: of the server, as the kernel itself counts them; nothing of movephys takes part.
pages_on() {
	awk -v name="N$1" '{
		for (i = 2; i <= NF; i++)
			if (split($i, part, "=") == 2 && part[1] == name)
				sum += part[2]
	} END { print sum + 0 }' "/proc/$server_pid/numa_maps"
}

redis() {
	redis-cli -s "$socket" "$@"
}

# The server and its client take turns; on two emulated processors each turn would cost a wake-up
# across processors, which is most of the time then.
on_one_cpu() {
	exec numactl --physcpubind=0 "$@"
}

start_server() {
	local tries=0
	# Preferred is advice. --membind would be an order, and the kernel would rightly refuse to
	# move the pages elsewhere (-EPERM).
	on_one_cpu --preferred=$slow redis-server --port 0 --unixsocket "$socket" --save '' \
		--appendonly no --enable-debug-command yes >/tmp/redis.log 2>&1 &
	server_pid=$!
	until [ "$(redis ping 2>/dev/null)" = PONG ]; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || give_up "redis-server does not answer"
		kill -0 $server_pid 2>/dev/null || give_up "redis-server did not start"
		sleep 0.1
	done
}

fill_server() {
	value_bytes=$(on_one_cpu client "$socket" load "$nr_records") || give_up "cannot fill redis-server"
	nr_keys=$(redis dbsize)
	[ "$nr_keys" = "$nr_records" ] || give_up "redis-server holds $nr_keys keys, not $nr_records"
}

take_digest() {
	redis debug digest | grep -xE '[0-9a-f]{40}' || give_up "redis-server gives no digest"
}

start_client() {
	local tries=0
	: >/tmp/client.err
	on_one_cpu client "$socket" serve "$nr_records" >/tmp/served 2>/tmp/client.err &
	client_pid=$!
	until grep -q serving /tmp/client.err; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || give_up "the client does not begin"
		kill -0 $client_pid || give_up "the client did not start: $(cat /tmp/client.err)"
		sleep 0.1
	done
	sleep 1
}

# Sets moved: pages that went from slow to fast by the kernel's own count.
move_pages() {
	local stats=/sys/module/move_phys_pages/stats/node_pairs
	movephys pagemap --pid $server_pid --node $slow >/tmp/addresses ||
		give_up "cannot read the addresses of process $server_pid"
	kill -USR1 $client_pid
	movephys move --to $fast --retry 5 /tmp/addresses >/tmp/outcome 2>&1
	move_status=$?
	kill -USR1 $client_pid
	moved=$(awk -v from=$slow -v to=$fast '$1 == from && $2 == to { print $3 }' $stats)
	: "${moved:=0}"
}

stop_client() {
	sleep 0.5
	kill -TERM $client_pid
	wait $client_pid || broken "the client lost its server: $(tail -n 1 /tmp/client.err)"
}

# served PHASE FIELD: reads, writes, wrong, longest_us or ms, as the client counted them.
served() {
	awk -v phase="$1" -v field="$2" '
		BEGIN { split("phase reads writes wrong longest_us ms", names, " ") }
		$1 == phase { for (i in names) if (names[i] == field) print $i }' /tmp/served
}

judge() {
	local phase wrong
	# 1 says that some pages were left behind: that is for the next check to weigh.
	[ "$move_status" -le 1 ] || broken "movephys move ended with status $move_status"
	[ $((moved * 100)) -ge $((slow_before * 90)) ] ||
		broken "only $moved of $slow_before pages moved to node $fast, less than 90 %"
	[ $((slow_after * 10)) -le "$slow_before" ] ||
		broken "$slow_after of $slow_before pages are still on node $slow, more than 10 %"
	for phase in before during after restore; do
		wrong=$(served $phase wrong)
		[ "$wrong" = 0 ] || broken "wrong answers of redis-server ($phase): ${wrong:-all}"
	done
	[ "$(served during writes)" -gt 0 ] || broken "no request was served during the move"
	[ "$digest_before" = "$digest_after" ] || broken "the data changed: digest $digest_after"
}

report_machine() {
	local redis
	redis=$(redis-server --version | sed 's/^Redis server v=\([^ ]*\).*/redis-server \1/')
	cat <<END

MOVING A RUNNING PROGRAM'S MEMORY TO ANOTHER NODE, BY PHYSICAL ADDRESS ALONE

A virtual machine ran Linux $(uname -r)$DEMO_KERNEL with the movephys
module loaded, and two memory nodes: $fast is fast and has the processors, $slow is slow.
$redis$DEMO_REDIS was filled in the slow node: $(grouped "$nr_keys") records,
$(mebibytes "$value_bytes").

END
}

report_move() {
	local ranges
	ranges=$(wc -l </tmp/addresses)
	echo "\$ movephys pagemap --pid $server_pid --node $slow >addresses     # where is its memory?"
	sed -n -e 's/^/    /' -e '1,2p' /tmp/addresses
	echo "    ... $(grouped "$ranges") such ranges"
	echo "\$ movephys move --to $fast --retry 5 addresses         # knows nothing but the addresses"
	sed 's/^/    /' /tmp/outcome
}

report_pages() {
	printf '  redis-server on node %d, %s %12s %14s   pages\n' "$1" "$2" "$(grouped "$3")" \
		"$(grouped "$4")"
}

report_result() {
	echo
	echo "                             before the move       after it"
	report_pages $fast fast "$fast_before" "$fast_after"
	report_pages $slow slow "$slow_before" "$slow_after"
	cat <<END

  While they moved ($(served during ms) ms), redis-server answered $(grouped "$(served during reads)") reads and $(grouped "$(served during writes)") writes;
  each answer was compared with what it must be, and $(grouped "$(served during wrong)") were wrong. The longest wait was
  $(milliseconds "$(served during longest_us)") ms; in the $(served before ms) ms before the move it was $(milliseconds "$(served before longest_us)") ms.
END
	if [ "$digest_before" = "$digest_after" ]; then
		echo "  Data intact: redis-server's digest of all $(grouped "$nr_keys") keys is the same before and after,"
		echo "  $digest_after"
	fi
}

progress "starting redis-server in the slow node"
start_server
progress "filling it with $(grouped "$nr_records") records"
fill_server
progress "asking it for the digest of all its data"
digest_before=$(take_digest) || exit
start_client
fast_before=$(pages_on $fast)
slow_before=$(pages_on $slow)
[ "$slow_before" -gt "$fast_before" ] ||
	give_up "redis-server is not in the slow node: $slow_before pages there, $fast_before on the fast"
progress "moving $(grouped "$slow_before") pages while a client reads and writes"
move_pages
fast_after=$(pages_on $fast)
slow_after=$(pages_on $slow)
stop_client
progress "asking for the digest again"
digest_after=$(take_digest) || exit
judge
report_machine
report_move
report_result
kill $server_pid
if [ "$failed" ]; then
	echo
	echo "FAILED:$failed"
	exit 1
fi
