#!/bin/sh
# Measures cuDNN in the finished image: asks the library that the loader finds, and opens all its parts
# (a part that asks for the driver, which is not in an image, is passed over).
# The library knows three numbers; the fourth of the pin (9.12.0.46) is in file names of packages only.
set -eu

fail() { echo "cudnn: $1" >&2; exit 1; }

gcc "$PROGRAMS/version.c" -o version -ldl >&2 || fail "gcc cannot compile version.c."
version=$(./version "libcudnn.so.${VERSION%%.*}") || fail "libcudnn.so.${VERSION%%.*} or one of its parts cannot be opened through LD_LIBRARY_PATH or ldconfig."
echo "version=$version"
