#!/bin/sh
# Measures NCCL in the finished image: asks the library that the loader finds.
set -eu

fail() { echo "nccl: $1" >&2; exit 1; }

gcc "$PROGRAMS/version.c" -o version -ldl >&2 || fail "gcc cannot compile version.c."
version=$(./version "libnccl.so.${VERSION%%.*}") || fail "libnccl.so.${VERSION%%.*} cannot be opened through LD_LIBRARY_PATH or ldconfig."
echo "version=$version"
