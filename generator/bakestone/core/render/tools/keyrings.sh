# keyrings [NAME FINGERPRINT]...: makes /out/NAME.gpg of /keys/NAME.key: the one primary key that has this fingerprint,
# with its own subkeys, and nothing else that is in the file. That a key is there as somebody else's subkey does not
# count: apt would trust that one's primary key.
set -eu
mkdir /out
while [ "$#" -gt 0 ]; do
  name=$1 wanted=$2
  shift 2
  GNUPGHOME=$(mktemp -d)
  export GNUPGHOME
  # gpg ends with an error where one of several keys in the file is of no use; whether the one that counts is there is
  # asked below
  gpg --batch --quiet --no-autostart --import "/keys/$name.key" || true
  # a primary key (pub) is followed by its own fingerprint
  primaries=$(gpg --batch --with-colons --list-keys | sed -n '/^pub:/,/^fpr:/s/^fpr:*\([0-9A-F]*\):.*/\1/p')
  found=
  for primary in $primaries; do
    if [ "$primary" = "$wanted" ]; then
      found=yes
    else
      gpg --batch --quiet --yes --no-autostart --delete-keys "$primary"
    fi
  done
  if [ -z "$found" ]; then
    echo "bakestone: keyring $name: expected the key $wanted, the file has:" >&2
    for primary in $primaries; do echo "  $primary" >&2; done
    exit 1
  fi
  gpg --batch --no-autostart --output "/out/$name.gpg" --export
  touch -d @315532800 "/out/$name.gpg"
  rm -rf "$GNUPGHOME"
done
touch -d @315532800 /out
