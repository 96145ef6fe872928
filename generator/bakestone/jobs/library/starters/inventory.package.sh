#!/bin/sh
# version= of @command@, asked of the program itself
set -eu
fail() { echo "@name@: $*" >&2; exit 1; }
export HOME="$PWD"
command -v @command@ >/dev/null || fail "no @command@ on PATH"
said="$(@command@ @ask@ 2>&1)" || fail "'@command@ @ask@' fails: $said"
version="$(printf '%s\n' "$said" | grep -Eo '@digits@' | head -n 1)"
[ -n "$version" ] || fail "'@command@ @ask@' names no version: $said"
echo "version=$version"
