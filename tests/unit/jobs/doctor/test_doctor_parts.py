"""The doctor's readers of what others write: keys, pip's configuration, source lines, lists, apt's
and dnf's answers, builders.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bakestone.clients.engine.buildx import Definition, Engine, Target
from bakestone.clients.engine.events import State
from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import Session
from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component, Repository
from bakestone.core.lock import demand
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import REGISTRY, LockedBase, LockedPackages
from bakestone.core.lock.needs import Distro, PackageSet
from bakestone.core.lock.openpgp import fingerprints
from bakestone.jobs.doctor import answers
from bakestone.jobs.doctor.checks import machine, packages, repositories
from bakestone.jobs.doctor.checks.bases import Bases
from bakestone.jobs.doctor.checks.packages import Question
from bakestone.jobs.doctor.report import (
    BROKEN,
    ENVIRONMENTAL,
    UNCHECKED,
    Check,
    DoctorReport,
    Trouble,
)
from tests.support import imageserver
from tests.support.keys import KEYS, STRANGER, THIRD, VENDOR
from tests.support.mirror import FIRST
from tests.support.samples import MANY, made_up, made_up_lock, project
from tests.support.webserver import body, serving


def test_fingerprints_are_those_that_gpg_tells() -> None:
    first, third = (KEYS / "first.asc").read_bytes(), (KEYS / "third.gpg").read_bytes()
    assert fingerprints(first) == [FIRST]
    assert fingerprints(third) == [THIRD]
    assert fingerprints(first.replace(b"\n", b"\r\n")) == [FIRST]
    assert fingerprints(first + b"\n" + (KEYS / "second.asc").read_bytes())[0] == FIRST


def test_a_key_that_is_somebody_else_s_subkey_does_not_count() -> None:
    assert fingerprints((KEYS / "vendor.asc").read_bytes()) == [VENDOR]
    assert fingerprints((KEYS / "stranger.asc").read_bytes()) == [STRANGER]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html>",
        (KEYS / "third.gpg").read_bytes()[:40],
        b"\x99",
        b"\xc6\xff\xff",
        b"\xff" * 50,
        bytes(60),
    ],
)
def test_what_is_no_key_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        fingerprints(content)


def key_troubles(content: bytes, sha256: str = "") -> list[Trouble]:
    """What the doctor says of a vendor's key file."""
    with serving() as server:
        server.answers["/vendor.key"] = body(content)
        asker = Asker(Session(Site(), give_up=1))
        repository = Repository("vendor", "", f"{server.url}vendor.key", VENDOR)
        return repositories.key(repository, asker, sha256)


def test_a_foreign_primary_key_with_the_vendor_s_as_its_subkey_is_refused() -> None:
    (row,) = key_troubles((KEYS / "stranger.asc").read_bytes())
    assert row.why.endswith(f"/vendor.key has the key {STRANGER}, not {VENDOR}")
    assert row.state == BROKEN
    assert key_troubles((KEYS / "vendor.asc").read_bytes()) == []


def test_a_key_file_is_compared_with_the_checksum_of_the_lock() -> None:
    content = (KEYS / "vendor.asc").read_bytes()
    right, other = hashlib.sha256(content).hexdigest(), made_up("another file")
    assert key_troubles(content, right) == []
    (row,) = key_troubles(content, other)
    assert f"has the right key in another file: sha256 {right}, the lock has {other}" in row.why
    assert "`bakestone lock --update` takes the new file" in row.hint
    assert row.state == BROKEN


BASE = LockedBase(f"sha256:{made_up('base')}", {}, "registry", "")
SETS: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("git=1:2.39.5-1", "libc6=2.36-9"), ("a", "b")),
    (("gcc=4:12.2", "libc6=2.36-9"), ("c",)),
]
QUESTION = Question(
    "debian:12", "linux/amd64", BASE, "apt", sets=SETS, loose=[(("wget=1.21",), ("c",))]
)


def test_a_time_that_a_registrys_base_does_not_have_is_told() -> None:
    """SOURCE_DATE_EPOCH of everything that is built on it."""
    both = ("linux/amd64", "linux/arm64")
    with imageserver.serving() as server:
        index = server.image("team/base", "1", *both)
        platforms = server.platforms("team/base", "1")
        ref, made = f"{server.name}/team/base:1", 1763596800 + 365 * 86400
        locked = LockedBase(index, platforms, REGISTRY, "2026-11-22T00:00:00Z", made)
        users = Users(platforms={platform: {"one": None} for platform in both})
        asked = Bases(Registry(Site()))
        assert list(asked.check(ref, locked, users)) == []
        (row,) = asked.check(ref, replace(locked, epoch=made - 86400), users)
    assert f"made 2026-11-20 (`epoch: {made}`), and the lock says 2026-11-19" in row.why


