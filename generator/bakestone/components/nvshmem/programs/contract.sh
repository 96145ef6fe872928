#!/bin/sh
# The library opens for a user without a name, and what it links to is there. Bootstraps and transports for Open MPI, PMIx,
# OpenSHMEM, UCX, libfabric and InfiniBand open where their own libraries are.
set -eu
sh /tools/libraries.sh "$PREFIX" libmpi.so liboshmem.so libpmix.so libmlx5.so libfabric.so libucs.so libucp.so
