"""The built-in components are whole: measurable, sourced, and installable in the way they say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import version_key
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN, Component
from bakestone.core.matrix.variant import SLOT_ORDER, slot_rank
from bakestone.core.render.inventory import BUILD, CONTRACT
from bakestone.jobs.library import check

NAMES = sorted(p.parent.name for p in BUILT_IN.glob("*/component.yaml"))
FETCHED = ("source", "installer", "archive")
OFFICIAL = {
    "ubuntu": "docker.io/library/ubuntu:{v}",
    "debian": "docker.io/library/debian:{v}",
    "almalinux": "docker.io/library/almalinux:{v}",
    "amazonlinux": "docker.io/library/amazonlinux:{v}",
    "rocky": "docker.io/rockylinux/rockylinux:{v}",
    "ubi": "registry.access.redhat.com/ubi{v}/ubi:{v}.",  # and the point release
}
"""Where a distro's makers publish its image."""
WITHOUT_DIGEST = ("ubi@10", "amazonlinux@2023")
"""Images of which no digest is among the facts: `lock` asks their registries."""


@pytest.fixture(params=NAMES)
def component(request: pytest.FixtureRequest, library: Library) -> Component:
    found = library.get(request.param)
    assert found is not None
    return found


def given_up(component: Component) -> bool:
    """Whether no version is left of it: its folder says why, and nothing more."""
    return any(entry.versions == "*" for entry in component.retired)


@pytest.fixture
def offered(component: Component) -> Component:
    """A component that can be installed."""
    if given_up(component):
        pytest.skip("given up")
    return component


def test_the_ten_components_of_the_three_families_are_there() -> None:
    assert set(NAMES) >= {
        "ubuntu",
        "debian",
        "cuda",
        "cudnn",
        "nccl",
        "openmpi",
        "intelmpi",
        "miniconda",
        "miniforge",
        "git",
    }


def test_a_folder_holds_the_component_of_its_name(component: Component) -> None:
    assert component.folder.name == component.name
    assert component.slot in SLOT_ORDER


def test_slots_are_listed_in_the_order_in_which_they_build_on_each_other_a_team_s_own_last() -> (
    None
):
    ours = (
        "distro",
        "cuda",
        "cudnn",
        "nccl",
        "tensorrt",
        "ucx",
        "mpi",
        "conda",
        "onnxruntime",
        "git",
    )
    assert sorted(["zlib", "cmake", *sorted(ours)], key=slot_rank) == [*ours, "cmake", "zlib"]


def test_a_component_has_versions_unless_it_was_given_up_for_another(
    component: Component, library: Library
) -> None:
    assert bool(component.versions) != given_up(component)
    assert bool(component.methods) != given_up(component)
    for entry in component.retired:
        instead = library.get(entry.instead)
        assert instead is not None
        assert instead.slot == component.slot
        assert instead.versions


