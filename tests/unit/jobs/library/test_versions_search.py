"""`bakestone versions` shows the library and `bakestone search` finds things in it, for people and
for programs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bakestone.core.documents.patterns import version_key
from bakestone.core.library.catalog import Library
from bakestone.jobs.library import search as searching
from tests.support.command import Command
from tests.support.samples import MANY, ROOT, locked, made_up

OVERLAY = f"""\
versions:
  "5.0.99":
    methods:
      source:
        artifacts:
          - url: https://vendor.test/openmpi-5.0.99.tar.gz
            sha256: {made_up("5.0.99")}
            source: made up
            confidence: medium
"""
GREETING = {
    "component.yaml": (
        """\
component: greeting
slot: greeting
title: Greeting
homepage: https://vendor.test/
licence: Apache-2.0
prefix: /opt/greeting
terms:
  {id: vendor-terms, title: Vendor's terms, url: "https://vendor.test/terms", because: they ask}
ends:
  - when: {version: ">=1,<2"}
    what: Greeting 1
    date: "2026-01-31"
    extended: "2027-01-31"
    source: made up
methods:
  archive: {summary: files, require: {distro.glibc: ">=2.36"}, because: it was built on Debian 12}
"""
    ),
    "versions.yaml": (
        f"""\
versions:
  "1.0":
    methods:
      archive:
        artifacts:
        - url: "https://vendor.test/greeting-1.0.tar.gz"
          sha256: "{made_up("1")}"
          platform: linux/arm64
          source: x
  "2.0":
    methods:
      archive:
        artifacts:
        - url: "https://vendor.test/greeting-2.0.tar.gz"
          sha256: "{made_up("2")}"
          source: x
          confidence: high
"""
    ),
    "install.archive.j2": "RUN true\n",
    "inventory.sh": "echo version=1\n",
}


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A team's folder: a component of its own, and a version over one of Bakestone's."""
    for name, text in GREETING.items():
        path = tmp_path / "components/greeting" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (tmp_path / "components/openmpi").mkdir()
    (tmp_path / "components/openmpi/versions.yaml").write_text(OVERLAY, "utf-8")
    return tmp_path


def told(bakestone: Command, *arguments: str) -> Any:
    shown = bakestone(*arguments, "--format", "json")
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.output)


def test_every_component_is_listed_in_the_order_of_the_slots(
    bakestone: Command, library: Library
) -> None:
    listed = told(bakestone, "versions")["components"]
    assert sorted(e["component"] for e in listed) == library.names
    assert [e["slot"] for e in listed][:2] == ["distro", "distro"]
    openmpi = next(e for e in listed if e["component"] == "openmpi")
    found = library.get("openmpi")
    assert found is not None
    assert openmpi["versions"] == len(found.versions)
    assert openmpi["newest"] == next(iter(found.versions))
    assert (openmpi["methods"], openmpi["licence"], openmpi["origin"], openmpi["added"]) == (
        ["wheel", "source"],
        "BSD-3-Clause",
        "built-in",
        0,
    )


def test_of_a_slot_its_components_are_listed_with_their_newest_versions(
    bakestone: Command, library: Library
) -> None:
    said = told(bakestone, "versions", "mpi")
    assert said["slot"] == "mpi"
    assert [e["component"] for e in said["components"]] == ["intelmpi", "mpich", "openmpi"]
    openmpi = library.get("openmpi")
    assert openmpi is not None
    assert said["components"][2]["newest_versions"] == list(openmpi.versions)[:5]
    table = bakestone("versions", "mpi").output
    assert ", ".join([*list(openmpi.versions)[:5], "..."]) in " ".join(table.split())
    assert "3 components of the slot mpi" in table


def test_what_is_called_like_its_slot_is_the_component(bakestone: Command) -> None:
    assert told(bakestone, "versions", "cudnn")["component"] == "cudnn"


