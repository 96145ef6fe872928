"""Certificates of authorities that a team puts into its images: PEM (RFC 7468), read as X.509 (RFC
5280) as far as it takes to know that each is one, whose it is, and when it holds. Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bakestone.errors import Position

_BLOCK = re.compile(r"-----BEGIN ([^\r\n-]*)-----(.*?)-----END \1-----", re.DOTALL)
_LINE = 64
"""Characters of a line of PEM."""
_SEQUENCE, _SET, _INTEGER, _BITS, _OID = 0x30, 0x31, 0x02, 0x03, 0x06
_VERSION = 0xA0
_TIMES = {0x17: (12, "%y%m%d%H%M%SZ"), 0x18: (14, "%Y%m%d%H%M%SZ")}
"""UTCTime and GeneralizedTime: their digits, and how they are written."""
_TEXTS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be"}
_NAMES = (b"\x55\x04\x03", b"\x55\x04\x0b", b"\x55\x04\x0a")
"""What a subject is called by: its common name, else its unit, else its organisation."""


@dataclass(frozen=True)
class OwnCertificate:
    """A certificate of a file of the repository: its bytes (DER), whose it is, and from when to
    when it holds; `origin` is the file's name in the repository.
    """

    origin: str
    der: bytes = field(repr=False)
    subject: str
    begins: datetime
    ends: datetime
    where: Position = field(compare=False)

    @property
    def name(self) -> str:
        """What it is called in a trust store: after its file, and after itself, since a file may
        have several. Debian's takes only what ends in .crt.
        """
        stem = self.origin.rpartition("/")[2].partition(".")[0]
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", stem).lstrip("-") or "ca"
        return f"{plain}-{hashlib.sha256(self.der).hexdigest()[:8]}.crt"

    @property
    def pem(self) -> str:
        """The certificate alone, without what else the file says, and without a line break at its
        end.
        """
        code = base64.b64encode(self.der).decode()
        lines = (code[i : i + _LINE] for i in range(0, len(code), _LINE))
        return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----"])


def read(origin: str, content: bytes, where: Position) -> tuple[OwnCertificate, ...]:
    """The certificates of a file, each once.

    Raises `ValueError`, with a reason for people, for a file with a private key, with anything else
    than certificates, or without one.
    """
    text = content.decode("latin-1")
    if "PRIVATE KEY" in text:
        raise ValueError("it holds a private key")
    found: dict[bytes, OwnCertificate] = {}
    for number, (kind, body) in enumerate(_BLOCK.findall(text), 1):
        if kind != "CERTIFICATE":
            raise ValueError(f"it holds something else than certificates ({kind[:40].strip()})")
        try:
            der = base64.b64decode("".join(body.split()), validate=True)
            subject, begins, ends = _certificate(der)
        except (ValueError, binascii.Error, IndexError) as problem:
            raise ValueError(f"its certificate {number} is none of X.509") from problem
        found.setdefault(der, OwnCertificate(origin, der, subject, begins, ends, where))
    if not found:
        raise ValueError("it has no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    if text.count("-----BEGIN") != text.count("-----END"):
        raise ValueError("it is cut off")
    return tuple(found.values())


def _certificate(der: bytes) -> tuple[str, datetime, datetime]:
    """Subject and times of a certificate (RFC 5280, 4.1). Raises `ValueError`, or `IndexError`."""
    ((tag, whole),) = _elements(der)
    signed, algorithm, signature = _elements(whole)
    _expect((tag, signed[0], algorithm[0], signature[0]), (*[_SEQUENCE] * 3, _BITS))
    parts = _elements(signed[1])
    if parts[0][0] == _VERSION:
        del parts[0]
    tags = tuple(tag for tag, _ in parts[:6])
    _expect(tags, (_INTEGER, *[_SEQUENCE] * 5))
    first, last = map(_time, _elements(parts[3][1]))
    return _subject(parts[4][1]), first, last


def _expect(tags: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if tags != wanted:
        raise ValueError("another structure")


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """The elements that fill some bytes of DER: tag and content of each."""
    found, at = [], 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size >= 0x80:  # as many bytes with the size follow
            length = size & 0x7F
            if not 1 <= length <= 4:
                raise ValueError("no size")
            size, at = int.from_bytes(data[at : at + length], "big"), at + length
        if at + size > len(data):
            raise ValueError("cut off")
        found.append((tag, data[at : at + size]))
        at += size
    return found


def _time(element: tuple[int, bytes]) -> datetime:
    digits, form = _TIMES.get(element[0], (0, ""))
    text = element[1].decode("ascii")
    if not re.fullmatch(rf"[0-9]{{{digits}}}Z", text):
        raise ValueError("no time")
    if element[0] == 0x17:  # of the years 1950 to 2049 (RFC 5280, 4.1.2.5.1)
        text, form = ("19" if text[:2] >= "50" else "20") + text, _TIMES[0x18][1]
    return datetime.strptime(text, form).replace(tzinfo=UTC)


def _subject(data: bytes) -> str:
    named: dict[bytes, str] = {}
    for tag, several in _elements(data):
        _expect((tag,), (_SET,))
        for _, pair in _elements(several):
            (kind, name), (coding, value) = _elements(pair)
            _expect((kind,), (_OID,))
            named.setdefault(name, value.decode(_TEXTS.get(coding, "latin-1"), "replace"))
    return next((named[name] for name in _NAMES if named.get(name)), "nobody")
