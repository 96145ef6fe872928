#!/bin/sh
export HOME="${HOME:-$PWD}"
mpicc "$PROGRAMS/hello.c" -o hello
if [ -e "$PROGRAMS/hello.f90" ]; then mpifort "$PROGRAMS/hello.f90" -o hello_f08; fi
