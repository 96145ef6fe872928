#!/bin/sh
# version= of uv, asked of the program itself
set -eu
fail() { echo "uv: $*" >&2; exit 1; }
export HOME="$PWD"
found="$(command -v uv)" || fail "no uv on PATH"
[ "$found" = "$PREFIX/bin/uv" ] || fail "uv on PATH is $found, not the one in $PREFIX"
said="$(uv --version 2>&1)" || fail "'uv --version' fails: $said"
version="$(printf '%s\n' "$said" | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)"
[ -n "$version" ] || fail "'uv --version' names no version: $said"
echo "version=$version"
