"""The modules of Python's library that need a library of the distro: each does a little real work.

A virtual environment is made.
"""

import bz2
import ctypes
import hashlib
import lzma
import sqlite3
import ssl
import venv
import zlib

text = b"bakestone" * 1000
for module in (bz2, lzma, zlib):
    assert module.decompress(module.compress(text)) == text, module.__name__
assert hashlib.sha256(b"").hexdigest().startswith("e3b0c44298fc1c14"), "sha256"
assert sqlite3.connect(":memory:").execute("select 6 * 7").fetchone() == (42,), "sqlite3"
assert ctypes.CDLL(None).abs(-3) == 3, "ctypes"
assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED, "ssl"
venv.create("environment", symlinks=True)
