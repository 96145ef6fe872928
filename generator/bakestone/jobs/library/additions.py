"""A version that a team adds to a component: its data, and where it goes in
components/NAME/versions.yaml.

The file's comments, order and other entries stay as they are; a text that cannot be
edited with certainty is left alone, and the entry is shown instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from packaging.utils import (
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_wheel_filename,
)

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import version_key
from bakestone.core.documents.yaml import Document
from bakestone.core.library.component import Component
from bakestone.core.matrix.methods import FETCHED
from bakestone.errors import USAGE, BakestoneError, fail, read_text
from bakestone.files import alone, write_text

PLATFORMS = {"linux/amd64": ("x86_64", "amd64", "x64"), "linux/arm64": ("aarch64", "arm64")}
"""Platform -> how file names spell it."""
_HEADER = (
    "# Versions of {name} besides Bakestone's own. Added by `bakestone component add`; may be"
    " edited.\n"
)
Entry = dict[str, object]
"""What versions.yaml says of a version, or a part of it."""


@dataclass(frozen=True)
class FetchedFile:
    """A file that was fetched and hashed.

    `platform` is empty when it fits all; `source` says where the checksum comes from.
    """

    url: str
    sha256: str
    size: int
    platform: str
    source: str
    confidence: str

    @property
    def filename(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]


def source(url: str, day: str, *, given: bool) -> tuple[str, str]:
    """Where a computed checksum comes from, and how far it can be trusted: more when a person
    `given` it as well.
    """
    text = f"computed {day} from {url}"
    return (f"{text}, equal to the checksum that was given", "medium") if given else (text, "low")


def check_url(url: str) -> None:
    """Raise (wrong usage) unless it is a URL that a Dockerfile can hold."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        why = "a URL with credentials cannot be used: it would be in the Dockerfile"
        raise fail(why, "use a URL that needs none, or a mirror", code=USAGE)
    schema.check_value(url, "versions", "url", "--url")
    schema.check_value(url.rpartition("/")[2], "versions", "filename", "the last part of --url")
    if ".." in url:
        raise fail(
            "--url cannot have two dots in a row", "give the URL of the file itself", code=USAGE
        )


def platform_of(filename: str) -> str:
    """The platform in a file's name, or an empty text."""

    def named(spelled: str) -> bool:
        return bool(re.search(rf"(?<![a-z0-9]){spelled}(?![a-z0-9])", filename.lower()))

    return next(
        (platform for platform, spelled in PLATFORMS.items() if any(map(named, spelled))), ""
    )


def method_for(component: Component, wanted: str) -> str:
    """The method that a file is for: the one that was `wanted`, else the only one of the component
    that takes files.
    """
    taking = [m for m in component.methods if m in (*FETCHED, "wheel")]
    if wanted in taking or (not wanted and len(taking) == 1):
        return wanted or taking[0]
    if not taking:
        hint = f"its methods: {', '.join(component.methods)}; edit its versions.yaml"
        raise fail(f"no method of {component.name} takes a file", hint, code=USAGE)
    said = (
        f"{component.name} has no method {wanted} that takes a file"
        if wanted
        else f"{component.name} takes files by {' and by '.join(taking)}"
    )
    raise fail(said, f"say which with --method: {', '.join(taking)}", code=USAGE)


def platforms_for(
    component: Component, method: str, urls: Sequence[str], given: Sequence[str]
) -> tuple[str, ...]:
    """The platform of each file, empty for all: what is `given`, else what its name says; a source
    is for all of them.
    """
    if given or method in ("source", "wheel"):
        return tuple(given) or ("",) * len(urls)
    found = tuple(platform_of(url.rpartition("/")[2]) for url in urls)
    if len(set(found)) < len(found):
        hint = "say with --platform, once for each --url, what each is for"
        raise fail("two files are for one platform", hint, code=USAGE)
    newest = next((v for v in component.versions.values() if method in v.methods), None)
    before = newest.methods[method].get("artifacts", []) if newest else [{}]
    if "" in found and all(artifact.get("platform") for artifact in before):
        name = urls[found.index("")].rpartition("/")[2]
        hint = "say with --platform: linux/amd64 or linux/arm64"
        raise fail(f"{name} does not say which platform it is for", hint, code=USAGE)
    return found


