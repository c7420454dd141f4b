# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # a part of run
#
# Where packages come from: the host's own apt, a private state beside it, the mirror, and what is
# taken when the series that is wanted has gone. apt-get and apt-cache are stand-ins that know of an
# archive of few packages; apt-config is the host's, so that it is apt itself that tells where
# it would write.

# stand_ins: each keeps its arguments, one a line, in $APT_TEST/calls. What the host's state and the
# private one know is in the files `host` and `private`: lines "PACKAGE VERSION". What is named in
# `hangs` never arrives.
stand_ins() {
	export APT_TEST=$work/apt
	[[ ! -d $APT_TEST ]] || return 0
	mkdir -p "$APT_TEST"/{bin,calls,deb/DEBIAN}
	cat >"$APT_TEST/bin/apt-cache" <<-'END'
		#!/bin/sh
		known=$APT_TEST/host
		case " $* " in *" Dir::Etc::SourceList="*) known=$APT_TEST/private ;; esac
		for last; do :; done
		case " $* " in
		*" pkgnames "*) cut -d' ' -f1 "$known" ;;
		*" show "*) sed -n "s/^$last \(.*\)/Package: $last\nVersion: \1\nSize: 4096/p" "$known" ;;
		esac
	END
	cat >"$APT_TEST/bin/apt-get" <<-'END'
		#!/bin/sh
		case " $* " in
		*" --print-uris update "*)
			cat "$APT_TEST/uris"
			exit ;;
		esac
		for last; do :; done
		printf '%s\n' "$@" >"$APT_TEST/calls/$last"
		if [ "$last" = "$(cat "$APT_TEST/hangs" 2>/dev/null)" ]; then
			echo $$ >"$APT_TEST/hanging"
			exec sleep 100
		fi
		case " $* " in
		*" download "*) cp "$APT_TEST/$last.deb" "${last}_1_all.deb" || exit ;;
		esac
		exit "$(cat "$APT_TEST/status")"
	END
	chmod +x "$APT_TEST"/bin/*
	# A source that is configured and built in no time.
	mkdir -p "$APT_TEST/made-up"
	cat >"$APT_TEST/made-up/Makefile" <<-'END'
		allnoconfig: ; grep -v '=n$$' .allconfig >.config
		bzImage: arch/x86/boot/bzImage include/config/kernel.release
		%/bzImage: ; mkdir -p $(@D); echo image >$@
		%/kernel.release: ; mkdir -p $(@D); echo 7.4.2 >$@
		modules:
		modules_install: ; mkdir -p $(INSTALL_MOD_PATH)/lib/modules/7.4.2
	END
	mkdir -p "$APT_TEST/deb/usr/src"
	tar -C "$APT_TEST" -cJf "$APT_TEST/deb/usr/src/linux-source.tar.xz" made-up
	printf '%s\n' 'Package: made-up' 'Version: 1' 'Architecture: all' 'Description: a source' \
		'Maintainer: nobody <nobody@example.org>' >"$APT_TEST/deb/DEBIAN/control"
	dpkg-deb --build "$APT_TEST/deb" "$APT_TEST/made-up.deb" >/dev/null
	ln -s made-up.deb "$APT_TEST/linux-source-7.3.deb"
	ln -s made-up.deb "$APT_TEST/linux-source-7.4.deb"
}

# archive HOST PRIVATE: what each knows; a fresh cache, and no calls yet.
archive() {
	printf '%s\n' "$1" >"$APT_TEST/host"
	printf '%s\n' "$2" >"$APT_TEST/private"
	printf "'http://%s/dists/x/InRelease' x 0\n" elsewhere.example/tools \
		own.example/debian-security own.example/debian >"$APT_TEST/uris"
	echo 0 >"$APT_TEST/status"
	rm -rf "$APT_TEST/cache" "$APT_TEST"/calls/*
}

# with_stand_ins NAME ARGUMENT...: vm with the stand-ins' apt, as record does it. `mirror` is the one
# that the user names.
with_stand_ins() {
	local name=$1
	shift
	MOVEPHYS_MIRROR=${mirror:-} MOVEPHYS_CACHE=$APT_TEST/cache PATH=$APT_TEST/bin:$PATH record "$name" "$vm" "$@"
}

sources_list() {
	sed -E 's/ \[[^]]*\]//' "$APT_TEST/cache/apt/$1/sources.list" 2>/dev/null
}

# expect_sources NAME SUITES LINES: what the private state of these suites reads.
expect_sources() {
	local lines
	lines=$(sources_list "$2")
	if [[ $lines == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1" "sources.list has '$lines'"
	fi
}

# paths_of CALL: where apt would write with the arguments of this call, one a line, and then where
# it reads which archives there are.
paths_of() {
	local arguments options=()
	mapfile -t arguments <"$APT_TEST/calls/$1"
	set -- "${arguments[@]}"
	while (($#)); do
		[[ $1 != -o ]] || options+=(-o "$2")
		shift
	done
	apt-config "${options[@]}" shell lists Dir::State::lists/d cache Dir::Cache/d \
		archives Dir::Cache::archives/d pkgcache Dir::Cache::pkgcache/f \
		srcpkgcache Dir::Cache::srcpkgcache/f list Dir::Etc::sourcelist/f \
		parts Dir::Etc::sourceparts/f | sed -n "s/^[a-z]*='\(..*\)'$/\1/p"
}

# expect_private NAME CALL: apt keeps to the cache, for what it writes and for its list of archives.
expect_private() {
	local outside
	if [[ ! -f $APT_TEST/calls/$2 ]]; then
		not_ok "$1" "apt-get was not asked for '$2'"
		return
	fi
	outside=$(paths_of "$2" | grep -v -e "^$APT_TEST/cache/apt/" -e '^/dev/null$')
	if [[ $outside ]]; then
		not_ok "$1" "apt would go to ${outside//$'\n'/, }"
	else
		ok "$1"
	fi
}

# All of the host's configuration and whatever tells that it was touched.
host_configuration() {
	find /etc/apt -printf '%p %y %m %s %T@ %C@ %l\n' | LC_ALL=C sort
}

series_has_gone() {
	local dir=$APT_TEST/cache/sources/linux-source-7.4_7.4.2-1~bpo13+1
	local taken='^vm: linux-source-7.3 is gone from trixie-backports, taking linux-source-7.4$'
	archive 'linux-source-6.1 6.1.1-1' \
		$'linux-source-7.2 7.2.9-1\nlinux-source-7.4 7.4.2-1~bpo13+1\nlinux-source-6.12 6.12.1-1'
	with_stand_ins series_gone_source source 7.3
	if [[ $(cat "$work/result/series_gone_source.out") != "$dir" || ! -f $dir/Makefile ]]; then
		not_ok series_gone_source "no source of 7.4 where it says: $(
			cat "$work/result/series_gone_source.out")"
	else
		expect series_gone_source 0 "$taken"
	fi
	expect_private series_gone_update update
	expect_private series_gone_download linux-source-7.4
	with_stand_ins series_gone_fetch fetch --config small 7.3
	expect series_gone_fetch 0 "$taken"
	with_stand_ins series_gone_list list
	if ! grep -q '^7\.3 .* 7\.4\.2 .* linux-source-7\.4, ' "$work/result/series_gone_list.out"; then
		not_ok series_gone_list "$(grep '^7\.3 *small *module' "$work/result/series_gone_list.out")"
	else
		expect series_gone_list 0
	fi
	# Only as long as it is gone.
	archive 'linux-source-7.4 7.4.2-1' $'linux-source-7.4 7.4.2-1\nlinux-source-7.3 7.3.9-1'
	with_stand_ins series_is_there source 7.3
	expect_output_only series_is_there "$APT_TEST/cache/sources/linux-source-7.3_7.3.9-1"
	# A patch series of an older kernel is for that one alone.
	archive '' 'linux-source-7.4 7.4.2-1'
	with_stand_ins series_of_old source 6.12
	expect series_of_old 3 'no linux-source-6\.12 in bookworm bookworm-security$'
}

# expect_output_only NAME OUTPUT: and no word of a series that is gone.
expect_output_only() {
	if [[ $(cat "$work/result/$1.out") != "$2" ]]; then
		not_ok "$1" "standard output is '$(cat "$work/result/$1.out")'"
	elif grep -q 'is gone' "$work/result/$1.err"; then
		not_ok "$1" "it says that the series is gone"
	else
		expect "$1" 0
	fi
}

host_knows_it() {
	archive 'linux-source-7.3 7.3.4-1' ''
	with_stand_ins host_knows source 7.3
	if [[ -d $APT_TEST/cache/apt || -e $APT_TEST/calls/update ]]; then
		not_ok host_knows "a private state was made of what the host has"
	else
		expect_output_only host_knows "$APT_TEST/cache/sources/linux-source-7.3_7.3.4-1"
	fi
}

mirrors() {
	local none='no linux-source-6\.12 in bookworm bookworm-security$'
	archive '' ''
	with_stand_ins mirror_of_host source 6.12
	expect mirror_of_host 3 "$none"
	expect_sources mirror_of_host_read bookworm+bookworm-security \
		$'deb http://own.example/debian bookworm main\ndeb http://own.example/debian-security bookworm-security main'
	archive '' ''
	mirror=http://mirror.example/pub/debian/ with_stand_ins mirror_named source 6.12
	expect mirror_named 3 "$none"
	expect_sources mirror_named_read bookworm+bookworm-security \
		$'deb http://mirror.example/pub/debian bookworm main\ndeb http://mirror.example/pub/debian-security bookworm-security main'
	expect_private mirror_named_private update
	archive '' ''
	printf "'http://archive.example/ubuntu/dists/x/InRelease' x 0\n" >"$APT_TEST/uris"
	with_stand_ins mirror_unknown source 7.3
	expect mirror_unknown 3 'names no Debian mirror; set MOVEPHYS_MIRROR'
	archive '' 'linux-source-7.3 7.3.4-1'
	echo 100 >"$APT_TEST/status"
	with_stand_ins mirror_silent source 7.3
	expect mirror_silent 3 'cannot read the package lists of trixie-backports; is the mirror'
}

# has_apt PART: or else PART is skipped.
has_apt() {
	command -v apt-config >/dev/null && command -v dpkg-deb >/dev/null && return
	skip "$1" "no apt here"
	return 1
}

apt_states() {
	local before
	has_apt apt_states || return
	before=$(host_configuration)
	stand_ins
	series_has_gone
	host_knows_it
	mirrors
	if [[ $(host_configuration) == "$before" ]]; then
		ok apt_of_host_untouched
	else
		not_ok apt_of_host_untouched "/etc/apt differs: $(
			diff <(printf '%s\n' "$before") <(host_configuration) | tr '\n' ';')"
	fi
}
