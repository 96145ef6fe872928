#!/bin/sh
# conda and its Python answer without a home.
set -eu
conda --version
"$PREFIX/bin/python" -c 'import ssl, sqlite3'
