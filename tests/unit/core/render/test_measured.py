"""An inventory is compared as the gate compares it: what that accepts is accepted, and no more."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.frames import HEREDOC, tool
from bakestone.core.render.inventory import Measures
from bakestone.core.render.measured import disagreements, expectations, parse, parts, sentence
from bakestone.core.render.stages import RenderedStage
from bakestone.project import Project
from tests.support.builder import PLACE, inventory
from tests.support.samples import MANY, ROOT, locked, project, sampled


@pytest.fixture
def gpu(library: Library, tmp_path: Path) -> Variant:
    made = project(tmp_path, MANY, library=library)
    return next(v for v in made.matrix.variants if v.family.name == "gpu")


def gate(
    variant: Variant,
    folder: Path,
    said: dict[str, list[str]],
    env: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, bytes]:
    """Run the gate of a variant as its RUN does, with components that print these lines, in an
    image with this environment.
    """
    measures = Measures()
    stages = {slot: measures.stages(c, variant)[-1] for slot, c in variant.slots.items()}
    for slot, stage in stages.items():
        place = folder / "measure" / slot
        place.mkdir(parents=True, exist_ok=True)
        expected = stage.text.partition("/expected\n")[2].partition(f"\n{HEREDOC}\n")[0]
        (place / "expected").write_text(expected + "\n", "utf-8")
        lines = "\n".join(f"echo '{line}'" for line in said[slot])
        (place / "inventory.sh").write_text(lines + "\n", "utf-8")
    script = tool("inventory.sh").replace("/tmp/o", str(folder / "out"))
    script = script.replace("/measure/", f"{folder / 'measure'}/")
    user = variant.family.user
    for asked, answer in (("-un", user.name), ("-u", user.uid), ("-g", user.gid)):
        script = script.replace(f"$(id {asked})", str(answer))
    script = script.replace("/tools/", f"{folder}/")
    (folder / "programs.sh").write_text("# none is compiled\n", "utf-8")
    (folder / "packages.sh").write_text("# of this machine: none\n", "utf-8")
    (folder / "inventory.sh").write_text(script + "\n", "utf-8")
    (folder / "bin").mkdir()
    fuse = folder / "bin" / "fusermount"
    fuse.write_text("#!/bin/sh\necho 'fusermount version: 2.9.9'\n", "utf-8")
    fuse.chmod(0o755)
    text = measures.gate(variant, RenderedStage("image", "FROM scratch\n"), stages, ()).text
    command = text.splitlines()[-1].strip().replace("/tools/", f"{folder}/")
    done = subprocess.run(
        ["sh", "-c", command],
        env={**env, "PATH": f"{folder / 'bin'}:/usr/bin:/bin", "TMPDIR": str(folder)},
        capture_output=True,
        check=False,
    )
    return done.returncode, (folder / "out" / PLACE).read_bytes()


def lines(variant: Variant) -> dict[str, list[str]]:
    """What components print in an image that is right."""
    return {
        slot: [*(f"{k}={v}" for k, v in c.version.measure.items()), "arch=x86_64"]
        for slot, c in variant.slots.items()
    }


def _say(lines: list[str], other: str) -> None:
    """Another value for one of the keys."""
    key = other.partition("=")[0]
    lines[:] = [other, *(line for line in lines if line.partition("=")[0] != key)]


SAID: dict[str, Callable[[dict[str, list[str]]], object]] = {
    "as it should be": lambda said: said["mpi"].append("ranks=2"),
    "another version": lambda said: _say(said["mpi"], "version=3.1.2"),
    "more than is asked for": lambda said: _say(said["cuda"], "cublas=13.0.2.14"),
    "all kinds of characters": lambda said: said["git"].append("more=1:2.3~rc1+dfsg-4_a"),
    "three numbers for four": lambda said: _say(said["cudnn"], "version=9.14.0.64"),
    "a version that lacks a number": lambda said: _say(said["nccl"], "version=2.27"),
}


@pytest.mark.parametrize("change", SAID.values(), ids=list(SAID))
def test_the_gate_and_the_comparison_agree(
    change: Callable[[dict[str, list[str]]], object], gpu: Variant, tmp_path: Path
) -> None:
    said = lines(gpu)
    said.setdefault("git", [])
    change(said)
    code, written = gate(gpu, tmp_path, said)
    assert (code == 0) == (disagreements(gpu.name, expectations(gpu), parse(written)) == [])


@pytest.mark.parametrize("second", ["version=3.1.2", "version=5.0.10"])
def test_what_is_said_twice_is_refused_by_the_gate_and_by_who_reads(
    second: str, gpu: Variant, tmp_path: Path
) -> None:
    """Readers differ in which of the two they take."""
    said = lines(gpu)
    said["mpi"].append(second)
    code, written = gate(gpu, tmp_path, said)
    assert code == 1
    with pytest.raises(ValueError, match="it has a key twice"):
        parse(written)


HOSTILE = {
    "ROLE": "runtime",
    "DRIVER": "1 2",
    "FUSE": "yes",
    "NAMED": "/nowhere",
    "BEGINS": "nothing",
    "failed": "0",
    "comma": ",",
    "slot": "mpi",
}
"""What the ENV of a base of one's own may have as well."""


