#!/bin/sh
gcc "$PROGRAMS/compute.c" -o compute "-Wl,-rpath-link,$PREFIX/lib" "$PREFIX/lib/libOpenCL.so.1"
