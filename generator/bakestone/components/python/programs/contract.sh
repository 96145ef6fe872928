#!/bin/sh
# A Python from source imports for a user without a name, and each of its libraries finds what it is linked to.
set -eu
python3 -c 'import ctypes, ssl, sqlite3'
[ "$PREFIX" = /usr ] || sh /tools/libraries.sh "$PREFIX"
