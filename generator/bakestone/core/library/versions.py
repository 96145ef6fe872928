"""versions.yaml: what exists of a component, read when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import cached_property
from pathlib import Path

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import version_key
from bakestone.core.documents.yaml import Document, Json
from bakestone.core.library.version import Version
from bakestone.errors import BakestoneError, Finding

_FORM = re.compile(r'(?:#.*\n|\n)*versions:\n((?:  "[^"\\\n]+":\n| {4}.*\n| {0,3}#.*\n|\n)*)')
_ENTRY = re.compile(r'^  "([^"\n]+)":\n', re.MULTILINE)


class Versions(Mapping[str, Version]):
    """The versions of a component, newest first; each is read when it is asked for.

    A matrix names a few of the hundreds of versions in the library. Bakestone's own files have one
    form, in which an entry is found without a YAML parser; one in any other form is read whole.
    `more` are a team's, which stand in front of those in `own`.
    """

    def __init__(
        self, make: Callable[[str, Json], Version], own: Path | None, more: Iterable[Json]
    ) -> None:
        self._make = make
        self._read: dict[str, Version] = {}
        self._texts: dict[str, str] = {}
        if own:
            usual = _FORM.fullmatch(own.read_text("utf-8"))
            if usual:
                # what is before the first entry, then name, text, name, text, ...
                parts = _ENTRY.split(usual[1])
                self._texts = dict(zip(parts[1::2], parts[2::2], strict=True))
            else:
                self._add(yamldoc.fast(own))
        for known in more:
            self._add(known)

    def _add(self, known: Json) -> None:
        for name, data in known["versions"].items():
            self._read[str(name)] = self._make(str(name), data or {})

    @cached_property
    def _names(self) -> list[str]:
        return sorted({*self._texts, *self._read}, key=version_key, reverse=True)

    def __getitem__(self, name: str) -> Version:
        if name not in self._read:
            self._read[name] = self._make(name, yamldoc.fast_text(self._texts[name]) or {})
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._read or name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def checked(path: Path, component: str, needed: Set[str]) -> Json:
    """A team's versions.yaml, against its schema: what is in it reaches Dockerfiles.

    `needed` is what each entry must have.
    """
    hint = "every component needs one: see docs/components.md"
    document = yamldoc.load(path, "the component's versions.yaml", hint=hint)
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
