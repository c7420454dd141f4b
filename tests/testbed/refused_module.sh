# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # a part of run
#
# A kernel that is not what the module takes it for: it is not loaded, says why, and leaves nothing.
# The kernel stays what it is; copies of the module expect something else of it.

# build_copy NAME [FILE SED-SCRIPT]: NAME.ko of kernel/, with FILE changed by the script.
build_copy() {
	local name=$1 file=${2:-} script=${3:-} dir=$work/refused
	rm -rf "$dir/kernel"
	cp -r "$tree/kernel" "$dir/"
	if [[ $file ]]; then
		sed -i "$script" "$dir/kernel/$file"
		if cmp -s "$tree/kernel/$file" "$dir/kernel/$file"; then
			not_ok "refused_$name" "kernel/$file has no line for '$script'"
			return 1
		fi
	fi
	# In one place for all, so that only what differs is compiled.
	if ! make -s -C "$tree/kernel/module" KDIR="$kdir" SRC="$dir/kernel" OUT="$dir/out" \
		>"$dir/log" 2>&1; then
		cp "$dir/log" "$work/result/refused_$name.err"
		not_ok "refused_$name" "the module does not build"
		return 1
	fi
	cp "$dir/out/move_phys_pages.ko" "$dir/$name.ko"
}

# told NAME: what the guest said of it.
told() {
	awk -v from="= $1" '$0 == from { on = 1; next } /^= / { on = 0 } on' \
		"$work/result/refused_in_guest.out"
}

# refused NAME PATTERN: one line in the log, which is the PATTERN, and nothing else to tell.
refused() {
	local text
	text=$(told "$1")
	if ! grep -qE "^move_phys_pages: cannot load: $2\$" <<<"$text"; then
		not_ok "refused_$1" "the log does not say '$2': ${text:-nothing}"
	elif [[ $(wc -l <<<"$text") != 1 ]]; then
		not_ok "refused_$1" "not one line and nothing left: ${text//$'\n'/; }"
	else
		ok "refused_$1"
	fi
}

refused_modules() {
	local kdir insmod
	local absent='this kernel \([0-9][^ ]*\) has no mpp_no_such_function'
	local convention='folio_isolate_lru\(\) of this kernel \([0-9][^ ]*\) returns neither -EBUSY nor false .*'
	kdir=$("$vm" kdir "$kernel")
	insmod=$(PATH=$PATH:/usr/sbin:/sbin command -v insmod)
	mkdir "$work/refused"
	build_copy good &&
		build_copy convention compat/mpp_env.c \
			's/^\tanswer = static_call(mpp_sc_folio_isolate_lru).*/\tanswer = (u8)-EINVAL;/' &&
		build_copy absent compat/mpp_env.h '/^#define MPP_COMMON_FUNCTIONS(X)/ {
			i void mpp_no_such_function(void);
			s/(X)/(X) X(mpp_no_such_function)/ }' || return
	record refused_by_vm "$vm" run --kernel "$kernel" --module "$work/refused/absent.ko" -- echo ran
	if [[ -s $work/result/refused_by_vm.out ]]; then
		not_ok refused_by_vm "the command was run all the same"
	elif ! grep -q '^vm: door: the kernel does not take the module' "$work/result/refused_by_vm.err"; then
		not_ok refused_by_vm "standard error does not say that the kernel does not take it"
	else
		expect refused_by_vm 125 "move_phys_pages: cannot load: $absent"
	fi
	record refused_in_guest "$vm" run --kernel "$kernel" --door none --copy "$work/refused/good.ko" \
		--copy "$work/refused/absent.ko" --copy "$work/refused/convention.ko" \
		--copy "$insmod" --copy "$here/refused_guest.sh" -- ./refused_guest.sh absent convention
	expect refused_in_guest 0
	refused absent "$absent"
	refused convention "$convention"
	if [[ $(told good) != $'/dev/move_phys_pages 600\n/sys/module/move_phys_pages/stats' ]]; then
		not_ok refused_then_good "the good one after them: $(told good | tr '\n' ';')"
	else
		ok refused_then_good
	fi
}
