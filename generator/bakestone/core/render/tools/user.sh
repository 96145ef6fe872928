# user NAME ID GROUP [HOME]: the image's user, in the group of that id. Its home is the working directory: all may enter, and group 0
# write, as OpenShift's own ids.
set -eu
home="${4:-/home/$1}"
taken="$(getent passwd "$1" "$2" || :)" # of a base that is not the distro's own, nobody can know before
if [ -n "$taken" ]; then echo "bakestone: user: the base image has $taken: say another \`user\`" >&2 && exit 1; fi
getent group "$3" >/dev/null || groupadd --gid "$3" "$1"
useradd --no-log-init --create-home --home-dir "$home" --shell /bin/bash --uid "$2" --gid "$3" "$1"
chgrp 0 "$home" && chmod 0775 "$home"
