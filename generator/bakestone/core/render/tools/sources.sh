# sources: wheels in /wheels of the source distributions that /pins/sources.txt lists, each by its hash: their setup.py runs here,
# with the setuptools of the distro. The list gets the hash of what came of each; what has compiled code is refused.
set -eu
export SOURCE_DATE_EPOCH=315532800 PYTHONDONTWRITEBYTECODE=1
if [ -f /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi
if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
while read -r line || [ -n "$line" ]; do
  rm -rf /tmp/source
  mkdir /tmp/source
  printf '%s\n' "$line" >/tmp/source/one.txt
  python3 -m pip wheel --disable-pip-version-check --timeout 180 --retries 5 --progress-bar off --no-cache-dir --no-deps \
    --no-build-isolation --no-binary :all: --require-hashes --wheel-dir /tmp/source -r /tmp/source/one.txt </dev/null
  for wheel in /tmp/source/*.whl; do
    case $wheel in
      *-none-any.whl) ;;
      *) echo "bakestone: sources: ${line%% *} has compiled code: build a wheel of it for your index" >&2 && exit 1 ;;
    esac
    printf '%s --hash=sha256:%s\n' "${line%% *}" "$(sha256sum "$wheel" | cut -d ' ' -f 1)" >>/wheels/requirements.txt
    mv "$wheel" /wheels/
  done
done </pins/sources.txt
rm -rf /tmp/source
