# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share variables
#
# Kernels built here from Debian's linux-source, with the configurations of kernel/, plain or with
# the patch series of kernel/intree.
#
# For each series and configuration one tree is kept, $cache/trees/SERIES-CONFIG, and every state of
# the patch series is built in it: only files whose text differs are written, so that make
# compiles what depends on them and nothing else. A tree holds
#	id		package version and digest of compiler and recipe it was made for
#	build/		source and objects
#	touched		files that a patch has ever changed or brought
#	unfinished	there while a build runs: one that was killed may leave half an object behind
# The unpatched source that all this begins with is $cache/sources/PACKAGE_VERSION.

readonly sources_kept=3
readonly patched_kept=6		# a patched kernel is some 20 MB, and worktrees share the cache

readonly -a trees_left_out=(alpha arc arm arm64 csky hexagon loongarch m68k microblaze mips nios2
	openrisc parisc powerpc riscv s390 sh sparc um xtensa)

# The files of kernel/ that make the configuration, what outweighs last.
config_files() {
	local name names=(small "small-$k_series")
	if [[ $k_config != small ]]; then
		names+=("$k_config")
		[[ ! -f $testbed/kernel/$k_config-$k_series.config ]] ||
			names+=("$k_config-$k_series")
	fi
	[[ $k_patched ]] && names+=(syscall)
	for name in "${names[@]}"; do
		printf '%s/kernel/%s.config\n' "$testbed" "$name"
	done
}

# config_recipe: the options, each with its last value.
config_recipe() {
	local files
	mapfile -t files < <(config_files)
	awk -F= '/^CONFIG_/ { value[$1] = $0 }
		END { for (name in value) print value[name] }' "${files[@]}" | LC_ALL=C sort
}

series_folder() {
	printf '%s/kernel/intree/series/%s\n' "$tree" "$k_series"
}

# What makes a tree of no more use: make sees changes of options and of text, but not these.
tree_digest() {
	{
		gcc --version | head -n 1
		declare -f unpack_source configure_kernel make_kernel
	} | digest
}

