"""What the library must offer everywhere: dnf distros beside apt ones, arm64, sources, and what an
image tells of CUDA and conda.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakestone.core.documents.patterns import compare, matches
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN, Component, packages_for
from bakestone.core.library.version import ENTRIES, Version
from bakestone.core.lock import samples
from bakestone.core.matrix.checks import lifecycle
from bakestone.core.matrix.conditions import python
from bakestone.core.matrix.variant import PACKAGES, Variant
from bakestone.errors import BakestoneError
from bakestone.jobs import explain
from tests.support.samples import locked, project, refused

MATRIX = """\
version: 1
registry: localhost:5000
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: f
    platforms: [{platforms}]
    axes: {{distro: ["{distro}"], {axes}}}
{rest}"""
DNF = ("rocky@9", "rocky@8", "ubi@10", "ubi@9", "ubi@8", "amazonlinux@2023")
WITHOUT_IMAGES = ("ubi@10", "amazonlinux@2023")
"""NVIDIA's images of CUDA 12 are of older distros."""
NAMES = sorted(p.parent.name for p in BUILT_IN.glob("*/component.yaml"))
CONFIDENCE = {"high", "medium-high", "medium", "low"}


def text(distro: str, axes: str, rest: str = "", platforms: str = "linux/amd64") -> str:
    return MATRIX.format(distro=distro, axes=axes, rest=rest, platforms=platforms)


def of(library: Library, name: str) -> Component:
    found = library.get(name)
    assert found is not None
    return found


def entries(library: Library) -> Iterator[tuple[str, Version, str, dict[str, Any]]]:
    """Every file, image, package set and distro package of the library with what it is called in a
    message.
    """
    for name in NAMES:
        for version in of(library, name).versions.values():
            for method, data in version.methods.items():
                listed = data.get(ENTRIES.get(method, ""), [])
                for entry in [data] if "package" in data else listed:
                    yield f"{name} {version.version} {method}", version, method, entry


def test_every_download_image_and_package_says_where_it_comes_from_and_how_sure_that_is(
    library: Library,
) -> None:
    """Of wheels it is said once a version: they are the index's own word, read on a day that is
    named.
    """
    for what, version, method, entry in entries(library):
        about = version.methods[method] if method == "wheel" else entry
        assert about.get("source"), what
        assert about.get("confidence") in CONFIDENCE, what
        assert method != "wheel" or re.search(r"read \d{4}-\d\d-\d\d", str(about["source"])), what


@pytest.mark.parametrize("distro", DNF)
@pytest.mark.parametrize(
    ("axes", "asked"),
    [
        ("mpi: [openmpi@4.1.8]", "openmpi: source"),
        ("mpi: [openmpi@5.0.10]", ""),
        ("mpi: [intelmpi@2021.16.1]", "intelmpi: wheel"),
        ("mpi: [intelmpi@2021.16.1]", "intelmpi: installer"),
        ("mpi: [intelmpi@2019.12.320]", "intelmpi: archive"),
        ("conda: [miniforge@26.3.2-3]", ""),
        ("conda: [miniconda@py313_26.5.3-1]", ""),
        ('git: ["2.53.0"]', "git: source"),
        ('ucx: ["1.19.0"], mpi: [openmpi@5.0.10]', "ucx: source"),
        ('gpu: [{cuda: cuda@12.8.1, cudnn: "9.8.0.87", nccl: "2.25.1"}]', "cuda: image"),
        ('gpu: [{cuda: cuda@12.8.1, nccl: "2.25.1"}]', "cuda: image"),
        ('gpu: [{cuda: cuda@12.2.2, cudnn: "8.9.6.50", nccl: "2.19.3"}]', "cuda: image"),
        (
            'gpu: [{cuda: cuda-runtime@12.4.1, cudnn: "9.1.0.70", nccl: "2.21.5"}]',
            "cuda-runtime: image",
        ),
        ('gpu: [{cuda: cuda-runtime@12.8.1, cudnn: "9.8.0.87"}]', "cuda-runtime: wheel"),
        ('gpu: [{cuda: cuda@13.0.2, cudnn: "9.14.0.64", nccl: "2.27.7"}]', "cuda: wheel"),
        ("conda: [miniforge@24.11.3-2], onnxruntime: [onnxruntime@1.23.2]", ""),
    ],
)
def test_rocky_linux_and_ubi_have_it_too(
    distro: str, axes: str, asked: str, library: Library, tmp_path: Path
) -> None:
    wanted = text(distro, axes, f"    methods: {{{asked}}}\n" if asked else "")
    if asked.endswith(": image") and distro in WITHOUT_IMAGES:  # NVIDIA makes none for it
        with pytest.raises(BakestoneError):
            assert project(tmp_path, wanted, library=library).matrix.variants
        return
    (variant,) = project(tmp_path, wanted, library=library).matrix.variants
    assert not any(c.method == "apt" for c in variant.slots.values())
    for chosen in variant.slots.values():
        component, line = chosen.component, variant.distro.line
        named = (component.packages, component.development.packages)
        names = [name for mapping in named for name in packages_for(mapping, line) or ()]
        assert names or chosen.component.slot == "conda", (
            f"{chosen.component.name} asks for no package on {distro}"
        )


