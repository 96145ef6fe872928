"""`bakestone library update` against a copy of an index on loopback in which versions came, went
and changed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from bakestone.core.library import indexed
from bakestone.core.library.component import BUILT_IN
from bakestone.core.library.indexed import IndexFile, IndexRules
from tests.support import plainyaml, webserver
from tests.support.command import Command
from tests.support.packageindex import Index
from tests.support.team import fewer
from tests.support.webserver import WebServer

CU12, CU13 = "nvidia-nccl-cu12", "nvidia-nccl-cu13"


@pytest.fixture
def server() -> Iterator[WebServer]:
    with webserver.serving() as running:
        yield running


KEPT = (
    *("2.32.3", "2.31.2", "2.30.7", "2.30.4", "2.30.3", "2.29.7"),
    *("2.27.7", "2.21.5", "2.18.3", "2.8.3"),
)
"""Wheels for each CUDA, packages, and both; an update reads and writes all that there are."""


class TeamsNccl:
    """A team's copy of the component nccl with a few of its versions, and an index that has its
    wheels.
    """

    def __init__(self, folder: Path, server: WebServer) -> None:
        self.path = folder / "components" / "nccl"
        shutil.copytree(BUILT_IN / "nccl", self.path)
        own = self.path / "index.yaml"  # of its sources the index alone
        start, _, rest = own.read_text("utf-8").partition("# of NVIDIA's repositories")
        own.write_text(start + rest[rest.index("# From here on") :], "utf-8")
        versions = self.path / "versions.yaml"
        self.text = fewer(versions.read_text("utf-8"), *KEPT)
        versions.write_text(self.text, "utf-8")
        self.before = self.versions()
        self.index = Index(server, folder)
        self.index.copy(self.before)

    def versions(self) -> dict[str, Any]:
        loaded: dict[str, Any] = plainyaml.data(self.path / "versions.yaml")
        versions: dict[str, Any] = loaded["versions"]
        return versions

    def put(self, project: str, version: str, machine: str = "x86_64", **more: object) -> str:
        name = project.replace("-", "_")
        filename = f"{name}-{version}-py3-none-manylinux_2_18_{machine}.whl"
        return self.index.put(project, filename, "", **more)


@pytest.fixture
def nccl(tmp_path: Path, server: WebServer, bakestone: Command) -> TeamsNccl:
    return TeamsNccl(tmp_path, server)


def update(bakestone: Command, nccl: TeamsNccl, *more: str) -> Any:
    nccl.index.show()
    return bakestone("library", "update", "nccl", "--site", str(nccl.index.site), *more)


def test_what_came_is_written_with_every_condition_and_nothing_is_lost(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    day = "2026-11-20T10:00:00.000000Z"
    amd64 = nccl.put(CU13, "2.99.1", size=7, **{"upload-time": day})
    arm64 = nccl.put(CU13, "2.99.1", "aarch64", size=8)
    older = nccl.put(CU12, "2.99.1", size=9)
    nccl.put(CU13, "2.99.2rc1")
    nccl.index.put(CU13, "nvidia_nccl_cu13-2.99.0-py3-none-win_amd64.whl")
    nccl.index.put(CU13, "nvidia-nccl-cu13-2.98.0.tar.gz")
    done = update(bakestone, nccl)
    assert done.exit_code == 0, done.output
    assert "1 new version" in done.output
    after = nccl.versions()
    assert next(iter(after)) == "2.99.1"
    assert {name: after[name] for name in nccl.before} == nccl.before
    wheels = after["2.99.1"]["methods"]["wheel"]["wheels"]
    assert [(w["name"], w["version"], w["when"], w.get("published")) for w in wheels] == [
        (CU13, "2.99.1", {"cuda": ">=13,<14"}, "2026-11-20"),
        (CU12, "2.99.1", {"cuda": ">=12,<13"}, None),
    ]
    found = {p: (f["sha256"], f["size"]) for p, f in wheels[0]["files"].items()}
    assert found == {"linux/amd64": (amd64, 7), "linux/arm64": (arm64, 8)}
    assert wheels[1]["files"]["linux/amd64"]["sha256"] == older
    # all other lines are the same, the comments among them
    text = (nccl.path / "versions.yaml").read_text("utf-8")
    start = text.index('  "2.99.1":')
    end = text.index(f'  "{next(iter(nccl.before))}":')
    assert text[:start] + text[end:] == nccl.text
    left_out = plainyaml.data(nccl.path / "index.yaml")["left_out"]
    assert left_out[CU13] == {"2.99.2rc1": indexed.PRE_RELEASE, "2.99.0": indexed.NO_LINUX}


def test_a_second_run_changes_nothing(bakestone: Command, nccl: TeamsNccl) -> None:
    nccl.put(CU13, "2.99.1")
    update(bakestone, nccl)
    files = {path: path.read_bytes() for path in nccl.path.glob("*.yaml")}
    done = update(bakestone, nccl, "--check")
    assert done.exit_code == 0, done.output
    assert "nothing new for 1 component" in done.output
    assert {path: path.read_bytes() for path in nccl.path.glob("*.yaml")} == files


def test_check_writes_nothing_and_says_that_there_is_something(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    nccl.put(CU13, "2.99.1")
    files = {path: path.read_bytes() for path in nccl.path.glob("*.yaml")}
    done = update(bakestone, nccl, "--check", "--format", "json")
    assert done.exit_code == 1
    (found,) = json.loads(done.stdout)["components"]
    assert found["added"] == ["2.99.1"]
    assert found["listed"] == found["held"] + 1, "it is not in the library"
    assert {path: path.read_bytes() for path in nccl.path.glob("*.yaml")} == files


def test_another_platform_of_a_version_that_is_there_is_added(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    version = "2.18.3"  # for amd64 alone
    before = nccl.versions()[version]
    checksum = nccl.put(CU12, version, "aarch64")
    done = update(bakestone, nccl)
    assert done.exit_code == 0, done.output
    assert f"{version} (further files)" in done.output
    after = nccl.versions()
    (wheel,) = [w for w in after[version]["methods"]["wheel"]["wheels"] if w["name"] == CU12]
    assert wheel["files"]["linux/arm64"]["sha256"] == checksum
    del wheel["files"]["linux/arm64"]
    (then,) = [w for w in before["methods"]["wheel"]["wheels"] if w["name"] == CU12]
    assert wheel["files"] == then["files"]
    others = {name: data for name, data in after.items() if name != version}
    assert others == {name: data for name, data in nccl.before.items() if name != version}


@pytest.mark.parametrize("kind", ["replaced", "withdrawn", "gone"])
def test_what_the_index_no_longer_gives_is_told_and_stays_in_the_library(
    kind: str, bakestone: Command, nccl: TeamsNccl
) -> None:
    name = "nvidia_nccl_cu13-2.32.3-py3-none-manylinux_2_27_x86_64.whl"
    listed = nccl.index.projects[CU13]
    if kind == "replaced":
        listed[name]["hashes"] = {"sha256": "0" * 64}
    elif kind == "withdrawn":
        for file in listed.values():
            if "-2.32.3-" in file["filename"]:
                file["yanked"] = "it hangs on \x1b[31mred"
    else:
        del listed[name]
    done = update(bakestone, nccl)
    said = {
        "replaced": f"nccl@2.32.3: {name} is another file now: {'0' * 64}, not ",
        "withdrawn": f"{name} was withdrawn by its publisher: it hangs on",
        "gone": f"nccl@2.32.3: warning: {name} is no longer on the index",
    }[kind]
    assert said in " ".join(done.output.split()), done.output
    assert "\x1b" not in done.output
    assert done.exit_code == (1 if kind == "replaced" else 0)
    assert nccl.versions() == nccl.before


def test_standard_error_has_one_line_for_each_component_and_the_result_the_rest(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    for file in nccl.index.projects[CU13].values():
        file["yanked"] = "all of them"
    for more, details in ((("--check",), "result"), (("--check", "--format", "json"), "document")):
        done = update(bakestone, nccl, *more)
        assert done.stderr.splitlines() == ["nccl: read"], details
        assert done.stdout.count("was withdrawn by its publisher: all of them") > 10


def test_a_rebuild_does_not_take_the_place_of_what_is_pinned(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    nccl.put(CU13, "2.32.3.post1")
    done = update(bakestone, nccl)
    assert "nothing new" in done.output
    assert nccl.versions() == nccl.before


def test_bakestones_own_component_is_left_as_it_is_and_the_teams_file_adds_to_it(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    shutil.rmtree(nccl.path)
    nccl.put(CU13, "2.99.1")
    nccl.put(CU12, "2.18.3", "aarch64")  # of a version that is Bakestone's own
    done = update(bakestone, nccl)
    # NVIDIA's repositories give no answer here: what the index has is written all the same
    assert done.exit_code == 3, done.output
    assert "nvidia-ubuntu2404 (developer.download.nvidia.com): " in done.output
    assert list(nccl.versions()) == ["2.99.1"]
    assert "further files" not in done.output
    assert not (nccl.path / "index.yaml").exists()
    assert "2.99.1" in bakestone("versions", "nccl").output
    assert "nothing new" in update(bakestone, nccl).output


def test_components_without_an_index_and_unknown_ones_are_told(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    nccl.index.show()
    for name, said in (("debian", "debian has no index.yaml"), ("ncl", "did you mean nccl?")):
        done = bakestone("library", "update", name, "--site", str(nccl.index.site))
        assert done.exit_code == 1
        assert said in done.output


def test_an_index_without_the_project_is_an_error_and_writes_nothing(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    del nccl.index.projects[CU12]
    done = update(bakestone, nccl)
    assert done.exit_code == 3
    assert f"the index has no project {CU12}" in done.output
    assert nccl.versions() == nccl.before


def test_versions_that_are_none_are_told_with_their_place(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    path = nccl.path / "index.yaml"
    wrong = 'without:\n  - {versions: "<1.x", because: "so it is"}\n'
    path.write_text(path.read_text("utf-8").partition("# From here")[0] + wrong, "utf-8")
    done = update(bakestone, nccl)
    assert done.exit_code == 1
    assert "components/nccl/index.yaml:7:16: these are no versions" in done.output


def test_one_version_is_added_as_the_index_has_it_without_fetching_it(
    bakestone: Command, nccl: TeamsNccl
) -> None:
    checksum = nccl.put(CU13, "2.99.1")
    nccl.put(CU13, "2.99.3")
    nccl.index.show()
    site = ("--site", str(nccl.index.site))
    added = bakestone("component", "add", "nccl", "2.99.1", *site)
    assert added.exit_code == 0, added.output
    after = nccl.versions()
    assert {name: data for name, data in after.items() if name != "2.99.1"} == nccl.before
    (wheel,) = after["2.99.1"]["methods"]["wheel"]["wheels"]
    assert wheel["when"] == {"cuda": ">=13,<14"}
    assert wheel["files"]["linux/amd64"]["sha256"] == checksum
    assert not [path for path in nccl.index.server.asked if path.startswith("/files/")]
    for version, said in (
        ("2.99.2", "the index has no nccl 2.99.2"),
        ("2.99.1", "nccl has 2.99.1 already"),
    ):
        refused = bakestone("component", "add", "nccl", version, *site)
        assert refused.exit_code == 1
        assert said in refused.output


@pytest.mark.parametrize(
    ("version", "measure", "said"),
    [
        ("(?P<a>", "{version}", "git/index.yaml:6:12: no regular expression: "),
        ("(?P<a>[0-9]+)", "{b}", "git/index.yaml:7:22: `version` has no group b"),
    ],
)
def test_an_expression_that_is_none_is_told_with_its_place(
    version: str, measure: str, said: str, bakestone: Command, tmp_path: Path
) -> None:
    path = tmp_path / "components" / "git"
    shutil.copytree(BUILT_IN / "git", path)
    text = (path / "index.yaml").read_text("utf-8").partition("  since")[0]
    more = f"  version: '{version}'\n  measure: {{version: \"{measure}\"}}\n"
    (path / "index.yaml").write_text(text + more, "utf-8")
    done = bakestone("library", "update", "git")
    assert done.exit_code == 1
    assert said in done.output


PYTHONS = ("3.11", "3.12", "3.13")


def wheels(*names: str) -> list[IndexFile]:
    return [IndexFile(name, f"{index:064}") for index, name in enumerate(names)]


def test_wheels_for_a_newer_glibc_and_for_several_pythons_have_it_as_their_condition() -> None:
    pages = {
        "one": wheels(
            "one-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
            "one-1.0-cp311-cp311-manylinux_2_34_aarch64.whl",
            "one-1.0-cp312-abi3-manylinux_2_17_x86_64.whl",
            "one-1.0-cp313-cp313t-manylinux_2_17_x86_64.whl",
            "one-1.0-cp311-cp311-musllinux_1_2_x86_64.whl",
        ),
        "two": wheels("two-2.0-py3-none-any.whl"),
    }
    rules = IndexRules.of(
        {"projects": [{"name": "one"}], "pythons": list(PYTHONS), "closure": True}
    )
    found = indexed.indexed(rules, pages, {})
    closure = {python: {"one": "1.0", "two": "2.0"} for python in PYTHONS}
    got = [
        (w["name"], w["when"], {p: f["filename"] for p, f in w["files"].items()})
        for w in indexed.entries(rules, found.versions["1.0"], pages, 23, closure)
    ]
    amd64, arm64, stable = (file.filename for file in pages["one"][:3])
    assert got[:3] == [
        (
            "one",
            {"python": "3.11", "distro.glibc": ">=2.34"},
            {"linux/amd64": amd64, "linux/arm64": arm64},
        ),
        ("one", {"python": "3.11", "distro.glibc": ">=2.28,<2.34"}, {"linux/amd64": amd64}),
        ("one", {"python": ">=3.12,<3.14"}, {"linux/amd64": stable}),
    ]
    assert [(name, when) for name, when, _ in got[3:]] == [("two", {"python": ">=3.11,<3.14"})]
    assert indexed.closure_of(
        rules, indexed.entries(rules, found.versions["1.0"], pages, 23, closure), PYTHONS
    ) == {python: {"two": "2.0"} for python in PYTHONS}


def test_of_last_patches_those_that_are_held_stay() -> None:
    files = wheels(
        *(f"one-{v}-py3-none-any.whl" for v in ("1.0", "1.1", "1.2.0", "1.2.3", "1.2.4"))
    )
    rules = IndexRules.of({"projects": [{"name": "one"}], "last_patches": True})
    found = indexed.indexed(rules, {"one": files}, {"1.2.0": {"one": "1.2.0"}})
    assert list(found.versions) == ["1.2.4", "1.2.0", "1.1", "1.0"]
    assert list(found.left_out) == [("one", "1.2.3")]


def test_a_release_takes_the_oldest_of_a_range_and_the_newest_build_of_what_it_names() -> None:
    rules = IndexRules.of({"projects": [{"name": "one"}, {"name": "two"}], "release": "all"})
    pages = {
        "one": wheels(*(f"one-{v}-py3-none-any.whl" for v in ("1.2.3", "1.2.3.post1", "1.2.4"))),
        "two": wheels(*(f"two-{v}-py3-none-any.whl" for v in ("1.9", "2.1", "2.5"))),
    }
    asked = [Requirement("one==1.2.3.*"), Requirement("two<3,>=2"), Requirement("three==1")]
    found = indexed.pinned(rules, asked, pages)
    assert {name: str(version) for name, version in found.items()} == {
        "one": "1.2.3.post1",
        "two": "2.1",
    }


SUMS = """-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

