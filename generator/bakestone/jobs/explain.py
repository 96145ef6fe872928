"""What a variant is made of and why, pin by pin; or why a combination is left out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bakestone.core.documents.suggest import near
from bakestone.core.documents.words import count
from bakestone.core.library.version import Base, texts
from bakestone.core.lock import frameworks
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import PackageSet, Stage, VendorPackages
from bakestone.core.lock.survey import Survey, environment_of
from bakestone.core.matrix.checks import lifecycle, rules
from bakestone.core.matrix.expansion import Matrix
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import DEVEL, INHERITED, Chosen, Variant
from bakestone.errors import BakestoneError, Position, fail
from bakestone.project import Project


@dataclass(frozen=True)
class Line:
    """One fact: what it is about, what is pinned, and where that comes from."""

    topic: str
    pin: str
    origin: str


def explain(project: Project, name: str) -> tuple[str, list[Line]]:
    """A sentence and the facts about the variant `name`.

    Raises `BakestoneError` when no combination, built or left out, has that name.
    """
    matrix, survey = project.matrix, Survey(project.matrix.library)
    variant = next((v for v in matrix.variants if v.name == name), None)
    if variant is None:
        return _excluded(matrix, name), []
    lock, lines = _lock(project)
    lines += [
        _base("base", lock, variant.base),
        *_builders(lock, survey, variant),
        *(_slot(c) for c in variant.slots.values() if c.slot != "distro"),
        *_fetched(survey.stages(variant), variant),
        *_vendor(survey.vendor_packages(variant)),
        _packages(lock, survey.base_packages(variant)),
        *_about(variant),
        *_content(variant.family),
        *_environment(lock, variant),
    ]
    family = variant.family
    sentence = f"{name} is a variant of the family {family.name} ({_line(family.where)})"
    if lock and variant in project.locked_variants:
        where = f"of {project.path_of(variant)}"
        lines.append(Line("fingerprint", project.fingerprint(variant), where))
    return sentence, lines


def _line(where: Position) -> str:
    return f"{where.file}:{where.line}"


def _excluded(matrix: Matrix, name: str) -> str:
    for excluded in matrix.excluded:
        if excluded.name == name:
            rule = excluded.rule
            what = ", ".join(f"{k}: {v}" for k, v in rule.patterns.items())
            return f"{name} is left out by {rule.where}\n  exclude {what}\n  because {rule.because}"
    names = [v.name for v in matrix.variants] + [e.name for e in matrix.excluded]
    hint = near(name, names, "see `bakestone list`", cutoff=0.3)
    raise fail(f"no combination is named {name}", hint, name=name)


def _lock(project: Project) -> tuple[Lock | None, list[Line]]:
    """The lock; without one that fits the matrix, nothing and why.

    What is not locked can be explained all the same.
    """
    if not project.lock_path.is_file():
        return None, []
    try:
        return project.lock, []
    except BakestoneError as problem:
        said = f"{project.lock_path} does not count"
        return None, [Line("lock", said, problem.findings[0].message)]


def _base(topic: str, lock: Lock | None, base: Base) -> Line:
    locked = lock.bases.get(base.ref) if lock else None
    if locked is None:
        return Line(topic, f"{base.ref} (not locked)", base.source)
    origin = f"the registry, {locked.resolved}"
    if locked.resolved_from == "library":
        origin = f"the component library, {locked.resolved} (source: {base.source})"
    if locked.note:
        origin += f"; {locked.note}"
    unknown = "" if locked.digest else " (no digest known)"
    return Line(topic, locked.origin(base.ref) + unknown, origin)


def _builders(lock: Lock | None, survey: Survey, variant: Variant) -> list[Line]:
    """The images that stages start from, besides the variant's own base, and what for."""
    users: dict[str, tuple[Base, list[str]]] = {}
    keyrings = survey.keyrings(variant)
    stages = [(stage.builder, stage.chosen.component.name) for stage in survey.stages(variant)]
    if keyrings:
        stages.append((keyrings.builder, "the keyrings of the vendors' repositories"))
    for base, user in stages:
        if base.ref != variant.base.ref:
            users.setdefault(base.ref, (base, []))[1].append(user)
    found = [(_base("builder", lock, base), names) for base, names in users.values()]
    return [replace(line, origin=f"for {', '.join(names)}\n{line.origin}") for line, names in found]


