"""A version that a team adds to a component: its data, and its place in a versions.yaml.

The file's comments, order and other entries stay as they are; a text that cannot be edited with
certainty is left alone, and the entry is shown instead.
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
from bakestone.core.library.version import Version
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
        """As it is called in an image."""
        return filename_of(self.url)


def filename_of(url: str) -> str:
    """The last part of a URL."""
    return url.rpartition("/")[2]


def check_url(url: str) -> None:
    """Raise (wrong usage) unless it is a URL that a Dockerfile can hold."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        why = "a URL with credentials cannot be used: it would be in the Dockerfile"
        raise fail(why, "use a URL that needs none, or a mirror", code=USAGE)
    schema.check_value(url, "versions", "url", "--url")
    schema.check_value(filename_of(url), "versions", "filename", "the last part of --url")
    if ".." in url:
        hint = "give the URL of the file itself"
        raise fail("--url cannot have two dots in a row", hint, code=USAGE)


def platform_of(filename: str) -> str:
    """The platform in a file's name, or an empty text."""
    for platform, spellings in PLATFORMS.items():
        spelled = f"(?<![a-z0-9])({'|'.join(spellings)})(?![a-z0-9])"
        if re.search(spelled, filename.lower()):
            return platform
    return ""


def _newest(component: Component, method: str) -> Version | None:
    return next((v for v in component.versions.values() if method in v.methods), None)


def method_for(component: Component, wanted: str) -> str:
    """The method that a file is for: the one that was `wanted`, else the component's only one."""
    taking = [m for m in component.methods if m in (*FETCHED, "wheel")]
    if wanted in taking or (not wanted and len(taking) == 1):
        return wanted or taking[0]
    if not taking:
        hint = f"its methods: {', '.join(component.methods)}; edit its versions.yaml"
        raise fail(f"no method of {component.name} takes a file", hint, code=USAGE)
    said = f"{component.name} takes files by {' and by '.join(taking)}"
    if wanted:
        said = f"{component.name} has no method {wanted} that takes a file"
    raise fail(said, f"say which with --method: {', '.join(taking)}", code=USAGE)


def platforms_for(
    component: Component, method: str, urls: Sequence[str], given: Sequence[str]
) -> tuple[str, ...]:
    """The platform of each file: what is `given`, else what its name says; empty for all."""
    if given or method in ("source", "wheel"):
        return tuple(given) or ("",) * len(urls)
    names = [filename_of(url) for url in urls]
    found = tuple(map(platform_of, names))
    if len(set(found)) < len(found):
        hint = "say with --platform, once for each --url, what each is for"
        raise fail("two files are for one platform", hint, code=USAGE)
    newest = _newest(component, method)
    before = newest.methods[method].get("artifacts", []) if newest else [{}]
    if "" in found and all(artifact.get("platform") for artifact in before):
        why = f"{names[found.index('')]} does not say which platform it is for"
        raise fail(why, "say with --platform: linux/amd64 or linux/arm64", code=USAGE)
    return found


def measure(given: Sequence[str], version: str) -> dict[str, str]:
    """KEY=VALUE over the version itself, empty where none is given; the schema checks the rest."""
    for text in given:
        if not re.fullmatch(r"[a-z_]+=[A-Za-z0-9._+:~-]{1,80}", text):
            hint = "write KEY=VALUE, such as version=27.1.0"
            raise fail(f"--measure cannot be {text[:60]!r}", hint, code=USAGE)
    return {"version": version} | dict(text.split("=") for text in given) if given else {}


def check_new(component: Component, version: str) -> None:
    """Raise when the library has the version already."""
    schema.check_value(version, "versions", "version", "VERSION")
    found = component.versions.get(version)
    if found is not None:
        name = component.name
        hint = f"it may be edited in components/{name}/versions.yaml"
        if component.built_in and not component.overlays:
            hint = f"to change it, copy the component's folder to components/{name} and edit that"
        methods = ", ".join(found.methods) or "no method"
        raise fail(f"{name} has {version} already ({methods})", hint, name=f"{name}@{version}")
    if component.slot == "distro":
        why = f"{component.name} is a distro: it comes as an image, not as a file"
        raise fail(why, "see docs/components.md", name=component.name)


