"""Environments of Python, resolved by uv itself against an index on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import Session
from bakestone.clients.index.pages import Pages
from bakestone.clients.site import site
from bakestone.core.lock.lock import LockedEnvironment
from bakestone.core.lock.needs import Environment
from bakestone.jobs.lock.environments import resolve
from tests.support import webserver
from tests.support.packageindex import Index
from tests.support.samples import NOW, refused
from tests.support.sdists import archive

ANY = "py3-none-any"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with webserver.serving() as server:
        made = Index(server, tmp_path)
        made.wheel("pip", "26.3", tag=ANY)
        made.wheel("flask", "3.0", "werkzeug>=3", tag=ANY)
        made.wheel("flask", "3.1", "werkzeug>=3", tag=ANY)
        made.wheel("werkzeug", "3.0", tag=ANY)
        made.wheel("numpy", "2.0", tag="cp312-cp312-manylinux_2_28_x86_64")
        made.wheel("numpy", "2.0", tag="cp312-cp312-manylinux_2_28_aarch64")
        made.wheel("numpy", "2.1", tag="cp312-cp312-manylinux_2_39_x86_64")
        yield made


def ask(
    index: Index,
    *requirements: str,
    before: LockedEnvironment | None = None,
    platforms: str = "linux/amd64",
    sources: tuple[str, ...] = (),
) -> LockedEnvironment:
    """What a lock would have, for Python 3.12 and glibc 2.36."""
    wanted = Environment("serving", requirements, "3.12", "2.36", sources)
    known = site.load(index.site)
    pages = Pages(known, Asker(Session(known)))
    return resolve(wanted, platforms.split(), before, pages, NOW)


def test_all_that_is_asked_for_comes_with_what_it_asks_for(index: Index) -> None:
    found = ask(index, "flask", "numpy", platforms="linux/amd64 linux/arm64")
    assert [f for f, _, _ in found.files["linux/amd64"]] == [
        "flask-3.1-py3-none-any.whl",
        "numpy-2.0-cp312-cp312-manylinux_2_28_x86_64.whl",
        "pip-26.3-py3-none-any.whl",
        "werkzeug-3.0-py3-none-any.whl",
    ]
    assert found.files["linux/arm64"][1][0] == "numpy-2.0-cp312-cp312-manylinux_2_28_aarch64.whl"
    for files in found.files.values():
        for name, sha256, _ in files:
            assert sha256 == index.hashes[name]
    assert (found.requirements, found.python, found.resolved) == (("flask", "numpy"), "3.12", NOW)


def test_what_is_locked_stays_while_something_else_is_asked_for(index: Index) -> None:
    before = ask(index, "flask")
    index.wheel("flask", "3.2", "werkzeug>=3", tag=ANY)
    index.wheel("werkzeug", "3.9", tag=ANY)
    later = ask(index, "flask", "numpy", before=before)
    assert {f for f, _, _ in before.files["linux/amd64"]} < {
        f for f, _, _ in later.files["linux/amd64"]
    }
    anew = ask(index, "flask")
    assert anew.files["linux/amd64"][0][0] == "flask-3.2-py3-none-any.whl"
    forced = ask(index, "flask>=3.2", before=before)
    assert [f.split("-")[1] for f, _, _ in forced.files["linux/amd64"]] == ["3.2", "26.3", "3.0"]


def test_requirements_that_do_not_go_together_are_told_in_uv_s_words(index: Index) -> None:
    (found,) = refused(lambda: ask(index, "flask", "werkzeug<3"))
    assert found.message.startswith("no wheels go together on Python 3.12: ")
    assert "werkzeug<3" in found.message
    assert index.server.url not in found.text
    (found,) = refused(lambda: ask(index, "numpy>=2.1"))
    assert "no wheels go together" in found.message


def test_an_index_without_checksums_is_no_source_of_pins(index: Index) -> None:
    for file in index.projects["flask"].values():
        file["hashes"] = {}
    index.show()
    (found,) = refused(lambda: ask(index, "flask"), code=3)
    assert found.message == "the index does not say the SHA-256 of flask-3.1-py3-none-any.whl"


def sdist(index: Index, listed: str = "") -> bytes:
    """A source distribution on the index that asks for werkzeug; with another checksum `listed`."""
    info = "Metadata-Version: 2.1\nName: fusepy\nVersion: 3.0.1\nRequires-Dist: werkzeug\n"
    content = archive({"fusepy-3.0.1/PKG-INFO": info, "fusepy-3.0.1/setup.py": "raise SystemExit"})
    sha256 = hashlib.sha256(content).hexdigest()
    index.server.file("files/fusepy-3.0.1.tar.gz", content)
    index.put("fusepy", "fusepy-3.0.1.tar.gz", listed or sha256)
    index.wheel("reader", "1.0", "fusepy>=3", tag=ANY)
    return content


def test_a_source_distribution_is_taken_where_it_is_named(index: Index) -> None:
    content = sdist(index)
    (found,) = refused(lambda: ask(index, "reader"))
    assert "fusepy" in found.message
    locked = ask(index, "reader", sources=("fusepy==3.0.1",))
    names = [name for name, _, _ in locked.files["linux/amd64"]]
    assert names == [
        "fusepy-3.0.1.tar.gz",
        "pip-26.3-py3-none-any.whl",
        "reader-1.0-py3-none-any.whl",
        "werkzeug-3.0-py3-none-any.whl",
    ]
    assert locked.files["linux/amd64"][0][1:] == (hashlib.sha256(content).hexdigest(), len(content))
    assert locked.sources == ("fusepy==3.0.1",)


def test_a_source_distribution_that_is_not_what_the_index_lists_is_refused(index: Index) -> None:
    sdist(index, listed="0" * 64)
    (found,) = refused(lambda: ask(index, "reader", sources=("fusepy==3.0.1",)), code=3)
    assert found.message.startswith("the index gives another file than it lists: ")
    (found,) = refused(lambda: ask(index, "reader", sources=("fusepy==3.0.2",)))
    assert found.message == "the index has no source distribution of it"
    assert "3.0.1" in found.hint


def test_wheels_of_several_lists_of_links_are_found(index: Index, tmp_path: Path) -> None:
    """As a pip configuration names them; each is a page of links, and no index."""
    for number, name in enumerate(("left", "right")):
        file = f"{name}-1.0-py3-none-any.whl"
        index.wheel(name, "1.0", tag=ANY)
        link = f'<a href="{index.server.url}files/{file}#sha256={index.hashes[file]}">{file}</a>'
        index.server.on(f"links/{number}/", webserver.body(link.encode(), "text/html"))
        index.server.on(f"simple/{name}/", webserver.status(404))
    links = " ".join(f"{index.server.url}links/{number}/" for number in (0, 1))
    config = f"[global]\nindex-url = {index.server.url}simple/\nfind-links = {links}\n"
    (tmp_path / "pip.conf").write_text(config, "utf-8")
    index.site.write_text("version: 1\npip: pip.conf\n", "utf-8")
    found = ask(index, "left", "right").files["linux/amd64"]
    assert [name for name, _, _ in found] == [
        "left-1.0-py3-none-any.whl",
        "pip-26.3-py3-none-any.whl",
        "right-1.0-py3-none-any.whl",
    ]
