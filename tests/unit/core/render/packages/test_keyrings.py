"""Which keys come into the keyring of a vendor's repository: tools/keyrings.sh, run with gpg."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakestone.core.render.frames import tool
from tests.support.keys import FIRST, KEYS, STRANGER, THIRD, THIRD_SUBKEY, VENDOR

pytestmark = pytest.mark.skipif(
    shutil.which("gpg") is None,
    reason="the tool asks gpg, which this machine lacks: `apt-get install gpg`; the end-to-end"
    " tests of vendors' packages ask it in an image",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name, as the sockets of gpg need it; keys/ is in it."""
    with tempfile.TemporaryDirectory(prefix="keys") as name:
        (Path(name) / "keys").mkdir()
        yield Path(name)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The tool with these words, in this folder instead of /."""
    text = tool("keyrings.sh").replace("/keys/", f"{folder}/keys/").replace("/out", f"{folder}/out")
    return subprocess.run(
        ["sh", "-c", text, "keyrings", *words],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def serve(folder: Path, *files: str, name: str = "vendor") -> None:
    """Have what these files hold be the key file of a vendor."""
    content = b"\n".join((KEYS / file).read_bytes() for file in files)
    (folder / "keys" / f"{name}.key").write_bytes(content)


def inside(folder: Path, name: str = "vendor") -> list[str]:
    """The fingerprints of the keys and subkeys in a keyring that was made."""
    command = ["gpg", "--homedir", str(folder), "--batch", "--with-colons", "--show-keys"]
    told = subprocess.run(
        [*command, folder / "out" / f"{name}.gpg"], capture_output=True, text=True, check=True
    ).stdout
    return [line.split(":")[9] for line in told.splitlines() if line.startswith("fpr:")]


@pytest.mark.parametrize(
    ("files", "wanted", "found"),
    [
        (["vendor.asc"], VENDOR, [VENDOR]),
        (["third.gpg"], THIRD, [THIRD, THIRD_SUBKEY]),
        (["first.asc", "vendor.asc", "second.asc"], VENDOR, [VENDOR]),
        (["vendor.asc", "stranger.asc"], VENDOR, [VENDOR]),
    ],
    ids=["alone", "with its subkey", "among others", "before a stranger's"],
)
def test_the_key_that_is_named_is_taken_with_its_subkeys_and_no_other(
    files: list[str], wanted: str, found: list[str], folder: Path
) -> None:
    serve(folder, *files)
    done = run(folder, "vendor", wanted)
    assert done.returncode == 0, done.stderr
    assert inside(folder) == found


@pytest.mark.parametrize(
    ("files", "wanted", "told"),
    [
        (["stranger.asc"], VENDOR, STRANGER),
        # gpg takes no key that it knows as another's subkey
        (["stranger.asc", "vendor.asc"], VENDOR, STRANGER),
        (["third.gpg"], THIRD_SUBKEY, THIRD),
        (["vendor.asc"], STRANGER, VENDOR),
        (["first.asc", "vendor.asc"], STRANGER, f"{FIRST}\n  {VENDOR}"),
    ],
    ids=[
        "a stranger's that has it as a subkey",
        "after a stranger's",
        "its own subkey",
        "another",
        "others",
    ],
)
def test_a_file_without_that_primary_key_is_refused_and_its_keys_are_told(
    files: list[str], wanted: str, told: str, folder: Path
) -> None:
    serve(folder, *files)
    done = run(folder, "vendor", wanted)
    assert done.returncode == 1
    said = f"bakestone: keyring vendor: expected the key {wanted}, the file has:\n  {told}\n"
    assert said in done.stderr
    assert not list((folder / "out").iterdir())


def test_several_vendors_have_a_keyring_each_of_one_time(folder: Path) -> None:
    serve(folder, "vendor.asc", name="one")
    serve(folder, "third.gpg", name="two")
    done = run(folder, "one", VENDOR, "two", THIRD)
    assert done.returncode == 0, done.stderr
    assert inside(folder, "one") == [VENDOR]
    assert inside(folder, "two") == [THIRD, THIRD_SUBKEY]
    made = [folder / "out", *(folder / "out").iterdir()]
    assert {path.stat().st_mtime for path in made} == {315532800}
