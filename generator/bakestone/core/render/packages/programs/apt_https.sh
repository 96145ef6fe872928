# before apt 1.5, https is a package of its own
if [ ! -e /usr/lib/apt/methods/https ]; then
  apt-get "$@" update
  apt-get "$@" install --yes --no-install-recommends apt-transport-https ca-certificates
fi
