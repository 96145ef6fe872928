"""A key file may be anybody's: whatever it holds, it is told in time what keys are in it."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator

import pytest

from bakestone.core.lock.openpgp import fingerprints

KEY = b"\x99\x00\x01\x04"
BEGIN, END = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----"


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """A test ends with an error after 20 seconds: the files are as large as one may be."""

    def late(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def armored(*lines: bytes, key: bytes = KEY, end: bytes = b"\n") -> bytes:
    return end.join([BEGIN, *lines, b"", base64.b64encode(key), b"=AAAA", END, b""])


ARMORED = {
    "plain": armored(),
    "with headers": armored(b"Version: 1", b"Comment: a key"),
    "with carriage returns": armored(b"Version: 1", end=b"\r\n"),
    "after other text": b"# a key\n" + armored(),
    "without a checksum": armored().replace(b"=AAAA\n", b""),
    "after a block that does not end": BEGIN + b"\nVersion: 1\n\n" + armored(),
}


@pytest.mark.parametrize("content", ARMORED.values(), ids=list(ARMORED))
def test_an_armored_key_has_the_fingerprint_of_the_plain_one(content: bytes) -> None:
    assert fingerprints(content) == fingerprints(KEY)


def test_each_block_of_a_file_counts() -> None:
    other = b"\x99\x00\x02\x04x"
    assert fingerprints(armored() + armored(key=other)) == fingerprints(KEY + other)


HOSTILE = {
    "a packet that is too large for a fingerprint": b"\x9b" + b"\x04" * 1_000_000,
    "many lines that begin a block": (BEGIN + b"\n") * 27_000,
    "many headers": BEGIN + b"\n" + b"a: b\n" * 200_000,
    "many empty lines": BEGIN + b"\n" * 1_000_000,
    "an armor of nothing": BEGIN + b"\n\n" + END,
    "nothing": b"",
    "a cut length": b"\xc6\xff",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=list(HOSTILE))
def test_a_file_without_a_key_is_told_with_a_reason(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(it holds no|it is no|the key file is cut off)"):
        fingerprints(content)


def test_a_key_beside_a_packet_that_is_too_large_is_found() -> None:
    large = b"\x9a" + (70_000).to_bytes(4, "big") + b"\x04" * 70_000
    assert fingerprints(large + KEY) == fingerprints(KEY)
