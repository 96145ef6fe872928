"""The stage that measures: each component's script and programs, and the script that compares."""

from __future__ import annotations

from bakestone.core.documents import template
from bakestone.core.matrix.variant import Chosen, Variant
from bakestone.core.render.frames import frame
from bakestone.errors import fail

HEREDOC = "BAKESTONE_FILE"


class Inventories:
    """The inventory of many variants; what several have alike is rendered once."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._measures: dict[tuple[str, ...], str] = {}

    def files(self, chosen: Chosen) -> str:
        """The COPY instructions that put a component's script and programs beside run.sh."""
        name = chosen.component.name
        if name not in self._files:
            found = _files(chosen).items()
            self._files[name] = "".join(
                f"COPY <<'{HEREDOC}' /tmp/bakestone/{name}/{file}\n{text}\n{HEREDOC}\n\n"
                for file, text in found
            )
        return self._files[name]

    def script(self, variant: Variant, filled: list[Chosen]) -> str:
        """run.sh of a variant."""
        measures = [
            self._measure(c, "/usr" if c.of_distro else variant.context[c.slot]["prefix"])
            for c in filled
        ]
        context = {
            "name": variant.name,
            "user": variant.family.user,
            "measures": measures,
            "fuse": variant.distro.component.data.get("fuse", True),
            "driver": variant.driver,
        }
        return template.render(
            frame("inventory.sh.j2"),
            context,
            origin="generator/bakestone/core/render/templates/inventory.sh.j2",
        ).rstrip("\n")

    def _measure(self, chosen: Chosen, prefix: str) -> str:
        """The line of run.sh that measures a component: slot, component, version, prefix, what is
        expected.
        """
        key = (chosen.slot, chosen.text, prefix)
        if key not in self._measures:
            expected = sorted(
                chosen.version.measure.items(), key=lambda item: (item[0] != "version", item)
            )
            words = [
                chosen.slot,
                chosen.component.name,
                chosen.version.version,
                prefix,
                *(f"{k}={v}" for k, v in expected),
            ]
            self._measures[key] = " ".join(["measure", *words])
        return self._measures[key]


def _files(chosen: Chosen) -> dict[str, str]:
    """File name -> text."""
    component = chosen.component
    if component.inventory is None:
        hint = "a component must be measurable: see docs/components.md"
        raise fail(f"{component.name} has no inventory.sh", hint, name=component.origin)
    files = {"inventory.sh": component.inventory, **component.programs}
    for name, text in files.items():
        if HEREDOC in text:
            hint = "that word ends the file inside a Dockerfile: use another"
            raise fail(f"{component.name}/{name} contains {HEREDOC}", hint, name=component.origin)
    return {name: text.rstrip("\n") for name, text in files.items()}
