# contract [--role ROLE] [--named "PATH..."] [--begins PROGRAM] SLOT...: what every image keeps to, asked as a user whom it does
# not know: it can work in the working directory, what is named in its environment is there, what it begins with can be run, and
# each component does what its contract.sh says. HOME is /, as engines set it for such a user; its own user is measured without.
set -u
export ROLE=devel
failed=0 named="" begins=sh
while case ${1-} in --role) ROLE=$2 ;; --named) named=$2 ;; --begins) begins=$2 ;; *) false ;; esac do shift 2; done
wrong() {
  echo "bakestone: contract: $1" >&2
  failed=1
}
ls . >/dev/null || wrong "the working directory $PWD cannot be read by any user"
[ -n "${LANG:-}" ] || wrong "LANG is not set"
for name in $named; do [ -e "$name" ] || wrong "the environment names $name, which is not there"; done
command -v "$begins" >/dev/null || wrong "a container begins with $begins, which nobody of another id can run"
for slot; do
  read -r _ component version prefix _ <"/measure/$slot/expected"
  said=$(PREFIX=$prefix VERSION=$version PROGRAMS=/measure/$slot sh "/measure/$slot/contract.sh" 2>&1) ||
    wrong "$slot: $component $version does not work for a user of another id: $said"
done
exit "$failed"