def test_apt_s_answers_become_rows_by_who_is_hit() -> None:
    answer = (
        "Reading package lists...\nE: Version '1:2.39.5-1' for 'git' was not found\nE: Version"
        " '2.36-9' for 'libc6' was not found\n"
    )
    rows = packages.found(
        QUESTION, {"answer0": answer, "answer1": "E: Version '2.36-9' for 'libc6' was not found\n"}
    )
    assert {row.items: row.variants for row in rows} == {
        ("git=1:2.39.5-1",): ("a", "b"),
        ("libc6=2.36-9",): ("a", "b", "c"),
    }
    assert all(row.state == BROKEN and "no longer in the archive" in row.why for row in rows)


def test_a_package_that_is_gone_altogether_is_told_with_its_version() -> None:
    (row,) = packages.found(QUESTION, {"answer2": "E: Unable to locate package wget\n"})
    assert (row.items, row.variants) == (("wget=1.21",), ("c",))
    assert packages.found(QUESTION, {}) == []


def test_packages_that_cannot_be_installed_together_are_broken_in_apt_s_words() -> None:
    answer = (
        "The following packages have unmet dependencies:\n gcc : Depends: cpp (= 4:12.2) but 4:12.3"
        " is to be installed\nE: Broken.\n"
    )
    (row,) = packages.found(QUESTION, {"answer1": answer})
    assert (row.state, row.variants) == (BROKEN, ("c",))
    assert "cpp (= 4:12.2)" in row.why


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (
            "E: The repository 'http://h.test bookworm Release' no longer has a Release file.",
            BROKEN,
        ),
        (
            (
                "E: Failed to fetch http://h.test/InRelease  Could not connect to h.test:80"
                " (10.0.0.1). - connect (111: Connection refused)"
            ),
            UNCHECKED,
        ),
        (
            "E: Failed to fetch http://h.test/InRelease  Temporary failure resolving 'h.test'",
            UNCHECKED,
        ),
    ],
)
def test_an_archive_that_is_not_reached_is_told_apart_from_one_that_is_gone(
    line: str, state: str
) -> None:
    (row,) = packages.found(QUESTION, {"update": f"Hit:1 x\n{line}\n"})
    assert (row.state, row.variants) == (state, ("a", "b", "c"))


def test_dnf_s_answers_become_rows_by_who_is_hit() -> None:
    question = replace(
        QUESTION,
        manager="dnf",
        sets=[(("gcc-0:8-1.x86_64",), ("a",)), (("git-0:2-1.x86_64", "gcc-0:8-1.x86_64"), ("b",))],
        loose=[],
    )
    (row,) = packages.found(question, {"answer0": "bakestone: no package gcc-0:8-1.x86_64\n"})
    assert (row.items, row.variants) == (("gcc-0:8-1.x86_64",), ("a", "b"))
    (row,) = packages.found(
        question, {"answer0": "bakestone: dnf: Failed to download metadata for repo 'x'\n"}
    )
    assert row.state == UNCHECKED


def test_what_is_asked_is_what_the_dockerfiles_install(library: Library, tmp_path: Path) -> None:
    made = project(tmp_path, MANY, library=library)
    planned = demand.of(made.matrix.variants, library)
    lock = made_up_lock(made.matrix.variants, library)
    asked = packages.questions(planned.sets, lock.packages, lock.bases, {})
    assert [(q.ref, q.platform) for q in asked] == [
        ("docker.io/library/debian:12", p) for p in ("linux/amd64", "linux/arm64")
    ]
    for question in asked:
        text = question.dockerfile("now")
        assert re.findall(r"^FROM (.*)$", text, re.MULTILINE) == [
            "scratch AS tools",
            f"docker.io/library/debian:12@{lock.bases[question.ref].digest} AS ask",
            "scratch",
        ]
        wanted = [
            asked_for.names
            for asked_for, users in planned.sets.items()
            if asked_for.base == question.ref and users.on(question.platform)
        ]
        assert wanted
        for names in wanted:
            closure = lock.packages[question.ref].versions[question.platform][names]
            assert (
                "--no-install-recommends"
                f" {' '.join(f'{n}={v}' for n, v in sorted(closure.items()))} " in text
            )


