"""The question what apt would install: a whole Dockerfile, also with packages of vendors."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Repository
from bakestone.core.lock.needs import Distro, PackageSet
from bakestone.core.render.packages import apt
from bakestone.core.render.packages.updates import PackagesQuestion
from tests.support.samples import NOW

BASE = f"docker.io/library/debian:12@sha256:{'1' * 64}"
BUILDER = f"docker.io/library/debian:12@sha256:{'2' * 64}"
VENDORS = (
    Repository("nvidia", "https://h.example.com/cuda /", "https://h.example.com/key", "A" * 40),
    Repository("intel", "https://i.example.com/mpi all main", "https://i.example.com/k", "B" * 40),
)


def question(library: Library, *, keyrings: str, updates: bool) -> str:
    component = library.get("debian")
    assert component is not None
    distro = Distro(component, component.versions["12"], "debian@12")
    sets = [
        PackageSet("debian:12", distro, ("git",)),
        PackageSet("debian:12", distro, ("cuda=12-1",), VENDORS[:1]),
        PackageSet("debian:12", distro, ("mpi=1-1",), VENDORS),
    ]
    asked = PackagesQuestion(BASE, sets, "linux/amd64", NOW, keyrings, updates)
    return apt.question(asked)


@pytest.mark.parametrize("updates", [False, True])
@pytest.mark.parametrize("keyrings", ["", BUILDER])
def test_a_question_with_vendors_packages_has_all_its_stages(
    library: Library, keyrings: str, updates: bool
) -> None:
    text = question(library, keyrings=keyrings, updates=updates)
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", text, re.MULTILINE)
    assert stages == [
        ("scratch", "tools"),
        ("scratch", "keyring-files"),
        (keyrings or BASE, "keyrings"),
        *((BASE, f"ask{number}") for number in range(3)),
        ("scratch", ""),
    ]
    known: set[str] = set()
    for line in text.splitlines():
        used = re.match(r"(?:RUN|COPY) .*?\bfrom=([^ ,]+)", line)
        assert not used or used[1] in known, line
        known.update(re.findall(r"^FROM \S+ AS (\S+)$", line))
    for repository in VENDORS:
        assert f"ADD {repository.key} /{repository.name}.key\n" in text
        keyring = rf"^  {repository.name} {repository.fingerprint}(?: \\)?$"
        assert re.search(keyring, text, re.MULTILINE)
    copied = re.findall(r"^COPY --from=(\S+) /out/ /$", text, re.MULTILINE)
    assert copied == ["ask0", "ask1", "ask2"]
    assert [f"> /out/{number}\n" in text for number in range(3)] == [True] * 3


def test_the_distro_s_own_packages_are_asked_for_without_keyrings(library: Library) -> None:
    text = question(library, keyrings=BUILDER, updates=False)
    own = text[text.index(" AS ask0\n") : text.index(" AS ask1\n")]
    assert "keyrings" not in own
    assert "install --simulate --no-install-recommends git > /out/0\n" in own


def asked(library: Library, names: tuple[str, ...], says: str, tmp_path: Path) -> list[str]:
    """What the lines that ask for a set end with, where `says` stands for apt: what they write for
    people, or the closure where they end well.
    """
    component = library.get("debian")
    assert component is not None
    distro = Distro(component, component.versions["12"], "debian@12")
    wanted = [PackageSet("debian:12", distro, names)]
    text = apt.question(PackagesQuestion(BASE, wanted, "linux/amd64", NOW, "", updates=False))
    lines = text.partition("mkdir -p /out\n")[2].partition("\nEOF\n")[0]
    out = tmp_path / "out"
    out.mkdir()
    shown = "echo ' curl | 7.2-1 | http://a.test bookworm/main amd64 Packages'"
    script = f"set -eu\napt() {{\n{says}\n}}\napt-cache() {{ {shown}; }}\n{lines}\n"
    program = script.replace("/out/", f"{out}/").replace("apt-cache", "apt_cache")
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.splitlines()
    return [f"{k}={v}" for k, v in apt.closure((out / "0").read_text("utf-8")).items()]


def test_a_version_that_is_not_there_is_told_with_those_that_are(
    library: Library, tmp_path: Path
) -> None:
    log = asked(
        library,
        ("curl=7.1-1", "tree"),
        "echo \"E: Version '7.1-1' for 'curl' was not found\" >&2; return 100",
        tmp_path,
    )
    assert apt.unknown(log) == {"curl=7.1-1"}
    assert apt.versions(log) == {"curl": ["7.2-1"]}


def test_a_version_that_is_older_than_the_base_s_is_told_when_it_is_locked(
    library: Library, tmp_path: Path
) -> None:
    """The step that installs it would end with that."""
    says = (
        "echo 'The following packages will be DOWNGRADED:'; echo '  curl';"
        " echo 'Inst curl [7.2-1] (7.1-1 Debian:12/stable [amd64])'"
    )
    log = asked(library, ("curl=7.1-1",), says, tmp_path)
    assert apt.reasons(log) == ["The following packages will be DOWNGRADED:   curl"]


def test_a_version_that_is_there_is_the_answer(library: Library, tmp_path: Path) -> None:
    says = "echo 'Inst curl (7.1-1 Debian:12/stable [amd64])'"
    assert asked(library, ("curl=7.1-1",), says, tmp_path) == ["curl=7.1-1"]
