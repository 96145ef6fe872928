"""What frameworks' wheels pin can be written: each triple passes the rules and becomes a
Dockerfile, with what is known about it told.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bakestone.clients.site import site
from bakestone.core.library.catalog import Library
from bakestone.core.matrix import expansion, spec
from bakestone.core.matrix.checks import rules
from bakestone.core.matrix.variant import INHERITED
from bakestone.errors import ENVIRONMENT, BakestoneError
from bakestone.jobs.library import frameworks
from tests.support.samples import ROOT, locked

TRIPLES = yaml.safe_load(Path(__file__).with_name("frameworks.yaml").read_text("utf-8"))[
    "frameworks"
]
GPU = '{{cuda: "{cuda}", cudnn: "{cudnn}", nccl: "{nccl}"}}'
FAMILY = f"""\
version: 1
registry: localhost:5000
accept: [nvidia-eula]
families:
  - name: framework
    platforms: [linux/amd64]
    name_slots: [cuda, cudnn, nccl, distro]
    axes:
      distro: [{{distro}}]
      gpu: [{GPU}]
"""


@pytest.mark.parametrize("entry", TRIPLES, ids=[entry["wheel"] for entry in TRIPLES])
def test_what_a_framework_pins_can_be_written(
    entry: dict[str, Any], library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, FAMILY.format(**entry), library=library)
    (variant,) = made.matrix.variants
    text = made.dockerfiles[variant.name]
    assert {slot: variant.slots[slot].version.version for slot in ("cuda", "cudnn", "nccl")} == {
        slot: entry[slot] for slot in ("cuda", "cudnn", "nccl")
    }
    for slot in ("cudnn", "nccl"):
        wheel = f"nvidia-{slot}-cu{variant.slots['cuda'].version.major}=={entry[slot]}"
        assert (wheel in text) != (variant.slots[slot].method == INHERITED)


@pytest.mark.parametrize("entry", TRIPLES, ids=[entry["wheel"] for entry in TRIPLES])
def test_what_the_index_says_can_be_pasted_and_validates(
    entry: dict[str, Any], library: Library, tmp_path: Path
) -> None:
    try:
        found = frameworks.ask(entry["wheel"], library, site.load(None))
    except BakestoneError as problem:
        if problem.code == ENVIRONMENT:
            pytest.skip(f"compares with the real package index, which gives no answer: {problem}")
        raise
    assert found.framework == entry["wheel"]
    assert yaml.safe_load(found.axis) == {slot: entry[slot] for slot in ("cuda", "cudnn", "nccl")}
    assert entry["runtime"] in {pin.wanted for pin in found.pins}
    assert entry["distro"] in found.distros
    for distro in found.distros:
        path = tmp_path / "images.yaml"
        pasted = FAMILY.replace(GPU, found.axis).replace("{distro}", distro)
        path.write_text(pasted, "utf-8")
        (variant,) = expansion.expand(spec.load(path), library).variants
        assert variant.slots["distro"].text == distro


def test_the_page_has_each_triple_with_its_state(library: Library, tmp_path: Path) -> None:
    rows = ["| wheel | CUDA | cuDNN | NCCL | distro | state |", "| --- " * 6 + "|"]
    for number, entry in enumerate(TRIPLES):
        path = tmp_path / f"{number}.yaml"
        path.write_text(FAMILY.format(**entry), "utf-8")
        (variant,) = expansion.expand(spec.load(path), library).variants
        told = [doubt.rule.id for doubt in rules.doubts(variant.slots, variant.family.host)]
        state = ", ".join(["built" if "built" in entry else "rendered", *told])
        pins = [entry[key] for key in ("cuda", "cudnn", "nccl", "distro")]
        rows.append(f"| `{entry['wheel']}` | {' | '.join(pins)} | {state} |")
    page = (ROOT / "docs" / "frameworks.md").read_text("utf-8")
    shown = page.partition("<!-- triples")[2].partition("-->\n")[2].partition("\n<!-- end")[0]
    assert shown == "\n".join(rows)


def test_what_is_said_to_be_built_is_built_by_that_test() -> None:
    for entry in (entry for entry in TRIPLES if "built" in entry):
        text = (ROOT / entry["built"]).read_text("utf-8")
        wanted = (entry["wheel"], entry["cuda"], entry["cudnn"], entry["nccl"], entry["distro"])
        assert all(f'"{value}"' in text for value in wanted)


def test_the_triples_are_those_of_nineteen_wheels() -> None:
    assert len({entry["wheel"] for entry in TRIPLES}) == 19


def test_what_nobody_packaged_together_is_told_and_not_refused(
    library: Library, tmp_path: Path
) -> None:
    (entry,) = (e for e in TRIPLES if e["wheel"] == "tensorflow[and-cuda]==2.16.2")
    made = locked(tmp_path, FAMILY.format(**entry), library=library)
    (found,) = rules.warnings(made.matrix.variants)
    assert found.severity == "warning"
    assert "rule cudnn8.9-packaged" in found.message
