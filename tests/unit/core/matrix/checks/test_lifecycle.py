"""What is no longer supported is said, before and after the day, with the day and who says so."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakestone.core.library.catalog import Library
from bakestone.core.matrix.checks import lifecycle
from bakestone.core.matrix.variant import Variant
from bakestone.errors import Finding, render
from tests.support import team
from tests.support.command import Command
from tests.support.samples import project, refused

TODAY = date(2026, 11, 22)

MATRIX = """\
version: 1
registry: localhost:5000/base
families:
  - name: first
    axes:
      distro: [{distros}]
{more}"""


def variants(
    folder: Path, distros: str, more: str = "", library: Library | None = None
) -> list[Variant]:
    return project(
        folder, MATRIX.format(distros=distros, more=more), library=library
    ).matrix.variants


def one(findings: list[Finding]) -> Finding:
    (found,) = findings
    return found


def test_what_has_ended_is_told_with_the_day_and_what_is_left(
    library: Library, tmp_path: Path
) -> None:
    found = one(lifecycle.findings(variants(tmp_path, "debian@12", library=library), TODAY))
    assert (
        found.message
        == "Debian 12: free support ended on 2026-07-11 (Debian LTS until 2028-06-30); 1 variant of"
        " first"
    )
    assert found.severity == "warning"
    assert found.hint.startswith("supported longer: debian@13, until 2028-08-09 (source: ")
    assert "endoflife.date" in found.hint
    assert "repo-info" not in found.hint, "where the digest is from is no source of the date"
    text = render([found])
    assert ":6:16: warning: Debian 12: " in text
    assert "^^^^^^^^^" in text


def test_support_after_the_free_one_has_the_name_that_its_distro_gives_it(
    library: Library, tmp_path: Path
) -> None:
    (end,) = lifecycle.ends_of(variants(tmp_path, "ubuntu@22.04", library=library)[0])
    assert (
        end.text(TODAY)
        == "Ubuntu 22.04: free support ends on 2027-04-01 (Ubuntu Pro until 2032-04-09)"
    )
    for component in library.of_slot("distro"):
        paid = any("end_of_extended" in version.data for version in component.versions.values())
        assert paid == ("extended_support" in component.data), component.name


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (
            date(2026, 7, 11),
            "Debian 12: free support ends on 2026-07-11 (Debian LTS until 2028-06-30)",
        ),
        (
            date(2026, 7, 12),
            "Debian 12: free support ended on 2026-07-11 (Debian LTS until 2028-06-30)",
        ),
        (
            date(2028, 6, 30),
            "Debian 12: free support ended on 2026-07-11 (Debian LTS until 2028-06-30)",
        ),
        (
            date(2028, 7, 1),
            "Debian 12: free support ended on 2026-07-11 (Debian LTS ended on 2028-06-30)",
        ),
    ],
    ids=["on the last day", "the day after", "on the last day of Debian LTS", "after that"],
)
def test_the_text_is_that_of_the_day(at: date, said: str, library: Library, tmp_path: Path) -> None:
    (variant,) = variants(tmp_path, "debian@12", library=library)
    (end,) = lifecycle.ends_of(variant)
    assert end.text(at) == said


def test_what_will_end_is_told_ahead_and_not_before(library: Library, tmp_path: Path) -> None:
    found = variants(tmp_path, "debian@12", library=library)
    last = date(2026, 7, 11)
    assert not lifecycle.findings(found, last - timedelta(days=180))
    assert one(lifecycle.findings(found, last - timedelta(days=179))).message.startswith(
        "Debian 12: free support ends on 2026-07-11"
    )
    assert lifecycle.findings(found, last - timedelta(days=365), timedelta(days=366))
    assert not lifecycle.findings(found, last, timedelta(0))
    assert lifecycle.findings(found, last + timedelta(days=1), timedelta(0))


def test_a_family_is_told_once_of_a_thing_and_how_many_variants_have_it(
    library: Library, tmp_path: Path
) -> None:
    second = (
        "  - name: second\n    name_slots: [distro, git]\n    axes: {distro: [debian@11], git:"
        " [2.52.0]}\n"
    )
    found = lifecycle.findings(
        variants(
            tmp_path,
            "debian@12, debian@11, debian@13",
            '      git: [none, "2.53.0"]\n' + second,
            library,
        ),
        TODAY,
    )
    assert [f.message.rpartition("; ")[2] for f in found] == [
        "2 variants of first",
        "2 variants of first",
        "1 variant of second",
    ]
    assert [f.message.partition(":")[0] for f in found] == ["Debian 12", "Debian 11", "Debian 11"]


def test_families_that_inherit_one_line_are_told_together(library: Library, tmp_path: Path) -> None:
    more = "  - name: second\n    extends: first\n    suffix: b\n"
    more += "  - {name: third, extends: second, suffix: c}\n"
    found = lifecycle.findings(variants(tmp_path, "debian@12", more, library), TODAY)
    assert one(found).message.endswith("; 3 variants of first, second, third")
    more = more.replace("extends: first\n", "extends: first\n    end_of_life: forbid\n")
    found = lifecycle.findings(variants(tmp_path, "debian@12", more, library), TODAY)
    assert [(f.severity, f.message.partition("; ")[2][:27]) for f in found] == [
        ("warning", "1 variant of first"),
        ("error", "2 variants of second, third"),
    ]


def test_a_family_can_forbid_what_has_ended_but_not_what_will(
    library: Library, tmp_path: Path
) -> None:
    found = variants(tmp_path, "debian@12", "    end_of_life: forbid\n", library)
    refused_now = one(lifecycle.findings(found, TODAY))
    assert refused_now.severity == "error"
    assert refused_now.message.endswith(
        "; 1 variant of first, which forbids what has ended (`end_of_life: forbid`)"
    )
    assert one(lifecycle.findings(found, date(2026, 7, 11))).severity == "warning"


def test_a_family_can_ignore_it(library: Library, tmp_path: Path) -> None:
    more = "    end_of_life: ignore\n  - name: second\n    axes:\n      distro: [debian@11]\n"
    found = one(lifecycle.findings(variants(tmp_path, "debian@12", more, library), TODAY))
    assert found.message.endswith("1 variant of second")


def end(
    when: dict[str, Any],
    what: str,
    date: str,
    source: str | list[str] = "the Python developers' guide",
    **more: str,
) -> dict[str, Any]:
    return {"when": when, "what": what, "date": date, "source": source, **more}


OLD = end({"python_minor": ["3.6", "3.7"]}, "Python 3.7 and before", "2023-06-27")
ENDS = [
    OLD,
    end({"python_minor": "3.12"}, "Python 3.12", "2028-10-31"),
    end(
        {"version": ">=1,<2"},
        "Tool 1",
        "2027-01-31",
        ["the makers", "their letter"],
        extended="2030-01-31",
    ),
    end({"colour": "*"}, "every colour", "2000-01-01", "nobody knows the colour"),
    end(
        {"version": ">=1", "python_minor": "3.12"},
        "Tool with Python 3.12",
        "2029-01-31",
        "the makers",
    ),
]


def tool(folder: Path, ends: list[dict[str, Any]] = ENDS, **more: Any) -> None:
    """A team's own component: 1.0 with Python 3.7, 1.5 and 2.0 with 3.12."""
    known: dict[str, dict[str, Any]] = {
        "1.0": {"measure": {"python_minor": "3.7"}},
        "1.5": {"measure": {"version": "1.5.0", "python_minor": "3.12"}},
        "2.0": {"facts": {"python_minor": "3.12"}},
    }
    versions = {
        version: data | {"methods": {"archive": {"artifacts": [team.artifact(version)]}}}
        for version, data in known.items()
    }
    team.write(
        folder,
        team.tool("tool", "tool", {"archive": {"summary": "the archive"}}, ends=ends, **more),
        versions,
        install_archive_j2="RUN true\n\n",
    )


