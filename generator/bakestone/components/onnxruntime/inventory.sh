#!/bin/sh
# Measures ONNX Runtime in the finished image: asks the package that the image's Python imports, which must be the one for
# CPUs alone, and runs a small model.
set -eu
fail() { echo "onnxruntime: $*" >&2; exit 1; }
export HOME="$PWD" PYTHONDONTWRITEBYTECODE=1
command -v python3 >/dev/null || fail "no python3 on PATH"
cat > report.py <<'PY'
import sys, onnxruntime
assert onnxruntime.__file__.startswith(sys.argv[1] + "/"), onnxruntime.__file__
providers = onnxruntime.get_available_providers()
foreign = [name for name in providers if name.startswith(("CUDA", "MIGraphX", "OpenVINO", "ROCM", "Tensorrt"))]
assert not foreign, "it was built for " + ", ".join(foreign)
print("version=" + onnxruntime.__version__)
print("python=%d.%d" % sys.version_info[:2])
print("providers=" + "+".join(providers))
PY
python3 report.py "$PREFIX" > report 2> reason || { cat reason >&2; fail "the image's Python cannot import onnxruntime for CPUs from $PREFIX: $(tail -n 1 reason)"; }
python3 "$PROGRAMS/model.py" CPUExecutionProvider >&2 || fail "a small model does not run"
cat report
