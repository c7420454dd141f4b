# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Calls the completion function as bash does, with the words of a command line, and looks at what
# it offers. First argument: the completion file; `movephys` is in PATH.

# shellcheck source=/dev/null
. "$1" || exit

work=$(mktemp -d "${TMPDIR:-/tmp}/movephys-completion.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/sys/devices/system/node/node{0,1,17} "$work"/proc/{1,234,235,sys} "$work/files"
: >"$work/files/list.txt"
: >"$work/files/with space"
export MOVEPHYS_COMPLETION_SYS=$work/sys MOVEPHYS_COMPLETION_PROC=$work/proc
cd "$work/files" || exit

# complete_line WORD...: the last word is the one to complete; the answers in `offered`.
complete_line() {
	COMP_WORDS=(movephys "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_movephys
	offered=$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd' ')
}

# offers NAME "ANSWERS IN ORDER" WORD...
offers() {
	local name=$1 wanted=$2
	shift 2
	complete_line "$@"
	if [[ $offered == "$wanted" ]]; then
		echo "ok completion/$name"
	else
		echo "not ok completion/$name: 'movephys $*' offers '$offered' and not '$wanted'"
	fi
}

# offers_among NAME "SOME OF THE ANSWERS" WORD...
offers_among() {
	local name=$1 wanted=$2 answer
	shift 2
	complete_line "$@"
	for answer in $wanted; do
		[[ " $offered " == *" $answer "* ]] && continue
		echo "not ok completion/$name: 'movephys $*' offers '$offered', without '$answer'"
		return
	done
	echo "ok completion/$name"
}

# What the command itself lists, read in another way than the completion does.
commands=$(movephys --help |
	awk '/^commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }' | paste -sd' ')
offers_among commands "$commands help --version" ''
offers command-begun move mov
offers command-none '' nosuch
offers_among help-of "$commands" help ''
for command in $commands; do
	options=$(movephys "$command" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+' |
		sort -u | paste -sd' ')
	offers_among "options-of-$command" "${options:---json}" "$command" --
done
offers option-begun '--ignore-mempolicy' move --ig
offers nodes '0 1 17 all' move --to ''
offers nodes-begun '1 17' move --to 1
offers nodes-short '0 1 17 all' move -t ''
offers nodes-equals '1 17' move --to = 1
offers nodes-list '0,1 0,17' pagemap --node 0,1
offers pids '1 234 235' pagemap --pid ''
offers pids-begun '234 235' pagemap --pid 23
offers doors 'auto device revmap syscall' move --door ''
for value in auto device revmap syscall; do
	grep -qw "$value" <<<"$(movephys move --help)" ||
		echo "not ok completion/doors: movephys move knows no door $value"
done
offers kinds-begun 'anon anon-large' zones --kind an
offers kinds-list 'anon,slab' zones --kind anon,sl
offers_among kinds 'anon ksm file shmem hugetlb free pgtable zero poison user cache' zones --kind ''
offers files 'list.txt' where l
offers files-of-option 'list.txt' move --undo li
offers file-with-space 'with space' where wi
offers numbers 'list.txt with space' move --to 0 --sync ''
offers no-value '' move --rate 2

states=$(movephys idle --help | grep -c -- '--state STATE') || states=0
if [[ $states != 0 ]]; then
	offers states 'accessed both idle' idle --state ''
fi
complete -p movephys >/dev/null || echo "not ok completion/registered"
echo 'completion: all asked'
