# wheels [PYTHON TAG...]: unpack the wheels of /pins/requirements.txt below /wheels; pip refuses one whose hash is not there.
# With PYTHON (3.11) they go where that one looks for packages, whatever Python is here; TAGs are the platforms that pip
# accepts, since it does not know that manylinux_2_28 runs what manylinux_2_17 does. Without, they go below /wheels as pip
# would install them: `--target` drops their `data/lib`.
set -eu
if [ -f /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi
if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
if [ "$#" = 0 ]; then
  set -- --prefix /wheels
else
  python=$1
  shift
  tags=$*
  set -- --implementation cp --python-version "$python" --target "/wheels/lib/python$python/site-packages"
  for tag in $tags; do set -- "$@" --platform "$tag"; done
fi
python3 -m pip install --disable-pip-version-check --timeout 180 --retries 5 --progress-bar off --no-cache-dir --no-deps \
  --no-compile --only-binary :all: --require-hashes --root-user-action ignore --ignore-installed "$@" \
  -r /pins/requirements.txt
