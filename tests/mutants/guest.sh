#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the guest: for each line `NAME TEST...` of the file `mutants`, the tests with the
# module as it is (control.ko), then with its mutant (NAME.ko).  Lines that begin with `=`
# tell scripts/check-mutants where it is; what is between them is the tests' own output.

tests_with() {
	module=$PWD/$1.ko
	shift
	insmod "$module" || return
	# shellcheck disable=SC2086 # several names
	MPP_MODULE=$module ./mpp-conformance "$@"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		rmmod move_phys_pages && return
		sleep 1
	done
	echo "= $name stuck"
	exit 1
}

while read -r name tests; do
	echo "= $name control"
	# shellcheck disable=SC2086 # several names
	tests_with control $tests
	echo "= $name mutant"
	# shellcheck disable=SC2086
	tests_with "$name" $tests
	echo "= $name end"
done <mutants
