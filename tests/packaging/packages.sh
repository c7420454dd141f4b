# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # the parts share variables
#
# The Debian packages: what is in them, and what they do when they are installed. That happens in
# an overlay over this machine's own file system, so that its libraries and its DKMS are there and
# nothing that is done reaches it.

readonly packages=(libmovephys-dev libmovephys0 movephys movephys-dkms)
# The module is built for the first when it is installed, for the second as when a kernel comes.
readonly package_kernels=(6.12 6.1)

list_packages() {
	local package
	for package in "${packages[@]}"; do
		dpkg-deb -c "$tree/build/deb/${package}_$version"_*.deb | grep -v '/$' |
			awk -v package="$package" '{ print package, $1, $6 }'
	done | sed 's| \./| |' | grep -v '/share/man/' | plain_names
}

# stage_kernels DIR: lib/modules/RELEASE/build for each kernel, as its headers' package has it.
stage_kernels() {
	local kernel build
	for kernel in "${package_kernels[@]}"; do
		build=$("$tree/testbed/vm" kdir "$kernel") || return
		printf '%s %s\n' "$(cat "$build/include/config/kernel.release")" "$build"
	done >"$1/kernels"
}

why_no_overlay() {
	if [[ $EUID != 0 ]]; then
		echo "only root can make an overlay to install into"
	elif ! command -v dkms >/dev/null || ! command -v dpkg >/dev/null; then
		echo "dkms or dpkg is not installed (scripts/bootstrap packaging)"
	elif ! unshare -m sh -c 'mount -t tmpfs none "$1" && mkdir "$1/u" "$1/w" "$1/m" &&
		mount -t overlay -o "lowerdir=/,upperdir=$1/u,workdir=$1/w" none "$1/m"' \
		sh "$work/chroot" 2>"$work/overlay.log"; then
		echo "no overlay over / can be mounted here: $(tail -n 1 "$work/overlay.log")"
	fi
}

# The tests inside print their lines themselves; the last one says that none was left out.
test_chroot() {
	local out=$work/chroot.out
	unshare -m --propagation private "$here/chroot.sh" "$work/chroot" "$work/handover" \
		"$tree/build/deb" "$version" "$here/program.c" >"$out" 2>"$work/chroot.err"
	cat "$out"
	passed=$((passed + $(grep -c '^ok ' "$out")))
	failed=$((failed + $(grep -c '^not ok ' "$out")))
	grep -qx 'chroot: all asked' "$out" ||
		not_ok packages/end "the tests inside ended early" "$work/chroot.err"
}

# What DKMS built for it, in that kernel, with the command of the package.
test_module_loads() {
	local kernel=${package_kernels[0]} module=$work/handover/move_phys_pages.ko
	if [[ ! -e $module ]]; then
		not_ok packages/module-loads "DKMS left no module"
		return
	fi
	attempt packages/module-loads "the module or the command does not work in the guest" \
		"$tree/testbed/vm" run --kernel "$kernel" --mem 512M --module "$module" --timeout 120 \
		--copy "$work/handover/movephys" --copy "$here/guest.sh" -- guest.sh
}

test_packages() {
	local why
	mkdir -p "$work/chroot" "$work/handover"
	if ! command -v dpkg-buildpackage >/dev/null || ! command -v dh_dkms >/dev/null; then
		skip packages "debhelper, dpkg-dev or dh-dkms is not installed (scripts/bootstrap packaging)"
		return
	fi
	if ! "$tree/scripts/deb" >"$work/deb.log" 2>&1; then
		not_ok packages/built "make deb failed" "$work/deb.log"
		return
	fi
	ok packages/built
	list_packages >"$work/packages"
	compare_list packages/files packages.list "$work/packages"
	why=$(why_no_overlay)
	if [[ $why ]]; then
		skip packages/installed "$why"
		return
	fi
	if ! stage_kernels "$work/handover" 2>"$work/kdir.log"; then
		skip packages/installed \
			"no headers of ${package_kernels[*]}: $(tail -n 1 "$work/kdir.log")"
		return
	fi
	test_chroot
	test_module_loads
}
