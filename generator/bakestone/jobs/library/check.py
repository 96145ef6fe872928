"""Whether a component is whole: measurable, sourced, rendered by every method of every version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component, Option
from bakestone.core.library.version import ENTRIES, Version
from bakestone.core.lock import samples
from bakestone.core.matrix.methods import Obstacle
from bakestone.core.matrix.variant import INHERITED, PACKAGES
from bakestone.core.render.dockerfile import Renderer
from bakestone.errors import BakestoneError, Finding
from bakestone.jobs.library import overlaps

_READ_BACK = re.compile(r"version=[\"']?\$\{?VERSION\b")
_PRINTED = re.compile(r"^[^#\n]*[^\s;&|({#][ \t]*version=", re.MULTILINE)
"""`version=` that is not an assignment."""
_RUN = re.compile(r"^RUN\b", re.MULTILINE)
_TOUCHED = re.compile(r"^[^#\n]*\bfind +/out\b[^\n]*\btouch\b", re.MULTILINE)
"""The times of what a build stage leaves are set."""
_JOINED = re.compile(r"(?<=[ \t])\\[ \t]+\S+")
_TIMED = re.compile(r"^[ \t]*\. /tools/timed\.sh\b", re.MULTILINE)
"""The times of what a RUN in the image itself changes are set."""


@dataclass(frozen=True)
class ComponentReport:
    """What was found, and how many Dockerfiles were rendered."""

    findings: tuple[Finding, ...]
    rendered: int


def check(component: Component, library: Library) -> ComponentReport:
    """Everything about a component that needs no process and no network.

    Its files were checked against their schemas as they were read.
    """
    findings = [
        *_name(component),
        *_inventory(component),
        *_templates(component),
        *_times(component),
        *_options(component),
    ]
    rendered = 0
    for version in component.versions.values():
        lacking = list(_version(component, version))
        findings += lacking
        if lacking:
            continue
        for method in version.methods or ([""] if component.slot == "distro" else []):
            hindering = list(_rendered(component, version, method, library))
            findings += hindering
            rendered += not hindering
    for option in component.options.values() if not findings else ():
        for method in option.methods:
            hindering = list(_with_option(component, option, method, library))
            findings += hindering
            rendered += not hindering
    return ComponentReport(tuple(findings), rendered)


def _name(component: Component) -> Iterator[Finding]:
    where = f"{component.origin}/component.yaml"
    if component.folder.name != component.name:
        why = f"component: {component.name} is in a folder named {component.folder.name}"
        yield Finding(why, "give both one name", name=where)


def _inventory(component: Component) -> Iterator[Finding]:
    if not component.methods and component.retired:
        return
    where = f"{component.origin}/inventory.sh"
    if component.inventory is None:
        hint = "a component must be measurable: see docs/components.md"
        yield Finding("there is no inventory.sh", hint, name=where)
    elif not _PRINTED.search(component.inventory):
        hint = "ask the program for its version and print it"
        yield Finding("it prints no `version=`", hint, name=where)
    elif _READ_BACK.search(component.inventory):
        hint = "ask the program, not $VERSION"
        yield Finding("it prints the pin instead of measuring", hint, name=where)


def _templates(component: Component) -> Iterator[Finding]:
    there = {p.name.split(".")[1] for p in component.folder.glob("install.*.j2")}
    for method in component.methods:
        if method not in (INHERITED, *PACKAGES) and method not in there:
            why = f"the method {method} has no install.{method}.j2"
            yield Finding(why, "add the template, or remove the method", name=component.origin)
    for method in sorted(there - set(component.methods)):
        why = f"install.{method}.j2 belongs to no method"
        hint = "add the method in component.yaml, or remove the file"
        yield Finding(why, hint, name=component.origin)
    vendors = any("packages" in v.methods.get("apt", ()) for v in component.versions.values())
    for method in sorted(there & {INHERITED, *PACKAGES}):
        if method != "apt" or not vendors:
            why = f"install.{method}.j2 is never used: it is for packages of a vendor only"
            yield Finding(why, "remove the file; see docs/components.md", name=component.origin)
    offered = {method for version in component.versions.values() for method in version.methods}
    for method in component.methods:
        if component.slot != "distro" and method not in offered:
            hint = "remove it from component.yaml, or add data for it"
            yield Finding(f"no version offers the method {method}", hint, name=component.origin)


def _options(component: Component) -> Iterator[Finding]:
    """Names in its options that name nothing."""
    known, where = component.options, f"{component.origin}/component.yaml"
    for option in known.values():
        named = (
            ("method", option.methods, component.methods),
            ("option", option.conflicts, {key for key in known if key != option.name}),
            ("program", option.programs, component.programs),
        )
        for what, words, there in named:
            for word in words:
                if word not in there:
                    why = f"the option {option.name} names the {what} {word}, which is not there"
                    hint = near(word, there, f"there is {', '.join(sorted(there)) or 'none'}")
                    yield Finding(why, hint, name=where)


def _times(component: Component) -> Iterator[Finding]:
    """Templates that leave the times of their build in a layer: it would be another one each time.

    Read off their text: what a RUN does in truth, `reproduce` shows.
    """
    for method in component.methods:
        if not component.has_template(method):
            continue
        text, origin = component.template(method)
        text = re.sub(r"{#.*?#}", "", text, flags=re.DOTALL).replace("\\\n", " ")
        runs = _RUN.split(text)[1:]
        if method in PACKAGES:
            if not all(map(_TIMED.search, runs)):
                why = "a RUN does not set the times of what it changes"
                hint = "begin each with `RUN {{ tools }} <<'EOF'`, then a line `. /tools/timed.sh`"
                yield Finding(
                    f"{why}, so its layer is another one in each build", hint, name=origin
                )
        elif runs and not _TOUCHED.search(runs[-1]):
            why = "the last RUN does not set the times of what is in /out"
            hint = "end it with the line `find /out -exec touch -h -d @315532800 {} +`"
            yield Finding(f"{why}, so its layer is another one in each build", hint, name=origin)


def _version(component: Component, version: Version) -> Iterator[Finding]:
    """What a version's data lacks."""
    name = f"{component.name}@{version.version}"
    if component.slot == "distro":
        return
    if not version.methods:
        yield Finding("it has no method", "say under `methods` where it comes from", name=name)
    for method, data in version.methods.items():
        if method not in component.methods:
            hint = f"add the method there; it has {', '.join(component.methods)}"
            why = f"it offers the method {method}, which component.yaml does not have"
            yield Finding(why, hint, name=name)
        yield from overlaps.findings(data.get("wheels", []), name)
        for entry in data.get(ENTRIES.get(method, ""), []):
            if not (entry.get("source") or data.get("source") or version.data.get("source")):
                what = entry.get("url") or entry.get("ref") or entry.get("name") or "its packages"
                why = f"method {method}: nobody says where {what} comes from"
                hint = "add `source`: who states the checksum, or `computed DAY`"
                yield Finding(why, hint, name=name)