@pytest.mark.usefixtures("team")
def test_a_teams_own_components_and_versions_are_told_apart(bakestone: Command) -> None:
    listed = {e["component"]: e for e in told(bakestone, "versions")["components"]}
    assert (listed["greeting"]["origin"], listed["greeting"]["terms"]) == ("team", "vendor-terms")
    assert (listed["openmpi"]["origin"], listed["openmpi"]["added"]) == ("built-in", 1)
    rows = told(bakestone, "versions", "openmpi")["versions"]
    assert [(r["version"], r["origin"]) for r in rows][:2] == [
        ("5.0.99", "added by the team"),
        (rows[1]["version"], "built-in"),
    ]
    table = bakestone("versions").output
    assert "vendor-terms for greeting" in table
    assert "built-in, 1 added" in table


@pytest.mark.usefixtures("team")
def test_a_version_is_shown_with_methods_platforms_end_and_trust(bakestone: Command) -> None:
    two, one = told(bakestone, "versions", "greeting")["versions"]
    assert two == {
        "version": "2.0",
        "methods": ["archive"],
        "platforms": [],
        "ends": [],
        "confidence": {"archive": "high"},
        "origin": "team",
        "retired": "",
    }
    assert (one["platforms"], one["confidence"]) == (["linux/arm64"], {"archive": ""})
    assert one["ends"] == [
        {
            "slot": "greeting",
            "what": "Greeting 1",
            "date": "2026-01-31",
            "source": "made up",
            "extended": "2027-01-31",
        }
    ]
    said = bakestone("versions", "greeting", "--at", "2026-06-30").output
    assert "2026-01-31 (ended), long-term support 2027-01-31" in said
    assert "arm64" in said
    assert "(ended)" not in bakestone("versions", "greeting", "--at", "2026-01-31").output, (
        "the last day is still supported"
    )


def test_versions_are_newest_first(bakestone: Command) -> None:
    listed = [row["version"] for row in told(bakestone, "versions", "git")["versions"]]
    assert listed == sorted(listed, key=version_key, reverse=True)


def test_only_what_can_be_installed_on_a_distro(bakestone: Command) -> None:
    everywhere = {
        row["version"]: row["methods"] for row in told(bakestone, "versions", "git")["versions"]
    }
    here = {
        row["version"]: row["methods"]
        for row in told(bakestone, "versions", "git", "--distro", "debian@12")["versions"]
    }
    assert "apt" in here["2.39.5"]
    assert "apt" in everywhere["2.47.3"]
    assert "apt" not in here.get("2.47.3", []), "that is Debian 13's"
    assert set(here) <= set(everywhere)


@pytest.mark.usefixtures("team")
def test_what_a_method_requires_decides_where_it_is_listed(bakestone: Command) -> None:
    assert [
        r["version"]
        for r in told(bakestone, "versions", "greeting", "--distro", "debian@12")["versions"]
    ] == ["2.0", "1.0"]
    assert told(bakestone, "versions", "greeting", "--distro", "debian@11")["versions"] == []
    assert (
        "0 of 2 versions for debian@11"
        in bakestone("versions", "greeting", "--distro", "debian@11").output
    )


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("opnmpi",), 1, "did you mean openmpi?"),
        (("mpii",), 1, "did you mean mpi?"),
        (("cuddn",), 1, "did you mean cudnn?"),
        (("mpi", "--distro", "debian@12"), 2, "name one of intelmpi, mpich, openmpi"),
        (("openmpi", "--distro", "debain@12"), 1, "debian"),
        (("openmpi", "--distro", "debian@99"), 1, "did you mean 1"),
        (("openmpi", "--distro", "openmpi@5.0.10"), 1, "write it as debian@12"),
        (("--distro", "debian@12"), 2, "name it"),
        (("openmpi", "--at", "tomorrow"), 2, "write 2028-06-30"),
    ],
)
def test_what_is_not_there_is_answered_with_a_hint(
    arguments: tuple[str, ...], code: int, hint: str, bakestone: Command
) -> None:
    shown = bakestone("versions", *arguments)
    assert shown.exit_code == code, shown.output
    assert hint in shown.output
    assert isinstance(shown.exception, SystemExit)


def found(bakestone: Command, *words: str) -> list[tuple[str, str]]:
    return [(hit["component"], hit["version"]) for hit in told(bakestone, "search", *words)["hits"]]


