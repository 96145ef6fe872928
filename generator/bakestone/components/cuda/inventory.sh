#!/bin/sh
# Measures CUDA in the finished image: a program that nvcc compiled runs, with device code in it; where the image has the
# compiler, that answers as well. No GPU is needed.
set -eu
fail() { echo "cuda: $1" >&2; exit 1; }
version=$(./kernel) || fail "the program that nvcc made does not run."
grep -q nv_fatbin kernel || fail "there is no device code in the program that nvcc made."
# the device code itself: an ELF file that holds the kernel
[ "$(dd if=kernel.cubin bs=1 skip=1 count=3 2>/dev/null)" = ELF ] || fail "nvcc -cubin did not make an ELF file."
grep -q bakestone_scale kernel.cubin || fail "the kernel is missing in the device code."
arch=$(sed -n "s/.*entry function 'bakestone_scale' for '\(sm_[0-9a-z]*\)'.*/\1/p" ptxas.txt)
if command -v cuobjdump >/dev/null 2>&1; then
  cuobjdump -lelf kernel >elf.txt 2>&1 || { cat elf.txt >&2; fail "cuobjdump cannot read the program."; }
  grep -q '\.cubin' elf.txt || fail "cuobjdump finds no device code in the program."
fi
# cuBLAS tells 13.0.1 and 13.0.2 apart, whose nvcc is the same
cublas=
if [ -e cublas ]; then cublas=$(./cublas 2>cublas.err) || fail "the cuBLAS library does not fit: $(cat cublas.err)"; fi
nvcc=
if [ "$ROLE" = devel ]; then
  nvcc=$(nvcc --version | sed -n 's/.*, V\([0-9][0-9.]*\).*/\1/p')
  [ -n "$nvcc" ] || fail "nvcc --version does not name a version."
fi
echo "version=$version"
[ -z "$nvcc" ] || echo "nvcc=$nvcc"
[ -z "$arch" ] || echo "arch=$arch"
[ -z "$cublas" ] || echo "cublas=$cublas"
