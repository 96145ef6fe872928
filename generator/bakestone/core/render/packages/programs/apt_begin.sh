set -eu
export DEBIAN_FRONTEND=noninteractive
set -- -o APT::Update::Error-Mode=any -o Acquire::Retries=3
if [ -f /run/secrets/apt ]; then export APT_CONFIG=/run/secrets/apt; fi
if [ -f /run/secrets/ca ]; then set -- "$@" -o Acquire::https::CaInfo=/run/secrets/ca; fi