def test_the_environment_of_a_base_says_nothing_to_the_gate(gpu: Variant, tmp_path: Path) -> None:
    for name in ("plain", "hostile"):
        (tmp_path / name).mkdir()
    plain = gate(gpu, tmp_path / "plain", lines(gpu))
    assert gate(gpu, tmp_path / "hostile", lines(gpu), HOSTILE) == plain
    assert plain[0] == 0
    text = tool("contract.sh").replace("ls . ", "echo $ROLE; ls . ")
    done = subprocess.run(
        ["sh", "-c", text, "contract.sh"],
        env={"PATH": "/usr/bin:/bin", "LANG": "C"} | HOSTILE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "devel\n", "")


def test_files_of_components_are_told_and_counted(gpu: Variant, tmp_path: Path) -> None:
    """By the gate, out of the lists of the stages that they come from."""
    for slot, text in (("cuda", "7\t/usr/local/a\n5\t/usr/local/b\n"), ("mpi", "0\t/opt/c\n")):
        (tmp_path / "measure" / slot).mkdir(parents=True)
        (tmp_path / "measure" / slot / "files.tsv").write_text(text, "utf-8")
    code, written = gate(gpu, tmp_path, lines(gpu))
    assert code == 0
    measured = {s: part.values.get("bytes") for s, part in parts(parse(written)).items()}
    assert (measured["cuda"], measured["mpi"], measured["distro"]) == ("12", "0", None)
    cuda, mpi = gpu.slots["cuda"].text, gpu.slots["mpi"].text
    assert (tmp_path / "out" / PLACE).with_name("files.tsv").read_text("utf-8") == (
        f"cuda\t{cuda}\t7\t/usr/local/a\ncuda\t{cuda}\t5\t/usr/local/b\nmpi\t{mpi}\t0\t/opt/c\n"
    )


def test_a_component_that_brings_no_file_has_no_bytes(gpu: Variant, tmp_path: Path) -> None:
    (tmp_path / "measure" / "mpi").mkdir(parents=True)
    (tmp_path / "measure" / "mpi" / "files.tsv").write_text("", "utf-8")
    code, written = gate(gpu, tmp_path, lines(gpu))
    assert code == 0
    assert parts(parse(written))["mpi"].values["bytes"] == "0"


def test_a_file_that_two_components_bring_is_refused(gpu: Variant, tmp_path: Path) -> None:
    for slot in ("cuda", "nccl"):
        (tmp_path / "measure" / slot).mkdir(parents=True)
        (tmp_path / "measure" / slot / "files.tsv").write_text("7\t/usr/local/a\n", "utf-8")
    code, _ = gate(gpu, tmp_path, lines(gpu))
    assert code == 1


