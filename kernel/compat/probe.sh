#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# probe.sh KDIR DIR
#
# Ask the compiler about the kernel in KDIR, one question a file of DIR/probes,
# and write the answers to DIR/mpp_probed.h.  A probe that fails for a wrong
# reason answers "no" in silence; so there are controls, one that must compile
# and two that must not, and the compiler's words are kept in DIR/probes/log.

set -eu

kdir=$1
dir=$2
objects=

# The answers hold for these questions put to this kernel; else ask anew.
about="$kdir $(cat "$kdir/include/config/kernel.release") $(cat "$0" "$dir"/probes/*.c | cksum)"
if [ -e "$dir/mpp_probed.h" ] && [ "$(cat "$dir/probes/about" 2>/dev/null)" = "$about" ]; then
	exit 0
fi

for file in "$dir"/probes/*.c; do
	name=$(basename "$file" .c)
	objects="$objects $name.o"
	rm -f "$dir/probes/$name.o"
done

: > "$dir/probes/Kbuild"
# Some of them fail, as they should; what each says is in the log.
# shellcheck disable=SC2086
make -k -C "$kdir" M="$dir/probes" $objects > "$dir/probes/log" 2>&1 || true

control() {
	if [ -e "$dir/probes/$1.o" ]; then
		answer=yes
	else
		answer=no
	fi
	if [ $answer != "$2" ]; then
		echo "probe.sh: control probe $1 answers $answer: the answers for $kdir mean nothing" >&2
		tail -n 20 "$dir/probes/log" >&2
		exit 1
	fi
}

control control_yes yes
control control_no no
control control_no_type no

{
	echo '/* What the compiler said about this kernel; see probes/. */'
	for object in $objects; do
		name=${object%.o}
		case $name in
		control_*) continue ;;
		esac
		if [ -e "$dir/probes/$object" ]; then
			echo "#define MPP_HAVE_$(echo "$name" | tr '[:lower:]' '[:upper:]') 1"
		fi
	done
} > "$dir/mpp_probed.h.new"
mv "$dir/mpp_probed.h.new" "$dir/mpp_probed.h"
echo "$about" > "$dir/probes/about"
