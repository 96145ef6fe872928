"""A base image made twice from the same packages is the same image, byte for byte, and one that
runs; and what the library says of its distro is so in it, and in the distro's archive.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN, Component, packages_for
from tests.e2e.engine import Engine
from tests.e2e.oci import Repository
from tests.e2e.workspace import Workspace


@pytest.fixture
def place(engine: Engine, prefix: str) -> str:
    if not engine.mirror:
        pytest.skip("made from Debian's archive: needs mmdebstrap (apt-get install) and a mirror")
    return f"{prefix}/bases/debian"


def test_made_twice_it_has_one_digest_and_runs(engine: Engine, place: str, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "team", engine, place)
    first = workspace.bakestone("base", "debian@12", "--to", place)
    reference = first.out.strip()
    assert reference.startswith(f"{place}:12@sha256:")
    again = workspace.bakestone("base", "debian@12", "--to", place)
    assert again.out == first.out
    assert "is there already, nothing to do" in again.err

    forced = workspace.bakestone(
        "base", "debian@bookworm", "--to", f"{place}:again", "--keep", "root.tar"
    )
    assert forced.out.strip().rpartition("@")[2] == reference.rpartition("@")[2]
    assert (workspace.folder / "root.tar").stat().st_size > 50_000_000

    stored = Repository(place)
    config = json.loads(stored.blob(stored.manifest("12")["config"]["digest"]))
    assert (config["architecture"], config["config"]["Cmd"]) == ("amd64", ["bash"])
    said = engine.run(
        reference,
        "cat /etc/debian_version; ls /dev/null /usr/sbin/policy-rc.d; ls /var/lib/apt/lists"
        " /etc/hostname 2>&1 || true",
    )
    assert said.startswith("12.")
    assert "Packages" not in said


LOOK = """\
awk -F: '{ print $1 ($3 >= 1000 ? ":" $3 : "") }' /etc/passwd | xargs
getconf GNU_LIBC_VERSION | cut -d' ' -f2
. /etc/os-release
echo $VERSION_ID $VERSION_CODENAME
apt-get -qq update >&2
for name in gcc python3 git; do
  apt-cache policy $name | sed -n 's/^ *Candidate: //p' | sed 's/^[0-9]*://' | cut -d. -f1,2
done
apt-cache show --no-all-versions $PACKAGES 2>/dev/null | sed -n 's/^Package: //p' | xargs
"""
"""Prints users, glibc, the release, versions in its archive, and which packages that has."""


@pytest.mark.parametrize("version", ["12", "13"])
def test_what_the_library_says_of_debian_is_so(version: str, engine: Engine) -> None:
    if not engine.mirror:
        pytest.skip("made from Debian's archive: needs mmdebstrap (apt-get install) and a mirror")
    library = Library(BUILT_IN)
    debian = library.get("debian")
    assert debian
    known = debian.versions[version]
    line = debian.line(version)
    asked = {name for component in library.components() for name in _asked(component, line)}
    said = engine.run(
        f"{engine.mirror}/debian:{version}", LOOK, "--env", f"PACKAGES={' '.join(sorted(asked))}"
    ).splitlines()
    users, glibc, release, gcc, python, git, packages = said
    assert set(packages_for(debian.users, line) or ()) == set(users.split()) - {"root"}
    assert glibc == known.measure["glibc"]
    assert release == f"{known.measure['version']} {known.measure['codename']}"
    assert known.data["codename"] == known.measure["codename"]
    assert gcc.partition(".")[0] == known.measure["gcc"]
    assert python == known.facts["python"]
    assert git == _git_of(library, f"debian@{version}")
    assert sorted(asked - set(packages.split())) == []


def _asked(component: Component, line: tuple[tuple[str, str], ...]) -> list[str]:
    """Every package that a component of the library asks for on a distro: in the finished image, by
    any method whose stage may be on it.
    """
    mappings = [component.packages, component.development.packages]
    mappings += [method.packages for method in component.methods.values()]
    return [name for mapping in mappings for name in packages_for(mapping, line) or ()]


def _git_of(library: Library, distro: str) -> str:
    """The first two numbers of the distro's own git, as the library has it."""
    git = library.get("git")
    assert git
    (found,) = [
        version.version
        for version in git.versions.values()
        for method in version.methods.values()
        if distro in method.get("versions", {})
    ]
    return ".".join(found.split(".")[:2])
