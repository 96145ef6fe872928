"""What the unit tests share: a first matrix, marked texts, a made-up lock, and findings taken
apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from bakestone.core.library.version import Version
from bakestone.core.lock import lockfile, samples, staleness, survey
from bakestone.core.lock.lock import (
    Lock,
    LockedArtifact,
    LockedBase,
    LockedKeyring,
    LockedPackages,
    LockedWheel,
)
from bakestone.core.lock.needs import Needs
from bakestone.core.matrix.variant import Variant
from bakestone.errors import BakestoneError, Finding, render
from bakestone.project import Project

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""

NOW = "2026-11-22T00:00:00Z"
EPOCH = 1790000000

FIRST = """\
version: 1
registry: localhost:5000/base
families:
  - name: first
    axes:
      distro: [ubuntu@22.04]
      mpi: [openmpi@5.0.10]
    methods: {openmpi: source}
"""
"""A matrix of one variant, openmpi5.0.10-ubuntu22.04."""

AZUREML = """\
version: 1
registry: localhost:5000/base
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: old
    axes:
      distro: [ubuntu@16.04, ubuntu@22.04, debian@12]
      git: ["2.53.0"]
"""
"""A matrix whose bases have archives that no longer change."""

MANY = """\
version: 1
registry: registry.example.com/base
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: cpu
    axes:
      distro: [ubuntu@22.04, ubuntu@24.04]
      mpi: [openmpi@4.1.8, openmpi@5.0.10]
      conda: [miniforge@26.3.2-3]
      git: ["2.53.0"]
    methods: {openmpi: source}
    exclude:
      - {distro: ubuntu@24.04, mpi: openmpi@4.1.*, because: the old MPI stays on the old distro}
  - name: gpu
    platforms: [linux/amd64, linux/arm64]
    axes:
      distro: [debian@12]
      mpi: [openmpi@5.0.10]
      gpu: [{cuda: "13.0.2", cudnn: "9.14.0.64", nccl: "2.27.7"}]
    methods: {openmpi: wheel}
"""
"""Two families and four variants, one of them with two platforms."""


@dataclass(frozen=True)
class Marked:
    """A text without its marks, and what stood between them:

    `a: «b»` marks b in line 1, column 4.
    """

    text: str
    line: int
    column: int
    marked: str

    @staticmethod
    def of(text: str) -> Marked:
        start, end = text.index("«"), text.index("»")
        before = text[:start]
        column = start - (before.rfind("\n") + 1) + 1
        return Marked(
            text.replace("«", "").replace("»", ""),
            before.count("\n") + 1,
            column,
            text[start + 1 : end],
        )


@dataclass(frozen=True)
class Shown:
    """A finding as a person sees it: `marked` is the text above the carets."""

    message: str
    hint: str
    line: int
    column: int
    marked: str
    text: str

    @staticmethod
    def of(finding: Finding) -> Shown:
        text = render([finding])
        lines = text.splitlines()
        carets = [i for i, line in enumerate(lines) if line.strip() and set(line.strip()) == {"^"}]
        marked = ""
        if carets:
            under, over = lines[carets[0]], lines[carets[0] - 1]
            marked = over[under.index("^") : len(under)]
        where = finding.where
        return Shown(
            finding.message,
            finding.hint,
            where.line if where else 0,
            where.column if where else 0,
            marked,
            text,
        )


def refused(action: Callable[[], object], *, code: int = 1) -> list[Shown]:
    """The findings with which `action` ends."""
    with pytest.raises(BakestoneError) as caught:
        action()
    assert caught.value.code == code
    return [Shown.of(finding) for finding in caught.value.findings]


def project(
    folder: Path, text: str = FIRST, *, library: Library | None = None, site: str | None = None
) -> Project:
    """A project in `folder` with this matrix; `library` is shared so that it is read once."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "images.yaml"
    path.write_text(text, "utf-8")
    site_path = None
    if site is not None:
        site_path = folder / "site.yaml"
        site_path.write_text(site, "utf-8")
    out = Project(path, folder / "images.lock.yaml", folder / "dockerfiles", site_path)
    if library is not None:
        from bakestone.core.matrix import expansion, spec

        out.matrix = expansion.expand(spec.load(path), library)
    return out


