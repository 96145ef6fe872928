"""`doctor`: against a mirror that is whole it finds nothing; where ten things are broken in ten
ways it finds the ten, and who is hit.
"""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import yaml

from bakestone.clients.engine.buildx import Engine
from bakestone.core.lock import lockfile
from bakestone.core.render.release import ReleasedImage, ReleaseRecord
from bakestone.jobs.doctor import examine
from bakestone.jobs.doctor.report import (
    BROKEN,
    ENVIRONMENTAL,
    LEFT_OVER,
    NETWORK,
    UNCHECKED,
    DoctorReport,
    Trouble,
)
from tests.support import mirror as mirrors
from tests.support.command import Command
from tests.support.keys import KEYS
from tests.support.mirror import (
    EVERY,
    GPU,
    OLD_MPI,
    SECOND,
    SECRET,
    UBUNTU_22,
    UBUNTU_24,
    VENDOR,
    WITH_NCCL,
    Mirror,
    of_size,
)
from tests.support.samples import made_up
from tests.support.webserver import Answer, body, redirect, serving, status

GIB = 2**30


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """Made once; each test has it anew."""
    with serving() as server:
        yield mirrors.make(tmp_path_factory.mktemp("mirror") / "team", server)


@pytest.fixture
def mirror(whole: Mirror, tmp_path: Path) -> Iterator[Mirror]:
    answers = dict(whole.server.answers)
    whole.server.asked.clear()
    yield whole.copy(tmp_path / "team")
    whole.server.answers = answers


def look(
    mirror: Mirror,
    *selectors: str,
    skip: tuple[str, ...] = ("engine",),
    now: Callable[[], float] = time.time,
    free: int = 100 * GIB,
    deep: bool = False,
) -> DoctorReport:
    site = mirror.project.site
    world = examine.World(Engine(site), now, lambda _path: free)
    return examine.examine(
        mirror.project,
        selectors,
        examine.DoctorOptions(deep, frozenset(skip)),
        world,
        lambda _done, _all, _what: None,
    )


def only(report: DoctorReport) -> Trouble:
    """The one row of a report."""
    rows = report.rows()
    assert len(rows) == 1, rows
    return rows[0]


def path_of(mirror: Mirror, part: str) -> str:
    """The path of the file whose URL has this part."""
    (found,) = [path for url, path in mirror.files.items() if part in url]
    return found


def test_a_whole_mirror_gives_no_rows(mirror: Mirror) -> None:
    report = look(mirror)
    assert report.rows() == []
    assert report.code(offline_ok=False) == 0
    assert report.variants == tuple(EVERY)
    asked = {
        "lock": 1,
        "dockerfile": 1,
        "base": 3,
        "file": 4,
        "wheel": 11,
        "package": 1,
        "snapshot": 3,
        "repository": 1,
        "key": 1,
        "registry": 3,
        "release": 1,
    }
    assert dict(report.asked) == asked | {"disk": 1, "clock": 1} == dict(report.good)


