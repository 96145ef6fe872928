"""The stages that measure: each component's script and programs, what is expected of its version,
and the gate, which compares.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from bakestone.core.matrix.variant import DEVEL, Chosen, Variant
from bakestone.core.render.frames import heredocs, mounted, tools
from bakestone.core.render.stages import SELF, VERSION, Mark, RenderedStage
from bakestone.errors import fail

_TOOLS = ("inventory", "programs", "packages", "package", "contract", "libraries")
GATE = RenderedStage("gate", tools((f"{name}.sh" for name in _TOOLS), SELF))
"""The stage of the scripts that measure and compare."""
STRANGER = "4242:4242"
"""A user and a group that no image knows: what holds for it holds for any other, as Kubernetes and
OpenShift hand them out.
"""
ENVIRONMENT = "environment"
"""What the inventory calls a family's Python packages."""
PROGRAMS = "tmp/programs"
"""Where a stage has the programs that were compiled to measure with."""
BUILD = "build.sh"
"""The program of a component that compiles those."""
CONTRACT = "contract.sh"
"""The program of a component that asks what every user may."""


class Measures:
    """What is measured of many variants; what several of a family have alike is rendered once."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[RenderedStage, RenderedStage]] = {}
        self._asked: dict[tuple[object, ...], tuple[Chosen, tuple[tuple[str, str], ...]]] = {}
        self._listed: dict[tuple[int, int], tuple[RenderedStage, ...]] = {}

    def stages(self, chosen: Chosen, variant: Variant) -> tuple[RenderedStage, RenderedStage]:
        """A component's script and programs, and these with what is expected of its version."""
        prefix = "/usr" if chosen.of_distro else variant.context[chosen.slot]["prefix"]
        asked = self._asked_of(chosen, variant)
        key = (variant.family.name, chosen.slot, chosen.text, prefix, asked)
        if key not in self._known:
            component = chosen.component
            programs = RenderedStage(
                f"measure-{component.name}",
                f"FROM scratch AS {SELF}\n{heredocs(_files(chosen), component.origin)}",
                option_marks(chosen),
            )
            words = [chosen.slot, component.name, chosen.version.version, prefix]
            expected = " ".join([*words, *(f"{k}={v}" for k, v in asked)])
            text = f"FROM {programs.reference} AS {SELF}\n{heredocs({'expected': expected})}"
            title, marks = component.name, _marks(chosen, variant, prefix)
            if len(asked) < len(variant.devel.asked(chosen)):
                marks = (Mark("role", variant.role), *marks)
            if chosen.slot == "distro":
                title += chosen.version.version
            self._known[key] = (programs, RenderedStage(f"{title}.measure", text, marks))
        return self._known[key]

    def _asked_of(self, chosen: Chosen, variant: Variant) -> tuple[tuple[str, str], ...]:
        """`Variant.asked`, which looks at the component and at which slots are filled."""
        key = (id(chosen), variant.role, *variant.slots)
        if key not in self._asked:
            self._asked[key] = (chosen, variant.asked(chosen))  # kept, so that its id stays its own
        return self._asked[key][1]

    def listed(
        self, chosen: Chosen, expected: RenderedStage, stage: RenderedStage
    ) -> RenderedStage:
        """What a component is measured with, and the list of the files that its stage brings."""
        key = (id(expected), id(stage))  # equal ones of another family have other marks
        if key not in self._listed:
            text = (
                f"FROM {expected.reference} AS {SELF}\nCOPY --from={stage.reference} /files.tsv /\n"
            )
            title = f"{chosen.component.name}.files"
            made = RenderedStage(title, text, (*expected.marks, *stage.marks))
            self._listed[key] = (made, expected, stage)  # kept, so that their ids stay theirs
        return self._listed[key][0]

    def programs(
        self, variant: Variant, image: RenderedStage, measures: Mapping[str, RenderedStage]
    ) -> RenderedStage:
        """The stage that makes the programs which an image without compilers is measured with."""
        slots = [s for s in measures if BUILD in variant.slots[s].component.programs]
        mounts = [mounted(measures[slot].reference, f"/measure/{slot}") for slot in slots]
        run = _run([mounted(GATE.reference), *mounts], "programs.sh", slots)
        text = f"FROM {image.reference} AS {SELF}\n{run}"
        return RenderedStage(f"{variant.stage}.programs", text, own=True)

    def gate(
        self,
        variant: Variant,
        image: RenderedStage,
        measures: Mapping[str, RenderedStage],
        named: Sequence[str],
        programs: RenderedStage | None = None,
        environment: RenderedStage | None = None,
    ) -> RenderedStage:
        """The stage that measures a variant; it fails where a value is another than expected, or
        one of the files and folders that are `named` in its environment is not there.

        `programs` is the stage with what was compiled elsewhere, for an image without compilers;
        `environment` the one that the family's Python packages are measured with.
        """
        tools = mounted(GATE.reference)
        mounts = {slot: mounted(s.reference, f"/measure/{slot}") for slot, s in measures.items()}
        asked = [s for s in measures if CONTRACT in variant.slots[s].component.programs]
        slots = [*measures]
        if environment:
            mounts[ENVIRONMENT] = mounted(environment.reference, f"/measure/{ENVIRONMENT}")
            asked.append(ENVIRONMENT)
            slots.append(ENVIRONMENT)
        # as words, not in the environment: a base's own ENV may have a ROLE as well
        role = [f"--role {variant.role}"] if variant.role != DEVEL else []
        there = [f'--named "{" ".join(named)}"'] if named else []
        content = variant.family.content
        begins = (*content.entrypoint, *(content.cmd or ()))[:1]
        there += [f"--begins {shlex.quote(begins[0])}"] if begins else []
        contract = _run(
            [tools, *map(mounts.__getitem__, asked)],
            "contract.sh",
            [*role, *there, *asked],
            ["HOME=/"],
        )
        settings = ["--fuse yes"] if variant.distro.component.data.get("fuse", True) else []
        made = [mounted(programs.reference, f"/{PROGRAMS}", f"/{PROGRAMS}")] if programs else []
        if variant.driver:
            settings.append('--driver "{minimum} {toolkit}"'.format_map(variant.driver))
        user = variant.family.user
        own = f"{user.name}:{user.uid}:{user.gid}"
        inventory = _run(
            [tools, *made, *mounts.values()],
            "inventory.sh",
            [variant.name, own, *role, *settings, *slots],
            ["env -u HOME"],
        )
        text = f"FROM {image.reference} AS {SELF}\nUSER {STRANGER}\n{contract}"
        text += f"USER {user.uid}\n{inventory}"
        return RenderedStage(f"{variant.stage}.inventory", text, own=True)


