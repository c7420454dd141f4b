# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share variables
#
# Debian packages, resolved when they are fetched: the host's own apt state first, and where that
# does not know a package, a private state made from the host's mirror and keyring. The host's
# configuration is read, never changed.

apt_private=()		# options that select a private state; empty means the host's

need_apt() {
	command -v apt-get >/dev/null ||
		die "$EXIT_MISSING" "no apt here: set MOVEPHYS_KERNEL_IMAGE and" \
			"MOVEPHYS_KERNEL_BUILD to a kernel of your own (see testbed/vm --help)"
	need dpkg-deb dpkg
}

# apt_mirror [-security]: the archive that serves Debian's suites, without a slash at its end.
apt_mirror() {
	local wanted=debian${1:-} uri
	if [[ ${MOVEPHYS_MIRROR:-} ]]; then
		printf '%s%s\n' "${MOVEPHYS_MIRROR%/}" "${1:-}"
		return
	fi
	# What an update would fetch: known also where none has been made yet.
	uri=$(apt-get --print-uris update 2>/dev/null |
		sed -n "s|^'\(.*[^/]\)/*/dists/[^']*/InRelease'.*|\1|p" |
		grep -E "/$wanted$" | head -n 1)
	[[ $uri ]] && printf '%s\n' "$uri"
}

apt_keyring() {
	local file
	for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		if [[ -r $file ]]; then
			printf '%s\n' "$file"
			return
		fi
	done
	die "$EXIT_MISSING" "no keyring for Debian's archive; the package debian-archive-keyring has it"
}

# apt_use_host / apt_use_suites SUITE...: which state the functions below look at.
apt_use_host() {
	apt_private=()
}

apt_use_suites() {
	local dir suite mirror keyring
	dir=$cache/apt/$(IFS=+; printf '%s' "$*")
	mkdir -p "$dir"/{lists/partial,archives/partial} || exit "$EXIT_MISSING"
	keyring=$(apt_keyring) || exit
	for suite; do
		mirror=$(apt_mirror "$([[ $suite == *-security ]] && printf -- -security)") ||
			die "$EXIT_MISSING" "this host names no Debian mirror;" \
				"set MOVEPHYS_MIRROR to one, as in MOVEPHYS_MIRROR=http://.../debian"
		printf 'deb [arch=amd64 signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite"
	done >"$dir/sources.list"
	: >"$dir/status"
	apt_private=(
		-o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
		-o "Dir::State::Lists=$dir/lists" -o "Dir::State::status=$dir/status"
		-o "Dir::Cache=$dir" -o "Dir::Cache::Archives=$dir/archives"
		-o APT::Architecture=amd64 -o APT::Architectures=amd64
	)
	say "reading the package lists of $*"
	apt_run apt-get -qq -o APT::Update::Error-Mode=any update ||
		die "$EXIT_MISSING" "cannot read the package lists of $*; is the mirror reachable?"
}

# apt_run TOOL ARG...: with the chosen state. The sandbox user cannot write into a private folder.
apt_run() {
	local tool=$1
	shift
	"$tool" "${apt_private[@]}" -o APT::Sandbox::User=root "$@"
}

# apt_depends PACKAGE: what it needs, one name a line.
apt_depends() {
	apt_run apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "$1" 2>/dev/null |
		sed -n 's/^ *|\{0,1\}Depends: //p'
}

# apt_newest REGEX: the newest package whose name matches, by version order of the names.
apt_newest() {
	apt_run apt-cache pkgnames 2>/dev/null | grep -E -- "$1" | sort -V | tail -n 1
}

apt_version() {
	apt_run apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: //p' | head -n 1
}

# apt_fetch DIR PACKAGE...: the packages' files in DIR, each whole or not there.
apt_fetch() {
	local dir=$1 package size
	shift
	for package; do
		size=$(apt_run apt-cache show --no-all-versions "$package" 2>/dev/null |
			sed -n 's/^Size: //p' | head -n 1)
		say "fetching $package ($(((${size:-0} + 1048575) / 1048576)) MB)"
		(cd "$dir" && apt_run apt-get -qq download "$package" >&2) || return
	done
}

# apt_unpack DIR FILE...: unpacks packages over each other into DIR.
apt_unpack() {
	local dir=$1 file
	shift
	for file; do
		dpkg-deb -x "$file" "$dir" ||
			die "$EXIT_MISSING" "cannot unpack ${file##*/}: damaged, or the disk is full"
	done
}
