#!/bin/sh
# Measures ROCm in the finished image: what rocm-core says of itself, and of which release the package is that brought the HIP
# runtime which the loader finds. Programs need AMD's driver and a GPU, so none is run.
set -eu
fail() { echo "rocm: $1" >&2; exit 1; }
[ -r "$PREFIX/.info/version" ] || fail "there is no $PREFIX/.info/version: rocm-core is not there, or is of another release."
version=$(sed 's/-.*//' "$PREFIX/.info/version")
runtime=$PREFIX/lib/libamdhip64.so.${version%%.*}
[ -e "$runtime" ] || fail "the HIP runtime $runtime is not there."
package=$(sh /tools/package.sh "$runtime")
hip=${package##*.} # 60200 of 6.2.41133.60200
[ "$(command -v rocminfo)" = "$PREFIX/bin/rocminfo" ] || fail "rocminfo on PATH is $(command -v rocminfo || echo none), not the one in $PREFIX."
echo "version=$version"
echo "hip=$hip"
