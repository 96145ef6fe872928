#!/bin/sh
# Measures GDRCopy in the finished image: a program that was compiled with its header asks the library for its version. What it
# does needs the kernel module gdrdrv and a GPU.
set -eu
fail() { echo "gdrcopy: $1" >&2; exit 1; }
version=$(./version) || fail "libgdrapi.so cannot be used by a program that was linked with it."
echo "version=$version"
