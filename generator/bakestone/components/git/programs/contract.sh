#!/bin/sh
# It works for a user without a name.
set -eu
work=$(mktemp -d)
git init -q "$work"
git -C "$work" status
rm -rf "$work"
