"""Distro packages: the exact closure of every package set, resolved inside the base image by its
own package manager.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bakestone.clients.engine.buildx import Engine, inline_target
from bakestone.clients.engine.events import State
from bakestone.core.lock.lock import IMAGE, LockedBase, LockedPackages
from bakestone.core.lock.needs import PackageSet
from bakestone.core.render.packages import apt, dnf
from bakestone.errors import ENVIRONMENT, BakestoneError, fail

CHUNK = 32
"""Images asked in one call of BuildKit: it runs all of them at once, and its docker driver breaks
with many more.
"""


class _Manager(Protocol):
    """A package manager, as its module here knows it."""

    def question(
        self, origin: str, sets: list[PackageSet], platform: str, now: str, keyrings: str
    ) -> str: ...
    def closure(self, answer: str) -> dict[str, str]: ...
    def reasons(self, lines: Iterable[str]) -> list[str]: ...
    def unknown(self, lines: Iterable[str]) -> set[str]: ...
    def distrusted(self, lines: Iterable[str]) -> list[str]: ...


_MANAGERS: dict[str, _Manager] = {"apt": apt, "dnf": dnf}


@dataclass(frozen=True, eq=False)
class Wanted:
    """The package sets that are wanted on one base, for platforms."""

    ref: str
    base: LockedBase
    sets: tuple[PackageSet, ...]
    platforms: tuple[str, ...]

    @property
    def manager(self) -> str:
        """The package manager of its distro."""
        return str(self.sets[0].distro.component.data.get("package_manager", "apt"))

    @property
    def origin(self) -> str:
        """What stands behind FROM."""
        return f"{self.ref}@{self.base.digest}" if self.base.digest else self.ref


@dataclass(frozen=True, eq=False)
class _Question:
    """One base on one platform: a target of BuildKit's."""

    target: str
    wanted: Wanted
    platform: str


Closures = dict[tuple[str, ...], dict[str, str]]
Done = Callable[[Wanted, LockedPackages], None]


def resolve_versions(
    wanted: Sequence[Wanted],
    engine: Engine,
    now: str,
    *,
    done: Done,
    say: Callable[[str], None],
    keyrings: str = "",
) -> list[BakestoneError]:
    """Ask apt or dnf, in each base image, what each set would install today: many images in one
    build.

    `done` is told each base that is resolved for all its platforms, as soon as that is so.
    `keyrings` is the image on which the keyrings of vendors' repositories are made, with its
    digest: the base itself when it is empty. Gives an error for each base of which a package is
    unknown, or on which the build does not run; raises one when nothing can be built at all.
    """
    questions = [
        _Question(f"q{n}-{i}", w, p)
        for n, w in enumerate(wanted)
        for i, p in enumerate(sorted(w.platforms))
    ]
    answers: dict[str, dict[str, Closures]] = {}
    failed: dict[str, BakestoneError] = {}
    for start in range(0, len(questions), CHUNK):
        todo = questions[start : start + CHUNK]
        while todo:
            found, problems = _ask(todo, engine, now, keyrings)
            failed |= problems
            for question, closures in found.items():
                ref = question.wanted.ref
                answers.setdefault(ref, {})[question.platform] = closures
                say(
                    f"{ref}: {len({name for c in closures.values() for name in c})} packages for"
                    f" {question.platform}"
                )
                if ref not in failed and len(answers[ref]) == len(question.wanted.platforms):
                    distro = question.wanted.sets[0].distro.text
                    done(
                        question.wanted,
                        LockedPackages(
                            "versions", distro, now, versions=answers[ref], resolved_from=IMAGE
                        ),
                    )
            # bake stops at the first failure and cancels the others (buildx#1089): those are asked
            # again, from the cache if they were done
            todo = [q for q in todo if q not in found and q.wanted.ref not in failed]
    return list(failed.values())


def _ask(
    todo: list[_Question], engine: Engine, now: str, keyrings: str
) -> tuple[dict[_Question, Closures], dict[str, BakestoneError]]:
    """One build: the answers when all went well, else what failed."""
    with tempfile.TemporaryDirectory(prefix="bakestone-closure-") as folder:
        targets = {}
        for q in todo:
            text = _MANAGERS[q.wanted.manager].question(
                q.wanted.origin, list(q.wanted.sets), q.platform, now, keyrings
            )
            targets[q.target] = inline_target(
                text, q.platform, f"type=local,dest={folder}/{q.target}"
            )
        state, good = engine.bake({"target": targets})
        if good:
            return _read_all(todo, Path(folder))
    problems: dict[str, BakestoneError] = {}
    for q in todo:
        log = [line for f in state.failures() if f.target == q.target for line in f.log]
        errors = [f.error for f in state.failures() if f.target == q.target]
        if log or errors:
            problems.setdefault(q.wanted.ref, _problem(q, log, errors))
    if not problems:  # the engine itself, or a step that BuildKit names after no target
        problems = {q.wanted.ref: _problem(q, *_anyone(state)) for q in todo}
    return {}, problems


def _anyone(state: State) -> tuple[list[str], list[str]]:
    failures = state.failures()
    return [line for f in failures for line in f.log], [f.error for f in failures] or state.output


def _read_all(
    todo: list[_Question], folder: Path
) -> tuple[dict[_Question, Closures], dict[str, BakestoneError]]:
    found: dict[_Question, Closures] = {}
    problems: dict[str, BakestoneError] = {}
    for question in todo:
        try:
            found[question] = _read(question, folder / question.target)
        except BakestoneError as problem:
            problems.setdefault(question.wanted.ref, problem)
    return found, problems


def _read(question: _Question, folder: Path) -> Closures:
    manager, ref = _MANAGERS[question.wanted.manager], question.wanted.ref
    try:
        return {
            s.names: manager.closure((folder / str(n)).read_text("utf-8"))
            for n, s in enumerate(question.wanted.sets)
        }
    except (OSError, ValueError) as problem:
        raise fail(
            f"what {question.wanted.manager} says on {ref} ({question.platform}) cannot be"
            f" understood: {str(problem)[:300]}",
            "is it the image that its name says?",
            name=ref,
            code=ENVIRONMENT,
        ) from None


def _problem(question: _Question, log: list[str], errors: list[str]) -> BakestoneError:
    manager, ref = _MANAGERS[question.wanted.manager], question.wanted.ref
    unknown = sorted(manager.unknown(log))
    if unknown:
        hint = "correct `packages` in images.yaml or in the component"
        return fail(
            f"there is no package {', '.join(unknown)} for {ref} ({question.platform})",
            hint,
            name=ref,
        )
    refused = manager.distrusted(log)
    if refused:
        return fail(
            f"packages for {ref} ({question.platform}) come with a key or signature that is not the"
            f" library's: {' '.join(refused)[:500]}",
            "is the mirror in between right? If the vendor changed its key, correct `repositories`"
            " in component.yaml, from a source",
            name=ref,
        )
    said = manager.reasons(log) or log or errors or ["BuildKit gave no reason"]
    return fail(
        f"the package versions on {ref} ({question.platform}) cannot be resolved:"
        f" {' '.join(said[-3:])[:500]}",
        "check the package names, and that the base image and its package archive can be reached"
        " from a build",
        name=ref,
        code=ENVIRONMENT,
    )
