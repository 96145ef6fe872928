"""images.lock.yaml as text: read and checked, or written, always in the same order.

Everything in a lock reaches a Dockerfile, so each value is checked against a pattern
(schemas/lock.schema.json) when it is read, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.yaml import Document, Json
from bakestone.core.lock.lock import (
    Lock,
    LockedArtifact,
    LockedBase,
    LockedEnvironment,
    LockedFramework,
    LockedKeyring,
    LockedPackages,
    LockedWheel,
)
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, fail
from bakestone.files import write_text

HEADER = (
    "# What every name in images.yaml resolved to. Written by `bakestone lock`; edits are lost.\n"
)
VERSION = 2
"""The format that is written. 1, in which each package was a key of its own, is read as well."""
MAX_BYTES = 10_000_000
"""Size of a lock that is read: some 200,000 pinned packages."""
SECTIONS = ("bases", "packages", "artifacts", "wheels", "keyrings", "frameworks", "environments")
"""The parts of a lock that have entries."""
_ORIGIN = ("from", "resolved")
_BASE = ("digest", "platforms", "provides", *_ORIGIN, "epoch", "note")
_PACKAGES = ("pins", "distro", *_ORIGIN, "snapshot", "note")
_ARTIFACT = ("component", "sha256", "size", *_ORIGIN)
_KEYRING = ("url", "fingerprint", "sha256", *_ORIGIN)
_FRAMEWORK = ("wheel", "sha256", "python", "pythons", "requires", *_ORIGIN)
"""The keys of an entry, in the order of the file."""
_HINT = "run `bakestone lock --update`; a lock is not edited by hand"


def load(path: Path) -> Lock:
    """Read a lock. Raises `BakestoneError` when it is missing or holds what is not a pin;
    `NewerFormatError` when a newer Bakestone wrote it.
    """
    hint = "run `bakestone lock` to make it"
    return _read(yamldoc.load(path, "the lock", hint=hint, limit=MAX_BYTES))


def parse(text: str, name: str) -> Lock:
    """Like `load`, from a text; `name` is used in messages."""
    if len(text.encode()) > MAX_BYTES:
        raise fail(f"the lock is too large: more than {MAX_BYTES} bytes", name=name)
    return _read(yamldoc.parse(text, name, "the lock"))


def _read(document: Document) -> Lock:
    findings = [replace(f, hint=_HINT) for f in schema.findings_of(document, "lock")]
    if findings:
        raise BakestoneError(findings)
    twice = list(_twice(document))
    if twice:
        raise BakestoneError(twice)
    data = document.data
    return Lock(
        data["inputs"],
        tuple(data.get("selection", ())),
        {
            ref: LockedBase(**{"platforms": {}, **_fields(b), "digest": b["digest"] or ""})
            for ref, b in data["bases"].items()
        },
        {ref: _packages(**_fields(entry)) for ref, entry in data["packages"].items()},
        {url: LockedArtifact(**{"size": 0, **_fields(a)}) for url, a in data["artifacts"].items()},
        {text: _wheel(**_fields(entry)) for text, entry in data["wheels"].items()},
        {name: LockedKeyring(**_fields(k)) for name, k in data.get("keyrings", {}).items()},
        {name: _framework(**_fields(f)) for name, f in data.get("frameworks", {}).items()},
        {name: _environment(**_fields(e)) for name, e in data.get("environments", {}).items()},
        {
            (section, key): document.position((section, key), key=True)
            for section in SECTIONS
            for key in data.get(section, {})
        },
    )


def _twice(document: Document) -> Iterator[Finding]:
    """The packages that an installation has two versions of: each as a key would be refused."""
    for ref, entry in document.data["packages"].items():
        for platform, sets in entry.get("platforms", {}).items():
            for number, one in enumerate(sets):
                text = one["versions"]
                if isinstance(text, dict) or len(_closure(text)) == text.count("\n"):
                    continue
                seen: set[str] = set()
                where = document.position(
                    ("packages", ref, "platforms", platform, number, "versions")
                )
                for line, name in enumerate((t.partition(" ")[0] for t in text.splitlines()), 1):
                    if name in seen:
                        why = f"the package {name} is there twice"
                        yield Finding(why, _HINT, document.at(where.line + line, 1))
                    seen.add(name)


def write(lock: Lock, path: Path) -> bool:
    """Write the lock in one step (a reader sees the old or the new file). True when it changed.

    Raises `BakestoneError` (exit 3) when an answer from outside is no pin, and `path` is left as it
    was: a lock that cannot be read again would be of no use.
    """
    text = dump(lock)
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    hint = "an answer from outside is not what it should be; nothing was written"
    unfit = [
        Finding(f"what was resolved cannot be locked: {what}", hint, name=str(path))
        for what in _unfit(lock, path)
    ]
    if unfit:
        raise BakestoneError(unfit[:20], ENVIRONMENT)
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
    """What its schema refuses; the closures, nearly all of a large lock, are checked right here."""
    rules = schema.schema("lock")["$defs"]

    def fits(text: str, rule: Json) -> bool:
        return len(text) <= rule["maxLength"] and bool(re.fullmatch(rule["pattern"], text))

    small = replace(lock, packages={})
    for ref, packages in lock.packages.items():
        without: dict[str, dict[tuple[str, ...], dict[str, str]]] = {}
        for platform, closures in packages.versions.items():
            without[platform] = {names: {} for names in closures}
            for name, version in chain.from_iterable(found.items() for found in closures.values()):
                if not fits(name, rules["package"]) or not fits(version, rules["packageVersion"]):
                    yield f"the package {name[:80]!r} in the version {version[:80]!r} on {ref}"
        small.packages[ref] = replace(packages, versions=without)
    for finding in schema.findings_of(yamldoc.parse(dump(small), str(path)), "lock"):
        yield finding.message


def dump(lock: Lock) -> str:
    """The lock as YAML: sorted, so that a change is a small diff."""
    plain: Json = {
        "version": VERSION,
        "inputs": lock.inputs,
        "selection": list(lock.selection),
        "bases": {r: {"digest": None} | _plain(b, _BASE) for r, b in sorted(lock.bases.items())},
        "packages": {ref: _plain_packages(p) for ref, p in sorted(lock.packages.items())},
        "artifacts": {url: _plain(a, _ARTIFACT) for url, a in sorted(lock.artifacts.items())},
        "wheels": {text: _plain_wheel(w) for text, w in sorted(lock.wheels.items())},
        "keyrings": {name: _plain(k, _KEYRING) for name, k in sorted(lock.keyrings.items())},
        "frameworks": {name: _plain_framework(f) for name, f in sorted(lock.frameworks.items())},
        "environments": {n: _plain_environment(e) for n, e in sorted(lock.environments.items())},
    }
    for optional in ("selection", "keyrings", "frameworks", "environments"):
        if not plain[optional]:
            del plain[optional]
    body: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return HEADER + body


class _Block(str):
    """A text that is written a line a line."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """YAML's own, with blocks."""