def test_what_the_image_had_where_the_measurement_is_made_does_not_get_into_it(
    gpu: Variant, tmp_path: Path
) -> None:
    left = tmp_path / "out" / PLACE
    left.parent.mkdir(parents=True)
    left.write_text("before", "utf-8")
    code, written = gate(gpu, tmp_path, lines(gpu))
    assert (code, written) == (1, b"before")


def test_what_a_component_leaves_beside_the_measurement_does_not_get_into_the_image(
    gpu: Variant, tmp_path: Path
) -> None:
    said, place = lines(gpu), f"{tmp_path}/out/usr/bin"
    said["mpi"].append(f"ranks=2'; mkdir -p {place}; echo x >{place}/nvcc; : '")
    code, _ = gate(gpu, tmp_path, said)
    assert code == 1


def test_what_the_gate_lets_pass_is_accepted_for_every_variant_of_ours() -> None:
    made = Project(ROOT / "images.yaml", ROOT / "images.lock.yaml", ROOT / "dockerfiles")
    assert len(made.matrix.variants) > 30
    for variant in made.matrix.variants:
        content = parse(json.dumps(inventory(variant)).encode())
        assert disagreements(variant.name, expectations(variant), content) == []
        assert sentence(content)


def test_what_the_gate_lets_pass_is_accepted_for_the_newest_version_of_every_component(
    library: Library,
) -> None:
    """However it is installed; the other versions are looked at with the whole library."""
    count = 0
    for component in filter(None, map(library.get, library.names)):
        for version in islice(component.versions.values(), 1):
            for variant in sampled(component, version, library):
                content = parse(json.dumps(inventory(variant)).encode())
                wrong = disagreements(variant.name, expectations(variant), content)
                assert wrong == [], variant.name
                count += 1
    assert count > 25


def test_a_driver_and_a_distro_without_fuse_are_no_hindrance(gpu: Variant) -> None:
    content = inventory(gpu) | {"fuse": "", "driver": {"minimum": ">=525.60.13"}, "later": [1]}
    found = parse(json.dumps(content).encode())
    assert disagreements(gpu.name, expectations(gpu), found) == []


def _without(slot: str) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["components"].pop(slot)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another component": (
        lambda found: found["components"]["mpi"].update(component="intelmpi"),
        "mpi: expected openmpi 5.0.10, measured intelmpi 5.0.10",
    ),
    "another pin": (
        lambda found: found["components"]["cudnn"].update(pinned="9.14.0.65"),
        "cudnn: expected cudnn 9.14.0.64, measured cudnn 9.14.0.65",
    ),
    "a slot that is missing": (_without("nccl"), "nccl: expected nccl 2.27.7, measured nothing"),
    "a slot too many": (
        lambda found: found["components"].update(
            git={"component": "git", "pinned": "2", "measured": {"version": "2"}}
        ),
        "git: expected nothing, measured git 2",
    ),
    "another variant": (
        lambda found: found.update(variant="openmpi5.0.10-debian12"),
        "variant: expected openmpi5.0.10-cuda13.0.2-cudnn9-debian12, measured"
        " openmpi5.0.10-debian12",
    ),
    "a value that is missing": (
        lambda found: found["components"]["mpi"].update(measured={}),
        "mpi: openmpi version: expected 5.0.10, measured nothing",
    ),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=list(WRONG))
def test_what_is_not_as_it_should_be_is_named(
    change: Callable[[dict[str, Any]], object], said: str, gpu: Variant
) -> None:
    content = inventory(gpu)
    change(content)
    assert disagreements(gpu.name, expectations(gpu), content) == [said]


def test_a_plan_without_attestations_has_other_fingerprints_and_the_same_rest(
    library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    plan = made.plan(made.matrix.variants)
    other = plan.unattested()
    assert (plan.attest, other.attest) == (True, False)
    assert [v.fingerprint for v in plan.variants] == [
        made.fingerprint(v.variant) for v in plan.variants
    ]
    assert not {v.fingerprint for v in plan.variants} & {v.fingerprint for v in other.variants}
    assert [v.floating for v in plan.variants] == [v.floating for v in other.variants]
    assert other == other.unattested() == made.plan(made.matrix.variants, attest=False)
