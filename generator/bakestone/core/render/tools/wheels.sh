# wheels [--fetch] [PYTHON TAG...]: unpack the wheels of /pins/requirements.txt below /wheels, or put those of /pins/MACHINE.txt
# there as they are; pip refuses one whose hash is not there. With PYTHON (3.11) they go where that one looks for packages; TAGs are
# the platforms that pip accepts, since it does not know that manylinux_2_28 runs what manylinux_2_17 does. Without, they go where
# pip would put them (`--target` drops `data/lib`). What was fetched is kept by the builder, each in a folder named by its hash, for
# a step that broke off; it is compared here, and by pip: pip's own cache takes from 23.1 on what says of itself that it is right.
set -eu
list=/pins/requirements.txt where=--prefix=/wheels
if [ "${1-}" = --fetch ]; then list=/pins/$(uname -m).txt && shift; fi
if [ -f /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi
if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
export PIP_RESUME_RETRIES=5 # pip 25.1 and later fetch the rest of a wheel that broke off
kept=/var/cache/bakestone-wheels/$(uname -m)
mkdir -p "$kept"
find "$kept" -maxdepth 1 -name 'run.*' -mmin +1440 -exec rm -rf {} + # of steps that were killed
run=$(mktemp -d "$kept/run.XXXXXX")
trap 'rm -rf "$run"' EXIT
if [ "$#" != 0 ]; then
  python=$1 && shift
  where=--target=/wheels/lib/python$python/site-packages tags=$*
  set -- --implementation cp --python-version "$python"
  for tag in $tags; do set -- "$@" --platform "$tag"; done
fi
# pip WORD...: pip as this step wants it
pip() {
  command=$1
  shift
  python3 -m pip "$command" --disable-pip-version-check --timeout 180 --retries 5 --progress-bar off --no-cache-dir \
    --no-deps --only-binary :all: --require-hashes "$@" </dev/null
}
# known LINE: link the wheel of this line that is kept, if its hash is the one of its folder
known() {
  for word in $1; do
    hash=${word#--hash=sha256:}
    for wheel in "$kept/$hash"/*.whl; do
      if [ -f "$wheel" ] && echo "$hash  $wheel" | sha256sum --check --status; then ln "$wheel" "$run/" && return; fi
    done
  done
  return 1
}
while read -r line || [ -n "$line" ]; do
  if known "$line"; then continue; fi
  mkdir "$run/new"
  printf '%s\n' "$line" >"$run/one.txt"
  tries=1
  until pip download "$@" --dest "$run/new" -r "$run/one.txt"; do # an older pip takes half a wheel for an altered one
    [ "$tries" -lt 3 ] || exit 1
    tries=$((tries + 1)) && sleep 5
  done
  for wheel in "$run/new"/*.whl; do
    hash=$(sha256sum "$wheel" | cut -d ' ' -f 1)
    mkdir -p "$kept/$hash"
    ln -f "$wheel" "$kept/$hash/"
    mv "$wheel" "$run/"
  done
  rmdir "$run/new"
done <"$list"
[ "$list" = /pins/requirements.txt ] || { mkdir /wheels && cp "$list" /wheels/requirements.txt && cp "$run"/*.whl /wheels && exit; }
pip install "$@" "$where" --no-index --find-links "$run" --no-compile --root-user-action ignore --ignore-installed \
  -r /pins/requirements.txt
# A file that two wheels bring is of whichever comes last; equal bytes lose nothing, and namespaces share their __init__.py.
# A wheel's RECORD has PATH,HASH,SIZE of each of its files.
find /wheels -path '*.dist-info/RECORD' -exec awk -F, '
  FNR == 1 { folder = wheel = FILENAME; sub("[^/]*/RECORD$", "", folder); sub("[.]dist-info/.*", "", wheel); sub(".*/", "", wheel) }
  { path = folder $0; gsub("\"|,[^,]*,[^,]*$", "", path); while (sub("[^/]*/[.][.]/", "", path)); hash = $(NF - 1) }
  path in of && (hash == "" || hash != hashes[path]) {
    print "bakestone: wheels: " path " is in " of[path] " and, with other bytes, in " wheel ": one would overwrite the other"
    exit 1
  }
  { of[path] = wheel; hashes[path] = hash }' {} + >&2
