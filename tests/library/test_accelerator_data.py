"""What stands beside NVIDIA's compilers: CUDA 13's libraries alone, NVSHMEM, cuSPARSELt, Intel's
runtimes; and the slot `python`, which names the Python of an image without conda.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import samples
from bakestone.core.lock.survey import Survey
from bakestone.core.matrix.checks import rules
from bakestone.core.matrix.conditions import python
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.dockerfile import Renderer
from bakestone.core.render.environment import Environments, python_home
from tests.library.measuring import measured, shared
from tests.support.samples import project, refused

MATRIX = """\
version: 1
registry: localhost:5000
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: f
    platforms: [{platforms}]
    axes: {{distro: ["{distro}"], {axes}}}
{rest}"""


def text(distro: str, axes: str, rest: str = "", platforms: str = "linux/amd64") -> str:
    return MATRIX.format(distro=distro, axes=axes, rest=rest, platforms=platforms)


def only(library: Library, folder: Path, wanted: str) -> Variant:
    (variant,) = project(folder, wanted, library=library).matrix.variants
    return variant


def wheels(variant: Variant, slot: str) -> set[str]:
    return {wheel["name"] for wheel in variant.slots[slot].data["wheels"]}


def test_cuda_13_has_its_libraries_alone_for_both_platforms(
    library: Library, tmp_path: Path
) -> None:
    axes = 'gpu: [{cuda: cuda-runtime@13.0.2, cudnn: "9.14.0.64", nccl: "2.28.9"}]'
    both = text("debian@12", axes, platforms="linux/amd64, linux/arm64")
    variant = only(library, tmp_path, both)
    assert {c.method for slot, c in variant.slots.items() if slot != "distro"} == {"wheel"}
    assert "nvidia-cuda-nvcc" not in wheels(variant, "cuda")
    assert {"nvidia-cublas", "nvidia-cuda-runtime", "nvidia-cufft"} < wheels(variant, "cuda")
    assert wheels(variant, "cudnn") | wheels(variant, "nccl") == {
        "nvidia-cudnn-cu13",
        "nvidia-nccl-cu13",
    }


def test_the_libraries_of_cuda_13_are_of_one_toolkit_with_its_compilers(library: Library) -> None:
    """Each wheel that both components take is the same file."""
    toolkit, runtime = library.get("cuda"), library.get("cuda-runtime")
    assert toolkit
    assert runtime
    several = [name for name in runtime.versions if name.startswith("13.")]
    assert len(several) >= 7
    for name in several:
        whole, part = (
            {w["name"]: w for w in component.versions[name].methods["wheel"]["wheels"]}
            for component in (toolkit, runtime)
        )
        assert len(part.keys() & whole.keys()) >= 5, name
        assert all(part[wheel] == whole[wheel] for wheel in part.keys() & whole.keys()), name


@pytest.mark.parametrize("cuda", ["cuda-runtime@12.9.1", "cuda-runtime@13.0.2", "cuda@13.0.2"])
@pytest.mark.parametrize(("slot", "version"), [("nvshmem", "3.4.5"), ("cusparselt", "0.8.1")])
def test_the_wheel_is_that_of_the_major_version_of_cuda(
    slot: str, version: str, cuda: str, library: Library, tmp_path: Path
) -> None:
    axes = f'gpu: [{{cuda: {cuda}, {slot}: "{version}"}}]'
    variant = only(library, tmp_path, text("debian@12", axes))
    major = cuda.partition("@")[2].partition(".")[0]
    assert wheels(variant, slot) == {f"nvidia-{slot}-cu{major}"}


def test_intels_runtimes_are_for_amd64_alone(library: Library, tmp_path: Path) -> None:
    axes, rest = 'oneapi: ["2026.2.0"]', "    name_slots: [oneapi, distro]\n"
    assert only(library, tmp_path, text("debian@12", axes, rest)).name == "oneapi2026.2.0-debian12"
    platforms = "linux/amd64, linux/arm64"
    assert only(library, tmp_path / "both", text("debian@12", axes, rest, platforms)).platforms == (
        "linux/amd64",
    )
    both = text("debian@12", axes, "    every_platform: true\n", platforms)
    found = refused(lambda: project(tmp_path, both, library=library).matrix)
    assert any("linux/arm64" in f.message for f in found)


@pytest.mark.parametrize(
    ("distro", "version", "method"),
    [
        ("debian@13", "3.13.5", "apt"),
        ("debian@12", "3.11.2", "apt"),
        ("debian@11", "3.9.2", "apt"),
        ("ubuntu@24.04", "3.12.3", "apt"),
        ("ubuntu@22.04", "3.10.12", "apt"),
        ("rocky@9", "3.9.25", "dnf"),
        ("ubi@9", "3.9.25", "dnf"),
    ],
)
def test_an_image_without_conda_has_a_python_that_its_name_says(
    distro: str, version: str, method: str, library: Library, tmp_path: Path
) -> None:
    rest = "    name_slots: [python, distro]\n"
    variant = only(library, tmp_path, text(distro, f'python: ["{version}"]', rest))
    minor = ".".join(version.split(".")[:2])
    chosen = variant.slots["python"]
    assert chosen.method == method
    assert variant.name.startswith(f"python{minor}-")
    assert chosen.version.measure == {"version": version, "python_minor": minor}
    assert python(variant.slots) == minor


def test_a_python_that_the_distro_does_not_have_is_refused(
    library: Library, tmp_path: Path
) -> None:
    wanted = text("debian@12", 'python: ["3.13.5"]')
    (found,) = refused(lambda: project(tmp_path, wanted, library=library).matrix)
    assert "apt: debian@12 has another version" in found.message
    assert found.hint.startswith("nearest that passes: python@3.13.2;")


@pytest.mark.parametrize(
    ("distro", "cuda", "version", "major", "package"),
    [
        ("ubuntu@24.04", "13.0.2", "10.14.1.48", "10", "10.14.1.48-1+cuda13.0"),
        ("ubuntu@24.04", "cuda-runtime@12.9.1", "10.9.0.34", "10", "10.9.0.34-1+cuda12.8"),
        ("ubuntu@22.04", "12.4.1", "10.3.0.26", "10", "10.3.0.26-1+cuda12.5"),
        ("ubuntu@22.04", "12.9.1", "11.0.0.114", "11", "11.0.0.114-1+cuda12.9"),
    ],
)
def test_tensorrt_10_and_11_come_as_nvidias_packages_without_cudnn(
    distro: str, cuda: str, version: str, major: str, package: str, library: Library, tmp_path: Path
) -> None:
    gpu = f'gpu: [{{cuda: "{cuda}", tensorrt: "{version}"}}]'
    variant = only(library, tmp_path, text(distro, gpu))
    chosen = variant.slots["tensorrt"]
    assert chosen.method == "apt"
    assert chosen.version.measure["toolkit"] == package.partition("+cuda")[2]
    (found,) = (entry["install"] for entry in chosen.data["packages"])
    names = ("libnvinfer{}", "libnvinfer-plugin{}", "libnvonnxparsers{}")
    assert found == {name.format(major): package for name in names}
    variables = Environments().of(variant)
    assert "" not in variables["LD_LIBRARY_PATH"].removesuffix("${LD_LIBRARY_PATH:+:$").split(":")
    assert "/usr/lib" not in variables["LD_LIBRARY_PATH"]


def test_a_tensorrt_for_another_cuda_than_the_images_is_told(
    library: Library, tmp_path: Path
) -> None:
    """The package was made for both; which CUDA it is of stands in its version alone."""
    source = """\
