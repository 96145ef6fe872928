"""Pages of package indexes, in the forms that indexes and folders of links have."""

from __future__ import annotations

import contextlib
import json

import pytest

from bakestone.clients.index.page import Listed, listed, project_page, versions

JSON = "application/vnd.pypi.simple.v1+json"
URL = "https://i.test/simple/x/"
WHEEL = "x-1-py3-none-any.whl"


def test_a_project_s_page_has_its_normal_name() -> None:
    assert (
        project_page("https://i.test/simple/", "Zope.Interface__x")
        == "https://i.test/simple/zope-interface-x/"
    )


def test_links_of_a_page_follow_its_base() -> None:
    page = (
        b'<html><base href="https://files.test/all/"><a'
        b' href="x-1-py3-none-any.whl#sha256=ab">x</a><a name="y"></a></html>'
    )
    assert listed(page, "text/html", "https://i.test/x/") == {
        "x-1-py3-none-any.whl": Listed("https://files.test/all/x-1-py3-none-any.whl", "ab")
    }


def test_links_of_a_page_are_named_by_where_they_lead() -> None:
    page = b'<a href="../../f/x-1%2Bcu1-py3-none-any.whl">download</a><a href="?b#sha256=">y</a>'
    assert listed(page, "text/html", URL) == {
        "x-1+cu1-py3-none-any.whl": Listed("https://i.test/f/x-1%2Bcu1-py3-none-any.whl", ""),
        "": Listed(f"{URL}?b", ""),
    }


def test_a_page_in_json_says_the_same() -> None:
    files = [
        {"filename": WHEEL, "url": f"../../f/{WHEEL}", "hashes": {"sha256": "ab", "md5": "cd"}},
        {"filename": "x-1.tar.gz", "url": "https://f.test/x-1.tar.gz", "hashes": {}},
    ]
    page = {"meta": {"api-version": "1.1"}, "name": "x", "files": files}
    assert listed(json.dumps(page).encode(), JSON, URL) == {
        WHEEL: Listed(f"https://i.test/f/{WHEEL}", "ab"),
        "x-1.tar.gz": Listed("https://f.test/x-1.tar.gz", ""),
    }


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"meta": {"api-version": "2.0"}, "name": "x", "files": []}',
        b'{"meta": {"api-version": "1.0"}, "name": "x", "files": [{"url": 1}]}',
        b"\xff",
    ],
)
def test_what_is_no_page_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        listed(body, JSON, URL)


@pytest.mark.parametrize(("body", "kind"), [(b"[" * 100_000, JSON), (b"<![foo bar]>", "text/html")])
def test_a_hostile_page_is_none_or_empty(body: bytes, kind: str) -> None:
    with contextlib.suppress(ValueError):
        assert listed(body, kind, URL) == {}


def test_hostile_names_of_wheels_are_passed_over() -> None:
    many = ".".join(f"a{number}" for number in range(1000))
    names = [f"x-{'9' * 5000}-py3-none-any.whl", f"x-2-{many}-{many}-{many}.whl", WHEEL]
    assert versions(names) == ["1"]


def test_a_page_of_another_version_of_the_format_is_a_value_error() -> None:
    page = b'<meta name="pypi:repository-version" content="2.0"><a href="x">x</a>'
    with pytest.raises(ValueError, match=r"2\.0"):
        listed(page, "text/html", URL)


def test_versions_are_those_of_wheels_in_their_order() -> None:
    names = ["x-1.10-py3-none-any.whl", WHEEL, "x-1.9-py3-none-any.whl", "x-2.tar.gz", "", "a.whl"]
    assert versions([*names, "x-1.9-cp311-cp311-linux_x86_64.whl"]) == ["1", "1.9", "1.10"]
