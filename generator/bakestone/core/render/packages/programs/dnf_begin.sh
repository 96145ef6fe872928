set -- --noplugins --setopt=cachedir=/tmp/dnf --setopt=logdir=/tmp/dnf --setopt=persistdir=/tmp/dnf
set -- "$@" --setopt=install_weak_deps=False --setopt=skip_if_unavailable=False
if [ -f /run/secrets/ca ]; then set -- "$@" --setopt=sslcacert=/run/secrets/ca; fi
if [ -d /tmp/repositories ]; then set -- "$@" --setopt=reposdir=/tmp/repositories; fi
