# packages: every package that the image has, as its databases know them, a line each: TYPE NAME VERSION ARCHITECTURE
# SOURCE LICENCE, with tabs between; what a database does not know is empty.
set -u
field() { sed -n "s/^  \"$2\": \"\(.*\)\",\{0,1\}\$/\1/p" "$1" | head -n 1; }
header() { sed -n "/^\r\{0,1\}\$/q; s/^$2: *\(.*[^\r]\)\r\{0,1\}\$/\1/p" "$1" | head -n 1; }
row() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@"; }
{
  if command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2016 # dpkg-query's own variables
    dpkg-query -W -f='${db:Status-Status}\tdeb\t${Package}\t${Version}\t${Architecture}\t${source:Package} ${source:Version}\t\n' |
      sed -n 's/^installed\t//p'
  fi
  if command -v rpm >/dev/null; then
    rpm -qa --qf 'rpm\t%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{LICENSE}\n' |
      grep -v '^rpm.gpg-pubkey'
  fi
  find / -xdev -path '*/conda-meta/*.json' -type f 2>/dev/null | while read -r file; do
    row conda "$(field "$file" name)" "$(field "$file" version)" "$(field "$file" subdir)" "$(field "$file" url)" "$(field "$file" license)"
  done
  find / -xdev \( -path '*.dist-info/METADATA' -o -path '*.egg-info/PKG-INFO' \) -type f 2>/dev/null | while read -r file; do
    licence=$(header "$file" License-Expression)
    row pypi "$(header "$file" Name)" "$(header "$file" Version)" "" "" "${licence:-$(header "$file" License)}"
  done
} | LC_ALL=C sort -u
