# package FILE...: the version of the package that brought these files: of the wheel below PREFIX whose RECORD has their
# hash, else as dpkg or rpm knows them, without epoch and revision; of several, all, with + between; `unknown` where none.
for file; do
  file=$(readlink -f "$file")
  hash=$(env printf "$(sha256sum "$file" | cut -c 1-64 | sed 's/../\\x&/g')" | base64 | tr '+/' '-_' | tr -d =)
  record=$(find "$PREFIX" -path '*.dist-info/RECORD' -exec grep -lF "/${file##*/},sha256=$hash," {} + | head -n 1)
  if [ -n "$record" ]; then
    said=$(sed -n 's/^Version: //p; /^$/q' "${record%RECORD}METADATA")
  elif said=$(dpkg-query -S "$file" 2>/dev/null); then
    said=$(dpkg-query -W -f "\${Version}" "${said%%: *}" | sed 's/^[0-9]*://; s/-[^-]*$//')
  else
    said=$(rpm -qf --qf '%{VERSION}' "$file" 2>/dev/null) || said=unknown
  fi
  echo "${said:-unknown}"
done | sort -u | paste -sd + -
