# files: what a stage's /out brings into images, a line each in /files.tsv: bytes (0 of a link) and the path.
set -eu
cd /out
odd=$(find . -name '*[[:cntrl:]]*' -printf %P -quit | tr '[:cntrl:]' '?')
[ -z "$odd" ] || { echo "bakestone: files: a name has a control character: $odd" >&2 && exit 1; }
find . -type l -printf '0\t/%P\n' -o ! -type d -printf '%s\t/%P\n' | LC_ALL=C sort -k 2 >/files.tsv
