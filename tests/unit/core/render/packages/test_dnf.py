"""Packages of distros with dnf: the text that installs them, the question that a lock asks, and
what it makes of the answer.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import Repository
from bakestone.core.lock.lock import Lock, LockedPackages
from bakestone.core.lock.needs import Distro, PackageSet
from bakestone.core.render.frames import TOOL_STAGES, tool
from bakestone.core.render.packages import dnf
from bakestone.core.render.packages.by_distro import install
from bakestone.core.render.packages.updates import PackagesQuestion
from tests.support.samples import NOW, ROOT, refused

BOTH = ("linux/amd64", "linux/arm64")
NAMES = ("gcc", "gcc-c++")
AMD64 = {
    "gcc.x86_64": "0:8.5.0-22.el8_10",
    "glibc.x86_64": "0:2.28-251.el8_10.2",
    "tzdata.noarch": "0:2026a-1.el8",
}
ARM64 = {"gcc.aarch64": "0:8.5.0-22.el8_10", "libX_odd.aarch64": "2:1.0^git5-3.el8"}
ROCKY_9 = """\
# If the mirrorlist does not work for you, you can try the commented out baseurl line instead.

[baseos]
name=Rocky Linux $releasever - BaseOS
mirrorlist=https://mirrors.rockylinux.org/mirrorlist?arch=$basearch&repo=BaseOS-$releasever$rltype
#baseurl=http://dl.rockylinux.org/$contentdir/$releasever/BaseOS/$basearch/os/
gpgcheck=1

