#!/bin/sh
# Measures PMIx in the finished image: the version that its tool says and the one that the library says to a program which
# was compiled with its headers and starts it.
set -eu
fail() { echo "pmix: $1" >&2; exit 1; }
export HOME="${HOME:-$PWD}"

[ "$(command -v pmix_info)" = "$PREFIX/bin/pmix_info" ] || fail "pmix_info on PATH is not the one in $PREFIX."
version=$(pmix_info --parsable | sed -n 's/^pmix:version:full:\([0-9][0-9A-Za-z.]*\)$/\1/p')
[ -n "$version" ] || fail "pmix_info does not name a version."

linked=$(./version) || fail "the program that was compiled with PMIx's headers does not run."
[ "$linked" = "$version" ] || fail "pmix_info is $version, the library that programs link is $linked."
echo "version=$version"
