# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share variables
#
# What every part of the testbed uses: how it speaks, how it ends, where it keeps things.

readonly EXIT_USAGE=2		# the call was wrong; nothing was started
readonly EXIT_MISSING=3		# a tool, a package or a machine could not be had
readonly EXIT_TIMEOUT=124	# the guest did not end in time
readonly EXIT_KERNEL=125	# the guest's kernel complained or died, or its door did not open

cache=${MOVEPHYS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/movephys}

say() {
	printf 'vm: %s\n' "$*" >&2
}

die() {
	local status=$1
	shift
	say "$*"
	exit "$status"
}

usage_error() {
	die "$EXIT_USAGE" "$* (testbed/vm --help tells the options)"
}

# need TOOL PACKAGE: TOOL must be there; PACKAGE is what brings it on Debian.
need() {
	command -v "$1" >/dev/null ||
		die "$EXIT_MISSING" "$1 is not installed; on Debian: apt-get install $2"
}

prepare_cache() {
	if ! mkdir -p "$cache/lock" "$cache/tmp" 2>/dev/null || [[ ! -w $cache/tmp ]]; then
		die "$EXIT_MISSING" "cannot write to the cache folder $cache;" \
			"MOVEPHYS_CACHE names another"
	fi
	cache=$(cd "$cache" && pwd)
}

# locked NAME COMMAND...: one process at a time, so that parallel runs share one download or build.
# COMMAND runs in a subshell, where `exit` ends only it; the status is passed on.
locked() {
	local name=$1
	shift
	(
		exec 9>"$cache/lock/$name" || die "$EXIT_MISSING" "cannot lock $cache/lock/$name"
		# Short waits are not worth a word.
		if ! flock -w 3 9; then
			say "waiting for another vm that prepares $name"
			flock 9
		fi
		# What a call left that was killed outright, and what this one leaves if it is stopped.
		rm -rf "$cache/tmp/$name".*
		# shellcheck disable=SC2064 # now: COMMAND may take another lock, by another name
		trap "rm -rf ${cache@Q}/tmp/${name@Q}.*" EXIT
		"$@" 9>&9
	)
}

# fresh_dir NAME: an empty folder to prepare an entry in, on the cache's own file system so that
# the finished entry can be renamed into place. `locked` removes what is left of it.
fresh_dir() {
	mktemp -d "$cache/tmp/$1.XXXXXX"
}

# keep_newest DIR N: drops the entries of DIR that were used least recently.
keep_newest() {
	find "$1" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn |
		tail -n +$(($2 + 1)) | cut -d' ' -f2- | xargs -r rm -rf
}

# digest: one name for everything on standard input.
digest() {
	sha256sum | cut -c1-16
}

# with_heartbeat TEXT COMMAND...: shows that a long step is alive.
with_heartbeat() {
	local text=$1 start=$SECONDS next=$((SECONDS + 20)) owner=$BASHPID ticker status=0
	shift
	say "$text"
	(
		# Ends with its owner: an interrupt does not reach background processes.
		while sleep 1 2>/dev/null && kill -0 "$owner" 2>/dev/null; do
			if ((SECONDS >= next)); then
				say "$text: $((SECONDS - start)) s so far"
				next=$((SECONDS + 20))
			fi
		done
	) 9>&- >/dev/null &
	ticker=$!
	"$@" || status=$?
	kill "$ticker" 2>/dev/null
	wait "$ticker" 2>/dev/null
	return "$status"
}
