"""What a consumer asks of an image is data; a variant that does not fulfil it is refused with the
requirement and its source.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.library.catalog import Library
from bakestone.core.matrix import spec
from bakestone.core.matrix.checks import profiles
from bakestone.core.matrix.checks.profiles import BUILT_IN
from bakestone.errors import render
from bakestone.project import Project
from tests.support.command import Command
from tests.support.samples import ROOT, Marked, Shown, locked, project, refused

MATRIX = """\
version: 1
registry: localhost:5000/base
families:
  - name: first
    profiles: [{profiles}]
    axes:
      distro: [{distro}]
{more}"""

CONDA = "      conda: [miniforge@26.3.2-3]\n"


def matrix(
    folder: Path,
    library: Library | None,
    distro: str = "ubuntu@22.04",
    more: str = CONDA,
    names: str = "azureml",
) -> Project:
    return project(folder, MATRIX.format(profiles=names, distro=distro, more=more), library=library)


def nearest(found: Shown) -> str:
    match = re.search(r"nearest that passes: (\S+);", found.hint)
    assert match, found.text
    return match[1]


def test_an_image_that_fits_passes_and_says_so(library: Library, tmp_path: Path) -> None:
    files = locked(
        tmp_path,
        MATRIX.format(profiles="azureml, azureml-2024", distro="ubuntu@22.04", more=CONDA),
        library=library,
    ).dockerfiles
    (text,) = files.values()
    assert 'io.bakestone.profiles="azureml,azureml-2024"' in text


@pytest.mark.parametrize(
    "distro", ["ubuntu@16.04", "ubuntu@18.04", "ubuntu@20.04", "ubuntu@22.04", "ubuntu@24.04"]
)
def test_azure_machine_learning_takes_ubuntu_from_16_04_on(
    distro: str, library: Library, tmp_path: Path
) -> None:
    conda = "      conda: [miniconda@4.5.11]\n    accept: [anaconda-terms]\n"
    assert matrix(tmp_path, library, distro, conda).matrix.variants


def test_another_distro_is_refused_with_the_requirement_its_source_and_one_that_passes(
    library: Library, tmp_path: Path
) -> None:
    (found,) = refused(lambda: matrix(tmp_path, library, "debian@12").matrix)
    assert found.marked == "debian@12"
    assert found.message.startswith(
        "debian@12 does not fit Azure Machine Learning (profile azureml): it supports images of"
        " Ubuntu 16.04 or later (requirement ubuntu; source: "
    )
    assert "MicrosoftDocs/azure-docs@" in found.message
    assert nearest(found).startswith("ubuntu@")
    assert matrix(tmp_path / "right", library, nearest(found)).matrix.variants


def test_a_conda_that_is_too_old_is_refused_by_what_is_inside_it(
    library: Library, tmp_path: Path
) -> None:
    more = "      conda: [miniconda@4.5.11]\n    accept: [anaconda-terms]\n"
    found = refused(lambda: matrix(tmp_path, library, "ubuntu@20.04", more, "azureml-2024").matrix)
    conda = next(f for f in found if "requirement conda" in f.message)
    assert conda.marked == "miniconda@4.5.11"
    assert conda.message.startswith(
        "version 4.5.11 of miniconda@4.5.11 does not fit Azure Machine Learning, edition of 2024"
        " (profile azureml-2024): "
    )
    assert matrix(tmp_path / "older", library, "ubuntu@20.04", more, "azureml").matrix.variants
    name, _, version = nearest(conda).partition("@")
    assert matrix(
        tmp_path / "right",
        library,
        "ubuntu@20.04",
        more.replace("miniconda@4.5.11", f"{name}@{version}"),
        "azureml-2024",
    ).matrix.variants


def test_a_build_s_own_name_is_not_taken_for_conda_s_version(
    library: Library, tmp_path: Path
) -> None:
    more = "      conda: [miniconda@py313_26.5.3-1]\n    accept: [anaconda-terms]\n"
    assert matrix(tmp_path, library, "ubuntu@22.04", more, "azureml-2024").matrix.variants


def test_what_is_lacking_is_to_be_added_and_the_suggestion_passes(
    library: Library, tmp_path: Path
) -> None:
    found = refused(lambda: matrix(tmp_path, library, "ubuntu@22.04", "").matrix)
    (conda,) = [f for f in found if "requirement conda" in f.message]
    assert conda.message.startswith(
        "no conda does not fit Azure Machine Learning (profile azureml): "
    )
    assert conda.marked == "azureml", "nothing is chosen there that could be marked"
    match = re.fullmatch(r"add the axis `conda: \[(\S+)\]`", conda.hint)
    assert match, conda.hint
    assert matrix(
        tmp_path / "right", library, "ubuntu@22.04", f"      conda: [{match[1]}]\n"
    ).matrix.variants


def test_two_things_that_are_wrong_each_have_their_own_way_out(
    library: Library, tmp_path: Path
) -> None:
    found = refused(lambda: matrix(tmp_path, library, "debian@12", "").matrix)
    distro = next(f for f in found if "requirement ubuntu" in f.message)
    conda = next(f for f in found if "requirement conda" in f.message)
    added = re.fullmatch(r"add the axis `conda: \[(\S+)\]`", conda.hint)
    assert added, conda.hint
    assert matrix(
        tmp_path / "right", library, nearest(distro), f"      conda: [{added[1]}]\n"
    ).matrix.variants


def test_only_the_family_that_names_a_profile_is_held_to_it(
    library: Library, tmp_path: Path
) -> None:
    other = "  - name: second\n    axes:\n      distro: [debian@12]\n"
    assert len(matrix(tmp_path, library, more=CONDA + other).matrix.variants) == 2


def test_a_combination_that_is_left_out_need_not_fit(library: Library, tmp_path: Path) -> None:
    leave = (
        "    exclude:\n      - {distro: debian, because: Azure Machine Learning takes Ubuntu"
        " only}\n"
    )
    assert (
        len(matrix(tmp_path, library, "debian@12, ubuntu@22.04", CONDA + leave).matrix.variants)
        == 1
    )


def test_a_family_is_told_once_of_a_thing_that_does_not_fit(
    library: Library, tmp_path: Path
) -> None:
    more = '      conda: [miniforge@26.3.2-3]\n      git: ["2.53.0", "2.52.0"]\n'
    (found,) = refused(lambda: matrix(tmp_path, library, "debian@12", more).matrix)
    assert "requirement ubuntu" in found.message


OWN = """\
profile: ours
title: Our cluster
source: the cluster's handbook, page 3
requirements:
  - id: tools
    packages: [htop, tmux]
    because: people log in to the nodes
  - id: driver
    require: {host.driver: ">=535"}
    because: the nodes are kept at that driver
    source: [the handbook, page 4, the operators]
  - id: mpi
    require: {mpi: ["openmpi@>=4.1", "none"], distro.codename: "j*"}
    because: older ones cannot see the network
