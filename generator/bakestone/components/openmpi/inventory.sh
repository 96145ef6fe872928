#!/bin/sh
# Measures Open MPI in the finished image: mpirun's own version, and a program that mpicc compiles and two ranks run;
# whether it was built with UCX (then the ranks also talk through that) and with CUDA. An image that has UCX must have
# an Open MPI with it, and with CUDA where UCX has CUDA.
set -eu

fail() { echo "openmpi: $1" >&2; exit 1; }

export HOME="${HOME:-$PWD}"
if [ "$(id -u)" = 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

version=$(mpirun --version | sed -n 's/^mpirun (Open MPI) \([0-9][0-9A-Za-z.]*\).*/\1/p')
[ -n "$version" ] || fail "mpirun --version does not name an Open MPI version."

mpicc "$PROGRAMS/hello.c" -o hello >&2 || fail "mpicc cannot compile hello.c."
timeout 120 mpirun --oversubscribe -n 2 ./hello >hello.txt </dev/null || fail "hello.c does not run on two ranks."
cat hello.txt >&2
grep -q '^ranks=2 ' hello.txt || fail "rank 0 of hello.c did not see two ranks."
grep -qF "Open MPI v$version," hello.txt || fail "mpirun is $version, the library that mpicc links is another version."

cuda=no ucx=no
if ompi_info --parsable --all | grep -q '^mca:mpi:base:param:mpi_built_with_cuda_support:value:true$'; then cuda=yes; fi
if ompi_info --parsable | grep -q '^mca:pml:ucx:version:'; then ucx=yes; fi
if command -v ucx_info >/dev/null; then
  [ "$ucx" = yes ] || fail "there is UCX in the image, but Open MPI was built without it."
  if ucx_info -b | grep -q '^#define uct_MODULES.*:cuda[:"]'; then
    [ "$cuda" = yes ] || fail "UCX has CUDA, but Open MPI was built without it."
  fi
  UCX_TLS=self,sm,tcp UCX_NET_DEVICES=lo timeout 120 mpirun --oversubscribe --mca pml ucx --mca pml_ucx_tls any \
    --mca pml_ucx_devices any -n 2 ./hello >hello.txt </dev/null || fail "hello.c does not run on two ranks through UCX."
  grep -q '^ranks=2 ' hello.txt || fail "rank 0 of hello.c did not see two ranks through UCX."
fi

echo "version=$version"
echo "ranks=2"
echo "ucx=$ucx"
echo "cuda=$cuda"