def test_ten_things_broken_in_ten_ways_are_ten_rows_with_the_variants_hit(mirror: Mirror) -> None:
    ubuntu, debian = "docker.io/library/ubuntu:24.04", "docker.io/library/debian:12"
    mirror.lose(mirror.manifests[ubuntu, ""])
    mirror.lose(mirror.manifests[debian, "linux/arm64"])
    mirror.lose(path_of(mirror, "openmpi-4.1.8"))
    mirror.set(path_of(mirror, "openmpi-5.0.10"), of_size(12345, b"BZh"))
    page = b"<!DOCTYPE html><title>Please accept the licence</title>"
    mirror.set(path_of(mirror, "Miniconda3"), redirect("/licence"))
    mirror.server.answers["/licence"] = body(page, "text/html; charset=utf-8")
    mirror.listed["nvidia-nccl-cu13"]["files"] = [
        {"filename": "nvidia_nccl_cu13-9.9-py3-none-any.whl", "url": "/x", "hashes": {}}
    ]
    mirror.serve_page("nvidia-nccl-cu13")
    for file in mirror.listed["nvidia-cudnn-cu13"]["files"]:
        file["hashes"]["sha256"] = "0" * 64
    mirror.serve_page("nvidia-cudnn-cu13")
    mirror.set("/acme/acme.asc", body((KEYS / "second.asc").read_bytes()))
    mirror.set(
        "/acme/ubuntu/dists/jammy/main/binary-amd64/Packages.gz",
        body(gzip.compress(b"Package: acme-tool\nVersion: 1.1-1\n")),
    )
    mirror.lose(
        next(
            path
            for path in mirror.server.answers
            if "ubuntu-snapshots" in path and "jammy-security" in path
        )
    )
    mirror.set("/v2/base/cpu/blobs/uploads/", status(401))

    report = look(mirror)
    rows = {(row.kind, row.what): row for row in report.rows()}
    platform_gone = rows.pop(("base", debian))
    assert "no longer sha256:" in platform_gone.why
    assert "linux/arm64" in platform_gone.why
    assert list(platform_gone.variants) == GPU
    denied = rows.pop(("registry", f"{mirror.host}/base/cpu"))
    assert (denied.state, "401" in denied.why, "docker login" in denied.hint) == (
        ENVIRONMENTAL,
        True,
        True,
    )
    told = {what: (row.why, list(row.variants)) for (_, what), row in rows.items()}
    size = mirror.lock.artifacts[
        next(url for url in mirror.lock.artifacts if "openmpi-5.0.10" in url)
    ].size
    expected = [
        (ubuntu, "no longer has sha256:", UBUNTU_24),
        ("openmpi-4.1.8", "answers 404", [OLD_MPI]),
        (
            "openmpi-5.0.10",
            f"12345 bytes), the library says {size} bytes",
            [UBUNTU_22[1], *UBUNTU_24],
        ),
        ("Miniconda3", "gives a web page, not the file", [UBUNTU_24[1]]),
        ("nvidia-nccl-cu13", "no longer has nvidia_nccl_cu13-2.27.7", [WITH_NCCL]),
        ("nvidia-cudnn-cu13", "has another nvidia_cudnn_cu13-9.14.0.64", GPU),
        ("key of acme", f"has the key {SECOND}, not", [VENDOR]),
        ("from acme", "no longer has acme-tool=1.0-1", [VENDOR]),
        ("ubuntu@22.04 at 20261122T000000Z", "the archive answers 404", [*UBUNTU_22, VENDOR]),
    ]
    for part, why, variants in expected:
        found = {what: fact for what, fact in told.items() if part in what}
        assert found, f"{part} is not told of: {sorted(told)}"
        for reason, hit in found.values():
            assert why in reason
            assert hit == variants
        told = {what: fact for what, fact in told.items() if what not in found}
    assert told == {}
    assert {row.state for row in rows.values()} == {BROKEN}
    assert report.hit() == EVERY
    assert report.code(offline_ok=False) == 1