def _run(
    mounts: Sequence[str], tool: str, words: Sequence[str], settings: Sequence[str] = ()
) -> str:
    """A RUN without network that calls a tool of the gate."""
    call = " ".join([*settings, f"sh /tools/{tool}", *words])
    return "RUN " + " \\\n    ".join(["--network=none", *mounts, call]) + "\n"


def option_marks(chosen: Chosen) -> tuple[Mark, ...]:
    """What tells a stage of a component with options from one without, or with others."""
    named = "-".join(option.name for option in chosen.options)
    return (Mark(f"{chosen.slot} options", named),) if named else ()


def _marks(chosen: Chosen, variant: Variant, prefix: str) -> tuple[Mark, ...]:
    """What may tell what is expected of a component from the same of its other versions: the CUDA
    that it is for comes first, since that changes less often than its own version.
    """
    cuda = variant.slots.get("cuda")
    return (
        *([Mark("cuda", "cuda", cuda.version.version)] if cuda and cuda != chosen else []),
        Mark(VERSION, "", chosen.version.version),
        *option_marks(chosen),
        Mark("prefix", "in" + prefix.replace("/", "-")),
    )


def _files(chosen: Chosen) -> dict[str, str]:
    """File name -> text; without `#!`, since the gate names the shell."""
    component = chosen.component
    if component.inventory is None:
        hint = "a component must be measurable: see docs/components.md"
        raise fail(f"{component.name} has no inventory.sh", hint, name=component.origin)
    left_out = {
        name
        for option in component.options.values()
        if option not in chosen.options
        for name in option.programs
    }
    programs = {n: text for n, text in component.programs.items() if n not in left_out}
    files = {"inventory.sh": component.inventory, **programs}
    return {n: re.sub(r"\A#!.*\n", "", text).rstrip("\n") for n, text in files.items()}
