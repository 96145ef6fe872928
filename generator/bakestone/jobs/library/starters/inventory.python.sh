#!/bin/sh
# version= of @project@, which the image's Python imports
set -eu
fail() { echo "@name@: $*" >&2; exit 1; }
export HOME="$PWD" PYTHONDONTWRITEBYTECODE=1
command -v python3 >/dev/null || fail "no python3 on PATH"
cat > report.py <<'PY'
import importlib, sys
from importlib import metadata
module = importlib.import_module("@module@")
place = getattr(module, "__file__", None) or list(module.__path__)[0]
assert place.startswith(sys.argv[1] + "/"), place
version = metadata.version("@project@")
print("version=" + getattr(module, "__version__", version))
print("python=%d.%d" % sys.version_info[:2])
PY
python3 report.py "$PREFIX" > report || fail "the image's Python cannot import @module@ from $PREFIX"
cat report