[epel]
name=another
metalink=https://mirrors.fedoraproject.org/metalink?repo=epel-9
gpgkey=https://keys.vendor.test/KEY
"""
UBI_9 = """\
[ubi-9-baseos-rpms]
name = Red Hat Universal Base Image 9 (RPMs) - BaseOS
baseurl = https://cdn-ubi.redhat.com/content/public/ubi/dist/ubi9/9/$basearch/baseos/os
enabled = 1
gpgkey = file:///etc/pki/rpm-gpg/RPM-GPG-KEY-redhat-release
"""


@pytest.fixture
def wanted(library: Library) -> PackageSet:
    component = library.get("rocky")
    assert component is not None
    return PackageSet(
        "docker.io/rockylinux/rockylinux:8",
        Distro(component, component.versions["8"], "rocky@8"),
        NAMES,
    )


def rendered(wanted: PackageSet, *closures: dict[str, str], pins: str = "versions") -> str:
    platforms = BOTH[: len(closures)]
    versions = {p: {wanted.names: closure} for p, closure in zip(platforms, closures, strict=True)}
    lock = Lock(
        packages={wanted.base: LockedPackages(pins, wanted.distro.text, NOW, versions=versions)}
    )
    return install(wanted, lock, platforms, TOOL_STAGES)


def test_every_package_is_named_with_epoch_version_release_and_architecture(
    wanted: PackageSet,
) -> None:
    text = rendered(wanted, AMD64)
    assert re.findall(r"^  (\S+)", text[text.index("\npackages \\\n") :], re.MULTILINE) == [
        "gcc-0:8.5.0-22.el8_10.x86_64",
        "glibc-0:2.28-251.el8_10.2.x86_64",
        "tzdata-0:2026a-1.el8.noarch",
    ]
    assert "apt" not in text


def test_each_platform_has_its_own_packages(wanted: PackageSet) -> None:
    text = rendered(wanted, AMD64, ARM64)
    before, _, after = text.partition("aarch64) packages='")
    assert "x86_64) packages='\n  gcc-0:8.5.0-22.el8_10.x86_64\n" in before
    assert after.startswith(
        "\n  gcc-0:8.5.0-22.el8_10.aarch64\n  libX_odd-2:1.0^git5-3.el8.aarch64'"
    )


def test_there_is_no_instruction_for_what_the_base_has_already(wanted: PackageSet) -> None:
    assert rendered(wanted, {}) == ""
    assert rendered(wanted, {}, {}) == ""
    assert 'if [ -n "$packages" ]; then' in rendered(wanted, {}, ARM64)


def test_plugins_recommendations_and_traces_are_left_out(wanted: PackageSet) -> None:
    assert rendered(wanted, AMD64).endswith("\nclean\nEOF\n")
    text = tool("dnf.sh")
    assert "--noplugins" in text
    assert "--setopt=install_weak_deps=False" in text
    kept = re.findall(r"--setopt=(?:cachedir|logdir|persistdir)=(\S+)", text)
    assert len(kept) == 3
    assert {folder.strip('"') for folder in kept} <= set(text.splitlines()[-2].split())


def test_the_scripts_are_clean_shell(wanted: PackageSet) -> None:
    checker = Path(sys.executable).parent / "shellcheck"
    for text in (
        rendered(wanted, AMD64),
        rendered(wanted, AMD64, ARM64),
        dnf.question(PackagesQuestion("base", [wanted], BOTH[0], NOW)),
    ):
        script = text.partition("<<'EOF'\n")[2].partition("\nEOF\n")[0]
        assert script.removeprefix("# distro packages\n").startswith(". /tools/dnf.sh\n")
        script = script.replace(". /tools/dnf.sh", tool("dnf.sh"), 1)
        done = subprocess.run(
            [checker, "-s", "sh", "-"], input=script, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_hadolint_finds_nothing(wanted: PackageSet, tmp_path: Path) -> None:
    for number, text in enumerate((rendered(wanted, AMD64), rendered(wanted, AMD64, ARM64))):
        path = tmp_path / f"{number}.Dockerfile"
        path.write_text(
            f"FROM docker.io/rockylinux/rockylinux:8@sha256:{'0' * 64} AS base\n{text}\n", "utf-8"
        )
        hadolint = Path(sys.executable).parent / "hadolint"
        done = subprocess.run(
            [hadolint, "--config", ROOT / ".hadolint.yaml", "--ignore", "DL3041", path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("pins", ["snapshot", "frozen"])
def test_other_pins_are_refused(wanted: PackageSet, pins: str) -> None:
    (found,) = refused(lambda: rendered(wanted, AMD64, pins=pins))
    assert found.message == f"packages of rocky@8 cannot be pinned by {pins}"
    assert "`versions`" in found.hint


def test_repositories_that_are_made_for_apt_are_refused(wanted: PackageSet) -> None:
    vendor = (
        Repository(
            "nvidia-ubuntu1604", "https://vendor.test /", "https://vendor.test/key", "0" * 40
        ),
    )
    (found,) = refused(
        lambda: rendered(PackageSet(wanted.base, wanted.distro, NAMES, vendor), AMD64)
    )
    assert (
        found.message == "rocky@8 cannot use the repository nvidia-ubuntu1604: it is made for apt"
    )


def test_a_set_that_the_lock_lacks_is_an_error(wanted: PackageSet) -> None:
    lock = Lock(packages={wanted.base: LockedPackages("versions", "rocky@8", NOW)})
    (found,) = refused(lambda: install(wanted, lock, BOTH, TOOL_STAGES))
    assert (
        found.message
        == "the lock has no versions of gcc, gcc-c++... on docker.io/rockylinux/rockylinux:8 for"
        " linux/amd64"
    )
    assert found.hint == "run `bakestone lock`"


def test_the_question_names_each_set_and_is_never_answered_from_the_cache(
    wanted: PackageSet,
) -> None:
    sets = [wanted, PackageSet(wanted.base, wanted.distro, ("git",))]
    text = dnf.question(PackagesQuestion("base@sha256:1", sets, BOTH[0], NOW))
    assert re.findall(r"^FROM (.*)$", text, re.MULTILINE) == [
        "scratch AS tools",
        "base@sha256:1 AS ask",
        "scratch",
    ]
    assert '"$python" - \'[["gcc", "gcc-c++"], ["git"]]\'' in text
    assert NOW in text


def test_scripts_run_on_the_python_of_version_8(wanted: PackageSet) -> None:
    text = dnf.question(PackagesQuestion("base", [wanted], BOTH[0], NOW))
    scripts = re.findall(r"<<'PYTHON'\n(.*?)\nPYTHON\n", text, re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        ast.parse(script, feature_version=(3, 6))


def test_an_answer_is_a_package_a_line() -> None:
    assert dnf.closure(
        "gcc-c++.x86_64 0:8.5.0-22.el8_10\nlibX_odd.aarch64 2:1.0^git5~rc1-3.el8\n"
    ) == {"gcc-c++.x86_64": "0:8.5.0-22.el8_10", "libX_odd.aarch64": "2:1.0^git5~rc1-3.el8"}
    assert dnf.closure("") == {}


@pytest.mark.parametrize(
    "line",
    [
        "gcc 0:1-1",
        "gcc.x86_64 1-1",
        "gcc.x86_64 0:1",
        "a.x86_64 0:1-1; rm -rf /",
        "a.x86_64 0:1-1'",
        "warning: x",
    ],
)
def test_anything_else_in_an_answer_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="not a package"):
        dnf.closure(f"gcc.x86_64 0:1-1\n{line}\n")


def test_a_package_in_two_versions_is_an_error() -> None:
    with pytest.raises(ValueError, match="two versions"):
        dnf.closure("kernel.x86_64 0:1-1\nkernel.x86_64 0:2-1\n")


def test_unknown_packages_and_reasons_are_told_apart() -> None:
    log = [
        "BaseOS 4 MB",
        "bakestone: no package nonsense",
        "bakestone: no package gcc-d++",
        "bakestone: dnf: Cannot download repomd.xml",
    ]
    assert dnf.unknown(log) == {"nonsense", "gcc-d++"}
    assert dnf.reasons(log) == ["dnf: Cannot download repomd.xml"]


STAND_IN = """\
import types

P = types.SimpleNamespace
CURL = [("0", "7.76.1", "26.el9"), ("0", "7.76.1", "31.el9")]


