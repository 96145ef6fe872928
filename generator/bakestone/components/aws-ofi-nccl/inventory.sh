#!/bin/sh
# Measures the plugin in the finished image: the version in the library's own text, that it offers an interface of NCCL, and that
# it is linked to the libfabric of the image. It opens where the driver's library is, so it is not opened here.
set -eu
fail() { echo "aws-ofi-nccl: $1" >&2; exit 1; }
plugin=$PREFIX/lib/libnccl-net.so
[ -e "$plugin" ] || plugin=$PREFIX/lib/libnccl-net-ofi.so
[ -e "$plugin" ] || fail "there is no libnccl-net.so below $PREFIX/lib, which NCCL looks for."
version=$(grep -aom 1 'aws-ofi-nccl [0-9][0-9.]*[0-9]' "$plugin" | head -n 1 | sed 's/.* //')
[ -n "$version" ] || fail "$plugin does not name its version."
grep -aq 'ncclNetPlugin_v[0-9]' "$plugin" || fail "$plugin has no interface of NCCL."
read -r _ _ _ fabric _ <"$PROGRAMS/../libfabric/expected"
case $(ldd "$plugin") in *"$fabric/lib/"libfabric.so*) ;; *) fail "it is not linked to the libfabric in $fabric." ;; esac
echo "version=$version"
