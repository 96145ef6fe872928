#!/bin/sh
# Measures TensorRT in the finished image. From 10 on: asks the library that the loader finds for its four numbers, opens the
# plugins and the ONNX parser of that version, and asks the package that brought them for the CUDA it was built for. 8 (wheels):
# asks the library and the package that the image's Python imports, and whether everything that its libraries are linked to is
# there. The driver's library comes with the machine.
set -eu
fail() { echo "tensorrt: $*" >&2; exit 1; }
major=${VERSION%%.*}
if [ "$major" -ge 10 ]; then
  said=$(./version "libnvinfer.so.$major" "libnvinfer_plugin.so.$major" "libnvonnxparser.so.$major") ||
    fail "libnvinfer.so.$major, its plugins or its ONNX parser cannot be opened through LD_LIBRARY_PATH or ldconfig."
  version=$(echo "$said" | sed -n 's/^version=//p') file=$(echo "$said" | sed -n 's/^file=//p')
  package=$(sh /tools/package.sh "$file")
  [ "$package" = "$version" ] || fail "the library is $version, the package that brought it $package."
  toolkit=$(dpkg-query -W -f '${Version}' "libnvinfer$major" | sed -n 's/.*+cuda\([0-9][0-9.]*\)$/\1/p')
  read -r _ _ cuda _ <"$PROGRAMS/../cuda/expected"
  case $toolkit in "${cuda%%.*}".*) ;; *) fail "it was built for CUDA ${toolkit:-unknown}, and the image has CUDA $cuda." ;; esac
  echo "version=$version"
  echo "toolkit=$toolkit"
  exit
fi
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
# the library knows three numbers; the wheel that brought it all of them
package=$(sh /tools/package.sh "$PREFIX"/lib/libnvinfer.so.*)
grep -qx "version=$package" report || fail "the package is $(head -n 1 report), the one that brought its library $package"
cat report
