#!/bin/sh
# Measures TensorRT in the finished image: asks the library that the loader finds and the package that the image's Python
# imports, and whether everything that its libraries are linked to is there (the driver's library comes with the machine).
set -eu
fail() { echo "tensorrt: $*" >&2; exit 1; }
export HOME="$PWD" PYTHONDONTWRITEBYTECODE=1
command -v python3 >/dev/null || fail "no python3 on PATH"
cat > report.py <<'PY'
import ctypes, glob, subprocess, sys
import tensorrt

prefix = sys.argv[1]
assert tensorrt.__file__.startswith(prefix + "/"), tensorrt.__file__
number = ctypes.CDLL("libnvinfer.so.8").getInferLibVersion()  # 8503 for 8.5.3
library = "%d.%d.%d" % (number // 1000, number // 100 % 10, number % 100)
assert tensorrt.__version__.startswith(library), (tensorrt.__version__, library)
for path in sorted(glob.glob(prefix + "/lib/*.so*")):
    lines = subprocess.check_output(["ldd", path], universal_newlines=True).splitlines()
    missing = [line.split()[0] for line in lines if "not found" in line and "libcuda.so" not in line]
    assert not missing, "%s does not find %s" % (path, ", ".join(missing))
print("version=" + tensorrt.__version__)
print("library=" + library)
print("python=%d.%d" % sys.version_info[:2])
PY
python3 report.py "$PREFIX" > report || fail "it does not work with the image's Python, CUDA and cuDNN"
cat report
