#!/bin/sh
# version= the major version of the distribution, release= with the minor one, glibc=, gcc= the major version of its
# compiler, python= the minor version of its Python when the image has it
set -eu
fail() { echo "distro: $*" >&2; exit 1; }
[ -r /etc/os-release ] || fail "no /etc/os-release"
. /etc/os-release
[ "${ID:-}" = rhel ] || fail "this is ${PRETTY_NAME:-unknown}, not Red Hat Enterprise Linux"
glibc="$(getconf GNU_LIBC_VERSION)" || fail "getconf knows no GNU_LIBC_VERSION"

# a program of the image's compiler runs
./t || fail "a compiled program does not run"

echo "version=${VERSION_ID%%.*}"
echo "release=$VERSION_ID"
echo "glibc=${glibc#glibc }"
if [ "$ROLE" = devel ]; then gcc=$(gcc -dumpversion) && echo "gcc=${gcc%%.*}"; fi
if [ -x /usr/bin/python3 ]; then /usr/bin/python3 -c 'import sys; print("python=%d.%d" % sys.version_info[:2])'; fi
echo "arch=$(uname -m)"
