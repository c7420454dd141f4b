# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # a part of run
#
# scripts/check, in a tree where all that it calls is a stand-in: how it is stopped, and the tables
# that it prints.

# check_tree: the tree. Its vm fetches with the real one, and prints what a guest could.
check_tree() {
	local dir=$work/check
	mkdir -p "$dir"/{scripts,testbed}
	cp "$tree/scripts/check" "$dir/scripts/"
	printf '#!/bin/sh\n' >"$dir/scripts/bootstrap"
	printf 'guest:\n' >"$dir/Makefile"
	printf '#!/bin/sh\nvm=%q\n' "$vm" >"$dir/testbed/vm"
	cat >>"$dir/testbed/vm" <<-'END'
		verb=$1
		for last; do :; done
		case "$verb $*" in
		fetch*)
			[ ! -e "$APT_TEST/hangs" ] || exec "$vm" "$@" ;;
		list*)
			echo '6.12 stock module, none 6.12.9-cloud-amd64 linux-image-6.12.9-cloud-amd64'
			echo '6.12 small syscall 6.12.9-small linux-source-6.12 and the patch series'
			echo '6.12 debug syscall 6.12.9-movephys linux-source-6.12 and the patch series' ;;
		*mpp-stress*)
			echo 'worker fork: 12 loops, 34 pages verified' >&2
			echo 'worker offline: 40 loops, 7 blocks offlined' >&2
			echo 'ok stress: the system call, seed 3, 5 s, 832 calls, 17276 pages moved, 0 reloads' ;;
		*dmesg)
			printf '1..1\n    ok 1 one\n    ok 2 two\nok 1 move_phys_pages\n' ;;
		*unplug*)
			echo '1 passed, 0 failed, 0 skipped' ;;
		*mpp-conformance*)
			echo '194 passed, 0 failed, 15 skipped' ;;
		esac
	END
	chmod +x "$dir"/{scripts/bootstrap,testbed/vm}
}

# A signal in the middle of a download, and again, as make does with TERM: nothing is left that runs,
# or that is half done.
check_is_stopped() {
	local name=check_is_stopped pid began left tries=0
	archive 'linux-source-6.12 6.12.1-1' ''
	echo linux-source-6.12 >"$APT_TEST/hangs"
	rm -f "$APT_TEST/hanging"
	MOVEPHYS_CACHE=$APT_TEST/cache PATH=$APT_TEST/bin:$PATH "$work/check/scripts/check" --debug 5 6.12 \
		>"$work/result/$name.out" 2>"$work/result/$name.err" &
	pid=$!
	until [[ -s $APT_TEST/hanging ]] || ((tries++ > 300)); do
		sleep 0.1
	done
	began=$SECONDS
	kill -TERM "$pid"
	sleep 0.01
	kill -TERM "$pid" 2>/dev/null
	wait "$pid"
	echo $? >"$work/result/$name.status"
	left=$(find "$APT_TEST/cache/tmp" "$APT_TEST/cache/sources" "$APT_TEST/cache/kernels" \
		-mindepth 1 2>/dev/null)
	if kill "$(cat "$APT_TEST/hanging")" 2>/dev/null; then
		not_ok "$name" "its download goes on"
	elif ((SECONDS - began > 10)); then
		not_ok "$name" "it took $((SECONDS - began)) s"
	elif [[ $left ]]; then
		not_ok "$name" "left behind: $left"
	else
		expect "$name" 130 '^check: interrupted$'
	fi
	rm "$APT_TEST/hangs"
}

# table NAME STATUS ARGUMENT...: scripts/check ends with this status and prints the table that is on
# standard input.
table() {
	local name=$1 status=$2 printed
	shift 2
	record "$name" "$work/check/scripts/check" "$@"
	printed=$(grep '^|' "$work/result/$name.out")
	if [[ $printed != "$(cat)" ]]; then
		not_ok "$name" "it printed '$printed'"
	else
		expect "$name" "$status"
	fi
}

check_tables() {
	table check_debug_table 0 --debug 5 6.12 <<-'END'
		| kernel | release | door | conformance | stress, 5 s | KUnit | a memory device goes, Smack says no |
		|---|---|---|---|---|---|---|
		| 6.12 | 6.12.9-movephys | syscall | 194 passed, 0 failed, 15 skipped | ok: 832 calls, 17276 pages moved, 7 memory blocks offlined | 2 passed, 0 failed, 0 skipped | 1 passed, 0 failed, 0 skipped |
	END
	# With much that is not in this tree, and so fails.
	table check_table 1 6.12 <<-'END'
		| kernel | release | door | conformance | 32-bit callers | stress, 60 s | KUnit | a memory device goes, Smack says no |
		|---|---|---|---|---|---|---|---|
		| 6.12 | 6.12.9-cloud-amd64 | module | 194 passed, 0 failed, 15 skipped | 0 passed, 0 failed, 1 skipped | 1 passed, 0 failed, 0 skipped |  | 1 passed, 0 failed, 0 skipped |
		| 6.12 | 6.12.9-small | syscall | 194 passed, 0 failed, 15 skipped | 0 passed, 0 failed, 1 skipped | 1 passed, 0 failed, 0 skipped | 2 passed, 0 failed, 0 skipped | 1 passed, 0 failed, 0 skipped |
	END
}

check_itself() {
	has_apt check_itself || return
	stand_ins
	check_tree
	check_is_stopped
	check_tables
}
