#!/bin/sh
# conda and its Python answer.
set -eu
conda --version
"$PREFIX/bin/python" -c 'import ssl, sqlite3'
