#!/bin/sh
gcc "$PROGRAMS/version.c" -o version "-I$PREFIX/include" "-L$PREFIX/lib" -lucp -lucs
