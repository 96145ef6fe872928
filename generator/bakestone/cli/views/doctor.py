"""What the doctor says: a table of what is not well, and how much was looked at; or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakestone.cli.terminal import paragraph, put, put_json, put_line, table
from bakestone.core.documents.words import few
from bakestone.jobs.doctor.report import KINDS, LEFT_OVER, NETWORK, DoctorReport, Trouble

_NAMES = 2
"""Variants that a row names; the others are in the JSON."""
_PLURAL = {
    "base": "base images",
    "file": "files",
    "wheel": "wheels",
    "environment": "environments",
    "framework": "frameworks",
    "package": "bases' packages",
    "snapshot": "snapshots",
    "repository": "vendors' repositories",
    "key": "keys",
    "registry": "repositories to push to",
}


def report(found: DoctorReport, *, as_json: bool, code: int) -> None:
    """Print the report; `code` is what the command ends with."""
    rows, hit, total = found.rows(), found.hit(), len(found.variants)
    counts = {kind: (found.good[kind], asked) for kind in KINDS if (asked := found.asked[kind])}
    if as_json:
        checks = {kind: {"asked": asked, "good": good} for kind, (good, asked) in counts.items()}
        plain = {"variants": total, "would_not_build": hit, "checks": checks}
        put_json(plain | {"problems": [row.as_dict() for row in rows], "exit": code})
        return
    if rows:
        _table(rows, total)
    parts = (f"{_PLURAL.get(kind, kind)} {good}/{asked}" for kind, (good, asked) in counts.items())
    put_line(paragraph(f"good: {', '.join(parts)}", further="  "))
    if hit:
        put_line(f"{len(hit)} of {total} variants would not build today")
    elif any(row.state != LEFT_OVER for row in rows):
        put_line(
            f"nothing that is pinned was found broken for {total} variants; see above for what is"
            " in the way"
        )
    else:
        put_line(f"all is well: {total} variants")


def _table(rows: Sequence[Trouble], total: int) -> None:
    """A row a line; on a terminal that is too narrow for that, a few lines a row."""
    filled = table("state", "what", "why", "variants", "what to do")
    cells = [
        (row.state, _what(row), _why(row), _variants(row.variants, total), row.hint) for row in rows
    ]
    for row in cells:
        filled.add_row(*row)
    put(filled, instead=["\n\n".join("\n".join(_narrow(*row)) for row in cells)])


def _narrow(state: str, what: str, why: str, variants: str, hint: str) -> Iterator[str]:
    yield f"{state}: {what}"
    for text in (why, f"variants: {variants}", f"do: {hint}"):
        yield paragraph(text, "    ", "      ")


def _what(row: Trouble) -> str:
    if row.kind in (NETWORK, "clock", "engine"):
        return row.what
    return f"{row.kind} {row.what.removeprefix(row.kind + ' ')}"


def _why(row: Trouble) -> str:
    if row.kind == NETWORK and len(row.items) > 1:
        return f"{row.why}; {len(row.items)} checks were not made"
    return row.why


def _variants(names: tuple[str, ...], total: int) -> str:
    if not names:
        return "-"
    if len(names) == total > _NAMES:
        return f"all {total}"
    return few(names, _NAMES)
