#!/bin/sh
# Measures Open MPI in the finished image: mpirun's own version, and a program that mpicc compiles and two ranks run.
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

echo "version=$version"
echo "ranks=2"
