"""`python` of a family: read in pip's words, refused where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.matrix import requirements
from tests.support.samples import FIRST, Marked, project, refused

HEAD = "version: 1\nregistry: localhost:5000/base\n"


def matrix(python: str, axes: str = "distro: [debian@13]") -> str:
    return f"{HEAD}families:\n  - name: serving\n    axes: {{{axes}}}\n    python: {python}\n"


NORMAL = {
    "Flask": "flask",
    "Flask_Cors >= 3, <5": "flask-cors<5,>=3",
    "flask [async, dotenv]>=3": "flask[async,dotenv]>=3",
    'numpy>=2; python_version > "3"': 'numpy>=2 ; python_version > "3"',
    "zope.interface==6.*": "zope-interface==6.*",
}


@pytest.mark.parametrize(("text", "normal"), NORMAL.items())
def test_one_requirement_has_one_form(text: str, normal: str) -> None:
    assert requirements.normal(text) == normal == requirements.normal(normal)


REFUSED = {
    "a b": "'a b' is no requirement",
    "./local": "'./local' is no requirement",
    "-e .": "'-e .' is no requirement",
    "x @ https://example.com/x.whl": "'x @ https://example.com/x.whl' is no requirement",
    "x @ file:///x.whl": "'x @ file:///x.whl' is no requirement",
    "x @ x.whl": "'x @ x.whl' names a place of its own",
    "x\n--index-url=https://example.com": None,
    "$(id)": "'$(id)' is no requirement",
}


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_what_is_not_from_an_index_is_refused(text: str, said: str | None) -> None:
    (found,) = refused(lambda: requirements.normal(text))
    assert found.message == said or (said is None and "is no requirement" in found.message)


def test_a_list_and_a_file_are_one_environment(library: Library, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "# ours\nrequests==2.32.5 --hash=sha256:aa\nNumPy >=2 \\\n  ,<3  # newer\n\n", "utf-8"
    )
    listed = '["numpy<3,>=2", flask]'
    said = f"{{packages: {listed}, requirements: requirements.txt, owner: user}}"
    text = matrix(said)
    (family,) = project(tmp_path, text, library=library).matrix.spec.families
    own = family.content.python
    assert own
    assert own.requirements == ("flask", "numpy<3,>=2", "requests==2.32.5")
    assert (own.prefix, own.of_user, own.where.line) == ("/opt/environment", True, 6)


def test_a_last_line_that_goes_on_is_taken_all_the_same() -> None:
    found = requirements.of_file("requirements.txt", b"flask\nnumpy \\\n  >=2 \\")
    assert found == [(1, "flask"), (2, "numpy   >=2")]


def test_a_project_s_dependencies_are_taken(library: Library, tmp_path: Path) -> None:
    project_file = '[project]\nname = "x"\ndependencies = ["flask>=3", "click"]\n'
    (tmp_path / "pyproject.toml").write_text(project_file, "utf-8")
    made = project(tmp_path, matrix("{requirements: pyproject.toml}"), library=library)
    own = made.matrix.spec.families[0].content.python
    assert own
    assert own.requirements == ("click", "flask>=3")


FILES = {
    "requirements.txt": [
        ("flask\n-r other.txt\n", "requirements.txt:2: the option -r is not taken"),
        (
            "--index-url=https://u:secret@example.com\n",
            "requirements.txt:1: the option --index-url",
        ),
        ("flask\n\na b\n", "requirements.txt:3: 'a b' is no requirement"),
        ("# nothing\n", "requirements.txt asks for no package"),
    ],
    "pyproject.toml": [
        ("[project\n", "pyproject.toml is no TOML: "),
        ("[tool.poetry]\n", "pyproject.toml has no list `dependencies`"),
        ("[project]\ndependencies = [1]\n", "pyproject.toml has no list `dependencies`"),
    ],
    "environment.yml": [("dependencies: []\n", "environment.yml is an environment of conda")],
}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [(name, content, said) for name, cases in FILES.items() for content, said in cases],
)
def test_a_file_that_cannot_be_taken_is_told_with_its_line(
    name: str, content: str, said: str, library: Library, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    text = matrix(f"{{requirements: {name}}}")
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert found.message.startswith(said)
    assert found.marked == name
    assert "secret" not in found.text


def test_a_file_outside_the_repository_is_not_read(library: Library, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("flask\n", "utf-8")
    folder = tmp_path / "team"
    folder.mkdir()
    (folder / "requirements.txt").symlink_to(tmp_path / "secret.txt")
    text = matrix("{requirements: requirements.txt}")
    (found,) = refused(lambda: project(folder, text, library=library).matrix)
    assert found.message == "the file is a link that leads out of the folder of images.yaml"
    assert found.marked == "requirements.txt"


PLACES = {
    "/usr/lib/x": "/usr/lib/x cannot be an environment of Python: it is the system's",
    "/tmp/x": "nothing can be put at /tmp/x",
    "/opt": "/opt cannot be an environment of Python: it is the system's",
    "/opt/miniconda/env": "/opt/miniconda/env is below /opt/miniconda, which miniconda@",
}


@pytest.mark.parametrize(("place", "said"), PLACES.items())
def test_an_environment_has_a_folder_to_itself(
    place: str, said: str, library: Library, tmp_path: Path
) -> None:
    axes = "distro: [debian@13], conda: [miniconda@py313_26.5.3-1]"
    text = matrix(f"{{packages: [flask], prefix: {place}}}\n    accept: [anaconda-terms]", axes)
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert found.message.startswith(said)


def test_a_python_that_is_too_old_or_unknown_is_refused(library: Library, tmp_path: Path) -> None:
    text = Marked.of(
        FIRST.replace("[openmpi@5.0.10]", "[openmpi@5.0.10]")
        + "    «python»: {packages: [flask]}\n"
    )
    old = text.text.replace("ubuntu@22.04", "ubuntu@16.04")
    (found,) = refused(lambda: project(tmp_path, old, library=library).matrix)
    assert (
        "packages are resolved for 3.7 and later" in found.message
        or "nobody knows" in found.message
    )
    assert found.line == text.line


def test_the_environment_s_own_variable_is_not_a_team_s(library: Library, tmp_path: Path) -> None:
    text = matrix("{packages: [flask]}\n    env: {VIRTUAL_ENV: /x}")
    (found,) = refused(lambda: project(tmp_path, text, library=library).matrix)
    assert found.message == "`python` sets VIRTUAL_ENV itself"
