"""`bakestone library update` against a copy of GitHub's list of releases on loopback in which
versions came, went and changed.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakestone.core.library.component import BUILT_IN
from bakestone.core.library.indexed import PRE_RELEASE
from bakestone.jobs.library import publishers
from tests.support import plainyaml, webserver
from tests.support.command import Command
from tests.support.webserver import Answer, WebServer

API, FILES = "https://api.github.com/", "https://github.com/"
OPEN_MPI = "https://download.open-mpi.org/"


@pytest.fixture
def server() -> Iterator[WebServer]:
    with webserver.serving() as running:
        yield running


class Releases:
    """GitHub's list of the releases of a component that a team has a copy of, and its files: all
    that the library has, newest first.
    """

    def __init__(self, folder: Path, server: WebServer, name: str) -> None:
        self.server = server
        self.path = folder / "components" / name
        shutil.copytree(BUILT_IN / name, self.path)
        own = self.path / "index.yaml"
        data = plainyaml.data(own)
        self.list = data["list"]
        alone = {key: data[key] for key in ("list", "needs", "without") if key in data}
        own.write_text(yaml.safe_dump(alone, sort_keys=False), "utf-8")
        self.text = (self.path / "versions.yaml").read_text("utf-8")
        self.before = self.versions()
        urls = {API: f"{server.url}api/", FILES: f"{server.url}files/", OPEN_MPI: server.url}
        self.site = folder / "site.yaml"
        self.site.write_text(yaml.safe_dump({"version": 1, "mirrors": {"urls": urls}}), "utf-8")
        self.listed: list[dict[str, Any]] = []
        self.pages = 0
        self.own_pages: list[Answer] = []
        for version, entry in self.before.items():
            artifacts = entry["methods"].get(self.list["method"], {}).get("artifacts", [])
            named = [(a["url"].rpartition("/")[2], a["sha256"]) for a in artifacts]
            self.put(version, *named)

    @property
    def repository(self) -> str:
        return str(self.list["github"])

    def put(
        self, version: str, *files: tuple[str, str], first: bool = False, **more: object
    ) -> dict[str, Any]:
        """One more release with files and their checksums; gives what the list says of it."""
        tag = self.list.get("tag", "{version}").format(version=version)
        place = f"{FILES}{self.repository}/releases/download/{tag}/"
        assets = [
            {
                "name": name,
                "browser_download_url": f"{place}{name}",
                "size": 5,
                "digest": f"sha256:{checksum}" if checksum else None,
            }
            for name, checksum in files
        ]
        about = {"tag_name": tag, "prerelease": False, "draft": False, "assets": assets, **more}
        about.setdefault("published_at", "2026-11-20T10:00:00Z")
        self.listed.insert(0 if first else len(self.listed), about)
        return about

    def show(self) -> None:
        """Serve it as it is now, a hundred to a page."""
        path = f"api/repos/{self.repository}/releases?per_page=100&page="
        for page in range(len(self.listed) // 100 + 1):
            part = self.listed[page * 100 : page * 100 + 100]
            body = json.dumps(part).encode()
            self.server.on(f"{path}{page + 1}", webserver.body(body, "application/json"))

    def answer(self, answer: Answer) -> None:
        """Answer otherwise where the list is asked for."""
        self.server.on(f"api/repos/{self.repository}/releases?per_page=100&page=1", answer)

    def file(self, version: str, name: str, content: bytes) -> str:
        """A file of a release; gives its checksum."""
        tag = self.list.get("tag", "{version}").format(version=version)
        path = f"files/{self.repository}/releases/download/{tag}/{name}"
        self.server.file(path, content)
        return hashlib.sha256(content).hexdigest()

    def versions(self) -> dict[str, Any]:
        loaded: dict[str, Any] = plainyaml.data(self.path / "versions.yaml")
        return copy.deepcopy(loaded["versions"])

    def own(self) -> dict[str, Any]:
        loaded: dict[str, Any] = plainyaml.data(self.path / "index.yaml")
        return loaded


Named = Callable[[str], Releases]


@pytest.fixture
def releases(tmp_path: Path, server: WebServer, bakestone: Command) -> Named:
    return lambda name: Releases(tmp_path, server, name)


def update(bakestone: Command, of: Releases, *more: str, show: bool = True) -> Any:
    if show:
        of.show()
    return bakestone("library", "update", of.path.name, "--site", str(of.site), *more)


def said(done: Any) -> str:
    return " ".join(done.output.split())


def test_what_came_is_written_with_its_checksum_size_and_day_and_nothing_is_lost(
    bakestone: Command, releases: Named
) -> None:
    ucx = releases("ucx")
    ucx.put("9.0.1", ("ucx-9.0.1.tar.gz", "a" * 64), ("ucx-9.0.1-ubuntu.deb", "b" * 64))
    ucx.put("9.0.0", ("ucx-9.0.0.tar.gz", ""))
    hashed = ucx.file("9.0.0", "ucx-9.0.0.tar.gz", b"\x1f\x8b123")
    ucx.put("9.1.0-rc1", ("ucx-9.1.0.tar.gz", "c" * 64), prerelease=True)
    ucx.put("9.2.0", ("ucx-9.2.0.tar.gz", "c" * 64), draft=True)
    ucx.put("9.3.0", ("notes.txt", "c" * 64))
    ucx.put("1.2.0", ("ucx-1.2.0.tar.gz", "c" * 64))
    ucx.put("nightly")
    done = update(bakestone, ucx)
    assert done.exit_code == 0, done.output
    assert "2 new versions" in done.output
    after = ucx.versions()
    assert list(after)[:2] == ["9.0.1", "9.0.0"]
    assert {name: after[name] for name in ucx.before} == ucx.before
    (known,) = after["9.0.1"]["methods"]["source"]["artifacts"]
    where = f"{API}repos/openucx/ucx/releases"
    assert known.pop("source").startswith(f"{where}, read 20")
    assert known == {
        "url": f"{FILES}openucx/ucx/releases/download/v9.0.1/ucx-9.0.1.tar.gz",
        "sha256": "a" * 64,
        "filename": "ucx-9.0.1.tar.gz",
        "size": 5,
        "published": "2026-11-20",
        "confidence": "high",
    }
    (fetched,) = after["9.0.0"]["methods"]["source"]["artifacts"]
    assert (fetched["sha256"], fetched["size"], fetched["confidence"]) == (hashed, 5, "low")
    assert fetched["source"].startswith("computed from this URL, 20")
    text = (ucx.path / "versions.yaml").read_text("utf-8")
    start, end = text.index('  "9.0.1":'), text.index(f'  "{next(iter(ucx.before))}":')
    assert text[:start] + text[end:] == ucx.text
    own = ucx.own()
    assert own["left_out"]["openucx/ucx"] == {
        "v9.1.0-rc1": PRE_RELEASE,
        "9.2.0": PRE_RELEASE,
        "9.3.0": "it has no file ucx-9.3.0.tar.gz",
        "1.2.0": "it is older than 1.8",
        "vnightly": "it is no version of the form that the library has",
    }
    assert own["days"].keys() == {"openucx/ucx"}
    assert bakestone("component", "check", "ucx").exit_code == 0
    files = {path: path.read_bytes() for path in ucx.path.glob("*.yaml")}
    asked = len(ucx.server.asked)
    again = update(bakestone, ucx)
    assert "nothing new" in again.output
    assert {path: path.read_bytes() for path in ucx.path.glob("*.yaml")} == files
    assert not [path for path in ucx.server.asked[asked:] if path.startswith("/files/")]


def test_check_fetches_and_writes_nothing(bakestone: Command, releases: Named) -> None:
    ucx = releases("ucx")
    ucx.put("9.0.0", ("ucx-9.0.0.tar.gz", ""))
    ucx.file("9.0.0", "ucx-9.0.0.tar.gz", b"\x1f\x8b123")
    files = {path: path.read_bytes() for path in ucx.path.glob("*.yaml")}
    done = update(bakestone, ucx, "--check", "--format", "json")
    assert done.exit_code == 1
    (found,) = json.loads(done.stdout)["components"]
    assert found["added"] == ["9.0.0"]
    assert not [path for path in ucx.server.asked if path.startswith("/files/")]
    assert {path: path.read_bytes() for path in ucx.path.glob("*.yaml")} == files


def test_all_pages_are_read(bakestone: Command, releases: Named) -> None:
    ucx = releases("ucx")
    for number in range(200):
        ucx.put(f"1.0.{number}", first=True)
    ucx.put("9.0.0", ("ucx-9.0.0.tar.gz", "a" * 64))
    done = update(bakestone, ucx)
    assert done.exit_code == 0, done.output
    assert "9.0.0" in ucx.versions()
    assert len([path for path in ucx.server.asked if "page=" in path]) == 3


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("replaced", "error: ucx@1.22.0: ucx-1.22.0.tar.gz is another file now: "),
        ("gone", "ucx@1.22.0: warning: ucx-1.22.0.tar.gz is no longer on the list"),
        ("release gone", "ucx@1.22.0: warning: ucx-1.22.0.tar.gz is no longer on the list"),
    ],
)
def test_what_the_list_no_longer_has_is_told_and_stays_in_the_library(
    kind: str, why: str, bakestone: Command, releases: Named
) -> None:
    ucx = releases("ucx")
    (release,) = [one for one in ucx.listed if one["tag_name"] == "v1.22.0"]
    if kind == "replaced":
        release["assets"][0]["digest"] = f"sha256:{'0' * 64}"
    elif kind == "gone":
        release["assets"] = []
    else:
        ucx.listed.remove(release)
    done = update(bakestone, ucx)
    assert why.removeprefix("error: ") in said(done), done.output
    assert done.exit_code == (1 if kind == "replaced" else 0)
    assert ucx.versions() == ucx.before


def test_files_that_a_list_does_not_have_are_fetched_where_they_are(
    bakestone: Command, releases: Named
) -> None:
    openmpi = releases("openmpi")
    openmpi.put("9.8.7")
    content = b"BZh91AY"
    openmpi.server.file("release/open-mpi/v9.8/openmpi-9.8.7.tar.bz2", content)
    wheel_alone = "5.0.11"
    openmpi.server.file(f"release/open-mpi/v5.0/openmpi-{wheel_alone}.tar.bz2", content)
    done = update(bakestone, openmpi)
    assert done.exit_code == 0, done.output
    after = openmpi.versions()
    (artifact,) = after["9.8.7"]["methods"]["source"]["artifacts"]
    assert artifact["url"] == f"{OPEN_MPI}release/open-mpi/v9.8/openmpi-9.8.7.tar.bz2"
    assert artifact["sha256"] == hashlib.sha256(content).hexdigest()
    assert artifact["size"] == len(content)
    # a version that the library has by its wheel gets its source besides
    assert f"{wheel_alone} (further files)" in done.output
    methods = after[wheel_alone]["methods"]
    assert methods["wheel"] == openmpi.before[wheel_alone]["methods"]["wheel"]
    assert list(methods) == ["source", "wheel"]
    others = {name: data for name, data in after.items() if name not in ("9.8.7", wheel_alone)}
    assert others == {n: data for n, data in openmpi.before.items() if n != wheel_alone}


def test_a_version_that_needs_what_no_list_says_is_shown_for_a_person_to_write(
    bakestone: Command, releases: Named
) -> None:
    miniforge = releases("miniforge")
    names = [f"Miniforge3-99.1.0-0-Linux-{machine}.sh" for machine in ("x86_64", "aarch64")]
    miniforge.put(
        "99.1.0-0", *((name, digit * 64) for name, digit in zip(names, "ab", strict=True))
    )
    done = update(bakestone, miniforge)
    assert done.exit_code == 0, done.output
    needs = "the Python that comes along (facts: python_minor)"
    assert f"99.1.0-0 is on the list, which does not say {needs}" in said(done)
    assert f"sha256: {'a' * 64} filename: {names[0]} platform: linux/amd64" in said(done)
    assert miniforge.own()["left_out"]["conda-forge/miniforge"]["99.1.0-0"]
    assert miniforge.versions() == miniforge.before
    added = bakestone("component", "add", "miniforge", "99.1.0-0", "--site", str(miniforge.site))
    assert added.exit_code == 1
    assert "miniforge 99.1.0-0 is left out: the list does not say the Python" in added.output
    assert f"filename: {names[1]}" in added.output
    assert miniforge.versions() == miniforge.before


def release(**changed: object) -> dict[str, object]:
    """What a list says of a release of UCX, with something changed."""
    about = {"tag_name": "v9.0.0", "prerelease": False, "draft": False, "assets": []}
    return {**about, **changed}


def asset(**changed: object) -> dict[str, object]:
    """A release of UCX with one file, of which something is changed."""
    name = "ucx-9.0.0.tar.gz"
    url = f"{FILES}openucx/ucx/releases/download/v9.0.0/{name}"
    file = {"name": name, "browser_download_url": url, "size": 5, "digest": f"sha256:{'a' * 64}"}
    return release(assets=[{**file, **changed}])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("<html>soon</html>", "it is no list of releases: it is no JSON"),
        ("[" * 100_000, "it is no list of releases"),
        ({"message": "Not Found"}, "it is no list of releases"),
        ([7], "it is no list of releases: its tag_name is none"),
        ([release(tag_name=7)], "its tag_name is none"),
        ([release(tag_name="v\x1b[31mred")], "a tag is 'v\\x1b[31mred'"),
        ([release(tag_name="v" * 61)], "a tag is 'vvv"),
        ([release(prerelease="no")], "its prerelease is none"),
        ([release(published_at=7)], "its published_at is none"),
        ([release(assets={})], "its assets is none"),
        ([release(assets=["ucx"])], "its name is none"),
        ([asset(size=-1)], "its size is none"),
        ([asset(size=True)], "its size is none"),
        ([asset(size=10**20)], "its size is none"),
        ([asset(digest=7)], "its digest is none"),
        ([asset(digest="md5:aaaa")], "the digest of ucx-9.0.0.tar.gz is no SHA-256"),
        ([asset(digest="sha256:\x1b[31m")], "the digest of ucx-9.0.0.tar.gz is no SHA-256"),
        (
            [asset(browser_download_url="https://example.com/ucx-9.0.0.tar.gz")],
            "ucx-9.0.0.tar.gz is not where releases of openucx/ucx are",
        ),
    ],
)
def test_what_is_no_list_of_releases_is_one_message_and_writes_nothing(
    body: object, why: str, bakestone: Command, releases: Named
) -> None:
    ucx = releases("ucx")
    text = body if isinstance(body, str) else json.dumps(body)
    ucx.answer(webserver.body(text.encode(), "application/json"))
    _refused(why, update(bakestone, ucx, show=False), ucx)


def _refused(why: str, done: Any, ucx: Releases) -> None:
    """One message, exit 3, and nothing written."""
    assert done.exit_code == 3, done.output
    assert "\x1b" not in done.output
    lines = [line for line in done.output.splitlines() if "/releases: " in line]
    (line,) = [line for line in lines if not line.endswith(": read")]
    assert why in line
    assert (ucx.path / "versions.yaml").read_text("utf-8") == ucx.text
    assert "left_out" not in ucx.own()


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("limit", "the list answers 403"),
        ("too long", "it is longer than "),
        ("elsewhere", "the list leads elsewhere, to 127.0.0.1:"),
        ("no address", "leads to file:///etc/passwd"),
        ("cut", "it ended too early"),
    ],
)
def test_a_server_that_gives_no_list_is_one_message_and_writes_nothing(
    kind: str, why: str, bakestone: Command, releases: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    ucx = releases("ucx")
    with webserver.serving() as other:
        target = other.file("list", b"[]")
        ucx.answer(
            {
                "limit": webserver.status(403),
                "too long": webserver.body(b"[" + b" " * publishers.LIST_LIMIT + b"]"),
                "elsewhere": webserver.redirect(target),
                "no address": webserver.redirect("file:///etc/passwd"),
                "cut": webserver.cut(b"[]" * 100, 7),
            }[kind]
        )
        _refused(why, update(bakestone, ucx, show=False), ucx)


@pytest.mark.parametrize(
    ("content", "code", "why"),
    [
        (b"<html>login</html>", 0, "gave a web page, not a file"),
        (b"\x1f\x8b12", 0, "ucx-9.0.0.tar.gz has 4 bytes, and 5 by its publisher's list"),
        (b"", 0, "gave an empty file"),
        (None, 3, "answers 404"),
    ],
)
def test_a_file_that_is_not_what_its_list_says_is_left_out_with_its_reason(
    content: bytes | None, code: int, why: str, bakestone: Command, releases: Named
) -> None:
    ucx = releases("ucx")
    ucx.put("9.0.0", ("ucx-9.0.0.tar.gz", ""))
    if content is not None:
        ucx.file("9.0.0", "ucx-9.0.0.tar.gz", content)
    ucx.put("9.0.1", ("ucx-9.0.1.tar.gz", "a" * 64))
    done = update(bakestone, ucx)
    assert done.exit_code == code
    assert why in said(done)
    reasons = ucx.own()["left_out"]["openucx/ucx"]
    assert reasons == {"9.0.0": "its file could not be fetched for its checksum"}
    assert ucx.versions().keys() - ucx.before.keys() == {"9.0.1"}


def test_a_file_that_is_too_large_is_not_fetched(bakestone: Command, releases: Named) -> None:
    ucx = releases("ucx")
    ucx.put("9.0.0", ("ucx-9.0.0.tar.gz", ""))

    def huge(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(2**30))
        request.end_headers()

    path = "files/openucx/ucx/releases/download/v9.0.0/ucx-9.0.0.tar.gz"
    ucx.server.on(path, huge)
    done = update(bakestone, ucx)
    assert done.exit_code == 0
    assert "the file is too large: 1.1 GB, the limit is 536.9 MB" in said(done)
    assert ucx.versions() == ucx.before