def test_a_component_is_found_by_name_title_and_slot(bakestone: Command) -> None:
    assert found(bakestone, "openmpi")[0] == ("openmpi", "")
    assert ("openmpi", "") in found(bakestone, "Open", "MPI")
    assert {name for name, _ in found(bakestone, "conda")} >= {"miniconda", "miniforge"}


def test_a_version_is_found_by_its_beginning(bakestone: Command) -> None:
    hits = found(bakestone, "cudnn", "9.8")
    assert hits
    assert all(name == "cudnn" and version.startswith("9.8.") for name, version in hits)
    assert found(bakestone, "openmpi@5.0.10")[0] == ("openmpi", "5.0.10")


def test_the_whole_version_comes_before_those_that_only_begin_so(bakestone: Command) -> None:
    hits = found(bakestone, "openmpi", "5.0.1")
    assert hits[0] == ("openmpi", "5.0.1")
    assert ("openmpi", "5.0.10") in hits


def test_versions_are_found_by_what_is_behind_them(bakestone: Command) -> None:
    assert found(bakestone, "openmpi-5.0.10.tar.bz2") == [("openmpi", "5.0.10")]
    assert bakestone("search", "0acecc4").exit_code == 1, "a few digits are anybody's"
    assert ("openmpi", "5.0.10") in found(bakestone, "0acecc4fc218e5deb"), (
        "by the beginning of a checksum"
    )
    (hit,) = told(bakestone, "search", "openmpi-5.0.10.tar.bz2")["hits"]
    assert hit["found"] == ["file openmpi-5.0.10.tar.bz2"]
    assert {name for name, _ in found(bakestone, "nvidia-cudnn-cu13")} == {"cudnn"}, (
        "by the name of a wheel"
    )
    assert {hit["found"][0] for hit in told(bakestone, "search", "deb12u3")["hits"]} == {
        "package git 1:2.39.5-0+deb12u3"
    }


@pytest.mark.usefixtures("team")
def test_a_teams_own_are_found(bakestone: Command) -> None:
    assert found(bakestone, "greeting-2.0") == [("greeting", "2.0")]
    assert found(bakestone, "5.0.99") == [("openmpi", "5.0.99")]


def test_every_word_must_be_found(bakestone: Command) -> None:
    assert bakestone("search", "openmpi", "9.8").exit_code == 1


def test_nothing_found_is_an_error_with_a_hint(bakestone: Command) -> None:
    shown = bakestone("search", "opnmpi")
    assert shown.exit_code == 1
    assert shown.output.splitlines() == [
        "nothing in the library has 'opnmpi'",
        "    hint: did you mean openmpi?",
    ]
    assert "`bakestone versions` lists every component" in bakestone("search", "qqqqqq").output
    plain = bakestone("search", "opnmpi", "--format", "json")
    assert json.loads(plain.stdout)["findings"][0]["hint"] == "did you mean openmpi?"
    assert bakestone("search", " ").exit_code == 1
    assert bakestone("search").exit_code == 2


def test_the_table_is_short_and_says_so(bakestone: Command) -> None:
    shown = bakestone("search", "5", "--limit", "3").output
    assert "the first 3 are shown, --limit 0 shows all" in shown
    assert len(shown.splitlines()) < 10
    assert "are shown" not in bakestone("search", "5", "--limit", "0").output


