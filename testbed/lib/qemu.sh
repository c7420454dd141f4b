# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share variables
#
# The machine, its start, its watch and its end. One rule: nothing here waits without a limit.

# Seconds from power-on until the guest's first process is ready. KASAN and lockdep take their time.
readonly ready_limit=120
readonly ready_limit_debug=300
readonly power_off_limit=120	# seconds from the command's end until the machine is off
readonly kvm_trial_limit=15

# What makes a run fail, whatever the command returned. "Memory failure:" lines are no such thing:
# tests poison pages on purpose. Neither is a program's own crash ("traps: ...").
readonly -a kernel_complaints=(
	'WARNING:' 'BUG:' 'kernel BUG at' 'Oops' 'Kernel panic' 'Call Trace:'
	'INFO: task .* blocked' 'detected stall' 'self-detected stall'
	'soft lockup' 'hard LOCKUP' 'KASAN:' 'KCSAN:' 'KFENCE:' 'UBSAN:'
	'possible (recursive locking|circular locking|irq lock)' 'suspicious RCU usage'
	'held lock freed' 'bad unlock balance' 'scheduling while atomic' 'sleeping function called'
	'INFO: trying to register non-static key' 'INFO: lockdep is turned off'
	'Bad page' 'Bad rss' 'bad (pmd|pud|pte|pgd)' 'page allocation failure' 'Isolated'
	'list_(add|del) corruption' 'refcount_t:' 'page_counter underflow'
	'general protection fault, ' '[Uu]nable to handle' 'invalid opcode:' 'stack segment:'
	'nobody cared' 'cannot create duplicate filename'
)
readonly kernel_harmless='Spectre V2 *: WARNING|traps: '

# to_bytes SIZE: 1G, 512M, 4096K or bytes.
to_bytes() {
	[[ $1 =~ ^([1-9][0-9]{0,11})([KkMmGg]?)$ ]] || return
	case ${BASH_REMATCH[2]} in
	[Kk]) echo $((BASH_REMATCH[1] << 10)) ;;
	[Mm]) echo $((BASH_REMATCH[1] << 20)) ;;
	[Gg]) echo $((BASH_REMATCH[1] << 30)) ;;
	*) echo "${BASH_REMATCH[1]}" ;;
	esac
}

# machine_arguments: fills `machine` from nodes, mem, smp and dimms. Node 0 has all processors and
# is fast; the others are slow memory without processors, as the firmware's tables (HMAT) say.
machine_arguments() {
	local node other bytes total=0
	bytes=$(to_bytes "$mem")
	machine=(-M "q35,hmat=on$( ((cxl_ways)) && printf ',cxl=on')" -smp "$smp")
	for ((node = 0; node < nodes; node++)); do
		machine+=(-object "memory-backend-ram,id=m$node,size=$bytes"
			-numa "node,nodeid=$node,memdev=m$node,initiator=0$(
				((node)) || printf ',cpus=0-%d' $((smp - 1)))")
		total=$((total + bytes))
	done
	for ((node = 0; node < nodes; node++)); do
		for ((other = 0; other < nodes; other++)); do
			((node == other)) || machine+=(-numa "dist,src=$node,dst=$other,val=20")
		done
	done
	for ((node = 0; node < nodes; node++)); do
		local hmat=hmat-lb,initiator=0,target=$node,hierarchy=memory
		machine+=(
			-numa "$hmat,data-type=access-latency,latency=$((node ? 250 : 80))"
			-numa "$hmat,data-type=access-bandwidth,bandwidth=$((node ? 4 : 16))G")
	done
	dimm_arguments "$total"
	cxl_machine_arguments
}

