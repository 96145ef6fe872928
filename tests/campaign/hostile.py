"""What people and networks write where something else should be, put into good documents."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import yaml
from hypothesis import strategies as st

SECRET = "hunter2"
"""Stands in URLs and passwords; no message may show it."""
TEXTS = [
    *("", " ", "\n", "\t", "\0", "a b", "a\nb", "-", "--help", "#", "::error::x", "none", "*", "?"),
    *("\x1b[31m", "\x9b31m", "\u202eabc", "\u2066", "\ufeff", "e\u0301", "\U0001f9ca", "\x7f"),
    *("{{ 7*7 }}", "{% for x in y %}", "${HOME}", "$(id)", "`id`", "'; id #", '"', "\\", "EOF"),
    *("..", "../../etc/passwd", "/dev/zero", "/proc/self/environ", "~/.netrc", "a" * 300),
    *(">=5,garbage!", ">=", ">=1,<", "@", "debian@", "@12", "openmpi@5.*", "cuda@>=12,<13", "!=1"),
    *(
        "sha256:" + "a" * 64,
        "sha256:" + "g" * 64,
        "9" * 400,
        "1e999",
        "0x10",
        "1:2:3",
        "2026-02-30",
    ),
    *("2099-01-01T00:00:00Z", "20261322T000000Z", "localhost:99999", "[::1", "http://", "file:///"),
    *(f"https://bob:{SECRET}@x.example/y", f"bob:{SECRET}@x.example/y", "x.example/y?token=1"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 10**30, float("inf"), float("nan"), [], {}, [[]], [None]),
    *({"a": {"b": ["c"]}}, {"": ""}, {"a": None}, ["a"] * 40, datetime.date(2026, 1, 1)),
]
KEYS = ["", "name", "axes", "version", "with", "image", "because", "\x1b", "__class__", "a" * 200]


def paths(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every value in a document, with the document's own."""
    children = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [at, *(path for key, value in children for path in paths(value, (*at, key)))]


def _parent(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        data = data[key]
    return data


@st.composite
def altered(draw: st.DrawFn, data: Any, times: st.SearchStrategy[int]) -> Any:
    """A document in which some values are replaced, left out, wrapped or called otherwise."""
    data = copy.deepcopy(data)
    for _ in range(draw(times)):
        path = draw(st.sampled_from(paths(data)))
        if not path:
            continue
        parent, key = _parent(data, path), path[-1]
        how = draw(st.sampled_from(["text", "value", "gone", "key", "twice", "inside", "wrapped"]))
        if how == "text":
            parent[key] = draw(st.sampled_from(TEXTS))
        elif how == "value":
            parent[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif how == "gone":
            del parent[key]
        elif how == "wrapped":
            parent[key] = draw(st.sampled_from([[parent[key]], {"a": parent[key]}]))
        elif isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        elif how == "inside" and isinstance(parent[key], str):
            middle, text = len(parent[key]) // 2, parent[key]
            parent[key] = text[:middle] + draw(st.sampled_from(TEXTS)) + text[middle:]
        else:
            parent[draw(st.sampled_from([*KEYS, f"{key}x"]))] = parent.pop(key)
    return data


def dumped(data: Any) -> str:
    """A document as YAML, in the order that it has."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)


@st.composite
def torn(draw: st.DrawFn, text: str) -> bytes:
    """A text with something in it that is no YAML, or cut off, or in another encoding; mostly as it
    is.
    """
    how = draw(st.sampled_from(["whole"] * 25 + ["cut", "put in", "latin-1", "utf-16", "lines"]))
    place = draw(st.integers(0, len(text)))
    if how == "cut":
        return text[:place].encode("utf-8", "replace")
    if how == "put in":
        odd = ["\t", "&a *a", "!!python/object:os.system x", "<<<<<<< HEAD\n", "? ", "%YAML 9.9\n"]
        return (text[:place] + draw(st.sampled_from(odd)) + text[place:]).encode("utf-8", "replace")
    if how == "lines":
        return text.replace("\n", draw(st.sampled_from(["\r\n", "\r", "\u2028"]))).encode()
    codec = how if how in ("latin-1", "utf-16") else "utf-8"
    return text.encode(codec, "replace")
