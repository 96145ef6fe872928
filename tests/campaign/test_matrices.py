"""images.yaml: whatever it is, a finding or Dockerfiles; and what the Dockerfiles must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakestone.core.library.catalog import Library
from bakestone.core.matrix import expansion, spec
from bakestone.core.matrix.selectors import select
from bakestone.core.render import bakefile
from bakestone.core.render.dockerfile import Renderer
from bakestone.core.render.family import family_files
from bakestone.errors import BakestoneError
from bakestone.project import Project
from tests.campaign import matrices
from tests.campaign.calm import answer
from tests.campaign.hostile import TEXTS, dumped, torn
from tests.campaign.tally import Tally
from tests.library.dockerfiles import instructions, parse_errors
from tests.support.samples import made_up_lock


def expanded(path: Path, library: Library) -> expansion.Matrix:
    """images.yaml, read, checked and expanded."""
    return expansion.expand(spec.load(path), library)


LONG = {
    "commas as a registry": 'version: 1\nregistry: "' + "," * 40_000 + '"\n',
    "colons and slashes": 'version: 1\nregistry: "' + "//a:" * 20_000 + '"\n',
    "packages that are numbers": (
        "version: 1\nregistry: a.example\nfamilies:\n  - name: a\n    axes: {distro: [debian@12]}\n"
        f"    packages: {list(range(4_000))}\n"
    ),
    "families that are one number": f"version: 1\nfamilies: {[2] * 8_000}\n",
    "a number of thousands of digits": "version: 0x" + "f" * 5_000 + "\n",
    "a number in base 60": "version: 1" + ":59" * 100_000 + "\n",
    "a number with a fraction in base 60": "version: 1" + ":00" * 300 + ":00.5\n",
    "no number": "version: !!int ''\n",
}
"""What once took minutes, or ended in a traceback."""


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_what_took_long_once(text: str, library: Library, tmp_path: Path, tally: Tally) -> None:
    path = tmp_path / "images.yaml"
    path.write_text(text, "utf-8")
    found = answer(lambda: expanded(path, library))
    tally("refused" if isinstance(found, BakestoneError) else "taken")
    assert isinstance(found, BakestoneError)


def texts(matrix: expansion.Matrix, library: Library) -> dict[str, str]:
    """Family -> its Dockerfile, of a made-up lock."""
    lock = made_up_lock(matrix.variants, library)
    renderer = Renderer(library, lock)
    files = family_files((v, renderer.stages(v)) for v in matrix.variants)
    bakefile.bake_file(matrix.variants, lock, matrix.spec.registry, "dockerfiles")
    return {name: file.text for name, file in files.items()}


def fingerprints(folder: Path, data: Any, library: Library) -> dict[str, str]:
    """Variant -> its fingerprint."""
    path = folder / "images.yaml"
    path.write_text(dumped(data), "utf-8")
    project = Project(path, folder / "images.lock.yaml", folder / "dockerfiles")
    project.matrix = expanded(path, library)
    project.lock = made_up_lock(project.matrix.variants, library)
    project.locked_variants = project.matrix.variants
    return {v.variant.name: v.fingerprint for v in project.plan(project.matrix.variants).variants}


def test_a_matrix_is_refused_with_findings_or_rendered_twice_the_same(
    library: Library, tmp_path: Path, tally: Tally, inputs: settings
) -> None:
    path = tmp_path / "images.yaml"
    seen: dict[str, None] = {}

    @inputs
    @given(matrices.any_of(), st.data())
    def each(data: Any, more: st.DataObject) -> None:
        path.write_bytes(more.draw(torn(dumped(data))))
        matrix = answer(lambda: expanded(path, library))
        if isinstance(matrix, BakestoneError):
            tally("refused")
            return
        first = answer(lambda: texts(matrix, library))
        if isinstance(first, BakestoneError):
            tally("not to be locked together")
            return
        tally("rendered")
        assert first == texts(expanded(path, library), library)
        for text in first.values():
            seen.update(dict.fromkeys(instructions(text)))

    each()
    wrong = parse_errors(seen, tmp_path)
    assert not wrong, "\n".join(wrong[:20])
    whole = sum(tally.counts.values())
    assert tally.counts["rendered"] * 3 >= whole, "too few of them are rendered to say something"


def test_the_order_of_families_and_axes_changes_no_fingerprint(
    library: Library, tmp_path: Path, tally: Tally, inputs: settings
) -> None:
    @inputs
    @given(matrices.right())
    def each(data: Any) -> None:
        path = tmp_path / "images.yaml"
        path.write_text(dumped(data), "utf-8")
        if isinstance(answer(lambda: expanded(path, library)), BakestoneError):
            tally("refused")
            return
        turned = {
            **data,
            "families": [
                dict(
                    reversed(
                        {
                            **family,
                            "axes": {
                                slot: values[::-1]
                                for slot, values in reversed(family["axes"].items())
                            },
                        }.items()
                    )
                )
                for family in reversed(data["families"])
            ],
        }
        before = answer(lambda: fingerprints(tmp_path, data, library))
        if isinstance(before, BakestoneError):
            tally("not to be locked together")
            return
        # a name tells what two values tell apart, whichever comes first
        after = fingerprints(tmp_path, turned, library)
        assert sorted(after.values()) == sorted(before.values())
        tally("compared")

    each()


def test_a_selector_is_refused_with_findings_or_names_variants(
    library: Library, tmp_path: Path, tally: Tally, inputs: settings
) -> None:
    path = tmp_path / "images.yaml"
    path.write_text(dumped(MANY), "utf-8")
    variants = expanded(path, library).variants
    slots = st.sampled_from(["family", "role", "mpi", "cuda", "distro", "x", ""])
    marks = st.sampled_from(["=", "!=", ">=", "==", "=>=", "=<", "=none,"])
    values = st.sampled_from([*TEXTS, "openmpi", "12", "13.*", "debian@12", "first"]) | st.text()
    words = st.lists(st.tuples(slots, marks, values).map("".join) | values, max_size=4)

    @inputs
    @given(words)
    def each(selectors: list[str]) -> None:
        found = answer(lambda: select(variants, selectors))
        if isinstance(found, BakestoneError):
            tally("refused")
        else:
            assert found
            tally("chosen")

    each()


MANY = {
    "version": 1,
    "registry": "localhost:5000/base",
    "accept": ["nvidia-eula", "intel-eula"],
    "families": [
        {
            "name": "first",
            "axes": {
                "distro": ["debian@12", "ubuntu@24.04"],
                "mpi": ["openmpi@5.0.10", "intelmpi@2021.16.1"],
                "gpu": ["none", {"cuda": "13.0.2"}],
            },
        }
    ],
}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("key", ["name", "description", "registry", "distro", "because"])
def test_each_odd_text_in_each_place_is_taken_or_told(
    key: str, text: str, library: Library, tmp_path: Path
) -> None:
    family: dict[str, Any] = {"name": "first", "axes": {"distro": ["debian@12", "debian@13"]}}
    data: dict[str, Any] = {"version": 1, "registry": "localhost:5000", "families": [family]}
    if key == "registry":
        data[key] = text
    elif key == "distro":
        family["axes"][key] = [text]
    elif key == "because":
        family["exclude"] = [{"distro": "debian@13", "because": text}]
    else:
        family[key] = text
    path = tmp_path / "images.yaml"
    path.write_text(dumped(data), "utf-8")
    answer(lambda: texts(expanded(path, library), library), secret=True)
