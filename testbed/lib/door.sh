# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share variables
#
# The module that opens the door on a stock kernel, built once per kernel and state of the sources.

readonly modules_kept=24

door_sources() {
	(cd "$tree" && find kernel/core kernel/module kernel/compat include/uapi \
		-type f ! -name '.*' 2>/dev/null | LC_ALL=C sort)
}

door_digest() {
	{
		printf '%s %s\n' "$k_id" "$k_build"
		gcc --version | head -n 1
		(cd "$tree" && door_sources | tr '\n' '\0' | xargs -0 sha256sum)
	} | digest
}

# use_door_module: sets door_module to the tree's module for the kernel in use.
use_door_module() {
	local dir
	[[ -f $tree/kernel/module/Makefile ]] ||
		die "$EXIT_MISSING" "no module to build: kernel/module/Makefile is not in this tree"
	[[ $k_build ]] ||
		usage_error "--door module needs MOVEPHYS_KERNEL_BUILD, the build tree of your kernel"
	need make make
	need gcc gcc
	dir=$cache/modules/$(door_digest)
	[[ -d $dir ]] || locked "module-$k_release" build_door "$dir" || exit
	touch "$dir"
	door_module=$dir/move_phys_pages.ko
}

build_door() {
	local dir=$1 tmp
	[[ -d $dir ]] && return
	tmp=$(fresh_dir "module-$k_release") || exit "$EXIT_MISSING"
	say "building the module for Linux $k_release"
	if ! make -s -C "$tree/kernel/module" KDIR="$k_build" OUT="$tmp/out" >"$tmp/log" 2>&1 ||
		[[ ! -f $tmp/out/move_phys_pages.ko ]]; then
		cat "$tmp/log" >&2
		rm -rf "$tmp"
		die "$EXIT_MISSING" "the module does not build for Linux $k_release"
	fi
	# Not by -Werror, which the probes of kernel/compat would take for an answer.
	if grep -qE '\.[ch]:[0-9]+:[0-9]+: warning:' "$tmp/log"; then
		cat "$tmp/log" >&2
		rm -rf "$tmp"
		die "$EXIT_MISSING" "the module does not build for Linux $k_release without warnings"
	fi
	mkdir "$tmp/entry"
	mv "$tmp/out/move_phys_pages.ko" "$tmp/entry/"
	finish_entry "$tmp/entry" "$dir"
	rm -rf "$tmp"
	keep_newest "$cache/modules" "$modules_kept"
}
