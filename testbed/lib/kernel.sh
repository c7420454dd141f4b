# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share variables
#
# The guest's kernels. An entry in the cache is $cache/kernels/SERIES/ID, where ID tells the package
# version (and, for a kernel built here, its configuration and compiler); "current" names the
# one in use. Each entry holds "about" (shell variables), the image, the modules and a build tree.
#
# use_kernel sets: k_id, k_release, k_from, k_image, k_build, k_modroot (holds lib/modules).

readonly -a series_known=(6.1 6.12 7.3)

kernel_is_known() {
	local series
	for series in "${series_known[@]}" own; do
		[[ $series == "$1" ]] && return
	done
	return 1
}

# The metapackages that may lead to a series, most specific first, and the suites that have it.
kernel_metas() {
	printf 'linux-image-%s-cloud-amd64\nlinux-image-cloud-amd64\n' "$1"
}

kernel_suites() {
	case $1 in
	7.*) echo trixie-backports ;;
	*) echo bookworm bookworm-security ;;
	esac
}

kernel_origin() {
	case $1 in
	7.*) echo "built from Debian's linux-source-$1" ;;
	own) echo "MOVEPHYS_KERNEL_IMAGE" ;;
	*) echo "Debian's cloud image" ;;
	esac
}

# resolve_image SERIES: the newest image package of the series in the chosen apt state.
resolve_image() {
	local series=$1 escaped=${1//./\\.} meta name
	while read -r meta; do
		name=$(apt_depends "$meta" | grep -E "^linux-image-$escaped\.[0-9].*-cloud-amd64$" | head -n 1)
		if [[ $name ]]; then
			printf '%s\n' "$name"
			return
		fi
	done < <(kernel_metas "$series")
	name=$(apt_newest "^linux-image-$escaped\.[0-9].*-cloud-amd64$")
	[[ $name ]] && printf '%s\n' "$name"
}

# header_packages RELEASE: everything that makes its build tree.
header_packages() {
	printf 'linux-headers-%s\n' "$1"
	apt_depends "linux-headers-$1" | grep -E '^linux-(headers-.*-common|kbuild-.*)$'
}

fetch_stock() {
	local series=$1 image
	need_apt
	apt_use_host
	image=$(resolve_image "$series")
	if [[ $image ]] && fetch_stock_package "$series" "$image"; then
		return
	fi
	# Unknown to the host, or its package lists are older than the archive.
	# shellcheck disable=SC2046 # one word per suite
	apt_use_suites $(kernel_suites "$series") || return
	image=$(resolve_image "$series")
	[[ $image ]] || die "$EXIT_MISSING" "no image of Linux $series in $(kernel_suites "$series")"
	fetch_stock_package "$series" "$image" ||
		die "$EXIT_MISSING" "cannot fetch $image; is the mirror reachable?"
}

fetch_stock_package() {
	local series=$1 image=$2 release=${2#linux-image-} id dir tmp packages
	id=$(apt_version "$image")
	dir=$cache/kernels/$series/$id
	if [[ ! -d $dir ]]; then
		tmp=$(fresh_dir "kernel-$series") || exit "$EXIT_MISSING"
		mapfile -t packages < <(header_packages "$release")
		((${#packages[@]} >= 3)) || return
		mkdir "$tmp/debs" "$tmp/entry"
		apt_fetch "$tmp/debs" "$image" "${packages[@]}" || return
		apt_unpack "$tmp/entry" "$tmp"/debs/*.deb
		relocate_headers "$tmp/entry" "$release"
		describe "$tmp/entry" "$id" "$release" "$image" "boot/vmlinuz-$release" \
			"usr/src/linux-headers-$release"
		finish_entry "$tmp/entry" "$dir"
		rm -rf "$tmp"
	fi
	make_current "$dir"
}

# The packages expect to live under /usr/src; make them work from where they are.
relocate_headers() {
	local entry=$1 release=$2 headers=$1/usr/src/linux-headers-$2 link target
	# shellcheck disable=SC2016 # for make to expand
	sed -i 's|/usr/src/|$(dir $(realpath $(lastword $(MAKEFILE_LIST))))../|' "$headers/Makefile"
	while IFS= read -r link; do
		target=$(readlink "$link")
		ln -sfnr "$entry$target" "$link"
	done < <(find "$entry" -type l -lname '/*')
	[[ -d $entry/lib/modules ]] || ln -sfn usr/lib "$entry/lib"
	depmod -b "$entry" "$release" ||
		die "$EXIT_MISSING" "depmod failed for the modules of $release"
}

# describe ENTRY ID RELEASE FROM IMAGE BUILD: paths are relative to the entry.
describe() {
	{
		printf 'k_id=%q\nk_release=%q\nk_from=%q\n' "$2" "$3" "$4"
		printf 'k_image=%q\nk_build=%q\n' "$5" "$6"
	} >"$1/about"
}

finish_entry() {
	mkdir -p "${2%/*}"
	mv -T "$1" "$2" || die "$EXIT_MISSING" "cannot move a finished entry to $2"
}

make_current() {
	local link=${1%/*}/current
	ln -sfn "${1##*/}" "$link.new"
	mv -T "$link.new" "$link"
	touch "$1"
	# The one before stays: another vm may be reading it.
	keep_newest "${1%/*}" 2
}

# ---- a kernel built here ----

readonly -a trees_left_out=(alpha arc arm arm64 csky hexagon loongarch m68k microblaze mips nios2
	openrisc parisc powerpc riscv s390 sh sparc um xtensa)

build_recipe() {
	printf '%s/kernel/7.3.config\n' "$testbed"
}

# What, besides the source, decides how the built kernel turns out.
build_digest() {
	{
		gcc --version | head -n 1
		grep '^CONFIG_' "$(build_recipe)"
		declare -f configure_kernel make_kernel
	} | digest
}

resolve_source() {
	local package=linux-source-$1
	if [[ $(apt_version "$package") ]]; then
		printf '%s\n' "$package"
		return
	fi
	package=$(apt_newest '^linux-source-([7-9]|[1-9][0-9])\.[0-9]+$')
	[[ $package ]] && printf '%s\n' "$package"
}

fetch_built() {
	local series=$1 package id dir
	need_apt
	need_build_tools
	apt_use_host
	package=$(resolve_source "$series")
	if [[ ! $package ]]; then
		# shellcheck disable=SC2046 # one word per suite
		apt_use_suites $(kernel_suites "$series") || return
		package=$(resolve_source "$series")
	fi
	[[ $package ]] ||
		die "$EXIT_MISSING" "no linux-source-$series or newer in $(kernel_suites "$series")"
	[[ $package == "linux-source-$series" ]] ||
		say "linux-source-$series is gone from $(kernel_suites "$series"), taking $package"
	id=$(apt_version "$package")+$(build_digest)
	dir=$cache/kernels/$series/$id
	[[ -d $dir ]] || build_kernel "$series" "$package" "$id" "$dir" || return
	make_current "$dir"
}

need_build_tools() {
	need make make
	need gcc gcc
	need flex flex
	need bison bison
	need bc bc
	need xz xz-utils
	echo '#include <gelf.h>' | gcc -E -x c - >/dev/null 2>&1 ||
		die "$EXIT_MISSING" "gelf.h is not installed; on Debian: apt-get install libelf-dev"
}

build_kernel() {
	local series=$1 package=$2 id=$3 dir=$4 tmp build release
	tmp=$(fresh_dir "kernel-$series") || exit "$EXIT_MISSING"
	build=$tmp/entry/build
	mkdir -p "$tmp/deb" "$build"
	apt_fetch "$tmp/deb" "$package" ||
		die "$EXIT_MISSING" "cannot fetch $package; is the mirror reachable?"
	with_heartbeat "unpacking $package" unpack_source "$tmp/deb" "$build"
	rm -rf "$tmp/deb"
	configure_kernel "$build" "$tmp/log"
	with_heartbeat "building kernel $series (about 12 minutes on two processors)" \
		make_kernel "$build" "$tmp/entry" >"$tmp/log" || {
		tail -n 30 "$tmp/log" >&2
		die "$EXIT_MISSING" "the build of $package failed; its last lines are above"
	}
	slim_build_tree "$build"
	release=$(<"$build/include/config/kernel.release")
	ln -sfnr "$build" "$tmp/entry/lib/modules/$release/build"
	describe "$tmp/entry" "$id" "$release" \
		"built from $package ${id%+*}" boot/vmlinuz build
	finish_entry "$tmp/entry" "$dir"
	rm -rf "$tmp"
}

# Leaves out the bulk that an x86 machine without graphics and sound never looks at.
unpack_source() {
	local leave=(--exclude='*/Documentation/*/*' --exclude='*/drivers/gpu/drm/*.[ch]'
		--exclude='*/sound/*.[ch]') arch
	for arch in "${trees_left_out[@]}"; do
		leave+=(--exclude="*/arch/$arch/*.[chS]" --exclude="*/arch/$arch/boot/dts/*")
	done
	dpkg-deb --fsys-tarfile "$1"/*.deb | tar -xO --wildcards '*.tar.xz' |
		tar -xJ -C "$2" --strip-components=1 "${leave[@]}" ||
		die "$EXIT_MISSING" "cannot unpack the source; is the disk full?"
}

configure_kernel() {
	make -s -C "$1" KCONFIG_ALLCONFIG="$(build_recipe)" allnoconfig >"$2" 2>&1 || {
		tail -n 20 "$2" >&2
		die "$EXIT_MISSING" "cannot configure the kernel"
	}
	check_config "$1/.config" "$(build_recipe)"
}

# check_config CONFIG FRAGMENT: every option the fragment asks for has its value.
check_config() {
	local line missing=()
	while IFS= read -r line; do
		case $line in
		CONFIG_*=n)
			grep -q "^${line%=n}=" "$1" && missing+=("$line") ;;
		CONFIG_*)
			grep -qxF -- "$line" "$1" || missing+=("$line") ;;
		esac
	done <"$2"
	((${#missing[@]} == 0)) ||
		die "$EXIT_MISSING" "the kernel's configuration did not take: ${missing[*]}"
}

make_kernel() {
	local build=$1 entry=$2 cc=gcc
	command -v ccache >/dev/null && cc='ccache gcc'
	# Fixed names and paths: the same source gives the same kernel, and ccache can find it again.
	export CCACHE_NOHASHDIR=1 KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=movephys \
		KBUILD_BUILD_HOST=testbed
	nice make -s -C "$build" -j"$(nproc)" CC="$cc" bzImage modules 2>&1 &&
		make -s -C "$build" INSTALL_MOD_PATH="$entry" modules_install 2>&1 &&
		mkdir "$entry/boot" &&
		cp "$build/arch/x86/boot/bzImage" "$entry/boot/vmlinuz" &&
		objcopy --strip-debug "$build/vmlinux" 2>&1
}

# A module is built from headers, scripts and Module.symvers; the rest is a gigabyte of no use.
slim_build_tree() {
	find "$1" -type f ! -path "$1/scripts/*" ! -path "$1/tools/objtool/objtool" \
		\( -name '*.c' -o -name '*.S' -o -name '*.[oa]' -o -name '.*.cmd' -o -name '*.rs' \
		-o -name '*.dts*' -o -name 'bzImage' -o -name 'vmlinux.*' \
		-o -name '.tmp_vmlinux*' \) -delete
	find "$1" -depth -type d -empty -delete
}

# ---- a kernel of the user's own ----

use_own_kernel() {
	[[ ${MOVEPHYS_KERNEL_IMAGE:-} ]] || usage_error "--kernel own needs MOVEPHYS_KERNEL_IMAGE"
	[[ -r $MOVEPHYS_KERNEL_IMAGE ]] ||
		usage_error "MOVEPHYS_KERNEL_IMAGE: cannot read $MOVEPHYS_KERNEL_IMAGE"
	k_image=$(realpath "$MOVEPHYS_KERNEL_IMAGE")
	k_from="MOVEPHYS_KERNEL_IMAGE"
	k_release=own
	k_build=${MOVEPHYS_KERNEL_BUILD:-}
	k_modroot=
	k_id=$(stat -c '%n %s %Y' "$k_image" | digest)
	if [[ $k_build ]]; then
		[[ -f $k_build/Makefile ]] ||
			usage_error "MOVEPHYS_KERNEL_BUILD: $k_build is no kernel build tree"
		k_build=$(realpath "$k_build")
	fi
	if [[ ${MOVEPHYS_KERNEL_MODULES:-} ]]; then
		[[ -f $MOVEPHYS_KERNEL_MODULES/modules.dep ]] ||
			usage_error "MOVEPHYS_KERNEL_MODULES: no modules.dep in $MOVEPHYS_KERNEL_MODULES" \
				"(it names a lib/modules/RELEASE folder; depmod makes modules.dep)"
		k_release=$(basename "$(realpath "$MOVEPHYS_KERNEL_MODULES")")
		k_modroot=$cache/own/$k_id
		mkdir -p "$k_modroot/lib/modules"
		ln -sfn "$(realpath "$MOVEPHYS_KERNEL_MODULES")" "$k_modroot/lib/modules/$k_release"
	fi
}

# ---- one way in ----

kernel_is_cached() {
	local current=$cache/kernels/$1/current
	[[ -f $current/about ]] || return
	# A kernel built here is out of date when its recipe or the compiler has changed.
	[[ $1 != 7.* || $(readlink "$current") == *"+$(build_digest)" ]]
}

fetch_kernel() {
	case $1 in
	7.*) fetch_built "$1" ;;
	*) need depmod kmod && fetch_stock "$1" ;;
	esac
}

fetch_unless_cached() {
	# Another vm may have brought it while this one waited for the lock.
	kernel_is_cached "$1" || fetch_kernel "$1"
}

# read_about SERIES: sets k_* from the entry in use.
read_about() {
	local dir
	dir=$(realpath "$cache/kernels/$1/current")
	# shellcheck disable=SC1091 # written by describe
	. "$dir/about"
	k_image=$dir/$k_image
	k_build=$dir/$k_build
	k_modroot=$dir
}

use_kernel() {
	if [[ $1 == own ]]; then
		use_own_kernel
		return
	fi
	kernel_is_cached "$1" || locked "kernel-$1" fetch_unless_cached "$1" || exit
	read_about "$1"
}

# refresh_kernel SERIES: look for a newer one; without a network what is there stays in use.
refresh_kernel() {
	if ! locked "kernel-$1" fetch_kernel "$1"; then
		kernel_is_cached "$1" || exit "$EXIT_MISSING"
		say "no newer $1 could be had; the cached one stays in use"
	fi
	read_about "$1"
}
