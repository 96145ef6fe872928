"""Distro packages: are the pinned versions still to be had? Asked of apt or dnf inside the base,
one bake call for all bases.

The scripts never fail by themselves, so that one bad base does not end the call for the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.engine.events import State
from bakestone.clients.engine.questions import BuildQuestion, put, texts, unanswered
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import LockedBase, LockedPackages
from bakestone.core.lock.needs import PackageSet
from bakestone.core.render.frames import question as asking
from bakestone.core.render.packages import apt, dnf
from bakestone.files import scratch
from bakestone.jobs.doctor.report import BROKEN, UNCHECKED, Trouble

_UPDATE, _ANSWER = "update", "answer"
_CANNOT_DOWNLOAD = re.compile(
    r"E: Can't find a source to download version '(\S+)' of '([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?'"
)
_NETWORK = (
    "Could not connect",
    "Could not resolve",
    "Could not handshake",
    "Could not wait",
    "Cannot initiate the connection",
    "Temporary failure",
    "Connection timed out",
    "Connection refused",
    "Connection failed",
    "certificate",
    "Failed to download metadata",
    "Curl error",
)
"""What apt and dnf say when their archive cannot be asked."""
_AGAIN = (
    "`bakestone lock --update`, then `bakestone generate`; a `snapshot` lasts longer than"
    " `versions`"
)
_ARCHIVE = (
    "is the archive up, and can build steps reach it? The site file has `mirrors`, `apt` and `ca`"
    " for them"
)
SHOWN = 4
"""Packages that a row names; the others are in the JSON."""


@dataclass
class Question:
    """What is asked inside one base for one platform: the sets as they are installed, and words
    that must be to be had.
    """

    ref: str
    platform: str
    base: LockedBase
    manager: str
    frozen: bool = False
    variants: dict[str, None] = field(default_factory=dict)
    sets: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    """Words for the package manager, and the variants that they are for."""
    loose: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    """The same, of sets that cannot be installed by the distro's archive alone, as they have
    vendors' packages too.
    """

    def add(self, words: tuple[str, ...], variants: tuple[str, ...], *, loose: bool) -> None:
        """One more set."""
        self.variants |= dict.fromkeys(variants)
        (self.loose if loose else self.sets).append((words, variants))

    @property
    def what(self) -> str:
        """As a row names it."""
        return f"{self.ref} ({self.platform})"

    def dockerfile(self, now: str) -> str:
        """A build whose result is what the package manager said."""
        origin = self.base.origin(self.ref)
        return _dnf(origin, self, now) if self.manager == "dnf" else _apt(origin, self, now)

    def reasons(self, lines: Iterable[str]) -> list[str]:
        """The lines in which its package manager says what is wrong."""
        return dnf.reasons(lines) if self.manager == "dnf" else apt.reasons(lines)


def questions(
    sets: Mapping[PackageSet, Users],
    packages: Mapping[str, LockedPackages],
    bases: Mapping[str, LockedBase],
    vendors: Mapping[str, set[str]],
) -> list[Question]:
    """What is to be asked for the sets of a plan; nothing for a snapshot, which is asked for by
    HTTP.

    `vendors` are the lists of vendors' repositories, each `name=version` in them: what comes from
    there is not asked of the distro.
    """
    found: dict[tuple[str, str], Question] = {}
    for wanted, users in sets.items():
        ref, names = wanted.base, wanted.names
        locked = packages[ref]
        if (
            locked.pins == "snapshot"
            or not names
            or any(r.name not in vendors for r in wanted.repositories)
        ):
            continue
        manager = wanted.distro.package_manager
        elsewhere = {name for r in wanted.repositories for name in vendors[r.name]}
        elsewhere |= {name for name in names if wanted.repositories and "=" in name}
        for platform in users.platforms:
            words = tuple(
                word for word in _words(wanted, locked, platform, manager) if word not in elsewhere
            )
            if not words:
                continue
            known = (ref, platform)
            if known not in found:
                frozen = locked.pins == "frozen"
                found[known] = Question(ref, platform, bases[ref], manager, frozen)
            found[known].add(words, users.on(platform), loose=bool(wanted.repositories))
    return [found[key] for key in sorted(found)]


def _words(wanted: PackageSet, locked: LockedPackages, platform: str, manager: str) -> list[str]:
    """What the Dockerfile gives to the package manager."""
    if locked.pins == "frozen":
        return [
            f"{name}={locked.known[name]}" if name in locked.known else name
            for name in wanted.names
        ]
    closure = locked.versions.get(platform, {}).get(wanted.names, {})
    return [
        dnf.nevra(name, version) if manager == "dnf" else f"{name}={version}"
        for name, version in sorted(closure.items())
    ]


def _apt(origin: str, question: Question, now: str) -> str:
    lines = [
        *apt.BEGIN,
        f"# {now}: asked anew each time, never answered from the cache",
        "mkdir -p /out",
    ]
    if question.frozen:
        lines += ["no_parts"]
    lines += [f"if ! apt update > /out/log 2>&1; then mv /out/log /out/{_UPDATE}; exit 0; fi"]
    for number, (words, _) in enumerate(question.sets):
        lines += [
            _said(f"apt install --simulate --no-install-recommends {' '.join(words)}", number)
        ]
    for number, (words, _) in enumerate(question.loose, len(question.sets)):
        lines += [_said(f"apt download --print-uris {' '.join(words)}", number)]
    return asking(apt.TOOLS, origin, apt.run(lines))


def _said(command: str, number: int) -> str:
    return f"if ! {command} > /out/log 2>&1; then mv /out/log /out/{_ANSWER}{number}; fi"


def _dnf(origin: str, question: Question, now: str) -> str:
    """dnf is asked for all sets at once: reading its lists takes longest."""
    wanted = json.dumps([sorted({word for words, _ in question.sets for word in words})])
    lines = [
        *dnf.BEGIN,
        f"# {now}: asked anew each time, never answered from the cache",
        "mkdir -p /out",
    ]
    lines += [
        f"if ! \"$python\" - '{wanted}' > /out/log 2>&1 <<'PYTHON'",
        dnf.resolver() + "PYTHON",
        f"then mv /out/log /out/{_ANSWER}0; fi",
    ]
    return asking(dnf.TOOLS, origin, dnf.run(lines))


def ask(asked: list[Question], engine: Engine, now: str) -> list[Trouble]:
    """Put all questions in one bake call. Raises `BakestoneError` (exit 3) when there is no engine.

    bake ends with the first target that fails: that one is told, and the others are asked again.
    """
    troubles: list[Trouble] = []
    left = {f"ask{number}": question for number, question in enumerate(asked)}
    with scratch("doctor") as folder:
        while left:
            builds = {n: BuildQuestion(q.dockerfile(now), q.platform) for n, q in left.items()}
            state = put(engine, builds, folder)
            if state is None:
                break
            failed = {f.target for f in state.failures()} & set(left) or set(left)
            for name in failed:
                troubles.append(_unanswered(left.pop(name), name, state))
        for name, question in left.items():
            try:
                troubles += found(question, texts(folder / name))
            except OSError as problem:
                why = f"what came out of the base image cannot be read: {problem.strerror}"
                hint = "is it the image that the distro publishes?"
                users = tuple(question.variants)
                troubles.append(Trouble("package", question.what, why, hint, UNCHECKED, users))
    return troubles


def _unanswered(question: Question, name: str, state: State) -> Trouble:
    said = (unanswered(state, name) or unanswered(state)).reason(question.reasons)
    why = f"its packages could not be asked for: {' '.join(said.split())}"
    hint = "see the row of the base image, or the engine's log"
    return Trouble("package", question.what, why, hint, UNCHECKED, tuple(question.variants))


def found(question: Question, files: Mapping[str, str]) -> list[Trouble]:
    """What the package manager's answers mean: file name -> text, of which there is one for each
    thing that went wrong.
    """
    if _UPDATE in files:
        lines = files[_UPDATE].splitlines()
        return [_archive(question, lines, tuple(question.variants))]
    gone: dict[str, dict[str, None]] = {}
    troubles = []
    for number, (words, variants) in enumerate(
        [*question.sets, *question.loose] if question.manager != "dnf" else [_united(question)]
    ):
        lines = files.get(f"{_ANSWER}{number}", "").splitlines()
        if not lines:
            continue
        unknown = _unknown(question.manager, lines, words)
        for word in unknown:
            users = (
                variants
                if question.manager != "dnf"
                else [v for w, vs in question.sets if word in w for v in vs]
            )
            gone.setdefault(word, {}).update(dict.fromkeys(users))
        if not unknown:
            troubles.append(_archive(question, lines, tuple(variants)))
    return troubles + _rows(question, gone)


def _united(question: Question) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple({word for words, _ in question.sets for word in words}), tuple(question.variants)


def _unknown(manager: str, lines: list[str], words: Iterable[str]) -> list[str]:
    if manager == "dnf":
        return sorted(dnf.unknown(lines))
    names = apt.unknown(lines) | {
        f"{name}={version}" for line in lines for version, name in _CANNOT_DOWNLOAD.findall(line)
    }
    # a package that is gone altogether is told by its name alone
    pinned = {word.partition("=")[0]: word for word in words}
    return sorted({pinned.get(name.partition("=")[0], name) for name in names})


def _archive(question: Question, lines: list[str], variants: tuple[str, ...]) -> Trouble:
    said = question.reasons(lines) or lines
    text = " ".join(" ".join(said[-3:]).split())[:400]
    state = UNCHECKED if any(word in text for word in _NETWORK) else BROKEN
    hint = _ARCHIVE if state == UNCHECKED else _AGAIN
    why = f"{question.manager} says: {text}"
    return Trouble("package", question.what, why, hint, state, variants)


def _rows(question: Question, gone: Mapping[str, Mapping[str, None]]) -> list[Trouble]:
    """One row for the packages that hit the same variants."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for word, hit in gone.items():
        alike.setdefault(tuple(hit), []).append(word)
    rows = []
    for users, words in alike.items():
        more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
        verb = "is" if len(words) == 1 else "are"
        why = f"{', '.join(sorted(words)[:SHOWN])}{more} {verb} no longer in the archive"
        rows.append(
            Trouble(
                "package", question.what, why, _AGAIN, variants=users, items=tuple(sorted(words))
            )
        )
    return rows
