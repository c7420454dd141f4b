#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# refused_guest.sh NAME...: runs in the guest. Loads NAME.ko, which the kernel is to refuse, tells what
# the log says of it and what is left of it, and does the same for the next one; then good.ko, which
# is to load. Lines that begin with `=` tell where it is. ./insmod is the host's: busybox has
# a second try when the kernel refuses, and then there are two lines in the log.

said() {
	# What the kernel says of any module from elsewhere is no news.
	dmesg | sed -n 's/^\[ *[0-9.]*\] //; /move_phys_pages/p' |
		grep -vE 'out-of-tree module|module verification failed'
}

# Wherever it would show: node, sysfs, tracepoint; list of modules, of devices, of kprobes.
left() {
	find /dev /sys -name 'move_phys_pages*' 2>/dev/null
	grep -H move_phys_pages /proc/modules /proc/misc /proc/kallsyms
	grep -Hv ' event_buffer_' /sys/kernel/debug/kprobes/list
}

for name; do
	dmesg -c >/dev/null
	echo "= $name"
	./insmod "$name.ko" 2>/dev/null && echo "it was loaded"
	said
	left | head -n 5 | sed 's/^/left behind: /'
	# For the next one to be seen as it is.
	rmmod move_phys_pages 2>/dev/null
done
dmesg -c >/dev/null
echo "= good"
./insmod good.ko || exit 1
said
stat -c '%n %a' /dev/move_phys_pages
ls -d /sys/module/move_phys_pages/stats
rmmod move_phys_pages
left | head -n 5 | sed 's/^/left behind: /'
