#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest, before the command of a run with --cxl: makes one region of the emulated devices,
# in the order of their serial numbers, and waits until the kernel has it as memory. Then it becomes
# the command.  cxl-setup WAYS GRANULARITY CMD ARGS...
set -u

ways=$1 granularity=$2
shift 2
bus=/sys/bus/cxl/devices

fail() {
	echo "cxl-setup: $*" >&2
	exit 125
}

# put VALUE FILE
put() {
	echo "$1" >"$2" || fail "the kernel does not take $1 in $2"
}

# wait_for COMMAND...: for up to 30 s.
wait_for() {
	tries=300
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "waited in vain for: $*"
		sleep 0.1
	done
}

# Where the kernel has them built in, there is nothing to load.
for module in cxl_acpi cxl_pci cxl_port cxl_mem device_dax kmem dax_cxl; do
	modprobe $module 2>/dev/null
done
[ -e $bus ] || fail "this kernel has no CXL bus (CONFIG_CXL_BUS, CXL_ACPI, CXL_PCI, CXL_MEM)"

# endpoint_of MEM: the port on the device's side, which has its decoders.
endpoint_of() {
	for port in "$bus"/endpoint*; do
		[ "$(basename "$(readlink -f "$port/uport" 2>/dev/null)")" = "$1" ] || continue
		basename "$port"
		return
	done
	return 1
}

devices_are_there() {
	mems=$(for dir in "$bus"/mem*; do
		[ -r "$dir/serial" ] && echo "$(cat "$dir/serial") $(basename "$dir")"
	done | sort | cut -d' ' -f2)
	[ "$(echo "$mems" | grep -c mem)" -eq "$ways" ] || return 1
	for mem in $mems; do
		[ -e "$bus/decoder$(endpoint_of "$mem" | tr -dc 0-9).0" ] || return 1
	done
}
wait_for devices_are_there

root=$bus/decoder0.0
name=$(cat $root/create_ram_region) || fail "the window takes no region"
put "$name" $root/create_ram_region
region=$bus/$name
# A window over several bridges has set it already, and takes no other.
[ "$(cat "$region/interleave_granularity")" = "$granularity" ] ||
	put "$granularity" "$region/interleave_granularity"
put "$ways" "$region/interleave_ways"

total=0
decoders=
for mem in $mems; do
	decoder=decoder$(endpoint_of "$mem" | tr -dc 0-9).0
	size=$(cat "$bus/$mem/ram/size")
	put ram "$bus/$decoder/mode"
	put "$size" "$bus/$decoder/dpa_size"
	total=$((total + size))
	decoders="$decoders $decoder"
done
put "$total" "$region/size"
position=0
for decoder in $decoders; do
	put "$decoder" "$region/target$position"
	position=$((position + 1))
done
put 1 "$region/commit"
[ -e "$region/driver" ] || put "$name" /sys/bus/cxl/drivers/cxl_region/bind

dax_is_there() {
	for dax in /sys/bus/dax/devices/dax*; do
		[ -e "$dax/driver" ] && return
	done
	return 1
}
wait_for dax_is_there
dax=$(basename "$dax")
if [ "$(basename "$(readlink "/sys/bus/dax/devices/$dax/driver")")" != kmem ]; then
	put "$dax" /sys/bus/dax/drivers/device_dax/unbind
	put "$dax" /sys/bus/dax/drivers/kmem/new_id
fi

start=$(($(cat "$region/resource")))
block_bytes=$((0x$(cat /sys/devices/system/memory/block_size_bytes)))
first=$(((start + block_bytes - 1) / block_bytes))
last=$(((start + total) / block_bytes - 1))

# With memory for its own page structures, a device's first block can be taken by those.
blocks_are_online() {
	found=0
	block=$first
	while [ $block -le $last ]; do
		state=/sys/devices/system/memory/memory$block/state
		if [ -e "$state" ]; then
			[ "$(cat "$state")" = online ] || echo online_movable >"$state" || return 1
			found=$((found + 1))
		fi
		block=$((block + 1))
	done
	[ $found -gt 0 ]
}
wait_for blocks_are_online
for node in /sys/devices/system/node/node*; do
	[ -e "$node/memory$last" ] && MPP_CXL_NODE=${node##*node}
done
[ "${MPP_CXL_NODE:-}" ] || fail "no node has the new memory"
export MPP_CXL_NODE
exec "$@"
