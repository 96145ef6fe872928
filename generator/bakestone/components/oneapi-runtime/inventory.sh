#!/bin/sh
# Measures the oneAPI runtimes in the finished image: a program that gcc linked with OpenCL's loader computes on the CPU device,
# whose driver says its version. version= is what the wheels say they are, all of which must be of one release.
set -eu
fail() { echo "oneapi-runtime: $1" >&2; exit 1; }
measured=$(./compute) || fail "OpenCL's CPU device does not compute."
version=$(sed -n 's/^Version: //p' "$PREFIX/share/wheels/intel_opencl_rt")
for wheel in intel_cmplr_lib_rt intel_cmplr_lib_ur intel_openmp intel_sycl_rt; do
  other=$(sed -n 's/^Version: //p' "$PREFIX/share/wheels/$wheel")
  [ "$other" = "$version" ] || fail "$wheel is of $other, intel_opencl_rt of $version."
done
echo "version=$version"
echo "$measured"
