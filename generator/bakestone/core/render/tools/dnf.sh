# Sourced by a RUN that uses dnf, of Rocky Linux, AlmaLinux or Red Hat; what the site says comes as secrets. Plugins
# would ask for subscriptions, or note what is installed.
set -eu
python=/usr/libexec/platform-python
[ -x "$python" ] || python=python3
options="--noplugins --setopt=cachedir=/tmp/dnf --setopt=logdir=/tmp/dnf --setopt=persistdir=/tmp/dnf"
options="$options --setopt=install_weak_deps=False --setopt=skip_if_unavailable=False"
if [ -f /run/secrets/ca ]; then options="$options --setopt=sslcacert=/run/secrets/ca"; fi
# this site's mirrors, by what a URL begins with; a repository that is mirrored has no other list of mirrors
if [ -s /run/secrets/mirrors ]; then
  "$python" - <<'PYTHON'
@MIRRORS@
PYTHON
  options="$options --setopt=reposdir=/tmp/repositories"
fi

# packages WORD...: install exactly these
packages() {
  # shellcheck disable=SC2086 # one word an option
  dnf $options install --assumeyes "$@"
}

# clean: nothing stays of how packages were found, and nothing that differs from run to run
clean() {
  rm -rf /tmp/dnf /tmp/repositories /var/lib/rpm/__db.* /var/cache/ldconfig/aux-cache /var/cache/fontconfig/*
}
