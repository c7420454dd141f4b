# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share variables
#
# The guest's root file system: a cached base per kernel (busybox, init, modules) and a small part
# per run (the copied files with their libraries, the command). The kernel unpacks both.

readonly guest_dir=/t
readonly bases_kept=12

# Brought along when the kernel has them as modules; the first line is loaded before anything runs.
readonly -a modules_at_boot=(virtio_pci virtio_console loop)
readonly -a modules_on_demand=(virtio_blk virtio_balloon virtio_mem zram lzo lzo_rle lz4 zstd
	hwpoison_inject cxl_acpi cxl_pci cxl_mem cxl_port device_dax kmem dax_cxl dax_hmem hmem
	fuse overlay null_blk brd udmabuf binfmt_misc ext4 msr)

# The guest's /bin, /lib and so on are where the host has them, so that copied paths stay true.
make_skeleton() {
	local root=$1 name
	mkdir -p "$root"/{dev,proc,sys,tmp,run,etc,var/tmp,root,mnt,.vm} "$root$guest_dir" \
		"$root"/usr/{bin,sbin,lib}
	for name in bin sbin lib lib32 lib64 libx32; do
		if [[ -L /$name ]]; then
			mkdir -p "$root/usr/$name"
			ln -s "usr/$name" "$root/$name"
		else
			mkdir -p "$root/$name"
		fi
	done
	chmod 1777 "$root/tmp" "$root/var/tmp"
}

pack() {
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort |
		cpio -o -H newc -R 0:0 --quiet --block-size=64) >"$2" ||
		die "$EXIT_MISSING" "cannot write $2; is the disk full?"
}

# A static busybox: the host's if it is one, else out of Debian's package.
find_busybox() {
	local own
	own=$(command -v busybox || true)
	if [[ $own ]] && ! ldd "$own" >/dev/null 2>&1; then
		realpath "$own"
		return
	fi
	[[ -x $cache/busybox/bin/busybox || -x $cache/busybox/usr/bin/busybox ]] ||
		locked busybox fetch_busybox >&2 || exit
	if [[ -x $cache/busybox/bin/busybox ]]; then
		printf '%s\n' "$cache/busybox/bin/busybox"
	else
		printf '%s\n' "$cache/busybox/usr/bin/busybox"
	fi
}

fetch_busybox() {
	local tmp
	need_apt
	tmp=$(fresh_dir busybox) || exit "$EXIT_MISSING"
	mkdir "$tmp/deb" "$tmp/root"
	apt_use_host
	apt_fetch "$tmp/deb" busybox-static ||
		die "$EXIT_MISSING" "no static busybox; on Debian: apt-get install busybox-static"
	apt_unpack "$tmp/root" "$tmp"/deb/*.deb
	rm -rf "$cache/busybox"
	finish_entry "$tmp/root" "$cache/busybox"
}

# module_files NAME...: the modules and what they depend on by modules.dep, in loading order.
module_files() {
	local name
	[[ $k_modroot ]] || return 0
	for name; do
		modprobe -d "$k_modroot" -S "$k_release" --show-depends "$name" 2>/dev/null |
			sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++'
}

add_modules() {
	local root=$1 file rel to
	: >"$root/.vm/modules"
	[[ $k_modroot ]] || return 0
	while IFS= read -r file; do
		rel=lib/modules/$k_release/${file##*/lib/modules/"$k_release"/}
		mkdir -p "$root/${rel%/*}"
		to=$root/${rel%.[xgz][zs]*}
		# Unpacked here once rather than in every guest.
		case $file in
		*.xz) need xz xz-utils && xz -dc "$file" >"$to" ;;
		*.zst) need zstd zstd && zstd -qdc "$file" >"$to" ;;
		*.gz) gzip -dc "$file" >"$to" ;;
		*) cp "$file" "$to" ;;
		esac || die "$EXIT_MISSING" "cannot unpack the module $file"
	done < <(module_files "${modules_at_boot[@]}" "${modules_on_demand[@]}")
	module_files "${modules_at_boot[@]}" | sed -e "s|.*/lib/modules/|/lib/modules/|" \
		-e 's/\.xz$//; s/\.zst$//; s/\.gz$//' >"$root/.vm/modules"
	if [[ -d $root/lib/modules ]]; then
		cp "$k_modroot/lib/modules/$k_release"/modules.{builtin,builtin.modinfo,order} \
			"$root/lib/modules/$k_release/"
		depmod -b "$root" "$k_release"
	fi
}

add_etc() {
	local etc=$1/etc
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$etc/group"
	printf '127.0.0.1 localhost guest\n::1 localhost\n' >"$etc/hosts"
	printf 'passwd: files\ngroup: files\nhosts: files\n' >"$etc/nsswitch.conf"
	ln -s /proc/self/mounts "$etc/mtab"
}

base_digest() {
	{
		sha256sum <"$testbed/init.c"
		sha256sum <"$1"
		declare -f make_skeleton add_modules add_etc make_base pack
		declare -p modules_at_boot modules_on_demand
		printf '%s %s\n' "$k_id" "$k_release"
	} | digest
}

