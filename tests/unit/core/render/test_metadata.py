"""What an index says of where its images come from: only what was said, and nothing hostile."""

from __future__ import annotations

import pytest

from bakestone.core.render.metadata import MAX_VALUE, Metadata, without_account

WHOLE = Metadata(
    "https://git.example.com/team/images",
    "0123abc",
    "https://example.com/",
    "https://docs.example.com/images",
    "Platform team <team@example.com>",
    "Example Inc.",
)


def test_annotations_have_the_names_of_the_specification() -> None:
    found = WHOLE.annotations("2026-11-22T00:00:00Z", "docker.io/library/debian:12", "sha256:ab")
    assert {name.removeprefix("org.opencontainers.image."): v for name, v in found.items()} == {
        "source": "https://git.example.com/team/images",
        "revision": "0123abc",
        "url": "https://example.com/",
        "documentation": "https://docs.example.com/images",
        "authors": "Platform team <team@example.com>",
        "vendor": "Example Inc.",
        "created": "2026-11-22T00:00:00Z",
        "base.name": "docker.io/library/debian:12",
        "base.digest": "sha256:ab",
    }
    assert WHOLE.fitting() == WHOLE


def test_what_nobody_knows_is_left_out() -> None:
    assert Metadata().annotations("", "", "") == {}
    assert Metadata().annotations("", "debian:12", "") == {
        "org.opencontainers.image.base.name": "debian:12"
    }


def test_what_is_known_here_wins() -> None:
    mine = Metadata(source="https://a.example/", vendor="A")
    assert mine.over(WHOLE).source == "https://a.example/"
    assert mine.over(WHOLE).revision == "0123abc"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", "https://me:hunter2@git.example.com/x"),
        ("source", "/home/me/images"),
        ("source", "file:///home/me/images"),
        ("source", "https://git.example.com/x?token=hunter2"),
        ("source", "https://git.example.com/x\n"),
        ("url", "javascript://a/alert(1)"),
        ("documentation", "https://git.example.com/\x1b[31m"),
        ("revision", "-x"),
        ("revision", "a b"),
        ("vendor", "a\x00b"),
        ("vendor", "a\u202eb"),
        ("authors", "x" * (MAX_VALUE + 1)),
    ],
)
def test_what_no_annotation_may_hold_is_left_out(name: str, value: str) -> None:
    assert Metadata(**{name: value}).fitting() == Metadata()


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://git.example.com/team/images.git", "https://git.example.com/team/images.git"),
        ("https://me:hunter2@git.example.com/x", "https://git.example.com/x"),
        ("https://me@corp:hunter2@git.example.com/x", "https://git.example.com/x"),
        ("https://git.example.com/x?private_token=hunter2#y", "https://git.example.com/x"),
        ("ssh://git@git.example.com:2222/x.git", "ssh://git.example.com:2222/x.git"),
        ("git@git.example.com:team/images.git", "ssh://git.example.com/team/images.git"),
        ("git.example.com:team/images.git", "ssh://git.example.com/team/images.git"),
        ("/srv/git/images.git", ""),
        ("../images", ""),
        ("C:\\images", ""),
        ("", ""),
    ],
)
def test_a_remote_is_told_without_account_and_machine(remote: str, told: str) -> None:
    assert Metadata(source=without_account(remote)).fitting().source == told
