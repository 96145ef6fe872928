# ca MANAGER: puts the certificates of the folder /certificates into the image's own trust store, that of a distro with
# this package manager. Each must be in the bundle that programs read then.
set -eu
case "$1" in
  apt)
    folder=/usr/local/share/ca-certificates bundle=/etc/ssl/certs/ca-certificates.crt
    update() { update-ca-certificates; }
    ;;
  dnf)
    folder=/etc/pki/ca-trust/source/anchors bundle=/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
    update() { update-ca-trust extract; }
    ;;
  *) echo "bakestone: ca: nobody knows the trust store of a distro with $1" >&2 && exit 1 ;;
esac
for file in /certificates/*.crt; do
  install -D -T -m 0644 -o 0 -g 0 "$file" "$folder/${file##*/}"
done
update
for file in /certificates/*.crt; do
  line=$(tail -n 3 "$file" | head -n 1) # a whole line of its signature
  if ! grep -qxF -e "$line" "$bundle"; then
    echo "bakestone: ca: ${file##*/} is not in $bundle: is it the certificate of an authority?" >&2
    exit 1
  fi
done
