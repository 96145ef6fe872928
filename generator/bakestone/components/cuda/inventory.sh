#!/bin/sh
# Measures CUDA in the finished image: nvcc compiles a kernel for its own default architecture; no GPU is needed.
set -eu

fail() { echo "cuda: $1" >&2; exit 1; }

nvcc=$(nvcc --version | sed -n 's/.*, V\([0-9][0-9.]*\).*/\1/p')
[ -n "$nvcc" ] || fail "nvcc --version does not name a version."

nvcc "$PROGRAMS/kernel.cu" -o kernel >&2 || fail "nvcc cannot compile and link kernel.cu."
version=$(./kernel) || fail "the program that nvcc made does not run."
grep -q nv_fatbin kernel || fail "there is no device code in the program that nvcc made."

# the device code itself: an ELF file that holds the kernel
nvcc -cubin -Xptxas -v "$PROGRAMS/kernel.cu" -o kernel.cubin 2>ptxas.txt >&2 || { cat ptxas.txt >&2; fail "nvcc -cubin fails."; }
[ "$(dd if=kernel.cubin bs=1 skip=1 count=3 2>/dev/null)" = ELF ] || fail "nvcc -cubin did not make an ELF file."
grep -q bakestone_scale kernel.cubin || fail "the kernel is missing in the device code."
arch=$(sed -n "s/.*entry function 'bakestone_scale' for '\(sm_[0-9a-z]*\)'.*/\1/p" ptxas.txt)
if command -v cuobjdump >/dev/null 2>&1; then
  cuobjdump -lelf kernel >elf.txt 2>&1 || { cat elf.txt >&2; fail "cuobjdump cannot read the program."; }
  grep -q '\.cubin' elf.txt || fail "cuobjdump finds no device code in the program."
fi

# cuBLAS, where the image has it for compiling; it tells 13.0.1 and 13.0.2 apart, whose nvcc is the same
cublas=
if nvcc "$PROGRAMS/cublas.cu" -o cublas -lcublas >cublas.txt 2>&1; then
  cublas=$(./cublas) || fail "the cuBLAS library does not answer."
else
  echo "cuda: no cuBLAS to compile with here" >&2
fi

echo "version=$version"
echo "nvcc=$nvcc"
[ -z "$arch" ] || echo "arch=$arch"
[ -z "$cublas" ] || echo "cublas=$cublas"
