# programs SLOT...: compiles what components are measured with, each with its build.sh, in /tmp/programs/SLOT.
failed=0
mkdir /tmp/programs || { echo "bakestone: inventory: /tmp/programs must be new" >&2 && exit 1; }
for slot; do
  [ -f "/measure/$slot/build.sh" ] || continue
  read -r _ component version prefix _ <"/measure/$slot/expected"
  mkdir "/tmp/programs/$slot" && cd "/tmp/programs/$slot" || exit 1
  PREFIX=$prefix VERSION=$version PROGRAMS=/measure/$slot sh -eu "/measure/$slot/build.sh" >&2 && continue
  echo "bakestone: inventory: $slot: a program that measures $component $version cannot be compiled in this image" >&2
  rm -rf "/tmp/programs/$slot"
  failed=1
done
exit "$failed"
