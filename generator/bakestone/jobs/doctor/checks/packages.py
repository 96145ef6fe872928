"""Distro packages: are the pinned versions still to be had? Asked of apt or dnf inside the base,
one bake call for all bases.

The scripts never fail by themselves, so that one bad base does not end the call for the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.engine.questions import BuildQuestion, put, texts, unanswered
from bakestone.core.documents.words import few
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
_NETWORK = re.compile(
    "Could not (?:connect|resolve|handshake|wait)|Cannot initiate the connection|Temporary failure"
    "|Connection (?:timed out|refused|failed)|certificate|Failed to download metadata|Curl error"
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
Wanted = tuple[tuple[str, ...], tuple[str, ...]]
"""Words for the package manager, and the variants that they are for."""


@dataclass(frozen=True)
class Question:
    """What is asked inside one base for one platform: the sets as they are installed, and words
    that must be to be had.
    """

    ref: str
    platform: str
    base: LockedBase
    manager: str
    frozen: bool = False
    sets: list[Wanted] = field(default_factory=list)
    loose: list[Wanted] = field(default_factory=list)
    """Those that cannot be installed by the distro's archive alone, as they have vendors' packages
    too.
    """

    @property
    def what(self) -> str:
        """As a row names it."""
        return f"{self.ref} ({self.platform})"

    @property
    def asked(self) -> list[Wanted]:
        """All sets, in the order of the answers."""
        return [*self.sets, *self.loose]

    @property
    def words(self) -> tuple[str, ...]:
        """All words, each once."""
        return tuple(sorted({word for words, _ in self.asked for word in words}))

    @property
    def variants(self) -> tuple[str, ...]:
        """All variants, each once."""
        return tuple(dict.fromkeys(name for _, users in self.asked for name in users))

    def users(self, word: str) -> tuple[str, ...]:
        """The variants that a word is for."""
        users = (name for words, users in self.asked if word in words for name in users)
        return tuple(dict.fromkeys(users))

    def dockerfile(self, now: str) -> str:
        """A build whose result is what the package manager said."""
        by_dnf = self.manager == "dnf"
        lines = [
            *(dnf.BEGIN if by_dnf else apt.BEGIN),
            f"# {now}: asked anew each time, never answered from the cache",
            "mkdir -p /out",
            *(_dnf(self) if by_dnf else _apt(self)),
        ]
        script = dnf.run(lines) if by_dnf else apt.run(lines)
        return asking((dnf if by_dnf else apt).TOOLS, self.base.origin(self.ref), script)

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
        ref, locked, manager = wanted.base, packages[wanted.base], wanted.distro.package_manager
        if locked.pins == "snapshot" or any(r.name not in vendors for r in wanted.repositories):
            continue
        elsewhere = {name for r in wanted.repositories for name in vendors[r.name]}
        elsewhere |= {name for name in wanted.names if wanted.repositories and "=" in name}
        for platform in users.platforms:
            known = _words(wanted, locked, platform, manager)
            words = tuple(word for word in known if word not in elsewhere)
            if words:
                new = Question(ref, platform, bases[ref], manager, locked.pins == "frozen")
                question = found.setdefault((ref, platform), new)
                of_kind = question.loose if wanted.repositories else question.sets
                of_kind.append((words, users.on(platform)))
    return [found[key] for key in sorted(found)]


def _words(wanted: PackageSet, locked: LockedPackages, platform: str, manager: str) -> list[str]:
    """What the Dockerfile gives to the package manager."""
    if locked.pins == "frozen":
        return apt.frozen(wanted, locked)
    closure = locked.versions.get(platform, {}).get(wanted.names, {})
    return [
        dnf.nevra(name, version) if manager == "dnf" else f"{name}={version}"
        for name, version in sorted(closure.items())
    ]


def _apt(question: Question) -> Iterator[str]:
    if question.frozen:
        yield "no_parts"
    yield f"if ! apt update > /out/log 2>&1; then mv /out/log /out/{_UPDATE}; exit 0; fi"
    acts = ["install --simulate --no-install-recommends"] * len(question.sets)
    acts += ["download --print-uris"] * len(question.loose)
    for number, (act, (words, _)) in enumerate(zip(acts, question.asked, strict=True)):
        command = f"apt {act} {' '.join(words)}"
        yield f"if ! {command} > /out/log 2>&1; then mv /out/log /out/{_ANSWER}{number}; fi"


def _dnf(question: Question) -> Iterator[str]:
    """dnf is asked for all sets at once: reading its lists takes longest."""
    yield f"if ! \"$python\" - '{json.dumps([question.words])}' > /out/log 2>&1 <<'PYTHON'"
    yield dnf.resolver() + "PYTHON"
    yield f"then mv /out/log /out/{_ANSWER}0; fi"


def ask(asked: list[Question], engine: Engine, now: str) -> list[Trouble]:
    """Put all questions in one bake call. Raises `BakestoneError` (exit 3) when there is no engine.

    bake ends with the first target that fails: that one is told, and the others are asked again.
    """
    rows: list[tuple[Question, Trouble]] = []
    left = {f"ask{number}": question for number, question in enumerate(asked)}
    with scratch("doctor") as folder:
        while left:
            builds = {n: BuildQuestion(q.dockerfile(now), q.platform) for n, q in left.items()}
            state = put(engine, builds, folder)
            if state is None:
                break
            failed = {f.target for f in state.failures()} & set(left) or set(left)
            for name in failed:
                question = left.pop(name)
                said = (unanswered(state, name) or unanswered(state)).reason(question.reasons)
                why = f"its packages could not be asked for: {' '.join(said.split())}"
                hint = "see the row of the base image, or the engine's log"
                rows.append((question, Trouble(why, hint, UNCHECKED)))
        for name, question in left.items():
            try:
                rows += [(question, row) for row in found(question, texts(folder / name))]
            except OSError as problem:
                why = f"what came out of the base image cannot be read: {problem.strerror}"
                hint = "is it the image that the distro publishes?"
                rows.append((question, Trouble(why, hint, UNCHECKED)))
    return [
        replace(row, what=question.what, variants=row.variants or question.variants)
        for question, row in rows
    ]


def found(question: Question, files: Mapping[str, str]) -> list[Trouble]:
    """What the package manager's answers mean: file name -> text, of which there is one for each
    thing that went wrong.
    """
    if _UPDATE in files:
        return [_archive(question, files[_UPDATE].splitlines(), question.variants)]
    asked = [(question.words, question.variants)] if question.manager == "dnf" else question.asked
    gone: dict[str, tuple[str, ...]] = {}
    troubles = []
    for number, (words, variants) in enumerate(asked):
        lines = files.get(f"{_ANSWER}{number}", "").splitlines()
        unknown = _unknown(question.manager, lines, words)
        gone |= {word: question.users(word) or variants for word in unknown}
        if lines and not unknown:
            troubles.append(_archive(question, lines, variants))
    alike: dict[tuple[str, ...], list[str]] = {}
    for word, users in sorted(gone.items()):
        alike.setdefault(users, []).append(word)
    for users, lost in alike.items():
        why = f"{few(lost)} {'is' if len(lost) == 1 else 'are'} no longer in the archive"
        troubles.append(Trouble(why, _AGAIN, variants=users, items=tuple(lost)))
    return troubles


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
    state, hint = (UNCHECKED, _ARCHIVE) if _NETWORK.search(text) else (BROKEN, _AGAIN)
    return Trouble(f"{question.manager} says: {text}", hint, state, variants=variants)
