"""End of life: which parts of a variant are no longer supported at a date, or will not be soon.

Pure: the date is an argument. The dates are data with a source: `end_of_life` and `end_of_extended`
of a distro version in versions.yaml, `ends` in component.yaml for everything else (CUDA, the Python
of a conda).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bakestone.core.documents.patterns import VersionKey, matches, version_key
from bakestone.core.library.component import Component
from bakestone.core.library.version import Version, patterns, texts
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import Chosen, Variant, slot_rank
from bakestone.errors import Finding, fail

AHEAD = datetime.timedelta(days=180)
"""How long before its end a thing is warned of, unless told otherwise."""

EXTENDED = "long-term support"
"""What the support after the free one is called, unless component.yaml says `extended_support`."""


@dataclass(frozen=True)
class End:
    """The last day on which `what` is supported;

    `extended` is that of paid or long-term support, which is called `after`.
    """

    slot: str
    what: str
    date: datetime.date
    extended: datetime.date | None
    source: str
    after: str = EXTENDED

    def ended(self, at: datetime.date) -> bool:
        """Whether support was over at a date; on the last day itself it is not."""
        return self.date < at

    def text(self, at: datetime.date) -> str:
        """`Debian 12: free support ended on 2026-07-11 (long-term support until 2028-06-30)`, as
        seen at a date.
        """
        free = "free support" if self.extended else "support"
        said = f"{self.what}: {free} {'ended' if self.ended(at) else 'ends'} on {self.date}"
        if self.extended:
            said += (
                f" ({self.after} {'ended on' if self.extended < at else 'until'} {self.extended})"
            )
        return said

    def as_dict(self) -> dict[str, str]:
        """For `--format json`."""
        plain = {
            "slot": self.slot,
            "what": self.what,
            "date": str(self.date),
            "source": self.source,
        }
        return plain | ({"extended": str(self.extended)} if self.extended else {})


def ends_of(variant: Variant) -> list[End]:
    """Every end that is known of the variant's parts, in the order of its slots.

    Raises `BakestoneError` when a component's date is not one.
    """
    slots = variant.slots
    return [
        end
        for slot in sorted(slots, key=slot_rank)
        for end in ends(slots[slot].component, slots[slot].version)
    ]


def soonest(variant: Variant) -> End | None:
    """What ends first; None when nothing is known to end."""
    return min(ends_of(variant), key=lambda end: end.date, default=None)


def cell(variant: Variant, at: datetime.date, ahead: datetime.timedelta = AHEAD) -> str:
    """What `list` shows of a variant:

    `2026-07-11 Debian 12, ended`; `soon` within `ahead`, `-` when nothing is known to end.
    """
    end = soonest(variant)
    if end is None:
        return "-"
    return (
        f"{end.date}"
        f" {end.what}{', ended' if end.ended(at) else ', soon' if end.date < at + ahead else ''}"
    )


def findings(
    variants: Iterable[Variant], at: datetime.date, ahead: datetime.timedelta = AHEAD
) -> list[Finding]:
    """What has ended at a date, or will within `ahead`: one finding for a family and a thing.

    They are warnings; errors in a family with `end_of_life: forbid`, for what has ended; none where
    it says `ignore`.
    """
    seen: dict[tuple[str, str, datetime.date], _Use] = {}
    for variant in variants:
        if variant.family.end_of_life == "ignore":
            continue
        for end in ends_of(variant):
            if end.date < at + ahead:
                use = seen.setdefault(
                    (variant.family.name, end.what, end.date),
                    _Use(end, variant.family, variant.slots[end.slot]),
                )
                use.add()
    return [use.finding(at, ahead) for use in seen.values()]


@dataclass
class _Use:
    """An end, the first place in a family that brings it, and how many variants have it."""

    end: End
    family: Family
    chosen: Chosen
    count: int = 0

    def add(self) -> None:
        self.count += 1

    def finding(self, at: datetime.date, ahead: datetime.timedelta) -> Finding:
        message = (
            f"{self.end.text(at)}; {self.count} variant{'s' if self.count != 1 else ''} of"
            f" {self.family.name}"
        )
        forbidden = self.family.end_of_life == "forbid" and self.end.ended(at)
        if forbidden:
            message += ", which forbids what has ended (`end_of_life: forbid`)"
        severity = "error" if forbidden else "warning"
        return Finding(
            message, _hint(self.chosen, self.end, at + ahead), self.chosen.where, severity=severity
        )


def _hint(chosen: Chosen, end: End, limit: datetime.date) -> str:
    """The nearest newer version that is supported beyond `limit`, and who says so."""
    said = f"source: {end.source}"
    here = order(chosen.version)
    for version in sorted(chosen.component.versions.values(), key=order):
        if order(version) > here:
            later = list(ends(chosen.component, version))
            if later and all(known.date >= limit for known in later):
                return (
                    f"supported longer: {chosen.component.name}@{version.version}, until"
                    f" {min(known.date for known in later)} ({said})"
                )
    return said


def order(version: Version) -> tuple[VersionKey, VersionKey]:
    """Sort key of the versions of a component: by the version that is measured: a build such as
    py313_26.5.3-1 has a name of its own.
    """
    return version_key(version.known("version") or version.version), version_key(version.version)


def ends(component: Component, version: Version) -> Iterator[End]:
    """The ends that are known of one version of a component."""
    after = str(component.data.get("extended_support", EXTENDED))
    own = version.data
    if "end_of_life" in own:
        source = _about_the_end(own.get("source", ""))
        what = f"{component.data.get('title', component.name)} {version.version}"
        yield _end(component, what, own["end_of_life"], own.get("end_of_extended"), source, after)
    for entry in component.data.get("ends", []):
        if _applies(entry.get("when", {}), version):
            yield _end(
                component,
                entry["what"],
                entry["date"],
                entry.get("extended"),
                texts(entry["source"]),
                after,
            )


def _applies(when: Mapping[str, Any], version: Version) -> bool:
    """Whether every key of `measure` and `facts` in a condition matches; one that nobody knows does
    not.
    """
    for key, wanted in patterns(when).items():
        known = version.known(key)
        if known is None or not any(matches(pattern, "", known) for pattern in wanted):
            return False
    return True


def _about_the_end(source: str | list[str]) -> str:
    """Of the sources of a distro version, those about its end; all of them when none says so."""
    listed = [source] if isinstance(source, str) else source
    return texts([text for text in listed if "end of life" in text] or listed)


def _end(
    component: Component, what: str, last: object, extended: object, source: str, after: str
) -> End:
    try:
        paid = datetime.date.fromisoformat(str(extended)) if extended else None
        return End(
            component.slot, what, datetime.date.fromisoformat(str(last)), paid, source, after
        )
    except ValueError as problem:
        why = f"{what}: {last} or {extended} is not a date"
        raise fail(why, "write year, month and day: 2028-06-30", name=component.origin) from problem
