"""ENV and LABEL of the finished image.

Tools are found by a non-interactive shell of any user. A base image's labels are inherited, so each
that it may have is set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bakestone.core.documents import template
from bakestone.core.lock.lock import Lock
from bakestone.core.matrix.checks.terms import accepted
from bakestone.core.matrix.conditions import python
from bakestone.core.matrix.variant import Chosen, Variant

UID = 10001
"""User id of the images' user: above the ids that distros and cloud images hand out (Ubuntu 24.04
has 1000 taken).
"""
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class _Settings:
    """What one component sets: variables, and what it adds to the paths."""

    variables: dict[str, str]
    paths: dict[str, list[str]]


class Environments:
    """ENV of many variants; what several have alike is rendered once."""

    def __init__(self) -> None:
        self._settings: dict[tuple[object, ...], _Settings] = {}

    def of(self, variant: Variant, filled: Iterable[Chosen]) -> dict[str, str]:
        """Every variable of a variant, sorted. `filled` are its slots in their order."""
        environment = {"LANG": "C.UTF-8"}
        paths: dict[str, list[str]] = {"path": [], "library_path": []}
        for chosen in filled:
            if chosen.of_distro:
                continue
            settings = self._of_component(chosen, variant)
            environment |= settings.variables
            for kind, found in paths.items():
                found += [p for p in settings.paths[kind] if p not in found]
        own_base = variant.base.ref == variant.distro.version.base.ref
        environment["PATH"] = ":".join([*paths["path"], _SYSTEM_PATH if own_base else "${PATH}"])
        if paths["library_path"]:
            inherited = "" if own_base else "${LD_LIBRARY_PATH:+:${LD_LIBRARY_PATH}}"
            environment["LD_LIBRARY_PATH"] = ":".join(paths["library_path"]) + inherited
        return dict(sorted(environment.items()))

    def _of_component(self, chosen: Chosen, variant: Variant) -> _Settings:
        component = chosen.component
        key = seen(chosen, variant, component.setting_names)
        if key not in self._settings:
            context = stage_context(chosen, variant)

            def fill(text: object) -> str:
                return template.render(
                    str(text), context, origin=f"{component.origin}/component.yaml"
                )

            self._settings[key] = _Settings(
                {name: fill(value) for name, value in component.data.get("environment", {}).items()}
                | chosen.version.environment,
                {
                    kind: [fill(value) for value in component.data.get(kind, [])]
                    for kind in ("path", "library_path")
                },
            )
        return self._settings[key]


def stage_context(chosen: Chosen, variant: Variant) -> dict[str, object]:
    """What a component's templates see: its facts, every other slot under its name, `python`."""
    return {
        **variant.context,
        **variant.context[chosen.slot],
        "python": python(variant.slots) or "",
    }


def seen(chosen: Chosen, variant: Variant, names: frozenset[str]) -> tuple[object, ...]:
    """All that a component's templates see of a variant, when they use `names`: where it is equal,
    so is their text.
    """
    context = variant.context
    others = ((slot, *context[slot].values()) for slot in names if slot in context)
    known = python(variant.slots) or "" if "python" in names else ""
    return (
        chosen.text,
        chosen.method,
        chosen.seen,
        variant.context[chosen.slot]["prefix"],
        known,
        *others,
    )


def labels(variant: Variant, filled: list[Chosen], lock: Lock) -> dict[str, str]:
    """Every label of a variant; `filled` are its slots in their order."""
    locked = lock.bases[variant.base.ref]
    distro, *others = (str(c.component.data.get("title", c.component.name)) for c in filled)
    title = f"{distro} {filled[0].version.version}"
    title += f" with {', '.join(others)}" if others else ""
    found = {
        "org.opencontainers.image.title": variant.name,
        "org.opencontainers.image.ref.name": variant.name,
        "org.opencontainers.image.version": variant.name,
        "org.opencontainers.image.description": title,
        "org.opencontainers.image.licenses": licences(filled),
        "org.opencontainers.image.base.name": variant.base.ref,
        "org.opencontainers.image.base.digest": locked.digest,
        "io.bakestone.family": variant.family.name,
        "io.bakestone.variant": variant.name,
    }
    if variant.driver:
        found |= {
            "io.bakestone.driver": variant.driver["toolkit"],
            "io.bakestone.driver.minimum": variant.driver["minimum"],
        }
    terms = accepted(variant)
    if terms:
        found["io.bakestone.accepted"] = ",".join(terms)
    if variant.family.profiles:
        found["io.bakestone.profiles"] = ",".join(variant.family.profiles)
    return found


def licences(filled: list[Chosen]) -> str:
    """The components' licences as one SPDX expression, each once."""
    known = dict.fromkeys(str(c.component.data.get("licence", "NOASSERTION")) for c in filled)
    return " AND ".join(f"({text})" if " OR " in text else text for text in known)