{0}  git-2.99.0.tar.gz
{1}  git-2.99.0.tar.xz
{2}  git-2.99.0.rc1.tar.gz
{3}  git-htmldocs-2.99.0.tar.gz
{4}  git-2.6.9.tar.gz
{5}  git-2.53.0.tar.gz
-----BEGIN PGP SIGNATURE-----
"""
TABLE = """<!DOCTYPE html><html><body><table>
<tr><th>Filename</th><th>Size</th><th>Last Modified</th><th>SHA256</th></tr>
<tr>
<td><a href="x">Miniconda3-py399_99.1.0-1-Linux-x86_64.sh</a></td>
<td class="s">130.2M</td><td>2026-11-20 09:00:00</td><td>{0}</td>
</tr>
<tr><td>Miniconda3-py399_99.1.0-1-Linux-aarch64.sh</td><td>1M</td><td></td><td>{1}</td></tr>
<tr><td>Miniconda3-py399_99.1.0-1-MacOSX-arm64.sh</td><td>1M</td><td></td><td>{2}</td></tr>
<tr><td>Miniconda3-latest-Linux-x86_64.sh</td><td>1M</td><td></td><td>{0}</td></tr>
</table></body></html>
"""


def checksums(count: int) -> list[str]:
    return [f"{index:064x}" for index in range(1, count + 1)]


class Publisher:
    """A stand-in for a publisher's host, which the site mirrors."""

    def __init__(self, server: WebServer, folder: Path, url: str) -> None:
        self.server = server
        site = {"version": 1, "mirrors": {"urls": {url: server.url}}}
        self.site = folder / "site.yaml"
        self.site.write_text(yaml.safe_dump(site), "utf-8")

    def lists(self, path: str, text: str) -> None:
        self.server.on(path, webserver.body(text.encode(), "text/html"))


