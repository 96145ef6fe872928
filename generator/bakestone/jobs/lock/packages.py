"""Distro packages: the closure of every set, as the base image's own package manager says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bakestone.clients.engine.buildx import Engine
from bakestone.clients.engine.questions import BuildQuestion, Unanswered, put, texts, unanswered
from bakestone.core.documents.words import Say, count, few
from bakestone.core.lock.lock import IMAGE, LockedBase, LockedPackages
from bakestone.core.lock.needs import Distro, PackageSet
from bakestone.core.render.packages.by_distro import PackageManager, manager_of
from bakestone.core.render.packages.updates import PackagesQuestion
from bakestone.errors import ENVIRONMENT, BakestoneError, fail
from bakestone.files import scratch

CHUNK = 32
"""Images in one call of BuildKit, which runs all at once; its docker driver breaks with more."""


@dataclass(frozen=True, eq=False)
class WantedPackages:
    """The package sets that are wanted on one base: `on` each platform those of its variants.

    `asked_by` ends the sentence that some of the packages are not there: who asks for them.
    """

    ref: str
    base: LockedBase
    on: Mapping[str, tuple[PackageSet, ...]]
    asked_by: Callable[[Iterable[str]], str] = lambda _: ""

    @property
    def sets(self) -> tuple[PackageSet, ...]:
        """All of them, by their names."""
        found = {one.names: one for sets in self.on.values() for one in sets}
        return tuple(found[names] for names in sorted(found))

    @property
    def distro(self) -> Distro:
        """The distro of all of them."""
        return self.sets[0].distro

    @property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """The names of each set."""
        return tuple(packages.names for packages in self.sets)

    @property
    def of_distro(self) -> set[str]:
        """The names of the distro's own: of sets that come from its archive alone."""
        sets = (packages for packages in self.sets if not packages.repositories)
        return {name for packages in sets for name in packages.names}


@dataclass(frozen=True, eq=False)
class _Question:
    """One base on one platform: a target of BuildKit's."""

    target: str
    wanted: WantedPackages
    platform: str
    manager: PackageManager

    @property
    def where(self) -> str:
        """As sentences name it."""
        return f"{self.wanted.ref} ({self.platform})"

    def build(self, now: str, keyrings: str) -> BuildQuestion:
        """The build that answers it."""
        wanted, platform = self.wanted, self.platform
        origin = wanted.base.origin(wanted.ref)
        asked = PackagesQuestion(origin, wanted.on[platform], platform, now, keyrings)
        return BuildQuestion(self.manager.question(asked), platform)


Closures = dict[tuple[str, ...], dict[str, str]]


def resolve_versions(
    wanted: Sequence[WantedPackages], engine: Engine, now: str, say: Say, keyrings: str = ""
) -> Iterator[tuple[WantedPackages, LockedPackages | BakestoneError]]:
    """Ask apt or dnf in each base what each set would install today: many images in one build.

    Gives each base that is resolved for all its platforms, as soon as that is so; an error for each
    of which a package is unknown, or on which the build does not run. `keyrings` is the image on
    which the keyrings of vendors' repositories are made, with its digest: the base itself when it
    is empty. Raises `BakestoneError` when nothing can be built at all.
    """
    asked = [
        _Question(f"q{n}-{i}", item, platform, manager_of(item.distro))
        for n, item in enumerate(wanted)
        for i, platform in enumerate(sorted(item.on))
    ]
    answers: dict[WantedPackages, dict[str, Closures]] = {}
    failed: set[WantedPackages] = set()
    for start in range(0, len(asked), CHUNK):
        todo = asked[start : start + CHUNK]
        while todo:
            for question, answer in _ask(todo, engine, now, keyrings).items():
                item, platform = question.wanted, question.platform
                todo.remove(question)
                if isinstance(answer, BakestoneError):
                    if item not in failed:
                        yield item, answer
                    failed.add(item)
                    continue
                names = {name for closure in answer.values() for name in closure}
                say(f"{item.ref}: {count(len(names), 'package')} for {platform}")
                versions = answers.setdefault(item, {})
                versions[platform] = answer
                if item not in failed and len(versions) == len(item.on):
                    entry = LockedPackages("versions", item.distro.text, now)
                    yield item, replace(entry, versions=versions, resolved_from=IMAGE)
            # what was cancelled is asked again, from the cache if it was done
            todo = [question for question in todo if question.wanted not in failed]


def _ask(
    todo: list[_Question], engine: Engine, now: str, keyrings: str
) -> dict[_Question, Closures | BakestoneError]:
    """One build: the answers when all went well, else why not; nothing of what was cancelled."""
    found: dict[_Question, Closures | BakestoneError] = {}
    with scratch("closure") as folder:
        state = put(engine, {q.target: q.build(now, keyrings) for q in todo}, folder)
        for question in todo if state is None else ():
            try:
                found[question] = _read(question, folder / question.target)
            except BakestoneError as problem:
                found[question] = problem
    if state is None:
        return found
    failed = {q: why for q in todo if (why := unanswered(state, q.target))}
    if not failed:  # the engine itself, or a step that BuildKit names after no target
        failed = dict.fromkeys(todo, unanswered(state))
    return {question: _problem(question, why) for question, why in failed.items()}


def _read(question: _Question, folder: Path) -> Closures:
    wanted, closure = question.wanted, question.manager.closure
    try:
        came = texts(folder)
        sets = wanted.on[question.platform]
        return {one.names: closure(came[str(n)]) for n, one in enumerate(sets)}
    except (OSError, KeyError, ValueError) as problem:
        manager = wanted.distro.package_manager
        raise fail(
            f"what {manager} says on {question.where} cannot be understood: {str(problem)[:300]}",
            "is it the image that its name says?",
            name=wanted.ref,
            code=ENVIRONMENT,
        ) from problem


def absent(
    wanted: WantedPackages,
    platform: str,
    names: Sequence[str],
    versions: Mapping[str, Sequence[str]],
) -> BakestoneError:
    """That the distro of a base has no packages of these names for a platform; `versions` are those
    that there are of packages of which a certain one is asked for.
    """
    who, hint = wanted.asked_by(names), "correct `packages` in images.yaml or in the component"
    asked = (name.partition("=")[0] for name in names if "=" in name)
    there = "".join(
        f"; of {name} there is {few(versions[name])}" for name in asked if name in versions
    )
    if there:
        hint = "write one that is there, or the name alone: the lock pins the version of the day"
    said = f"there is no package {', '.join(names)} for {wanted.ref} ({platform}){who}{there}"
    return fail(said, hint, name=wanted.ref)


def _problem(question: _Question, why: Unanswered) -> BakestoneError:
    manager, ref, where = question.manager, question.wanted.ref, question.where
    if unknown := sorted(manager.unknown(why.log)):
        return absent(question.wanted, question.platform, unknown, manager.versions(why.log))
    if refused := manager.distrusted(why.log):
        return fail(
            f"packages for {where} come with a key or signature that is not the library's:"
            f" {' '.join(refused)[:500]}",
            "is the mirror in between right? If the vendor changed its key, correct `repositories`"
            " in component.yaml, from a source",
            name=ref,
        )
    reason = why.reason(manager.reasons)
    return fail(
        f"the package versions on {where} cannot be resolved: {reason}",
        "check the package names, and that the base image and its package archive can be reached"
        " from a build",
        name=ref,
        code=ENVIRONMENT,
    )
