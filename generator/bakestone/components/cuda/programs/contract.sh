#!/bin/sh
# The compiler answers; every library opens, with those of what is installed beside it, but for InfiniBand's, which GPUDirect
# Storage takes from the host.
set -eu
nvcc --version
if [ -d "$PREFIX/targets" ]; then sh /tools/libraries.sh "$PREFIX/targets" libmlx5.so librdmacm.so libibverbs.so; fi
