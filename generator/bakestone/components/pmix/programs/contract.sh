#!/bin/sh
# Its tool runs; every library opens.
set -eu
pmix_info >/dev/null
sh /tools/libraries.sh "$PREFIX"
