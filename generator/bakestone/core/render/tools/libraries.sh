# libraries FOLDER WORD...: every shared library below FOLDER finds the libraries, their versions and the symbols that it
# needs, but for the driver's libraries, which come with the driver, those of fabrics, which come with the host, and those
# that begin with a WORD. A symbol may be in any library below FOLDER: a plugin is loaded by what has it.
set -eu
all=$(find "$1/" -name '*.so*' -type f ! -path '*/stubs/*')
shift
aside=$(printf '%s\\|' libcuda.so libnvidia-ml.so libnvcuvid.so libnvidia-encode.so \
  libibverbs.so librdmacm.so libmlx5.so libefa.so libpsm libuc "$@")
loader=$(ldd /bin/sh | sed -n 's,^[[:space:]]*\(/[^ ]*\) (0x.*,\1,p')
lacking=$(printf '%s\n' "$all" | while IFS= read -r file; do
  said=$(ldd -r "$file" 2>&1) || true
  printf '%s\n' "$said" | sed -n "/^[[:space:]]*\(${aside%??}\)/d; s|^[[:space:]]*\([^ ]*\) => not found.*|\1 of $file|p
    s|.*: version .\(.*\)' not found (required by $file)\$|\1 of $file|p"
  case $said in *"not found"* | *"not a dynamic"*) continue ;; *"($file)"*) ;; *) continue ;; esac
  LD_PRELOAD=$(echo "$all" | paste -sd :) LD_TRACE_LOADED_OBJECTS=1 LD_WARN=1 LD_BIND_NOW=1 "$loader" "$file" 2>&1 |
    sed -n "s|^undefined symbol: \([^,[:space:]]*\).*($file)\$|\1 of $file|p"
done | LC_ALL=C sort -u)
[ -z "$lacking" ] || { printf 'not found: %s\n' "$lacking" >&2 && exit 1; }
