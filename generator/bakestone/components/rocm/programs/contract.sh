#!/bin/sh
# Every library of ROCm finds what it is linked to, for a user without a name.
set -eu
sh /tools/libraries.sh "$PREFIX"