def of_tool(folder: Path, version: str) -> list[lifecycle.End]:
    (variant,) = variants(folder, "debian@13", f'      tool: ["{version}"]\n')
    return [end for end in lifecycle.ends_of(variant) if end.slot == "tool"]


def test_a_component_says_which_versions_end_by_what_is_inside_them(tmp_path: Path) -> None:
    tool(tmp_path)
    assert [end.what for end in of_tool(tmp_path, "1.0")] == ["Python 3.7 and before", "Tool 1"]
    assert [end.what for end in of_tool(tmp_path, "1.5")] == [
        "Python 3.12",
        "Tool 1",
        "Tool with Python 3.12",
    ]
    assert [end.what for end in of_tool(tmp_path, "2.0")] == [
        "Python 3.12",
        "Tool with Python 3.12",
    ]


def test_support_without_an_extended_one_is_not_called_free(tmp_path: Path) -> None:
    tool(tmp_path)
    python, own = of_tool(tmp_path, "1.0")
    assert python.text(TODAY) == "Python 3.7 and before: support ended on 2023-06-27"
    assert (
        own.text(TODAY)
        == "Tool 1: free support ends on 2027-01-31 (long-term support until 2030-01-31)"
    )
    assert own.as_dict() == {
        "slot": "tool",
        "what": "Tool 1",
        "date": "2027-01-31",
        "extended": "2030-01-31",
        "source": "the makers, their letter",
    }