class Base:
    def __init__(self):
        query = P(filter=lambda name: self.known if name == "curl" else [])
        self.known = [P(epoch=e, version=v, release=r) for e, v, r in CURL]
        self.sack, self.conf = P(query=lambda: query), P(
            read=int, substitutions=P(update_from_etc=str), releasever=""
        )
        self.read_all_repos = self.fill_sack = self.resolve = int
        self.asked = []
        self.transaction = P(install_set=self.asked)

    def reset(self, goal):
        del self.asked[:]

    def install(self, text):
        epoch, _, rest = text.partition("-")[2].partition(":")
        version, _, release = rest.partition("-")
        self.asked.append(Package(name="curl", arch="x86_64", epoch=epoch, version=version,
                                  release=release))


class Package(P):
    def __lt__(self, other):
        return False


class exceptions:
    class Error(Exception):
        pass

    class MarkingError(Error):
        pass
"""


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("curl=7.76.1-26.el9", 0, "curl.x86_64 0:7.76.1-26.el9\n"),
        ("curl=0:7.76.1-31.el9", 0, "curl.x86_64 0:7.76.1-31.el9\n"),
        ("curl=7.76.1", 1, {"curl": ["0:7.76.1-26.el9", "0:7.76.1-31.el9"]}),
        ("wget=1", 1, {}),
    ],
)
def test_a_version_is_asked_of_dnf_whole(
    name: str, code: int, said: str | dict[str, list[str]], tmp_path: Path
) -> None:
    """The program with a stand-in for the module dnf, which knows two versions of one package."""
    (tmp_path / "dnf.py").write_text(STAND_IN, "utf-8")
    (tmp_path / "out").mkdir()
    program = dnf.resolver().replace("/out/", f"{tmp_path}/out/")
    done = subprocess.run(
        [sys.executable, "-", f'[["{name}"]]'],
        input=program,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    log = done.stderr.splitlines()
    if code:
        assert dnf.unknown(log) == {name}
        assert dnf.versions(log) == said
    else:
        assert (tmp_path / "out" / "0").read_text("utf-8") == said


def mirrored(tmp_path: Path, repository: str, mirrors: str) -> str | None:
    """What the script makes of a repository file, run by this machine's shell and Python in a
    folder of the test's own.
    """
    for name, text in (("etc/yum.repos.d/a.repo", repository), ("run/secrets/mirrors", mirrors)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text, "utf-8")
    script = tool("dnf.sh")
    for place in ("/run/secrets", "/etc/yum.repos.d", dnf.REPOSITORIES):
        script = script.replace(place, f"{tmp_path}{place}")
    (tmp_path / "tmp").mkdir()
    subprocess.run(["sh", "-c", script], check=True, capture_output=True)
    made = tmp_path / dnf.REPOSITORIES[1:] / "a.repo"
    return made.read_text("utf-8") if made.is_file() else None


def test_a_mirrored_repository_is_asked_there_and_nowhere_else(tmp_path: Path) -> None:
    found = mirrored(tmp_path, ROCKY_9, "http://dl.rockylinux.org/ https://mirror.example.com/a/\n")
    assert found is not None
    here, epel = found.split("[epel]")
    assert (
        "\nbaseurl=https://mirror.example.com/a/$contentdir/$releasever/BaseOS/$basearch/os/\n"
        in here
    )
    assert "\n#mirrorlist=https://mirrors.rockylinux.org/" in here
    assert epel == ROCKY_9.split("[epel]")[1]  # and the others as before


def test_a_list_of_mirrors_and_a_key_can_be_mirrored_too(tmp_path: Path) -> None:
    mirrors = (
        "https://mirrors.rockylinux.org/ http://127.0.0.1:80/lists/\nhttps://keys.vendor.test/"
        " http://127.0.0.1:80/keys/\n"
    )
    found = mirrored(tmp_path, ROCKY_9, mirrors)
    assert found is not None
    assert "\nmirrorlist=http://127.0.0.1:80/lists/mirrorlist?arch=$basearch" in found
    assert "\ngpgkey=http://127.0.0.1:80/keys/KEY\n" in found
    assert "\n#baseurl=http://dl.rockylinux.org/" in found


def test_red_hats_form_of_a_repository_file_is_mirrored(tmp_path: Path) -> None:
    found = mirrored(
        tmp_path, UBI_9, "https://cdn-ubi.redhat.com/content/ https://mirror.example.com/ubi/\n"
    )
    line = "baseurl=https://mirror.example.com/ubi/public/ubi/dist/ubi9/9/$basearch/baseos/os\n"
    assert found == re.sub(r"baseurl = .*\n", lambda _: line, UBI_9)


def test_a_dot_in_a_mirrors_prefix_is_a_dot(tmp_path: Path) -> None:
    assert (
        mirrored(tmp_path, ROCKY_9, "http://dl-rockylinux.org/ https://mirror.example.com/\n")
        == ROCKY_9
    )


def test_without_mirrors_the_repository_files_stay_where_they_are(tmp_path: Path) -> None:
    assert mirrored(tmp_path, ROCKY_9, "") is None