def _slot(chosen: Chosen) -> Line:
    how = "comes with the base image" if chosen.method == INHERITED else f"method {chosen.method}"
    origin = f"{_line(chosen.where)}; {how}: {chosen.why}"
    if chosen.of_distro:
        origin += f"\n{_stated(chosen.data)}"
    return Line(chosen.slot, chosen.text, origin)


def _stated(data: dict[str, Any], source: str = "") -> str:
    """Who says so, and how sure that is: what `source` names, else the data's own."""
    who = source or texts(data.get("source", "")) or "nobody says where it comes from"
    return f"{who} (confidence: {data.get('confidence', 'not given')})"


def _fetched(stages: list[Stage], variant: Variant) -> Iterator[Line]:
    for stage in stages:
        sources = stage.chosen.data.get("source") or stage.chosen.version.data.get("source", "")
        for artifact in stage.artifacts:
            known = next(a for a in stage.chosen.data["artifacts"] if a["url"] == artifact.url)
            origin = _stated(known, texts(known.get("source") or sources))
            yield Line("file", f"{artifact.url}\nsha256:{artifact.sha256}", origin)
        for wheel in stage.wheels:
            hashes = [
                f"{p} sha256:{sha}" for p, (_, sha, _) in wheel.files if p in variant.platforms
            ]
            # of several sources those that name it (cuDNN has a wheel for each major CUDA), or all
            listed = [sources] if isinstance(sources, str) else sources
            named = [text for text in listed if wheel.name in text] or listed
            origin = _stated(stage.chosen.data, texts(named))
            yield Line("wheel", "\n".join([wheel.text, *hashes]), origin)


def _vendor(found: list[VendorPackages]) -> Iterator[Line]:
    for vendor in found:
        places = [f"{r.line} (key {r.fingerprint})" for r in vendor.packages.repositories]
        sources = dict.fromkeys(map(_stated, vendor.chosen.data["packages"]))
        names, origin = "\n".join(vendor.packages.names), "\n".join([*places, *sources])
        yield Line(f"{vendor.chosen.slot} packages", names, origin)


def _about(variant: Variant) -> Iterator[Line]:
    """What else a person should know: the driver, the terms, what nobody packaged so, further tags,
    when support ends.
    """
    family = variant.family
    for left in variant.left_out:
        yield Line(
            "platforms", ", ".join(variant.platforms), f"without {left.platform}: {left.because}"
        )
    user = family.user
    origin = str(user.where or "the default")
    home = f", home {user.home}" if user.home else ""
    yield Line("user", f"{user.name}, uid {user.uid}, gid {user.gid}{home}", origin)
    if family.roles:
        has = "with" if variant.role == DEVEL else "without"
        said = f"{variant.role}: {has} compilers, headers and static libraries"
        yield Line("role", said, f"`roles` of the family {family.name}")
    if family.max_size:
        yield Line("max-size", family.max_size.text, str(family.max_size.where))
    if variant.driver:
        needed, made_for = variant.driver["minimum"], variant.driver["toolkit"]
        origin = f"the component library, {variant.slots['cuda'].text}"
        yield Line("driver", f"{needed} (made for {made_for})", origin)
    asked = {
        c.component.terms.id: c.component.terms for c in variant.slots.values() if c.component.terms
    }
    for name, terms in sorted(asked.items()):
        origin = f"{terms.url}; accepted at {variant.family.accept[name]}"
        yield Line("terms", f"{name}: {terms.title}", origin)
    for chosen in variant.filled:
        for option in chosen.options:
            told = ", ".join(f"{key} {value}" for key, value in option.measure.items())
            yield Line(f"{chosen.slot} with", f"{option.name}: {option.title}", f"measured: {told}")
    for doubt in rules.doubts(variant.slots, variant.family.host):
        rule = doubt.rule
        yield Line("never packaged", rule.because, f"rule {rule.id}; source: {rule.source}")
    for alias in variant.aliases:
        when = f" when {' '.join(alias.template.when)}" if alias.template.when else ""
        moves = "; never moves: its date is that of a release" if alias.dated else ""
        yield Line("tag", alias.tag, f"{alias.template.text}{when}, {alias.template.where}{moves}")
    for end in lifecycle.ends_of(variant):
        yield Line("end of life", f"{end.date}: {end.what}", end.source)


