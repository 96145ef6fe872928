#!/bin/sh
# version= and python_minor= of the python3 on PATH; works when the modules that link to libraries of the distro do, and it
# can make a virtual environment. One from source is whole, and keeps to itself (own.py)
set -eu
fail() { echo "python: $*" >&2; exit 1; }
export HOME="$PWD" PYTHONDONTWRITEBYTECODE=1
found="$(command -v python3)" || fail "no python3 on PATH"
[ "$found" = "$PREFIX/bin/python3" ] || fail "python3 on PATH is $found, not the one in $PREFIX"
python3 "$PROGRAMS/modules.py" >&2 || fail "a part of it does not work"
[ "$(environment/bin/python3 -c 'import sys; print(sys.prefix)')" = "$PWD/environment" ] || fail "its virtual environment does not work"
[ "$PREFIX" = /usr ] || python3 "$PROGRAMS/own.py" >&2 || fail "it is not the Python of $PREFIX alone and whole"
python3 -c 'import platform, sys
print("version=" + platform.python_version())
print("python_minor=%d.%d" % sys.version_info[:2])'
