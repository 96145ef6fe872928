#!/bin/sh
# Measures NVSHMEM in the finished image: asks the library that the loader finds for its version, and its text for the CUDA it
# was built for. Neither needs a GPU or the driver.
set -eu
fail() { echo "nvshmem: $1" >&2; exit 1; }
version=$(./version) || fail "libnvshmem_host.so.3 cannot be opened through LD_LIBRARY_PATH or ldconfig."
toolkit=$(grep -aom 1 'CUDA_HOME=[^ ]*/r[0-9.]*/' "$PREFIX/lib/libnvshmem_host.so.3" | sed 's,.*/r\([0-9.]*\)/$,\1,') || :
read -r _ _ cuda _ <"$PROGRAMS/../cuda/expected"
case ${toolkit:-$cuda} in "${cuda%%.*}".*) ;; *) fail "it was built for CUDA $toolkit, and the image has CUDA $cuda." ;; esac
echo "version=$version"
[ -z "$toolkit" ] || echo "toolkit=$toolkit"
