#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# chroot.sh DIR HANDOVER DEBS VERSION PROGRAM.c
#
# In a mount namespace of its own: mounts an overlay over / at DIR, installs the packages there,
# and takes them away again. HANDOVER/kernels lists `RELEASE BUILDTREE`; what DKMS built for the
# first is left in HANDOVER, with the installed command.

set -uo pipefail
dir=$1 handover=$2 debs=$3 version=$4 program=$5
root=$dir/m
log=$dir/log

verdict() {
	if [[ $2 == 0 ]]; then
		echo "ok packages/$1"
	else
		echo "not ok packages/$1: $3"
		tail -n 25 "$log" | sed 's/^/	/'
	fi
}

within() {
	chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null
}

# Kernels of the machine itself are none of ours, and building for them would take its time.
mount_root() {
	mount -t tmpfs none "$dir" && mkdir "$dir"/{u,w,m} &&
		mount -t overlay -o "lowerdir=/,upperdir=$dir/u,workdir=$dir/w" none "$root" &&
		mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
		mount -t tmpfs none "$root/tmp" || exit
	rm -rf "$root/lib/modules" "$root"/var/lib/dkms/* "$root"/usr/src/movephys-*
	mkdir -p "$root/lib/modules"
}

add_kernel() {
	mkdir "$root/lib/modules/$1" && ln -s "$2" "$root/lib/modules/$1/build" &&
		: >"$root/lib/modules/$1/modules.order" && : >"$root/lib/modules/$1/modules.builtin"
}

module_of() {
	local file
	for file in "$root/lib/modules/$1"/updates/dkms/move_phys_pages.ko*; do
		[[ -e $file ]] && printf '%s\n' "$file"
	done
}

# All that dpkg installs, changes or leaves; its own books, logs and caches are not meant.
changes() {
	(cd "$dir/u" && find . ! -type d) |
		grep -vE '^\./(var/(lib/(dpkg|dkms)|log|cache)/|etc/ld\.so\.cache|(usr/)?lib/modules)' |
		sort
	(cd "$root" && find var/lib/dkms -path '*movephys*' && find lib/modules -name 'move_phys_pages*')
}

test_install() {
	mkdir "$root/tmp/debs" && cp "$debs"/*_"$version"_*.deb "$root/tmp/debs/" &&
		cp "$program" "$root/tmp/program.c"
	within sh -c 'dpkg -i /tmp/debs/*.deb'
	verdict installed $? "dpkg -i failed"
	within sh -c 'cd / && movephys --version && man -w movephys && man -w 3 mpp_open'
	verdict command $? "the command or its manual pages are not found"
	# shellcheck disable=SC2016 # for the shell inside
	within sh -c 'cd /tmp &&
		gcc -o program program.c $(pkg-config --cflags --libs libmovephys) && ./program'
	verdict library $? "a program does not build against libmovephys-dev, or does not run"
	within bash -c '. /usr/share/bash-completion/completions/movephys && complete -p movephys'
	verdict completion $? "no completion of movephys"
}

test_dkms() {
	local first=$1 second=$2 build=$3
	within dkms status movephys
	grep -q "movephys/$version, $first, .*: installed" "$log"
	verdict dkms-builds $? "DKMS did not build and install the module for $first"
	add_kernel "$second" "$build"
	# What a package of a kernel, or of its headers, calls when it is installed.
	within /etc/kernel/postinst.d/dkms "$second"
	[[ $(module_of "$second") ]]
	verdict dkms-kernel-update $? "no module for $second, the kernel that came later"
	cp "$(module_of "$first")" "$handover/" && cp "$root/usr/bin/movephys" "$handover/"
	case $(module_of "$first") in
	*.xz) xz -d "$handover"/*.ko.xz ;;
	*.zst) zstd -q -d --rm "$handover"/*.ko.zst ;;
	*.gz) gzip -d "$handover"/*.ko.gz ;;
	esac
}

test_purge() {
	within dpkg --purge movephys movephys-dkms libmovephys-dev libmovephys0
	verdict purged $? "dpkg --purge failed"
	changes >"$dir/after"
	diff "$dir/before" "$dir/after" >"$log"
	verdict nothing-left $? "not all is as it was before they were installed"
}

mount_root
{ read -r first first_build && read -r second second_build; } <"$handover/kernels"
add_kernel "$first" "$first_build"
changes >"$dir/before"
test_install
test_dkms "$first" "$second" "$second_build"
test_purge
echo 'chroot: all asked'
