#!/bin/sh
# Measures Intel MPI in the finished image: mpirun's own version and build, and a program that mpicc compiled and
# two ranks run, over shared memory and (from 2021 on) over libfabric's TCP provider, as ranks on two nodes do.
# mpirun and the library of 2021.13 to 2021.17 say "2021.16" for 2021.16.1; the third number is in mpi.h, which
# must agree with them. 2018 says "2018 Update 3": that is printed as 2018.3.
set -eu
fail() { echo "intelmpi: $1" >&2; exit 1; }

mpirun -V >tool.txt 2>&1 || { cat tool.txt >&2; fail "mpirun -V does not work."; }
stated=$(sed -n 's/^Intel(R) MPI Library .*, Version \(20[0-9.]*\( Update [0-9]*\)\{0,1\}\) *Build .*/\1/p' tool.txt)
build=$(sed -n 's/^Intel(R) MPI Library .* Build \([0-9]*\).*/\1/p' tool.txt)
[ -n "$stated" ] || { cat tool.txt >&2; fail "mpirun -V does not name an Intel MPI version."; }
run() {
  timeout 180 env "$@" mpirun -n 2 ./hello >hello.txt </dev/null || return 1
  cat hello.txt >&2
  grep -q '^ranks=2$' hello.txt
}
run I_MPI_FABRICS=shm || fail "hello.c does not run on two ranks over shared memory."
case $stated in
  201*) fabrics=shm ;;
  *)
    run I_MPI_FABRICS=ofi FI_PROVIDER=tcp FI_TCP_IFACE=lo ||
      fail "hello.c does not run over libfabric, so the ranks of two nodes could not talk (from 2021.19 on libfabric comes from the distro: libfabric1, libfabric)."
    fabrics=shm+ofi
    ;;
esac

grep -qF "library=Intel(R) MPI Library $stated " hello.txt || fail "mpirun is $stated, the library that mpicc links is another version."
number=$(echo "$stated" | sed 's/ Update /./')
header=$(sed -n 's/^header=//p' hello.txt)
case $header in
  "$number" | "$number".*) version=$header ;;
  *) case $stated in 20[2-9]*) fail "mpi.h is of $header, mpirun of $stated." ;; *) version=$number ;; esac ;;
esac
echo "version=$version"
echo "build=$build"
echo "fabrics=$fabrics"