def test_the_hint_is_the_next_version_that_outlasts_the_notice(tmp_path: Path) -> None:
    tool(tmp_path)
    found = lifecycle.findings(variants(tmp_path, "debian@13", '      tool: ["1.0"]\n'), TODAY)
    assert {f.message.partition(":")[0]: f.hint for f in found} == {
        "Python 3.7 and before": (
            "supported longer: tool@2.0, until 2028-10-31 (source: the Python developers' guide)"
        ),
        "Tool 1": "supported longer: tool@2.0, until 2028-10-31 (source: the makers, their letter)",
    }
    far = lifecycle.findings(
        variants(tmp_path, "debian@13", '      tool: ["2.0"]\n'), date(2035, 1, 1)
    )
    assert [f.hint for f in far if f.message.startswith("Python")] == [
        "source: the Python developers' guide"
    ]


def test_support_after_the_free_one_can_have_a_name(tmp_path: Path) -> None:
    tool(tmp_path, extended_support="Tool Pro")
    own = of_tool(tmp_path, "1.0")[1]
    assert own.text(TODAY) == "Tool 1: free support ends on 2027-01-31 (Tool Pro until 2030-01-31)"


@pytest.mark.parametrize("day", ["2023-02-30", "2023-06-31"])
def test_a_day_that_does_not_exist_is_refused_with_the_component_s_name(
    day: str, tmp_path: Path
) -> None:
    tool(tmp_path, [OLD | {"date": day}])
    found = refused(lambda: of_tool(tmp_path, "1.0"))
    assert found[0].text.startswith(f"components/tool: Python 3.7 and before: {day} ")


def test_the_first_end_is_what_a_list_shows(tmp_path: Path) -> None:
    tool(tmp_path)
    (variant,) = variants(tmp_path, "debian@13", '      tool: ["1.0"]\n')
    first = lifecycle.soonest(variant)
    assert first
    assert first.what == "Python 3.7 and before"
    assert lifecycle.cell(variant, TODAY) == "2023-06-27 Python 3.7 and before, ended"
    (later,) = variants(tmp_path, "debian@13", '      tool: ["2.0"]\n')
    assert lifecycle.cell(later, TODAY) == "2028-08-09 Debian 13"
    assert lifecycle.cell(later, date(2028, 8, 9)) == "2028-08-09 Debian 13, soon"
    assert lifecycle.cell(later, date(2028, 8, 9), timedelta(0)) == "2028-08-09 Debian 13"


def test_a_variant_of_which_nothing_is_known_shows_a_dash(tmp_path: Path) -> None:
    team.distro(tmp_path, v1={})
    (variant,) = variants(tmp_path, "smallos@1")
    assert lifecycle.soonest(variant) is None
    assert lifecycle.cell(variant, TODAY) == "-"
    assert not lifecycle.findings([variant], date(9000, 1, 1))


def test_the_command_looks_into_the_future(bakestone: Command, tmp_path: Path) -> None:
    project(tmp_path, MATRIX.format(distros="debian@13", more=""))
    quiet = bakestone("validate", "--at", "2026-11-22")
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    warned = bakestone("validate", "--at", "2028-03-01")
    assert warned.exit_code == 0
    assert (
        "images.yaml:6:16: warning: Debian 13: free support ends on 2028-08-09 (Debian LTS until"
        " 2030-06-30); 1 variant of first" in warned.stderr
    )
    assert "1 variant (first 1)" in warned.stdout
    assert not bakestone("validate", "--at", "2028-03-01", "--ahead", "30").stderr
    listed = bakestone("list", "--at", "2028-08-10").stdout
    assert "support ends" in listed
    assert "2028-08-09 Debian 13, ended" in listed