int getInferLibMajorVersion(void) { return 10; }
int getInferLibMinorVersion(void) { return 14; }
int getInferLibPatchVersion(void) { return 1; }
int getInferLibBuildVersion(void) { return 48; }
"""
    for name in ("nvinfer", "nvinfer_plugin", "nvonnxparser"):
        shared(source, tmp_path / f"libs/lib{name}.so.10")
    said = {
        (package, cuda): measured(
            library,
            "tensorrt",
            "10.14.1.48",
            tmp_path,
            others={"cuda": cuda},
            commands={"dpkg-query": f"case $1 in -S) echo p: f ;; *) echo {package} ;; esac"},
        )
        for package, cuda in (
            ("10.14.1.48-1+cuda13.0", "13.0.2"),
            ("10.14.1.48-1+cuda12.9", "13.0.2"),
            ("10.14.0.40-1+cuda13.0", "13.0.2"),
        )
    }
    good, other_cuda, other_package = said.values()
    assert good == "version=10.14.1.48\ntoolkit=13.0\n"
    assert "it was built for CUDA 12.9, and the image has CUDA 13.0.2" in other_cuda
    assert "the library is 10.14.1.48, the package that brought it 10.14.0.40" in other_package


def test_rocm_comes_from_amds_repository_of_that_one_release(
    library: Library, tmp_path: Path
) -> None:
    rest = "    name_slots: [rocm, distro]\n"
    variant = only(library, tmp_path, text("ubuntu@24.04", 'rocm: ["6.2.0"]', rest))
    assert variant.name == "rocm6.2.0-ubuntu24.04"
    (entry,) = variant.slots["rocm"].data["packages"]
    (name,) = entry["repositories"]
    repository = variant.slots["rocm"].component.repositories[name]
    assert repository.line == "https://repo.radeon.com/rocm/apt/6.2 noble main"
    assert len(set(entry["install"].values())) == 2
    assert all(pin.endswith(".60200-66~24.04") for pin in entry["install"].values())
    assert Environments().of(variant)["ROCM_PATH"] == "/opt/rocm-6.2.0"


def test_rocm_beside_cuda_is_told_and_not_refused(library: Library, tmp_path: Path) -> None:
    both = 'gpu: [{cuda: "12.8.1", rocm: "7.2.4"}]'
    found = project(tmp_path, text("ubuntu@24.04", both), library=library).matrix
    assert len(found.variants) == 1
    (warning,) = (f for f in rules.warnings(found.variants) if "rocm-cuda" in f.message)
    assert "no machine needs both" in warning.message


def test_a_rocm_with_the_runtime_of_another_release_is_told(
    library: Library, tmp_path: Path
) -> None:
    for file in (".info/version", "lib/libamdhip64.so.6", "bin/rocminfo"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("6.2.0-66\n", "utf-8")
    (tmp_path / "bin/rocminfo").chmod(0o755)

    def asked(package: str) -> str:
        query = f"case $1 in -S) echo p: f ;; *) echo {package} ;; esac"
        return measured(library, "rocm", "6.2.0", tmp_path, commands={"dpkg-query": query})

    assert asked("6.2.41133.60200-66~24.04") == "version=6.2.0\nhip=60200\n"
    assert asked("6.3.42131.60300-39~22.04") == "version=6.2.0\nhip=60300\n"
    (tmp_path / "bin/rocminfo").unlink()
    assert "rocminfo on PATH is none" in asked("6.2.41133.60200-66~24.04")


def test_the_plugin_of_nccl_is_compiled_with_the_libfabric_and_the_cuda_of_the_image(
    library: Library, tmp_path: Path
) -> None:
    gpu = "gpu: [{cuda: cuda@13.0.2, nccl: '2.28.9', libfabric: '2.3.1', gdrcopy: '2.5.1'}]"
    axes = f"{gpu}, ofi_nccl: ['1.18.0']"
    variant = only(library, tmp_path, text("debian@12", axes))
    stages = Renderer(library, samples.lock([variant], library)).stages(variant)
    told = "\n".join(stage.text for stage in stages)
    assert "--with-libfabric=/opt/libfabric --with-cuda=/usr/local/cuda-13.0" in told
    assert "--with-gdrcopy=/opt/gdrcopy --enable-gdrcopy-dlopen" in told
    assert "--enable-efa=yes" in told


@pytest.mark.parametrize(
    ("fabric", "named", "said"),
    [
        ("libs", "aws-ofi-nccl 1.18.0", "version=1.18.0\n"),
        ("libs", "aws-ofi-nccl 1.17.3", "version=1.17.3\n"),
        ("other", "aws-ofi-nccl 1.18.0", "it is not linked to the libfabric in"),
        ("libs", "another plugin", "does not name its version"),
    ],
)
def test_a_plugin_that_is_linked_to_another_libfabric_is_told(
    fabric: str, named: str, said: str, library: Library, tmp_path: Path
) -> None:
    shared("int fi_version(void) { return 1; }", tmp_path / "libs/lib/libfabric.so.1")
    source = f'int fi_version(void); const char *ncclNetPlugin_v9 = "{named}";\n'
    linked = str(tmp_path / "libs/lib/libfabric.so.1")
    called = source + "int use(void) { return fi_version(); }"
    shared(called, tmp_path / "lib/libnccl-net.so", linked)
    found = measured(
        library,
        "aws-ofi-nccl",
        "1.18.0",
        tmp_path,
        others={"libfabric": f"2.3.1 {tmp_path / fabric}"},
    )
    assert said in found


@pytest.mark.parametrize("distro", ["debian@13", "ubuntu@22.04", "rocky@9"])
def test_a_python_that_the_distro_does_not_have_comes_from_source(
    distro: str, library: Library, tmp_path: Path
) -> None:
    axes = "python: ['3.11.2'], onnxruntime: [onnxruntime@1.23.2]"
    variant = only(library, tmp_path, text(distro, axes))
    assert variant.slots["python"].method == "source"
    assert python(variant.slots) == "3.11"
    assert python_home(variant) == "/opt/python/lib/python3.11/site-packages"
    environment = Environments().of(variant)
    assert environment["PATH"].startswith("/opt/python/bin:")
    stages = Renderer(library, samples.lock([variant], library)).stages(variant)
    told = "\n".join(stage.text for stage in stages)
    assert (
        "ADD --checksum=sha256:2411c74bda5bbcfcddaf4531f66d1adc73f247f529aee981b029513aefdbf84"
        in told
    )
    assert "> /out/opt/python/lib/python3.11/site-packages/onnxruntime.pth" in told


@pytest.mark.parametrize(
    ("axes", "has"),
    [
        ("onnxruntime: [onnxruntime@1.23.2]", True),
        ("onnxruntime: [onnxruntime@1.23.2], python: ['3.11.2']", True),  # the distro's own
        ("onnxruntime: [onnxruntime@1.23.2], python: ['3.12.9']", False),
        ("onnxruntime: [onnxruntime@1.23.2], conda: [miniforge@26.3.2-3]", False),
        ("conda: [miniforge@26.3.2-3]", False),
    ],
)
def test_the_distros_python_comes_only_where_there_is_no_other(
    axes: str, has: bool, library: Library, tmp_path: Path
) -> None:
    variant = only(library, tmp_path, text("debian@12", axes))
    assert ("python3" in Survey(library).base_packages(variant).names) is has


@pytest.mark.parametrize(
    ("distro", "axes", "home"),
    [
        ("debian@12", "", "/usr/local/lib/python3.11/dist-packages"),
        ("debian@12", ", python: ['3.11.2']", "/usr/local/lib/python3.11/dist-packages"),
        (
            "debian@12",
            ", conda: [miniforge@26.3.2-3]",
            "/opt/miniforge/lib/python3.13/site-packages",
        ),
        ("rocky@9", ", python: ['3.9.25']", "/usr/local/lib/python3.9/site-packages"),
    ],
)
def test_packages_go_where_the_images_python_looks(
    distro: str, axes: str, home: str, library: Library, tmp_path: Path
) -> None:
    variant = only(library, tmp_path, text(distro, f"git: [none]{axes}"))
    assert python_home(variant) == home


def test_conda_answers_for_the_python_of_its_image(library: Library, tmp_path: Path) -> None:
    both = text("debian@12", "conda: [miniforge@26.3.2-3], python: ['3.12.9']")
    (found,) = refused(lambda: project(tmp_path, both, library=library).matrix)
    assert "conda's answers for it, so leave one of the two out" in found.message
