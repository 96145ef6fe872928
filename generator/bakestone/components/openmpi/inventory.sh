#!/bin/sh
# Measures Open MPI in the finished image: mpirun's own version, and a program that mpicc compiled and two ranks run;
# whether it was built with UCX (then the ranks also talk through that), CUDA, libfabric, Fortran (then a program of that
# runs too) and whose PMIx. An image that has UCX must have an Open MPI with it, and with CUDA where UCX has CUDA.
set -eu
fail() { echo "openmpi: $1" >&2; exit 1; }
export HOME="${HOME:-$PWD}"
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi

version=$(mpirun --version | sed -n 's/^mpirun (Open MPI) \([0-9][0-9A-Za-z.]*\).*/\1/p')
[ -n "$version" ] || fail "mpirun --version does not name an Open MPI version."

timeout 120 mpirun --oversubscribe -n 2 ./hello >hello.txt </dev/null || fail "hello.c does not run on two ranks."
cat hello.txt >&2
grep -q '^ranks=2 ' hello.txt || fail "rank 0 of hello.c did not see two ranks."
grep -qF "Open MPI v$version," hello.txt || fail "mpirun is $version, the library that mpicc links is another version."

ompi_info --parsable --all >info.txt
has() { if grep -q "^$1" info.txt; then echo yes; else echo no; fi; }
cuda=$(has 'mca:mpi:base:param:mpi_built_with_cuda_support:value:true$') ucx=$(has mca:pml:ucx:version:)
fortran=$(has bindings:use_mpi_f08:yes) pmix=internal
if ldd "$PREFIX"/lib/libmpi.so "$PREFIX"/lib/openmpi/mca_pmix_*.so 2>/dev/null | grep 'libpmix\.so' | grep -qvF "=> $PREFIX/"; then pmix=external; fi
[ ! -e hello_f08 ] || timeout 120 mpirun --oversubscribe -n 2 ./hello_f08 </dev/null | grep -q '^ranks=2 number=4711' ||
  fail "hello.f90 does not run on two ranks."
if command -v ucx_info >/dev/null; then
  [ "$ucx" = yes ] || fail "there is UCX in the image, but Open MPI was built without it."
  if ucx_info -b | grep -q '^#define uct_MODULES.*:cuda[:"]'; then
    [ "$cuda" = yes ] || fail "UCX has CUDA, but Open MPI was built without it."
  fi
  UCX_TLS=self,sm,tcp UCX_NET_DEVICES=lo timeout 120 mpirun --oversubscribe --mca pml ucx --mca pml_ucx_tls any \
    --mca pml_ucx_devices any -n 2 ./hello >hello.txt </dev/null || fail "hello.c does not run on two ranks through UCX."
  grep -q '^ranks=2 ' hello.txt || fail "rank 0 of hello.c did not see two ranks through UCX."
fi
printf '%s\n' "version=$version" ranks=2 "ucx=$ucx" "cuda=$cuda" "libfabric=$(has mca:mtl:ofi:)" "fortran=$fortran" "pmix=$pmix"
