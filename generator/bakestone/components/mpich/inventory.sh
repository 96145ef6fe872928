#!/bin/sh
# Measures MPICH in the finished image: mpirun's own version, and a program that mpicc compiled and two ranks run; from 5.0
# on also one for the MPI standard's own ABI. Programs of the older ABI ask for libmpi.so.12, which Intel MPI has as well.
set -eu

fail() { echo "mpich: $1" >&2; exit 1; }

version=$(mpirun --version | sed -n 's/^ *Version: *\([0-9][0-9A-Za-z.]*\).*/\1/p')
[ -n "$version" ] || fail "mpirun --version does not name a version."
device=$(mpichversion | sed -n 's/^MPICH Device:[[:space:]]*//p' | tr -s '[:space:]' '\n' | paste -s -d + -)
[ -n "$device" ] || fail "mpichversion does not name a device."

run() { # PROGRAM
  timeout 120 mpirun -n 2 "./$1" >hello.txt </dev/null || fail "$1 does not run on two ranks."
  cat hello.txt >&2
  grep -q '^ranks=2 ' hello.txt || fail "rank 0 of $1 did not see two ranks."
  linked=$(sed -n 's/.*MPICH Version:[[:space:]]*\([0-9][0-9A-Za-z.]*\).*/\1/p' hello.txt)
  [ "$linked" = "$version" ] || fail "mpirun is $version, the library that $1 links is ${linked:-another one}."
}

run hello
abi=$(ldd hello | sed -n 's/^[[:space:]]*\(libmpi\.so\.[0-9]*\) .*/\1/p')
if [ -e standard ]; then
  run standard
  abi=$abi+$(ldd standard | sed -n 's/^[[:space:]]*\(libmpi_abi\.so\.[0-9]*\) .*/\1/p')
fi

echo "version=$version"
echo "ranks=2"
echo "device=$device"
echo "abi=$abi"
