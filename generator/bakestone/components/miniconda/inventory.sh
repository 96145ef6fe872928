#!/bin/sh
# version= of conda, python= and python_minor= of its base environment, all asked of the programs on PATH
set -eu
fail() { echo "conda: $*" >&2; exit 1; }
export HOME="$PWD"
command -v conda >/dev/null || fail "no conda on PATH"
version="$(conda --version 2>&1)" || fail "conda does not start: $version"
version="${version##*conda }"
case "$version" in [0-9]*.[0-9]*) ;; *) fail "conda --version printed '$version'" ;; esac
home="$(dirname "$(dirname "$(command -v conda)")")"
python="$(command -v python)" || fail "no python on PATH"
[ "$python" = "$home/bin/python" ] || fail "conda is in $home, but python is $python"
[ -z "${PREFIX:-}" ] || [ "$home" = "$PREFIX" ] || fail "conda is in $home, not in $PREFIX"
python - > report <<'PY' || fail "its python lacks a standard module"
import bz2, ctypes, lzma, sqlite3, ssl, sys, zlib
ssl.create_default_context()
print("python=%d.%d.%d" % sys.version_info[:3])
print("python_minor=%d.%d" % sys.version_info[:2])
PY
named=$(echo "$VERSION" | sed -n 's/^py\([23]\)\([0-9]*\)_.*/\1.\2/p')
[ -z "$named" ] || grep -qx "python_minor=$named" report || fail "its name says Python $named: $(paste -sd ' ' report)"
conda info --json > info.json 2> info.err || { cat info.err >&2; fail "conda info fails"; }
python - "$version" "$home" <<'PY' >&2 || fail "conda info disagrees with what is installed"
import json, sys
info = json.load(open("info.json"))
assert info["conda_version"] == sys.argv[1], info["conda_version"]
assert info["root_prefix"] == sys.argv[2], info["root_prefix"]
PY
conda list --prefix "$home" > list.txt 2>&1 || { cat list.txt >&2; fail "conda list fails"; }
echo "version=$version"
cat report
