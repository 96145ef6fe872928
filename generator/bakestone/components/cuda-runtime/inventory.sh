#!/bin/sh
# Measures the CUDA runtime libraries in the finished image; no GPU is needed. A C program that gcc linked with libcudart
# asks it for its version; another opens the other libraries the way a program finds them, and has NVRTC compile a kernel.
set -eu

fail() { echo "cuda-runtime: $1" >&2; exit 1; }

# the file behind the name that programs are linked with, in NVIDIA's packages and images as in ours
library() {
  for file in "$PREFIX"/targets/*/lib/lib"$1".so.*; do
    if [ -e "$file" ]; then echo "$file"; return; fi
  done
  fail "there is no lib$1 below $PREFIX."
}

version=$(./runtime) || fail "libcudart does not answer: is it on LD_LIBRARY_PATH or in ldconfig's cache?"

set --
for name in cublas cufft curand nvrtc; do
  file=$(library "$name")
  set -- "$@" "$(basename "$file")"
done
measured=$(./libraries "$@") || fail "one of $* cannot be opened or does not work."
toolkit=$(echo "$measured" | sed -n 's/^toolkit=//p')
case ${toolkit:-$version} in "${version%%.*}".*) ;; *) fail "cuBLAS was built for CUDA $toolkit, and the image has CUDA $version." ;; esac

echo "version=$version"
echo "$measured"