MEANT = {"tensorrt": "dpkg-query", "python": "bin/pip"}
"""Of TensorRT 10 and later, NVIDIA's package alone says for which CUDA it is; a Python from source
has its pip under that name.
"""


@pytest.mark.parametrize("name", NAMES)
def test_no_script_asks_for_dpkg_or_apt_where_dnf_could_be(name: str, library: Library) -> None:
    component = of(library, name)
    for script in (
        component.inventory or "",
        *(component.template(m)[0] for m in component.methods if component.has_template(m)),
    ):
        assert not re.search(
            r"\b(dpkg|apt-get|apt-cache|apt-key|rpm|dnf|yum|curl|wget|pip)\b",
            re.sub(r"(?m)#.*$", "", script).replace(MEANT.get(name, "\0"), ""),
        ), name


BY_APT_ALONE = {"pmix"}
"""What is built on distros with apt alone: where others have hwloc's headers was not looked up."""


@pytest.mark.parametrize("name", NAMES)
def test_a_build_stage_on_any_distro_has_packages_for_dnf_where_it_has_them_for_apt(
    name: str, library: Library
) -> None:
    for method in of(library, name).methods.values():
        if method.builder == "distro":
            kinds = {re.split("[@<>=]", key)[0] for key in method.packages}
            named = {re.split("[@<>=]", distro)[0] for distro in method.distros}
            usual = {"debian", "ubuntu"} | (set() if name in BY_APT_ALONE else {"rocky", "ubi"})
            assert kinds >= (named or usual), f"{name} {method.name}"


@pytest.mark.parametrize("kind", ["devel", "runtime"])
def test_a_tag_says_which_distro_and_cudnn_it_has(kind: str, library: Library) -> None:
    """All spellings: cudnn7, cudnn8, cudnn9 and cudnn alone; rockylinux for Rocky Linux."""
    spelled = set()
    for version in of(library, "cuda" if kind == "devel" else "cuda-runtime").versions.values():
        for image in version.methods.get("image", {}).get("images", []):
            found = re.fullmatch(
                rf"\S+/nvidia/cuda:([\d.]+)(?:-(cudnn\d*))?-{kind}-([a-z]+)([\d.]+)", image["ref"]
            )
            assert found, image["ref"]
            assert version.version in (found[1], f"{found[1]}.0"), image["ref"]
            assert image["distro"] == f"{found[3].removesuffix('linux')}@{found[4]}", image["ref"]
            cudnn = image.get("provides", {}).get("cudnn")
            assert bool(found[2]) == bool(cudnn), image["ref"]
            assert not found[2] or found[2] in ("cudnn", f"cudnn{cudnn.partition('.')[0]}"), image[
                "ref"
            ]
            spelled |= {found[2], found[3]}
    assert spelled >= {None, "cudnn", "cudnn8", "cudnn9", "ubuntu", "ubi", "rockylinux"}
    assert kind == "runtime" or "cudnn7" in spelled


