"""The tools that the RUNs of Dockerfiles call, run with this machine's shell in a folder that
stands for the root.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bakestone.core.render.frames import tool
from tests.support import forkserver
from tests.support.webserver import WebServer, body, cut, first, serving, status

ROOTS = (
    *("/tmp/", "/run/secrets", "/etc/", "/usr/lib/", "/out", "/keys", "/pins", "/dev/shm/"),
    *("/var/cache/", "/wheels"),
)
EPOCH = 1_500_000_000


def moved(name: str, root: Path) -> str:
    """A tool with the folders that it uses below `root`."""
    return re.sub("|".join(map(re.escape, ROOTS)), lambda found: f"{root}{found[0]}", tool(name))


def shell(
    script: str, *words: str, path: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script with a stand-in's folder before the PATH."""
    search = f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]
    return subprocess.run(
        ["sh", "-c", script, "sh", *words],
        env={"PATH": search, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def stand_in(folder: Path, name: str) -> Path:
    """A program that prints its words, each in brackets. Gives its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text("#!/bin/sh\nprintf '[%s]' \"$@\"\necho\n", "utf-8")
    program.chmod(0o755)
    return folder


# apt.sh


def apt(root: Path, script: str, **files: str) -> str:
    """What apt-get is called with in a script that begins with apt.sh; `files` are those of the
    machine, with two underscores for a slash. A file that is made keeps its place below `root`.
    """
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (root / "tmp").mkdir(parents=True, exist_ok=True)
    done = shell(f"{moved('apt.sh', root)}\n{script}", path=stand_in(root / "bin", "apt-get"))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_packages_are_looked_up_and_installed_without_recommendations(tmp_path: Path) -> None:
    update, install = apt(tmp_path, "packages git=1:2 'lib c'").splitlines()
    assert update.endswith("[update]")
    assert install.endswith("[install][--yes][--no-install-recommends][git=1:2][lib c]")
    assert "[APT::Update::Error-Mode=any]" in update


def test_a_snapshot_s_sources_are_the_only_ones(tmp_path: Path) -> None:
    line = "deb http://snapshot.example.com/x noble main"
    (said,) = apt(tmp_path, f"only '{line}' 'deb http://b.example.com/ /'\napt update").splitlines()
    made = tmp_path / "tmp" / "only.list"
    assert made.read_text("utf-8") == f"{line}\ndeb http://b.example.com/ /\n"
    assert f"[Dir::Etc::SourceList={made}][-o][Dir::Etc::SourceParts=-]" in said


def test_a_frozen_archive_is_asked_without_other_sources(tmp_path: Path) -> None:
    said = apt(tmp_path, "no_parts\napt update")
    assert "[Dir::Etc::SourceParts=-]" in said
    assert "SourceList" not in said


def test_a_site_s_mirror_stands_for_what_it_mirrors(tmp_path: Path) -> None:
    mirrors = "http://a.example.com/ https://mirror.test/a/\nhttps://b.example.com/ /srv/b/\n"
    apt(
        tmp_path,
        "vendor 'deb http://a.example.com/x y z' 'deb http://a-example.com/ y z'\n"
        "vendor 'deb https://b.example.com/x /'",
        run__secrets__mirrors=mirrors,
    )
    assert (tmp_path / "tmp" / "vendor" / "vendor.list").read_text("utf-8").splitlines() == [
        "deb https://mirror.test/a/x y z",
        "deb http://a-example.com/ y z",
        "deb /srv/b/x /",
    ]


def test_a_vendor_s_repository_is_beside_those_of_the_base_but_never_twice(tmp_path: Path) -> None:
    parts = {
        "etc__apt__sources.list.d__cuda.list": "deb https://v.example.com/cuda /\n",
        "etc__apt__sources.list.d__debian.sources": "URIs: http://deb.example.com/debian\n",
    }
    said = apt(
        tmp_path,
        "parts https://v.example.com/cuda\nvendor 'deb https://v.example.com/cuda /'\napt update",
        **parts,
    )
    folder = tmp_path / "tmp" / "vendor"
    assert sorted(path.name for path in folder.iterdir()) == ["debian.sources", "vendor.list"]
    assert f"[Dir::Etc::SourceParts={folder}]" in said


def test_the_certificates_of_a_base_are_used_where_it_has_some(tmp_path: Path) -> None:
    assert "Verify-Peer=false" in apt(tmp_path / "without", "https\napt update")
    bundle = {"etc__ssl__certs__ca-certificates.crt": "x"}
    assert "Verify-Peer" not in apt(tmp_path / "with", "https\napt update", **bundle)


def test_a_site_s_settings_and_certificates_are_used(tmp_path: Path) -> None:
    said = apt(
        tmp_path, "apt update; echo $APT_CONFIG", run__secrets__apt="x", run__secrets__ca="x"
    )
    assert f"[Acquire::https::CaInfo={tmp_path}/run/secrets/ca]" in said
    assert said.endswith(f"{tmp_path}/run/secrets/apt\n")


def test_old_apt_gets_https_first(tmp_path: Path) -> None:
    said = apt(tmp_path / "old", "https_method")
    assert "[apt-transport-https][ca-certificates]" in said
    assert not apt(tmp_path / "new", "https_method", usr__lib__apt__methods__https="x")


# wheels.sh


def wheel(name: str, text: str, **more: str) -> bytes:
    """A wheel that holds one file with this text, and more, with two underscores for a slash."""
    about = f"{name}-1.dist-info"
    files = {
        f"{name}/text": text,
        **{path.replace("__", "/"): content for path, content in more.items()},
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f'"{path}",{_recorded(content)},{len(content)}\n' for path, content in files.items()]
    files[f"{about}/RECORD"] = "".join([*rows, f"{about}/RECORD,,\n"])
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return raw.getvalue()


def _recorded(content: str) -> str:
    """A hash as it stands in a RECORD."""
    raw = hashlib.sha256(content.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(raw).decode().rstrip('=')}"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Wheels:
    """wheels.sh with this machine's pip, an index, and the folder that the builder keeps."""

    root: Path
    index: WebServer
    python: Path

    def serve(self, name: str, content: bytes) -> None:
        link = f"/{name}-1-py3-none-any.whl"
        page = f'<!DOCTYPE html><a href="{link}">{link[1:]}</a>'.encode()
        self.index.on(f"simple/{name}/", body(page, "text/html"))
        self.index.file(link[1:], content)

    def run(self, *lines: str, words: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Unpack what these lines of a requirements.txt name, into an empty folder."""
        (self.root / "pins").mkdir(exist_ok=True)
        (self.root / "pins" / "requirements.txt").write_text("\n".join(lines) + "\n", "utf-8")
        shutil.rmtree(self.root / "wheels", ignore_errors=True)
        self.index.asked.clear()
        programs = self.root / "bin"
        if not programs.exists():
            stand_in(programs, "sleep")
            (programs / "python3").symlink_to(self.python)
        return shell(
            moved("wheels.sh", self.root),
            *words,
            path=programs,
            PIP_CONFIG_FILE=os.devnull,
            PIP_INDEX_URL=f"{self.index.url}simple/",
        )

    def unpacked(self) -> dict[str, str]:
        """What is below /wheels: name of a wheel -> its text."""
        found = (self.root / "wheels").rglob("text")
        return {path.parent.name: path.read_text("utf-8") for path in found}

    def fetched(self) -> list[str]:
        """The wheels that the index was asked for."""
        return [path[1:].partition("-")[0] for path in self.index.asked if path.endswith(".whl")]

    def kept(self) -> dict[str, Path]:
        """What the builder keeps: hash -> wheel."""
        found = (self.root / "var" / "cache" / "bakestone-wheels").rglob("*.whl")
        return {path.parent.name: path for path in found}


FIRST = ("-m", "pip", "download", "--no-index", "--no-cache-dir", "what-nobody-has")
"""Has pip import all that it needs: four fifths of its time, and it is started sixty times."""


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """Python with this machine's pip."""
    with (
        tempfile.TemporaryDirectory(prefix="pip") as folder,  # sockets need a short name
        forkserver.program(Path(folder) / "python3", *FIRST) as made,
    ):
        yield made


@pytest.fixture
def wheels(tmp_path: Path, python: Path) -> Iterator[Wheels]:
    with serving() as index:
        yield Wheels(tmp_path, index, python)


ONE, TWO = wheel("one", "1"), wheel("two", "2")
LINE_ONE = f"one==1 --hash=sha256:{'0' * 64} --hash=sha256:{digest(ONE)}"
"""As for two platforms."""
LINE_TWO = f"two==1 --hash=sha256:{digest(TWO)}"


def test_a_step_that_broke_off_goes_on_with_the_wheels_that_it_lacks(wheels: Wheels) -> None:
    wheels.serve("one", ONE)
    wheels.serve("two", TWO)
    wheels.index.on("two-1-py3-none-any.whl", cut(TWO, 100))
    assert wheels.run(LINE_ONE, LINE_TWO).returncode != 0
    assert wheels.fetched() == ["one", *["two"] * 3]
    assert set(wheels.kept()) == {digest(ONE)}
    assert not wheels.unpacked()

    wheels.serve("two", TWO)
    done = wheels.run(LINE_ONE, LINE_TWO)
    assert done.returncode == 0, done.stderr
    assert wheels.fetched() == ["two"]
    assert wheels.unpacked() == {"one": "1", "two": "2"}
    wheels.index.answers.clear()
    assert wheels.run(LINE_ONE, LINE_TWO).returncode == 0
    assert not wheels.index.asked, "nobody is asked for what is kept"


def test_a_wheel_that_broke_off_is_fetched_again(wheels: Wheels) -> None:
    wheels.serve("one", ONE)
    wheels.index.on("one-1-py3-none-any.whl", first(cut(ONE, 100), status(503), body(ONE)))
    assert wheels.run(LINE_ONE).returncode == 0
    assert wheels.unpacked() == {"one": "1"}


def test_an_altered_wheel_is_refused_and_not_kept(wheels: Wheels) -> None:
    wheels.serve("one", wheel("one", "evil"))
    done = wheels.run(LINE_ONE)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not wheels.kept()
    assert not wheels.unpacked()


def test_a_kept_wheel_that_was_altered_is_fetched_anew(wheels: Wheels) -> None:
    wheels.serve("one", ONE)
    assert wheels.run(LINE_ONE).returncode == 0
    place = wheels.kept()[digest(ONE)]
    place.write_bytes(wheel("one", "evil"))
    (place.parent / "a-1-py3-none-any.whl").write_bytes(wheel("a", "evil"))
    done = wheels.run(LINE_ONE)
    assert done.returncode == 0, done.stderr
    assert wheels.fetched() == ["one"]
    assert wheels.unpacked() == {"one": "1"}
    assert place.read_bytes() == ONE


def test_a_wheel_that_is_altered_after_it_was_compared_is_refused_by_pip(wheels: Wheels) -> None:
    wheels.serve("one", ONE)
    assert wheels.run(LINE_ONE).returncode == 0
    wheels.kept()[digest(ONE)].write_bytes(wheel("one", "evil"))
    believing = wheels.root / "bin" / "sha256sum"
    believing.write_text("#!/bin/sh\ncat >/dev/null\n", "utf-8")
    believing.chmod(0o755)
    done = wheels.run(LINE_ONE)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not wheels.unpacked()


def test_a_kept_wheel_is_of_no_use_under_another_hash(wheels: Wheels) -> None:
    """A pin that changed is fetched, whatever is kept of the same name and version."""
    wheels.serve("one", ONE)
    assert wheels.run(LINE_ONE).returncode == 0
    newer = wheel("one", "newer")
    done = wheels.run(f"one==1 --hash=sha256:{digest(newer)}")
    assert "DO NOT MATCH THE HASHES" in done.stderr
    wheels.serve("one", newer)
    assert wheels.run(f"one==1 --hash=sha256:{digest(newer)}").returncode == 0
    assert wheels.unpacked() == {"one": "newer"}
    assert set(wheels.kept()) == {digest(ONE), digest(newer)}


def test_pip_s_own_cache_is_not_used(wheels: Wheels) -> None:
    wheels.serve("one", ONE)
    assert wheels.run(LINE_ONE).returncode == 0
    below = (wheels.root / "var" / "cache" / "bakestone-wheels").rglob("*")
    assert {p.suffix for p in below if p.is_file()} == {".whl"}, "nothing else is left behind"
    assert "--no-cache-dir" in tool("wheels.sh")


def test_wheels_of_one_python_go_where_that_one_looks(wheels: Wheels) -> None:
    wheels.serve("one", ONE)
    done = wheels.run(LINE_ONE, words=["3.12", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64"])
    assert done.returncode == 0, done.stderr
    assert (wheels.root / "wheels/lib/python3.12/site-packages/one/text").is_file()


SPLIT = [(), ("3.12", "manylinux_2_17_x86_64")]
"""As pip installs wheels, and those of one Python."""


@pytest.mark.parametrize("words", SPLIT, ids=["prefix", "one Python"])
@pytest.mark.parametrize("place", ["shared__lib.so", "two-1.data__data__lib__lib.so"])
def test_a_file_that_two_wheels_bring_with_other_bytes_ends_the_stage(
    wheels: Wheels, words: tuple[str, ...], place: str
) -> None:
    """As CUDA 12's and CUDA 13's wheels of one library do."""
    one = wheel("one", "1", **{place.replace("two", "one"): "for CUDA 12"})
    two = wheel("two", "2", **{place: "for CUDA 13"})
    wheels.serve("one", one)
    wheels.serve("two", two)
    lines = [f"{name}==1 --hash=sha256:{digest(raw)}" for name, raw in (("one", one), ("two", two))]
    done = wheels.run(*lines, words=words)
    assert done.returncode != 0
    said = r"/lib\.so is in (one|two)-1 and, with other bytes, in (?!\1)(one|two)-1: one would over"
    assert re.search(rf"bakestone: wheels: /\S*{said}write the other$", done.stderr, re.MULTILINE)


def test_a_file_that_two_wheels_bring_with_the_same_bytes_is_no_overwrite(wheels: Wheels) -> None:
    """The __init__.py of a namespace."""
    lines = []
    for name in ("one", "two"):
        raw = wheel(name, name, **{"shared__x, y.py": "", "shared__z.py": "z"})
        wheels.serve(name, raw)
        lines.append(f"{name}==1 --hash=sha256:{digest(raw)}")
    done = wheels.run(*lines)
    assert done.returncode == 0, done.stderr
    assert wheels.unpacked() == {"one": "one", "two": "two"}


def test_wheels_are_taken_by_hash_and_with_nothing_else() -> None:
    for word in ("--require-hashes", "--no-deps", "--only-binary :all:", "--no-index"):
        assert word in tool("wheels.sh")


# user.sh


@pytest.mark.parametrize(
    ("name", "number"), [("root", "54321"), ("bakestone-nobody-has", "0")], ids=["name", "number"]
)
def test_a_user_that_the_base_has_is_named(name: str, number: str, tmp_path: Path) -> None:
    done = shell(tool("user.sh"), name, number, path=stand_in(tmp_path, "useradd"))
    assert done.returncode == 1
    assert re.match(
        r"bakestone: user: the base image has root:x?:0:0:.*: say another `user`\n$", done.stderr
    )
    assert done.stdout == "", "no user is made"