dimm_arguments() {
	local total=$1 dimm id=0 extra=0
	for dimm in "${dimms[@]}"; do
		extra=$((extra + $(to_bytes "${dimm#*:}")))
	done
	if ((extra || cxl_ways)); then
		machine+=(-m "size=${total}B,slots=$((${#dimms[@]} + 1)),maxmem=$((total + extra + (1 << 30)))B")
	else
		machine+=(-m "size=${total}B")
	fi
	for dimm in "${dimms[@]}"; do
		machine+=(-object "memory-backend-ram,id=d$id,size=$(to_bytes "${dimm#*:}")"
			-device "pc-dimm,id=dimm$id,memdev=d$id,node=${dimm%%:*}")
		id=$((id + 1))
	done
}

accel_arguments() {
	if [[ $accel == kvm ]]; then
		accelerator=(-accel kvm -cpu host)
	elif [[ $clock == instructions ]]; then
		# Everything that differs from run to run is fixed. -erms: a byte-wise string
		# instruction would count once for each byte.
		accelerator=(-accel "tcg,thread=single" -icount "shift=0,sleep=off"
			-cpu "max,-la57,-erms,-fsrm$cxl_cpu" -seed 1 -rtc "base=2024-01-01,clock=vm")
	else
		# Five-level page tables only make every emulated walk longer. -erms, -fsrm: pages are
		# cleared by eight bytes a step; byte by byte, each step a look through all that
		# was ever translated of a frame, one that had held libc's text took up to a minute.
		accelerator=(-accel "tcg,thread=multi" -cpu "max,-la57,-erms,-fsrm$cxl_cpu")
	fi
}

# start_qemu IMAGE DIR KERNEL-ARGUMENTS: starts the machine, sets qemu_pid. DIR has the channels.
start_qemu() {
	local image=$1 dir=$2 append=$3
	local -a base=("${qemu[@]}" -nodefaults -no-user-config -display none -no-reboot -nic none)
	# shellcheck disable=SC2054 # the commas are QEMU's
	base+=("${machine[@]}" "${accelerator[@]}" -kernel "$k_image" -initrd "$image"
		-append "$append"
		-chardev "pipe,id=monitor,path=$dir/monitor" -mon chardev=monitor
		-chardev "file,id=log,path=$dir/log" -serial chardev:log
		-device virtio-serial-pci,bus=pcie.0
		-chardev "file,id=ctl,path=$dir/ctl" -device virtserialport,chardev=ctl,name=vm.ctl
		-chardev "file,id=out,path=$dir/out" -device virtserialport,chardev=out,name=vm.out
		-chardev "file,id=err,path=$dir/err" -device virtserialport,chardev=err,name=vm.err)
	# Should this script be killed outright, the machine goes with it.
	setpriv --pdeathsig KILL "${base[@]}" </dev/null >"$dir/qemu" 2>&1 &
	qemu_pid=$!
}

kill_qemu() {
	if [[ ${qemu_pid:-} ]]; then
		kill -KILL "$qemu_pid" 2>/dev/null
		wait "$qemu_pid" 2>/dev/null
		qemu_pid=
	fi
}

# On a busy host an emulated processor can be late by seconds: that must neither end the boot (the
# timer check panics), nor cost the fast clock, nor pass for a lockup.
kernel_arguments() {
	local -a words=(console=ttyS0 panic=-1 oops=panic printk.devkmsg=on
		no_timer_check tsc=reliable watchdog_thresh=20 softlockup_panic=1
		rcupdate.rcu_cpu_stall_timeout=60)
	if [[ $clock == instructions ]]; then
		# Where things lie in memory must not differ either.
		words+=(nokaslr)
	else
		# Else the emulator translates libc anew for each process, and keeps it all.
		words+=(norandmaps)
	fi
	if ((${#dimms[@]})); then
		# As movable memory, so that it can be taken out again.
		words+=(memhp_default_state=online_movable)
	fi
	printf '%s %s' "${words[*]}" "$append"
}

# next_line SECONDS: the next line of the control channel into `line`. A read that times out in the
# middle of a line has taken its beginning, which `part` keeps for the next one.
next_line() {
	local piece
	if read -r -t "$1" -u "$ctl_fd" piece; then
		line=$part$piece
		part=
		return
	fi
	part+=$piece
	return 1
}

# watch_guest DIR: follows the guest to its end. Sets `verdict` to what it said last on the control
# channel ("exit N", "killed N", "fail WHY"), "timeout TEXT", or nothing when the machine stopped;
# and `was_ready` once the guest is about to run the command.
watch_guest() {
	local dir=$1 line part= what start=$SECONDS
	local limit=$ready_limit
	# One thread emulates everything, on a host that may be busy.
	[[ $clock != instructions ]] || limit=$((2 * ready_limit))
	[[ $k_config != debug ]] || limit=$ready_limit_debug
	limit=$((timeout < limit ? timeout : limit))
	verdict=
	was_ready=
	what="the guest was not ready after $limit s"
	limit=$((start + limit))
	while :; do
		if next_line 0.2; then
			case $line in
			ready)
				was_ready=1
				limit=$((start + timeout))
				what="the command had not ended after $timeout s" ;;
			*)
				verdict=$line
				limit=$((SECONDS + power_off_limit))
				what="the guest did not power off" ;;
			esac
			continue
		fi
		if ! kill -0 "$qemu_pid" 2>/dev/null; then
			# What was written before the end may still be in the channel.
			while next_line 0.05 || { [[ $part ]] && next_line 1; }; do
				[[ $line == ready ]] || verdict=$line
			done
			return
		fi
		if ((SECONDS >= limit)); then
			verdict="timeout $what"
			return
		fi
	done
}

# processors DIR: where each processor of a machine is that did not end in time, asked twice: in a
# kernel that hangs they stay near the same place, HLT=1 is one that waits for an interrupt.
processors() {
	local dir=$1 line cpu='' ask answer
	exec {ask}<>"$dir/monitor.in" {answer}<>"$dir/monitor.out"
	for _ in 1 2; do
		echo 'info registers -a' >&"$ask"
		while read -r -t 2 -u "$answer" line; do
			[[ $line =~ CPU#[0-9]+ ]] && cpu=${BASH_REMATCH[0]}
			[[ $cpu && $line =~ RIP=.* ]] && echo "$cpu ${BASH_REMATCH[0]%$'\r'}"
		done
	done
	[[ $cpu ]] || echo "the emulator does not answer its monitor"
	exec {ask}>&- {answer}>&-
}

complaint_pattern() {
	local IFS='|'
	printf '%s' "${kernel_complaints[*]}"
}

# complaints LOG: the lines that fail a run.
complaints() {
	tr -d '\r' <"$1" | grep -aE -- "$(complaint_pattern)" | grep -avE "$kernel_harmless"
}

# The lines with what follows them: a warning is not much use without its trace.
show_complaints() {
	say "the guest's kernel complained:"
	tr -d '\r' <"$1" | grep -aE -A 25 -- "$(complaint_pattern)" | grep -avE "$kernel_harmless" |
		head -n 80 >&2
}

show_last_lines() {
	say "last lines of the guest's log:"
	tr -d '\r' <"$1" | tail -n 20 >&2
}

# ---- acceleration ----

# KVM only where it is proven: /dev/kvm can exist and abort, or hang the guest without a word.
kvm_is_thinkable() {
	[[ -r /dev/kvm && -w /dev/kvm ]] && grep -qwE 'vmx|svm' /proc/cpuinfo
}

# Where the answer of the trial is kept; another machine, kernel or QEMU asks anew.
kvm_answer() {
	printf '%s/accel-%s\n' "$cache" "$({
		uname -r
		grep -m1 'model name' /proc/cpuinfo
		qemu-system-x86_64 --version
	} | digest)"
}

accel_known() {
	local answer=${MOVEPHYS_ACCEL:-}
	if [[ ! $answer ]] && kvm_is_thinkable; then
		answer=$(cat "$(kvm_answer)" 2>/dev/null || echo 'not tried yet')
	fi
	echo "${answer:-tcg}"
}

choose_accel() {
	local answer
	# Only emulation can count instructions.
	if [[ $clock == instructions ]]; then
		accel=tcg
		return
	fi
	if [[ ${MOVEPHYS_ACCEL:-} ]]; then
		[[ $MOVEPHYS_ACCEL == kvm || $MOVEPHYS_ACCEL == tcg ]] ||
			usage_error "MOVEPHYS_ACCEL: kvm or tcg, not $MOVEPHYS_ACCEL"
		accel=$MOVEPHYS_ACCEL
		return
	fi
	accel=tcg
	kvm_is_thinkable || return 0
	answer=$(kvm_answer)
	[[ -f $answer ]] || try_kvm "$answer"
	accel=$(<"$answer")
}

try_kvm() {
	local answer=$1 dir=$run_dir/trial found=tcg verdict was_ready nodes=1 mem=512M smp=1 clock=real append=
	local timeout=$kvm_trial_limit accel=kvm door=none ctl_fd
	local cxl_ways=0
	local -a copies=() dimms=() machine accelerator
	say "trying KVM"
	mkdir "$dir"
	make_run_image "$dir/image" true
	machine_arguments
	accel_arguments
	make_channels "$dir"
	cat "$dir/out" >/dev/null &
	cat "$dir/err" >/dev/null &
	start_qemu "$dir/image" "$dir" "$(kernel_arguments)"
	watch_guest "$dir"
	kill_qemu
	exec {ctl_fd}>&-
	[[ $verdict == "exit 0" ]] && found=kvm
	[[ $found == kvm ]] || say "KVM does not work here, using software emulation"
	printf '%s\n' "$found" >"$answer"
	rm -rf "$dir"
}

# make_channels DIR: pipes for what the guest and the emulator say, and an empty log, also where a
# boot before left its own; `ctl_fd` reads the control channel.
make_channels() {
	local pipes=("$1"/{ctl,out,err,monitor.in,monitor.out})
	rm -f "${pipes[@]}"
	mkfifo "${pipes[@]}"
	: >"$1/log"
	exec {ctl_fd}<>"$1/ctl"
}
