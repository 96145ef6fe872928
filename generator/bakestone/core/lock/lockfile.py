"""images.lock.yaml as text: read and checked, or written, always in the same order.

Everything in a lock reaches a Dockerfile, so each value is checked against a
pattern (schemas/lock.schema.json) when it is read, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.yaml import Json
from bakestone.core.lock.lock import (
    Lock,
    LockedArtifact,
    LockedBase,
    LockedKeyring,
    LockedPackages,
    LockedWheel,
)
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, fail
from bakestone.files import write_text

HEADER = (
    "# What every name in images.yaml resolved to. Written by `bakestone lock`; edits are lost.\n"
)
MAX_BYTES = 10_000_000
"""Size of a lock that is read: some 200,000 pinned packages."""
_HINT = "run `bakestone lock --update`; a lock is not edited by hand"


def load(path: Path) -> Lock:
    """Read a lock. Raises `BakestoneError` when it is missing or holds what is not a pin."""
    document = yamldoc.load(
        path, "the lock", hint="run `bakestone lock` to make it", limit=MAX_BYTES
    )
    findings = [replace(f, hint=_HINT) for f in schema.findings_of(document, "lock")]
    if findings:
        raise BakestoneError(findings)
    data = document.data
    return Lock(
        data["inputs"],
        tuple(data.get("selection", ())),
        {ref: _base(entry) for ref, entry in data["bases"].items()},
        {ref: _packages(entry) for ref, entry in data["packages"].items()},
        {
            url: LockedArtifact(a["sha256"], a.get("size", 0), a["component"], *_origin(a))
            for url, a in data["artifacts"].items()
        },
        {text: _wheel(entry) for text, entry in data["wheels"].items()},
        {
            name: LockedKeyring(k["url"], k["fingerprint"], *_origin(k))
            for name, k in data.get("keyrings", {}).items()
        },
    )


def write(lock: Lock, path: Path) -> bool:
    """Write the lock in one step (a reader sees the old or the new file). True when it changed.

    Raises `BakestoneError` (exit 3) when an answer from outside is no pin, and `path` is left as it
    was: a lock that cannot be read again would be of no use.
    """
    text = dump(lock)
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    unfit = list(_unfit(lock, path))
    if unfit:
        hint = "an answer from outside is not what it should be; nothing was written"
        raise BakestoneError(
            [
                Finding(f"what was resolved cannot be locked: {what}", hint, name=str(path))
                for what in unfit[:20]
            ],
            ENVIRONMENT,
        )
    if len(text.encode()) > MAX_BYTES:
        raise fail(
            f"the lock would be larger than {MAX_BYTES} bytes; nothing was written",
            "split the matrix over several files, or pin packages by `snapshot` (`pins` in the site"
            " file)",
            name=str(path),
        )
    write_text(path, text)
    return True


def _unfit(lock: Lock, path: Path) -> Iterator[str]:
    """What of a lock its schema refuses.

    The closures, nearly all of a large lock, are held against its patterns here.
    """
    rules = schema.schema("lock")["$defs"]
    (name, longest), (version, longest_version) = (
        (re.compile(rules[r]["pattern"]), rules[r]["maxLength"])
        for r in ("package", "packageVersion")
    )
    small = replace(lock, packages={})
    for ref, packages in lock.packages.items():
        for closures in packages.versions.values():
            for found in closures.values():
                for key, value in found.items():
                    if (
                        not name.fullmatch(key)
                        or not version.fullmatch(value)
                        or len(key) > longest
                        or len(value) > longest_version
                    ):
                        yield f"the package {key[:80]!r} in the version {value[:80]!r} on {ref}"
        small.packages[ref] = replace(
            packages,
            versions={
                p: {names: {} for names in closures} for p, closures in packages.versions.items()
            },
        )
    for finding in schema.findings_of(yamldoc.parse(dump(small), str(path)), "lock"):
        yield finding.message


def dump(lock: Lock) -> str:
    """The lock as YAML: sorted, so that a change is a small diff."""
    plain: Json = {"version": 1, "inputs": lock.inputs}
    if lock.selection:
        plain["selection"] = list(lock.selection)
    plain["bases"] = {ref: _drop_empty(_plain_base(b)) for ref, b in sorted(lock.bases.items())}
    plain["packages"] = {
        ref: _drop_empty(_plain_packages(p)) for ref, p in sorted(lock.packages.items())
    }
    plain["artifacts"] = {
        url: _drop_empty(
            {"component": a.component, "sha256": a.sha256, "size": a.size, **_plain_origin(a)}
        )
        for url, a in sorted(lock.artifacts.items())
    }
    plain["wheels"] = {
        text: (
            {
                p: _drop_empty({"filename": f, "sha256": s, "size": n})
                for p, (f, s, n) in sorted(w.files.items())
            }
            | _drop_empty(_plain_origin(w))
        )
        for text, w in sorted(lock.wheels.items())
    }
    if lock.keyrings:
        plain["keyrings"] = {
            name: _drop_empty({"url": k.url, "fingerprint": k.fingerprint, **_plain_origin(k)})
            for name, k in sorted(lock.keyrings.items())
        }
    body: str = yaml.dump(
        plain,
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        sort_keys=False,
        width=1000,
        allow_unicode=True,
    )
    return HEADER + body


def _drop_empty(mapping: Json) -> Json:
    return {k: v for k, v in mapping.items() if v or k == "digest"}


def _plain_origin(
    entry: LockedPackages | LockedArtifact | LockedWheel | LockedKeyring,
) -> dict[str, str]:
    return {"from": entry.resolved_from, "resolved": entry.resolved}


def _plain_base(base: LockedBase) -> Json:
    return {
        "digest": base.digest or None,
        "platforms": dict(sorted(base.platforms.items())),
        "provides": dict(sorted(base.provides.items())),
        "from": base.resolved_from,
        "resolved": base.resolved,
        "epoch": base.epoch,
        "note": base.note,
    }


def _plain_packages(packages: LockedPackages) -> Json:
    platforms = {
        platform: [
            {"install": list(names), "versions": dict(sorted(closure.items()))}
            for names, closure in sorted(sets.items())
        ]
        for platform, sets in sorted(packages.versions.items())
    }
    return {
        "pins": packages.pins,
        "distro": packages.distro,
        **_plain_origin(packages),
        "snapshot": packages.snapshot,
        "note": packages.note,
        "install": [" ".join(names) for names in sorted(packages.install)],
        "known": dict(sorted(packages.known.items())),
        "platforms": platforms,
    }


def _origin(data: Json) -> tuple[str, str]:
    return data.get("from", ""), data.get("resolved", "")


def _base(data: Json) -> LockedBase:
    digest, platforms, provides = (
        data["digest"] or "",
        data.get("platforms", {}),
        data.get("provides", {}),
    )
    return LockedBase(
        digest, platforms, *_origin(data), data.get("epoch", 0), data.get("note", ""), provides
    )


def _packages(data: Json) -> LockedPackages:
    versions = {
        p: {tuple(entry["install"]): entry["versions"] for entry in sets}
        for p, sets in data.get("platforms", {}).items()
    }
    return LockedPackages(
        data["pins"],
        data["distro"],
        data["resolved"],
        data.get("snapshot", ""),
        versions,
        data.get("known", {}),
        data.get("from", ""),
        data.get("note", ""),
        tuple(tuple(names.split()) for names in data.get("install", ())),
    )


def _wheel(data: Json) -> LockedWheel:
    files = {
        p: (entry["filename"], entry["sha256"], entry.get("size", 0))
        for p, entry in data.items()
        if p not in ("from", "resolved")
    }
    return LockedWheel(files, *_origin(data))
