"""A layer is read as its registry has it: plain, gzip or zstd; and where zstd cannot be read, that
is said before anything is built.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable

import pytest

from bakestone.clients.registry import compressed
from tests.support import zstd
from tests.support.samples import refused

CONTENT = b"a layer\n" * 1000


def read(blob: bytes) -> bytes:
    with compressed.opened(io.BytesIO(blob)) as stream:
        return stream.read()


def test_a_layer_is_read_plain_and_by_gzip() -> None:
    assert read(CONTENT) == CONTENT
    assert read(gzip.compress(CONTENT)) == CONTENT
    # estargz is gzip in several members
    assert read(gzip.compress(CONTENT[:100]) + gzip.compress(CONTENT[100:])) == CONTENT
    assert read(b"") == b""


def test_a_layer_is_read_by_zstd() -> None:
    packed = zstd.compress(CONTENT)
    assert read(packed) == CONTENT
    assert read(packed + zstd.compress(CONTENT)) == CONTENT * 2


@pytest.mark.parametrize("cut", [5, 20, -1])
@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_a_broken_layer_raises_what_callers_know(pack: Callable[[bytes], bytes], cut: int) -> None:
    for broken in (pack(CONTENT)[:cut], pack(CONTENT)[:cut] + b"\xff" * 50):
        with pytest.raises(compressed.BROKEN):
            read(broken)


def test_where_nothing_reads_zstd_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "reader", None)
    for asked in (compressed.need_zstd, lambda: read(b"\x28\xb5\x2f\xfd" + bytes(20))):
        (found,) = refused(asked, code=3)
        assert found.message == "this Python does not read zstd"
        assert "bakestone[zstd]" in found.hint
