# shellcheck shell=sh
# Take what apt has downloaded, and the indexes as they came, signed; apt itself keeps them unpacked
# only. $options are apt's, $out is the folder of the set, whose `uris` and `targets` are there.
: "${out:?}" "${options?}"
while read -r uri file rest; do
  cp "/var/cache/apt/archives/$file" "/out/debs/$file"
done < "$out/uris"
# shellcheck disable=SC2086 # one word an option
order="$(apt-config $options dump --format '%v ' Acquire::CompressionTypes::Order) xz gz bz2 zst lzma"
number=0
while IFS='|' read -r file uri key; do
  above=${uri%"$key"}
  stem=${file%"$(printf %s "$key" | tr / _)"*}
  for name in InRelease Release Release.gpg; do
    if [ ! -e "$stem$name" ]; then continue; fi
    number=$((number + 1))
    cp "$stem$name" "$out/lists/$number"
    echo "$number $above$name" >> "$out/index"
  done
  release=${stem}InRelease
  if [ ! -e "$release" ]; then release=${stem}Release; fi
  number=$((number + 1))
  got=
  for ending in $order; do
    sum=$(awk -v "name=$key.$ending" '
      /^SHA256:/ {on = 1; next}
      /^[^ ]/ {on = 0}
      on && $3 == name {print $1; exit}
    ' "$release")
    if [ -z "$sum" ]; then continue; fi
    for from in "${uri%/*}/by-hash/SHA256/$sum" "$uri.$ending"; do
      # shellcheck disable=SC2086 # one word an option
      if /usr/lib/apt/apt-helper $options -o APT::Sandbox::User=root \
        download-file "$from" "$out/lists/$number" "SHA256:$sum"; then
        got=$ending
        break 2
      fi
    done
  done
  if [ -z "$got" ]; then
    echo "E: $uri: its compressed form cannot be fetched" >&2
    exit 1
  fi
  echo "$number $uri.$got" >> "$out/index"
done < "$out/targets"
