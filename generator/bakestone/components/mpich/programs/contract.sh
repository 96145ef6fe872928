#!/bin/sh
# Two ranks in the working directory; every library opens.
set -eu
timeout 120 mpirun -n 2 hostname </dev/null
sh /tools/libraries.sh "$PREFIX"
