"""ENV and LABEL of the finished image.

Tools are found by a non-interactive shell of any user. A base image's labels are inherited, so each
that it may have is set.
"""

from __future__ import annotations

from collections.abc import Sequence

from bakestone.core.documents import template
from bakestone.core.lock.lock import Lock
from bakestone.core.matrix.checks.terms import accepted
from bakestone.core.matrix.conditions import PYTHONS, python
from bakestone.core.matrix.variant import Chosen, Variant

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


Settings = tuple[dict[str, str], dict[str, list[str]]]
"""What one component sets: variables, and what it adds to the paths."""


class Environments:
    """ENV of many variants; what several have alike is rendered once."""

    def __init__(self) -> None:
        self._settings: dict[tuple[object, ...], Settings] = {}

    def of(self, variant: Variant) -> dict[str, str]:
        """Every variable of a variant, sorted."""
        environment = {"LANG": "C.UTF-8"}
        paths: dict[str, list[str]] = {"path": [], "library_path": []}
        for chosen in (c for c in variant.filled if not c.of_distro):
            variables, added = self._of_component(chosen, variant)
            environment |= variables
            for kind, found in paths.items():
                found += [p for p in added[kind] if p not in found]
        own_base = variant.base.ref == variant.distro.version.base.ref
        environment["PATH"] = ":".join([*paths["path"], _SYSTEM_PATH if own_base else "${PATH}"])
        if paths["library_path"]:
            inherited = "" if own_base else "${LD_LIBRARY_PATH:+:${LD_LIBRARY_PATH}}"
            environment["LD_LIBRARY_PATH"] = ":".join(paths["library_path"]) + inherited
        return dict(sorted(environment.items()))

    def _of_component(self, chosen: Chosen, variant: Variant) -> Settings:
        component = chosen.component
        key = seen(chosen, variant, component.setting_names)
        if key not in self._settings:
            context = stage_context(chosen, variant)

            def fill(text: object) -> str:
                origin = f"{component.origin}/component.yaml"
                return template.render(str(text), context, origin=origin)

            data = component.data
            variables = {name: fill(value) for name, value in data.get("environment", {}).items()}
            kinds = ("path", "library_path")
            paths = {k: [path for text in data.get(k, []) if (path := fill(text))] for k in kinds}
            self._settings[key] = variables | chosen.version.environment, paths
        return self._settings[key]


def stage_context(chosen: Chosen, variant: Variant) -> dict[str, object]:
    """What a component's templates see: its facts, every other slot under its name, `python`,
    `python_home`.
    """
    return {
        **variant.context,
        **variant.context[chosen.slot],
        "python": python(variant.slots) or "",
        "python_home": python_home(variant),
    }


def python_home(variant: Variant) -> str:
    """Where the image's Python looks for packages that are not its distro's: in its own prefix
    (conda's, one from source), or below /usr/local for the distro's; empty when nobody knows which
    it is.
    """
    minor = python(variant.slots)
    if minor is None:
        return ""
    own = next((slot for slot in PYTHONS if slot in variant.slots), "")
    if own and not variant.slots[own].of_distro:
        return f"{variant.context[own]['prefix']}/lib/python{minor}/site-packages"
    apt = variant.context["distro"]["package_manager"] == "apt"
    return f"/usr/local/lib/python{minor}/{'dist' if apt else 'site'}-packages"


def seen(chosen: Chosen, variant: Variant, names: frozenset[str]) -> tuple[object, ...]:
    """All that a component's templates see of a variant, when they use `names`: where it is equal,
    so is their text.
    """
    context = variant.context
    others = ((slot, *context[slot].values()) for slot in names if slot in context)
    known = python(variant.slots) or "" if "python" in names else ""
    home = python_home(variant) if "python_home" in names else ""
    return (
        chosen.text,
        chosen.method,
        chosen.seen,
        variant.context[chosen.slot]["prefix"],
        known,
        home,
        *others,
    )


def labels(variant: Variant, lock: Lock) -> dict[str, str]:
    """Every label of a variant."""
    filled, locked = variant.filled, lock.bases[variant.base.ref]
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
    built_with = [
        f"{c.component.name}={'+'.join(o.name for o in c.options)}" for c in filled if c.options
    ]
    if built_with:
        found["io.bakestone.with"] = ",".join(built_with)
    if variant.family.roles:
        found["io.bakestone.role"] = variant.role
    if variant.family.profiles:
        found["io.bakestone.profiles"] = ",".join(variant.family.profiles)
    return found | variant.family.content.labels


def licences(filled: Sequence[Chosen]) -> str:
    """The components' licences as one SPDX expression, each once."""
    known = dict.fromkeys(str(c.component.data.get("licence", "NOASSERTION")) for c in filled)
    return " AND ".join(f"({text})" if " OR " in text else text for text in known)
