#!/bin/sh
# Measures libfabric in the finished image: the library's own version, that it has EFA and InfiniBand, and messages between two
# processes over TCP, which need no network but the loopback.
set -eu
fail() { echo "libfabric: $1" >&2; exit 1; }
version=$(fi_info --version | sed -n 's/^libfabric: *\([0-9][0-9.]*\).*/\1/p')
[ -n "$version" ] || fail "fi_info --version does not name a version."
ldd "$PREFIX/lib/libfabric.so.1" >linked.txt || fail "libfabric.so.1 is not below $PREFIX/lib."
efa=no verbs=no
case $(cat linked.txt) in *libefa.so.1*) efa=yes ;; esac
case $(cat linked.txt) in *libibverbs.so.1*) verbs=yes ;; esac
timeout 60 fi_pingpong -p tcp -e rdm -I 10 >server.txt 2>&1 &
server=$!
tried=0
until timeout 60 fi_pingpong -p tcp -e rdm -I 10 127.0.0.1 >client.txt 2>&1; do
  tried=$((tried + 1))
  [ "$tried" -lt 20 ] || { cat server.txt client.txt >&2; fail "two processes do not reach each other over TCP."; }
  sleep 0.5
done
wait "$server" || { cat server.txt >&2; fail "the process that answered failed."; }
echo "version=$version"
echo "efa=$efa"
echo "verbs=$verbs"
