# SPDX-License-Identifier: GPL-2.0-only
# Takes the code under EXAMPLES out of a manual page, as a reader would see it.
/^\.SH EXAMPLES$/,/^\.fi$/{
	/^\./d
	s/\\-/-/g
	s/\\e/\\/g
	p
}
