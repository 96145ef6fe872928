"""A version that a team adds to a component: its data, and its place in a versions.yaml.

The file's comments, order and other entries stay as they are; a text that cannot be edited with
certainty is left alone, and the entry is shown instead.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from operator import itemgetter
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
from bakestone.core.documents.yaml import Document, Json
from bakestone.core.library.component import Component
from bakestone.core.library.version import Version
from bakestone.core.matrix.methods import FETCHED
from bakestone.errors import USAGE, BakestoneError, fail, read_text
from bakestone.files import alone, write_text

PLATFORMS = {"linux/amd64": ("x86_64", "amd64", "x64"), "linux/arm64": ("aarch64", "arm64")}
"""Platform -> how file names spell it."""
TAKEN = (*FETCHED, "wheel")
"""Methods whose files `component add` takes."""
_HEADER = (
    "# Versions of {name} besides Bakestone's own. Added by `bakestone component add`; may be"
    " edited.\n"
)
_INLINE = ("when", "measure")
_CHECKSUM = "[0-9a-f]{64}"
Entry = dict[str, object]
"""What versions.yaml says of a version, or a part of it."""


@dataclass(frozen=True)
class FetchedFile:
    """A file that was fetched and hashed.

    `platform` is empty when it fits all; `source` says where the checksum comes from. `size` in
    bytes, 0 where nobody says it; `published` is a day (ISO 8601), or empty.
    """

    url: str
    sha256: str
    size: int
    platform: str
    source: str
    confidence: str
    published: str = ""

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


def method_for(component: Component, wanted: str, urls: Sequence[str]) -> str:
    """The method that files are for: the one that was `wanted`, else the only one that takes such
    files: wheels, or others.
    """
    taking = [m for m in component.methods if m in TAKEN]
    wheels = all(filename_of(url).endswith(".whl") for url in urls)
    if fitting := [m for m in taking if not wanted and (m == "wheel") is wheels]:
        taking = fitting
    if wanted in taking or (not wanted and len(taking) == 1):
        return wanted or taking[0]
    if not taking or (wanted in component.methods and wanted not in taking):
        why = f"no method of {component.name} takes a file: it has {', '.join(component.methods)}"
        if taking:
            why = f"the method {wanted} of {component.name} takes no file: {', '.join(taking)} does"
        by_hand = f"write the version to components/{component.name}/versions.yaml by hand"
        raise fail(why, f"{by_hand}: docs/components.md says how", code=USAGE)
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


def check_new(component: Component, version: str, method: str) -> None:
    """Raise when the library has the version already by this method, or by any where that is empty;
    and for a component of which nothing can be fetched.
    """
    schema.check_value(version, "versions", "version", "VERSION")
    name = component.name
    if component.slot == "distro":
        why = f"{name} is a distro: it comes as an image, not as a file"
        raise fail(why, "see docs/components.md", name=name)
    found = component.versions.get(version)
    if found is None or (method and method not in found.methods):
        return
    further = [m for m in component.methods if m in TAKEN and m not in found.methods]
    hint = f"it may be edited in components/{name}/versions.yaml"
    if component.built_in and not component.overlays:
        hint = f"to change it, copy the component's folder to components/{name} and edit that"
    if further and not method:
        hint = f"for a further method say --method: {', '.join(further)}"
    methods = ", ".join(found.methods) or "no method"
    raise fail(f"{name} has {version} already ({methods})", hint, name=f"{name}@{version}")


def with_method(component: Component, version: str, data: Json) -> Json:
    """The data of a version with what the library has of it already, by other methods."""
    found = component.versions.get(version)
    if found is None:
        return data
    methods = {**found.methods, **data["methods"]}
    return {**data, **found.data, "methods": methods}


def entry(
    component: Component, method: str, files: Sequence[FetchedFile], measured: Mapping[str, str]
) -> Json:
    """The data of a version, as it stands in versions.yaml."""
    data = _wheels(component, files) if method == "wheel" else artifacts(files)
    return ({"measure": dict(measured)} if measured else {}) | {"methods": {method: data}}


def artifacts(files: Sequence[FetchedFile]) -> Entry:
    """Files as the data of a method that fetches them."""
    entries = [
        {"url": f.url, "sha256": f.sha256, "filename": f.filename}
        | ({"platform": f.platform} if f.platform else {})
        | ({"size": f.size} if f.size else {})
        | ({"published": f.published} if f.published else {})
        | {"source": f.source, "confidence": f.confidence}
        for f in files
    ]
    return {"artifacts": entries}


def wheels(files: Sequence[FetchedFile], known: Mapping[str, Json]) -> Entry:
    """Files as the data of the method `wheel`; `known` are wheels that the component has already,
    by name, whose conditions hold for these as well.

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
    listed = [
        {"name": n, "version": v}
        | ({"when": dict(known[n]["when"])} if "when" in known.get(n, {}) else {})
        | {"files": entries}
        for (n, v), entries in found.items()
    ]
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
    """As `wheels`; those that the newest version has for every image must be there, and of those
    that it has for some images the ones that were published.

    A wheel that is new to a component whose others have conditions is refused: it would be
    installed over them.
    """
    newest = _newest(component, "wheel")
    known: dict[str, Json] = {}
    for version in component.versions.values():  # the newest comes first
        for wheel in version.methods.get("wheel", {}).get("wheels", []):
            known.setdefault(str(wheel["name"]), wheel)
    data = wheels(files, known)
    given = {_wheel(file)[0] for file in files}
    before = newest.methods["wheel"]["wheels"] if newest else []
    lacking = sorted(
        str(wheel["name"])
        for wheel in before
        if "when" not in wheel and canonicalize_name(wheel["name"]) not in given
    )
    if newest and lacking:
        why = f"{component.name} {newest.version} also has {', '.join(lacking)}"
        raise fail(why, "give --url once for each wheel", code=USAGE)
    strange = sorted(given - {canonicalize_name(name) for name in known})
    if strange and any("when" in wheel for wheel in before):
        there = ", ".join(str(wheel["name"]) for wheel in before)
        why = f"nobody says which images {strange[0]} is for: {component.name} has {there}"
        hint = "is it the right file? Else write the entry by hand, with `when`"
        raise fail(why, hint, code=USAGE)
    return data


