# Sourced by a RUN that uses apt, of Debian or Ubuntu; what the site says comes as secrets.
set -eu
export DEBIAN_FRONTEND=noninteractive
options="-o APT::Update::Error-Mode=any -o Acquire::Retries=3"
if [ -f /run/secrets/apt ]; then export APT_CONFIG=/run/secrets/apt; fi
if [ -f /run/secrets/ca ]; then options="$options -o Acquire::https::CaInfo=/run/secrets/ca"; fi
# apt WORD...: apt-get as this step wants it
apt() {
  # shellcheck disable=SC2086 # one word an option
  apt-get $options "$@"
}
# packages WORD...: install exactly these, and what they depend on
packages() {
  apt update
  apt install --yes --no-install-recommends "$@"
}
# list FILE LINE...: a source list, with this site's mirrors in the place of what they mirror
list() {
  file=$1
  shift
  printf '%s\n' "$@" >>"$file"
  if [ -s /run/secrets/mirrors ]; then
    sed -i -e "$(sed 's/\./\\./g; s/^\([^ ]*\) \([^ ]*\)$/s|\1|\2|;t/' /run/secrets/mirrors)" "$file"
  fi
}
# only LINE...: no sources but these
only() {
  list /tmp/only.list "$@"
  options="$options -o Dir::Etc::SourceList=/tmp/only.list -o Dir::Etc::SourceParts=-"
}
# no_parts: the base's own source list alone, without the others that it brings
no_parts() {
  options="$options -o Dir::Etc::SourceParts=-"
}
# https: there is no CA bundle in many bases; apt checks the signatures all the same
https() {
  if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then options="$options -o Acquire::https::Verify-Peer=false"; fi
}
# https_method: before apt 1.5, https is a package of its own
https_method() {
  if [ ! -e /usr/lib/apt/methods/https ]; then packages apt-transport-https ca-certificates; fi
}
# parts URL...: the source lists that the base brings beside its own, without those of these repositories: apt refuses
# one repository with two keyrings
parts() {
  cp -r /etc/apt/sources.list.d /tmp/vendor
  for url; do
    grep -rlF -e "$url" /tmp/vendor | xargs -r rm
  done
}
# vendor LINE...: vendors' repositories, beside the base's own
vendor() {
  mkdir -p /tmp/vendor
  list /tmp/vendor/vendor.list "$@"
  options="$options -o Dir::Etc::SourceParts=/tmp/vendor"
}
# clean: nothing stays of how packages were found, and nothing that differs from run to run
clean() {
  rm -rf /tmp/only.list /tmp/vendor
  rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
    /var/cache/fontconfig/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log \
    /var/log/fontconfig.log /var/lib/systemd/catalog/database
  if [ -s /etc/machine-id ]; then : >/etc/machine-id; fi
}
