"""What a source distribution asks for is read without running any of it."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from bakestone.core.lock.sdists import stub
from tests.support.sdists import archive

INFO = "Metadata-Version: 1.2\nName: Fuse_Py\nVersion: 3.0.1\n"


def asks(content: bytes) -> list[str]:
    """The lines of the stub's METADATA that are about what it needs."""
    name, wheel = stub(content, "fuse-py", "3.0.1")
    assert name == "fuse_py-3.0.1-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(wheel)) as held:
        text = held.read("fuse_py-3.0.1.dist-info/METADATA").decode()
    return [line for line in text.splitlines() if line.startswith("Requires")]


def test_one_that_asks_for_nothing() -> None:
    assert asks(archive({"fusepy-3.0.1/PKG-INFO": INFO})) == []


def test_what_pkg_info_says() -> None:
    more = 'Requires-Python: >=3.8\nRequires-Dist: six>=1; python_version < "4"\nRequires-Dist: x\n'
    found = asks(archive({"fusepy-3.0.1/PKG-INFO": INFO + more}))
    assert found == [
        "Requires-Python: >=3.8",
        'Requires-Dist: six>=1; python_version < "4"',
        "Requires-Dist: x",
    ]


def test_what_setuptools_said_before() -> None:
    text = 'six>=1\n\n[:python_version < "3"]\nfutures\n\n[test]\npytest\n'
    files = {"a/PKG-INFO": INFO, "a/src/fusepy.egg-info/requires.txt": text}
    assert asks(archive(files)) == [
        "Requires-Dist: six>=1",
        'Requires-Dist: futures ; python_version < "3"',
    ]


REFUSED = {
    "no archive": (b"x", "it is no .tar.gz archive"),
    "cut short": (archive({"a/PKG-INFO": INFO})[:60], "it is no .tar.gz archive"),
    "zeroes": (gzip.compress(bytes(3 * 2**20)), "it has no PKG-INFO"),
    "damaged": (archive({"a/PKG-INFO": INFO})[:40] + bytes(40), "it is no .tar.gz archive"),
    "nothing": (archive({"a/setup.py": "import os; os.abort()"}), "it has no PKG-INFO"),
    "a link": (archive({"a/PKG-INFO": ""}, tarfile.SYMTYPE), "it has no PKG-INFO"),
    "another": (
        archive({"a/PKG-INFO": INFO.replace("3.0.1", "3.0.2")}),
        "it says that it is Fuse_Py 3.0.2",
    ),
    "built to be known": (
        archive({"a/PKG-INFO": INFO + "Dynamic: Requires-Dist\n"}),
        "what it asks for is known only when it is built",
    ),
}


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=list(REFUSED))
def test_what_says_nothing_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        stub(content, "fuse-py", "3.0.1")


def test_an_archive_that_unpacks_to_very_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bakestone.core.lock.sdists.MAX_UNPACKED", 2**20)
    bomb = archive({"a/long": "x" * 3 * 2**20, "a/PKG-INFO": INFO})
    assert len(bomb) < 10_000
    with pytest.raises(ValueError, match="it has more than 1 MiB in it"):
        stub(bomb, "fuse-py", "3.0.1")
