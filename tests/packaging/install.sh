# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # the parts share variables
#
# `make install` and `make uninstall` in a folder, and bash completion.

make_quietly() {
	make -s -C "$tree" "$@" >"$work/make.log" 2>&1
}

# The version script is what decides: whatever else the library exports is a leak.
library_exports() {
	nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort
}

map_exports() {
	sed -n '/^global:/,/^local:/s/^\t\([a-z_0-9]*\);$/\1/p' "$tree/lib/libmovephys.map" | sort
}

# It answers its caller: it writes to nobody's terminal or log, and ends nobody's process.
library_oversteps() {
	nm -D --undefined-only "$1" | sed 's/.* U //; s/@.*//' | grep -xE \
		'std(out|err)|(__)?v?(f|d)?printf(_chk)?|f?putc(har)?|f?puts|_IO_putc|fwrite|perror|psignal|v?(err|warn)x?|error(_at_line)?|(__)?v?syslog(_chk)?|_?exit|_Exit|quick_exit|abort|raise|__assert_fail'
}

test_library() {
	local lib=$1 soname
	soname=$(readelf -d "$lib/libmovephys.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
	[[ $soname && -e $lib/$soname ]]
	verdict install/soname $? "the library's name for the linker is '$soname', and no such file"
	diff <(map_exports) <(library_exports "$lib/libmovephys.so") >"$work/diff"
	verdict install/symbols $? "the library exports other symbols than lib/libmovephys.map" "$work/diff"
	library_oversteps "$lib/libmovephys.so" >"$work/oversteps"
	[[ ! -s $work/oversteps ]]
	verdict install/no-printing-no-exiting $? "the library calls what prints or ends the process" \
		"$work/oversteps"
	readelf -d "$lib/libmovephys.so" "$root/usr/bin/movephys" |
		grep -E 'RPATH|RUNPATH' >"$work/rpath"
	[[ ! -s $work/rpath ]]
	verdict install/rpath $? "a path of the build is left in what is installed" "$work/rpath"
}

# A program of somebody else, who has only what is installed.
test_program() {
	local lib=$1 flags
	export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$lib/pkgconfig
	flags=$(pkg-config --cflags --libs libmovephys)
	[[ $(pkg-config --modversion libmovephys) == "$version" && $flags == *-lmovephys* ]]
	verdict install/pkg-config $? "pkg-config says '$flags'"
	unset PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
	# shellcheck disable=SC2086 # several words
	attempt install/compiles "cannot build a program against the installed header" \
		gcc -std=c99 -pedantic -Wall -Wextra -Werror -o "$work/program" "$here/program.c" $flags
	attempt install/runs "the program does not run" \
		env LD_LIBRARY_PATH="$lib" "$work/program"
	attempt install/c++ "the header is not for C++" \
		gcc -x c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only "-I$root/usr/include" \
		"$here/program.c"
}

# Each page of the tree is there, and each call of the library leads to one that names it.
test_manuals() {
	local call
	(cd "$tree/man" && find . -path './man*/*' -type f) | sort >"$work/pages"
	(cd "$root/usr/share/man" && find . -type f) | sort | diff "$work/pages" - >"$work/diff"
	verdict install/pages $? "the pages in man/ and the installed ones differ" "$work/diff"
	for call in $(map_exports); do
		grep -qsw "$call" "$root/usr/share/man/man3/$call.3" || echo "$call"
	done >"$work/calls"
	[[ ! -s $work/calls ]]
	verdict install/page-of-each-call $? "calls without a page in man3" "$work/calls"
	test_groff
}

test_groff() {
	local page
	: >"$work/man.log"
	if ! command -v groff >/dev/null; then
		skip install/manuals "groff is not installed"
		return
	fi
	for page in "$root"/usr/share/man/man*/*; do
		[[ -L $page ]] && continue
		groff -man -t -Tutf8 -rLL=78n -ww -z "$page" 2>&1 | sed "s|^|${page##*/}: |" >>"$work/man.log"
	done
	[[ ! -s $work/man.log ]]
	verdict install/manuals $? "groff complains of manual pages" "$work/man.log"
}

test_uninstall() {
	local before=$work/before after=$work/after
	# What is somebody else's stays, also in folders that we use, and also empty folders.
	mkdir -p "$root/usr/bin" "$root/usr/share/man/man1" "$root/usr/include"
	echo other >"$root/usr/bin/other"
	echo other >"$root/usr/share/man/man1/other.1"
	(cd "$root" && find . | sort) >"$before"
	make_quietly install PREFIX=/usr DESTDIR="$root" ||
		not_ok install/again "it failed" "$work/make.log"
	# A second time, over the first, and over a file that an older version had.
	echo outdated >"$root/usr/bin/movephys-outdated"
	echo 'f /usr/bin/movephys-outdated' >>"$root/usr/share/movephys/installed"
	make_quietly install PREFIX=/usr DESTDIR="$root"
	[[ ! -e $root/usr/bin/movephys-outdated && -x $root/usr/bin/movephys ]]
	verdict install/outdated $? "what an older version had is still there"
	make_quietly uninstall PREFIX=/usr DESTDIR="$root"
	(cd "$root" && find . | sort) >"$after"
	diff "$before" "$after" >"$work/diff"
	verdict uninstall/others $? "not all that was there before is there after it, or more" "$work/diff"
	if make_quietly uninstall PREFIX=/usr DESTDIR="$root"; then
		not_ok uninstall/twice "a second one does not fail"
	else
		grep -q 'nothing is installed' "$work/make.log"
		verdict uninstall/twice $? "it does not say why it failed" "$work/make.log"
	fi
}

test_install() {
	local lib
	root=$work/root
	if ! make_quietly install PREFIX=/usr DESTDIR="$root"; then
		not_ok install/files "make install failed" "$work/make.log"
		return
	fi
	list_below "$root" >"$work/installed"
	compare_list install/files installed.list "$work/installed"
	[[ $("$root/usr/bin/movephys" --version) == "movephys $version" ]]
	verdict install/command $? "the installed command does not tell its version"
	lib=$(dirname "$(find "$root/usr" -name libmovephys.so)")
	test_library "$lib"
	test_program "$lib"
	test_manuals
	cp -a "$root/usr/share/bash-completion/completions/movephys" "$work/completion"
	cp -a "$root/usr/bin/movephys" "$work/movephys"
	make_quietly uninstall PREFIX=/usr DESTDIR="$root"
	find "$root" -mindepth 1 >"$work/left"
	[[ ! -s $work/left ]]
	verdict uninstall/all $? "something is left" "$work/left"
	test_uninstall
}

test_completion() {
	local out=$work/completion.out
	if [[ ! -e $work/completion ]]; then
		skip completion "nothing was installed"
		return
	fi
	PATH=$work:$PATH bash "$here/completion.sh" "$work/completion" >"$out" 2>&1
	cat "$out"
	passed=$((passed + $(grep -c '^ok ' "$out")))
	failed=$((failed + $(grep -c '^not ok ' "$out")))
	grep -qx 'completion: all asked' "$out" ||
		not_ok completion/end "the tests of completion ended early"
}
