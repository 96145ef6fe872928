#!/bin/sh
# It works without a home and without a name.
set -eu
work=$(mktemp -d)
git init -q "$work"
git -C "$work" status
rm -rf "$work"