def test_a_component_can_be_measured(offered: Component) -> None:
    assert offered.inventory
    done = subprocess.run(
        ["sh", "-n"], input=offered.inventory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "version=" in offered.inventory


def test_inventory_scripts_are_clean_shell(offered: Component) -> None:
    checker = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run(
        [checker, "-s", "sh", "-S", "warning", "-"],
        input=offered.inventory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_measurement_is_never_the_pin_read_back(offered: Component) -> None:
    assert offered.inventory
    assert not re.search(r"version=\$\{?VERSION\b", offered.inventory)


def test_every_method_but_image_and_apt_has_its_template(component: Component) -> None:
    """That of apt is for what is left to do after a vendor's packages are installed; the distro's
    own need nothing.
    """
    templates = {p.name.split(".")[1] for p in component.folder.glob("install.*.j2")}
    for method in templates:
        text, _ = component.template(method)
        assert "RUN " in text
        assert not re.search(r"\b(apt-get|dnf|yum)\b", text), "packages are installed by the frame"
    assert templates - {"apt"} == set(component.methods) - {"image", "apt", "dnf"}
    assert "apt" not in templates or any(
        "packages" in v.methods.get("apt", {}) for v in component.versions.values()
    )


def test_every_method_is_offered_by_some_version(component: Component) -> None:
    offered = {m for v in component.versions.values() for m in v.methods}
    if component.slot != "distro":
        assert offered == set(component.methods)
        assert all(v.methods for v in component.versions.values())


def test_every_version_is_quoted_text(offered: Component) -> None:
    raw = yaml.safe_load((offered.folder / "versions.yaml").read_text("utf-8"))["versions"]
    assert all(isinstance(key, str) for key in raw)
    document = yamldoc.load(offered.folder / "versions.yaml", "versions")
    assert list(document.data["versions"]) == list(raw)


def test_versions_are_listed_newest_first(component: Component) -> None:
    listed = list(component.versions)
    assert listed == sorted(listed, key=version_key, reverse=True)


def test_checksums_are_never_shared_by_two_files(component: Component) -> None:
    seen: dict[str, str] = {}
    for version in component.versions.values():
        for method in FETCHED:
            for artifact in version.methods.get(method, {}).get("artifacts", []):
                assert seen.setdefault(artifact["sha256"], artifact["url"]) == artifact["url"]
        for wheel in version.methods.get("wheel", {}).get("wheels", []):
            for file in wheel["files"].values():
                assert seen.setdefault(file["sha256"], file["filename"]) == file["filename"]


def test_every_checksum_and_digest_has_a_source(component: Component) -> None:
    for version in component.versions.values():
        for method, data in version.methods.items():
            for artifact in data.get("artifacts", []):
                assert artifact.get("source") or data.get("source"), (
                    f"{component.name} {version.version} {artifact['url']}"
                )
            if method == "wheel":
                assert data.get("source"), f"{component.name} {version.version}"
            for image in data.get("images", []):
                assert image.get("source"), image["ref"]
        if version.data.get("digest"):
            assert version.data.get("source"), f"{component.name} {version.version}"


def test_a_source_says_what_it_is(component: Component) -> None:
    """Also where nobody can look it up: docs/components.md has what its words mean."""
    for path in component.folder.rglob("*.yaml"):
        text = path.read_text("utf-8")
        assert not re.search(r"public file|file ids? [0-9]", text), path


def test_every_url_is_encrypted_where_its_source_gives_it_so(component: Component) -> None:
    """Intel's old archives are known by plain HTTP addresses; their checksums hold all the same."""
    for version in component.versions.values():
        for data in version.methods.values():
            for artifact in data.get("artifacts", []):
                assert artifact["url"].startswith(
                    ("https://", "http://registrationcenter-download.intel.com/")
                ), artifact["url"]


def test_wheels_are_named_as_pip_names_them(component: Component) -> None:
    for version in component.versions.values():
        for wheel in version.methods.get("wheel", {}).get("wheels", []):
            for platform, file in wheel["files"].items():
                assert file["filename"].startswith(
                    f"{wheel['name'].replace('-', '_')}-{wheel['version']}-"
                )
                assert ("x86_64" in file["filename"]) == (platform == "linux/amd64") or file[
                    "filename"
                ].endswith("-any.whl")


def test_builders_are_in_the_library(component: Component, library: Library) -> None:
    for method in component.methods.values():
        if method.builder and method.builder != "distro":
            name, _, version = method.builder.partition("@")
            builder = library.get(name)
            assert builder is not None
            assert version in builder.versions


def test_images_that_come_with_a_distro_name_one_that_is_there(
    component: Component, library: Library
) -> None:
    for version in component.versions.values():
        for image in version.methods.get("image", {}).get("images", []):
            name, _, number = image["distro"].partition("@")
            distro = library.get(name)
            assert distro is not None
            assert number in distro.versions
            for slot, provided in image.get("provides", {}).items():
                (filling,) = library.of_slot(slot)
                assert provided in filling.versions, f"{image['ref']}: {slot} {provided}"


def test_distros_have_an_image_a_codename_and_a_way_to_pin(library: Library) -> None:
    for component in library.of_slot("distro"):
        by_apt = component.data["package_manager"] == "apt"
        for version in component.versions.values():
            about = version.data
            image = OFFICIAL[component.name].format(v=version.version)
            assert (
                about["image"].startswith(image) if image.endswith(".") else about["image"] == image
            )
            known = f"{component.name}@{version.version}" not in WITHOUT_DIGEST
            assert bool(re.fullmatch(r"sha256:[0-9a-f]{64}", about.get("digest", ""))) == known
            assert bool(about.get("codename")) == by_apt, (
                "archives of packages for apt have one, those for dnf none"
            )
            assert about["pins"] in (("snapshot", "frozen") if by_apt else ("versions",))
            assert about["pins"] != "snapshot" or component.data["snapshot"]["sources"]
            assert version.measure["version"] == version.version


def test_components_in_names_have_a_label_and_the_others_none(component: Component) -> None:
    in_names = {"distro", "cuda", "cudnn", "mpi"}
    if component.slot in in_names:
        assert component.data.get("label")


def test_programs_are_real_programs(component: Component) -> None:
    for name, text in component.programs.items():
        if name in (CONTRACT, BUILD):  # the gate runs them by itself
            continue
        measures = f"{component.programs.get(BUILD, '')}{component.inventory}"
        assert re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", measures), (
            "it is compiled, or the measurement runs it"
        )
        kind = name.rpartition(".")[2]
        assert kind in ("c", "cu", "f90", "py")
        if kind == "py":
            assert any(isinstance(node, ast.Assert) for node in ast.parse(text).body), (
                "it ends with an error where a number is wrong"
            )
        else:
            main = r"^end program " if kind == "f90" else r"^int main\("
            assert re.search(main, text, re.MULTILINE)


def test_a_component_that_is_not_there_is_answered_with_the_nearest(library: Library) -> None:
    assert library.get("opnmpi") is None
    assert library.suggest("opnmpi") == "did you mean openmpi?"
    assert library.suggest("zzzzzz").startswith(
        "known components: almalinux, amazonlinux, aws-ofi-"
    )


def test_components_pass_the_check_that_a_team_runs_on_its_own(
    component: Component, library: Library
) -> None:
    report = check.check(component, library)
    assert [f"{f.name}: {f.message}" for f in report.findings] == []
    assert report.rendered >= len(component.versions)