make_base() {
	local busybox=$1 dir=$2 tmp applet
	[[ -d $dir ]] && return
	need gcc gcc
	need cpio cpio
	tmp=$(fresh_dir guest) || exit "$EXIT_MISSING"
	mkdir "$tmp/entry"
	make_skeleton "$tmp/root"
	gcc -std=gnu17 -O2 -Wall -static -o "$tmp/root/init" "$testbed/init.c" ||
		die "$EXIT_MISSING" "cannot build the guest's init; on Debian: apt-get install libc6-dev"
	cp "$busybox" "$tmp/root/usr/bin/busybox"
	for applet in $("$busybox" --list-full); do
		case $applet in
		usr/*) applet=$tmp/root/$applet ;;
		*) applet=$tmp/root/usr/$applet ;;
		esac
		[[ -e $applet ]] || { mkdir -p "${applet%/*}" && ln -s /usr/bin/busybox "$applet"; }
	done
	[[ -L $tmp/root/bin ]] || cp -a "$tmp"/root/usr/bin/. "$tmp/root/bin/"
	add_modules "$tmp/root"
	add_etc "$tmp/root"
	pack "$tmp/root" "$tmp/entry/base.cpio"
	finish_entry "$tmp/entry" "$dir"
	rm -rf "$tmp"
	keep_newest "$cache/guest" "$bases_kept"
}

# use_base: sets base_image for the kernel in use.
use_base() {
	local busybox dir
	busybox=$(find_busybox) || exit
	dir=$cache/guest/$(base_digest "$busybox")
	[[ -d $dir ]] || locked guest make_base "$busybox" "$dir" || exit
	touch "$dir"
	base_image=$dir/base.cpio
}

# add_file ROOT HOSTPATH: a host file at the same path, whatever links lead there.
add_file() {
	local root=$1 file=$2
	[[ -e $root$file ]] && return
	mkdir -p "$root${file%/*}"
	cp -L --preserve=mode "$file" "$root$file" ||
		die "$EXIT_MISSING" "cannot copy $file for the guest"
}

# add_needs ROOT FILE: the libraries of a program, or the interpreter of a script.
add_needs() {
	local root=$1 file=$2 head line
	head=$(head -c 2 "$file" | tr -d '\0')
	if [[ $head == '#!' ]]; then
		add_interpreter "$root" "$file"
		return
	fi
	[[ $(head -c 4 "$file" | tr -d '\0') == $'\x7fELF' ]] || return 0
	while IFS= read -r line; do
		case $line in
		*'not found'*)
			die "$EXIT_USAGE" "--copy ${file##*/}: needs a library that is not here:${line%%=>*}" ;;
		*'=> /'*)
			line=${line#*=> }
			add_file "$root" "${line%% (*}" ;;
		[[:space:]]/*)
			line=${line#[[:space:]]}
			add_file "$root" "${line%% (*}" ;;
		esac
	done < <(LC_ALL=C ldd "$file" 2>&1)
	check_loader "$root" "$file"
}

# ldd runs the loader: a 32-bit program passes for a static one where that is missing, or where the
# kernel runs no such programs.
check_loader() {
	local root=$1 file=$2 loader=/lib/ld-linux.so.2
	[[ $(od -An -tu1 -j4 -N1 "$file") -eq 1 && ! -e $root$loader ]] &&
		grep -qaF $loader "$file" || return 0
	[[ -e $loader ]] ||
		die "$EXIT_MISSING" "--copy ${file##*/}: a 32-bit program, and $loader is not here;" \
			"on Debian: apt-get install libc6-i386"
	die "$EXIT_MISSING" "--copy ${file##*/}: a 32-bit program, which this machine does not run, so that" \
		"its libraries cannot be found; link it with -static"
}

add_interpreter() {
	local interpreter
	interpreter=$(head -n 1 "$2" | sed 's/^#! *\([^ ]*\).*/\1/')
	# busybox is the guest's shell; other interpreters come from the host.
	if [[ $interpreter != /bin/sh && $interpreter != /usr/bin/env && -x $interpreter ]]; then
		add_file "$1" "$interpreter"
		add_needs "$1" "$interpreter"
	fi
}

# add_copy ROOT HOSTFILE: a file or folder in the guest's working directory.
add_copy() {
	local root=$1 from=$2 to file
	to=$root$guest_dir/$(basename "$from")
	[[ -r $from ]] || usage_error "--copy $from: no such file, or not readable"
	[[ ! -e $to ]] || usage_error "--copy $from: there are two files of this name"
	cp -rL --preserve=mode "$from" "$to" || die "$EXIT_MISSING" "cannot copy $from for the guest"
	while IFS= read -r file; do
		add_needs "$root" "$file"
	done < <(find "$to" -type f -size +3c)
}

# make_run_image FILE COMMAND...: the whole image of one run. `copies` lists the files, `door` and
# `door_module` tell what is to be there before the command.
make_run_image() {
	local image=$1 root copy
	shift
	root=$run_dir/root
	make_skeleton "$root"
	for copy in "${copies[@]}"; do
		add_copy "$root" "$copy"
	done
	printf '%s\0' "$@" >"$root/.vm/argv"
	printf '%s\0' PATH="$guest_dir:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
		HOME=/root TERM=dumb LANG=C.UTF-8 "PWD=$guest_dir" >"$root/.vm/env"
	case $door in
	module)
		cp "$door_module" "$root/.vm/door.ko"
		printf 'MPP_MODULE=/.vm/door.ko\0' >>"$root/.vm/env" ;;
	syscall)
		: >"$root/.vm/door-syscall" ;;
	esac
	add_cxl_setup "$root"
	# Where the host's linker finds libraries outside the usual folders.
	if [[ -r /etc/ld.so.cache ]]; then
		cp /etc/ld.so.cache "$root/etc/"
	fi
	pack "$root" "$run_dir/run.cpio"
	cat "$base_image" "$run_dir/run.cpio" >"$image" ||
		die "$EXIT_MISSING" "cannot write $image; is the disk full?"
	rm -rf "$root" "$run_dir/run.cpio"
}
