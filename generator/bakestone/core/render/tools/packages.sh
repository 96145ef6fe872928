# packages: every package that the image has, as its databases know them, a line each: TYPE NAME VERSION ARCHITECTURE
# SOURCE LICENCE, with tabs between; what a database does not know is empty. Printable ASCII alone: what is none is a ?.
set -eu
export LC_ALL=C
tab=$(printf '\t')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# rows TYPE: from the lines `KEY: VALUE` of packages, each of which ends with a full stop; of a key the first one counts
rows() {
  name='' version='' subdir='' url='' licence='' text='' classes=''
  while IFS= read -r line || [ -n "$line" ]; do # sed ends as the last file does, with or without a new line
    value=${line#*: }
    case $line in
      [Nn]ame:\ *) name=${name:-$value} ;;
      [Vv]ersion:\ *) version=${version:-$value} ;;
      subdir:\ *) subdir=${subdir:-$value} ;;
      url:\ *) url=${url:-$value} ;;
      License-Expression:\ *) licence=${licence:-$value} ;;
      [Ll]icense:\ *) text=${text:-$value} ;;
      'Classifier: License :: OSI Approved') ;; # says nothing
      'Classifier: License :: '*) classes=$classes${classes:+, }${value##*:: } ;;
      .)
        if [ "$text" = UNKNOWN ] || [ ${#text} -gt 200 ]; then text=''; fi # a whole text is no name
        if [ ${#classes} -gt 200 ]; then classes=''; fi
        text=${licence:-${text:-$classes}}
        if [ -n "$name" ]; then printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$name" "$version" "$subdir" "$url" "$text"; fi
        name='' version='' subdir='' url='' licence='' text='' classes=''
        ;;
    esac
  done
}
if command -v dpkg-query >/dev/null; then
  # shellcheck disable=SC2016 # dpkg-query's own variables
  columns='deb\t${Package}\t${Version}\t${Architecture}\t${source:Package} ${source:Version}\t'
  dpkg-query -W -f="\${db:Status-Status}\t$columns\n" >"$work/dpkg"
  sed -e '/^not-installed\t/d; /^config-files\t/d; s/^[^\t]*\t//' "$work/dpkg" >>"$work/rows"
fi
if command -v rpm >/dev/null; then
  columns='rpm\t%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{LICENSE}\n'
  rpm -qa --qf "$columns" >"$work/rpm" || [ -s "$work/rows" ] # on Debian rpm may lack a database
  sed -e '/^rpm\tgpg-pubkey\t/d; s/(none)//g' "$work/rpm" >>"$work/rows"
fi
[ -s "$work/rows" ] || { echo "bakestone: packages: neither dpkg nor rpm knows a package" >&2 && exit 1; }
# what the image's user may not read is left out, and so are other file systems
find / -xdev -type f \( -path '*/conda-meta/*.json' -fprint0 "$work/conda" -o \
  \( -path '*.dist-info/METADATA' -o -path '*.egg-info/PKG-INFO' -o -name '*.egg-info' \) -fprint0 "$work/python" \) 2>/dev/null || true
# conda writes a line for each key; a URL may have a login or a token in it
# shellcheck disable=SC2016 # sed's own $
xargs -0 -r sed -s -n '
  s/^ \{2,4\}"\(name\|version\|subdir\|url\|license\)": "\(.*\)",\{0,1\}\r\{0,1\}$/\1: \2/
  T end
  s,^\(url: [^/]*//\)[^/@]*@,\1,; s,^\(url: .*\)/t/[^/]*/,\1/,
  p
  :end
  $s/.*/./p' <"$work/conda" 2>/dev/null | rows conda >>"$work/rows"
# the header ends with an empty line; what is indented belongs to the line before
xargs -0 -r sed -s -n '1h; 1!{0,/^\r\{0,1\}$/H}; $!d; x; s/\r//g; s/\n[ \t]\{1,\}/ /g; s/$/\n./p' <"$work/python" 2>/dev/null | sed -n '
  /^\.$/p
  /^\(Name\|Version\|License\|License-Expression\|Classifier\): /!d
  s/[\t ]\{1,\}/ /g; s/ $//
  :name
  s/^\(Name: [A-Za-z0-9._-]*\)[^A-Za-z0-9._-]\{1,\}/\1-/; t name
  :version
  s/^\(Version: [A-Za-z0-9._+!-]*\)[^A-Za-z0-9._+!-]\{1,\}/\1-/; t version
  p' | rows pypi >>"$work/rows"
sed 's/[^ -~\t]/?/g; s/ *\t */\t/g; s/ *$//' "$work/rows" | sort -u >"$work/list"
# as packagelist.py reads it; grep takes seconds to count as far as that
word='[A-Za-z0-9._+~^!:-]' text="${tab}[^${tab}]*"
if grep -Evx "(deb|rpm|conda|pypi)${tab}${word}+${tab}${word}*${tab}[A-Za-z0-9_-]*$text$text" "$work/list" >&2; then
  echo "bakestone: packages: these lines are no packages" >&2
  exit 1
fi
for limit in 2:200 3:200 4:40 5:2000 6:2000; do
  [ "$(cut -f "${limit%:*}" "$work/list" | wc -L)" -gt "${limit#*:}" ] || continue
  cat "$work/list" >&2
  echo "bakestone: packages: something in column ${limit%:*} has more than ${limit#*:} characters" >&2
  exit 1
done
cat "$work/list"