def _content(family: Family) -> Iterator[Line]:
    """What the team adds, and what the family has from another or from `defaults`."""
    content, places = family.content, family.content.places
    for name, value in sorted(content.env.items()):
        yield Line("env", f"{name}={value}", str(places["env", name]))
    for name, value in sorted(content.labels.items()):
        yield Line("label", f"{name}={value}", str(places["labels", name]))
    for name, value in sorted(content.annotations.items()):
        yield Line("annotation", f"{name}={value}", str(places["annotations", name]))
    for name, where in family.package_places.items():
        yield Line("package", name, str(where))
    for name, where in family.without.items():
        yield Line("package", f"without {name}", str(where))
    starts = {"entrypoint": content.entrypoint, "cmd": content.cmd, "shell": content.shell}
    for key, words in starts.items():
        if (key,) in places:
            yield Line(key, shlex.join(words or ()) or "none", str(places[key,]))
    if content.workdir:
        yield Line("workdir", content.workdir, str(places["workdir",]))
    if content.expose:
        yield Line("expose", ", ".join(content.expose), f"`expose` of the family {family.name}")
    if own := content.python:
        whose = family.user.name if own.of_user else "root"
        texts = "\n".join((*own.requirements, *(f"{text} from source" for text in own.sources)))
        yield Line("python", texts, f"in {own.prefix}, which is {whose}'s; {own.where}")
    for held in content.certificates:
        holds = f"{held.subject}, until {held.ends.date()}"
        yield Line("ca", holds, f"{held.origin}, {held.where}")
    for one in content.files:
        whose = family.user.name if one.of_user else "root"
        yield Line("file", f"{one.path} ({one.mode}, {whose})", f"{one.origin}, {one.where}")
    for step in content.steps:
        network = "with the network" if step.network else "without network"
        yield Line("step", f"{step.name}, {network}", f"{step.because}; {step.where}")
    for key, where in family.inherited.items():
        yield Line("inherits", key, str(where))


def _environment(lock: Lock | None, variant: Variant) -> Iterator[Line]:
    if wanted := environment_of(variant):
        there = lock.environments.get(wanted.key) if lock else None
        for platform, wheels in there.files.items() if there else ():
            said = f"{count(len(wheels), 'wheel')} for Python {wanted.python} on {platform}"
            size = sum(size for _, _, size in wheels) / 10**6
            origin = f"the package index, {there.resolved if there else ''}; {size:.0f} MB"
            yield Line("environment", said, origin)
        if there is None:
            yield Line("environment", f"{wanted.key} (not locked)", "")
    for name in variant.family.frameworks:
        locked = lock.frameworks.get(name) if lock else None
        asks = ", ".join(locked.requires) if locked else "not locked"
        yield Line("framework", f"{name}: {asks}", locked.wheel if locked else "")
    for found in frameworks.differences(variant, lock or Lock()):
        yield Line("differs", found.message, f"rule {frameworks.RULE}; source: {found.source}")


def _packages(lock: Lock | None, wanted: PackageSet) -> Line:
    locked = lock.packages.get(wanted.base) if lock else None
    asked = f"{len(wanted.names)} asked for"
    if locked is None:
        return Line("packages", f"{asked} (not locked)", "")
    if locked.pins == "snapshot":
        origin = f"snapshot of {locked.distro}, {locked.resolved}"
        return Line("packages", f"{asked}, the archive as of {locked.snapshot}", origin)
    if locked.pins == "frozen":
        pinned = ", ".join(f"{k}={v}" for k, v in locked.known.items() if k in wanted.names)
        origin = f"the archive of {locked.distro} is frozen"
        return Line("packages", f"{asked}, {pinned or 'no direct version known'}", origin)
    exact = sum(len(sets.get(wanted.names, {})) for sets in locked.versions.values())
    origin = f"resolved inside {wanted.base}, {locked.resolved}"
    return Line("packages", f"{count(exact, 'exact version')} for {asked}", origin)
