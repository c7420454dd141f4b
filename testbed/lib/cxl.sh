# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share variables
#
# Emulated CXL memory: devices behind host bridges, each with a file behind it. The guest makes one
# region of them (guest/cxl-setup.sh) and has it as a node of its own.
#
# The variables: cxl_ways (0 for no CXL), cxl_granularity, cxl_bridges, cxl_keep.

readonly cxl_device_size=256M		# the least that a decoder takes
readonly cxl_qemu_least=10		# from which on volatile CXL memory works for a guest's RAM

qemu=(qemu-system-x86_64)
cxl_cpu=			# more of the emulated processor's features

# parse_cxl SPEC: WAYS[:GRANULARITY[:BRIDGES]]
parse_cxl() {
	local ways granularity bridges rest
	IFS=: read -r ways granularity bridges rest <<<"$1"
	granularity=${granularity:-256} bridges=${bridges:-1}
	[[ $ways =~ ^(1|2|3|4|8)$ && $granularity =~ ^(256|512|1024|2048|4096|8192|16384)$ &&
		$bridges =~ ^(1|2|3|4)$ && ! $rest ]] && ((ways % bridges == 0)) || return
	# Devices are told apart by bits 8 to 14 of an address; a bridge does not count by threes.
	((ways * granularity <= 32768 && (ways != 3 || bridges == 3))) || return
	cxl_ways=$ways cxl_granularity=$granularity cxl_bridges=$bridges
}

# use_cxl_qemu: sets `qemu` to one that can; Debian 12's own is too old, so its backport is kept in
# the cache, without touching the system.
use_cxl_qemu() {
	local version dir=$cache/qemu
	((cxl_ways)) || return 0
	# A guest that knows it is one refuses to set up a region, as it cannot flush the processors'
	# caches (ENXIO).
	cxl_cpu=,-hypervisor
	version=$(qemu-system-x86_64 --version 2>/dev/null | sed -n '1s/.*version \([0-9]*\).*/\1/p')
	((${version:-0} < cxl_qemu_least)) || return 0
	[[ -x $dir/current/usr/bin/qemu-system-x86_64 ]] || locked qemu fetch_cxl_qemu || exit
	dir=$(realpath "$dir/current")
	qemu=(env "QEMU_MODULE_DIR=$dir/usr/lib/x86_64-linux-gnu/qemu"
		"$dir/usr/bin/qemu-system-x86_64" -L "$dir/usr/share/qemu" -L /usr/share/seabios
		-L /usr/lib/ipxe/qemu)
}

fetch_cxl_qemu() {
	local tmp id missing
	[[ ! -x $cache/qemu/current/usr/bin/qemu-system-x86_64 ]] || return 0
	need_apt
	apt_use_suites bookworm-backports || return
	id=$(apt_version qemu-system-x86)
	[[ $id ]] || die "$EXIT_MISSING" "--cxl needs QEMU $cxl_qemu_least, and there is none in" \
		"bookworm-backports"
	tmp=$(fresh_dir qemu) || exit "$EXIT_MISSING"
	mkdir "$tmp/debs" "$tmp/entry"
	apt_fetch "$tmp/debs" qemu-system-x86 qemu-system-common qemu-system-data ||
		die "$EXIT_MISSING" "cannot fetch QEMU $id; is the mirror reachable?"
	apt_unpack "$tmp/entry" "$tmp"/debs/*.deb
	missing=$(ldd "$tmp/entry/usr/bin/qemu-system-x86_64" | sed -n 's/\(.*\) => not found/\1/p')
	[[ ! $missing ]] || die "$EXIT_MISSING" "QEMU $id needs libraries that are not here:" "$missing"
	finish_entry "$tmp/entry" "$cache/qemu/$id"
	make_current "$cache/qemu/$id"
	rm -rf "$tmp"
}

# cxl_machine_arguments: adds bridges, ports and devices to `machine`. Devices go to the bridges by
# turns, as their positions in the region will.
cxl_machine_arguments() {
	local bridge device window='' dir=${cxl_keep:-$run_dir}
	((cxl_ways)) || return 0
	for ((bridge = 0; bridge < cxl_bridges; bridge++)); do
		machine+=(-device "pxb-cxl,bus_nr=$((32 + bridge * 32)),bus=pcie.0,id=cxl$bridge")
		window+=",cxl-fmw.0.targets.$bridge=cxl$bridge"
	done
	for ((device = 0; device < cxl_ways; device++)); do
		bridge=$((device % cxl_bridges))
		machine+=(
			-object "memory-backend-file,id=cxlmem$device,share=on,size=$cxl_device_size$(
				),mem-path=$dir/cxl$device"
			-device "cxl-rp,port=$((device / cxl_bridges)),bus=cxl$bridge,id=cxlport$device,$(
				)chassis=0,slot=$((device + 1))"
			-device "cxl-type3,bus=cxlport$device,volatile-memdev=cxlmem$device,$(
				)id=cxldev$device,sn=$((device + 1))")
	done
	((cxl_bridges == 1)) ||
		window+=",cxl-fmw.0.interleave-granularity=$cxl_granularity"
	machine+=(-M "${window#,},cxl-fmw.0.size=4G")
}

# add_cxl_setup ROOT: what the guest runs before the command.
add_cxl_setup() {
	((cxl_ways)) || return 0
	cp "$testbed/guest/cxl-setup.sh" "$1/.vm/cxl-setup"
}
