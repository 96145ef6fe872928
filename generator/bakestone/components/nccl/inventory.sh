#!/bin/sh
# Measures NCCL in the finished image: asks the library that the loader finds, and its text for the CUDA it was built for.
set -eu
fail() { echo "nccl: $1" >&2; exit 1; }
major=${VERSION%%.*}
version=$(./version "libnccl.so.$major") || fail "libnccl.so.$major cannot be opened through LD_LIBRARY_PATH or ldconfig."
loaded=$(LD_DEBUG=files ./version "libnccl.so.$major" 2>&1 >/dev/null | sed -n 's/.*calling init: \(.*libnccl\.so.*\)$/\1/p')
toolkit=$(grep -aom 1 'NCCL version [0-9.]*+cuda[0-9]*\.[0-9]*' "${loaded:-/dev/null}" | sed 's/.*+cuda//')
package=$(sh /tools/package.sh "${loaded:-/dev/null}")
case $package in "$version" | unknown) ;; *) fail "the library is $version, the package that brought it $package." ;; esac
read -r _ _ cuda _ <"$PROGRAMS/../cuda/expected"
case ${toolkit:-$cuda} in "${cuda%%.*}".*) ;; *) fail "it was built for CUDA $toolkit, and the image has CUDA $cuda." ;; esac
echo "version=$version"
[ -z "$toolkit" ] || echo "toolkit=$toolkit"
