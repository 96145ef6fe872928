"""Fingerprints of the keys in an OpenPGP file: a SHA-1 over the key's packet (RFC 4880, sections
4.2 and 12.2).

Keys of version 4 only, which is what apt repositories have. It tells a replaced key before a build
does, and before its checksum is locked; what a build trusts is gpg's business, in the stage of the
keyrings.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

_BEGIN, _END = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END"
_CHECKSUM = re.compile(rb"=[A-Za-z0-9+/]{4}\s*")
_LARGEST = 0xFFFF
"""Bytes of a key: what a fingerprint of version 4 has room for."""
_PRIMARY = 6
"""The packet that holds a primary public key; 14 would be a subkey, which may be anybody's."""


def fingerprints(content: bytes) -> list[str]:
    """The fingerprints of the primary keys in a file, armored or not, in upper-case hex.

    `ValueError` when it is no key file.
    """
    found = [
        hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False)
        for block in _blocks(content)
        for tag, body in _packets(block)
        if tag == _PRIMARY and body[:1] == b"\x04" and len(body) <= _LARGEST
    ]
    if not found:
        raise ValueError("it holds no OpenPGP key")
    return [digest.hexdigest().upper() for digest in found]


def keyring(content: bytes) -> bytes:
    """The keys of a file, armored or not, as gpgv takes them. `ValueError` as above."""
    return b"".join(_blocks(content))


def _blocks(content: bytes) -> list[bytes]:
    """Each block of keys, without its armor."""
    blocks = _armored(content)
    if not blocks and content.lstrip()[:1] and not content[:1] >= b"\x80":
        raise ValueError("it is no OpenPGP key")
    try:
        return [base64.b64decode(block) for block in blocks] or [content]
    except binascii.Error as problem:
        raise ValueError("its armor is broken") from problem


def _armored(content: bytes) -> list[bytes]:
    """What stands in each block of keys, as base64: line by line, since a file may have a million
    lines that begin one.
    """
    found: list[bytes] = []
    body: list[bytes] | None = None
    about = False
    for line in content.splitlines():
        if line.startswith(_BEGIN):
            body, about = [], True  # headers, which end with an empty line
        elif body is None:
            continue
        elif line.startswith(_END):
            found.append(b"".join(body))
            body = None
        elif about:
            about = bool(line.strip())
        elif not _CHECKSUM.fullmatch(line):
            body.append(line)
    return found


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet. Raises `ValueError` where the file is cut."""
    at = 0
    while at < len(data):
        if not data[at] & 0x80:
            raise ValueError("it is no OpenPGP key")
        tag, size, at = (_new if data[at] & 0x40 else _old)(data, at)
        if size < 0 or at + size > len(data):
            raise ValueError("the key file is cut off")
        yield tag, data[at : at + size]
        at += size


def _old(data: bytes, at: int) -> tuple[int, int, int]:
    """An old-format header: tag, length of the body, where it begins."""
    tag, kind = data[at] >> 2 & 15, data[at] & 3
    if kind == 3:
        return tag, len(data) - at - 1, at + 1
    end = at + 1 + (1 << kind)
    return tag, int.from_bytes(data[at + 1 : end], "big"), end


def _new(data: bytes, at: int) -> tuple[int, int, int]:
    """A new-format header. Keys have no partial lengths."""
    tag, (first, second) = data[at] & 63, data[at + 1 : at + 3].ljust(2, b"\xe0")
    if first < 192:
        return tag, first, at + 2
    if first < 224:
        return tag, (first - 192 << 8) + second + 192, at + 3
    if first == 255:
        return tag, int.from_bytes(data[at + 2 : at + 6], "big"), at + 6
    return tag, -1, at
