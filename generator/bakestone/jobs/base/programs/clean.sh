#!/bin/sh
# Remove what tells about this machine or this run from the new root directory. Its tmp is left to
# mmdebstrap, which keeps apt's configuration there: without that, its last apt calls would work on
# this machine's lists.
set -e
cd "${1:?}"
rm -f etc/resolv.conf etc/hostname etc/*- var/lib/dpkg/*-old var/lib/apt/extended_states
rm -rf var/lib/apt/lists/* var/cache/apt/*.bin var/cache/apt/archives/* var/cache/debconf/*-old
rm -rf var/cache/ldconfig/aux-cache var/cache/man/* var/log/apt var/tmp/*
mkdir -p var/lib/apt/lists/partial var/cache/apt/archives/partial
find var/log -type f -exec truncate -s 0 {} +
if [ -e etc/machine-id ]; then truncate -s 0 etc/machine-id; fi
