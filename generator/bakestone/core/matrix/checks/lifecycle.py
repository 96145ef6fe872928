"""End of life: which parts of a variant are no longer supported at a date, or will not be soon.

Pure: the date is an argument. The dates are data with a source: `end_of_life` and `end_of_extended`
of a distro version in versions.yaml, `ends` in component.yaml for everything else (CUDA, the Python
of a conda).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bakestone.core.documents.patterns import VersionKey, matches, version_key
from bakestone.core.library.component import Component
from bakestone.core.library.version import Version, patterns, texts
from bakestone.core.matrix.checks.families import counted, together
from bakestone.core.matrix.variant import Chosen, Variant
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
        said = f"{self.what}: {'free ' if self.extended else ''}support"
        said += f" {'ended' if self.ended(at) else 'ends'} on {self.date}"
        if self.extended:
            over = "ended on" if self.extended < at else "until"
            said += f" ({self.after} {over} {self.extended})"
        return said

    def as_dict(self) -> dict[str, str]:
        """For `--format json`."""
        last = {"date": str(self.date), "source": self.source}
        extended = {"extended": str(self.extended)} if self.extended else {}
        return {"slot": self.slot, "what": self.what, **last, **extended}


_Use = tuple[End, Chosen]
"""What ends, and the slot that has it."""


def ends_of(variant: Variant) -> list[End]:
    """Every end that is known of the variant's parts, in the order of its slots.

    Raises `BakestoneError` when a component's date is not one.
    """
    return [end for part in variant.filled for end in ends(part.component, part.version)]


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
    if end.ended(at):
        return f"{end.date} {end.what}, ended"
    return f"{end.date} {end.what}{', soon' if end.date < at + ahead else ''}"


def findings(
    variants: Iterable[Variant], at: datetime.date, ahead: datetime.timedelta = AHEAD
) -> list[Finding]:
    """What has ended at a date, or will within `ahead`: one finding for a family and a thing, and
    one for all families that have it from one line.

    They are warnings; errors in a family with `end_of_life: forbid`, for what has ended; none where
    it says `ignore`.
    """
    found: dict[tuple[str, ...], tuple[_Use, list[Variant]]] = {}
    for variant in variants:
        mode = variant.family.end_of_life
        for end in ends_of(variant) if mode != "ignore" else ():
            if end.date < at + ahead:
                key = (variant.family.name, end.what, str(end.date), mode)
                use = (end, variant.slots[end.slot])
                found.setdefault(key, (use, []))[1].append(variant)
    told = together(found, lambda use: use[1].where)
    return [_finding(*use, those, at, ahead) for use, those in told]


def _finding(
    end: End,
    chosen: Chosen,
    variants: Sequence[Variant],
    at: datetime.date,
    ahead: datetime.timedelta,
) -> Finding:
    """What is said of an end, and of the variants that have it."""
    message = f"{end.text(at)}; {counted(variants)}"
    forbidden = variants[0].family.end_of_life == "forbid" and end.ended(at)
    if forbidden:
        message += ", which forbids what has ended (`end_of_life: forbid`)"
    hint = _hint(chosen, end, at + ahead)
    severity = "error" if forbidden else "warning"
    return Finding(message, hint, chosen.where, severity=severity)


def _hint(chosen: Chosen, end: End, limit: datetime.date) -> str:
    """The nearest newer version that is supported beyond `limit`, and who says so."""
    said = f"source: {end.source}"
    component, here = chosen.component, order(chosen.version)
    for version in sorted(component.versions.values(), key=order):
        last = min((known.date for known in ends(component, version)), default=None)
        if order(version) > here and last and last >= limit:
            longer = f"supported longer: {component.name}@{version.version}, until {last}"
            return f"{longer} ({said})"
    return said


def order(version: Version) -> tuple[VersionKey, VersionKey]:
    """Sort key of the versions of a component: by the version that is measured: a build such as
    py313_26.5.3-1 has a name of its own.
    """
    return version_key(version.known("version") or version.version), version_key(version.version)


def ends(component: Component, version: Version) -> Iterator[End]:
    """The ends that are known of one version of a component."""
    own = version.data
    if "end_of_life" in own:
        source = _about_the_end(own.get("source", ""))
        what = f"{component.data.get('title', component.name)} {version.version}"
        yield _end(component, what, own["end_of_life"], own.get("end_of_extended"), source)
    for entry in component.data.get("ends", []):
        if _applies(entry["when"], version):
            source = texts(entry["source"])
            yield _end(component, entry["what"], entry["date"], entry.get("extended"), source)


def _applies(when: Mapping[str, object], version: Version) -> bool:
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


def _end(component: Component, what: str, last: object, extended: object, source: str) -> End:
    after = str(component.data.get("extended_support", EXTENDED))
    try:
        date = datetime.date.fromisoformat(str(last))
        paid = datetime.date.fromisoformat(str(extended)) if extended else None
    except ValueError as problem:
        why = f"{what}: {last} or {extended} is not a date"
        raise fail(why, "write year, month and day: 2028-06-30", name=component.origin) from problem
    return End(component.slot, what, date, paid, source, after)
