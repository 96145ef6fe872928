# inventory VARIANT USER:UID:GID [--role ROLE] [--fuse yes] [--driver "MINIMUM TOOLKIT"] SLOT...: measures every component and
# compares it with what it is pinned to. What is asked of a slot is in /measure/SLOT: `expected` (slot, component, version, prefix,
# KEY=VALUE...), inventory.sh and its programs. `--fuse yes` asks for fusermount; in the role runtime no compiler may be there,
# and what others compile is in /tmp/programs. The result is below /tmp/o, as the image will have it.
set -u
export ROLE=devel
failed=0 fuse_wanted=no driver="" comma=""
variant=$1 wanted_user=$2 folder=/tmp/o/usr/share/bakestone
shift 2
while case ${1-} in --role) ROLE=$2 ;; --fuse) fuse_wanted=$2 ;; --driver) driver=$2 ;; *) false ;; esac do shift 2; done
out=$folder/inventory.json
wrong() {
  echo "bakestone: inventory: $1" >&2
  failed=1
}
# all that is there gets into the image: what somebody left before would too
if ! mkdir /tmp/o || ! mkdir -p "$folder"; then
  wrong "/tmp/o must be new"
  exit 1
fi
# measure SLOT COMPONENT VERSION PREFIX KEY=EXPECTED...
measure() {
  slot=$1 component=$2 version=$3 prefix=$4
  shift 4
  if [ -f "/measure/$slot/build.sh" ] && [ ! -d "/tmp/programs/$slot" ]; then return; fi # which was said
  work=$(mktemp -d)
  if [ -d "/tmp/programs/$slot" ]; then cp -R "/tmp/programs/$slot/." "$work/"; fi
  if ! (cd "$work" && PREFIX=$prefix VERSION=$version PROGRAMS=/measure/$slot sh "/measure/$slot/inventory.sh") >"$work.out" 2>"$work.err"; then
    wrong "$slot: $component $version does not work in this image: $(tail -n 1 "$work.err")"
    cat "$work.err" >&2
    return
  fi
  if grep -Ev '^[a-z_]+=[A-Za-z0-9._+:~-]+$' "$work.out" >&2; then
    wrong "$slot: $component printed something that is no measurement"
    return
  fi
  if [ -f "/measure/$slot/files.tsv" ]; then
    sed "s/^/$slot\t$component@$version\t/" "/measure/$slot/files.tsv" >>"$folder/files.tsv"
    bytes=$(cut -f 1 "/measure/$slot/files.tsv" | paste -sd + -) && echo "bytes=$((${bytes:-0}))" >>"$work.out"
  fi
  twice=$(cut -d = -f 1 "$work.out" | sort | uniq -d | head -n 1)
  [ -z "$twice" ] || wrong "$slot: $component measured $twice twice"
  for wanted; do
    key=${wanted%%=*}
    measured=$(sed -n "s/^$key=//p" "$work.out" | head -n 1)
    [ "$key=$measured" = "$wanted" ] || wrong "$slot: $component $key: expected ${wanted#*=}, measured ${measured:-nothing}"
  done
  fields=$(sed 's/^\([a-z_]*\)=\(.*\)$/"\1": "\2"/' "$work.out" | paste -sd , - | sed 's/,"/, "/g')
  printf '%s\n    "%s": {"component": "%s", "pinned": "%s", "measured": { %s }}' "$comma" "$slot" "$component" "$version" "$fields" >>"$out"
  comma=,
}
if [ "$ROLE" = devel ]; then
  sh /tools/programs.sh "$@" || failed=1
else
  for compiler in cc gcc c++ g++ nvcc mpicc; do
    if found=$(command -v "$compiler"); then wrong "role: expected no compiler, measured $found"; fi
  done
fi
user=$(id -un) ids=$(id -u):$(id -g)
[ "$user:$ids" = "$wanted_user" ] || wrong "user: expected $wanted_user, measured $user:$ids"
fuse=$( (fusermount -V || fusermount3 -V) 2>/dev/null | sed -n 's/.*version:\{0,1\} *\([0-9][0-9.]*\).*/\1/p')
[ -n "$fuse" ] || [ "$fuse_wanted" != yes ] || wrong "fuse: expected a version, measured nothing"
printf '{\n  "variant": "%s",\n  "user": "%s",\n  "fuse": "%s",\n' "$variant" "$user" "$fuse" >"$out"
[ -z "$driver" ] || printf '  "driver": {"minimum": "%s", "toolkit": "%s"},\n' "${driver% *}" "${driver#* }" >>"$out"
printf '  "components": {' >>"$out"
for slot; do
  read -r expected <"/measure/$slot/expected"
  # shellcheck disable=SC2086 # one word a value
  measure $expected
done
printf '\n  }\n}\n' >>"$out"
cat "$out"
sh /tools/packages.sh >"$folder/packages.tsv" || wrong "the packages of the image cannot be listed"
touch "$folder/files.tsv"
twice=$(cut -f 4 "$folder/files.tsv" | LC_ALL=C sort | uniq -d | head -n 1)
[ -z "$twice" ] || wrong "files: $twice is brought by $(grep -F "	$twice" "$folder/files.tsv" | cut -f 2 | sort -u | paste -sd ' ' -)"
taken=$( (cut -f 4 "$folder/files.tsv" | sort -u && (cat /var/lib/dpkg/info/*.list || rpm -qal) 2>/dev/null | sort -u) | sort | uniq -d | head -n 1)
[ -z "$taken" ] || wrong "files: $taken is brought by $(grep -F "	$taken" "$folder/files.tsv" | cut -f 2 | head -n 1) and by a package of the distro"
[ "$(wc -c <"$folder/files.tsv")" -le 12000000 ] || wrong "files: their list has more than 12 MB"
others=$(find /tmp/o ! -type d ! -path "$out" ! -path "$folder/packages.tsv" ! -path "$folder/files.tsv")
[ -z "$others" ] || wrong "these would get into the image: $others"
find /tmp/o -exec touch -h -d @315532800 {} +
exit "$failed"
