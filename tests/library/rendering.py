"""Many combinations the real way: images.yaml, spec, matrix, a made-up lock, Dockerfiles."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakestone.core.library.catalog import Library
from bakestone.core.lock.lock import Lock
from bakestone.core.matrix import expansion, spec
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.dockerfile import Renderer
from bakestone.core.render.family import family_files
from tests.library.combinations import Finder, Slots, matrix
from tests.support.samples import made_up_lock

PER_FILE = 5000
"""Variants of one images.yaml; its size is limited."""
PER_AXIS = 25
"""Values of an axis: the schema compares each with each, so that short axes are checked faster."""


@dataclass
class _File:
    """An images.yaml in the making: its names and base images must not collide."""

    names: set[str] = field(default_factory=set)
    bases: dict[str, dict[str, str]] = field(default_factory=dict)
    combinations: list[Slots] = field(default_factory=list)

    def takes(self, name: str, base: str, provides: dict[str, str]) -> bool:
        return (
            len(self.names) < PER_FILE
            and name not in self.names
            and self.bases.get(base, provides) == provides
        )


def rendered(
    library: Library, folder: Path, finder: Finder, combinations: Iterable[Slots]
) -> Iterator[tuple[Variant, str]]:
    """Every combination as a variant and the text of its stages."""
    files: list[_File] = []
    for slots in combinations:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", finder.name(slots))
        base = finder.base(slots)
        file = next((f for f in files if f.takes(name, base.ref, base.provides)), None)
        if file is None:
            file = _File()
            files.append(file)
        file.names.add(name)
        file.bases[base.ref] = base.provides
        file.combinations.append(slots)
    for file in files:
        yield from _one_file(library, folder, finder.about, file.combinations)


def _one_file(
    library: Library, folder: Path, about: dict[str, Any], combinations: list[Slots]
) -> Iterator[tuple[Variant, str]]:
    values = [{slot: chosen.text for slot, chosen in slots.items()} for slots in combinations]
    path = folder / "images.yaml"
    parts = [values[first : first + PER_AXIS] for first in range(0, len(values), PER_AXIS)]
    path.write_text(
        matrix(
            library,
            [
                {"name": f"part{index}", "axes": {"all": part}, **about}
                for index, part in enumerate(parts)
            ],
        ),
        "utf-8",
    )
    variants = expansion.expand(spec.load(path), library).variants
    assert len(variants) == len(combinations)
    renderer = Renderer(library, _with_rpm_names(made_up_lock(variants, library), library))
    families = itertools.groupby(variants, key=lambda variant: variant.family.name)
    for name, group in ((name, list(found)) for name, found in families):
        file = family_files((v, renderer.stages(v)) for v in group)[name]
        assert len(set(file.names.values())) == len(file.names), "a name for each stage"
        for variant in group:
            yield variant, file.alone(variant.name)


def _with_rpm_names(lock: Lock, library: Library) -> Lock:
    """The lock with its packages named as dnf names them, where the distro has dnf:

    `gcc.x86_64` at `0:1.2-3`.
    """
    for packages in lock.packages.values():
        distro = library.get(packages.distro.partition("@")[0])
        if distro is not None and distro.data.get("package_manager") == "dnf":
            for platform, sets in packages.versions.items():
                machine = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[platform]
                for names, closure in sets.items():
                    sets[names] = {
                        f"{name}.{machine}": version for name, version in closure.items()
                    }
    return lock