def test_a_search_reads_only_what_may_have_the_words(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bakestone.core.library.component import Component

    read: list[str] = []
    original = Component.make_version

    def remember(component: Component, *entry: Any) -> Any:
        read.append(component.name)
        return original(component, *entry)

    monkeypatch.setattr(Component, "make_version", remember)
    assert searching.search(Library(*library.folders), ["openmpi-5.0.10.tar.bz2"])
    assert set(read) == {"openmpi"}


def on_a_terminal(folder: Path, width: int, *arguments: str) -> list[str]:
    """The lines that the command writes on a real terminal of that width."""
    import pty

    reader, writer = pty.openpty()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "generator"),
        "COLUMNS": str(width),
        "TERM": "xterm",
        "NO_COLOR": "1",
    }
    done = subprocess.Popen(
        [sys.executable, "-m", "bakestone.cli.app", *arguments],
        cwd=folder,
        env=environment,
        stdout=writer,
        stderr=writer,
    )
    os.close(writer)
    text = b""
    while True:
        try:
            piece = os.read(reader, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(reader)
    assert done.wait(60) == 0, text
    return re.sub(r"\x1b\[[0-9;]*m", "", text.decode()).split("\r\n")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    "arguments", [("versions",), ("versions", "openmpi"), ("search", "mpi", "5")], ids=" ".join
)
def test_tables_fit_a_terminal(arguments: tuple[str, ...], width: int, tmp_path: Path) -> None:
    """In a real terminal of that width no line is longer, and names are whole."""
    lines = on_a_terminal(tmp_path, width, *arguments)
    assert max(map(len, lines)) <= width
    assert any("openmpi" in line for line in lines) or arguments[1:] == ("openmpi",)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_variants_are_listed_whole_in_a_terminal_of_any_width(
    width: int, tmp_path: Path
) -> None:
    """A table where there is room for it; else some lines a variant.

    Nothing is shortened to dots.
    """
    (tmp_path / "images.yaml").write_text(MANY, "utf-8")
    lines = on_a_terminal(tmp_path, width, "list")
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for told in (
        "openmpi5.0.10-cuda13.0.2-cudnn9-debian12",
        "9.14.0.64",
        "openmpi 5.0.10",
        "2026-07-11 Debian 12",
        "4 of 4 variants",
    ):
        assert told in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert any(line.startswith("variant ") for line in lines) == (width >= 120)


def test_a_pin_is_whole_on_a_narrow_terminal_and_its_source_is_broken_between_words(
    tmp_path: Path, library: Library
) -> None:
    locked(tmp_path, MANY, library=library)
    lines = on_a_terminal(tmp_path, 80, "explain", "openmpi4.1.8-ubuntu22.04")
    files = [line for line in lines if line.startswith("file ")]
    assert all(re.search(r"https://\S+\.(bz2|gz|sh)$", line) for line in files)
    assert (
        sum(bool(re.fullmatch(r" +sha256:[0-9a-f]{64}", line)) for line in lines) == len(files) == 3
    )
    assert max(len(line) for line in lines if line.startswith("    ") and " " in line.strip()) <= 80


@pytest.mark.parametrize(
    "arguments",
    [("versions",), ("versions", "cuda"), ("search", "libcudnn8"), ("list",)],
    ids=" ".join,
)
def test_what_goes_to_a_file_has_a_record_a_line_and_no_blanks_at_its_end(
    arguments: tuple[str, ...], bakestone: Command, tmp_path: Path
) -> None:
    (tmp_path / "images.yaml").write_text(MANY, "utf-8")
    lines = bakestone(*arguments).output.splitlines()
    assert all(line == line.rstrip() for line in lines)
    rules = [
        number
        for number, line in enumerate(lines)
        if set(line) == {"\N{BOX DRAWINGS LIGHT HORIZONTAL}"}
    ]
    assert rules
    records = [line for line in lines[rules[0] + 1 :] if line][:2]
    assert all(re.search(r"\d", line) for line in records)


def test_what_a_component_is_stands_in_whole_lines(bakestone: Command) -> None:
    first, home, terms = bakestone("versions", "intelmpi").output.splitlines()[:3]
    assert first == "Intel MPI Library, slot mpi, LicenseRef-Intel-Simplified-Software-License"
    assert home.startswith("https://www.intel.com/")
    assert terms.startswith("terms: Intel's End User License Agreement, https://")
    assert terms.endswith("`accept: [intel-eula]` in images.yaml")


def test_names_are_completed_by_the_shell(team: Path) -> None:
    environment = {
        "COMP_WORDS": "bakestone versions gree",
        "COMP_CWORD": "2",
        "_BAKESTONE_COMPLETE": "bash_complete",
        "PYTHONPATH": str(ROOT / "generator"),
    }
    code = "from bakestone.cli.app import main; main(prog_name='bakestone')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=team,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["plain,greeting"]
