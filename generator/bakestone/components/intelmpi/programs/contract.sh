#!/bin/sh
# Two ranks in the working directory; every library opens, but for what old and new releases take from the distro or the host.
set -eu
timeout 120 mpirun -n 2 hostname </dev/null
sh /tools/libraries.sh "$PREFIX" libnuma.so libze_loader.so libfabric.so