# What decides how the chosen kernel turns out, the source aside.
built_digest() {
	{
		tree_digest
		config_recipe
		if [[ $k_patched ]]; then
			cat "$(series_folder)"/*.patch 2>/dev/null
		fi
	} | digest
}

# built_entry: the folder of the chosen kernel with the newest source that is cached.
built_entry() {
	local entries
	mapfile -t entries < <(compgen -G "$cache/kernels/$k_name/*+$(built_digest)" | sort -V)
	((${#entries[@]})) && printf '%s\n' "${entries[-1]}"
}

# newest_source: the newest source there is, where that of the series is gone: backports drop a
# series when the next one comes.
newest_source() {
	[[ $k_series == 7.* ]] || return
	apt_newest '^linux-source-([7-9]|[1-9][0-9])\.[0-9]+$'
}

# find_source: sets source_package and source_version to the newest source of the series.
find_source() {
	need_apt
	apt_use_host
	source_package=linux-source-$k_series
	source_version=$(apt_version "$source_package")
	[[ ! $source_version ]] || return 0
	# shellcheck disable=SC2046 # one word per suite
	apt_use_suites $(kernel_suites "$k_series") || return
	source_version=$(apt_version "$source_package")
	[[ ! $source_version ]] || return 0
	source_package=$(newest_source)
	[[ $source_package ]] ||
		die "$EXIT_MISSING" "no linux-source-$k_series in $(kernel_suites "$k_series")"
	say "linux-source-$k_series is gone from $(kernel_suites "$k_series"), taking $source_package"
	source_version=$(apt_version "$source_package")
}

fetch_built() {
	local dir
	need_build_tools
	find_source || return
	dir=$cache/kernels/$k_name/$source_version+$(built_digest)
	[[ -d $dir ]] || build_kernel "$dir" || return
	retire "$dir" "$([[ $k_patched ]] && echo "$patched_kept" || echo 2)"
}

need_build_tools() {
	need make make
	need gcc gcc
	need flex flex
	need bison bison
	need bc bc
	need xz xz-utils
	need patch patch
	echo '#include <gelf.h>' | gcc -E -x c - >/dev/null 2>&1 ||
		die "$EXIT_MISSING" "gelf.h is not installed; on Debian: apt-get install libelf-dev"
}

# build_kernel DIR: the chosen kernel as the cache's entry DIR.
build_kernel() {
	local dir=$1 work=$cache/trees/$k_series-$k_config tmp release text status
	tmp=$(fresh_dir "$(kernel_lock)") || exit "$EXIT_MISSING"
	use_source "$source_package" "$source_version"
	prepare_tree "$work" "$source_version+$(tree_digest)" "$tmp"
	apply_series "$work"
	configure_kernel "$work/build" "$tmp/log"
	mkdir "$tmp/entry"
	text="building kernel $k_name"
	[[ -f $work/build/vmlinux.o ]] || text+=" (about $build_minutes minutes on two processors)"
	: >"$work/unfinished"
	with_heartbeat "$text" make_kernel "$work/build" "$tmp/entry" >"$tmp/log"
	status=$?
	# make cleans up behind itself whether it succeeds or not.
	rm "$work/unfinished"
	if ((status)); then
		tail -n 30 "$tmp/log" >&2
		die "$EXIT_MISSING" "the build of $k_name failed; its last lines are above"
	fi
	release=$(<"$work/build/include/config/kernel.release")
	rm -f "$tmp/entry/lib/modules/$release/"{build,source}
	if [[ ! $k_patched ]]; then
		copy_build_tree "$work/build" "$tmp/entry/build"
		ln -sfnr "$tmp/entry/build" "$tmp/entry/lib/modules/$release/build"
	fi
	describe "$tmp/entry" "${dir##*/}" "$release" \
		"$(kernel_origin "$source_package"), $source_version" boot/vmlinuz \
		"$([[ $k_patched ]] || echo build)"
	finish_entry "$tmp/entry" "$dir"
	rm -rf "$tmp"
}

readonly build_minutes=15

# ---- the tree ----

# prepare_tree WORK ID TMP: WORK holds the source, and what was built of it before.
prepare_tree() {
	local work=$1 id=$2 tmp=$3
	if [[ -f $work/unfinished || $(cat "$work/id" 2>/dev/null) != "$id" ]]; then
		rm -rf "$work"
		mkdir -p "$tmp/tree" "$cache/trees"
		cp -a --reflink=auto "$source_dir" "$tmp/tree/build" ||
			die "$EXIT_MISSING" "cannot copy the source; is the disk full?"
		: >"$tmp/tree/touched"
		printf '%s\n' "$id" >"$tmp/tree/id"
		mv -T "$tmp/tree" "$work" || die "$EXIT_MISSING" "cannot move a source tree to $work"
	fi
}

# use_source PACKAGE VERSION: sets source_dir to the unpacked, unpatched source.
use_source() {
	source_dir=$cache/sources/$1_$2
	[[ -d $source_dir ]] || locked "source-$1" fetch_source "$1" "$source_dir" || exit
	touch "$source_dir"
	keep_newest "$cache/sources" "$sources_kept"
}

