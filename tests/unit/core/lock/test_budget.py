"""`bakestone lock --check`: no network, nothing written; what is stale, not pinned or too old is
told where it can be changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.registry.client import Registry
from bakestone.core.library.catalog import Library
from bakestone.core.lock import budget, lockfile
from bakestone.core.lock.lock import Lock
from tests.support.command import Command
from tests.support.samples import MANY, Marked, locked, project, refused

DAY = "2026-11-22"
"""On which the made-up locks were resolved, at midnight."""


@pytest.fixture
def check(
    bakestone: Command, monkeypatch: pytest.MonkeyPatch, library: Library
) -> Callable[..., str]:
    """Run `bakestone lock --check --at DATE`; gives what it said."""

    def nobody(*_: object) -> None:
        raise AssertionError("a check asks nobody")

    for name in ("upload", "open_blob", "manifest", "head"):
        monkeypatch.setattr(Registry, name, nobody)
    monkeypatch.setattr(Engine, "bake", nobody)

    def run(at: str, *arguments: str, code: int = 0) -> str:
        folder = Path()
        before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        result = bakestone("lock", "--check", "--at", at, *arguments)
        assert result.exit_code == code, result.output
        assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
        return result.output

    return run


def with_age(text: str, age: str) -> str:
    return text.replace("version: 1\n", f"version: 1\nmax-age: {age}\n", 1)


def test_a_lock_that_is_whole_is_one_line(
    check: Callable[..., str], library: Library, tmp_path: Path
) -> None:
    locked(tmp_path, MANY, library=library)
    said = check(DAY)
    assert said.startswith(
        "images.lock.yaml: fits images.yaml, every base is pinned (3 base images, "
    )
    assert said.endswith(
        "; the oldest of 6 entries that age: docker.io/library/debian:12 (base image, 23 hours)\n"
    )
    assert said.count("\n") == 1


def test_within_its_budget_a_lock_is_good_and_past_it_the_entries_and_the_place_are_named(
    check: Callable[..., str], library: Library, tmp_path: Path
) -> None:
    marked = Marked.of(with_age(MANY, "«30d»"))
    locked(tmp_path, marked.text, library=library)
    check("2026-12-21")
    said = check("2026-12-22", code=1)
    assert (
        f"images.yaml:{marked.line}:{marked.column}: 6 entries of the lock are older than 30d:"
        " docker.io/library/debian:12 (base image, 30 days)" in said
    )
    assert "docker.io/library/ubuntu:22.04 (packages as of a time, 30 days)" in said
    assert ", and 1 more" in said
    assert "hint: run `bakestone lock --update`, then `bakestone generate`" in said


@pytest.mark.parametrize(
    ("age", "good", "bad"),
    [("36h", DAY, "2026-11-23"), ("8w", "2027-01-16", "2027-01-17"), ("1d", "", DAY[:-2] + "23")],
)
def test_hours_days_and_weeks(
    age: str, good: str, bad: str, check: Callable[..., str], library: Library, tmp_path: Path
) -> None:
    locked(tmp_path, with_age(MANY, age), library=library)
    if good:
        check(good)
    assert f"older than {age}" in check(bad, code=1)


def test_a_family_has_a_budget_of_its_own(
    check: Callable[..., str], library: Library, tmp_path: Path
) -> None:
    text = with_age(MANY, "400d").replace("  - name: gpu\n", "  - name: gpu\n    max-age: 10d\n")
    locked(tmp_path, text, library=library)
    said = check("2026-12-22", code=1)
    assert "2 entries of the lock are older than 10d" in said
    assert "ubuntu" not in said
    place = next(n for n, line in enumerate(text.splitlines(), 1) if "10d" in line)
    assert said.startswith(f"images.yaml:{place}:14: ")


def test_a_family_can_be_of_any_age(
    check: Callable[..., str], library: Library, tmp_path: Path
) -> None:
    text = with_age(MANY, "10d").replace("  - name: cpu\n", "  - name: cpu\n    max-age: none\n")
    locked(tmp_path, text, library=library)
    assert "ubuntu" not in check("2026-12-22", code=1)


def test_files_wheels_keys_and_frozen_archives_do_not_age(library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, MANY, library=library)
    lock = made.lock
    lock.packages = {
        ref: replace(p, pins="frozen", snapshot="") for ref, p in lock.packages.items()
    }
    assert {e.kind for e in budget.entries(lock)} == {"base image"}


def test_a_snapshot_is_as_old_as_its_time(library: Library, tmp_path: Path) -> None:
    lock = locked(tmp_path, MANY, library=library).lock
    ref = "docker.io/library/ubuntu:22.04"
    lock.packages[ref] = replace(lock.packages[ref], snapshot="20260101T000000Z")
    oldest = budget.entries(lock)[0]
    assert (oldest.ref, oldest.since) == (ref, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_base_without_a_digest_is_told(
    check: Callable[..., str], library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    lock = lockfile.load(made.lock_path)
    lock.bases["docker.io/library/debian:12"] = replace(
        lock.bases["docker.io/library/debian:12"], digest="", note="nobody knows it"
    )
    lockfile.write(lock, made.lock_path)
    assert "docker.io/library/debian:12: it has no digest" in check(DAY, code=1)


def test_a_stale_lock_says_all_that_changed(
    check: Callable[..., str], library: Library, tmp_path: Path
) -> None:
    locked(tmp_path, MANY, library=library)
    project(
        tmp_path, with_age(MANY.replace('nccl: "2.27.7"', 'nccl: "2.31.2"'), "1h"), library=library
    )
    said = check(DAY, code=1)
    assert "the lock is stale: nccl 2.27.7 -> 2.31.2 (images.yaml:20:56) is not locked" in said
    assert "older than 1h" in said
    assert said.endswith("2 errors\n")


def test_programs_get_the_ages_and_the_findings(
    check: Callable[..., str], library: Library, tmp_path: Path
) -> None:
    locked(tmp_path, with_age(MANY, "1d"), library=library)
    told = json.loads(check("2026-11-24", "--format", "json", code=1))
    assert told["findings"][0]["file"] == "images.yaml"
    assert told["entries"][0] == {
        "ref": "docker.io/library/debian:12",
        "kind": "base image",
        "since": "2026-11-22T00:00:00+00:00",
        "hours": 71,
    }


def test_generate_warns_and_goes_on(bakestone: Command, library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, with_age(MANY, "1h"), library=library)
    lock = lockfile.load(made.lock_path)
    lock.bases = {ref: replace(b, resolved="2020-01-01T00:00:00Z") for ref, b in lock.bases.items()}
    lockfile.write(lock, made.lock_path)
    result = bakestone("generate")
    assert result.exit_code == 0, result.output
    assert (
        "warning: 6 entries of the lock are older than 1h" in result.output
        or "warning: 3 entries of the lock are older than 1h" in result.output
    )
    assert (tmp_path / "dockerfiles").is_dir()


WRONG = {
    "a number": (
        "max-age: «30»\n",
        "max-age must be text, and 30 is a number in YAML",
        "write its unit: 30d",
    ),
    "no unit": (
        "max-age: «'30'»\n",
        'max-age cannot be "30"',
        "a number and h, d or w (hours, days, weeks), such as 30d",
    ),
    "an unknown unit": ("max-age: «30m»\n", 'max-age cannot be "30m"', "such as 30d"),
    "words": ("max-age: «30 days»\n", "it contains a space", "such as 30d"),
    "nothing": ("max-age: «0d»\n", 'max-age cannot be "0d"', "such as 30d"),
    "no time at all": ("max-age: «»\n", "max-age must be text", "quotes"),
    "a near miss": ("«max_age»: 30d\n", "unknown key 'max_age'", "did you mean max-age?"),
}


@pytest.mark.parametrize(("line", "message", "hint"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_budget_is_marked_and_explained(
    line: str, message: str, hint: str, tmp_path: Path
) -> None:
    marked = Marked.of(MANY.replace("version: 1\n", f"version: 1\n{line}", 1))
    (found,) = refused(lambda: project(tmp_path, marked.text).matrix)
    assert message in found.message
    assert hint in found.hint
    assert found.line == marked.line


def test_the_budget_is_no_part_of_what_makes_a_lock_stale(library: Library, tmp_path: Path) -> None:
    locked(tmp_path, MANY, library=library)
    assert isinstance(project(tmp_path, with_age(MANY, "30d"), library=library).lock, Lock)
