"""The stages that measure: each component's script and programs, what is expected of its version,
and the gate, which compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bakestone.core.matrix.variant import Chosen, Variant
from bakestone.core.render.environment import UID
from bakestone.core.render.frames import heredocs, mounted, tools
from bakestone.core.render.stages import SELF, VERSION, Mark, RenderedStage
from bakestone.errors import fail

GATE = RenderedStage(
    "gate", tools(["inventory.sh", "packages.sh", "contract.sh", "libraries.sh"], SELF)
)
"""The stage of the scripts that measure and compare."""
STRANGER = "4242:4242"
"""A user and a group that no image knows: what holds for it holds for any other, as Kubernetes and
OpenShift hand them out.
"""
CONTRACT = "contract.sh"
"""The program of a component that asks what every user may."""


class Measures:
    """What is measured of many variants; what several of a family have alike is rendered once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[RenderedStage, RenderedStage]] = {}

    def stages(self, chosen: Chosen, variant: Variant) -> tuple[RenderedStage, RenderedStage]:
        """A component's script and programs, and these with what is expected of its version."""
        prefix = "/usr" if chosen.of_distro else variant.context[chosen.slot]["prefix"]
        key = (variant.family.name, chosen.slot, chosen.text, prefix)
        if key not in self._known:
            component, version = chosen.component, chosen.version
            programs = RenderedStage(
                f"measure-{component.name}",
                f"FROM scratch AS {SELF}\n{heredocs(_files(chosen), component.origin)}",
            )
            wanted = sorted(version.measure.items(), key=lambda item: (item[0] != "version", item))
            words = [chosen.slot, component.name, version.version, prefix]
            expected = " ".join([*words, *(f"{k}={v}" for k, v in wanted)])
            text = f"FROM {programs.reference} AS {SELF}\n{heredocs({'expected': expected})}"
            title, marks = component.name, _marks(chosen, variant, prefix)
            if chosen.slot == "distro":
                title += version.version
            self._known[key] = (programs, RenderedStage(f"{title}.measure", text, marks))
        return self._known[key]

    def gate(
        self, variant: Variant, image: RenderedStage, measures: Mapping[str, RenderedStage]
    ) -> RenderedStage:
        """The stage that measures a variant; it fails where a value is another than expected."""
        tools = mounted(GATE.reference)
        mounts = {slot: mounted(s.reference, f"/measure/{slot}") for slot, s in measures.items()}
        asked = [s for s in measures if CONTRACT in variant.slots[s].component.programs]
        contract = _run([tools, *map(mounts.__getitem__, asked)], "contract.sh", asked, ["HOME=/"])
        settings = ["FUSE=yes"] if variant.distro.component.data.get("fuse", True) else []
        if variant.driver:
            settings.append('DRIVER="{minimum} {toolkit}"'.format_map(variant.driver))
        words = [variant.name, variant.family.user, *measures]
        inventory = _run(
            [tools, *mounts.values()], "inventory.sh", words, ["env -u HOME", *settings]
        )
        text = (
            f"FROM {image.reference} AS {SELF}\nUSER {STRANGER}\n{contract}USER {UID}\n{inventory}"
        )
        return RenderedStage(f"{variant.stage}.inventory", text, own=True)


def _run(
    mounts: Sequence[str], tool: str, words: Sequence[str], settings: Sequence[str] = ()
) -> str:
    """A RUN without network that calls a tool of the gate."""
    call = " ".join([*settings, f"sh /tools/{tool}", *words])
    return "RUN " + " \\\n    ".join(["--network=none", *mounts, call]) + "\n"


def _marks(chosen: Chosen, variant: Variant, prefix: str) -> tuple[Mark, ...]:
    """What may tell what is expected of a component from the same of its other versions: the CUDA
    that it is for comes first, since that changes less often than its own version.
    """
    cuda = variant.slots.get("cuda")
    return (
        *([Mark("cuda", "cuda", cuda.version.version)] if cuda and cuda != chosen else []),
        Mark(VERSION, "", chosen.version.version),
        Mark("prefix", "in" + prefix.replace("/", "-")),
    )


def _files(chosen: Chosen) -> dict[str, str]:
    """File name -> text."""
    component = chosen.component
    if component.inventory is None:
        hint = "a component must be measurable: see docs/components.md"
        raise fail(f"{component.name} has no inventory.sh", hint, name=component.origin)
    files = {"inventory.sh": component.inventory, **component.programs}
    return {name: text.rstrip("\n") for name, text in files.items()}
