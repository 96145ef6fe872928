#!/bin/sh
# What the runtimes link to is there, for a user without a name.
set -eu
sh /tools/libraries.sh "$PREFIX"