_Dumper.add_representer(
    _Block,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|"),
)


def _block(closure: Mapping[str, str]) -> str:
    """Packages and their versions as lines, sorted."""
    return _Block("".join(f"{name} {version}\n" for name, version in sorted(closure.items())))


def _closure(text: str | Json) -> dict[str, str]:
    """What `_block` does, turned round; in format 1 it is a mapping."""
    if isinstance(text, dict):
        return text
    pairs = (line.partition(" ") for line in text.splitlines())
    return {name: version for name, _, version in pairs}


def _plain(entry: object, keys: Sequence[str]) -> Json:
    """The fields of a record that are not empty, in the order of their keys in the file."""
    return _filled({key: getattr(entry, "resolved_from" if key == "from" else key) for key in keys})


def _fields(entry: Json) -> Json:
    """What `_plain` does, turned round."""
    return {"resolved_from" if key == "from" else key: value for key, value in entry.items()}


def _filled(mapping: Json) -> Json:
    """What is not empty; mappings in it are sorted."""
    filled = ((key, value) for key, value in mapping.items() if value)
    return {k: dict(sorted(v.items())) if isinstance(v, dict) else v for k, v in filled}


def _plain_packages(packages: LockedPackages) -> Json:
    platforms = {
        platform: [
            {"install": list(names), "versions": _block(closure)}
            for names, closure in sorted(sets.items())
        ]
        for platform, sets in packages.versions.items()
    }
    install = [" ".join(names) for names in sorted(packages.install)]
    more = {"install": install, "known": packages.known, "platforms": platforms}
    return _plain(packages, _PACKAGES) | _filled(more)


def _packages(
    platforms: Json | None = None, install: Iterable[str] = (), **said: Any
) -> LockedPackages:
    versions = {
        platform: {tuple(entry["install"]): _closure(entry["versions"]) for entry in sets}
        for platform, sets in (platforms or {}).items()
    }
    wanted = tuple(tuple(names.split()) for names in install)
    return LockedPackages(**said, versions=versions, install=wanted)


def _plain_wheel(wheel: LockedWheel) -> Json:
    files = {
        platform: _filled({"filename": name, "sha256": checksum, "size": size})
        for platform, (name, checksum, size) in sorted(wheel.files.items())
    }
    return files | _plain(wheel, _ORIGIN)


def _wheel(resolved_from: str = "", resolved: str = "", **files: Json) -> LockedWheel:
    found = {p: (f["filename"], f["sha256"], f.get("size", 0)) for p, f in files.items()}
    return LockedWheel(found, resolved_from, resolved)


def _plain_framework(framework: LockedFramework) -> Json:
    plain = _plain(framework, _FRAMEWORK)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def _framework(
    requires: Iterable[str], pythons: Iterable[str] = (), **said: Any
) -> LockedFramework:
    return LockedFramework(**said, requires=tuple(requires), pythons=tuple(pythons))


def _plain_environment(environment: LockedEnvironment) -> Json:
    """Each wheel is a line: its name, its SHA-256, its size in bytes (0 when unknown)."""
    files = {
        platform: _Block("".join(f"{name} {sha256} {size}\n" for name, sha256, size in wheels))
        for platform, wheels in sorted(environment.files.items())
    }
    plain: Json = {"requirements": list(environment.requirements)}
    plain |= _filled({"sources": list(environment.sources)}) | {"python": environment.python}
    return plain | _plain(environment, _ORIGIN) | {"wheels": files}


def _environment(
    requirements: Iterable[str], wheels: Mapping[str, str], sources: Iterable[str] = (), **said: Any
) -> LockedEnvironment:
    rows = {p: [line.split(" ") for line in text.splitlines()] for p, text in wheels.items()}
    files = {
        platform: tuple((name, sha256, int(size)) for name, sha256, size in lines)
        for platform, lines in rows.items()
    }
    return LockedEnvironment(tuple(requirements), files=files, sources=tuple(sources), **said)
