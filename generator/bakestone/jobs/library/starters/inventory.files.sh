#!/bin/sh
# version= of @command@, asked of the program itself
set -eu
fail() { echo "@name@: $*" >&2; exit 1; }
export HOME="$PWD"
found="$(command -v @command@)" || fail "no @command@ on PATH"
[ "$found" = "$PREFIX/@program@" ] || fail "@command@ on PATH is $found, not the one in $PREFIX"
said="$(@command@ @ask@ 2>&1)" || fail "'@command@ @ask@' fails: $said"
version="$(printf '%s\n' "$said" | grep -Eo '@digits@' | head -n 1)"
[ -n "$version" ] || fail "'@command@ @ask@' names no version: $said"
echo "version=$version"
