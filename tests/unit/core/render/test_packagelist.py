"""A list of packages is read as the gate writes it, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from bakestone.core.render import packagelist
from bakestone.core.render.packagelist import MeasuredPackage, parse
from tests.support.builder import LISTED

ROW = b"deb\tlibc6\t2.36-9\tamd64\tglibc 2.36-9\t"


def test_every_line_is_a_package() -> None:
    assert parse(LISTED)[1:] == (
        MeasuredPackage("deb", "libc6", "2.36-9+deb12u13", "amd64", "glibc 2.36-9+deb12u13", ""),
        MeasuredPackage("pypi", "pip", "26.1.2", "", "", "MIT"),
    )


ODD = {
    "nothing": b"",
    "an empty line": b"\n",
    "no end": ROW,
    "a line between": ROW + b"\n\n" + ROW + b"\n",
    "another type": ROW.replace(b"deb", b"apk") + b"\n",
    "a type in capitals": ROW.replace(b"deb", b"DEB") + b"\n",
    "no name": ROW.replace(b"libc6", b"") + b"\n",
    "a name with a space": ROW.replace(b"libc6", b"lib c6") + b"\n",
    "a name with a slash": ROW.replace(b"libc6", b"../c6") + b"\n",
    "a name with a quote": ROW.replace(b"libc6", b'lib"c6') + b"\n",
    "a long name": ROW.replace(b"libc6", b"c" * 201) + b"\n",
    "a long licence": ROW + b"x" * 2001 + b"\n",
    "a column too many": ROW + b"\tx\n",
    "a column too few": b"deb\tlibc6\t2.36-9\tamd64\tglibc\n",
    "an escape": ROW + b"\x1b[31m\n",
    "a carriage return": ROW + b"\r\n",
    "a NUL": ROW + b"\0\n",
    "a line separator": ROW + "\u2028".encode() + b"\n",
    "a letter that is none of ASCII": ROW + "é".encode() + b"\n",
    "another encoding": ROW + b"\xe9\n",
    "UTF-16": LISTED.decode().encode("utf-16"),
    "too many": (ROW + b"\n") * (packagelist.MAX_PACKAGES + 1),
}


@pytest.mark.parametrize("content", ODD.values(), ids=list(ODD))
def test_what_the_gate_does_not_write_is_no_list(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(line \d+ of )?its list of packages"):
        parse(content)