def test_json_has_everything_and_the_credentials_of_the_index_are_nowhere(
    mirror: Mirror, bakestone: Command
) -> None:
    mirror.set("/simple/openmpi/", status(403))
    mirror.lose(path_of(mirror, "openmpi-4.1.8"))
    folder = mirror.project.matrix_path.parent
    arguments = [
        "doctor",
        "--file",
        str(folder / "images.yaml"),
        "--site",
        str(folder / "site.yaml"),
        "--skip",
        "engine",
    ]
    done = bakestone(*arguments, "--format", "json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["variants"], told["would_not_build"], told["exit"]) == (len(EVERY), [OLD_MPI], 1)
    assert told["checks"]["file"] == {"asked": 4, "good": 3}
    assert [(row["state"], row["kind"]) for row in told["problems"]] == [
        (BROKEN, "file"),
        (ENVIRONMENTAL, "wheel"),
    ]
    assert all(row["hint"] for row in told["problems"])
    table = bakestone(*arguments)
    assert f"1 of {len(EVERY)} variants would not build today" in table.stdout
    assert OLD_MPI in table.stdout
    for text in (done.output, table.output):
        assert SECRET not in text
        assert "Traceback" not in text


def test_selectors_choose_what_is_looked_at(mirror: Mirror) -> None:
    mirror.lose(path_of(mirror, "openmpi-4.1.8"))
    report = look(mirror, "family=gpu")
    assert report.rows() == []
    assert report.variants == tuple(GPU)
    assert report.asked["file"] == 0


def test_a_silent_host_is_one_row_and_is_not_called_broken(mirror: Mirror) -> None:
    gone = "http://127.0.0.1:9/"
    site = mirror.project.site_path
    assert site is not None
    text = site.read_text("utf-8")
    site.write_text(text.replace(f"{mirror.host}/hub", "127.0.0.1:9/hub"), "utf-8")
    report = look(mirror)
    row = only(report)
    assert (row.kind, row.what, row.state) == (NETWORK, "127.0.0.1:9", UNCHECKED)
    assert row.why == "cannot be reached (connection refused)"
    assert len(row.items) == 3
    assert sorted(row.variants) == sorted(EVERY)
    assert gone not in text
    assert report.code(offline_ok=False) == 3
    assert report.code(offline_ok=True) == 0


def test_a_server_in_trouble_is_one_row_and_is_not_called_broken(mirror: Mirror) -> None:
    for path in mirror.files.values():
        mirror.set(path, status(503))
    row = only(look(mirror))
    assert (row.state, row.why, len(row.items)) == (UNCHECKED, "answers 503 Service Unavailable", 4)


def test_an_index_in_trouble_is_one_row_and_is_not_called_broken(mirror: Mirror) -> None:
    for path in mirror.pages.values():
        mirror.set(path, status(502))
    row = only(look(mirror))
    assert (row.state, row.kind, row.what, len(row.items)) == (UNCHECKED, NETWORK, mirror.host, 11)


def test_a_mirror_that_refuses_the_account_is_not_an_outage(mirror: Mirror) -> None:
    for path in [p for p in mirror.server.answers if p.startswith("/v2/hub/")]:
        mirror.set(path, status(403))
    report = look(mirror)
    assert {(row.state, row.kind) for row in report.rows()} == {(ENVIRONMENTAL, "base")}
    assert all("docker login" in row.hint for row in report.rows())
    assert report.code(offline_ok=True) == 3


def test_a_base_that_no_mirror_pins_any_more_says_what_its_tag_is_now(mirror: Mirror) -> None:
    ref = "docker.io/library/ubuntu:22.04"
    mirror.lose(mirror.manifests[ref, ""])
    other = mirror.server.answers[mirror.manifests["docker.io/library/ubuntu:24.04", ""]]
    mirror.server.answers["/v2/hub/library/ubuntu/manifests/22.04"] = other
    row = only(look(mirror))
    digest = mirror.lock.bases["docker.io/library/ubuntu:24.04"].digest
    assert f"the tag is {digest[:19]} now" in row.why
    assert "bakestone lock --update" in row.hint


def no_head(answer: Answer) -> Answer:
    """A server that does not know HEAD."""

    def asked(request: BaseHTTPRequestHandler) -> None:
        (status(405) if request.command == "HEAD" else answer)(request)

    return asked


def test_another_digest_for_a_platform_in_the_lock_is_told_with_both(mirror: Mirror) -> None:
    """The index is the one that is pinned; what the lock has of it for a platform is not."""
    (ref, locked), *_ = mirror.lock.bases.items()
    lock = lockfile.load(mirror.project.lock_path)
    other = dict.fromkeys(locked.platforms, f"sha256:{made_up('another')}")
    lock.bases[ref] = replace(locked, platforms=other)
    lockfile.write(lock, mirror.project.lock_path)
    rows = [row for row in look(mirror).rows() if row.kind == "base"]
    assert {row.what for row in rows} == {ref}
    assert all(f"the lock says {other['linux/amd64'][:19]}" in row.why for row in rows)


def test_lock_verify_asks_for_pins_alone(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, bakestone: Command
) -> None:
    monkeypatch.chdir(mirror.project.matrix_path.parent)
    mirror.lose(path_of(mirror, "openmpi-4.1.8"))
    result = bakestone("lock", "--verify", "--site", "site.yaml", "--format", "json")
    told = json.loads(result.output)
    assert result.exit_code == 1
    assert "openmpi-4.1.8.tar.bz2" in result.output
    assert {"disk", "clock", "registry", "dockerfile", "release"}.isdisjoint(told["checks"])
    assert {"lock", "base", "file", "wheel", "snapshot", "key"} <= told["checks"].keys()


def test_a_server_without_head_is_asked_for_the_first_bytes(mirror: Mirror) -> None:
    for url, path in mirror.files.items():
        assert mirror.lock.artifacts[url].size
        mirror.set(path, no_head(mirror.server.answers[path]))
    assert look(mirror).rows() == []
    path = path_of(mirror, "openmpi-4.1.8")
    mirror.set(path, no_head(of_size(77, b"BZh")))
    assert "77 bytes" in only(look(mirror)).why


def test_an_index_without_json_is_read_as_a_page(mirror: Mirror) -> None:
    for name, page in mirror.listed.items():
        links = "".join(
            f'<a href="../..{f["url"]}#sha256={f["hashes"]["sha256"]}">{f["filename"]}</a>\n'
            for f in page["files"]
        )
        mirror.set(
            mirror.pages[name],
            body(f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html"),
        )
    assert look(mirror).rows() == []


def test_the_site_s_index_and_credentials_are_used(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAKESTONE_TEST_TOKEN", SECRET)
    path = mirror.project.matrix_path.with_name("site.yaml")
    settings = yaml.safe_load(path.read_text("utf-8"))
    del settings["pip"]
    settings["indexes"] = {"pip": {"url": f"{mirror.server.url}simple"}}
    settings["credentials"] = [
        {
            "url": mirror.server.url,
            "username": "reader",
            "password": {"env": "BAKESTONE_TEST_TOKEN"},
        }
    ]
    path.write_text(yaml.safe_dump(settings), "utf-8")
    wanted = "Basic " + base64.b64encode(f"reader:{SECRET}".encode()).decode()

    def guarded(answer: Answer) -> Answer:
        return lambda request: (
            answer if request.headers.get("Authorization") == wanted else status(401)
        )(request)

    for page in (*mirror.pages.values(), *mirror.files.values()):
        mirror.set(page, guarded(mirror.server.answers[page]))
    assert look(mirror).rows() == []
    monkeypatch.setenv("BAKESTONE_TEST_TOKEN", "another")
    assert {row.kind for row in look(mirror).rows()} == {"file", "wheel"}


def test_deep_tells_a_file_that_only_looks_right(mirror: Mirror) -> None:
    path = path_of(mirror, "openmpi-4.1.8")
    size = next(a.size for url, a in mirror.lock.artifacts.items() if "openmpi-4.1.8" in url)
    mirror.set(path, of_size(size, b"BZh"))
    assert look(mirror, OLD_MPI).rows() == []
    row = next(
        row for row in look(mirror, OLD_MPI, deep=True).rows() if "openmpi-4.1.8" in row.what
    )
    assert "the checksum is" in row.why
    assert row.state == BROKEN


def test_a_stale_lock_and_a_changed_dockerfile_are_told(mirror: Mirror) -> None:
    changed = mirror.project.output / "cpu" / "Dockerfile"
    changed.write_text("FROM scratch\n", "utf-8")
    row = only(look(mirror))
    family = tuple(v.name for v in mirror.project.matrix.variants if v.family.name == "cpu")
    assert OLD_MPI in family
    assert (row.kind, row.what, row.variants) == ("dockerfile", str(changed), family)
    path = mirror.project.matrix_path
    path.write_text(path.read_text("utf-8").replace("openmpi@4.1.8", "openmpi@4.1.7"), "utf-8")
    fresh = Mirror(
        mirror.server,
        type(mirror.project)(
            path, mirror.project.lock_path, mirror.project.output, mirror.project.site_path
        ),
        mirror.lock,
    )
    report = look(fresh)
    assert {row.kind for row in report.rows()} == {"lock"}
    assert any("openmpi 4.1.8 -> 4.1.7" in row.why for row in report.rows())
    assert report.code(offline_ok=False) == 1


def test_variants_that_a_release_has_and_the_matrix_no_longer_are_told_and_hinder_nothing(
    mirror: Mirror,
) -> None:
    path = mirror.project.lock_path.with_name("release.json")
    place = f"{mirror.project.registry}/cpu"
    digest = f"sha256:{made_up('old')}"
    ref, slots = "docker.io/library/debian:12", {"distro": "debian@12"}
    part = {"component": "debian", "pinned": "12", "measured": {"version": "12"}}
    inventory: dict[str, object] = {"variant": "openmpi3.1.2", "user": "root", "fuse": ""}
    inventory["components"] = {"distro": part}
    old = ReleasedImage(
        "openmpi3.1.2",
        "cpu",
        place,
        made_up("old"),
        digest,
        {"linux/amd64": digest},
        1,
        ref,
        slots,
        inventory,
    )
    there = replace(old, name=OLD_MPI)
    path.write_text(ReleaseRecord(mirror.project.registry, (old, there)).text, "utf-8")
    report = look(mirror)
    row = only(report)
    assert (row.kind, row.state, row.items) == ("release", LEFT_OVER, (f"{place}:openmpi3.1.2",))
    assert "images.yaml no longer has openmpi3.1.2" in row.why
    assert "bakestone retire" in row.hint
    assert report.code(offline_ok=False) == 0


def test_what_is_gone_from_a_repository_that_cannot_be_read_is_not_guessed(mirror: Mirror) -> None:
    mirror.lose("/acme/ubuntu/dists/jammy/main/binary-amd64/Packages.gz")
    report = look(mirror)
    assert (only(report).kind, report.asked["package"]) == ("repository", 0)


def test_an_hour_off_is_the_clock_of_this_machine(mirror: Mirror) -> None:
    row = only(look(mirror, now=lambda: time.time() - 3600))
    assert (row.kind, row.state) == ("clock", ENVIRONMENTAL)
    assert "behind" in row.why


def test_registries_are_asked_by_the_same_clock_as_other_servers(mirror: Mirror) -> None:
    others = ("engine", "lock", "dockerfile", "release", "file", "wheel", "snapshot", "disk")
    skip = (*others, "key", "repository", "package")
    row = only(look(mirror, skip=skip, now=lambda: time.time() - 3600))
    assert (row.kind, row.state) == ("clock", ENVIRONMENTAL)


def test_a_cached_answer_is_as_old_as_its_cache_says(mirror: Mirror) -> None:
    def cached(request: BaseHTTPRequestHandler) -> None:
        request.send_response_only(404)
        request.send_header("Date", formatdate(time.time() - 7200, usegmt=True))
        request.send_header("Age", "7200")
        request.send_header("Content-Length", "0")
        request.send_header("Connection", "close")
        request.end_headers()

    for path in mirror.server.answers:
        mirror.server.answers[path] = cached
    assert not [row for row in look(mirror).rows() if row.kind == "clock"]


def test_a_full_disk_is_told_with_what_is_needed(mirror: Mirror) -> None:
    row = only(look(mirror, free=10**6))
    assert (row.kind, row.state) == ("disk", ENVIRONMENTAL)
    assert "1.0 MB free; about 200.0 MB are needed" in row.why


def test_each_upload_that_is_begun_is_given_up(mirror: Mirror) -> None:
    look(mirror)
    begun = [path for path in mirror.server.asked if path.endswith("/blobs/uploads/")]
    given_up = [path for path in mirror.server.asked if path.endswith("/blobs/uploads/one")]
    assert len(begun) == len(given_up) == 3


def test_each_thing_is_asked_for_once(mirror: Mirror) -> None:
    look(mirror)
    assert len(mirror.server.asked) == len(set(mirror.server.asked))


def test_no_time_left_is_not_checked_and_says_so(mirror: Mirror) -> None:
    mirror.set(path_of(mirror, "openmpi-4.1.8"), lambda _request: time.sleep(5))
    site = mirror.project.site
    world = examine.World(Engine(site))
    report = examine.examine(
        mirror.project,
        (),
        examine.DoctorOptions(skip=frozenset(["engine"]), max_time=2),
        world,
        lambda *_: None,
    )
    rows = [row for row in report.rows() if "ran out" in row.why]
    assert rows
    assert all(row.state == UNCHECKED for row in rows)
    assert OLD_MPI in rows[0].variants
    assert report.code(offline_ok=False) == 3
