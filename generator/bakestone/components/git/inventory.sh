#!/bin/sh
# version= of the git on PATH; works when it can make a commit and has the https helper
set -eu
fail() { echo "git: $*" >&2; exit 1; }
command -v git >/dev/null || fail "no git on PATH"
version="$(git --version)"
version="${version#git version }"
version="${version%% *}"
case "$version" in [0-9]*.[0-9]*) ;; *) fail "git --version printed '$version'" ;; esac
helpers="$(git --exec-path)"
helper="$helpers/git-remote-https"
[ -x "$helper" ] || fail "no https helper in $helpers"
if ldd "$helper" 2>/dev/null | grep 'not found' >&2; then fail "the https helper lacks the libraries above"; fi
export HOME="$PWD" GIT_CONFIG_NOSYSTEM=1
git init -q work >&2
cd work
echo bakestone > file
git add file >&2
git -c user.name=bakestone -c user.email=bakestone@localhost commit -q -m first >&2 || fail "a commit failed"
[ "$(git rev-list --count HEAD)" = 1 ] || fail "the commit is not there"
git clone -q . ../copy >&2 || fail "a clone failed"
cmp -s file ../copy/file || fail "the clone differs from its origin"
echo "version=$version"
