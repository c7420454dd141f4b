#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest, within mpp-holder on the CXL node: movephys cxl on emulated devices. Prints
# ok/not ok/skip lines, and `map` lines that the host holds against the devices' own files.
#	cxl.sh WAYS GRANULARITY BRIDGES
set -u

ways=$1 granularity=$2 bridges=$3
bus=/sys/bus/cxl/devices
failed=0

verdict() {
	if [ "$1" -eq 0 ]; then
		echo "ok cxl/$2"
	else
		echo "not ok cxl/$2"
		failed=1
	fi
}

echo "kernel: $(uname -r)"

# The addresses of all stamps, one a line; kept pages are a line for each stretch.
movephys pagemap --pid "$MPP_HOLDER_PID" --range "$MPP_HOLDER_START+$MPP_HOLDER_BYTES" \
	--node "$MPP_CXL_NODE" >pages || exit
movephys pagemap --pid "$MPP_HOLDER_PID" --range "$MPP_HOLDER_START+$MPP_HOLDER_BYTES" \
	--node "$MPP_CXL_NODE" --per-page | cut -d+ -f1 >each-page
while read -r page; do
	at=$((page))
	end=$((at + 4096))
	while [ $at -lt $end ]; do
		printf '0x%x\n' $at
		at=$((at + 256))
	done
done <each-page >stamps

# ---- What there is ----

movephys cxl list >topology
cat topology
movephys cxl list --json >topology.json
has() {
	grep -q "\"$1\": $2,*$" topology.json
}
[ "$(grep -c '^  mem[0-9].* serial 0x.*, 256.0 MiB volatile' topology)" -eq "$ways" ] &&
	has node "$MPP_CXL_NODE" && has ways "$ways" && has granularity "$granularity" &&
	has host_bridges "$bridges" && has problem null && ! grep -q '"problem": "' topology.json
verdict $? topology

# ---- Host to device, for each stamp; the host compares with what the devices hold ----

movephys cxl to-dpa - <stamps >dpas
verdict $? to-dpa
while read -r hpa && read -r device dpa <&3; do
	echo "map $hpa $(($(cat "$bus/$device/serial"))) $dpa"
done <stamps 3<dpas

# ---- And back ----

tr ' ' : <dpas | xargs movephys cxl to-hpa | cut -d' ' -f1 >back
cmp -s stamps back
verdict $? there-and-back

# ---- The kernel's own translation ----

# kernel_hpa DEVICE DPA: what its trace of a poisoned address says; the device takes it back.
kernel_hpa() {
	debug=/sys/kernel/debug/cxl/$1
	tracing=/sys/kernel/tracing
	: >$tracing/trace
	echo 1 >$tracing/events/cxl/cxl_poison/enable
	echo "$2" >"$debug/inject_poison" || return
	echo 1 >"$bus/$1/trigger_poison_list"
	echo "$2" >"$debug/clear_poison"
	echo 0 >$tracing/events/cxl/cxl_poison/enable
	sed -n "s/.*trace_type=List.* hpa=\(0x[0-9a-f]*\).*/\1/p" $tracing/trace | head -n 1
}

compare_with_kernel() {
	for mem in "$bus"/mem*; do
		mem=${mem##*/}
		for dpa in 0x8000000 0x8000040 0x8000100 0x80013c0 0x8002fc0 0x9ffffc0; do
			ours=$(movephys cxl to-hpa "$mem:$dpa" | cut -d' ' -f1)
			theirs=$(kernel_hpa "$mem" $dpa)
			[ "$ours" = "$theirs" ] && continue
			echo "$mem $dpa: movephys says $ours, the kernel says $theirs"
			return 1
		done
	done
}
if [ ! -e /sys/kernel/debug/cxl/mem0/inject_poison ] ||
	[ ! -e /sys/kernel/tracing/events/cxl/cxl_poison ]; then
	echo "skip cxl/as-the-kernel: this kernel cannot inject poison or does not trace it"
elif ! grep -q ' hpa' /sys/kernel/tracing/events/cxl/cxl_poison/format; then
	echo "skip cxl/as-the-kernel: this kernel's trace of poison has no host address"
else
	compare_with_kernel
	verdict $? as-the-kernel
fi

# ---- Hot lists ----

# One unit of 4096: its pages and weights.
{
	echo '# what a monitor would say'
	echo "mem0 0x8000800 $((ways * 8)) 1234.5"
} | movephys cxl to-hpa - >unit
cat unit
awk -v ways="$ways" -v granularity="$granularity" '
	{ sum += $2; if ($3 != "1234.500000000") bad = 1; sub(/.*[+]/, "", $1); bytes += $1 }
	END {
		pages = granularity >= 4096 ? 1 : granularity * ways >= 4096 ? 0 : ways
		# From 4096 bytes of rounds on, every page of a round but not all hold some of it.
		exit !(sum == ways * 8 && !bad && (!pages || NR == pages) && bytes == NR * 4096)
	}' unit
verdict $? unit

echo 'mem0 0xfffff000 5' | movephys cxl to-hpa - >out 2>err
[ $? -eq 2 ] && grep -q '<stdin>:1: "mem0 0xfffff000 5": these addresses .* are in no region' err
verdict $? hole
movephys cxl to-hpa mem0:0x10000000 >out 2>err
[ $? -eq 1 ] && grep -q 'mem0:0x10000000: in no region' err && [ ! -s out ]
verdict $? hole-of-one
movephys cxl to-dpa 0x1000 >out 2>err
[ $? -eq 1 ] && grep -q 'in no CXL region' err && [ ! -s out ]
verdict $? not-cxl

# The filters are those of every source.
movephys pagemap --pid "$MPP_HOLDER_PID" --range "$MPP_HOLDER_START+$MPP_HOLDER_BYTES" \
	--node "$MPP_CXL_NODE" | movephys cxl to-dpa - >hot
movephys cxl to-hpa --node "$MPP_CXL_NODE" --kind anon --mapped 1 hot >kept &&
	movephys cxl to-hpa hot | cmp -s - kept && [ -s kept ] &&
	movephys cxl to-hpa --kind file hot >kept && [ ! -s kept ] &&
	movephys cxl to-hpa --node 0 - <hot >kept && [ ! -s kept ]
verdict $? filters

# ---- The manual page's examples ----

run_examples() {
	echo 'mem0 0x8000000 3' >hotlist
	sed -n '/^\.SH EXAMPLES/,/^\.fi/p' movephys-cxl.1 | grep -v '^[.#]' |
		sed "s/\\\\-/-/g; s/\\\\\\\\/\\\\/g; s/--pid 1234/--pid $MPP_HOLDER_PID/" >examples
	nr=0
	while read -r example; do
		nr=$((nr + 1))
		sh -c "$example" >out 2>err
		# 1: what a process has elsewhere is in no region.
		[ $? -le 1 ] && [ -s out ] && continue
		echo "$example"
		cat err
		return 1
	done <examples
	[ $nr -ge 5 ]
}
run_examples
verdict $? examples

# ---- From a hot list to a move ----

movephys cxl to-dpa pages >hot
sed 's/^/hot /' hot | head -n 4
movephys cxl to-hpa hot | tee hot-pages | movephys move --to 0 - >moved
verdict $? move
cat moved
exit $failed
