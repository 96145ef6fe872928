# inventory VARIANT USER SLOT...: measures every component and compares it with what it is pinned to. What is asked of a
# slot is in /measure/SLOT: `expected` (slot, component, version, prefix, KEY=VALUE...), inventory.sh and its programs.
# FUSE=yes asks for fusermount; DRIVER is "MINIMUM TOOLKIT". The result is below /tmp/o, as the image will have it.
set -u
variant=$1 wanted_user=$2
shift 2
failed=0
folder=/tmp/o/usr/share/bakestone
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
  work=$(mktemp -d)
  if ! (cd "$work" && PREFIX=$prefix VERSION=$version PROGRAMS=/measure/$slot sh "/measure/$slot/inventory.sh") >"$work.out"; then
    wrong "$slot: $component $version does not work in this image"
    return
  fi
  if grep -Evq '^[a-z_]+=[A-Za-z0-9._+:~-]+$' "$work.out"; then
    wrong "$slot: $component printed something that is no measurement"
    return
  fi
  for wanted; do
    key=${wanted%%=*}
    measured=$(sed -n "s/^$key=//p" "$work.out" | head -n 1)
    [ "$key=$measured" = "$wanted" ] || wrong "$slot: $component $key: expected ${wanted#*=}, measured ${measured:-nothing}"
  done
  fields=$(sed 's/^\([a-z_]*\)=\(.*\)$/"\1": "\2"/' "$work.out" | paste -sd , - | sed 's/,"/, "/g')
  printf '%s\n    "%s": {"component": "%s", "pinned": "%s", "measured": { %s }}' "$comma" "$slot" "$component" "$version" "$fields" >>"$out"
  comma=,
}

user=$(id -un)
[ "$user" = "$wanted_user" ] || wrong "user: expected $wanted_user, measured $user"
fuse=$( (fusermount -V || fusermount3 -V) 2>/dev/null | sed -n 's/.*version:\{0,1\} *\([0-9][0-9.]*\).*/\1/p')
[ -n "$fuse" ] || [ "${FUSE:-}" != yes ] || wrong "fuse: expected a version, measured nothing"
printf '{\n  "variant": "%s",\n  "user": "%s",\n  "fuse": "%s",\n' "$variant" "$user" "$fuse" >"$out"
if [ -n "${DRIVER:-}" ]; then
  printf '  "driver": {"minimum": "%s", "toolkit": "%s"},\n' "${DRIVER% *}" "${DRIVER#* }" >>"$out"
fi
printf '  "components": {' >>"$out"
comma=
for slot; do
  read -r expected <"/measure/$slot/expected"
  # shellcheck disable=SC2086 # one word a value
  measure $expected
done
printf '\n  }\n}\n' >>"$out"
cat "$out"
sh /tools/packages.sh >"$folder/packages.tsv" || wrong "the packages of the image cannot be listed"
others=$(find /tmp/o ! -type d ! -path "$out" ! -path "$folder/packages.tsv")
[ -z "$others" ] || wrong "these would get into the image: $others"
find /tmp/o -exec touch -h -d @315532800 {} +
exit "$failed"