def entry(
    component: Component, method: str, files: Sequence[FetchedFile], measured: Mapping[str, str]
) -> Entry:
    """The data of a version, as it stands in versions.yaml."""
    data = _wheels(component, files) if method == "wheel" else artifacts(files)
    return ({"measure": dict(measured)} if measured else {}) | {"methods": {method: data}}


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
        name, version, platforms = _wheel(file)
        entries = found.setdefault((names.get(name, name), version), {})
        about = {"filename": file.filename, "sha256": file.sha256, "size": file.size}
        entries.update({platform: dict(about) for platform in platforms})
    listed = [{"name": n, "version": v, "files": entries} for (n, v), entries in found.items()]
    sources = list(dict.fromkeys(file.source for file in files))
    return {"wheels": listed, "source": sources[0] if len(sources) == 1 else sources}


def _wheel(file: FetchedFile) -> tuple[NormalizedName, str, tuple[str, ...]]:
    """What the name of a wheel says (PEP 427), and the platforms that it is taken for.

    Raises `BakestoneError` when it is no wheel, or none for Linux.
    """
    try:
        name, version, _, tags = parse_wheel_filename(file.filename)
    except InvalidWheelFilename as problem:
        hint = "give the URL of a .whl file, or another --method"
        raise fail(f"{file.filename} is not the name of a wheel", hint, code=USAGE) from problem
    linux = ("manylinux", "linux_", "any")
    made_for = {tag.platform for tag in tags if tag.platform.startswith(linux)}
    platforms = [p for p in PLATFORMS if "any" in made_for or p in map(platform_of, made_for)]
    if not made_for or not (file.platform or platforms):
        hint = "give the wheel for linux_x86_64 or linux_aarch64"
        raise fail(f"{file.filename} is not for Linux on amd64 or arm64", hint, code=USAGE)
    return name, str(version), (file.platform,) if file.platform else tuple(platforms)


def _wheels(component: Component, files: Sequence[FetchedFile]) -> Entry:
    """As `wheels`; all those that the newest version has must be there."""
    newest = _newest(component, "wheel")
    names = {w["name"] for w in newest.methods["wheel"]["wheels"]} if newest else set()
    data = wheels(files, names)
    given = {_wheel(file)[0] for file in files}
    lacking = sorted(name for name in names if canonicalize_name(name) not in given)
    if newest and lacking:
        why = f"{component.name} {newest.version} also has {', '.join(lacking)}"
        raise fail(why, "give --url once for each wheel", code=USAGE)
    return data


def write(folder: Path, component: Component, version: str, data: Entry) -> Path:
    """Add the entry to `folder`/NAME/versions.yaml, made when it is not there; gives its path."""
    path = folder / component.name / "versions.yaml"
    with alone(path.parent):
        real, text = path.resolve(), _HEADER.format(name=component.name)
        if real.is_file():
            text = read_text(real, "the component's versions.yaml", limit=yamldoc.MAX_BYTES)
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
    if all(line.lstrip().startswith("#") for line in lines if line.strip()):
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
    if after != document.data | {"versions": {**before, version: data}}:
        raise _by_hand(version, data, name)  # something that was there is not what it was
    return new


def _by_hand(version: str, data: Entry, name: str) -> BakestoneError:
    text = _entry_text(version, data, "  ", "\n")
    hint = f"add it by hand under `versions:`\n{text}"
    return fail("the entry cannot be put into this file: its form is unusual", hint, name=name)


def _place(document: Document, lines: Sequence[str], version: str) -> tuple[int, str]:
    """The index of the line that the entry goes before, and its indentation."""
    known = list(document.data["versions"])
    starts = {name: document.position(("versions", name), key=True) for name in known}
    indent = " " * (min(starts.values(), key=lambda where: where.line).column - 1)
    older = [name for name in known if version_key(name) < version_key(version)]
    if not older:
        below = [path for path in document.values if path[:1] == ("versions",) and len(path) > 1]
        return max(document.position(path).line for path in below), indent
    place = min(starts[name].line for name in older) - 1
    top = document.position(("versions",), key=True).line
    while place > top and lines[place - 1].startswith(f"{indent}#"):
        place -= 1  # the comment over an entry belongs to it
    return place, indent


class _Dumper(yaml.SafeDumper):
    # - the library's own signature
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Lists stand further in than their key, as in the other files."""
        super().increase_indent(flow, False)


def _entry_text(version: str, data: Entry, indent: str, end: str) -> str:
    body = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return end.join([f'{indent}"{version}":', *(f"{indent}  {line}" for line in body.splitlines())])
