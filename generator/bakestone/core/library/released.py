"""A publisher's list of its releases: files and their SHA-256, and what of it is which version.

Pure: the list's text is an argument. Three forms are read: lines of `sha256sum` (with or without a
signature around them, as on kernel.org), a table in HTML with a file's name and its checksum in one
row (as on repo.anaconda.com), and the answers of GitHub's API for releases
(https://docs.github.com/en/rest/releases/releases).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from packaging.version import InvalidVersion, Version

from bakestone.core.documents.patterns import version_key
from bakestone.core.documents.yaml import Json
from bakestone.core.library.indexed import PLATFORMS, PRE_RELEASE, Omission

_LINE = re.compile(r"^([0-9a-f]{64}) [ *](\S{1,255})$", re.MULTILINE)
_SUM = re.compile("[0-9a-f]{64}")
_NUMBERS = r"[0-9]+(?:\.[0-9]+)+"
_PLACES = {"{version}": "(?P<version>{numbers})", "{machine}": "(?P<machine>{machines})"}
_TAG = re.compile("[0-9A-Za-z][0-9A-Za-z.+!~:_/^-]{0,59}")
"""A tag as index.yaml can hold it."""
_DAY = re.compile("(20[0-9]{2}-[01][0-9]-[0-3][0-9])T[0-9:]{8}Z")
_LARGEST = 2**40
"""Bytes: no file of a release has more."""


@dataclass(frozen=True)
class ReleaseList:
    """Where a component's releases are listed, and how their files are called.

    It is at a `url`, or it is that of a repository of `github` (`openucx/ucx`), whose releases have
    tags of the form `tag`. `file` has `{version}` and maybe `{machine}`; `version` is a regular
    expression of what a version is, whose named groups `measure` and `folder` may take. Versions
    before `since` are left alone. `folder` is where the files are that GitHub does not have itself.
    """

    file: str
    method: str
    url: str = ""
    github: str = ""
    tag: str = "{version}"
    folder: str = ""
    version: str = _NUMBERS
    since: str = ""
    measure: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(data: Json) -> ReleaseList:
        """From `list` in index.yaml, which its schema has checked."""
        return ReleaseList(**{**data, "measure": dict(data.get("measure", {}))})

    @property
    def address(self) -> str:
        """The list itself."""
        return f"https://api.github.com/repos/{self.github}/releases" if self.github else self.url

    @property
    def place(self) -> str:
        """What the URLs of all its files begin with."""
        if self.github:
            return f"https://github.com/{self.github}/releases/download/"
        return f"{self.url.rpartition('/')[0]}/"


@dataclass(frozen=True)
class ReleaseFile:
    """A file of a release; `platform` is empty for one that fits all.

    `sha256` is empty and `size` 0 where the list does not say it; `published` is a day (ISO 8601),
    or empty.
    """

    url: str
    sha256: str
    platform: str
    size: int = 0
    published: str = ""

    @property
    def filename(self) -> str:
        """The last part of its URL."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class ListedRelease:
    """A version, its files, and what is measured of it."""

    version: str
    files: tuple[ReleaseFile, ...]
    measure: Mapping[str, str]


