#!/bin/sh
# Every library finds what it is linked to, for a user without a name.
set -eu
sh /tools/libraries.sh "$PREFIX"
