#!/bin/sh
# Every library finds what it is linked to, and the providers are listed, for a user without a name.
set -eu
sh /tools/libraries.sh "$PREFIX"
fi_info --list
