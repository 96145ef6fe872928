#!/bin/sh
set -- "$PREFIX"/targets/*/lib/libcudart.so.*
gcc "$PROGRAMS/runtime.c" "-I$PREFIX/include" -o runtime "$1"
gcc "$PROGRAMS/libraries.c" -o libraries -ldl