fetch_source() {
	local package=$1 dir=$2 tmp
	[[ ! -d $dir ]] || return 0
	tmp=$(fresh_dir "source-$package") || exit "$EXIT_MISSING"
	mkdir "$tmp/deb" "$tmp/entry"
	apt_fetch "$tmp/deb" "$package" ||
		die "$EXIT_MISSING" "cannot fetch $package; is the mirror reachable?"
	with_heartbeat "unpacking $package" unpack_source "$(compgen -G "$tmp/deb/*.deb")" "$tmp/entry"
	finish_entry "$tmp/entry" "$dir"
	rm -rf "$tmp"
}

# Leaves out the bulk that an x86 machine without graphics and sound never looks at, and that no
# patch of the series has anything to do with.
unpack_source() {
	local leave=(--exclude='*/Documentation/devicetree/*' --exclude='*/Documentation/translations/*'
		--exclude='*/drivers/gpu/drm/*.[ch]' --exclude='*/sound/*.[ch]') arch
	for arch in "${trees_left_out[@]}"; do
		leave+=(--exclude="*/arch/$arch/*.[chS]" --exclude="*/arch/$arch/boot/dts/*")
	done
	dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards '*.tar.xz' |
		tar -xJ -C "$2" --strip-components=1 "${leave[@]}" ||
		die "$EXIT_MISSING" "cannot unpack the source; is the disk full?"
}

# apply_series WORK: the source with the patches of the chosen kernel and no others.
apply_series() {
	local work=$1 next=$1/next patch path
	local -a patches=()
	if [[ $k_patched ]]; then
		mapfile -t patches < <(compgen -G "$(series_folder)/*.patch" | LC_ALL=C sort)
		((${#patches[@]})) || die "$EXIT_MISSING" "no patches in $(series_folder)"
		files_of "${patches[@]}" | sort -u - "$work/touched" >"$work/touched.new"
		mv "$work/touched.new" "$work/touched"
	fi
	rm -rf "$next"
	mkdir "$next"
	while IFS= read -r path; do
		[[ ! -f $source_dir/$path ]] || install -D -p -m "$(stat -c %a "$source_dir/$path")" \
			"$source_dir/$path" "$next/$path"
	done <"$work/touched"
	for patch in "${patches[@]}"; do
		patch -d "$next" -p1 -s -f -F0 --no-backup-if-mismatch <"$patch" >&2 ||
			die "$EXIT_MISSING" "${patch##*/} does not apply to linux-source-$k_series"
	done
	while IFS= read -r path; do
		if [[ ! -f $next/$path ]]; then
			rm -f "$work/build/$path"
		elif ! cmp -s "$next/$path" "$work/build/$path"; then
			mkdir -p "$(dirname "$work/build/$path")"
			# With a time of its own, or make would not notice.
			cp --preserve=mode "$next/$path" "$work/build/$path"
		fi
	done <"$work/touched"
	rm -rf "$next"
}

# files_of PATCH...: what they change, bring or take away.
files_of() {
	sed -nE 's#^(---|\+\+\+) [ab]/([^[:space:]]+).*#\2#p' "$@"
}

configure_kernel() {
	config_recipe >"$1/.allconfig"
	make -s -C "$1" KCONFIG_ALLCONFIG=.allconfig allnoconfig >"$2" 2>&1 || {
		tail -n 20 "$2" >&2
		die "$EXIT_MISSING" "cannot configure the kernel"
	}
	check_config "$1/.config" "$1/.allconfig"
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
		KBUILD_BUILD_HOST=testbed KBUILD_BUILD_VERSION=1
	nice make -s -C "$build" -j"$(nproc)" CC="$cc" bzImage modules 2>&1 &&
		make -s -C "$build" INSTALL_MOD_PATH="$entry" modules_install 2>&1 &&
		mkdir "$entry/boot" &&
		cp "$build/arch/x86/boot/bzImage" "$entry/boot/vmlinuz"
}

# A module is built from headers, scripts and Module.symvers; the rest is a gigabyte of no use.
copy_build_tree() {
	mkdir "$2"
	(cd "$1" && find . \( -type f -o -type l \) \
		\( -path './scripts/*' -o -path ./tools/objtool/objtool -o ! \( -name '*.[cSoa]' \
		-o -name '*.cmd' -o -name '*.rs' -o -name '*.dts*' -o -name 'bzImage' \
		-o -name 'vmlinux*' -o -name '.tmp_vmlinux*' \) \) -print0 |
		cpio -0pdm --quiet "$2") ||
		die "$EXIT_MISSING" "cannot copy the build tree; is the disk full?"
}
