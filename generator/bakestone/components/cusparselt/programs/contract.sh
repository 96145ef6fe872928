#!/bin/sh
# The library opens for a user without a name, and what it links to is there.
set -eu
sh /tools/libraries.sh "$PREFIX"