def test_what_comes_from_a_vendor_is_not_asked_of_the_distro() -> None:
    component = Component("debian", "distro", Path(), {}, {}, (), "")
    distro = Distro(component, component.make_version("12", {}, dict), "debian@12")
    wanted = PackageSet(
        "debian:12", distro, ("cuda=12-1",), (Repository("nvidia", "https://h.test /", "", ""),)
    )
    locked = LockedPackages(
        "versions",
        "debian@12",
        "",
        versions={
            "linux/amd64": {wanted.names: {"cuda": "12-1", "cuda-nvcc": "12-2", "libc6": "2.36"}}
        },
    )
    users = Users(dict.fromkeys("a"), {"linux/amd64": dict.fromkeys("a")})

    def asked(vendors: dict[str, set[str]]) -> list[Question]:
        return packages.questions(
            {wanted: users}, {"debian:12": locked}, {"debian:12": BASE}, vendors
        )

    (question,) = asked({"nvidia": {"cuda-nvcc=12-2"}})
    assert (question.sets, question.loose) == ([], [(("libc6=2.36",), ("a",))])
    assert "download --print-uris libc6=2.36 " in question.dockerfile("now")
    (question,) = asked({"nvidia": set()})
    assert question.loose == [(("cuda-nvcc=12-2", "libc6=2.36"), ("a",))], (
        "what the vendor took away is nowhere"
    )
    assert asked({}) == [], "nothing is guessed where the vendor's list is not known"


def destination(target: Target) -> Path:
    """The folder that a target is exported to."""
    outputs = target["output"]
    assert isinstance(outputs, list)
    return Path(outputs[0].partition("dest=")[2])


class Failing(Engine):
    """An engine on which one base cannot be pulled; bake then ends for all, as BuildKit's does."""

    def __init__(self, bad: str) -> None:
        super().__init__(Site())
        self.bad = bad
        self.calls: list[list[str]] = []

    def bake(self, definition: Definition, **_more: object) -> tuple[State, bool]:
        targets = definition["target"]
        self.calls.append(list(targets))
        state = State(tuple(targets))
        for name, target in targets.items():
            if self.bad in str(target["dockerfile-inline"]):
                state.feed(
                    f'{{"vertexes": [{{"digest": "x", "name": "[{name} internal] load metadata for'
                    ' x", "error": "not found"}]}'
                )
                return state, False
        for target in targets.values():
            folder = destination(target)
            folder.mkdir(parents=True)
            (folder / "answer2").write_text("E: Version '1.21' for 'wget' was not found\n", "utf-8")
        return state, True


def test_one_bad_base_does_not_end_the_question_for_the_others() -> None:
    engine = Failing("bad:1")
    rows = packages.ask(
        [replace(QUESTION, ref="bad:1"), QUESTION, replace(QUESTION, ref="good:2")], engine, "now"
    )
    assert [(row.what, row.state) for row in rows] == [
        ("bad:1 (linux/amd64)", UNCHECKED),
        ("debian:12 (linux/amd64)", BROKEN),
        ("good:2 (linux/amd64)", BROKEN),
    ]
    assert len(engine.calls) == 2


@pytest.mark.parametrize("strange", ["link", "FIFO"])
def test_an_answer_that_is_no_file_is_not_read(tmp_path: Path, strange: str) -> None:
    class Hostile(Failing):
        def bake(self, definition: Definition, **_more: object) -> tuple[State, bool]:
            found = super().bake(definition)
            for target in definition["target"].values():
                path = destination(target) / "answer0"
                path.symlink_to(tmp_path / "secret") if strange == "link" else os.mkfifo(path)
            return found

    (tmp_path / "secret").write_text("E: of this machine\n", "utf-8")
    (row,) = packages.ask([QUESTION], Hostile("none"), "now")
    assert (row.state, row.variants) == (UNCHECKED, ("a", "b", "c"))
    assert "it is no regular file" in row.why


def test_a_platform_that_the_builder_has_not_is_told_with_who_needs_it(
    library: Library, tmp_path: Path
) -> None:
    made, users = project(tmp_path, MANY, library=library), Users()
    for variant in made.matrix.variants:
        users.add(variant)
    (row,) = machine.lacking(frozenset(["linux/amd64"]), users, "big")
    assert (row.state, row.what) == (ENVIRONMENTAL, "builder big for linux/arm64")
    assert row.variants == tuple(
        v.name for v in made.matrix.variants if "linux/arm64" in v.platforms
    )
    assert "scripts/engine emulate arm64" in row.hint
    assert machine.lacking(frozenset(["linux/amd64", "linux/arm64"]), users, "") == []


class OneBuilder(Engine):
    """An engine with one builder, or with none."""

    def __init__(self, builder: object | None, *, containerd: bool = True) -> None:
        super().__init__(Site())
        driver_status = [["driver-type", "io.containerd.snapshotter.v1" if containerd else "aufs"]]
        self.info = SimpleNamespace(docker_root_dir="/nowhere", driver_status=driver_status)
        self.builder = builder

    def client(self) -> Any:
        def inspect(_name: str | None) -> object:
            if self.builder is None:
                raise ValueError("no builder")
            return self.builder

        buildx = SimpleNamespace(inspect=inspect)
        return SimpleNamespace(buildx=buildx, info=lambda: self.info)