def locked(
    folder: Path, text: str = FIRST, *, library: Library | None = None, site: str | None = None
) -> Project:
    """Like `project`, with a made-up lock written beside the matrix."""
    out = project(folder, text, library=library, site=site)
    if (text, library) in _LOCKS:
        out.lock_path.write_text(_LOCKS[text, library], "utf-8")
        return out
    lockfile.write(made_up_lock(out.matrix.variants, out.matrix.library), out.lock_path)
    if library is not None:
        _LOCKS[text, library] = out.lock_path.read_text("utf-8")
    return out


_LOCKS: dict[tuple[str, Library | None], str] = {}
"""The locks of matrices whose library is shared, hundreds of tests, as they were written."""


def sampled(component: Component, version: Version, library: Library) -> Iterator[Variant]:
    """Variants with a version, one for each method by which some image can have it."""
    for method in version.methods or {"": {}}:
        variant = samples.find(component, version, method, library)
        if isinstance(variant, Variant):
            yield variant


def made_up(*words: str) -> str:
    """64 hex digits that stay the same."""
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def stale(lock: Lock, needs: Needs, path: Path) -> list[Finding]:
    """What makes a lock stale at the time of the samples, without a site file."""
    return staleness.stale(lock, needs, path, datetime.fromisoformat(NOW), lambda _distro: "")


def made_up_lock(
    variants: Iterable[Variant], library: Library, pins: dict[str, str] | None = None
) -> Lock:
    """A lock that fits the variants: the library's digests, and where it knows none such that
    nobody ever published, as are the versions of packages.

    `pins` names the way for a distro (`debian@12` -> `versions`); else the library's own.
    """
    wanted = survey.collect(variants, library)
    lock = Lock(inputs=wanted.fingerprint())
    for ref, base in wanted.bases.items():
        platforms = {
            p: base.platforms.get(p) or f"sha256:{made_up(ref, p)}"
            for p in sorted(wanted.platforms[ref])
        }
        lock.bases[ref] = LockedBase(
            base.digest or f"sha256:{made_up(ref)}",
            platforms,
            "library" if base.digest else "registry",
            NOW,
            base.epoch if base.digest else EPOCH,
            "made up for the tests",
            dict(base.provides),
        )
        sets = wanted.packages[ref]
        distro = next(iter(sets.values())).distro
        way = (pins or {"debian@12": "versions"}).get(distro.text) or distro.version.data["pins"]
        install = tuple(sorted(sets))
        if way == "snapshot":
            entry = LockedPackages(
                way,
                distro.text,
                NOW,
                snapshot="20261122T000000Z",
                resolved_from="snapshot",
                install=install,
            )
        elif way == "frozen":
            names = {name for one in sets.values() for name in one.names}
            known = {k: v for k, v in distro.version.data.get("apt", {}).items() if k in names}
            entry = LockedPackages(
                way, distro.text, NOW, known=known, resolved_from="library", install=install
            )
        else:
            closure = (
                _dnf_closure if distro.component.data.get("package_manager") == "dnf" else _closure
            )
            versions = {
                p: {one.names: closure(one.names, p) for one in wanted.sets_on(ref, p)}
                for p in sorted(platforms)
            }
            entry = LockedPackages(way, distro.text, NOW, versions=versions, resolved_from="image")
        lock.packages[ref] = entry
    lock.artifacts = {
        url: LockedArtifact(a.sha256, a.size, a.component, "library", NOW)
        for url, a in wanted.artifacts.items()
    }
    lock.wheels = {
        text: LockedWheel(dict(w.files), "library", NOW) for text, w in wanted.wheels.items()
    }
    lock.keyrings = {
        name: LockedKeyring(r.key, r.fingerprint, "", "library", NOW)
        for name, r in wanted.repositories.items()
    }
    return lock


def _dnf_closure(names: tuple[str, ...], platform: str) -> dict[str, str]:
    machine = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[platform]
    return {
        f"{name.partition('=')[0]}.{machine}": (
            f"0:{int(made_up(name)[:2], 16)}.{int(made_up(name)[2:4], 16)}-1.el9"
        )
        for name in names
    }


def _closure(names: tuple[str, ...], platform: str) -> dict[str, str]:
    """The names themselves and one package with them, which is another on each platform."""
    extra = (
        {"libmade-up-amd64": "1.0-1"}
        if platform == "linux/amd64"
        else {"libmade-up-arm64": "1.0-1"}
    )
    pinned = {name.partition("=")[0]: name.partition("=")[2] for name in names}
    return {
        name: version or f"1:{int(made_up(name)[:4], 16)}.{len(name)}-1+deb12u1"
        for name, version in pinned.items()
    } | extra
