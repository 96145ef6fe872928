"""What a component's data can say: conditions, attributes, vendors' repositories, what a build
uses, what is given up.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bakestone.jobs.explain import explain
from bakestone.project import Project
from tests.support import team
from tests.support.samples import locked, project, refused
from tests.support.stages import stage_texts

RUN = "RUN true\n\n"
BY_SOURCE = {"source": {"summary": "from source", "builder": "distro"}}


def source(**entries: Any) -> dict[str, Any]:
    """Versions by source: `v1=[artifact, ...]`."""
    return {
        name.removeprefix("v"): {"methods": {"source": {"artifacts": found}}}
        for name, found in entries.items()
    }


def dockerfile(made: Project) -> str:
    (text,) = made.dockerfiles.values()
    return text


def pins(made: Project) -> set[str]:
    return {fact.pin.partition("\n")[0] for fact in explain(made, made.matrix.variants[0].name)[1]}


def test_a_rule_sees_what_is_measured_of_the_distro(tmp_path: Path) -> None:
    team.distro(tmp_path, v1={"glibc": "2.23"}, v2={"glibc": "2.28"}, v3={})
    rule = {
        "id": "tool-glibc",
        "when": {"mpi": "*"},
        "require": {"distro.glibc": ">=2.27"},
        "because": "its files need it",
        "source": "its notes",
    }
    team.write(
        tmp_path,
        team.tool("tool", "mpi", BY_SOURCE, rules=[rule]),
        source(v1=[team.artifact("a")]),
        install_source_j2=RUN,
    )
    old, unknown = refused(
        lambda: (
            project(
                tmp_path, team.matrix("{distro: [smallos@1, smallos@2, smallos@3], mpi: [tool@1]}")
            ).matrix
        )
    )
    assert (
        old.message
        == "tool@1 does not go with glibc 2.23 of smallos@1: its files need it (rule tool-glibc;"
        " source: its notes)"
    )
    assert old.hint.startswith("nearest that passes: smallos@2; or leave")
    assert unknown.message.startswith(
        "tool@1 does not go with smallos@3, whose glibc is not known:"
    )
    assert [
        v.distro.text
        for v in project(
            tmp_path, team.matrix("{distro: [smallos@2], mpi: [tool@1]}")
        ).matrix.variants
    ] == ["smallos@2"]


def test_an_entry_counts_only_where_its_condition_holds(tmp_path: Path) -> None:
    team.distro(tmp_path, v1={})
    entries = [
        team.artifact("old.tar", when={"ucx": "<2"}),
        team.artifact("new.tar", when={"ucx": [">=2,<4", "none"]}),
    ]
    team.write(
        tmp_path,
        team.tool("tool", "mpi", BY_SOURCE),
        source(v1=entries),
        install_source_j2="RUN tar -xf {{ artifacts[0].filename }}\n\n",
    )
    other = source(v1=[team.artifact("b1")], v3=[team.artifact("b3")], v4=[team.artifact("b4")])
    team.write(tmp_path, team.tool("other", "ucx", BY_SOURCE), other, install_source_j2=RUN)
    made = locked(
        tmp_path, team.matrix("{distro: [smallos@1], mpi: [tool@1], ucx: [none, other@1, other@3]}")
    )
    assert [re.findall(r"^RUN tar -xf (\S+)", t, re.M) for t in made.dockerfiles.values()] == [
        ["new.tar"],
        ["old.tar"],
        ["new.tar"],
    ]
    assert "https://files.example.com/old.tar" in {
        fact.pin.partition("\n")[0] for fact in explain(made, "tool1-smallos1-other1")[1]
    }
    (found,) = refused(
        lambda: (
            project(
                tmp_path, team.matrix("{distro: [smallos@1], mpi: [tool@1], ucx: [other@4]}")
            ).matrix
        )
    )
    assert (
        found.message
        == "tool@1 cannot be installed here (source: there for ucx <2; ucx >=2,<4 or none)"
    )
    assert "nearest that passes: other@3;" in found.hint


def test_a_method_can_ask_something_of_the_image(tmp_path: Path) -> None:
    team.distro(tmp_path, v1={"glibc": "2.23"}, v2={"glibc": "2.28"})
    methods = {
        "wheel": {
            "summary": "wheels",
            "require": {"distro.glibc": ">=2.28"},
            "because": "manylinux_2_28",
        },
        **BY_SOURCE,
    }
    both = {
        "1": {
            "methods": {
                "wheel": {"wheels": [team.wheel("tool", "1")]},
                "source": {"artifacts": [team.artifact("a")]},
            }
        }
    }
    team.write(tmp_path, team.tool("tool", "mpi", methods), both)
    first, second = project(
        tmp_path, team.matrix("{distro: [smallos@1, smallos@2], mpi: [tool@1]}")
    ).matrix.variants
    assert (first.slots["mpi"].method, second.slots["mpi"].method) == ("source", "wheel")
    assert (
        "wheel: needs distro.glibc >=2.28, not glibc 2.23 of smallos@1: manylinux_2_28"
        in first.slots["mpi"].why
    )


def test_wheels_of_one_python_are_taken_for_the_python_of_the_image(tmp_path: Path) -> None:
    team.distro(tmp_path, v1={})
    tags = {
        "3.11": "cp311-cp311-manylinux_2_28_x86_64",
        "3.13": "cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64",
    }
    wheels = [
        team.wheel("numpy", "2.4", tag, when={"python": python}) for python, tag in tags.items()
    ] + [team.wheel("sympy", "1.14")]
    methods = {"wheel": {"summary": "wheels", "builder": "debian@12"}}
    team.write(
        tmp_path,
        team.tool("ort", "ort", methods),
        {"1": {"methods": {"wheel": {"wheels": wheels}}}},
        install_wheel_j2=RUN,
    )
    conda = {
        "1": {
            "measure": {"python_minor": "3.13"},
            "methods": {"source": {"artifacts": [team.artifact("c")]}},
        }
    }
    team.write(tmp_path, team.tool("conda", "conda", BY_SOURCE), conda, install_source_j2=RUN)
    made = locked(
        tmp_path, team.matrix("{distro: [smallos@1], ort: [ort@1], conda: [none, conda@1]}")
    )
    assert sorted(made.lock.wheels) == ["numpy==2.4 cp311", "numpy==2.4 cp313", "sympy==1.14"]
    plain, with_conda = made.dockerfiles.values()
    assert "\nsh /tools/wheels.sh 3.11 manylinux_2_28_x86_64\n" in plain
    both = "manylinux_2_27_x86_64 manylinux_2_28_x86_64"
    assert f"\nsh /tools/wheels.sh 3.13 {both}\n" in with_conda
    hashes = {
        python: wheels[index]["files"]["linux/amd64"]["sha256"] for index, python in enumerate(tags)
    }
    assert f"\nnumpy==2.4 --hash=sha256:{hashes['3.11']}\n" in plain
    assert f"\nnumpy==2.4 --hash=sha256:{hashes['3.13']}\n" in with_conda


@pytest.mark.parametrize(
    ("driver", "passes"), [("", True), ("525.60.13", True), ("580", True), ("520.61", False)]
)
def test_a_rule_can_ask_for_the_driver_of_the_machines(
    driver: str, passes: bool, tmp_path: Path
) -> None:
    team.distro(tmp_path, v1={})
    rule = {
        "id": "d",
        "when": {"cuda": ">=12"},
        "require": {"host.driver": ">=525.60.13"},
        "because": "CUDA 12 runs on it",
        "source": "notes",
    }
    versions = source(v11=[team.artifact("a")], v12=[team.artifact("b")])
    team.write(
        tmp_path,
        team.tool("tool", "cuda", BY_SOURCE, rules=[rule]),
        versions,
        install_source_j2=RUN,
    )
    text = team.matrix(
        "{distro: [smallos@1], cuda: [tool@12]}", f'    driver: "{driver}"\n' if driver else ""
    )
    if passes:
        assert len(project(tmp_path, text).matrix.variants) == 1
    else:
        (found,) = refused(lambda: project(tmp_path, text).matrix)
        assert found.message.startswith(
            "tool@12 does not go with driver 520.61 of the machines: CUDA 12 runs on it"
        )
        assert "nearest that passes: tool@11;" in found.hint


FINGERPRINT = "EB693B3035CD5710E231E123A4B469963BF863CC"
REPOSITORY = {
    "line": "https://vendor.example.com/repo all main",
    "key": {"url": "https://vendor.example.com/key.pub", "fingerprint": FINGERPRINT},
}


def vendor(folder: Path, **more: Any) -> None:
    team.distro(folder, v1={}, v2={})
    entry = {
        "when": {"distro": "smallos@1"},
        "repositories": ["vendor"],
        "install": {"tool": "1.0-1", "tool-dev": "1.0-2"},
        "source": "a page",
    }
    methods = {"apt": {"summary": "the vendor's packages"}}
    data = team.tool(
        "tool",
        "cuda",
        methods,
        repositories={"vendor": REPOSITORY},
        path=["{{ prefix }}/bin"],
        **more,
    )
    team.write(
        folder,
        data,
        {"1": {"methods": {"apt": {"packages": [entry]}}}},
        install_apt_j2="RUN ln -s /usr/tool {{ prefix }}\n",
    )


def test_packages_of_a_vendor_come_at_their_versions_from_a_repository_with_one_key(
    tmp_path: Path,
) -> None:
    vendor(tmp_path)
    made = locked(
        tmp_path,
        team.matrix("{distro: [smallos@1], cuda: [tool@1]}", "    name_slots: [cuda, distro]\n"),
    )
    text = dockerfile(made)
    stages = re.findall(r"^FROM (\S+) AS (\S+)", text, re.MULTILINE)
    assert [name for _, name in stages] == [
        "tools",
        "debian12-builder",
        "keyring-files",
        "keyring-tools",
        "keyrings",
        "smallos1",
        "measure-smallos",  # and the tool's: the scripts are equal
        "smallos1.measure",
        "tool.measure",
        "gate",
        "tool1-smallos1.image",
        "tool1-smallos1.inventory",
        "tool1-smallos1",
    ]
    assert "ADD https://vendor.example.com/key.pub /vendor.key\n" in text
    assert f"\nsh /tools/keyrings.sh \\\n  vendor {FINGERPRINT}\n" in text
    base = stage_texts(text)["smallos1"]
    assert "deb [signed-by=/keyrings/vendor.gpg] https://vendor.example.com/repo all main" in base
    assert "--mount=type=bind,from=keyrings,source=/out,target=/keyrings" in base
    install = base[base.index("/keyrings/vendor.gpg") :]
    assert "tool=" in install
    assert "RUN ln -s /usr/tool /opt/tool\n" in install
    assert "user.sh" in install  # after the packages: they are root's
    assert 'PATH="/opt/tool/bin:' in text
    facts = explain(made, "tool1-smallos1")[1]
    (packages,) = [fact for fact in facts if fact.topic == "cuda packages"]
    assert packages.pin == "tool-dev=1.0-2\ntool=1.0-1"
    assert FINGERPRINT in packages.origin
    assert "a page (confidence: not given)" in packages.origin


def test_packages_of_a_vendor_are_for_their_distro(tmp_path: Path) -> None:
    vendor(tmp_path)
    (found,) = refused(
        lambda: project(tmp_path, team.matrix("{distro: [smallos@2], cuda: [tool@1]}")).matrix
    )
    assert found.message == "tool@1 cannot be installed here (apt: there for distro smallos@1)"
    assert "nearest that passes: smallos@1;" in found.hint


def test_a_repository_that_is_not_there_is_named(tmp_path: Path) -> None:
    vendor(tmp_path)
    path = tmp_path / "components/tool/versions.yaml"
    path.write_text(path.read_text("utf-8").replace("- vendor", "- vendro"), "utf-8")
    (found,) = refused(
        lambda: locked(tmp_path, team.matrix("{distro: [smallos@1], cuda: [tool@1]}"))
    )
    assert (
        "tool@1 comes from the repository vendro, which its component.yaml does not have"
        in found.message
    )
    assert found.hint == "did you mean vendor?"


def mpi_stage(text: str) -> str:
    """The stage that a variant has its MPI from."""
    stages = stage_texts(text)
    (name,) = re.findall(r"^COPY --link --from=(mpi\S*) /out/ /$", text, re.MULTILINE)
    return stages[name]


def test_a_build_has_the_files_of_what_it_uses(tmp_path: Path) -> None:
    vendor(tmp_path)
    team.write(
        tmp_path,
        team.tool("ucx", "ucx", BY_SOURCE),
        source(v1=[team.artifact("u")]),
        install_source_j2=RUN,
    )
    methods = {
        "source": {
            "summary": "from source",
            "builder": "distro",
            "uses": {"ucx": [], "cuda": ["ucx"]},
        }
    }
    template = "RUN ./configure{% if ucx is defined %} --with-ucx={{ ucx.prefix }}{% endif %}\n"
    team.write(
        tmp_path,
        team.tool("mpi", "mpi", methods),
        source(v1=[team.artifact("m")]),
        install_source_j2=template,
    )
    axes = "{distro: [smallos@1], mpi: [mpi@1], cuda: [none, tool@1], ucx: [none, ucx@1]}"
    made = locked(tmp_path, team.matrix(axes, "    name_slots: [mpi, cuda, ucx]\n"))
    stages = {name: mpi_stage(text) for name, text in made.dockerfiles.items()}
    starts = {name: text.split()[1] for name, text in stages.items()}
    own = "smallos1-builder"
    base = "smallos1-tool"  # CUDA's packages are in it
    assert starts == {"mpi1": own, "mpi1-ucx1": own, "mpi1-tool1": own, "mpi1-tool1-ucx1": base}
    copied = re.compile(r"^COPY --from=(\S+) /out/ /$", re.MULTILINE)
    assert {name: copied.findall(text) for name, text in stages.items()} == {
        "mpi1": [],
        "mpi1-ucx1": ["ucx"],
        "mpi1-tool1": [],
        "mpi1-tool1-ucx1": ["ucx"],
    }
    assert "--with-ucx=/opt/ucx" in stages["mpi1-tool1-ucx1"]
    assert stages["mpi1"] == stages["mpi1-tool1"]


def images(*entries: dict[str, Any]) -> dict[str, Any]:
    return {
        "1": {
            "methods": {
                "image": {"images": list(entries)},
                "source": {"artifacts": [team.artifact("a")]},
            }
        }
    }


def test_a_deleted_image_is_taken_only_when_it_is_asked_for(tmp_path: Path) -> None:
    team.distro(tmp_path, v1={})
    methods = {"image": {"summary": "an image"}, **BY_SOURCE}
    deleted = {
        "ref": "registry.example.com/cuda:1",
        "distro": "smallos@1",
        "deleted": "2023-07-20 (a thread)",
    }
    team.write(tmp_path, team.tool("tool", "cuda", methods), images(deleted), install_source_j2=RUN)
    text = team.matrix("{distro: [smallos@1], cuda: [tool@1]}")
    (variant,) = project(tmp_path, text).matrix.variants
    assert variant.slots["cuda"].method == "source"
    assert (
        "image: registry.example.com/cuda:1 was deleted from its registry: 2023-07-20 (a thread)"
        in variant.slots["cuda"].why
    )
    (asked,) = project(tmp_path, text + "    methods: {tool: image}\n").matrix.variants
    assert asked.base.ref == "registry.example.com/cuda:1"


def test_what_was_given_up_is_refused_with_the_reason(tmp_path: Path) -> None:
    team.distro(tmp_path, v1={})
    whole = {
        "component": "stick",
        "slot": "ort",
        "title": "Stick",
        "homepage": "https://x.example.com/",
        "licence": "MIT",
    }
    reason = {"because": "the stick is sold no more", "source": "release notes", "instead": "cpu"}
    team.write(tmp_path, {**whole, "retired": [{"versions": "*", **reason}]})
    part = team.tool(
        "cpu", "ort", BY_SOURCE, retired=[{"versions": "<1", **reason, "because": "too old"}]
    )
    team.write(tmp_path, part, source(v1=[team.artifact("a")]), install_source_j2=RUN)
    stick, old = refused(
        lambda: (
            project(
                tmp_path, team.matrix("{distro: [smallos@1], ort: [stick@2020.1, cpu@0.9, cpu@1]}")
            ).matrix
        )
    )
    assert (
        stick.message
        == "stick@2020.1 is retired: the stick is sold no more (source: release notes)"
    )
    assert stick.hint == "use cpu"
    assert (stick.line, stick.marked) == (5, "stick@2020.1")
    assert old.message == "cpu@0.9 is retired: too old (source: release notes)"


def test_a_folder_with_versions_alone_adds_them_to_a_component(tmp_path: Path) -> None:
    own = tmp_path / "components/openmpi"
    own.mkdir(parents=True)
    entry = (
        f"{{url: 'https://mpi.example.com/openmpi-9.9.9.tar.bz2', sha256: {'a' * 64}, source:"
        " computed}"
    )
    (own / "versions.yaml").write_text(
        f'versions:\n  "9.9.9": {{methods: {{source: {{artifacts: [{entry}]}}}}}}\n', "utf-8"
    )
    made = project(
        tmp_path, team.matrix("{distro: [debian@12], mpi: [openmpi@9.9.9, openmpi@5.0.10]}")
    )
    assert [v.slots["mpi"].version.version for v in made.matrix.variants] == ["9.9.9", "5.0.10"]
    component = made.matrix.library.get("openmpi")
    assert component is not None
    assert next(iter(component.versions)) == "9.9.9"


def test_versions_of_no_component_are_an_error(tmp_path: Path) -> None:
    own = tmp_path / "components/opnmpi"
    own.mkdir(parents=True)
    (own / "versions.yaml").write_text('versions: {"1": {}}\n', "utf-8")
    (found,) = refused(lambda: project(tmp_path).matrix)
    assert "opnmpi has versions.yaml but no component.yaml" in found.message
    assert found.hint == "did you mean openmpi?"


def test_a_version_has_variables_of_its_own(tmp_path: Path) -> None:
    team.distro(tmp_path, v1={})
    versions = source(v1=[team.artifact("a")])
    versions["1"] |= {"driver": ">=570.26", "driver_minimum": ">=525.60.13"}
    versions["1"]["environment"] = {
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.8 brand=tesla,driver>=470,driver<471",
        "BOTH": "version",
    }
    team.write(
        tmp_path,
        team.tool("tool", "cuda", BY_SOURCE, environment={"BOTH": "component"}),
        versions,
        install_source_j2=RUN,
    )
    text = dockerfile(locked(tmp_path, team.matrix("{distro: [smallos@1], cuda: [tool@1]}")))
    assert 'NVIDIA_REQUIRE_CUDA="cuda>=12.8 brand=tesla,driver>=470,driver<471"' in text
    assert 'BOTH="version"' in text
    assert 'io.bakestone.driver="&gt;' not in text
    assert 'io.bakestone.driver=">=570.26"' in text
    assert 'io.bakestone.driver.minimum=">=525.60.13"' in text
    assert '--driver ">=525.60.13 >=570.26"' in text


def test_the_licences_of_all_components_are_in_a_label(tmp_path: Path) -> None:
    team.distro(tmp_path, v1={})
    data = team.tool("tool", "mpi", BY_SOURCE) | {"licence": "GPL-2.0-only OR MIT"}
    team.write(tmp_path, data, source(v1=[team.artifact("a")]), install_source_j2=RUN)
    text = dockerfile(locked(tmp_path, team.matrix("{distro: [smallos@1], mpi: [tool@1]}")))
    assert 'org.opencontainers.image.licenses="MIT AND (GPL-2.0-only OR MIT)"' in text