def write(folder: Path, component: Component, version: str, data: Json) -> Path:
    """Add the entry to `folder`/NAME/versions.yaml, made when it is not there; gives its path. Of a
    version that is known by other methods it is what the library has, and the method of `data`.
    """
    path = folder / component.name / "versions.yaml"
    with alone(path.parent):
        real, text = path.resolve(), _HEADER.format(name=component.name)
        if real.is_file():
            text = read_text(real, "the component's versions.yaml", limit=yamldoc.MAX_BYTES)
        there = _methods_in(text, version, str(path)) if real.is_file() else frozenset()
        if there and not data["methods"].keys() & there:
            new = updated(text, {}, {version: data["methods"]}, str(path))
        else:
            new = inserted(text, version, with_method(component, version, data), str(path))
        schema.check(yamldoc.parse(new, str(path)), "versions")
        write_text(real, new)
    return path


def _methods_in(text: str, version: str, name: str) -> Set[str]:
    """The methods of a version in a versions.yaml; none where it does not have the version."""
    document = _versions_of(text, name) if text.strip() else None
    known = document.data["versions"].get(version, {}) if document else {}
    return set((known or {}).get("methods", {}))


def inserted(text: str, version: str, data: Entry, name: str) -> str:
    """The text of a versions.yaml with one more entry, at its place among the others, newest first.

    Raises `BakestoneError` with the entry to add by hand when the text has a form in which that is
    not certain.
    """
    if all(line.lstrip().startswith("#") for line in text.splitlines() if line.strip()):
        end = _line_end(text)
        return end.join(
            [*text.splitlines(), "versions:", _entry_text(version, data, "  ", end), ""]
        )
    document = _versions_of(text, name)
    if document is None:
        raise _by_hand(version, data, name)
    if version in document.data["versions"]:
        why = f"{version} is there already"
        raise fail(why, "edit it", where=document.position(("versions", version), key=True))
    new = _edited(text, document, {version: data}, {})
    if new is None:
        raise _by_hand(version, data, name)
    return new


Methods = Mapping[str, Mapping[str, Entry]]
"""Version -> method -> its data."""


def updated(text: str, added: Mapping[str, Entry], methods: Methods, name: str) -> str:
    """The text of a versions.yaml with further entries, and with other data of some methods in
    entries that are there.

    Raises `BakestoneError` when the text has a form in which that is not certain.
    """
    document = _versions_of(text, name)
    new = _edited(text, document, added, methods) if document else None
    if new is None:
        versions = ", ".join([*added, *methods])
        raise fail("its form is too unusual to edit", f"write by hand: {versions}", name=name)
    return new


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _versions_of(text: str, name: str) -> Document | None:
    """What a versions.yaml says; None when it has no versions."""
    document = yamldoc.parse(text, name)
    known = document.data.get("versions") if isinstance(document.data, dict) else None
    return document if isinstance(known, dict) and known else None


