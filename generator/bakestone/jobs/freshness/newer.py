"""Newer versions of what a matrix has, as the library knows them: pure, the date is an argument."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Sequence

from bakestone.core.documents.patterns import matches
from bakestone.core.library.component import Component
from bakestone.core.library.version import Version
from bakestone.core.matrix.checks import lifecycle


def than(
    component: Component,
    pinned: Version,
    at: datetime.date,
    present: Collection[str] = (),
    *,
    another_python: bool = False,
) -> list[Version]:
    """The versions that are newer than the pinned one, newest first.

    Where one of them is `present` beside it, these are lines that are kept side by side: then only
    those of the same major version, of the same minor when one of that major is present, and none
    that is there already. Of a component that brings its Python, those with the same one: another
    Python is a choice, not an update; with `another_python`, those with another that are newer
    themselves. Left out are retired versions, and those whose support has ended at a date when
    that of the pinned one has not.
    """
    here, python = lifecycle.order(pinned), pinned.known("python_minor")
    gone = over(component, pinned, at)
    found = [
        version
        for version in component.versions.values()
        if lifecycle.order(version) > here
        and (
            lifecycle.order(version)[0] > here[0] and version.known("python_minor") != python
            if another_python
            else version.known("python_minor") == python
        )
        and (gone or not over(component, version, at))
        and not any(matches(r.versions, component.name, version.version) for r in component.retired)
    ]
    lines = [version for version in found if version.version in present]
    if lines:
        kept = (
            patches(pinned, found)
            if any(v.major == pinned.major for v in lines)
            else [v for v in found if v.major == pinned.major]
        )
        found = [v for v in kept if v.version not in present]
    return sorted(found, key=lifecycle.order, reverse=True)


def over(component: Component, version: Version, at: datetime.date) -> bool:
    """Whether support of some part of a version has ended at a date."""
    return any(end.ended(at) for end in lifecycle.ends(component, version))


def patches(pinned: Version, versions: Iterable[Version]) -> list[Version]:
    """Those of the same minor version: 12.8.1 for 12.8.0."""
    return [v for v in versions if _minor(v) == _minor(pinned)]


def _minor(version: Version) -> Sequence[str]:
    """By the version that is measured: a build such as py313_26.5.3-1 has a name of its own."""
    return (version.known("version") or version.version).split(".")[:2]