def added(folder: Path, name: str) -> Any:
    return plainyaml.data(folder / "components" / name / "versions.yaml")["versions"]


def test_lines_of_sha256sum_are_releases(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    host = "https://mirrors.edge.kernel.org/pub/software/scm/git/"
    publisher = Publisher(server, tmp_path, host)
    sums = checksums(6)
    publisher.lists("sha256sums.asc", SUMS.format(*sums))
    server.file("git-2.99.0.tar.gz", b"four")
    done = bakestone("library", "update", "git", "--site", str(publisher.site))
    assert done.exit_code == 1
    assert f"git@2.53.0: git-2.53.0.tar.gz is another file now: {sums[5]}, not " in done.output
    (version, entry), *more = added(tmp_path, "git").items()
    assert (version, more) == ("2.99.0", [])
    (artifact,) = entry["methods"]["source"]["artifacts"]
    assert artifact["url"] == f"{host}git-2.99.0.tar.gz"
    assert (artifact["sha256"], artifact["size"]) == (sums[0], 4)
    again = bakestone("library", "update", "git", "--site", str(publisher.site))
    assert "nothing new" in again.output
    assert bakestone("component", "check", "git").exit_code == 0


def test_a_table_of_checksums_is_releases_for_each_platform(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    publisher = Publisher(server, tmp_path, "https://repo.anaconda.com/miniconda/")
    sums = checksums(3)
    publisher.lists("", TABLE.format(*sums))
    for machine in ("x86_64", "aarch64"):
        server.file(f"Miniconda3-py399_99.1.0-1-Linux-{machine}.sh", b"some")
    added_ = bakestone(
        "component", "add", "miniconda", "py399_99.1.0-1", "--site", str(publisher.site)
    )
    assert added_.exit_code == 0, added_.output
    (entry,) = added(tmp_path, "miniconda").values()
    assert entry["measure"] == {"version": "99.1.0", "python_minor": "3.99"}
    found = {a["platform"]: a["sha256"] for a in entry["methods"]["installer"]["artifacts"]}
    assert found == {"linux/amd64": sums[0], "linux/arm64": sums[1]}


@pytest.mark.parametrize("kind", ["gone", "no list"])
def test_one_list_that_is_not_there_does_not_stop_the_others(
    kind: str, bakestone: Command, nccl: TeamsNccl
) -> None:
    nccl.put(CU13, "2.99.1")
    nccl.index.show()
    site = plainyaml.data(nccl.index.site)
    site["mirrors"] = {"urls": {"https://mirrors.edge.kernel.org/": nccl.index.server.url}}
    nccl.index.site.write_text(yaml.safe_dump(site), "utf-8")
    if kind == "no list":
        nccl.index.server.file("pub/software/scm/git/sha256sums.asc", b"<p>soon</p>")
    done = bakestone("library", "update", "git", "nccl", "--site", str(nccl.index.site))
    assert done.exit_code == 3
    said = {"gone": "the list answers 404", "no list": "neither lines of sha256sum nor a table"}
    assert said[kind] in done.output
    assert "2.99.1" in nccl.versions()


def test_a_release_that_names_its_wheels_by_way_of_others_is_shown_with_all_of_them(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    shutil.copytree(BUILT_IN / "oneapi-runtime", tmp_path / "components" / "oneapi-runtime")
    index = Index(server, tmp_path)
    tag = "py2.py3-none-manylinux_2_28_x86_64"
    asks = {
        "dpcpp-cpp-rt": ["intel-opencl-rt==2099.1.0", "intel-sycl-rt==2099.1.0", "tbb<7,>=5"],
        "intel-opencl-rt": ["intel-cmplr-lib-rt==2099.1.0", "tbb<6"],
        "intel-sycl-rt": ["umf>=2", "intel-cmplr-lib-ur==2099.1.0", "intel-openmp==2099.1.0"],
        "intel-openmp": ["intel-cmplr-lic-rt==2099.1.0"],
        "intel-cmplr-lib-rt": [],
        "intel-cmplr-lib-ur": [],
        "intel-cmplr-lic-rt": [],
    }
    for project, wanted in asks.items():
        index.wheel(project, "2099.1.0", *wanted, tag=tag)
    for version in ("5.1", "6.1"):
        index.wheel("tbb", version, "tcmlib>=1", tag=tag)
    for project in ("tcmlib", "umf"):
        for version in ("1.0", "2.0", "3.0"):
            index.wheel(project, version, tag=tag)
    done = bakestone("library", "update", "oneapi-runtime", "--site", str(index.site))
    assert "2099.1.0 is on the index, which does not say what its OpenCL driver" in done.output
    shown = done.output[done.output.index('"2099.1.0":') :]
    found = yaml.safe_load(shown[: shown.index("confidence: high")])
    wheels = found["2099.1.0"]["methods"]["wheel"]["wheels"]
    names = {wheel["name"]: wheel["version"] for wheel in wheels}
    assert names == {
        **{name: "2099.1.0" for name in asks if name != "dpcpp-cpp-rt"},
        "tbb": "5.1",  # the newest that fits all who ask for it
        "tcmlib": "3.0",
        "umf": "3.0",
    }
