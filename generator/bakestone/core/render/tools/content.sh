# content FILE PATH MODE USER GROUP: puts one of a team's files, of the folder /content, into the image; what ends in
# .base64 is no plain text. With `-` as FILE it makes a folder, if it is not there. Folders above become their owner's.
set -eu
file="$1" path="$2" mode="$3" owner="$4" group="$5"
folder() {
  [ -d "$1" ] || { folder "$(dirname "$1")" 0755 && install -d -m "$2" -o "$owner" -g "$group" "$1"; }
}
put() {
  folder "$(dirname "$path")" 0755
  install -T -m "$mode" -o "$owner" -g "$group" "$1" "$path"
}
case "$file" in
  -) folder "$path" "$mode" ;;
  *.base64) base64 -d "/content/$file" >/dev/shm/content && put /dev/shm/content && rm /dev/shm/content ;;
  *) put "/content/$file" ;;
esac