def test_both_components_of_one_cuda_ask_the_same_of_the_machine(library: Library) -> None:
    toolkit, runtime = of(library, "cuda").versions, of(library, "cuda-runtime").versions
    for name in set(toolkit) & set(runtime):
        assert runtime[name].environment == toolkit[name].environment, name
        assert runtime[name].data["driver_minimum"] == toolkit[name].data["driver_minimum"], name


@pytest.mark.parametrize(
    ("distro", "gpu", "method", "requires"),
    [
        ("debian@13", "cuda: cuda@13.0.2", "wheel", "cuda>=13.0"),
        ("ubuntu@16.04", "cuda: cuda@10.1", "apt", "cuda>=10.1 brand=tesla,driver>=418,driver<419"),
        (
            "ubuntu@24.04",
            'cuda: cuda@12.8.1, cudnn: "9.8.0.87", nccl: "2.25.1"',
            "image",
            "cuda>=12.8 brand=unknown,driver>=470,driver<471 ",
        ),
        (
            "debian@12",
            "cuda: cuda-runtime@12.8.1",
            "wheel",
            "cuda>=12.8 brand=unknown,driver>=470,driver<471 ",
        ),
        (
            "ubi@9",
            'cuda: cuda-runtime@12.8.1, nccl: "2.25.1"',
            "image",
            "cuda>=12.8 brand=unknown,driver>=470,driver<471 ",
        ),
    ],
)
def test_the_driver_is_in_environment_labels_and_inventory(
    distro: str, gpu: str, method: str, requires: str, library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, text(distro, f"gpu: [{{{gpu}}}]"), library=library)
    (variant,) = made.matrix.variants
    (dockerfile,) = made.dockerfiles.values()
    assert variant.slots["cuda"].method == method
    assert f'NVIDIA_REQUIRE_CUDA="{requires}' in dockerfile
    assert 'NVIDIA_VISIBLE_DEVICES="all"' in dockerfile
    assert 'NVIDIA_DRIVER_CAPABILITIES="compute,utility"' in dockerfile
    assert f'io.bakestone.driver.minimum="{variant.driver["minimum"]}"' in dockerfile
    words = f"{variant.driver['minimum']} {variant.driver['toolkit']}"
    assert f' --fuse yes --driver "{words}" ' in dockerfile


def test_every_cuda_of_a_driver_branch_that_ended_has_its_day(library: Library) -> None:
    for component in library.of_slot("cuda"):
        for name, version in component.versions.items():
            assert compare(name, "13.4") >= 0 or list(lifecycle.ends(component, version)), (
                f"{component.name} {name}"
            )


@pytest.mark.parametrize(
    ("conda", "distro", "platforms", "reason"),
    [
        (
            "miniconda@py313_26.5.3-1",
            "ubuntu@18.04",
            "linux/amd64",
            "(rule miniconda25.9-glibc; source: ",
        ),
        ("miniconda@py39_25.7.0-2", "ubuntu@18.04", "linux/amd64", ""),
        ("miniconda@4.5.11", "ubuntu@16.04", "linux/amd64", ""),
        (
            "miniconda@py39_4.12.0",
            "ubuntu@16.04",
            "linux/arm64",
            "no file for linux/arm64 unless distro.glibc >=2.26",
        ),
        ("miniconda@py39_4.12.0", "ubuntu@20.04", "linux/arm64", ""),
        ("miniconda@4.5.11", "ubuntu@20.04", "linux/arm64", "not for linux/arm64"),
        ("miniforge@26.3.2-3", "ubuntu@16.04", "linux/arm64", ""),
    ],
)
def test_a_conda_needs_its_glibc_and_its_platform(
    conda: str, distro: str, platforms: str, reason: str, library: Library, tmp_path: Path
) -> None:
    def load() -> Any:
        return project(
            tmp_path, text(distro, f"conda: [{conda}]", platforms=platforms), library=library
        ).matrix

    if not reason:
        assert load().variants
        return
    (found,) = refused(load)
    assert reason in found.message
    assert found.hint.startswith("nearest that passes: ")


