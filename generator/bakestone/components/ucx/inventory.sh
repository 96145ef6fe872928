#!/bin/sh
# Measures UCX in the finished image: the library's own version, a program that was compiled with its headers, the
# transports that work here, and a message between two processes (over TCP alone UCX 1.20 finds no route where there is no network).
set -eu
# "UCT version=" up to 1.12, "Version" in 1.13 (openucx/ucx#7829), "Library version:" since

fail() { echo "ucx: $1" >&2; exit 1; }

version=$(ucx_info -v | sed -n 's/^# \(Library version:\|UCT version=\|Version\) *\([0-9][0-9.]*\).*/\2/p' | head -n 1)
[ -n "$version" ] || fail "ucx_info -v does not name a version."

linked=$(./version) || fail "the program that was compiled with UCX's headers does not run."
[ "$linked" = "$version" ] || fail "ucx_info is $version, the library that programs link is $linked."

# what it was built with: the modules, and whether their libraries are all there; those of CUDA's driver come with the machine
cuda=no verbs=no gdrcopy=no
ucx_info -b >build.txt || fail "ucx_info -b does not work."
modules=$(sed -n 's/^#define uct_MODULES *"\(.*\)"$/\1/p' build.txt)
case "$modules:" in *:cuda:*) cuda=yes ;; esac
case "$modules:" in *:ib:*) verbs=yes ;; esac
if grep -q '^#define uct_cuda_MODULES *".*:gdrcopy[:"]' build.txt &&
  ldd "$PREFIX/lib/ucx/libuct_cuda_gdrcopy.so" 2>/dev/null | grep -q 'libgdrapi\.so.* => /'; then gdrcopy=yes; fi
for module in $(echo "$modules" | tr : ' '); do
  library=$PREFIX/lib/ucx/libuct_$module.so
  [ -e "$library" ] || fail "the module $module is missing."
  ldd "$library" | grep 'not found' | grep -v -e 'libcuda\.so\.1 ' -e 'libnvidia-ml\.so\.1 ' >lacking.txt || true
  if [ -s lacking.txt ]; then cat lacking.txt >&2; fail "the module $module lacks the libraries above."; fi
done

transports=$(ucx_info -d 2>/dev/null | sed -n 's/^# *Transport: *\([a-z0-9_]*\).*/\1/p' | sort -u | paste -sd + -)
case "+$transports+" in *+tcp+*) ;; *) fail "ucx_info -d has no transport tcp, but ${transports:-none}." ;; esac

export UCX_TLS=self,sm,tcp UCX_NET_DEVICES=lo
timeout 60 ucx_perftest -p 13337 -t tag_lat -n 100 >server.txt 2>&1 &
server=$!
tried=0
until timeout 60 ucx_perftest -p 13337 -t tag_lat -n 100 127.0.0.1 >client.txt 2>&1; do
  tried=$((tried + 1))
  [ "$tried" -lt 20 ] || { cat server.txt client.txt >&2; fail "two processes do not reach each other."; }
  sleep 0.5
done
wait "$server" || { cat server.txt >&2; fail "the process that answered failed."; }

echo "version=$version"
echo "cuda=$cuda"
echo "verbs=$verbs"
echo "gdrcopy=$gdrcopy"
echo "transports=$transports"
