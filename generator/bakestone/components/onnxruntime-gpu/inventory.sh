#!/bin/sh
# Measures ONNX Runtime for CUDA in the finished image: asks the package that the image's Python imports, whether every
# library of its CUDA part is in the image (the driver's comes with the machine), and runs a small model on the CPU.
# Where TensorRT is in the image, the same is asked of the TensorRT part.
set -eu
fail() { echo "onnxruntime-gpu: $*" >&2; exit 1; }
export HOME="$PWD" PYTHONDONTWRITEBYTECODE=1
command -v python3 >/dev/null || fail "no python3 on PATH"
cat > report.py <<'PY'
import ctypes, os, subprocess, sys
import onnxruntime

def opens(name):
    try:
        return bool(ctypes.CDLL(name))
    except OSError:
        return False

assert onnxruntime.__file__.startswith(sys.argv[1] + "/"), onnxruntime.__file__
providers = onnxruntime.get_available_providers()
parts = {"CUDAExecutionProvider": "cuda"}
if any(opens("libnvinfer.so.%d" % major) for major in (8, 10)):
    parts["TensorrtExecutionProvider"] = "tensorrt"
for provider, part in parts.items():
    assert provider in providers, providers
    # what the older packages set when they cannot open a library that they load themselves
    assert "ORT_%s_UNAVAILABLE" % part.upper() not in os.environ, "a library of the %s part is not in the image" % part
    library = os.path.join(os.path.dirname(onnxruntime.__file__), "capi", "libonnxruntime_providers_%s.so" % part)
    lines = subprocess.check_output(["ldd", library], universal_newlines=True).splitlines()
    missing = [line.split()[0] for line in lines if "not found" in line and "libcuda.so" not in line]
    assert not missing, "libonnxruntime_providers_%s.so does not find %s" % (part, ", ".join(missing))
assert any(opens("libcudnn.so.%d" % major) for major in (9, 8)), "no cuDNN 8 or 9 can be opened"
toolkit = getattr(onnxruntime, "cuda_version", "") or ""  # the package's own word, where it has one
assert toolkit.split(".")[0] in ("", sys.argv[2].split(".")[0]), "it was built for CUDA %s, and the image has CUDA %s" % (toolkit, sys.argv[2])
print("version=" + onnxruntime.__version__)
print("python=%d.%d" % sys.version_info[:2])
print("providers=" + "+".join(providers))
PY
read -r _ _ cuda _ <"$PROGRAMS/../cuda/expected"
python3 report.py "$PREFIX" "$cuda" > report 2> reason || { cat reason >&2; fail "its parts for CUDA do not fit this image: $(tail -n 1 reason)"; }
python3 "$PROGRAMS/model.py" CPUExecutionProvider >&2 || fail "a small model does not run"
cat report
