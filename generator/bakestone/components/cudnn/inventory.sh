#!/bin/sh
# Measures cuDNN in the finished image: asks the library that the loader finds, and that for the CUDA it was built for, and
# opens all its parts (a part that asks for the driver, which is not in an image, is passed over). The library knows three
# numbers, the package that brought it and its parts the fourth (9.12.0.46).
set -eu
fail() { echo "cudnn: $1" >&2; exit 1; }
name=libcudnn.so.${VERSION%%.*}
said=$(./version "$name") || fail "$name cannot be opened through LD_LIBRARY_PATH or ldconfig."
version=$(echo "$said" | sed -n 's/^version=//p') toolkit=$(echo "$said" | sed -n 's/^toolkit=//p')
set -- "$(echo "$said" | sed -n 's/^folder=//p')"/libcudnn*"${name#libcudnn}"
./version "$name" "$@" >/dev/null || fail "one of the parts of $name cannot be opened."
read -r _ _ cuda _ <"$PROGRAMS/../cuda/expected"
case ${toolkit:-$cuda} in "${cuda%%.*}".*) ;; *) fail "it was built for CUDA $toolkit, and the image has CUDA $cuda." ;; esac
package=$(sh /tools/package.sh "$@")
case $package in
  "$version".*) version=$package ;;
  unknown) ;;
  *) fail "the library is $version, the package that brought it $package." ;;
esac
echo "version=$version"
[ -z "$toolkit" ] || echo "toolkit=$toolkit"
