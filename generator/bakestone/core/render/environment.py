"""ENV and LABEL of the finished image.

Tools are found by a non-interactive shell of any user. What an image of the role runtime is without
is not named in it. A base image's labels are inherited, so each that it may have is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import PurePosixPath

from bakestone.core.documents import template
from bakestone.core.lock.lock import Lock
from bakestone.core.matrix.checks.environments import VARIABLE
from bakestone.core.matrix.checks.terms import accepted
from bakestone.core.matrix.conditions import own_python, python
from bakestone.core.matrix.variant import DEVEL, Chosen, Variant
from bakestone.core.render.frames import pairs

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


Settings = tuple[dict[str, str], dict[str, list[str]], tuple[str, ...]]
"""What one component sets: variables, what it adds to the paths, and all files and folders that
both name and the image must have.
"""


class Environments:
    """ENV of many variants; what several have alike is rendered once."""

    def __init__(self) -> None:
        self._settings: dict[tuple[object, ...], Settings] = {}
        self._same: dict[str, Settings] = {}
        self._texts: dict[tuple[object, ...], str] = {}
        self._named: dict[tuple[int, ...], tuple[str, ...]] = {}

    def text(self, variant: Variant) -> str:
        """The same as an ENV has it; variants whose components set the same have one text."""
        own = (c for c in variant.filled if not c.of_distro)
        settings = (id(self._of_component(chosen, variant)) for chosen in own)
        own_python = variant.family.content.python
        key = (variant.base.ref, variant.distro.text, own_python and own_python.prefix, *settings)
        if key not in self._texts:
            self._texts[key] = pairs(self.of(variant), "ENV")
        return self._texts[key]

    def of(self, variant: Variant) -> dict[str, str]:
        """Every variable of a variant, sorted."""
        environment = {"LANG": "C.UTF-8"}
        paths: dict[str, list[str]] = {"path": [], "library_path": []}
        for chosen in (c for c in variant.filled if not c.of_distro):
            variables, added, _ = self._of_component(chosen, variant)
            environment |= variables
            for kind, found in paths.items():
                found += [p for p in added[kind] if p not in found]
        if own := variant.family.content.python:
            environment[VARIABLE] = own.prefix
            paths["path"].insert(0, f"{own.prefix}/bin")
        own_base = variant.base.ref == variant.distro.version.base.ref
        environment["PATH"] = ":".join([*paths["path"], _SYSTEM_PATH if own_base else "${PATH}"])
        if paths["library_path"]:
            inherited = "" if own_base else "${LD_LIBRARY_PATH:+:${LD_LIBRARY_PATH}}"
            environment["LD_LIBRARY_PATH"] = ":".join(paths["library_path"]) + inherited
        return dict(sorted(environment.items()))

    def named(self, variant: Variant) -> tuple[str, ...]:
        """Every file and folder that its components' variables name, which the image must have; of
        one below another the lower one.
        """
        filled = (c for c in variant.filled if not c.of_distro)
        settings = [self._of_component(chosen, variant) for chosen in filled]
        key = (*map(id, settings),)  # those that are alike are one object
        if key not in self._named:
            found = {name for _, _, names in settings for name in names}
            found |= {f"{own.prefix}/bin"} if (own := variant.family.content.python) else set()
            above = {str(folder) for name in found for folder in PurePosixPath(name).parents}
            self._named[key] = (*sorted(found - above),)
        return self._named[key]

    def _of_component(self, chosen: Chosen, variant: Variant) -> Settings:
        component = chosen.component
        key = (variant.role, *seen(chosen, variant, component.setting_names))
        if key not in self._settings:
            context = stage_context(chosen, variant)

            def fill(text: object) -> str:
                origin = f"{component.origin}/component.yaml"
                return template.render(str(text), context, origin=origin)

            data, prefix = component.data, f"{variant.context[chosen.slot]['prefix']}/"
            away = component.development.files if variant.role != DEVEL else ()

            def there(path: str) -> bool:
                parts = path.removeprefix(prefix).split("/")
                above = ("/".join(parts[: n + 1]) for n in range(len(parts)))
                below = path.startswith(prefix)
                return not (below and any(fnmatchcase(a, p) for a in above for p in away))

            def folders(text: object) -> list[str]:
                return [path for path in fill(text).split(":") if path and there(path)]

            settings = {name: folders(value) for name, value in data.get("environment", {}).items()}
            variables = {name: ":".join(found) for name, found in settings.items() if found}
            kinds = ("path", "library_path")
            paths = {k: [path for text in data.get(k, []) for path in folders(text)] for k in kinds}
            all_named = chain.from_iterable((*settings.values(), *paths.values()))
            outside = tuple(data.get("outside", ()))
            named = tuple(p for p in all_named if p.startswith("/") and not p.startswith(outside))
            found = variables | chosen.version.environment, paths, named
            # versions that set the same have one object
            self._settings[key] = self._same.setdefault(repr(found), found)
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
    if own := own_python(variant.slots):
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
