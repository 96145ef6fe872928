"""versions.yaml: what exists of a component, read when it is asked for; one version of it, and the
base images that the library knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import version_key
from bakestone.core.documents.yaml import Document, Json
from bakestone.errors import BakestoneError, Finding

ENTRIES = {
    "image": "images",
    "apt": "packages",
    "dnf": "packages",
    "source": "artifacts",
    "installer": "artifacts",
    "archive": "artifacts",
    "wheel": "wheels",
}
"""Method -> the key of its data that holds a list of entries, each of which may have a condition
(`when`).
"""

_FORM = re.compile(r'(?:#.*\n|\n)*versions:\n((?:  "[^"\\\n]+":\n| {4}.*\n| {0,3}#.*\n|\n)*)')
_METHODS = re.compile(r"^    methods:\n(?:(?: {5}.*| *(?:#.*)?)\n)*", re.MULTILINE)

Patterns = Mapping[str, tuple[str, ...]]
"""Slot or attribute -> patterns, of which one must match."""


@dataclass(frozen=True)
class Base:
    """A base image: the reference, and what the library knows of its digest."""

    ref: str
    digest: str = ""
    kind: str = ""
    platforms: dict[str, str] = field(default_factory=dict)
    provides: dict[str, str] = field(default_factory=dict)
    serial: str = ""
    source: str = ""
    note: str = ""

    @staticmethod
    def of(data: Json) -> Base:
        """From a distro version's data, or an entry of a method `image`."""
        platforms = data.get("platforms")
        return Base(
            ref=data.get("ref") or data["image"],
            digest=data.get("digest") or "",
            kind=data.get("kind", ""),
            # of the distro's image a mapping to digests; a version may have a list of names here
            platforms=dict(platforms) if isinstance(platforms, dict) else {},
            provides={k: str(v) for k, v in data.get("provides", {}).items()},
            serial=str(data.get("serial", "")),
            source=texts(data.get("source", "")),
            note=data.get("note", ""),
        )

    @property
    def epoch(self) -> int:
        """Midnight UTC of a serial such as jammy-20260901.2, in seconds since 1970; 0 when there is
        no date in it.
        """
        found = re.search(r"(?<!\d)20\d{6}(?!\d)", self.serial)
        try:
            return int(datetime.fromisoformat(f"{found[0]}T00:00:00Z").timestamp()) if found else 0
        except ValueError:
            return 0


@dataclass(frozen=True)
class Version:
    """One version of a component, with the data of each method that offers it.

    `measure` is what the inventory must find; `facts` is known as well, but not in every image to
    be measured. `data` is its entry without the methods, which `read` gives when they are asked
    for.
    """

    version: str
    label: str
    measure: dict[str, str]
    facts: dict[str, str]
    platforms: tuple[str, ...]
    data: Json = field(repr=False)
    read: Callable[[], Json] = field(repr=False, compare=False)

    @cached_property
    def methods(self) -> dict[str, Json]:
        """Method -> what versions.yaml says for it; nearly all of an entry."""
        return {name: dict(values or {}) for name, values in self.read().items()}

    @property
    def major(self) -> str:
        """The part before the first dot."""
        return self.version.split(".")[0]

    @property
    def minor(self) -> str:
        """The first two parts: 13.0 of 13.0.2."""
        return ".".join(self.version.split(".")[:2])

    def made_for(self, platform: str) -> bool:
        """Whether it may exist for a platform: nothing says that it does not."""
        return not self.platforms or platform in self.platforms

    def known(self, key: str) -> str | None:
        """An attribute such as `glibc` of a distro; None when nobody knows it."""
        return self.measure.get(key, self.facts.get(key))

    @cached_property
    def packages(self) -> dict[str, tuple[str, ...]]:
        """Distro packages that this version needs besides those of the component."""
        return patterns(self.data.get("packages", {}))

    @cached_property
    def environment(self) -> dict[str, str]:
        """ENV of this version, over the component's."""
        return {key: str(text) for key, text in self.data.get("environment", {}).items()}

    @cached_property
    def base(self) -> Base:
        """The image of a distro version."""
        return Base.of(self.data)

    @cached_property
    def companions(self) -> tuple[str, ...]:
        """The slots that decide which image of a method `image` fits."""
        images = self.methods.get("image", {}).get("images", [])
        return tuple(sorted({slot for image in images for slot in image.get("provides", {})}))

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """The slots and attributes that the conditions of its entries look at."""
        lists = (data.get(ENTRIES.get(name, ""), []) for name, data in self.methods.items())
        return tuple(
            sorted({key for entries in lists for e in entries for key in e.get("when", {})})
        )


