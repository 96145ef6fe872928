"""The stages of a variant: whole, hermetic, every pin in their text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bakestone.core.documents import template
from bakestone.core.documents.words import few
from bakestone.core.library.catalog import Library
from bakestone.core.library.version import Base
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import Artifact, PackageSet, Stage, VendorPackages
from bakestone.core.lock.survey import WHEEL_TOOLS, Survey, environment_of
from bakestone.core.matrix.conditions import own_python, python
from bakestone.core.matrix.spec import User
from bakestone.core.matrix.variant import DEVEL, INHERITED, Chosen, Variant, slot_rank
from bakestone.core.render import content, virtualenv
from bakestone.core.render.bakefile import epoch
from bakestone.core.render.environment import Environments, labels, seen, stage_context
from bakestone.core.render.frames import ToolStages, heredocs, mounted, pairs, tools
from bakestone.core.render.inventory import GATE, Measures, option_marks
from bakestone.core.render.packages import apt
from bakestone.core.render.packages.by_distro import install, manager_of
from bakestone.core.render.packages.pip import PipStages, requirements, unpack
from bakestone.core.render.stages import (
    MARKER,
    PLATFORM,
    SELF,
    VERSION,
    ContentsRow,
    Mark,
    RenderedStage,
)
from bakestone.errors import fail

RUNTIME_TOOLS = RenderedStage("runtime-tools", tools(["runtime.sh", "files.sh"], SELF))
"""The stage of the script that leaves out what programs are made with."""


class Renderer:
    """Renders the variants of one matrix with one lock; what several variants of a family have
    alike is rendered once, and has the marks of the first: not those of another family.
    """

    def __init__(self, library: Library, lock: Lock) -> None:
        self.library = library
        self.lock = lock
        self._survey = Survey(library)
        self._environments = Environments()
        self._measures = Measures()
        self._known: dict[tuple[Any, ...], tuple[RenderedStage, ...]] = {}

    def stages(self, variant: Variant) -> tuple[RenderedStage, ...]:
        """The stages of a variant, each after those that it needs; the last one is the image.

        Raises `BakestoneError` when the lock lacks something.
        """
        whole = variant.devel
        found, base, made, measured = self._built(whole)
        own, about = self._virtualenv(variant, base, made)
        found |= dict.fromkeys(own)
        image = self._image(whole, base, [*made.values(), *own[-1:]])
        named = self._environments.named(variant)
        if variant is whole:
            if about:
                found[about] = None
            gate = self._measures.gate(variant, image, measured, named, environment=about)
            return (*found, image, gate, self._last(variant, image, gate))
        programs = self._measures.programs(whole, image, measured)
        before = self._base(variant)
        lean = {slot: self._without_development(made[slot], variant, slot) for slot in made}
        found |= dict.fromkeys((*before, *(s for stages in lean.values() for s in stages)))
        measures: dict[str, RenderedStage] = {}
        for chosen in variant.filled:
            slot = chosen.slot
            stages = [*self._measures.stages(chosen, variant)]
            if slot in lean:
                stages.append(self._measures.listed(chosen, stages[-1], lean[slot][-1]))
            found |= dict.fromkeys(stages)
            measures[slot] = stages[-1]
        own, about = self._virtualenv(
            variant, before[-1], {slot: stages[-1] for slot, stages in lean.items()}
        )
        found |= dict.fromkeys((*own, *([about] if about else [])))
        lean_ones = [stages[-1] for stages in lean.values()]
        small = self._image(variant, before[-1], [*lean_ones, *own[-1:]])
        gate = self._measures.gate(variant, small, measures, named, programs, about)
        return (*found, image, programs, small, gate, self._last(variant, small, gate))

    def _built(
        self, variant: Variant
    ) -> tuple[
        dict[RenderedStage, None], RenderedStage, dict[str, RenderedStage], dict[str, RenderedStage]
    ]:
        """All that goes before the image: the stages in their order, which of them is the base, and
        by slot what is copied from and what measures.
        """
        found = dict.fromkeys(self._base(variant))
        base = next(reversed(found))
        measures = {c.slot: self._measures.stages(c, variant) for c in variant.filled}
        measured = {slot: stages[-1] for slot, stages in measures.items()}
        for chosen in variant.filled:
            if not chosen.staged:
                found |= dict.fromkeys(measures[chosen.slot])
        made: dict[str, RenderedStage] = {}
        for stage in self._survey.stages(variant):
            slot = stage.chosen.slot
            uses = tuple(made[used] for used in stage.uses if used in made)
            *before, last = self._component(stage, variant, uses, base)
            programs, expected = measures[slot]
            # what a version changes, one after the other
            measured[slot] = self._measures.listed(stage.chosen, expected, last)
            found |= dict.fromkeys((programs, *before, expected, last, measured[slot]))
            made[slot] = last
        own = variant.family.content
        found |= dict.fromkeys((*content.certificates(own), *content.stages(own), GATE))
        return found, base, made, measured

    def _virtualenv(
        self, variant: Variant, base: RenderedStage, made: Mapping[str, RenderedStage]
    ) -> tuple[tuple[RenderedStage, ...], RenderedStage | None]:
        """The stages of the family's Python packages, the last of which is copied into the image,
        and the one that they are measured with; none where it asks for none.
        """
        own, wanted = variant.family.content.python, environment_of(variant)
        if own is None or wanted is None:
            return (), None
        platforms = variant.platforms
        environment = virtualenv.locked(wanted, self.lock, platforms)
        python = made.get(own_python(variant.slots))
        key = ("environment", variant.family.name, wanted, own, platforms, base, python)
        if key not in self._known:
            packages = self._survey.wheel_packages(variant)
            builder = self._builder(packages.distro.version.base, packages, variant, "sources")
            slot = own_python(variant.slots)
            marks = (
                *_platform_marks(variant),
                *([_mark(variant.slots[slot])] if slot else []),
                _mark(variant.distro),
            )
            fetched = virtualenv.fetched(environment, platforms, builder[-1], builder[0], marks)
            made_of = (own, variant, base, python, fetched[-1], environment)
            last = virtualenv.installed(*made_of)
            last = last.marked((*_base_marks(variant), _mark(variant.distro)))
            about = virtualenv.measured(own, environment, platforms, last)
            self._known[key] = (*builder, virtualenv.TOOLS, *fetched, last, about)
        *stages, about = self._known[key]
        return tuple(stages), about

    def _without_development(
        self, stage: RenderedStage, variant: Variant, slot: str
    ) -> tuple[RenderedStage, ...]:
        """A component's stage without what programs are made with, after its tool."""
        chosen = variant.slots[slot]
        patterns = chosen.component.development.files
        if not patterns:
            return (stage,)
        prefix = variant.context[slot]["prefix"]
        words = " ".join([prefix, *(f"'{pattern}'" for pattern in patterns)])
        run = f"RUN {mounted(RUNTIME_TOOLS.reference)} sh /tools/runtime.sh {words}\n"
        text = f"FROM {stage.reference} AS {SELF}\n{run}"
        title = f"{stage.title}.runtime"
        return (RUNTIME_TOOLS, RenderedStage(title, text, stage.marks))

    def origin(self, base: Base) -> str:
        """What stands behind FROM: the reference with its locked digest."""
        locked = self.lock.bases.get(base.ref)
        if locked is None:
            raise fail(f"the lock has no base image {base.ref}", "run `bakestone lock`")
        return locked.origin(base.ref)

    def _base(self, variant: Variant) -> tuple[RenderedStage, ...]:
        """The distro with its packages, the vendors' and the user, after what that needs."""
        wanted = self._survey.base_packages(variant)
        vendors = self._survey.vendor_packages(variant)
        key = (
            "base",
            variant.family.name,
            variant.base.ref,
            wanted.names,
            tuple((v.chosen.text, v.chosen.seen, v.packages.names) for v in vendors),
            variant.platforms,
            variant.family.user,
        )
        if key not in self._known:
            toolbox, user = _toolbox(wanted), variant.family.user
            before = [toolbox, *self._keyrings(variant)]
            stages = ToolStages(toolbox.reference, before[-1].reference, timed=True)
            texts = [
                f"FROM {self.origin(variant.base)} AS {SELF}\n"
                f"ARG SOURCE_DATE_EPOCH={epoch(variant, self.lock)}",
                install(wanted, self.lock, self._platforms(wanted, variant), stages),
                *(self._vendor_packages(vendor, variant, stages) for vendor in vendors),
                f"RUN {mounted(toolbox.reference)} <<'EOF'\n# user\n. /tools/timed.sh\n"
                f"sh /tools/user.sh {' '.join(_about(user))}\nEOF",
            ]
            distro = variant.distro
            title = f"{distro.component.name}{distro.version.version}"
            contents = self._base_contents(variant, wanted, vendors)
            text = "\n".join(t.rstrip("\n") + "\n" for t in texts if t)
            self._known[key] = (*before, RenderedStage(title, text, contents=contents))
        *before, last = self._known[key]
        return (*before, last.marked(_base_marks(variant)))

    def _base_contents(
        self, variant: Variant, wanted: PackageSet, vendors: Sequence[VendorPackages]
    ) -> tuple[ContentsRow, ...]:
        """What the image brings, what the distro's archive has, what each vendor's has."""
        image = [c.text for c in variant.slots.values() if c.method == INHERITED]
        rows = [ContentsRow(", ".join(image), INHERITED, variant.base.ref)]
        manager = wanted.distro.package_manager
        locked = self.lock.packages.get(wanted.base)
        if locked and wanted.names:
            named = [c.text for c in variant.slots.values() if c.of_distro]
            archive = {
                "snapshot": f"archive as of {locked.snapshot}",
                "frozen": "frozen archive",
            }.get(locked.pins, "archive, exact versions")
            rows.append(ContentsRow(", ".join([*named, "packages"]), manager, archive))
        for vendor in vendors:
            hosts = dict.fromkeys(_host(r.line) for r in vendor.packages.repositories)
            rows.append(ContentsRow(vendor.chosen.text, manager, ", ".join(hosts)))
        return tuple(rows)

    def _vendor_packages(self, vendor: VendorPackages, variant: Variant, stages: ToolStages) -> str:
        """The RUN that installs a component's packages from its vendor's repository, and what its
        template adds.
        """
        chosen = vendor.chosen
        text = install(vendor.packages, self.lock, variant.platforms, stages) + "\n"
        if chosen.component.has_template(chosen.method):
            body, origin = chosen.component.template(chosen.method)
            context = stage_context(chosen, variant) | {"tools": mounted(stages.tools)}
            text += _filled(body, context, origin, [stages.tools]) + "\n"
        return text

    def _platforms(self, packages: PackageSet, variant: Variant) -> tuple[str, ...]:
        """The platforms that a step installs packages for: those of the variant, and others of the
        family for which the lock has them, so that variants that leave one out have the steps of
        those that do not.
        """
        locked = self.lock.packages.get(packages.base)
        there = locked.versions if locked else {}
        return tuple(
            platform
            for platform in variant.family.platforms
            if platform in variant.platforms or packages.names in there.get(platform, {})
        )

    def _platforms_of_wheels(self, stage: Stage, variant: Variant) -> tuple[str, ...]:
        """The same of a step that unpacks wheels."""
        known = [self.lock.wheels[w.key].files for w in stage.wheels if w.key in self.lock.wheels]
        return tuple(
            platform
            for platform in variant.family.platforms
            if platform in variant.platforms or all(platform in files for files in known)
        )

    def _keyrings(self, variant: Variant) -> tuple[RenderedStage, ...]:
        """The keyrings of vendors' repositories, after what they are made of; none when no package
        of a vendor is installed.
        """
        wanted = self._survey.keyrings(variant)
        if wanted is None:
            return ()
        files = "".join(self._key(r.name) for r in wanted.repositories)
        keys = RenderedStage(
            "keyring-files", f"FROM scratch AS {SELF}\n{files}", _platform_marks(variant)
        )
        toolbox = RenderedStage("keyring-tools", tools(apt.KEYRING_TOOLS, SELF))
        builder = self._builder(wanted.builder, wanted.packages, variant, "keyrings")
        locked = [(r.name, self.lock.keyrings[r.name].fingerprint) for r in wanted.repositories]
        run = apt.keyrings_run(locked, keys.reference, toolbox.reference)
        last = RenderedStage(
            "keyrings",
            f"FROM {builder[-1].reference} AS {SELF}\n{run}",
            _platform_marks(variant),
            contents=(ContentsRow("keyrings", "by fingerprint", ", ".join(n for n, _ in locked)),),
        )
        return (*builder, keys, toolbox, last)

    def _key(self, name: str) -> str:
        locked = self.lock.keyrings.get(name)
        if locked is None:
            raise fail(f"the lock has no keyring {name}", "run `bakestone lock`")
        checksum = f"--checksum=sha256:{locked.sha256} " if locked.sha256 else ""
        return f"ADD {checksum}{locked.url} /{name}.key\n"

    def _builder(
        self, base: Base, packages: PackageSet, variant: Variant, purpose: str
    ) -> tuple[RenderedStage, ...]:
        """A distro with the packages that something is built with, after its tools."""
        toolbox = _toolbox(packages)
        platforms = self._platforms(packages, variant)
        run = install(packages, self.lock, platforms, ToolStages(toolbox.reference))
        distro = f"{packages.distro.component.name}{packages.distro.version.version}"
        word = "pip" if packages.names == WHEEL_TOOLS else purpose
        text = f"FROM {self.origin(base)} AS {SELF}\n{run}"
        marks = (*_platform_marks(variant), Mark("purpose", word))
        return (toolbox, RenderedStage(f"{distro}-builder", text, marks))

    def _component(
        self, stage: Stage, variant: Variant, uses: Sequence[RenderedStage], base: RenderedStage
    ) -> tuple[RenderedStage, ...]:
        """A component's build stage after what it needs.

        Its text depends on its own inputs only, so that variants share it.
        """
        chosen = stage.chosen
        text, origin = chosen.component.template(chosen.method)
        used_names = template.names(text)
        key = (
            variant.family.name,
            stage.builder.ref,
            base if stage.on_base else None,
            tuple(uses),
            variant.platforms,
            *seen(chosen, variant, used_names),
            python(variant.slots) if any(wheel.tag for wheel in stage.wheels) else None,
        )
        if key in self._known:
            return self._known[key]
        name = chosen.component.name
        marks = _marks(stage, variant, used_names)
        found: list[RenderedStage] = []
        toolbox = _toolbox(stage.packages)
        builder = base.reference
        if stage.on_base:
            found.append(toolbox)
            platforms = self._platforms(stage.packages, variant)
            run = install(stage.packages, self.lock, platforms, ToolStages(toolbox.reference))
        else:
            run = ""
            purpose = "-".join((name, *(option.name for option in chosen.options)))
            found += self._builder(stage.builder, stage.packages, variant, purpose)
            builder = found[-1].reference
        found += self._pin_stages(stage, variant, marks)
        pins = found[-1].reference
        body = [run]
        body += [f"COPY --from={used.reference} /out/ /\n" for used in uses]
        if stage.wheels:
            version, place = python(variant.slots) or "", PipStages(toolbox.reference, pins)
            files = self._platforms_of_wheels(stage, variant)
            body.append(unpack(stage.wheels, self.lock, files, version, place))
        artifacts = [{"filename": a.filename, "platform": a.platform} for a in stage.artifacts]
        context: dict[str, object] = {**stage_context(chosen, variant), "data": chosen.data}
        context |= {"artifacts": artifacts, "files": pins, "tools": mounted(toolbox.reference)}
        context["options"] = {option.name: option.configure for option in chosen.options}
        body.append(_filled(text, context, origin, [toolbox.reference, pins]))
        body.append(f"RUN {mounted(toolbox.reference)} sh /tools/files.sh\n")
        whole = "\n".join(part.rstrip("\n") + "\n" for part in body if part)
        contents = ContentsRow(chosen.text, chosen.method, _source(stage))
        last = RenderedStage(name, f"FROM {builder} AS {SELF}\n{whole}", marks, (contents,))
        self._known[key] = (*found, last)
        return self._known[key]

    def _pin_stages(
        self, stage: Stage, variant: Variant, marks: tuple[Mark, ...]
    ) -> list[RenderedStage]:
        """The stages of the files and wheels that a component is made of; with files for one
        platform each, one stage a platform.
        """
        title, platforms = f"{stage.chosen.component.name}.pins", variant.platforms
        files = self._platforms_of_wheels(stage, variant)
        marks = tuple(sorted(marks, key=lambda mark: mark.kind != VERSION))
        about = f"# {stage.chosen.pin}, {stage.chosen.method}\n"
        scratch = f"{about}FROM scratch AS {SELF}\n"
        wheels = (
            heredocs({"requirements.txt": requirements(stage.wheels, self.lock, files)})
            if stage.wheels
            else ""
        )
        if len(platforms) == 1 or not any(a.platform for a in stage.artifacts):
            return [RenderedStage(title, scratch + _adds(stage.artifacts) + wheels, marks)]
        adds = {p: _adds(a for a in stage.artifacts if a.platform in ("", p)) for p in platforms}
        # no two sets share a stage, which could be named after one of them only
        whole = hashlib.sha256("\0".join(adds.values()).encode()).hexdigest()
        found = []
        for platform in platforms:
            text = f"# of the set {whole[:12]}\n{scratch}{adds[platform]}{wheels}"
            marked = (*marks, Mark(PLATFORM, platform.split("/")[1]))
            found.append(RenderedStage(title, text, marked))
        each = ", ".join(one.reference for one in found)
        text = f"# by platform: {each}\nFROM {found[0].by_platform} AS {SELF}\n"
        return [*found, RenderedStage(title, text, marks)]

    def _image(
        self, variant: Variant, base: RenderedStage, made: Iterable[RenderedStage]
    ) -> RenderedStage:
        """What is measured: the base with every component."""
        copies = "".join(f"COPY --link --from={stage.reference} /out/ /\n" for stage in made)
        family, manager = variant.family, variant.context["distro"]["package_manager"]
        text = (
            f"FROM {base.reference} AS {SELF}\n{copies}"
            f"ENV {self._environments.text(variant)}\n"
            f"{content.trust(content.certificates(family.content), manager)}"
            f"{content.runs(family, content.stages(family.content))}"
            f"WORKDIR {family.content.workdir or family.user.directory}\nUSER {family.user.uid}\n"
        )
        return RenderedStage(f"{variant.stage}.image", text, own=True)

    def _last(self, variant: Variant, image: RenderedStage, gate: RenderedStage) -> RenderedStage:
        """The image: it cannot be made without what the gate measured."""
        text = (
            f"FROM {image.reference} AS {SELF}\n"
            f"COPY --link --from={gate.reference} --chown=0:0 /tmp/o/ /\n"
            f"LABEL {pairs(content.quoted(labels(variant, self.lock)), 'LABEL')}\n"
            f"{content.start(variant.family.content)}"
        )
        return RenderedStage(variant.stage, text, own=True)


