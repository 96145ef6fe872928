# environment PREFIX PYTHON OWNER: a virtual environment of PYTHON at PREFIX, which is OWNER's, with the wheels of
# /wheels/requirements.txt: the pip among them installs itself and the others, without the network and each by its hash.
set -eu
export PYTHONDONTWRITEBYTECODE=1
"$2" -m venv --without-pip "$1"
installer=$(echo /wheels/pip-*.whl)
"$1/bin/python" "$installer/pip" install --no-index --find-links /wheels --no-deps --require-hashes --no-compile --no-cache-dir \
  --no-warn-script-location --disable-pip-version-check --root-user-action ignore --progress-bar off -r /wheels/requirements.txt
chown -R "$3" "$1"
mkdir -p /out
cp -a --parents "$1" /out
find /out -exec touch -h -d @315532800 {} +
