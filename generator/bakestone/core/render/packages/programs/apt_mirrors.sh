# this site's mirrors, by what a URL begins with
if [ -s /run/secrets/mirrors ]; then
  sed -i -e "$(sed 's/\./\\./g; s/^\([^ ]*\) \([^ ]*\)$/s|\1|\2|;t/' /run/secrets/mirrors)" @LIST@
fi
