#!/bin/sh
# The compiler answers; every library opens, with those of what is installed beside it.
set -eu
nvcc --version
if [ -d "$PREFIX/targets" ]; then sh /tools/libraries.sh "$PREFIX/targets"; fi
