"""images.lock.yaml as text: read and checked, or written, always in the same order.

Everything in a lock reaches a Dockerfile, so each value is checked against a
pattern (schemas/lock.schema.json) when it is read, whoever wrote it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from generator import schema, yamldoc
from generator.errors import BakestoneError
from generator.files import write_text
from generator.lock import Lock, LockedArtifact, LockedBase, LockedPackages, LockedWheel

HEADER = "# What every name in images.yaml resolved to. Written by `bakestone lock`; edits are lost.\n"
_HINT = "run `bakestone lock --update`; a lock is not edited by hand"


def load(path: Path) -> Lock:
    """Read a lock. Raises `BakestoneError` when it is missing or holds anything that is not a pin."""
    document = yamldoc.load(path, "the lock", hint="run `bakestone lock` to make it")
    findings = [replace(f, hint=_HINT) for f in schema.findings_of(document, "lock")]
    if findings:
        raise BakestoneError(findings)
    data = document.data
    return Lock(
        data["inputs"],
        tuple(data.get("selection", ())),
        {ref: _base(entry) for ref, entry in data["bases"].items()},
        {ref: _packages(entry) for ref, entry in data["packages"].items()},
        {url: LockedArtifact(a["sha256"], a.get("size", 0), a["component"]) for url, a in data["artifacts"].items()},
        {text: _wheel(entry) for text, entry in data["wheels"].items()},
    )


def write(lock: Lock, path: Path) -> bool:
    """Write the lock in one step (a reader sees the old or the new file). True when it changed."""
    text = dump(lock)
    if path.is_file() and path.read_text("utf-8") == text:
        return False
    write_text(path, text)
    return True


def dump(lock: Lock) -> str:
    """The lock as YAML: sorted, so that a change is a small diff."""
    plain: dict[str, Any] = {"version": 1, "inputs": lock.inputs}
    if lock.selection:
        plain["selection"] = list(lock.selection)
    plain["bases"] = {ref: _drop_empty(_plain_base(b)) for ref, b in sorted(lock.bases.items())}
    plain["packages"] = {ref: _drop_empty(_plain_packages(p)) for ref, p in sorted(lock.packages.items())}
    plain["artifacts"] = {
        url: _drop_empty({"component": a.component, "sha256": a.sha256, "size": a.size}) for url, a in sorted(lock.artifacts.items())
    }
    plain["wheels"] = {
        text: {p: _drop_empty({"filename": f, "sha256": s, "size": n}) for p, (f, s, n) in sorted(w.files.items())}
        for text, w in sorted(lock.wheels.items())
    }
    body: str = yaml.dump(plain, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, width=1000, allow_unicode=True)
    return HEADER + body


def _drop_empty(mapping: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in mapping.items() if v or k == "digest"}


def _plain_base(base: LockedBase) -> dict[str, Any]:
    return {
        "digest": base.digest or None,
        "platforms": dict(sorted(base.platforms.items())),
        "from": base.resolved_from,
        "resolved": base.resolved,
        "epoch": base.epoch,
        "note": base.note,
    }


def _plain_packages(packages: LockedPackages) -> dict[str, Any]:
    platforms = {
        platform: [{"install": list(names), "versions": dict(sorted(closure.items()))} for names, closure in sorted(sets.items())]
        for platform, sets in sorted(packages.versions.items())
    }
    return {
        "pins": packages.pins,
        "distro": packages.distro,
        "resolved": packages.resolved,
        "snapshot": packages.snapshot,
        "known": dict(sorted(packages.known.items())),
        "platforms": platforms,
    }


def _base(data: dict[str, Any]) -> LockedBase:
    return LockedBase(data["digest"] or "", data.get("platforms", {}), data["from"], data["resolved"], data.get("epoch", 0), data.get("note", ""))


def _packages(data: dict[str, Any]) -> LockedPackages:
    versions = {p: {tuple(entry["install"]): entry["versions"] for entry in sets} for p, sets in data.get("platforms", {}).items()}
    return LockedPackages(data["pins"], data["distro"], data["resolved"], data.get("snapshot", ""), versions, data.get("known", {}))


def _wheel(data: dict[str, Any]) -> LockedWheel:
    return LockedWheel({p: (entry["filename"], entry["sha256"], entry.get("size", 0)) for p, entry in data.items()})
