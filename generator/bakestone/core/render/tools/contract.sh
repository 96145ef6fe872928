# contract SLOT...: what every image keeps to, asked as a user whom it does not know: it can work in the working directory,
# what is NAMED in its environment is there, what it BEGINS with can be run, and each component does what its contract.sh
# says. HOME is /, as engines set it for such a user; the image's own user is measured without any.
set -u
export ROLE="${ROLE:-devel}"
failed=0
wrong() {
  echo "bakestone: contract: $1" >&2
  failed=1
}
ls . >/dev/null || wrong "the working directory $PWD cannot be read by any user"
[ -n "${LANG:-}" ] || wrong "LANG is not set"
for name in ${NAMED:-}; do [ -e "$name" ] || wrong "the environment names $name, which is not there"; done
command -v "${BEGINS:-sh}" >/dev/null || wrong "a container begins with $BEGINS, which nobody of another id can run"
for slot; do
  read -r _ component version prefix _ <"/measure/$slot/expected"
  PREFIX=$prefix VERSION=$version PROGRAMS=/measure/$slot sh "/measure/$slot/contract.sh" >/tmp/contract.out 2>&1 ||
    wrong "$slot: $component $version does not work for a user of another id: $(cat /tmp/contract.out)"
  rm -f /tmp/contract.out
done
exit "$failed"