def _rendered(
    component: Component, version: Version, method: str, library: Library
) -> Iterator[Finding]:
    """What hinders its rendering by a method, in the first combination that its rules allow."""
    try:
        found = samples.find(component, version, method, library)
        if not isinstance(found, Obstacle):
            stages = Renderer(library, samples.lock([found], library)).stages(found)
            yield from _lines(component, method, (stage.text for stage in stages))
            return
        why = f"method {method}: no combination was found that it can be installed in: {found}"
        name = f"{component.name}@{version.version}"
        yield Finding(why, "see its rules and conditions", name=name, severity="warning")
    except BakestoneError as problem:
        yield from problem.findings


def _lines(component: Component, method: str, texts: Iterable[str]) -> Iterator[Finding]:
    """A backslash that no longer ends its line: the shell makes an argument of one blank of it."""
    for text in texts:
        if found := _JOINED.search(text):
            begin = max(text.rfind("\n", 0, found.start()) + 1, found.start() - 40)
            shown = text[begin : found.end()]
            yield Finding(
                f"its lines run together behind a backslash: {shown.strip()[:80]}",
                "take the minus out of `{%- if` and `{%- endif`, or collect words by set --",
                name=f"{component.origin}/install.{method}.j2",
            )
            return


def _with_option(
    component: Component, option: Option, method: str, library: Library
) -> Iterator[Finding]:
    """What hinders rendering with an option, in the newest version that can have it so."""
    obstacle = Obstacle("no version offers the method")
    for version in component.versions.values():
        if method not in version.methods:
            continue
        found = samples.find(component, version, method, library, options=(option,))
        if isinstance(found, Obstacle):
            obstacle = found
            continue
        try:
            stages = Renderer(library, samples.lock([found], library)).stages(found)
            yield from _lines(component, method, (stage.text for stage in stages))
        except BakestoneError as problem:
            yield from problem.findings
        return
    why = f"the option {option.name} by {method}: no version can have it: {obstacle}"
    hint = "see its require and packages"
    yield Finding(why, hint, name=component.origin, severity="warning")
