# libraries FOLDER WORD...: every shared library below FOLDER finds all that it needs, but for the driver's, which come
# with the driver, for those of fabrics, which come with the host, and for those that begin with a WORD.
set -eu
folder=$1
shift
missing=$(find "$folder/" -name '*.so*' -type f ! -path '*/stubs/*' -exec sh -c '
  for file; do ldd "$file" 2>/dev/null | sed -n "s,^[[:space:]]*\([^ ]*\) => not found.*,\1 of $file,p"; done' sh {} +)
for word in libcuda.so libnvidia-ml.so libnvcuvid.so libnvidia-encode.so \
  libibverbs.so librdmacm.so libmlx5.so libefa.so libpsm libuc "$@"; do
  missing=$(printf '%s\n' "$missing" | grep -v "^$word" || true)
done
if [ -n "$missing" ]; then
  printf 'not found: %s\n' "$missing" >&2
  exit 1
fi