@dataclass(frozen=True)
class Listing:
    """The releases of a list, newest first, and version (or tag) -> why the library is without."""

    releases: tuple[ListedRelease, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


def listed(text: str) -> dict[str, str]:
    """File name -> SHA-256, of all that a list has.

    Raises `ValueError` for what is no list of either form.
    """
    lines = {name: checksum for checksum, name in _LINE.findall(text)}
    if lines:
        return lines
    table = _Table()
    table.feed(text)
    found: dict[str, str] = {}
    for row in table.rows:
        sums = [cell for cell in row if _SUM.fullmatch(cell)]
        if len(sums) == 1 and row[0] not in sums:
            found[row[0]] = sums[0]
    if not found:
        raise ValueError("it has neither lines of sha256sum nor a table with checksums")
    return found


def releases(rules: ReleaseList, text: str) -> Listing:
    """The releases of a list at a URL. Raises `ValueError` as `listed` does."""
    pattern = _pattern(rules, rules.file)
    files: dict[str, list[ReleaseFile]] = {}
    measures: dict[str, dict[str, str]] = {}
    for name, checksum in listed(text).items():
        found = pattern.fullmatch(name)
        if not found or version_key(found["version"]) < version_key(rules.since):
            continue
        groups = _groups(found)
        platform = PLATFORMS.get(groups.get("machine", ""), "")
        file = ReleaseFile(f"{rules.place}{name}", checksum, platform)
        files.setdefault(found["version"], []).append(file)
        measures[found["version"]] = _measured(rules, groups)
    return Listing(_newest_first(files, measures))


def tagged(text: str) -> list[Json]:
    """The releases of one page of GitHub's API.

    Raises `ValueError` for what is none: other types, names that no tag has.
    """
    try:
        page = json.loads(text)
    except RecursionError as problem:
        raise ValueError("it is no list of releases: it is nested too deeply") from problem
    except ValueError as problem:
        raise ValueError("it is no list of releases: it is no JSON") from problem
    if not isinstance(page, list):
        raise ValueError("it is no list of releases")
    return [_release(one) for one in page]


def _release(data: Any) -> Json:
    """What counts of a release, each of its type."""
    tag = _typed(data, "tag_name", str)
    if not _TAG.fullmatch(tag):
        raise ValueError(f"it is no list of releases: a tag is {tag[:60]!r}")
    assets = [
        {
            "name": _typed(asset, "name", str),
            "url": _typed(asset, "browser_download_url", str),
            "size": _typed(asset, "size", int),
            "digest": _typed(asset, "digest", str, ""),
        }
        for asset in _typed(data, "assets", list)
    ]
    day = _DAY.fullmatch(_typed(data, "published_at", str, ""))
    early = _typed(data, "prerelease", bool) or _typed(data, "draft", bool)
    return {"tag": tag, "early": early, "day": day[1] if day else "", "assets": assets}


def _typed(data: Any, key: str, kind: type, absent: Any = None) -> Any:
    """A value of an object, which must be of a kind; `absent` where there is none."""
    value = data.get(key) if isinstance(data, dict) else None
    if value is None and absent is not None:
        return absent
    # a bool counts as an int in Python, and in no list of releases
    if type(value) is not kind or (isinstance(value, int) and not 0 <= value < _LARGEST):
        raise ValueError(f"it is no list of releases: its {key} is none")
    return value


def tagged_releases(
    rules: ReleaseList, tags: Iterable[Json], without: Sequence[Omission], held: Iterable[str]
) -> Listing:
    """The releases of a repository of GitHub, from what `tagged` gives; those that are `held` count
    whatever is said of them.

    Raises `ValueError` where a file is not the repository's own, or its checksum is none.
    """
    form, known = _pattern(rules, rules.tag), set(held)
    files: dict[str, list[ReleaseFile]] = {}
    measures: dict[str, dict[str, str]] = {}
    left_out: dict[str, str] = {}
    for release in tags:
        found = form.fullmatch(release["tag"])
        if not found:
            odd = "it is no version of the form that the library has"
            left_out[release["tag"]] = PRE_RELEASE if release["early"] else odd
            continue
        version, groups = found["version"], _groups(found)
        there = list(_files(rules, release, version, groups))
        measures[version] = _measured(rules, groups)
        if version not in known and (why := _without(rules, release, version, without)):
            left_out[version] = why
        elif there:
            files[version] = there
        elif version not in known:
            left_out[version] = f"it has no file {rules.file.replace('{version}', version)}"
    return Listing(_newest_first(files, measures), left_out)


def _without(rules: ReleaseList, release: Json, version: str, without: Sequence[Omission]) -> str:
    """Why the library is without a release; empty where nothing speaks against it."""
    for entry in without:
        try:
            if entry.covers(rules.github, Version(version)):
                return entry.because
        except InvalidVersion:  # no version of Python's: nothing is said of it
            break
    if release["early"]:
        return PRE_RELEASE
    if version_key(version) < version_key(rules.since):
        return f"it is older than {rules.since}"
    return ""


def _files(
    rules: ReleaseList, release: Json, version: str, groups: Mapping[str, str]
) -> Iterable[ReleaseFile]:
    """The files of a release that are called as the rules say."""
    if rules.folder:
        name = rules.file.format(version=version, machine="")
        yield ReleaseFile(f"{rules.folder.format(**groups)}{name}", "", "", 0, release["day"])
        return
    pattern = _pattern(rules, rules.file)
    for asset in release["assets"]:
        found = pattern.fullmatch(asset["name"])
        if not found or found["version"] != version:
            continue
        url = f"{rules.place}{release['tag']}/{asset['name']}"
        if asset["url"] != url:
            raise ValueError(f"{asset['name']} is not where releases of {rules.github} are")
        checksum = asset["digest"].removeprefix("sha256:")
        if checksum and not _SUM.fullmatch(checksum):
            raise ValueError(f"the digest of {asset['name']} is no SHA-256")
        platform = PLATFORMS.get(_groups(found).get("machine", ""), "")
        yield ReleaseFile(url, checksum, platform, asset["size"], release["day"])


def _pattern(rules: ReleaseList, form: str) -> re.Pattern[str]:
    """What files or tags of a form are called."""
    pattern = re.escape(form)
    for place, expression in _PLACES.items():
        filled = expression.format(numbers=rules.version, machines="|".join(PLATFORMS))
        pattern = pattern.replace(re.escape(place), filled, 1)
    return re.compile(pattern, re.ASCII)


def _groups(found: re.Match[str]) -> dict[str, str]:
    return {key: value or "" for key, value in found.groupdict().items()}


def _measured(rules: ReleaseList, groups: Mapping[str, str]) -> dict[str, str]:
    return {key: text.format(**groups) for key, text in rules.measure.items()}


def _newest_first(
    files: Mapping[str, Sequence[ReleaseFile]], measures: Mapping[str, Mapping[str, str]]
) -> tuple[ListedRelease, ...]:
    newest = sorted(files, key=version_key, reverse=True)
    return tuple(
        ListedRelease(v, tuple(sorted(files[v], key=lambda f: f.platform)), measures[v])
        for v in newest
    )


class _Table(HTMLParser):
    """The rows of all tables of a page, each the texts of its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(
        self,
        tag: str,
        attrs: list[tuple[str, str | None]],  # noqa: ARG002 - the library's own signature
    ) -> None:
        """A row or a cell begins."""
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        """Text of a cell."""
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()