def _about(user: User) -> list[str]:
    """The words that make a user: its home is not among them where it is the usual one."""
    return [user.name, str(user.uid), str(user.gid), *([user.home] if user.home else [])]


def _toolbox(packages: PackageSet) -> RenderedStage:
    """The stage of the tools that RUNs on a distro call."""
    manager = packages.distro.package_manager
    text = tools([*manager_of(packages.distro).TOOLS, "files.sh"], SELF)
    return RenderedStage("tools", text, (Mark("manager", manager),))


def _mark(chosen: Chosen) -> Mark:
    return Mark(chosen.slot, chosen.component.name, chosen.version.version)


def _base_marks(variant: Variant) -> tuple[Mark, ...]:
    """What may tell a variant's base from others: what its image is named for, what that brings
    besides, then all other slots.
    """
    brought = variant.base.provides
    others = [c for c in variant.slots.values() if c.slot != "distro"]
    named = [c for c in others if c.method == INHERITED and c.slot not in brought]
    return (
        *_platform_marks(variant),
        *([Mark("role", variant.role)] if variant.role != DEVEL else []),
        *map(_mark, named),
        *(Mark(f"base {slot}", slot, brought[slot]) for slot in sorted(brought, key=slot_rank)),
        *(_mark(c) for c in others if c not in named),
        *(mark for c in others for mark in option_marks(c)),
    )


