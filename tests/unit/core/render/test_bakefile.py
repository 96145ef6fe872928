"""docker-bake.json: what buildx reads without Bakestone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakestone.core.library.catalog import Library
from bakestone.core.matrix.variant import Variant
from bakestone.core.render import bakefile
from bakestone.core.render.compression import GZIP, Compression
from bakestone.core.render.dockerfile import Renderer
from bakestone.project import Project
from tests.support.samples import FIRST, MANY, locked, refused


@pytest.fixture
def made(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return locked(tmp_path, MANY, library=library)


def read(project: Project) -> dict[str, dict[str, dict[str, list[str]]]]:
    loaded: dict[str, dict[str, dict[str, list[str]]]] = json.loads(
        project.texts[project.output / "docker-bake.json"]
    )
    return loaded


def test_every_variant_is_a_target_and_every_family_a_group(made: Project) -> None:
    plain = read(made)
    assert set(plain["target"]) == {v.target for v in made.matrix.variants}
    assert plain["group"]["default"]["targets"] == ["cpu", "gpu"]
    assert plain["group"]["gpu"]["targets"] == ["openmpi5_0_10-cuda13_0_2-cudnn9-debian12"]
    assert {t for g in ("cpu", "gpu") for t in plain["group"][g]["targets"]} == set(plain["target"])


def test_a_target_names_its_folder_platforms_tag_and_time(made: Project) -> None:
    target = read(made)["target"]["openmpi5_0_10-cuda13_0_2-cudnn9-debian12"]
    assert target == {
        "context": "dockerfiles/gpu",
        "dockerfile": "Dockerfile",
        "target": "openmpi5.0.10-cuda13.0.2-cudnn9-debian12",
        "platforms": ["linux/amd64", "linux/arm64"],
        "args": {"SOURCE_DATE_EPOCH": str(made.lock.bases["docker.io/library/debian:12"].epoch)},
        "attest": bakefile.NO_ATTESTATIONS,
        "output": ["type=image,oci-mediatypes=true,compression=gzip,force-compression=true"],
        "tags": ["registry.example.com/base/gpu:openmpi5.0.10-cuda13.0.2-cudnn9-debian12"],
    }
    assert (made.output.parent / str(target["context"]) / "Dockerfile") == made.path_of(
        made.matrix.variants[-1]
    )


def test_target_names_are_what_bake_allows(made: Project) -> None:
    plain = read(made)
    assert all(
        re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in (*plain["target"], *plain["group"])
    )


@given(
    st.lists(
        st.text(alphabet="ab${}% ", max_size=12).filter(lambda s: "$$" not in s and "%%" not in s)
    )
)
def test_what_hcl_reads_is_what_was_meant(values: list[str]) -> None:
    written: list[str] = json.loads(bakefile.dump({"x": values}))["x"]
    assert not any(re.search(r"(?<!\$)\$\{|(?<!%)%\{", text) for text in written)
    assert [text.replace("$${", "${").replace("%%{", "%{") for text in written] == values


def test_templates_of_hcl_are_escaped() -> None:
    text = bakefile.dump({"a": "${HOME} %{if x} $HOME 100%", "b": ["${x}"]})
    assert json.loads(text) == {"a": "$${HOME} %%{if x} $HOME 100%", "b": ["$${x}"]}


def test_a_family_with_the_name_of_a_variant_is_refused(library: Library, tmp_path: Path) -> None:
    text = FIRST.replace("name: first", "name: ubuntu22.04").replace(
        "      mpi: [openmpi@5.0.10]\n", ""
    )
    (found,) = refused(lambda: locked(tmp_path, text, library=library).texts)
    assert found.message == "a family and a variant are both ubuntu22_04 in the bake file"
    assert found.hint == "rename the family"


def test_a_family_named_default_does_not_hide_the_others(library: Library, tmp_path: Path) -> None:
    found = refused(
        lambda: locked(tmp_path, MANY.replace("name: gpu", "name: default"), library=library).texts
    )
    assert "default" in found[0].message


def test_families_that_would_be_one_group_are_refused(library: Library, tmp_path: Path) -> None:
    text = MANY.replace("name: cpu", "name: a.b").replace("name: gpu", "name: a_b")
    found = refused(lambda: locked(tmp_path, text, library=library).texts)
    assert "a_b" in found[0].message


def test_the_file_does_not_depend_on_the_working_directory(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for folder in (tmp_path, tmp_path / "elsewhere"):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        texts.append(read(locked(tmp_path, MANY, library=library)))
    assert texts[0] == texts[1]


def identity(made: Project, variant: Variant) -> str:
    """What stands for all stages of a variant."""
    return made.families[variant.family.name].stages[variant.name][-1].identity


def test_a_fingerprint_stands_for_stages_platforms_and_time(made: Project) -> None:
    variant = made.matrix.variants[0]
    stages = identity(made, variant)
    first = bakefile.fingerprint(variant, stages, made.lock)
    assert first == made.fingerprint(variant)
    assert re.fullmatch(r"[0-9a-f]{64}", first)
    assert bakefile.fingerprint(variant, stages, made.lock) == first
    assert bakefile.fingerprint(variant, "0" * 64, made.lock) != first
    both = replace(variant, platforms=("linux/amd64", "linux/arm64"))
    assert bakefile.fingerprint(both, stages, made.lock) != first
    base = made.lock.bases[variant.base.ref]
    made.lock.bases[variant.base.ref] = replace(base, epoch=base.epoch + 1)
    assert bakefile.fingerprint(variant, stages, made.lock) != first


def test_a_fingerprint_does_not_depend_on_when_and_by_whom_a_base_was_resolved(
    made: Project,
) -> None:
    variant = made.matrix.variants[0]
    first = made.fingerprint(variant)
    base = made.lock.bases[variant.base.ref]
    later = replace(base, resolved_from="registry", resolved="2030-01-01T00:00:00Z", note="")
    made.lock.bases[variant.base.ref] = later
    again = Renderer(made.matrix.library, made.lock).stages(variant)
    assert bakefile.fingerprint(variant, again[-1].identity, made.lock) == first


def test_a_fingerprint_says_whether_attestations_are_made(made: Project) -> None:
    variant = made.matrix.variants[0]
    stages = identity(made, variant)
    found = {bakefile.fingerprint(variant, stages, made.lock, attest=a) for a in (True, False)}
    assert len(found) == 2


def test_without_a_time_in_the_lock_there_is_one_all_the_same(made: Project) -> None:
    variant = made.matrix.variants[0]
    base = made.lock.bases[variant.base.ref]
    made.lock.bases[variant.base.ref] = replace(base, epoch=0)
    assert bakefile.target(variant, made.lock, context=".")["args"] == {
        "SOURCE_DATE_EPOCH": "315532800"
    }


def test_a_plain_bake_makes_no_attestations() -> None:
    assert sorted(bakefile.NO_ATTESTATIONS) == [
        "type=provenance,disabled=true",
        "type=sbom,disabled=true",
    ]


def test_a_fingerprint_says_how_layers_are_compressed(made: Project) -> None:
    variant = made.matrix.variants[0]
    settings = (
        Compression("gzip", 6),
        Compression("gzip", 9),
        Compression("zstd"),
        Compression("zstd", 3),
        Compression("estargz"),
    )
    plain = bakefile.fingerprint(variant, "0" * 64, made.lock)
    assert plain == bakefile.fingerprint(variant, "0" * 64, made.lock, compression=GZIP)
    others = {
        bakefile.fingerprint(variant, "0" * 64, made.lock, compression=one) for one in settings
    }
    assert len(others | {plain}) == 6


def test_gzip_without_a_level_asks_for_what_it_always_did() -> None:
    assert GZIP.options == {
        "oci-mediatypes": "true",
        "compression": "gzip",
        "force-compression": "true",
    }
    assert list(Compression("zstd", 3).options.items())[1:3] == [
        ("compression", "zstd"),
        ("compression-level", "3"),
    ]


@pytest.mark.parametrize("said", ["zstd", "{type: zstd, level: 3}", "estargz"])
def test_the_site_s_compression_is_in_the_plan_and_not_in_committed_files(
    said: str, made: Project, tmp_path: Path, library: Library
) -> None:
    site = f"version: 1\ncompression: {said}\n"
    other = locked(tmp_path, MANY, library=library, site=site)
    assert other.texts == made.texts
    before, after = (p.plan(p.matrix.variants) for p in (made, other))
    assert after.compression == other.site.compression
    pairs = zip(before.variants, after.variants, strict=True)
    assert all(one.fingerprint != two.fingerprint for one, two in pairs)
    bare = other.plan(other.matrix.variants, attest=False)
    assert [v.fingerprint for v in after.unattested().variants] == [
        v.fingerprint for v in bare.variants
    ]