def measure(given: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE of the command line as a mapping; the file is checked against its schema before it
    is written.
    """
    found = {}
    for text in given:
        key, mark, value = text.partition("=")
        if (
            not mark
            or not re.fullmatch("[a-z_]+", key)
            or not re.fullmatch(r"[A-Za-z0-9._+:~-]{1,80}", value)
        ):
            hint = "write KEY=VALUE, such as version=27.1.0"
            raise fail(f"--measure cannot be {text[:60]!r}", hint, code=USAGE)
        found[key] = value
    return found


def check_new(component: Component, version: str) -> None:
    """Raise when the library has the version already."""
    schema.check_value(version, "versions", "version", "VERSION")
    found = component.versions.get(version)
    if found is not None:
        methods = ", ".join(found.methods) or "no method"
        hint = (
            f"to change it, copy the component's folder to components/{component.name} and edit"
            " that"
        )
        if not component.built_in or component.overlays:
            hint = f"it may be edited in components/{component.name}/versions.yaml"
        raise fail(
            f"{component.name} has {version} already ({methods})",
            hint,
            name=f"{component.name}@{version}",
        )
    if component.slot == "distro":
        why = f"{component.name} is a distro: it comes as an image, not as a file"
        raise fail(why, "see docs/components.md", name=component.name)


def entry(
    component: Component,
    version: str,
    method: str,
    files: Sequence[FetchedFile],
    measured: Mapping[str, str],
) -> Entry:
    """The version's data, as it stands in versions.yaml."""
    data: Entry = (
        {"measure": {"version": measured.get("version", version), **measured}} if measured else {}
    )
    if method == "wheel":
        return data | {"methods": {"wheel": _wheels(component, files)}}
    return data | {"methods": {method: artifacts(files)}}


def artifacts(files: Sequence[FetchedFile]) -> Entry:
    """Files as the data of a method that fetches them."""
    entries = [
        {"url": f.url, "sha256": f.sha256, "filename": f.filename}
        | ({"platform": f.platform} if f.platform else {})
        | {"size": f.size, "source": f.source, "confidence": f.confidence}
        for f in files
    ]
    return {"artifacts": entries}


def wheels(files: Sequence[FetchedFile], known: Iterable[str]) -> Entry:
    """Files as the data of the method `wheel`; `known` are names as the component has them already.

    Wheels are fetched by name from the package index; the URL is where their checksums were
    computed.
    """
    names = {canonicalize_name(name): name for name in known}
    found: dict[tuple[str, str], Entry] = {}
    for file in files:
        wheel = _Wheel.of(file)
        name = names.get(wheel.name, wheel.name)
        found.setdefault((name, wheel.version), {}).update(
            (platform, {"filename": file.filename, "sha256": file.sha256, "size": file.size})
            for platform in wheel.platforms
        )
    listed = [{"name": n, "version": v, "files": entries} for (n, v), entries in found.items()]
    sources = list(dict.fromkeys(file.source for file in files))
    return {"wheels": listed, "source": sources[0] if len(sources) == 1 else sources}


@dataclass(frozen=True)
class _Wheel:
    """What the name of a wheel says (PEP 427), and the platforms that it is taken for."""

    name: NormalizedName
    version: str
    platforms: tuple[str, ...]

    @classmethod
    def of(cls, file: FetchedFile) -> _Wheel:
        """Raises `BakestoneError` when it is no wheel, or none for Linux."""
        try:
            name, version, _, tags = parse_wheel_filename(file.filename)
        except InvalidWheelFilename as problem:
            hint = "give the URL of a .whl file, or another --method"
            raise fail(f"{file.filename} is not the name of a wheel", hint, code=USAGE) from problem
        made_for = {
            tag.platform for tag in tags if tag.platform.startswith(("manylinux", "linux_", "any"))
        }
        platforms = [p for p in PLATFORMS if made_for & {"any"} or p in map(platform_of, made_for)]
        if not made_for or not (file.platform or platforms):
            hint = "give the wheel for linux_x86_64 or linux_aarch64"
            raise fail(f"{file.filename} is not for Linux on amd64 or arm64", hint, code=USAGE)
        return cls(name, str(version), (file.platform,) if file.platform else tuple(platforms))


def _wheels(component: Component, files: Sequence[FetchedFile]) -> Entry:
    """As `wheels`; all those that the newest version has must be there."""
    newest = next((v for v in component.versions.values() if "wheel" in v.methods), None)
    names = {w["name"] for w in newest.methods["wheel"]["wheels"]} if newest else set()
    data = wheels(files, names)
    given = {_Wheel.of(file).name for file in files}
    lacking = sorted(name for name in names if canonicalize_name(name) not in given)
    if newest and lacking:
        why = f"{component.name} {newest.version} also has {', '.join(lacking)}"
        raise fail(why, "give --url once for each wheel", code=USAGE)
    return data


def write(folder: Path, component: Component, version: str, data: Entry) -> Path:
    """Add the entry to `folder`/NAME/versions.yaml, which is made when it is not there.

    Gives the file's path.
    """
    path = folder / component.name / "versions.yaml"
    with alone(path.parent):
        real = path.resolve()
        there = real.is_file()
        text = (
            read_text(real, "the component's versions.yaml", limit=yamldoc.MAX_BYTES)
            if there
            else _HEADER.format(name=component.name)
        )
        new = inserted(text, version, data, str(path))
        schema.check(yamldoc.parse(new, str(path)), "versions")
        write_text(real, new)
    return path


def inserted(text: str, version: str, data: Entry, name: str) -> str:
    """The text of a versions.yaml with one more entry, at its place among the others, newest first.

    Raises `BakestoneError` with the entry to add by hand when the text has a form in which that is
    not certain.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    if _blank(lines):
        return end.join([*lines, "versions:", _entry_text(version, data, "  ", end), ""])
    document = yamldoc.parse(text, name)
    before = document.data.get("versions") if isinstance(document.data, dict) else None
    if not isinstance(before, dict) or not before:
        raise _by_hand(version, data, name)
    if version in before:
        why = f"{version} is there already"
        raise fail(why, "edit it", where=document.position(("versions", version), key=True))
    place, indent = _place(document, lines, version)
    lines.insert(place, _entry_text(version, data, indent, end))
    new = end.join(lines) + end
    try:
        after = yamldoc.parse(new, name).data
    except BakestoneError as problem:
        raise _by_hand(version, data, name) from problem
    if after != {
        **document.data,
        "versions": {**before, version: data},
    }:  # what was there is still what it was
        raise _by_hand(version, data, name)
    return new


def _by_hand(version: str, data: Entry, name: str) -> BakestoneError:
    text = _entry_text(version, data, "  ", "\n")
    hint = f"add it by hand under `versions:`\n{text}"
    return fail("the entry cannot be put into this file: its form is unusual", hint, name=name)


def _blank(lines: Sequence[str]) -> bool:
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines)


def _place(document: Document, lines: Sequence[str], version: str) -> tuple[int, str]:
    """The index of the line that the entry goes before, and its indentation."""
    known = list(document.data["versions"])
    starts = {name: document.position(("versions", name), key=True) for name in known}
    first = min(starts.values(), key=lambda where: where.line)
    indent = " " * (first.column - 1)
    older = [name for name in known if version_key(name) < version_key(version)]
    if older:
        place = min(starts[name].line for name in older) - 1
        for line in range(
            place - 1, document.position(("versions",), key=True).line - 1, -1
        ):  # the comment over an entry belongs to it
            if not lines[line].startswith(f"{indent}#"):
                break
            place = line
        return place, indent
    last = max(
        where.line
        for where in (
            document.position(path)
            for path in document.values
            if path[:1] == ("versions",) and len(path) > 1
        )
    )
    return last, indent


class _Dumper(yaml.SafeDumper):
    # - the library's own signature
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Lists stand further in than their key, as in the other files."""
        super().increase_indent(flow, False)


def _entry_text(version: str, data: Entry, indent: str, end: str) -> str:
    body = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return end.join([f'{indent}"{version}":', *(f"{indent}  {line}" for line in body.splitlines())])