def test_the_image_s_python_is_conda_s_also_where_nobody_knows_it(
    library: Library, tmp_path: Path
) -> None:
    (known,) = project(
        tmp_path, text("ubuntu@22.04", "conda: [miniforge@24.9.2-0]"), library=library
    ).matrix.variants
    assert python(known.slots) == "3.12"
    (unknown,) = project(
        tmp_path / "b", text("ubuntu@22.04", "conda: [miniforge@4.14.0-2]"), library=library
    ).matrix.variants
    assert python(unknown.slots) is None, "not that of Ubuntu 22.04"


def test_the_pythons_of_miniforge_go_up(library: Library) -> None:
    listed = [
        (name, version.known("python_minor"))
        for name, version in of(library, "miniforge").versions.items()
    ]
    known = [minor for _, minor in reversed(listed) if minor]
    assert known == sorted(known, key=lambda minor: int(minor.partition(".")[2]))
    assert len(known) >= len(listed) - 8


def test_intel_mpi_without_a_libfabric_of_its_own_is_refused_where_the_distro_has_none(
    library: Library, tmp_path: Path
) -> None:
    (found,) = refused(
        lambda: (
            project(tmp_path, text("ubi@9", "mpi: [intelmpi@2021.19.0]"), library=library).matrix
        )
    )
    assert "(rule intelmpi2021.19-libfabric; source: " in found.message
    assert "nearest that passes: intelmpi@2021.18.1" in found.hint
    (variant,) = project(
        tmp_path / "b", text("rocky@9", "mpi: [intelmpi@2021.19.0]"), library=library
    ).matrix.variants
    intelmpi = variant.slots["mpi"]
    assert packages_for(intelmpi.version.packages, variant.distro.line) == ("libfabric",)


def test_packages_are_for_distros_of_their_manager(library: Library) -> None:
    managers = {
        f"{c.name}@{v}": c.data.get("package_manager", "apt")
        for c in library.of_slot("distro")
        for v in c.versions
    }
    for what, _version, method, entry in entries(library):
        if method in PACKAGES:
            wanted = entry.get("versions") or [entry["when"]["distro"]]
            patterns = (
                wanted if not isinstance(wanted, list) or isinstance(wanted[0], str) else wanted[0]
            )
            fitting = [
                text
                for pattern in patterns
                for text in managers
                if matches(str(pattern), *text.split("@"))
            ]
            assert fitting, what
            assert {managers[text] for text in fitting} == {method}, what


@pytest.mark.parametrize("distro", DNF)
def test_a_rehearsal_names_packages_as_dnf_does(distro: str, library: Library) -> None:
    component = of(library, "git")
    found = samples.find(component, component.versions["2.53.0"], "source", library, distro)
    assert isinstance(found, Variant), found
    packages = samples.lock([found], library).packages[found.base.ref].versions["linux/amd64"]
    assert all(name.endswith(".noarch") for closure in packages.values() for name in closure)


def test_explain_says_of_a_wheel_who_says_so_and_how_sure_that_is(
    library: Library, tmp_path: Path
) -> None:
    made = locked(
        tmp_path,
        text("debian@13", 'gpu: [{cuda: cuda@13.0.2, cudnn: "9.14.0.64"}]'),
        library=library,
    )
    (variant,) = made.matrix.variants
    (cudnn,) = [
        line
        for line in explain.explain(made, variant.name)[1]
        if line.pin.startswith("nvidia-cudnn-cu13==")
    ]
    assert re.fullmatch(
        r"PyPI: nvidia-cudnn-cu13 9\.14\.0\.64, read \d{4}-\d\d-\d\d.* \(confidence: high\)",
        cudnn.origin,
    )