"""


def own(folder: Path, text: str = OWN, name: str = "ours") -> Path:
    path = folder / "profiles" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_a_team_s_own_profile_is_a_file_beside_the_matrix(library: Library, tmp_path: Path) -> None:
    own(tmp_path)
    assert matrix(tmp_path, library, more="    packages: [tmux]\n", names="ours").matrix.variants
    (found,) = refused(lambda: matrix(tmp_path, library, more="", names="ours").matrix)
    assert (
        found.message
        == "an image on ubuntu@22.04 without htop or tmux does not fit Our cluster (profile ours):"
        " people log in to the nodes (requirement tools; source: the cluster's handbook, page 3)"
    )
    assert found.marked == "ours"
    assert found.hint == "add `packages: [htop]` to the family"


def test_packages_of_components_count(library: Library, tmp_path: Path) -> None:
    own(tmp_path, OWN.replace("[htop, tmux]", "[htop, git]"))
    more = '      git: ["2.34.1"]\n    methods: {git: apt}\n'
    assert matrix(tmp_path, library, more=more, names="ours").matrix.variants
    own(tmp_path, OWN.replace("[htop, tmux]", "[openssh-client]"))
    assert matrix(tmp_path, library, more="", names="ours").matrix.variants


def test_every_key_of_a_requirement_must_match(library: Library, tmp_path: Path) -> None:
    own(tmp_path)
    packages = "    packages: [tmux]\n"
    (codename,) = refused(
        lambda: matrix(tmp_path, library, "ubuntu@24.04", packages, "ours").matrix
    )
    assert codename.message.startswith("codename noble of ubuntu@24.04 does not fit Our cluster ")
    assert nearest(codename) == "ubuntu@22.04"
    old = '      mpi: ["openmpi@4.0.5"]\n    methods: {openmpi: source}\n' + packages
    (found,) = refused(lambda: matrix(tmp_path, library, "ubuntu@22.04", old, "ours").matrix)
    assert found.message.startswith(
        "openmpi@4.0.5 does not fit Our cluster (profile ours): older ones cannot see the network"
        " (requirement mpi; "
    )
    name, _, version = nearest(found).partition("@")
    assert (name, version.startswith("4.1")) == ("openmpi", True)


def test_what_is_not_stated_of_the_machines_holds(library: Library, tmp_path: Path) -> None:
    own(tmp_path)
    packages = "    packages: [tmux]\n"
    assert matrix(
        tmp_path, library, more=packages + '    driver: "550.54"\n', names="ours"
    ).matrix.variants
    (found,) = refused(
        lambda: (
            matrix(tmp_path, library, more=packages + '    driver: "470.82"\n', names="ours").matrix
        )
    )
    assert found.message.startswith(
        "driver 470.82 of the machines does not fit Our cluster (profile ours): "
    )
    assert found.message.endswith(
        "(requirement driver; source: the handbook, page 4, the operators)"
    )


def test_a_team_s_profile_stands_in_front_of_one_of_the_same_name(
    library: Library, tmp_path: Path
) -> None:
    own(tmp_path, OWN.replace("profile: ours", "profile: azureml"), "azureml")
    found = refused(lambda: matrix(tmp_path, library, more="").matrix)
    assert [re.findall(r"requirement (\w+)", f.message) for f in found] == [["tools"]]


def test_an_unknown_profile_is_marked_with_the_nearest(library: Library, tmp_path: Path) -> None:
    own(tmp_path)
    marked = Marked.of(MATRIX.format(profiles="«azurml»", distro="ubuntu@22.04", more=""))
    (found,) = refused(lambda: project(tmp_path, marked.text, library=library))
    assert (found.line, found.column, found.marked) == (marked.line, marked.column, marked.marked)
    assert (found.message, found.hint) == ("unknown profile 'azurml'", "did you mean azureml?")
    (far,) = refused(lambda: matrix(tmp_path, library, names="zzzzzzzz"))
    assert far.hint == "known profiles: azureml, azureml-2024, ours"


@pytest.mark.parametrize(
    "name",
    ["../images", "/etc/passwd", "azureml.yaml", '"azureml\\n"', "$HOME", "[azureml]", "Azureml"],
)
def test_a_name_that_leads_elsewhere_is_none(name: str, library: Library, tmp_path: Path) -> None:
    marked = Marked.of(MATRIX.format(profiles=f"«{name}»", distro="ubuntu@22.04", more=""))
    found = refused(lambda: project(tmp_path, marked.text, library=library))
    assert (found[0].line, found[0].column) == (marked.line, marked.column)


NO_REASON = OWN.replace("    because: people log in to the nodes\n", "").replace(
    "- id: tools", "- «id: tools»"
)
NO_SOURCE = (
    "«profile: ours»\n"
    + OWN.replace("source: the cluster's handbook, page 3\n", "", 1).partition("\n")[2]
)

WRONG = {
    # what is wrong: the text with «the part that the caret marks», the message, the hint
    "unknown key": (
        OWN + "«requirement»: []\n",
        "unknown key 'requirement'",
        "did you mean requirements?",
    ),
    "unknown key of a requirement": (
        OWN.replace("    packages:", "    «package»:"),
        "unknown key 'package'",
        "did you mean packages?",
    ),
    "unknown slot": (
        OWN.replace("{mpi: ", "{«mpii»: "),
        "there is no slot 'mpii'",
        "did you mean mpi?",
    ),
    "unknown slot of an attribute": (
        OWN.replace("distro.codename", "«distr.codename»"),
        "there is no slot 'distr'",
        "did you mean distro?",
    ),
    "unknown thing of the host": (
        OWN.replace("{host.driver:", "{«host.kernel»:"),
        "there is no slot 'host'",
        "host.driver",
    ),
    "a requirement without a reason": (NO_REASON, "the key 'because' is missing", "sentence"),
    "a profile without a source": (NO_SOURCE, "the key 'source' is missing", "Where"),
    "a requirement that asks for nothing": (
        OWN.replace("    packages: [htop, tmux]\n", "").replace("id: tools", "id: «tools»"),
        "the requirement tools asks for nothing",
        "packages",
    ),
    "two requirements of one name": (
        OWN.replace("id: driver", "id: «tools»"),
        "two requirements are named tools (first on line 5)",
        "rename",
    ),
    "another profile's name": (
        OWN.replace("profile: ours", "profile: «theirs»"),
        "the profile theirs is in the file of ours",
        "profile: ours",
    ),
    "no range": (OWN.replace('">=535"', '«">=535,<"»'), "cannot be", "a range such as"),
    "an unquoted number": (
        OWN.replace('">=535"', "«535»"),
        "must be text, and 535 is a number",
        '"535"',
    ),
    "a shell in a pattern": (
        OWN.replace('">=535"', '«"$(id)"»'),
        "it contains a dollar sign",
        "range",
    ),
    "a version of a package": (
        OWN.replace("htop", "«htop=1»"),
        'packages cannot be "htop=1"',
        "without a version",
    ),
    "a line break in a reason": (
        OWN.replace("people log in to the nodes", '«"people\\nlog in"»'),
        "it contains a line break",
        "one line",
    ),
    "a tag": (
        OWN.replace("[htop, tmux]", "«!!python/object:os.system [id]»"),
        "the tag !!python/object:os.system is not allowed",
        "plain",
    ),
    "a merge key": (
        OWN.replace("    packages: [htop, tmux]", "    «<<»: {packages: [htop]}"),
        "merge keys (<<) are not allowed",
        "write",
    ),
    "a key twice": (
        OWN + "«title»: x\n",
        "the key 'title' is there twice (first on line 2)",
        "remove one",
    ),
    "no requirements": (
        OWN[: OWN.index("requirements:")] + "requirements: «[]»\n",
        "requirements has too few entries",
        "fulfil",
    ),
    "an empty list of packages": (
        OWN.replace("[htop, tmux]", "«[]»"),
        "packages has too few entries",
        "packages",
    ),
    "text": ("«hello»\n", "the file must be a mapping", "indentation"),
}


@pytest.mark.parametrize(("text", "message", "hint"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_profile_is_marked_and_explained(
    text: str, message: str, hint: str, library: Library, tmp_path: Path
) -> None:
    marked = Marked.of(text)
    path = own(tmp_path, marked.text)
    found = refused(lambda: matrix(tmp_path, library, names="ours"))
    fitting = [f for f in found if message in f.message]
    assert fitting, "\n".join(f.text for f in found)
    first = fitting[0]
    assert (first.line, first.column) == (marked.line, marked.column), first.text
    assert first.marked.startswith(marked.marked[:1]), first.text
    assert first.text.startswith(f"{path}:{marked.line}:{marked.column}: ")
    assert hint in first.hint, first.text


def test_an_endless_file_is_not_read_whole(library: Library, tmp_path: Path) -> None:
    own(tmp_path, "# " + "x" * 3_000_000)
    (found,) = refused(lambda: matrix(tmp_path, library, names="ours"))
    assert "too large" in found.message


def test_a_wrong_profile_is_told_once_and_with_all_else_that_is_wrong(
    library: Library, tmp_path: Path
) -> None:
    own(tmp_path, OWN.replace("    packages:", "    package:"))
    second = (
        "  - name: second\n    profiles: [ours]\n    axes:\n      distro: [debian@12]\n      git:"
        ' ["0.1"]\n'
    )
    found = refused(lambda: matrix(tmp_path, library, more=second, names="ours").matrix)
    assert len(found) == 2
    assert sum("git has no version 0.1" in f.message for f in found) == 1


@pytest.mark.parametrize("path", sorted(BUILT_IN.glob("*.yaml")), ids=lambda p: p.stem)
def test_bakestone_s_own_profiles_follow_their_schema_and_name_it(
    path: Path, library: Library, tmp_path: Path
) -> None:
    findings = list(schema.findings_of(yamldoc.load(path, "the profile"), "profile"))
    assert not findings, render(findings)
    first = path.read_text("utf-8").splitlines()[0]
    assert (path.parent / first.partition("$schema=")[2]).resolve().name == "profile.schema.json"
    file = tmp_path / "images.yaml"
    file.write_text(MATRIX.format(profiles=path.stem, distro="ubuntu@22.04", more=""), "utf-8")
    known, wrong = profiles.load(spec.load(file).families, tmp_path, library)
    assert not wrong
    for requirement in known[path.stem].requirements:
        assert re.search(r"@[0-9a-f]{8}:", requirement.source), (
            "a page at a commit, so that it can be read as it was"
        )


def test_the_document_s_examples_are_what_the_command_says(
    bakestone: Command, tmp_path: Path
) -> None:
    """docs/consumers.md: a file that is shown is written under the name in its first line; what
    follows a command is its output.
    """
    text = (ROOT / "docs" / "consumers.md").read_text("utf-8")
    told = 0
    for kind, body in re.findall(r"^```(yaml|console)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if kind == "yaml":
            path = tmp_path / body.partition("\n")[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(body, "utf-8")
            continue
        for command, output in re.findall(
            r"^\$ bakestone (.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE
        ):
            said = bakestone(*command.split()).output
            assert [line.rstrip() for line in said.splitlines()] == output.splitlines(), command
            told += 1
    assert told > 4