def test_the_command_tells_programs_as_well(bakestone: Command, tmp_path: Path) -> None:
    project(tmp_path, MATRIX.format(distros="debian@13", more=""))
    (finding,) = json.loads(bakestone("validate", "--at", "2028-09-01", "--format", "json").stdout)[
        "findings"
    ]
    assert (finding["severity"], finding["line"], finding["column"]) == ("warning", 6, 16)
    (variant,) = json.loads(bakestone("list", "--at", "2028-09-01", "--format", "json").stdout)[
        "variants"
    ]
    (ends,) = variant["ends"]
    assert (ends["what"], ends["date"], ends["extended"], ends["ended"]) == (
        "Debian 13",
        "2028-08-09",
        "2030-06-30",
        True,
    )


def test_a_family_that_forbids_fails_the_command_once_it_has_ended(
    bakestone: Command, tmp_path: Path
) -> None:
    project(tmp_path, MATRIX.format(distros="debian@13", more="    end_of_life: forbid\n"))
    assert bakestone("validate", "--at", "2028-08-09").exit_code == 0
    done = bakestone("validate", "--at", "2028-08-10")
    assert done.exit_code == 1
    assert "images.yaml:6:16: Debian 13: free support ended on 2028-08-09" in done.stderr
    assert "which forbids what has ended (`end_of_life: forbid`)" in done.stderr


@pytest.mark.parametrize(
    "day", ["tomorrow", "2026-13-01", "2026-02-30", "22.11.2026", "2026-11-22T00:00", ""]
)
def test_a_day_that_is_none_is_wrong_usage(day: str, bakestone: Command, tmp_path: Path) -> None:
    project(tmp_path, MATRIX.format(distros="debian@13", more=""))
    done = bakestone("validate", "--at", day)
    assert done.exit_code == 2
    assert "--at" in done.stderr


@pytest.fixture(scope="module")
def distros(library: Library, tmp_path_factory: pytest.TempPathFactory) -> list[Variant]:
    names = [f"{c.name}@{v}" for c in library.of_slot("distro") for v in c.versions]
    return variants(tmp_path_factory.mktemp("distros"), ", ".join(names), library=library)


def test_every_distro_has_its_day(distros: list[Variant]) -> None:
    for variant in distros:
        assert [end.slot for end in lifecycle.ends_of(variant)] == ["distro"], variant.name


@given(
    at=st.dates(date(2015, 1, 1), date(2040, 1, 1)),
    more=st.integers(0, 4000),
    ahead=st.integers(0, 2000),
)
@settings(max_examples=60, deadline=None)
def test_what_has_ended_stays_so(distros: list[Variant], at: date, more: int, ahead: int) -> None:
    def told(day: date) -> set[str]:
        return {
            f.message.partition(":")[0]
            for f in lifecycle.findings(distros, day, timedelta(days=ahead))
        }

    assert told(at) <= told(at + timedelta(days=more))
    ended = {end.what for v in distros for end in lifecycle.ends_of(v) if end.ended(at)}
    assert ended <= told(at)


def test_the_library_s_dates_are_those_of_the_calendar(library: Library) -> None:
    found = [
        end
        for c in map(library.get, library.names)
        if c
        for v in c.versions.values()
        for end in lifecycle.ends(c, v)
    ]
    assert {end.slot for end in found} >= {"distro", "cuda", "conda"}
    assert all(end.extended is None or end.extended > end.date for end in found)
    assert all(end.source for end in found)


def test_every_python_of_a_conda_has_its_day(library: Library) -> None:
    known = [
        [(entry["what"], entry["date"]) for entry in component.data["ends"]]
        for component in library.of_slot("conda")
    ]
    assert [what for what, _ in known[0]] == [
        f"Python {minor}" for minor in ("2.7", *(f"3.{n}" for n in range(5, 15)))
    ]
    assert all(others == known[0] for others in known), (
        "a Python ends on the same day whoever packages it"
    )
    for component in library.of_slot("conda"):
        for version in component.versions.values():
            minor = version.known("python_minor")
            assert minor is None or f"Python {minor}" in [
                end.what for end in lifecycle.ends(component, version)
            ], f"{component.name} {version.version}"
