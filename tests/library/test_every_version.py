"""Every version in the library can be in an image, by every method that it has; what comes out is
clean.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.matrix.variant import INHERITED, Chosen
from bakestone.core.render.measured import disagreements, expectations, parse
from tests.library.combinations import Finder, everything
from tests.library.dockerfiles import HADOLINT
from tests.library.rendering import rendered
from tests.support.builder import inventory
from tests.support.samples import ROOT, sampled

NAMES = sorted(path.parent.name for path in BUILT_IN.glob("*/versions.yaml"))
AMD64, ARM64 = ("linux/amd64",), ("linux/arm64",)


def finders(library: Library, folder: Path, component: str, method: str, slot: str) -> list[Finder]:
    """The families in which a method is looked for: it is asked for, and so is `image` of the
    others where it is `image`.
    """
    if slot == "distro":
        return [Finder(library, folder)]
    asked = [{component: method}]
    if method == INHERITED:
        known = [found for found in map(library.get, library.names) if found is not None]
        asked.append(
            {
                found.name: INHERITED
                for found in known
                if INHERITED in found.methods and found.slot != "distro"
            }
        )
    return [
        Finder(library, folder, methods, platforms)
        for platforms in (AMD64, ARM64)
        for methods in asked
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_version_renders_by_every_method_that_it_has(
    name: str, library: Library, tmp_path: Path
) -> None:
    component = library.get(name)
    assert component is not None
    lost = []
    for method in component.methods:
        families = finders(library, tmp_path, name, method, component.slot)
        homes: dict[int, list[dict[str, Chosen]]] = {index: [] for index in range(len(families))}
        for chosen in everything(library, component.slot):
            if chosen.component is not component or (
                component.slot != "distro" and method not in chosen.version.methods
            ):
                continue
            found = (
                (index, family.around(chosen, method)) for index, family in enumerate(families)
            )
            index, home = next(((index, slots) for index, slots in found if slots), (-1, None))
            if home is None:
                lost.append(f"{chosen.text} by {method}")
            else:
                homes[index].append(home)
        for index, combinations in homes.items():
            made = list(rendered(library, tmp_path, families[index], combinations))
            assert len(made) == len(combinations)
            for variant, text in made:
                chosen = variant.slots[component.slot]
                assert chosen.method == method
                assert re.search(rf"^{chosen.slot} {name} \S+ /\S", text, re.MULTILINE)
                assert f",target=/measure/{chosen.slot} " in text
    assert not lost, f"in no variant at all: {', '.join(lost)}"


@pytest.mark.parametrize("name", NAMES)
def test_every_method_is_clean(name: str, library: Library, tmp_path: Path) -> None:
    """The newest and the oldest version by each method, as whole files, with the rules that the
    emitted Dockerfiles keep.
    """
    component = library.get(name)
    assert component is not None
    files = []
    for method in component.methods:
        having = [
            c
            for c in everything(library, component.slot)
            if c.component is component and method in {INHERITED, *c.version.methods}
        ]
        for chosen in (having[0], having[-1]):
            for index, family in enumerate(
                finders(library, tmp_path, name, method, component.slot)
            ):
                home = family.around(chosen, method)
                if home:
                    ((_, text),) = rendered(library, tmp_path, family, [home])
                    path = tmp_path / f"{method}-{chosen.version.version}-{index}.Dockerfile"
                    path.write_text(text, "utf-8")
                    files.append(path)
                    break
    assert files
    done = subprocess.run(
        [HADOLINT, "--config", ROOT / ".hadolint.yaml", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[:4000] + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_what_the_gate_lets_pass_is_accepted_for_every_version(name: str, library: Library) -> None:
    """Whatever a version looks like, and however it is installed."""
    component = library.get(name)
    assert component is not None
    count = 0
    for version in component.versions.values():
        for variant in sampled(component, version, library):
            content = parse(json.dumps(inventory(variant)).encode())
            wrong = disagreements(variant.name, expectations(variant), content)
            assert wrong == [], variant.name
            count += 1
    assert count
