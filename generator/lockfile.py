"""images.lock.yaml as text: read and checked, or written, always in the same order.

Everything in a lock reaches a Dockerfile, so each value is checked against a
pattern when it is read, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from generator import yamldoc
from generator.errors import BakestoneError, Finding, fail
from generator.files import write_text
from generator.lock import PINS, Lock, LockedArtifact, LockedBase, LockedPackages, LockedWheel

HEADER = "# What every name in images.yaml resolved to. Written by `bakestone lock`; edits are lost.\n"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?")
_PACKAGE_VERSION = re.compile(r"[0-9][0-9A-Za-z.+:~-]*")
_SNAPSHOT = re.compile(r"\d{8}T\d{6}Z")
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?/[A-Za-z0-9._~%+/@=-]+")
_WHEEL = re.compile(r"[A-Za-z0-9._-]+==[0-9A-Za-z.+!-]+")
_FILENAME = re.compile(r"[A-Za-z0-9._+-]+")


def load(path: Path) -> Lock:
    """Read a lock. Raises `BakestoneError` when it is missing or holds anything that is not a pin."""
    document = yamldoc.load(path, "the lock", hint="run `bakestone lock` to make it")
    return _Reader(document).lock()


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


class _Reader:
    def __init__(self, document: yamldoc.Document) -> None:
        self.document = document
        self.findings: list[Finding] = []

    def lock(self) -> Lock:
        data = self.document.data
        if not isinstance(data, dict) or data.get("version") != 1:
            raise fail("not a lock of version 1", "run `bakestone lock` with this version of bakestone", where=self.document.position())
        lock = Lock(str(data.get("inputs", "")), tuple(map(str, data.get("selection") or ())))
        self.each(("bases",), lambda at, ref, d: lock.bases.__setitem__(ref, self.base(at, d)))
        self.each(("packages",), lambda at, ref, d: lock.packages.__setitem__(ref, self.packages(at, d)))
        self.each(("artifacts",), lambda at, url, d: lock.artifacts.__setitem__(self.text(at, url, _URL, "a URL", key=True), self.artifact(at, d)))
        self.each(("wheels",), lambda at, text, d: lock.wheels.__setitem__(self.text(at, text, _WHEEL, "a wheel", key=True), self.wheel(at, d)))
        if self.findings:
            raise BakestoneError(self.findings)
        return lock

    def each(self, at: tuple[str | int, ...], keep: Callable[[tuple[str | int, ...], str, dict[str, Any]], None]) -> None:
        section = self.document.data.get(at[0]) or {}
        if not isinstance(section, dict) or not all(isinstance(v, dict) for v in section.values()):
            self.wrong(at, f"{at[0]} must be a mapping of mappings")
            return
        for key, value in section.items():
            keep((*at, key), key, value)

    def wrong(self, at: tuple[str | int, ...], message: str, *, key: bool = False) -> None:
        self.findings.append(Finding(message, "run `bakestone lock --update`; a lock is not edited by hand", self.document.position(at, key=key)))

    def text(self, at: tuple[str | int, ...], value: Any, pattern: re.Pattern[str], what: str, *, key: bool = False) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.wrong(at, f"{str(value)[:80]!r} is not {what}", key=key)
            return ""
        return value

    def base(self, at: tuple[str | int, ...], data: dict[str, Any]) -> LockedBase:
        digest = data.get("digest")
        platforms = data.get("platforms") or {}
        epoch = data.get("epoch") or 0
        if not isinstance(epoch, int):
            self.wrong((*at, "epoch"), "epoch must be a whole number of seconds")
        return LockedBase(
            self.text((*at, "digest"), digest, _DIGEST, "a digest") if digest else "",
            {p: self.text((*at, "platforms", p), d, _DIGEST, "a digest") for p, d in platforms.items()},
            str(data.get("from", "")),
            str(data.get("resolved", "")),
            epoch if isinstance(epoch, int) else 0,
            str(data.get("note", "")),
        )

    def packages(self, at: tuple[str | int, ...], data: dict[str, Any]) -> LockedPackages:
        pins = data.get("pins")
        if pins not in PINS:
            self.wrong((*at, "pins"), f"pins must be one of {', '.join(PINS)}")
        snapshot = data.get("snapshot") or ""
        if pins == "snapshot":
            self.text((*at, "snapshot"), snapshot, _SNAPSHOT, "a snapshot time such as 20261122T000000Z")
        versions: dict[str, dict[tuple[str, ...], dict[str, str]]] = {}
        for platform, sets in (data.get("platforms") or {}).items():
            for index, entry in enumerate(sets):
                here = (*at, "platforms", platform, index)
                names = tuple(map(str, entry["install"]))
                versions.setdefault(platform, {})[names] = self.closure((*here, "versions"), entry["versions"])
        known = self.closure((*at, "known"), data.get("known") or {})
        return LockedPackages(str(pins), str(data.get("distro", "")), str(data.get("resolved", "")), str(snapshot), versions, known)

    def closure(self, at: tuple[str | int, ...], data: dict[str, Any]) -> dict[str, str]:
        out = {}
        for name, version in data.items():
            checked = self.text((*at, name), name, _PACKAGE, "a package name", key=True)
            out[checked] = self.text((*at, name), version, _PACKAGE_VERSION, "a package version")
        return out

    def artifact(self, at: tuple[str | int, ...], data: dict[str, Any]) -> LockedArtifact:
        sha256 = self.text((*at, "sha256"), data.get("sha256"), _SHA256, "a SHA-256")
        return LockedArtifact(sha256, int(data.get("size") or 0), str(data.get("component", "")))

    def wheel(self, at: tuple[str | int, ...], data: dict[str, Any]) -> LockedWheel:
        files = {}
        for platform, entry in data.items():
            here = (*at, platform)
            filename = self.text((*here, "filename"), entry.get("filename"), _FILENAME, "a file name")
            sha256 = self.text((*here, "sha256"), entry.get("sha256"), _SHA256, "a SHA-256")
            files[platform] = (filename, sha256, int(entry.get("size") or 0))
        return LockedWheel(files)