def patterns(mapping: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """`when` and `require` as data: a pattern, or a list of them."""
    return {
        key: tuple(map(str, p)) if isinstance(p, list) else (str(p),) for key, p in mapping.items()
    }


def texts(source: str | Iterable[str]) -> str:
    """A source as one text: the files have a text or a list of them."""
    return source if isinstance(source, str) else ", ".join(source)


class Versions(Mapping[str, Version]):
    """The versions of a component, newest first; each is read when it is asked for.

    A matrix names a few of the hundreds of versions in the library. Bakestone's own files have one
    form, in which an entry and its methods are found without a YAML parser; one in any other form
    is read whole.
    `more` are a team's, which stand in front of those in `own`.
    """

    def __init__(
        self,
        make: Callable[[str, Json, Callable[[], Json]], Version],
        own: Path | None,
        more: Iterable[Json],
    ) -> None:
        self._make = make
        self._read: dict[str, Version] = {}
        self._texts: dict[str, str] = {}
        whole = list(more)
        usual = _FORM.fullmatch(own.read_text("utf-8")) if own else None
        if usual:
            # what is before the first entry, then each with its name first
            _, *parts = f"\n{usual[1]}".split('\n  "')
            entries = (part.partition('":\n') for part in parts)
            self._texts = {name: f"{text}\n" for name, _, text in entries}
        elif own:
            whole.insert(0, yamldoc.fast(own))
        for known in whole:
            for name, data in known["versions"].items():
                self._read[str(name)] = make(str(name), data or {}, partial(_methods, data or {}))

    @cached_property
    def _names(self) -> list[str]:
        return sorted({*self._texts, *self._read}, key=version_key, reverse=True)

    def __getitem__(self, name: str) -> Version:
        if name not in self._read:
            text = self._texts[name]
            found = _METHODS.search(text)
            methods = partial(_read_methods, found[0] if found else "")
            rest = text.replace(found[0], "") if found else text
            self._read[name] = self._make(name, yamldoc.fast_text(rest) or {}, methods)
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._read or name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _methods(data: Json) -> Json:
    found: Json = data.get("methods", {})
    return found


def _read_methods(text: str) -> Json:
    return _methods(yamldoc.fast_text(text) or {})


def checked(path: Path, component: str, needed: Set[str]) -> Json:
    """A team's versions.yaml, against its schema: what is in it reaches Dockerfiles.

    `needed` is what each entry must have.
    """
    hint = "every component needs one: see docs/components.md"
    # below the folder that `components` is in, as all files of a component
    within = path.absolute().parents[2]
    document = yamldoc.load(path, "the component's versions.yaml", hint=hint, within=within)
    schema.check(document, "versions")
    findings = list(_no_wheels(document))
    for name, data in document.data["versions"].items():
        lacking = sorted(needed - set(data))
        if lacking:
            why = f"{component}@{name} has no {' and no '.join(lacking)}"
            where = document.position(("versions", name), key=True)
            findings.append(Finding(why, "a distro needs both: see docs/components.md", where))
    if findings:
        raise BakestoneError(findings)
    return document.data


def _no_wheels(document: Document) -> Iterator[Finding]:
    """Names of wheel files that are none: which Python and machine they are for is in them."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    for name, data in document.data["versions"].items():
        wheels = ((data or {}).get("methods", {}).get("wheel") or {}).get("wheels", [])
        for number, wheel in enumerate(wheels):
            for platform, file in wheel["files"].items():
                try:
                    parse_wheel_filename(file["filename"])
                except InvalidWheelFilename:
                    at = ("versions", name, "methods", "wheel", "wheels", number, "files", platform)
                    why = f"{file['filename']} is no name of a wheel"
                    hint = "NAME-VERSION-PYTHON-ABI-PLATFORM.whl, as the package index has it"
                    yield Finding(why, hint, document.position((*at, "filename")))
