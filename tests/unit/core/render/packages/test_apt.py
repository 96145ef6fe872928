"""The question what apt would install: a whole Dockerfile, also with packages of vendors."""

from __future__ import annotations

import re

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
