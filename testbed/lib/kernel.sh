# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share variables
#
# The guest's kernels, each told by its series, its configuration (stock: Debian's own; small or
# debug: built here, see build.sh) and whether it carries the patch series. An entry in the cache
# is $cache/kernels/NAME/ID, where ID tells the package version and, for a kernel built here, the
# digest of what else decides how it turns out. Each entry holds "about" (shell variables), the
# image, the modules and, without the patch series, a build tree.
#
# choose_variant sets: k_series, k_config, k_patched, k_name. use_kernel sets: k_id, k_release,
# k_from, k_image, k_build, k_modroot (holds lib/modules).

readonly -a series_known=(6.1 6.12 7.3)
readonly -a series_stock=(6.1 6.12)		# Debian's cloud images
readonly -a series_built=(6.12 7.3)		# from Debian's linux-source; these have a patch series

# one_of WORD WORD...: whether the first is among the others.
one_of() {
	local word=$1
	shift
	[[ " $* " == *" $word "* ]]
}

# kernel_exists SERIES CONFIG
kernel_exists() {
	if [[ $2 == stock ]]; then
		one_of "$1" "${series_stock[@]}"
	else
		one_of "$1" "${series_built[@]}"
	fi
}

# default_config SERIES DOOR: the configuration where none is told.
default_config() {
	if [[ $2 != syscall ]] && kernel_exists "$1" stock; then
		echo stock
	else
		echo small
	fi
}

# choose_variant SERIES CONFIG DOOR: which of the kernels the functions below are about.
choose_variant() {
	k_series=$1
	k_config=$2
	k_patched=
	if [[ $3 == syscall ]]; then
		k_patched=yes
	fi
	k_name=$1
	if [[ $k_config != stock ]]; then
		k_name+=-$k_config${k_patched:+-syscall}
	fi
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

# kernel_origin [PACKAGE]: where the chosen kernel comes from, or came from when it was that package.
kernel_origin() {
	if [[ $k_config == stock ]]; then
		echo "Debian's cloud image"
	else
		echo "${1:-linux-source-$k_series}${k_patched:+ and the patch series}"
	fi
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
	dir=$cache/kernels/$k_name/$id
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
	retire "$1" 2
}

# retire ENTRY N: N stay, ENTRY among them: another vm may be reading the ones before it.
retire() {
	touch "$1"
	keep_newest "${1%/*}" "$2"
}

# ---- a kernel of the user's own ----

use_own_kernel() {
	[[ ${MOVEPHYS_KERNEL_IMAGE:-} ]] || usage_error "--kernel own needs MOVEPHYS_KERNEL_IMAGE"
	[[ -r $MOVEPHYS_KERNEL_IMAGE ]] ||
		usage_error "MOVEPHYS_KERNEL_IMAGE: cannot read $MOVEPHYS_KERNEL_IMAGE"
	k_image=$(realpath "$MOVEPHYS_KERNEL_IMAGE")
	k_from="MOVEPHYS_KERNEL_IMAGE"
	k_release=own
	k_config=
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

# kernel_entry: prints the folder of the chosen kernel; fails when it is not cached.
kernel_entry() {
	local dir=$cache/kernels/$k_name/current
	if [[ $k_config != stock ]]; then
		dir=$(built_entry) || return
	fi
	[[ -f $dir/about ]] && realpath "$dir"
}

# Kernels built from one tree are prepared one at a time.
kernel_lock() {
	printf 'kernel-%s\n' "${k_name%-syscall}"
}

fetch_kernel() {
	if [[ $k_config == stock ]]; then
		need depmod kmod
		fetch_stock "$k_series"
	else
		fetch_built
	fi
}

fetch_unless_cached() {
	# Another vm may have brought it while this one waited for the lock.
	kernel_entry >/dev/null || fetch_kernel
}

# read_about: sets k_* from the entry in use.
read_about() {
	local dir
	dir=$(kernel_entry) ||
		die "$EXIT_MISSING" "the kernel $k_name has gone from the cache in the meantime"
	# shellcheck disable=SC1091 # written by describe
	. "$dir/about"
	k_image=$dir/$k_image
	k_build=${k_build:+$dir/$k_build}
	k_modroot=$dir
}

# use_kernel SERIES CONFIG DOOR
use_kernel() {
	if [[ $1 == own ]]; then
		use_own_kernel
		return
	fi
	choose_variant "$@"
	kernel_entry >/dev/null || locked "$(kernel_lock)" fetch_unless_cached || exit
	read_about
}

# refresh_kernel SERIES CONFIG DOOR: look for a newer one; without a network what is there stays.
refresh_kernel() {
	choose_variant "$@"
	if ! locked "$(kernel_lock)" fetch_kernel; then
		kernel_entry >/dev/null || exit "$EXIT_MISSING"
		say "no newer $k_name could be had; the cached one stays in use"
	fi
	read_about
}
