#!/bin/sh
# Two ranks in the working directory; every library opens, but for those of fabrics, whose libraries come with the host.
set -eu
timeout 120 mpirun -n 2 hostname </dev/null
sh /tools/libraries.sh "$PREFIX" libpsm libuc libibverbs.so librdmacm.so libefa.so libnuma.so libze_loader.so libfabric.so
