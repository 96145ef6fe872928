"""Wheels are fetched by pip itself, from the server of another archive."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from bakestone.jobs.archive.catalog import WHEEL, ArchivedBlob
from bakestone.jobs.archive.collect import wheels
from tests.support.archives import empty, served
from tests.support.samples import refused

FILENAME = "bakestone_greeting-1.0-py3-none-any.whl"


def wheel() -> bytes:
    about = "bakestone_greeting-1.0.dist-info"
    files = {
        "bakestone_greeting.py": "",
        f"{about}/METADATA": (
            "Metadata-Version: 2.1\nName: bakestone-greeting\nVersion: 1.0\nRequires-Python: <3\n"
        ),
        f"{about}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        f"{about}/RECORD": "",
    }
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return raw.getvalue()


def test_pip_fetches_the_wheel_of_the_lock_and_no_other(tmp_path: Path) -> None:
    there, here = empty(tmp_path / "there"), empty(tmp_path / "here")
    digest = there.put(wheel())
    wanted = ArchivedBlob(WHEEL, FILENAME, digest, 0, variants=("v1",))
    with served(
        there, [ArchivedBlob(WHEEL, FILENAME, digest, len(wheel()))], tmp_path / "site"
    ) as site:
        assert wheels.fetch(wanted, site, here, print) == ArchivedBlob(
            WHEEL, FILENAME, digest, len(wheel()), variants=("v1",)
        )
        assert here.read(digest) == wheel()

        there.path(digest).write_bytes(wheel() + b"altered")
        assert wheels.fetch(wanted, site, here, print).digest == digest, (
            "what is there is not fetched again"
        )
        here.path(digest).write_bytes(b"altered")
        (finding,) = refused(lambda: wheels.fetch(wanted, site, here, print), code=3)
        assert FILENAME in finding.text
        assert here.path(digest).read_bytes() == b"altered", "nothing took its place"