def _marks(stage: Stage, variant: Variant, used: frozenset[str]) -> tuple[Mark, ...]:
    """What may tell a component's stage from others of it: the slots that its text sees, the
    distro, its own version.
    """
    others = [slot for slot in variant.slots if slot in used or slot in stage.uses]
    distro = stage.packages.distro
    return (
        *_platform_marks(variant),
        *(_mark(variant.slots[slot]) for slot in others if slot != stage.chosen.slot),
        *option_marks(stage.chosen),
        Mark("distro", distro.component.name, distro.version.version),
        Mark(VERSION, "", stage.chosen.version.version),
    )


def _platform_marks(variant: Variant) -> tuple[Mark, ...]:
    """What tells the stages of a variant that leaves platforms out from those for all of them."""
    names = "-".join(platform.split("/")[1] for platform in variant.platforms)
    return (Mark("platforms", names),) if variant.left_out else ()


def _source(stage: Stage) -> str:
    """Where a component's files come from, for people."""
    hosts = dict.fromkeys(_host(a.url) for a in stage.artifacts)
    wheels = [wheel.name for wheel in stage.wheels]
    indexed = [f"package index: {few(wheels, 2)}"] if wheels else []
    return ", ".join([*hosts, *indexed])


def _host(text: str) -> str:
    """The host of the first URL in a text."""
    return text.partition("://")[2].partition("/")[0]


def _filled(
    text: str, context: Mapping[str, object], origin: str, references: Iterable[str]
) -> str:
    """A filled template, which may name the stages that it was given, and ends with its last
    instruction. Raises `BakestoneError` for another one.
    """
    filled = rest = template.render(text, context, origin=origin).strip("\n")
    for reference in references:
        rest = rest.replace(reference, "")
    if MARKER in rest:
        raise fail("the template gives a NUL character", "write it as text", name=origin)
    if filled.endswith("\\"):
        hint = "the next stage would be a part of that line: remove the backslash"
        raise fail("the template ends with a backslash", hint, name=origin)
    return filled


def _adds(artifacts: Iterable[Artifact]) -> str:
    return "".join(f"ADD --checksum=sha256:{a.sha256} {a.url} /{a.filename}\n" for a in artifacts)
