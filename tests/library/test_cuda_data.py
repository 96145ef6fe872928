"""CUDA, cuDNN and NCCL in the library: how each version is installed, on which driver it runs, and
what is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import compare, matches, version_key
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Component
from bakestone.core.library.version import Version
from bakestone.core.matrix.checks import lifecycle
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.environment import Environments
from tests.support.samples import ROOT, locked, project, refused

FAMILY = """\
version: 1
registry: localhost:5000
accept: [nvidia-eula]
families:
  - name: f
    platforms: [{platforms}]
    axes: {{distro: [{distro}], gpu: [{{{gpu}}}]}}
"""

SEED = {
    # the rows of the Azure Machine Learning table: what CUDA, cuDNN and NCCL come as
    "9.0": (
        'cuda: cuda@9.0, cudnn: "7.4.2.24", nccl: "2.4.2"',
        {
            "cuda-cudart-9-0=9.0.176-1", "cuda-libraries-9-0=9.0.176-1", "cuda-npp-9-0=9.0.176-1",
            "cuda-cusparse-9-0=9.0.176-1",
            "cuda-cublas-9-0=9.0.176-1", "cuda-nvml-dev-9-0=9.0.176-1",
            "cuda-command-line-tools-9-0=9.0.176-1", "cuda-npp-dev-9-0=9.0.176-1",
            "cuda-libraries-dev-9-0=9.0.176-1", "cuda-minimal-build-9-0=9.0.176-1",
            "cuda-cublas-dev-9-0=9.0.176-1",
            "libcudnn7=7.4.2.24-1+cuda9.0", "libcudnn7-dev=7.4.2.24-1+cuda9.0",
            "libnccl2=2.4.2-1+cuda9.0", "libnccl-dev=2.4.2-1+cuda9.0",
        },
    ),
    "10.0": (
        'cuda: cuda@10.0, cudnn: "7.5.0.56", nccl: "2.4.2"',
        {
            "cuda-cudart-10-0=10.0.130-1", "cuda-libraries-10-0=10.0.130-1",
            "cuda-npp-10-0=10.0.130-1", "cuda-nvtx-10-0=10.0.130-1",
            "cuda-cusparse-10-0=10.0.130-1", "cuda-cublas-10-0=10.0.130-1",
            "cuda-nvml-dev-10-0=10.0.130-1", "cuda-nvprof-10-0=10.0.130-1",
            "cuda-command-line-tools-10-0=10.0.130-1", "cuda-npp-dev-10-0=10.0.130-1",
            "cuda-libraries-dev-10-0=10.0.130-1",
            "cuda-minimal-build-10-0=10.0.130-1", "cuda-cublas-dev-10-0=10.0.130-1",
            "libcudnn7=7.5.0.56-1+cuda10.0", "libcudnn7-dev=7.5.0.56-1+cuda10.0",
            "libnccl2=2.4.2-1+cuda10.0", "libnccl-dev=2.4.2-1+cuda10.0",
        },
    ),
    "10.1": (
        'cuda: cuda@10.1, cudnn: "7.5.1.10", nccl: "2.4.7"',
        {
            "cuda-cudart-10-1=10.1.243-1", "cuda-libraries-10-1=10.1.243-1",
            "cuda-npp-10-1=10.1.243-1", "cuda-nvtx-10-1=10.1.243-1",
            "cuda-cusparse-10-1=10.1.243-1", "libcublas10=10.2.1.243-1",
            "cuda-nvml-dev-10-1=10.1.243-1", "cuda-nvprof-10-1=10.1.243-1",
            "cuda-command-line-tools-10-1=10.1.243-1", "cuda-npp-dev-10-1=10.1.243-1",
            "cuda-libraries-dev-10-1=10.1.243-1",
            "cuda-minimal-build-10-1=10.1.243-1", "libcublas-dev=10.2.1.243-1",
            "libcudnn7=7.5.1.10-1+cuda10.1", "libcudnn7-dev=7.5.1.10-1+cuda10.1",
            "libnccl2=2.4.7-1+cuda10.1", "libnccl-dev=2.4.7-1+cuda10.1",
        },
    ),
}  # fmt: skip
OLD_KEY, NEW_KEY = (
    "AE09FE4BBD223A84B2CCFCE3F60F4B3D7FA2AF80",
    "EB693B3035CD5710E231E123A4B469963BF863CC",
)
FACTS = ROOT.parent / "shared" / "facts" / "facts.yaml"


def text(distro: str, gpu: str, rest: str = "", platforms: str = "linux/amd64") -> str:
    return FAMILY.format(distro=distro, gpu=gpu, platforms=platforms) + rest


def only(folder: Path, matrix: str, library: Library) -> Variant:
    """The one variant of a matrix."""
    (variant,) = project(folder, matrix, library=library).matrix.variants
    return variant


def of(library: Library, name: str) -> Component:
    found = library.get(name)
    assert found is not None
    return found


def vendor_entries(component: Component) -> Iterator[tuple[Version, dict[str, Any]]]:
    for version in component.versions.values():
        for entry in version.methods.get("apt", {}).get("packages", []):
            yield version, entry


@pytest.fixture(params=["cuda", "cudnn", "nccl"])
def vendored(request: pytest.FixtureRequest, library: Library) -> Component:
    return of(library, request.param)


@pytest.mark.parametrize("cuda", SEED)
def test_what_nvidia_deleted_from_its_registry_comes_as_packages(
    cuda: str, library: Library, tmp_path: Path
) -> None:
    gpu, pins = SEED[cuda]
    made = locked(tmp_path, text("ubuntu@16.04", gpu), library=library)
    (variant,) = made.matrix.variants
    assert {slot: c.method for slot, c in variant.slots.items() if slot != "distro"} == {
        "cuda": "apt",
        "cudnn": "apt",
        "nccl": "apt",
    }
    assert variant.base.ref == "docker.io/library/ubuntu:16.04"
    (dockerfile,) = made.dockerfiles.values()
    assert (
        set(re.findall(r"^  ((?:cuda-|lib(?:cublas|cudnn|nccl))\S+=\S+)", dockerfile, re.MULTILINE))
        == pins
    )
    assert re.search(rf"^  nvidia-ubuntu1604 {NEW_KEY}(?: \\)?$", dockerfile, re.MULTILINE)
    assert re.search(rf"^  nvidia-ml-ubuntu1604 {OLD_KEY}(?: \\)?$", dockerfile, re.MULTILINE)
    assert f'NVIDIA_REQUIRE_CUDA="cuda>={cuda}' in dockerfile
    folders = f"/usr/local/nvidia/lib:/usr/local/nvidia/lib64:/usr/local/cuda-{cuda}/lib64"
    assert f'LD_LIBRARY_PATH="{folders}"' in dockerfile


@pytest.mark.parametrize("cuda", SEED)
def test_a_deleted_image_is_taken_where_the_family_asks_for_it(
    cuda: str, library: Library, tmp_path: Path
) -> None:
    variant = only(
        tmp_path, text("ubuntu@16.04", SEED[cuda][0], "    methods: {cuda: image}\n"), library
    )
    assert {c.method for c in variant.slots.values()} == {"image"}
    assert variant.base.ref == f"docker.io/nvidia/cuda:{cuda}-cudnn7-devel-ubuntu16.04"


def test_every_image_of_cuda_9_and_10_is_marked_as_deleted_and_no_other(library: Library) -> None:
    for name, version in of(library, "cuda").versions.items():
        deleted = {
            bool(i.get("deleted")) for i in version.methods.get("image", {}).get("images", [])
        }
        assert deleted <= {version_key(name) < version_key("11")}, name


def test_each_cuda_tells_its_driver(library: Library) -> None:
    for component in library.of_slot("cuda"):
        for name, version in component.versions.items():
            about = version.data
            assert re.fullmatch(r">=\d{3}(\.\d+)+", about["driver"]), name
            minimum = about.get("driver_minimum")
            assert compare((minimum or about["driver"])[2:], about["driver"][2:]) <= 0, name
            assert bool(minimum) == (compare(name, "11.1") >= 0), (
                "minor-version compatibility began with CUDA 11.1"
            )


def test_each_cuda_tells_the_container_runtime_what_it_requires(library: Library) -> None:
    for component in library.of_slot("cuda"):
        for name, version in component.versions.items():
            clause, *others = version.environment["NVIDIA_REQUIRE_CUDA"].split(" ")
            assert clause in (f"cuda>={version.minor}", f"cuda>={version.major}.0"), name
            assert all(
                re.fullmatch(r"(brand=[a-z]+,)?driver>=\d+(,driver<\d+)?", other)
                for other in others
            ), name


@pytest.mark.parametrize(
    ("cuda", "driver", "rule"),
    [
        ("10.0", "384.81", "cuda10.0-driver"),
        ("10.0", "410.48", ""),
        ("11.0.3", "450.36.06", "cuda11.0-driver"),
        ("11.2.2", "450.80.02", ""),
        ("11.2.2", "440.33", "cuda11-driver"),
        ("12.4.1", "520.61.05", "cuda12-driver"),
        ("12.4.1", "525.60.13", ""),
        ("12.4.1", "", ""),
        ("13.0.2", "575.57.08", "cuda13-driver"),
        ("13.0.2", "580.65.06", ""),
    ],
)
def test_machines_with_an_older_driver_are_refused(
    cuda: str, driver: str, rule: str, library: Library, tmp_path: Path
) -> None:
    distro = "ubuntu@18.04" if cuda.startswith("10") else "ubuntu@20.04"
    matrix = text(distro, f"cuda: cuda@{cuda}", f'    driver: "{driver}"\n' if driver else "")
    if not rule:
        assert only(tmp_path, matrix, library).slots["cuda"].version.version == cuda
        return
    (found,) = refused(lambda: project(tmp_path, matrix, library=library).matrix)
    assert f"(rule {rule}; source: " in found.message
    assert f"driver {driver} of the machines" in found.message
    # from CUDA 11.1 on minor versions are compatible, and there is a way for older drivers
    later = compare(cuda, "11.1") >= 0
    assert ("needs NVIDIA's package cuda-compat" in found.message) == later
    assert ("docs.nvidia.com/deploy/cuda-compatibility" in found.message) == later


@pytest.mark.parametrize(
    ("cuda", "distro", "rule"),
    [
        ("9.0", "ubuntu@18.04", "cuda9-gcc"),
        ("10.0", "ubuntu@20.04", "cuda10.0-gcc"),
        ("10.2", "ubuntu@20.04", "cuda10-gcc"),
        ("11.0.3", "ubuntu@22.04", "cuda11.0-gcc"),
        ("11.3.1", "debian@11", "cuda11.0-gcc"),
        ("11.8.0", "debian@12", "cuda11-gcc"),
        ("12.3.2", "ubuntu@24.04", "cuda12.0-gcc"),
        ("12.6.3", "debian@13", "cuda12.4-gcc"),
    ],
)
def test_a_compiler_newer_than_nvcc_knows_is_refused(
    cuda: str, distro: str, rule: str, library: Library, tmp_path: Path
) -> None:
    found = refused(
        lambda: project(tmp_path, text(distro, f"cuda: cuda@{cuda}"), library=library).matrix
    )
    assert any(
        re.search(rf"does not go with gcc \d+ of {distro}: .* \(rule {rule}; source: ", f.message)
        for f in found
    )


@pytest.mark.parametrize(
    ("cuda", "cudnn", "nccl", "distro", "names"),
    [
        (
            "cuda-runtime@12.4.1",
            "9.1.0.70",
            "2.21.5",
            "debian@12",
            {"nvidia-cudnn-cu12", "nvidia-nccl-cu12"},
        ),
        (
            "cuda-runtime@11.8.0",
            "9.1.0.70",
            "2.21.5",
            "debian@12",
            {"nvidia-cudnn-cu11", "nvidia-nccl-cu11"},
        ),
        (
            "cuda-runtime@12.9.1",
            "9.14.0.64",
            "2.28.9",
            "debian@13",
            {"nvidia-cudnn-cu12", "nvidia-nccl-cu12"},
        ),
        (
            "cuda@13.0.2",
            "9.14.0.64",
            "2.28.9",
            "debian@13",
            {"nvidia-cudnn-cu13", "nvidia-nccl-cu13"},
        ),
        (
            "cuda@13.0.2",
            "9.14.0.64",
            "2.28.9",
            "rocky@9",
            {"nvidia-cudnn-cu13", "nvidia-nccl-cu13"},
        ),
    ],
)
def test_a_wheel_is_that_of_the_major_version_of_cuda(
    cuda: str, cudnn: str, nccl: str, distro: str, names: set[str], library: Library, tmp_path: Path
) -> None:
    variant = only(
        tmp_path, text(distro, f'cuda: {cuda}, cudnn: "{cudnn}", nccl: "{nccl}"'), library
    )
    chosen = [variant.slots[slot] for slot in ("cuda", "cudnn", "nccl")]
    assert {c.method for c in chosen} == {"wheel"}
    assert {w["name"] for c in chosen[1:] for w in c.data["wheels"]} == names


def test_nvidias_wheels_are_refused_where_glibc_is_too_old(
    library: Library, tmp_path: Path
) -> None:
    found = refused(
        lambda: (
            project(
                tmp_path, text("ubuntu@16.04", "cuda: cuda-runtime@12.4.1"), library=library
            ).matrix
        )
    )
    assert any(
        "wheel: needs distro.glibc >=2.27, not glibc 2.23 of ubuntu@16.04" in f.message
        for f in found
    )


@pytest.mark.parametrize(
    ("distro", "ref"),
    [
        ("ubuntu@24.04", "12.6.3-cudnn-devel-ubuntu24.04"),
        ("rocky@9", "12.6.3-cudnn-devel-rockylinux9"),
        ("ubi@8", "12.6.3-cudnn-devel-ubi8"),
    ],
)
def test_an_image_is_named_as_nvidia_names_it_for_the_distro(
    distro: str, ref: str, library: Library, tmp_path: Path
) -> None:
    variant = only(
        tmp_path, text(distro, 'cuda: cuda@12.6.3, cudnn: "9.5.1.17", nccl: "2.23.4"'), library
    )
    assert variant.base.ref == f"docker.io/nvidia/cuda:{ref}"


def test_cudnn_and_nccl_beside_an_image_that_has_others_come_from_elsewhere(
    library: Library, tmp_path: Path
) -> None:
    variant = only(
        tmp_path,
        text("ubuntu@22.04", 'cuda: cuda@12.6.3, cudnn: "9.3.0.75", nccl: "2.23.4"'),
        library,
    )
    assert variant.base.ref == "docker.io/nvidia/cuda:12.6.3-devel-ubuntu22.04"
    assert [variant.slots[slot].method for slot in ("cuda", "cudnn", "nccl")] == [
        "image",
        "wheel",
        "image",
    ]


def test_packages_of_a_platform_come_from_its_own_repositories(vendored: Component) -> None:
    for version, entry in vendor_entries(vendored):
        where = f"{vendored.name} {version.version} {entry['when']}"
        known = [vendored.repositories[name] for name in entry["repositories"]]
        platforms = {r.platform for r in known}
        assert (
            platforms == {entry["platform"]}
            if "platform" in entry
            else platforms == {"linux/amd64", "linux/arm64"}
        ), where
        release = entry["when"]["distro"].removeprefix("ubuntu@").replace(".", "")
        own = (
            {"1710"}
            if (vendored.name, version.version, release) == ("cuda", "9.2", "1804")
            else {release}
        )
        assert {re.sub(r"\D*(\d{4}).*", r"\1", r.name) for r in known} == own, where
        assert all(
            r.line.endswith("/sbsa /" if r.platform == "linux/arm64" else "/x86_64 /")
            for r in known
        )


def test_a_repository_is_the_same_and_has_the_same_key_in_every_component(library: Library) -> None:
    seen: dict[str, Any] = {}
    for name in ("cuda", "cudnn", "nccl"):
        for repository in of(library, name).repositories.values():
            assert seen.setdefault(repository.name, repository) == repository
            old = "machine-learning" in repository.line or "ubuntu1710" in repository.line
            assert repository.fingerprint == (OLD_KEY if old else NEW_KEY)
            assert (
                repository.key
                == f"{repository.line.removesuffix(' /')}/{'7fa2af80' if old else '3bf863cc'}.pub"
            )


def test_a_pin_is_of_the_cuda_it_is_for(vendored: Component) -> None:
    for version, entry in vendor_entries(vendored):
        for name, pin in entry["install"].items():
            if vendored.name != "cuda":
                assert pin.startswith(f"{version.version}-1"), name
            elif re.search(r"-\d+-\d+$", name):
                assert name.endswith(version.minor.replace(".", "-"))
        for pin in entry["install"].values():
            made_for = re.search(r"\+cuda([\d.]+)$", pin)
            # from CUDA 11 on also for other minors of its major: they are compatible
            assert not made_for or matches(entry["when"]["cuda"], "cuda", made_for[1]), (
                version.version,
                entry,
            )


def test_every_way_to_install_cudnn_and_nccl_fits_some_cuda(
    library: Library, tmp_path: Path
) -> None:
    cudas = [name for c in library.of_slot("cuda") for name in c.versions]
    for name in ("cudnn", "nccl"):
        for version in of(library, name).versions.values():
            wanted = [e["when"]["cuda"] for _, e in vendor_entries(of(library, name))] + [
                w["when"]["cuda"] for w in version.methods.get("wheel", {}).get("wheels", [])
            ]
            for pattern in wanted:
                assert any(matches(pattern, "cuda", cuda) for cuda in cudas), (
                    name,
                    version.version,
                    pattern,
                )


def test_support_ends_with_the_branch_of_the_driver(library: Library, tmp_path: Path) -> None:
    variant = only(tmp_path, text("ubuntu@20.04", "cuda: cuda@12.6.2"), library)
    assert [
        (end.what, str(end.date)) for end in lifecycle.ends_of(variant) if end.slot == "cuda"
    ] == [("CUDA Toolkit 12.6.2", "2024-12-03"), ("CUDA 12.6 (driver branch 560)", "2025-08-22")]


@pytest.mark.skipif(
    not FACTS.is_file(), reason="the collection of facts is not beside this repository"
)
def test_every_package_of_nvidias_dockerfiles_is_pinned_as_the_facts_say(library: Library) -> None:
    facts = yamldoc.fast(FACTS)["4_nvidia_cuda_images"]["apt_matrix"]["images"]
    assert len(facts) > 100
    for image in facts:
        distro = f"ubuntu@{image['distro'].removeprefix('ubuntu')}"
        asked = {p for pins in image["amd64"]["apt"].values() for p in pins if "=" in p}
        asked |= {p for kind in image["amd64"].get("cudnn", {}).values() for p in kind["devel"]}
        have = {
            f"{name}={pin}"
            for component in ("cuda", "cudnn", "nccl")
            for version, entry in vendor_entries(of(library, component))
            if entry["when"]["distro"] == distro
            and entry.get("platform", "linux/amd64") == "linux/amd64"
            and (component != "cuda" or version.version == image["cuda"])
            and matches(entry["when"].get("cuda", "*"), "cuda", image["cuda"])
            for name, pin in entry["install"].items()
        }
        assert asked <= have, (image["cuda"], distro, asked - have)


NAMED = {
    # what is chosen, and its role -> the last variables' worth: what the image must have of CUDA
    "by wheel": ("distro: [debian@12], cuda: ['13.0.2']", "devel", ["bin", "lib64"]),
    "by apt": ("distro: [ubuntu@22.04], cuda: ['12.8.1']", "devel", ["bin", "lib64/stubs"]),
    "lean": ("distro: [debian@12], cuda: ['13.0.2']", "runtime", ["lib64"]),
    "libraries alone": ("distro: [debian@12], cuda: [cuda-runtime@13.0.2]", "devel", ["lib64"]),
}


@pytest.mark.parametrize(("axes", "role", "folders"), NAMED.values(), ids=list(NAMED))
def test_the_environment_names_what_the_image_has(
    axes: str, role: str, folders: list[str], library: Library, tmp_path: Path
) -> None:
    text = (
        "version: 1\nregistry: localhost:5000/base\naccept: [nvidia-eula]\nfamilies:\n"
        f"  - {{name: f, roles: [{role}], axes: {{{axes}}}}}\n"
    )
    (variant,) = project(tmp_path, text, library=library).matrix.variants
    environments = Environments()
    found, prefix = environments.of(variant), variant.context["cuda"]["prefix"]
    assert environments.named(variant) == tuple(f"{prefix}/{folder}" for folder in folders)
    assert ("LIBRARY_PATH" in found) is ("lib64/stubs" in folders)
    assert (f"{prefix}/bin" in found["PATH"]) is ("bin" in folders)
    # what the machine brings is named all the same
    assert found["LD_LIBRARY_PATH"].startswith("/usr/local/nvidia/lib:")
