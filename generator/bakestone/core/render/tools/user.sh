# user NAME ID: the user of the image. Its home is the working directory, so everybody may enter it, and group 0 may write
# it: OpenShift runs images with an id of its own choice in that group.
set -eu
useradd --no-log-init --create-home --shell /bin/bash --uid "$2" "$1"
chgrp 0 "/home/$1"
chmod 0775 "/home/$1"
