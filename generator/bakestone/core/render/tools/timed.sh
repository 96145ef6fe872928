# Sourced first by a RUN that changes the root file system: at its end, nothing that it made or changed is younger than
# SOURCE_DATE_EPOCH. Found by the time of change since now, so that what was there before is left alone; other file
# systems are left aside, and so are the files that the builder mounts. What is older keeps its time: compiled Python
# modules know the time of their source.
set -eu
: "${SOURCE_DATE_EPOCH:?timed.sh needs it: ARG SOURCE_DATE_EPOCH in the stage, as the stage of the distro has it}"
began=/dev/shm/began
: >"$began"
sleep 0.05 # the clock of the file system goes in steps of some milliseconds
settle() {
  status=$?
  [ "$status" = 0 ] || exit "$status"
  set --
  while read -r _ point _; do
    if [ "$point" != / ]; then set -- "$@" -path "$point" -prune -o; fi
  done </proc/mounts
  find / -xdev "$@" -cnewer "$began" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}
trap settle EXIT
