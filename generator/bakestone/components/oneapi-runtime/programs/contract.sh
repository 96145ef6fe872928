#!/bin/sh
# What the runtimes link to is there, for a user without a name. Plugins of OpenMP for offloading open where libffi and Level
# Zero are.
set -eu
sh /tools/libraries.sh "$PREFIX" libffi.so libze_loader.so
