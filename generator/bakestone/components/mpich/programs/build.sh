#!/bin/sh
mpicc "$PROGRAMS/hello.c" -o hello
if command -v mpicc_abi >/dev/null; then mpicc_abi "$PROGRAMS/hello.c" -o standard; fi