def _edited(
    text: str, document: Document, added: Mapping[str, Entry], methods: Methods
) -> str | None:
    """The edited text; None when something else would not be what it was."""
    end, lines = _line_end(text), text.splitlines()
    edits: list[tuple[int, int, list[str]]] = []
    for version in sorted(added, key=version_key):
        place, indent = _place(document, lines, version)
        edits.append((place, place, [_entry_text(version, added[version], indent, end)]))
    for version, changes in methods.items():
        for method, data in changes.items():
            edits.append(_method_edit(document, lines, (version, method), data))
    # from the bottom up; of entries for one place the newest comes last, and so stands first
    for first, last, new in sorted(edits, key=itemgetter(0), reverse=True):
        lines[first:last] = new
    edited = end.join(lines) + end
    versions = copy.deepcopy(document.data["versions"]) | dict(added)
    for version, changes in methods.items():
        versions[version]["methods"] |= changes
    try:
        after = yamldoc.parse(edited, document.path).data
    except BakestoneError:
        return None
    return edited if after == document.data | {"versions": versions} else None


def _method_edit(
    document: Document, lines: Sequence[str], named: tuple[str, str], data: Entry
) -> tuple[int, int, list[str]]:
    """The lines that a method of an entry takes, and those that are to stand there; where nothing
    but items of its list come to it, the place behind that list and these items.
    """
    version, method = named
    methods = ("versions", version, "methods")
    before = document.data["versions"][version]["methods"].get(method)
    if before and (further := _further_items(before, data)):
        key, items = further
        inside = (*methods, method, key)
        indent = document.position((*inside, 0)).column - 3
        below = [path for path in document.values if path[: len(inside)] == inside]
        place = max(document.position(path).line for path in below)
        return place, place, _indented(items, indent)
    where = document.position((*methods, method) if before else methods, key=True)
    first, indent = where.line - 1, where.column - 1
    if not before:  # the first method, before the others
        first, indent = first + 1, indent + 2
    last = first
    while before and (last == first or _further_in(lines[last : last + 1], indent)):
        last += 1
    return first, last, _indented({method: data}, indent)


def _further_items(before: Json, data: Entry) -> tuple[str, list[object]] | None:
    """The one list of a method to which items come at its end, and these; None where more than
    that is another.
    """
    others = [key for key in data if data[key] != before.get(key)]
    if len(others) != 1 or before.keys() != data.keys():
        return None
    old, new = before[others[0]], data[others[0]]
    if not isinstance(old, list) or not isinstance(new, list) or new[: len(old)] != old:
        return None
    return others[0], new[len(old) :]


def _indented(data: object, indent: int) -> list[str]:
    body = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return [f"{' ' * indent}{line}" for line in body.splitlines()]


def _further_in(line: Sequence[str], indent: int) -> bool:
    return bool(line and line[0].strip()) and len(line[0]) - len(line[0].lstrip()) > indent


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


def shown(version: str, data: Entry) -> str:
    """An entry as it stands in versions.yaml."""
    return _entry_text(version, data, "  ", "\n")


class _Dumper(yaml.SafeDumper):
    # - the library's own signature
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Lists stand further in than their key, as in the other files."""
        super().increase_indent(flow, False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """What begins like a number stands in quotes, as in the other files."""
        style = '"' if re.match(r"[0-9<>=]", text) and not re.fullmatch(_CHECKSUM, text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)

    def represent_plain(self, plain: Entry) -> yaml.MappingNode:
        """Conditions and measures stand in one line."""
        node = self.represent_dict(plain)
        items = [
            (k, yaml.MappingNode(v.tag, v.value, flow_style=True) if k.value in _INLINE else v)
            for k, v in node.value
        ]
        return yaml.MappingNode(node.tag, items, flow_style=False)


_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(dict, _Dumper.represent_plain)


def _entry_text(version: str, data: Entry, indent: str, end: str) -> str:
    body = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return end.join([f'{indent}"{version}":', *(f"{indent}  {line}" for line in body.splitlines())])
