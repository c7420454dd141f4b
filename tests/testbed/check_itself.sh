# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # a part of run
#
# scripts/check, in a tree where all that it calls is a stand-in: how it is stopped.

# check_tree: the tree. Its vm fetches with the real one.
check_tree() {
	local dir=$work/check
	mkdir -p "$dir"/{scripts,testbed}
	cp "$tree/scripts/check" "$dir/scripts/"
	printf '#!/bin/sh\n' >"$dir/scripts/bootstrap"
	printf 'guest:\n' >"$dir/Makefile"
	printf '#!/bin/sh\nvm=%q\n' "$vm" >"$dir/testbed/vm"
	cat >>"$dir/testbed/vm" <<-'END'
		[ "$1" != fetch ] || exec "$vm" "$@"
	END
	chmod +x "$dir"/{scripts/bootstrap,testbed/vm}
}

# A signal in the middle of a download: nothing is left that runs, or that is half done.
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

check_itself() {
	has_apt check_itself || return
	stand_ins
	check_tree
	check_is_stopped
}
