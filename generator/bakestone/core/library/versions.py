"""versions.yaml: what exists of a component, read when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import version_key
from bakestone.core.library.version import Version
from bakestone.errors import BakestoneError, Finding

if TYPE_CHECKING:
    from bakestone.core.library.component import Component

_FORM = re.compile(r'(?:#.*\n|\n)*versions:\n((?:  "[^"\\\n]+":\n| {4}.*\n| {0,3}#.*\n|\n)*)')
_ENTRY = re.compile(r'^  "([^"\n]+)":\n', re.MULTILINE)


class Versions(Mapping[str, Version]):
    """The versions of a component, newest first; each is read when it is asked for.

    A matrix names a few of the hundreds of versions in the library. Bakestone's own files have one
    form, in which an entry is found without a YAML parser; a file in any other form, or a team's
    own, is read whole. Entries of a team's overlay stand in front of the component's own.
    """

    def __init__(self, component: Component) -> None:
        self._component = component
        self._read: dict[str, Version] = {}
        self._texts: dict[str, str] = {}
        path = component.folder / "versions.yaml"
        usual = (
            _FORM.fullmatch(path.read_text("utf-8"))
            if component.built_in and path.is_file()
            else None
        )
        if usual:
            parts = _ENTRY.split(
                usual[1]
            )  # what is before the first entry, then name, text, name, text, ...
            self._texts = dict(zip(parts[1::2], parts[2::2], strict=True))
        elif path.is_file() or not component.retired:
            known = yamldoc.fast(path) if component.built_in else checked(path, component)
            self._add(known)
        for overlay in component.overlays:
            self._add(checked(overlay, component))

    def _add(self, known: Any) -> None:
        for name, data in known["versions"].items():
            self._read[str(name)] = self._component.make_version(str(name), data or {})

    @cached_property
    def _names(self) -> list[str]:
        return sorted({*self._texts, *self._read}, key=version_key, reverse=True)

    def __getitem__(self, name: str) -> Version:
        if name not in self._read:
            self._read[name] = self._component.make_version(
                name, yamldoc.fast_text(self._texts[name]) or {}
            )
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._read or name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def checked(path: Path, component: Component) -> Any:
    """A team's versions.yaml, against its schema: what is in it reaches Dockerfiles."""
    from bakestone.core.documents import schema

    document = yamldoc.load(
        path,
        "the component's versions.yaml",
        hint="every component needs one: see docs/components.md",
    )
    schema.check(document, "versions")
    needed = set()
    if component.slot == "distro":
        needed = (
            {"image"} if component.data.get("package_manager") == "dnf" else {"image", "codename"}
        )
    lacking = {name: sorted(needed - set(data)) for name, data in document.data["versions"].items()}
    findings = [
        Finding(
            f"{component.name}@{name} has no {' and no '.join(keys)}",
            "a distro needs both: see docs/components.md",
            document.position(("versions", name), key=True),
        )
        for name, keys in lacking.items()
        if keys
    ]
    if findings:
        raise BakestoneError(findings)
    return document.data
