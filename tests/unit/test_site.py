"""A site file changes where things come from and go to, and never what is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator import lockfile, site
from generator.library import Library
from generator.site import Site

from .samples import MANY, Marked, locked, made_up_lock, project, refused

SITE = """\
version: 1
registry: other.example.com/images
insecure: ["mirror.example.com:5000"]
mirrors:
  registries:
    docker.io/library: mirror.example.com:5000/library
    docker.io: mirror.example.com:5000/hub
  urls:
    https://download.open-mpi.org/: https://files.example.com/open-mpi/
ca: ca.pem
pip: pip.conf
apt: apt.conf
builder: big
pins: {debian: versions, "ubuntu@22.*": frozen}
"""

SECRETS = {
    "ca.pem": "-----BEGIN CERTIFICATE-----\n",
    "pip.conf": "[global]\nindex-url = https://user:hunter2@pypi.example.com/\n",
    "apt.conf": "x y;\n",
}


def with_secrets(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in SECRETS.items():
        (folder / name).write_text(text, "utf-8")
    path = folder / "site.yaml"
    path.write_text(SITE, "utf-8")
    return path


def test_without_a_site_file_nothing_is_special() -> None:
    assert site.load(None) == Site()
    assert Site().source_policy() is None
    assert Site().mirror("docker.io/library/debian:12") == "docker.io/library/debian:12"


def test_secrets_and_mirrors_change_neither_dockerfiles_nor_fingerprints(library: Library, tmp_path: Path) -> None:
    plain = locked(tmp_path / "plain", MANY, library=library)
    special = locked(tmp_path / "special", MANY, library=library)
    special.site_path = with_secrets(tmp_path / "special")
    assert special.site.files.keys() == {"ca", "pip", "apt"}
    assert special.dockerfiles == plain.dockerfiles
    for variant in plain.matrix.variants:
        same = next(v for v in special.matrix.variants if v.name == variant.name)
        assert special.fingerprint(same) == plain.fingerprint(variant)
    assert list(special.texts().values()) == [t.replace("/plain/", "/special/") for t in plain.texts().values()]
    for text in (*special.texts().values(), lockfile.dump(special.lock)):
        assert "hunter2" not in text
        assert "example.com:5000" not in text


def test_the_sites_registry_wins_and_the_command_line_wins_over_it(library: Library, tmp_path: Path) -> None:
    assert project(tmp_path, MANY, library=library).registry == "registry.example.com/base"
    made = project(tmp_path, MANY, library=library)
    made.site_path = with_secrets(tmp_path)
    assert made.registry == "other.example.com/images"
    made.registry_override = "localhost:5000/x"
    assert made.registry == "localhost:5000/x"


def test_the_longest_prefix_of_a_mirror_counts(tmp_path: Path) -> None:
    loaded = site.load(with_secrets(tmp_path))
    assert loaded.mirror("docker.io/library/debian:12") == "mirror.example.com:5000/library/debian:12"
    assert loaded.mirror("docker.io/nvidia/cuda:1") == "mirror.example.com:5000/hub/nvidia/cuda:1"
    assert loaded.mirror("docker.io.example.com/x:1") == "docker.io.example.com/x:1"
    assert loaded.mirror("ghcr.io/x/y:1") == "ghcr.io/x/y:1"


def test_mirrors_become_a_source_policy_with_the_longest_prefix_last(tmp_path: Path) -> None:
    policy = site.load(with_secrets(tmp_path)).source_policy()
    assert policy is not None
    pairs = [(r["selector"]["identifier"], r["updates"]["identifier"]) for r in policy["rules"]]
    assert pairs == [
        ("docker-image://docker.io/*", "docker-image://mirror.example.com:5000/hub/${1}"),
        ("https://download.open-mpi.org/*", "https://files.example.com/open-mpi/${1}"),
        ("docker-image://docker.io/library/*", "docker-image://mirror.example.com:5000/library/${1}"),
    ]
    assert {r["action"] for r in policy["rules"]} == {"CONVERT"}


def test_pins_are_chosen_by_pattern(tmp_path: Path) -> None:
    loaded = site.load(with_secrets(tmp_path))
    assert loaded.pins_for("debian", "12") == "versions"
    assert loaded.pins_for("ubuntu", "22.04") == "frozen"
    assert loaded.pins_for("ubuntu", "24.04") == ""


def test_paths_start_at_the_site_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with_secrets(tmp_path / "elsewhere")
    assert site.load(Path("elsewhere/site.yaml")).files["pip"] == tmp_path / "elsewhere" / "pip.conf"


WRONG = {
    "unknown key": ("version: 1\n«registries»: {}\n", "unknown key 'registries'", "did you mean registry?"),
    "missing file": ("version: 1\npip: «none.conf»\n", "there is no file none.conf", "site file's folder"),
    "URL without a slash": ("version: 1\nmirrors: {urls: {https://a.example/: «https://b.example»}}\n", "cannot be", "ends with a slash"),
    "credentials in a URL": ("version: 1\nmirrors: {urls: {https://a.example/: «https://u:p@b.example/»}}\n", "cannot be", "without credentials"),
    "a mirror with a tag": ("version: 1\nmirrors: {registries: {docker.io: «'x:y z'»}}\n", "it contains a space", "HOST"),
    "a builder that is an option": ("version: 1\nbuilder: «--push»\n", "builder cannot be", "docker buildx ls"),
    "unknown way to pin": ("version: 1\npins: {debian: «latest»}\n", 'debian cannot be "latest"', "one of: snapshot, versions, frozen"),
    "a comma in a path": ("version: 1\nca: «'a,b'»\n", "ca cannot be", "a path"),
}


@pytest.mark.parametrize(("text", "message", "hint"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_site_file_is_marked_and_explained(text: str, message: str, hint: str, tmp_path: Path) -> None:
    marked = Marked.of(text)
    path = tmp_path / "site.yaml"
    path.write_text(marked.text, "utf-8")
    (found,) = refused(lambda: site.load(path))
    assert message in found.message
    assert hint in found.hint
    assert (found.line, found.column, found.marked) == (marked.line, marked.column, marked.marked)


def test_a_missing_site_file_is_answered_with_how_to_name_it(tmp_path: Path) -> None:
    (found,) = refused(lambda: site.load(tmp_path / "site.yaml"))
    assert "--site or BAKESTONE_SITE" in found.hint


def test_a_lock_made_elsewhere_is_the_same_lock(library: Library, tmp_path: Path) -> None:
    here = project(tmp_path / "here", MANY, library=library)
    there = project(tmp_path / "there", MANY, library=library)
    assert lockfile.dump(made_up_lock(here.matrix.variants, library)) == lockfile.dump(made_up_lock(there.matrix.variants, library))