@pytest.mark.parametrize(
    ("driver", "status", "containerd", "platforms", "told", "ready"),
    [
        ("docker", "running", True, ["linux/amd64*", "linux/arm64/v8"], [], True),
        ("docker-container", "running", False, ["linux/amd64/v2", "linux/arm64"], [], True),
        ("docker-container", "stopped", True, [], ["it does not run"], False),
        ("docker", "running", False, ["linux/amd64", "linux/arm64"], ["containerd"], True),
        ("docker", "running", True, ["linux/amd64"], ["the builder has linux/amd64"], True),
    ],
)
def test_a_builder_is_told_of_by_what_it_lacks(
    library: Library,
    tmp_path: Path,
    driver: str,
    status: str,
    containerd: bool,
    platforms: list[str],
    told: list[str],
    ready: bool,
) -> None:
    node = SimpleNamespace(status=status, platforms=platforms)
    builder = SimpleNamespace(driver=driver, nodes=[node])
    users = demand.of(project(tmp_path, MANY, library=library).matrix.variants, library).platforms
    found = machine.Machine(OneBuilder(builder, containerd=containerd))
    rows = list(found.check(users))
    assert [part in row.why for row, part in zip(rows, told, strict=True)] == [True] * len(told)
    assert {row.state for row in rows} <= {ENVIRONMENTAL}
    assert found.ready == ready


def test_a_builder_that_buildx_does_not_have_is_told() -> None:
    found = machine.Machine(OneBuilder(None))
    (row,) = found.check(Users())
    assert (row.what, row.why) == ("the current builder", "buildx does not have it")
    assert not found.ready


def test_one_server_that_errs_is_not_this_machine_s_clock() -> None:
    assert machine.clock({"a": 5000, "b": 0.3, "c": -0.5}) == []
    assert machine.clock({}) == []
    (row,) = machine.clock({"a": 5000, "b": 4999, "c": 0})
    assert "4999 seconds ahead of the servers" in row.why


def test_room_is_needed_for_what_is_fetched_and_made_of_it(tmp_path: Path) -> None:
    assert machine.disk(tmp_path, tmp_path, 10**9, lambda _path: 5 * 10**9) == []
    (row,) = machine.disk(tmp_path, tmp_path, 10**9, lambda _path: 4 * 10**9)
    assert "4.0 GB free; about 5.0 GB" in row.why


def test_nonsense_from_a_server_is_a_row() -> None:
    def nonsense() -> list[Trouble]:
        raise KeyError("files")

    report = DoctorReport(())
    answers.run(
        [Check("wheel", "x==1", (), nonsense)],
        report,
        until=time.monotonic() + 60,
        tick=lambda _check: None,
    )
    (row,) = report.rows()
    assert (row.state, row.kind, row.what) == (UNCHECKED, "wheel", "x==1")
    assert "not understood" in row.why


def test_what_a_server_says_steers_no_terminal() -> None:
    report = DoctorReport(("a",))
    report.add(
        Check("file", "x", ("a",), list),
        [
            Trouble(
                "answers 404 \x1b[2J\x1b]0;owned\x07\r\n" + "y" * 5000,
                "hint",
                what="x\x1b[2J",
                items=("\x1b[1m",),
            )
        ],
    )
    (row,) = report.rows()
    assert all(text.isprintable() for text in (row.what, row.why, row.hint, *row.items))
    assert len(row.why) < 1000


def test_a_mistake_of_our_own_is_not_hidden() -> None:
    def mistake() -> list[Trouble]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answers.run(
            [Check("wheel", "x", (), mistake)],
            DoctorReport(()),
            until=time.monotonic() + 60,
            tick=lambda _check: None,
        )


@pytest.mark.parametrize(
    ("states", "code", "offline"),
    [
        ((), 0, 0),
        ((BROKEN, ENVIRONMENTAL, UNCHECKED), 1, 1),
        ((ENVIRONMENTAL, UNCHECKED), 3, 3),
        ((UNCHECKED,), 3, 0),
        ((BROKEN,), 1, 1),
    ],
)
def test_the_exit_code_says_who_is_to_act(states: tuple[str, ...], code: int, offline: int) -> None:
    report = DoctorReport(
        ("a",),
        Counter(),
        Counter(),
        [Trouble("why", "hint", state, state, "file", ("a",)) for state in states],
    )
    assert (report.code(offline_ok=False), report.code(offline_ok=True)) == (code, offline)
