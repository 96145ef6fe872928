#!/bin/sh
# version=, codename= and glibc= of the distribution, gcc= the major version of its compiler, python= the minor
# version of its Python when the image has it
set -eu
fail() { echo "distro: $*" >&2; exit 1; }
[ -r /etc/os-release ] || fail "no /etc/os-release"
. /etc/os-release
[ "${ID:-}" = ubuntu ] || fail "this is ${PRETTY_NAME:-unknown}, not Ubuntu"
glibc="$(getconf GNU_LIBC_VERSION)" || fail "getconf knows no GNU_LIBC_VERSION"
codename="${VERSION_CODENAME:-${UBUNTU_CODENAME:-}}"
[ -n "$codename" ] || fail "no codename in /etc/os-release"
# a program of the image's compiler runs
./t || fail "a compiled program does not run"
echo "version=$VERSION_ID"
echo "codename=$codename"
echo "glibc=${glibc#glibc }"
if [ "$ROLE" = devel ]; then gcc=$(gcc -dumpversion) && echo "gcc=${gcc%%.*}"; fi
if [ -x /usr/bin/python3 ]; then /usr/bin/python3 -c 'import sys; print("python=%d.%d" % sys.version_info[:2])'; fi
echo "arch=$(uname -m)"
