#!/bin/sh
# Measures cuSPARSELt in the finished image: asks the library that the loader finds for its version, and its text for the
# compiler that its kernels were made with. Neither needs a GPU or the driver.
set -eu
fail() { echo "cusparselt: $1" >&2; exit 1; }
version=$(./version) || fail "libcusparseLt.so.0 cannot be opened through LD_LIBRARY_PATH or ldconfig."
toolkit=$(grep -aom 1 'tools, release [0-9]*\.[0-9]*' "$PREFIX/lib/libcusparseLt.so.0" | sed 's/.* //') || :
read -r _ _ cuda _ <"$PROGRAMS/../cuda/expected"
case ${toolkit:-$cuda} in "${cuda%%.*}".*) ;; *) fail "it was built for CUDA $toolkit, and the image has CUDA $cuda." ;; esac
echo "version=$version"
[ -z "$toolkit" ] || echo "toolkit=$toolkit"
