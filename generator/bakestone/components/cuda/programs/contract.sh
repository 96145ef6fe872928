#!/bin/sh
# The compiler answers, where the image has it; every library opens, with those of what is installed beside it.
set -eu
if [ "$ROLE" = devel ]; then nvcc --version; fi
if [ -d "$PREFIX/targets" ]; then sh /tools/libraries.sh "$PREFIX/targets"; fi
