"""`lock`: digests from a registry, else from the library with a note; exact versions from apt's own
words.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.engine.events import State, Step
from bakestone.clients.registry.client import INDEX_TYPES, MANIFEST_TYPES, Manifest, Registry
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.library.version import Base
from bakestone.core.lock import lockfile, survey
from bakestone.core.lock.lock import LockedBase, LockedPackages
from bakestone.errors import ENVIRONMENT, BakestoneError, fail
from bakestone.jobs.lock import bases, entries, packages, resolve
from bakestone.jobs.lock.packages import WantedPackages
from bakestone.project import Project
from tests.support.samples import FIRST, MANY, NOW, made_up, project, refused

BASE = Base(
    "docker.io/library/debian:12",
    f"sha256:{made_up('known')}",
    "index",
    {"linux/amd64": f"sha256:{made_up('a')}"},
    {},
    "bookworm-20260918",
    "a source",
)
CREATED = {"architecture": "amd64", "os": "linux", "created": "2026-09-18T00:00:00Z"}


def index(*platforms: str) -> dict[str, Any]:
    return {
        "manifests": [
            {
                "digest": f"sha256:{made_up(p)}",
                "platform": dict(zip(("os", "architecture"), p.split("/"), strict=True)),
            }
            for p in platforms
        ]
    }


class Fake(Registry):
    """A registry that knows what it is told."""

    def __init__(
        self, answers: dict[str, dict[str, Any]], problem: BakestoneError | None = None
    ) -> None:
        super().__init__(Site())
        self.answers = answers
        self.problem = problem
        self.asked: list[str] = []

    def manifest(self, reference: str) -> Manifest | None:
        self.asked.append(reference)
        if self.problem:
            raise self.problem
        if "@sha256:" in reference:
            return Manifest(
                reference.partition("@")[2],
                MANIFEST_TYPES[0],
                b'{"config": {"digest": "sha256:c"}}',
            )
        found = self.answers.get(reference)
        if found is None:
            return None
        raw = json.dumps(found).encode()
        return Manifest(f"sha256:{hashlib.sha256(raw).hexdigest()}", INDEX_TYPES[0], raw)

    def config(self, reference: str, manifest: Manifest) -> dict[str, Any]:
        return CREATED


def test_the_registrys_answer_wins() -> None:
    registry = Fake({BASE.ref: index("linux/amd64", "linux/arm64")})
    found = bases.resolve(BASE, {"linux/amd64"}, registry, Site(), NOW)
    assert found.resolved_from == "registry"
    assert found.digest != BASE.digest
    assert found.platforms == {"linux/amd64": f"sha256:{made_up('linux/amd64')}"}
    assert (found.resolved, found.epoch, found.note) == (NOW, 1789689600, "")


def test_a_mirror_is_asked_in_the_registrys_place() -> None:
    registry = Fake({"mirror.example.com/library/debian:12": index("linux/amd64")})
    site = Site(registries={"docker.io/library": "mirror.example.com/library"})
    assert bases.resolve(BASE, {"linux/amd64"}, registry, site, NOW).resolved_from == "registry"
    assert all(reference.startswith("mirror.example.com/") for reference in registry.asked)


@pytest.mark.parametrize(
    ("registry", "why"),
    [
        (Fake({}), "the registry has no such tag"),
        (
            Fake({}, fail("the registry docker.io cannot be reached: timed out", code=ENVIRONMENT)),
            "cannot be reached: timed out",
        ),
        (Fake({BASE.ref: index("linux/arm64")}), "the registry has it for linux/arm64 only"),
    ],
)
def test_where_no_registry_answers_the_librarys_digest_is_taken_and_the_lock_says_so(
    registry: Fake, why: str
) -> None:
    found = bases.resolve(BASE, {"linux/amd64"}, registry, Site(), NOW)
    assert (found.resolved_from, found.digest, found.platforms) == (
        "library",
        BASE.digest,
        BASE.platforms,
    )
    assert why in found.note
    assert "component library" in found.note
    assert found.epoch == 1789689600


def test_a_mirror_that_refuses_the_account_is_an_error() -> None:
    registry = Fake(
        {},
        fail(
            "the registry mirror.example.com refuses access to library/debian (401)",
            code=ENVIRONMENT,
        ),
    )
    site = Site(registries={"docker.io/library": "mirror.example.com/library"})
    found = refused(lambda: bases.resolve(BASE, {"linux/amd64"}, registry, site, NOW), code=3)
    assert "refuses access" in found[0].message


class Simulated(Engine):
    """An engine whose apt answers what a recorded `apt-get install --simulate` answered."""

    ANSWER = (
        "NOTE: This is only a simulation!\nInst libnghttp2-14 (1.52.0-1+deb12u2 Debian:12.9/stable"
        " [amd64])\nInst libc6 [2.36-9+deb12u9] (2.36-9+deb12u10 Debian-Security:12/stable-security"
        " [amd64]) []\nInst libcrypt1:i386 (1:4.4.33-2 Debian:12.9/stable [i386])\nConf"
        " libnghttp2-14 (1.52.0-1+deb12u2 Debian:12.9/stable [amd64])\n"
    )

    def __init__(self) -> None:
        super().__init__(Site())
        self.definitions: list[dict[str, Any]] = []

    def bake(self, definition: dict[str, Any], **_more: Any) -> tuple[State, bool]:
        self.definitions.append(definition)
        for target in definition["target"].values():
            folder = Path(target["output"][0].partition("dest=")[2])
            folder.mkdir()
            for number in range(target["dockerfile-inline"].count("--simulate")):
                (folder / str(number)).write_text(self.ANSWER, "utf-8")
        return State(tuple(definition["target"])), True


class Unreachable(Engine):
    """An engine on which apt finds nothing."""

    def __init__(self) -> None:
        super().__init__(Site())

    def bake(self, definition: dict[str, Any], **_more: Any) -> tuple[State, bool]:
        state = State(tuple(definition["target"]))
        state.feed("E: Unable to locate package nonsense")
        return state, False


def resolved(
    made: Project,
    monkeypatch: pytest.MonkeyPatch,
    engine: type[Engine] = Simulated,
    selectors: tuple[str, ...] = (),
    update: bool = False,
) -> str:
    monkeypatch.setattr(entries, "Engine", lambda _site: engine())  # type: ignore[call-arg]
    known = {
        f"docker.io/library/{name}": index("linux/amd64", "linux/arm64")
        for name in ("ubuntu:22.04", "ubuntu:24.04", "debian:12")
    }
    monkeypatch.setattr(entries, "Registry", lambda _site: Fake(known))
    return resolve.resolve(made, selectors, update=update, say=lambda _text: None).text


def test_exact_versions_are_what_apt_would_install(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path, MANY, library=library, site="version: 1\npins: {debian: versions}\n")
    assert resolved(made, monkeypatch).endswith("for 4 variants; written")
    entry = lockfile.load(made.lock_path).packages["docker.io/library/debian:12"]
    assert entry.pins == "versions"
    assert set(entry.versions) == {"linux/amd64", "linux/arm64"}
    closures = [c for sets in entry.versions.values() for c in sets.values()]
    assert closures
    assert all(
        c
        == {
            "libnghttp2-14": "1.52.0-1+deb12u2",
            "libc6": "2.36-9+deb12u10",
            "libcrypt1:i386": "1:4.4.33-2",
        }
        for c in closures
    )
    assert made.dockerfiles


@pytest.mark.parametrize(
    ("site", "pins"), [("", "snapshot"), ("pins: {debian: versions}\n", "versions")]
)
def test_a_base_of_ones_own_is_pinned_as_what_it_is_like(
    site: str, pins: str, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = f"registry.example.com/golden@sha256:{made_up('golden')}"
    text = FIRST.replace("ubuntu@22.04", f"{{image: '{ref}', like: debian@12}}")
    made = project(tmp_path, text, library=library, site=f"version: 1\n{site}")
    resolved(made, monkeypatch)
    lock = lockfile.load(made.lock_path)
    assert (lock.packages[ref].pins, lock.packages[ref].distro) == (pins, "golden@12")
    assert lock.bases[ref].origin(ref) == ref
    assert resolved(made, monkeypatch).endswith("; nothing changed")
    (text,) = made.dockerfiles.values()
    assert f"\nFROM {ref} AS " in text


def test_a_snapshot_is_one_time_for_all_bases_of_a_distro(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path, MANY, library=library)
    resolved(made, monkeypatch)
    lock = lockfile.load(made.lock_path)
    times = {p.snapshot for p in lock.packages.values() if p.pins == "snapshot"}
    assert len(times) == 1
    assert times.pop().endswith("T000000Z")


def test_a_second_lock_changes_nothing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path, MANY, library=library)
    resolved(made, monkeypatch)
    before = made.lock_path.read_bytes()
    assert resolved(made, monkeypatch).endswith("; nothing changed")
    assert made.lock_path.read_bytes() == before


def test_a_lock_keeps_what_is_right_and_resolves_what_is_new(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path, MANY, library=library)
    resolved(made, monkeypatch)
    old = lockfile.load(made.lock_path)
    monkeypatch.setattr(resolve, "datetime", Later)
    changed = project(
        tmp_path, MANY.replace("distro: [debian@12]", "distro: [debian@13]"), library=library
    )
    resolved(changed, monkeypatch)
    new = lockfile.load(made.lock_path)
    kept = "docker.io/library/ubuntu:22.04"
    assert new.bases[kept] == old.bases[kept]
    assert new.packages[kept] == old.packages[kept]
    assert new.bases["docker.io/library/debian:13"].resolved == "2030-01-01T00:00:00Z"
    assert new.inputs != old.inputs


class Later:
    """A clock that is years ahead."""

    @staticmethod
    def now(_zone: object) -> Any:
        from datetime import UTC, datetime

        return datetime(2030, 1, 1, tzinfo=UTC)


def test_update_resolves_everything_again(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path, MANY, library=library)
    resolved(made, monkeypatch)
    monkeypatch.setattr(resolve, "datetime", Later)
    resolved(made, monkeypatch, update=True)
    assert {b.resolved for b in lockfile.load(made.lock_path).bases.values()} == {
        "2030-01-01T00:00:00Z"
    }


def test_a_selection_is_kept_in_the_lock(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path, MANY, library=library)
    resolved(made, monkeypatch, selectors=("family=cpu",))
    lock = lockfile.load(made.lock_path)
    assert lock.selection == ("family=cpu",)
    assert not any("nvidia" in text for text in lock.wheels)
    assert [v.family.name for v in made.locked_variants] == ["cpu"] * 3


def test_nothing_is_written_when_packages_cannot_be_resolved(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path, MANY, library=library, site="version: 1\npins: {debian: versions}\n")
    (found,) = refused(lambda: resolved(made, monkeypatch, Unreachable), code=3)
    assert "E: Unable to locate package nonsense" in found.message
    assert "docker.io/library/debian:12" in found.message
    assert not made.lock_path.exists()


def test_packages_are_asked_for_without_running_anything_of_the_lock(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Simulated()
    monkeypatch.setattr(entries, "Engine", lambda _site: engine)
    monkeypatch.setattr(entries, "Registry", lambda _site: Fake({}))
    made = project(tmp_path, MANY, library=library, site="version: 1\npins: {debian: versions}\n")
    resolve.resolve(made, (), update=False, say=lambda _text: None)
    (definition,) = engine.definitions
    assert len(definition["target"]) == 2, "one target a platform, in one call"
    for target in definition["target"].values():
        text = target["dockerfile-inline"]
        tools, base, result = re.findall(r"^FROM (.*)$", text, re.MULTILINE)
        assert (tools, result) == ("scratch AS tools", "scratch")
        assert base.startswith("docker.io/library/debian:12@sha256:")
        assert "--no-install-recommends" in text


class Picky(Simulated):
    """An engine that fails as BuildKit does: at the first base that it does not like, with all
    other targets cancelled.
    """

    def __init__(self, *bad: str) -> None:
        super().__init__()
        self.bad = bad

    def bake(self, definition: dict[str, Any], **_more: Any) -> tuple[State, bool]:
        state = State(tuple(definition["target"]))
        for name, target in definition["target"].items():
            if any(ref in target["dockerfile-inline"] for ref in self.bad):
                self.definitions.append(definition)
                state.steps[name] = Step("RUN", name, "ask0", error="exit code: 100")
                state.steps[name].write(2, b"E: Unable to locate package nonsense\n")
                return state, False
        return super().bake(definition)


def wanted_on(library: Library, tmp_path: Path, refs: list[str]) -> list[WantedPackages]:
    """One package set on each of many bases."""
    made = project(tmp_path, MANY, library=library)
    needs = survey.collect(made.matrix.variants, library)
    first, *_ = needs.packages["docker.io/library/debian:12"].values()
    return [
        WantedPackages(
            ref,
            LockedBase(f"sha256:{made_up(ref)}", {}, "registry", NOW),
            {"linux/amd64": (first,)},
        )
        for ref in refs
    ]


def ask(
    library: Library, folder: Path, refs: list[str], engine: Engine
) -> tuple[list[BakestoneError], list[str]]:
    """The problems, and the bases that were resolved."""
    wanted = wanted_on(library, folder, refs)
    found = list(packages.resolve_versions(wanted, engine, NOW, lambda _text: None))
    problems = [answer for _, answer in found if isinstance(answer, BakestoneError)]
    done = [(w.ref, answer) for w, answer in found if isinstance(answer, LockedPackages)]
    assert all(answer.versions for _, answer in done)
    return problems, [ref for ref, _ in done]


def test_many_bases_are_asked_in_few_builds_of_a_size_that_buildkit_bears(
    library: Library, tmp_path: Path
) -> None:
    engine, refs = Simulated(), [f"docker.io/library/debian:{n}" for n in range(70)]
    problems, done = ask(library, tmp_path, refs, engine)
    assert problems == []
    assert done == refs
    assert [len(d["target"]) for d in engine.definitions] == [32, 32, 6]


def test_bases_that_fail_are_all_told_and_the_others_resolved(
    library: Library, tmp_path: Path
) -> None:
    refs = [f"docker.io/library/debian:{n}" for n in "abcdef"]
    engine = Picky("debian:b@", "debian:e@")
    problems, done = ask(library, tmp_path, refs, engine)
    assert [p.findings[0].name[-1] for p in problems] == ["b", "e"]
    assert all("there is no package nonsense" in str(p) for p in problems)
    assert [ref[-1] for ref in done] == ["a", "c", "d", "f"]
    assert len(engine.definitions) == 3, (
        "what was cancelled is asked again, without those that failed"
    )


def test_an_answer_that_is_none_is_told_with_its_base(library: Library, tmp_path: Path) -> None:
    class Silent(Simulated):
        def bake(self, definition: dict[str, Any], **_more: Any) -> tuple[State, bool]:
            return State(tuple(definition["target"])), True

    (problem,), _ = ask(library, tmp_path, ["docker.io/library/debian:12"], Silent())
    assert problem.code == ENVIRONMENT
    assert "docker.io/library/debian:12 (linux/amd64) cannot be understood" in str(problem)


def test_an_answer_that_leads_to_a_file_of_this_machine_is_not_read(
    library: Library, tmp_path: Path
) -> None:
    class Hostile(Simulated):
        def bake(self, definition: dict[str, Any], **_more: Any) -> tuple[State, bool]:
            found = super().bake(definition)
            for target in definition["target"].values():
                answer = Path(target["output"][0].partition("dest=")[2], "0")
                (tmp_path / "secret").write_text(self.ANSWER, "utf-8")
                answer.unlink()
                answer.symlink_to(tmp_path / "secret")
            return found

    (problem,), done = ask(library, tmp_path, ["docker.io/library/debian:12"], Hostile())
    assert "it is no regular file" in str(problem)
    assert done == []


@pytest.mark.parametrize(
    "line",
    [
        "bakestone: keyring vendor: expected the key AB, the file has:",
        "W: GPG error: x NO_PUBKEY CB57CE99C61E05F3",
    ],
)
def test_a_signature_of_another_key_is_no_trouble_of_the_network(
    line: str, library: Library, tmp_path: Path
) -> None:
    class Forged(Simulated):
        def bake(self, definition: dict[str, Any], **_more: Any) -> tuple[State, bool]:
            (name,) = definition["target"]
            state = State((name,))
            state.steps["x"] = Step("RUN", name, "keyrings", error="exit code: 1")
            state.steps["x"].write(2, line.encode() + b"\n")
            return state, False

    (problem,), _ = ask(library, tmp_path, ["docker.io/library/debian:12"], Forged())
    assert problem.code == 1
    assert line in str(problem)
    assert "correct `repositories` in component.yaml" in str(problem)
