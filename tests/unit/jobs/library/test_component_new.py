"""`bakestone component new` makes a component that works as it is, and `component check` says
whether one does.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from bakestone.jobs.library import scaffold
from bakestone.jobs.library.contents import contents
from tests.support import webserver
from tests.support.command import Command
from tests.support.samples import locked
from tests.support.vendor_files import PROGRAM, zipped
from tests.support.webserver import WebServer

JQ = ("component", "new", "jq", "--package", "jq", "--distro", "debian@12=1.6-2.1+deb12u1")
PROBE = ("component", "new", "probe", "--version", "1.4.0", "--url")
SHELLCHECK = Path(sys.executable).parent / "shellcheck"


@pytest.fixture
def server() -> Iterator[WebServer]:
    with webserver.serving() as running:
        yield running


def tarball(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """Files below bin/ may be executed; a file whose content begins with -> is a link."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if "bin/" in name else 0o644
            if content.startswith(b"->"):
                member.type, member.linkname, member.size = tarfile.SYMTYPE, content[2:].decode(), 0
            archive.addfile(member, io.BytesIO(content) if member.isfile() else None)
    return raw.getvalue()


def made(folder: Path, name: str = "probe") -> dict[str, str]:
    return {
        path.name: path.read_text("utf-8")
        for path in sorted((folder / "components" / name).iterdir())
    }


def refused(shown: Result, folder: Path, code: int) -> str:
    """The command failed with this code and a hint, and left nothing behind."""
    assert shown.exit_code == code, shown.output
    assert isinstance(shown.exception, SystemExit)
    assert "hint: " in shown.output
    assert not list(folder.glob("components/*")), "nothing is left"
    return shown.output


def uses(folder: Path, slot: str, version: str) -> str:
    """A Dockerfile of an images.yaml that has the component in its slot."""
    text = f"""\
version: 1
registry: localhost:5000/base
families:
  - name: tools
    axes:
      distro: [debian@12]
      {slot}: ["{version}"]
    name_slots: [{slot}, distro]
"""
    project = locked(folder, text)
    (dockerfile,) = project.dockerfiles.values()
    return dockerfile


def test_an_archive_becomes_a_component_that_passes_and_is_used(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    url = server.file(
        "probe-1.4.0-linux-x86_64.tar.gz",
        tarball({"probe-1.4.0/bin/probe": PROGRAM, "probe-1.4.0/README": b"text"}),
    )
    shown = bakestone(*PROBE, url)
    assert shown.exit_code == 0, shown.output
    assert "components/probe: whole (1 version, 1 Dockerfile rendered)" in shown.output
    assert "probe: [probe@1.4.0]" in shown.output
    texts = made(tmp_path)
    assert set(texts) == {"component.yaml", "versions.yaml", "install.archive.j2", "inventory.sh"}
    assert yaml.safe_load(texts["component.yaml"])["path"] == ["{{ prefix }}/bin"]
    entry = yaml.safe_load(texts["versions.yaml"])["versions"]["1.4.0"]["methods"]["archive"][
        "artifacts"
    ][0]
    assert (entry["platform"], entry["confidence"]) == ("linux/amd64", "low")
    assert bakestone("component", "check", "probe").exit_code == 0
    dockerfile = uses(tmp_path, "probe", "1.4.0")
    assert (
        f"ADD --checksum=sha256:{entry['sha256']} {url} /probe-1.4.0-linux-x86_64.tar.gz"
        in dockerfile
    )
    assert 'PATH="/opt/probe/bin:' in dockerfile
    assert bakestone("validate").exit_code == 0


@pytest.mark.parametrize(
    ("filename", "mode", "packages"),
    [
        ("p.tar.gz", "w:gz", []),
        ("p.tgz", "w:gz", []),
        ("p.tar.xz", "w:xz", ["xz-utils"]),
        ("p.tar.bz2", "w:bz2", ["bzip2"]),
        ("p.tar", "w", []),
    ],
)
def test_the_builder_has_what_unpacks_the_file(
    filename: str,
    mode: str,
    packages: list[str],
    bakestone: Command,
    server: WebServer,
    tmp_path: Path,
) -> None:
    assert (
        bakestone(*PROBE, server.file(filename, tarball({"p/bin/probe": PROGRAM}, mode))).exit_code
        == 0
    )
    assert yaml.safe_load(made(tmp_path)["component.yaml"])["methods"]["archive"]["packages"] == {
        "debian": packages
    }


def test_a_zip_and_a_program_by_itself_are_taken_too(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    assert (
        bakestone(
            *PROBE, server.file("probe.zip", zipped({"bin/probe": PROGRAM, "share/probe/x": b""}))
        ).exit_code
        == 0
    )
    assert 'unzip -q "$1"' in made(tmp_path)["install.archive.j2"]
    assert "packages: {debian: [unzip]}" in made(tmp_path)["component.yaml"]
    shown = bakestone(
        "component",
        "new",
        "single",
        "--version",
        "1.4.0",
        "--url",
        server.file("probe_linux_arm64", b"\x7fELF" + bytes(60)),
    )
    assert shown.exit_code == 0, shown.output
    assert 'cp "$1" /out{{ prefix }}/bin/single' in made(tmp_path, "single")["install.archive.j2"]
    assert "linux/arm64" in made(tmp_path, "single")["versions.yaml"]


def run_install(folder: Path, name: str, file: Path, temporary: Path) -> None:
    """What the template does in the build, done here: its script, with /files, /tmp and /out in
    folders of the test.
    """
    dockerfile = uses(folder, name, "1.4.0")
    script = dockerfile.split("target=/files <<'EOF'\n")[1].split("\nEOF")[0]
    files = temporary / "files"
    files.mkdir()
    (files / file.name).write_bytes(file.read_bytes())
    script = re.sub(r"(?<![\w.])/(files|tmp|out)\b", rf"{temporary}/\1", script)
    subprocess.run(["sh", "-c", script], check=True, cwd=temporary)


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("p.tar.gz", tarball({"p-1.4.0/bin/probe": PROGRAM, "p-1.4.0/share/x": b"x"})),
        ("p.tar.xz", tarball({"./bin/probe": PROGRAM, "./share/x": b"x"}, "w:xz")),
        ("flat.tar", tarball({"bin/probe": PROGRAM, "share/x": b"x"}, "w")),
        ("bin-only.tar", tarball({"bin/probe": PROGRAM}, "w")),
        ("probe-linux", PROGRAM),
    ],
)
def test_the_template_lays_the_program_below_the_prefix(
    filename: str, content: bytes, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    shown = bakestone(*PROBE, server.file(filename, content))
    assert shown.exit_code == 0, shown.output
    downloaded, place = tmp_path / filename, tmp_path / "build"
    downloaded.write_bytes(content)
    place.mkdir()
    run_install(tmp_path, "probe", downloaded, place)
    program = place / "out/opt/probe/bin/probe"
    assert program.stat().st_mode & 0o111
    assert subprocess.run([program], capture_output=True, check=True).stdout == b"probe 1.4.0\n"


WHEEL = {
    "probe/__init__.py": b"",
    "probe-1.4.0.data/scripts/probe": PROGRAM,
    "probe-1.4.0.dist-info/licenses/LICENSE": b"free",
}
WHEEL_NAMES = (
    "probe-1.4.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "probe-1.4.0-py3-none-manylinux_2_28_aarch64.whl",
)


def as_pip_does(place: Path, files: dict[str, bytes]) -> None:
    """A stand-in for what pip makes of a wheel."""
    for name, content in files.items():
        installed = f"lib/python3.11/site-packages/{name}"
        if ".data/scripts/" in name:
            installed = f"bin/{name.rpartition('/')[2]}"
        if ".data/data/" in name:
            installed = name.partition(".data/data/")[2]
        path = place / "wheels" / installed
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if installed.startswith("bin/") else 0o644)


def run_wheel_install(folder: Path, place: Path) -> None:
    dockerfile = uses(folder, "probe", "1.4.0")
    script = dockerfile.split("RUN <<'EOF'\n")[1].split("\nEOF")[0]
    subprocess.run(
        ["sh", "-c", re.sub(r"(?<![\w.])/(wheels|out)\b", rf"{place}/\1", script)],
        check=True,
        cwd=place,
    )


def test_a_program_among_a_wheel_s_data_is_found(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    """As those of MPICH are, beside its libraries."""
    files = {
        "probe/__init__.py": b"",
        "probe-1.4.0.data/data/bin/probe": PROGRAM,
        "probe-1.4.0.data/data/lib/libprobe.so": b"",
        "probe-1.4.0.dist-info/licenses/LICENSE": b"free",
    }
    urls = [server.file(name, zipped(files)) for name in WHEEL_NAMES]
    shown = bakestone(*PROBE, urls[0], "--url", urls[1])
    assert shown.exit_code == 0, shown.output
    assert "program: bin/probe" in shown.output
    as_pip_does(tmp_path / "place", files)
    run_wheel_install(tmp_path, tmp_path / "place")
    assert (tmp_path / "place" / "out" / "opt" / "probe" / "bin" / "probe").is_file()


def test_a_wheel_that_holds_a_program_becomes_a_component(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    urls = [server.file(name, zipped(WHEEL)) for name in WHEEL_NAMES]
    shown = bakestone(*PROBE, urls[0], "--url", urls[1])
    assert shown.exit_code == 0, shown.output
    assert "program: bin/probe" in shown.output
    assert set(made(tmp_path)) == {
        "component.yaml",
        "versions.yaml",
        "install.wheel.j2",
        "inventory.sh",
    }
    method = yaml.safe_load(made(tmp_path)["component.yaml"])["methods"]["wheel"]
    assert method["require"] == {"distro.glibc": ">=2.28"}, (
        "the newest that any of the wheels needs"
    )
    (wheel,) = yaml.safe_load(made(tmp_path)["versions.yaml"])["versions"]["1.4.0"]["methods"][
        "wheel"
    ]["wheels"]
    assert (wheel["name"], wheel["version"], list(wheel["files"])) == (
        "probe",
        "1.4.0",
        ["linux/amd64", "linux/arm64"],
    )
    assert "\nprobe==1.4.0 --hash=sha256:" in uses(tmp_path, "probe", "1.4.0")
    place = tmp_path / "build"
    as_pip_does(place, WHEEL)
    run_wheel_install(tmp_path, place)
    assert (
        subprocess.run([place / "out/opt/probe/bin/probe"], capture_output=True, check=True).stdout
        == b"probe 1.4.0\n"
    )
    assert (place / "out/opt/probe/share/licenses/LICENSE").read_bytes() == b"free"
    more = bakestone(
        "component",
        "add",
        "probe",
        "1.5.0",
        "--url",
        server.file(WHEEL_NAMES[0].replace("1.4.0", "1.5.0"), zipped(WHEEL)),
    )
    assert more.exit_code == 0, more.output


def test_a_program_inside_a_wheels_package_is_found_and_keeps_what_is_beside_it(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    files = {
        "probe/data/bin/probe": PROGRAM,
        "probe/data/share/x": b"x",
        "probe-1.4.0.dist-info/METADATA": b"",
    }
    assert (
        bakestone(*PROBE, server.file("probe-1.4.0-py3-none-any.whl", zipped(files))).exit_code == 0
    )
    assert "require" not in made(tmp_path)["component.yaml"]
    place = tmp_path / "build"
    as_pip_does(place, files)
    run_wheel_install(tmp_path, place)
    program = place / "out/opt/probe/probe/data/bin/probe"
    assert subprocess.run([program], capture_output=True, check=True).stdout == b"probe 1.4.0\n"
    assert (place / "out/opt/probe/probe/data/share/x").is_file()


@pytest.mark.parametrize(
    ("name", "files", "code", "message"),
    [
        (
            "probe-1.4.0-py3-none-any.whl",
            {"probe/__init__.py": b""},
            1,
            "has no program named probe",
        ),
        (
            "probe-1.4.0-py3-none-any.whl",
            {"probe-1.4.0.dist-info/probe": PROGRAM},
            1,
            "has no program named probe",
        ),
        ("probe-1.4.0-py3-none-win_amd64.whl", WHEEL, 2, "is not for Linux"),
        ("probe.whl", WHEEL, 2, "is not the name of a wheel"),
    ],
)
def test_a_wheel_without_the_program_or_for_another_system_is_refused(
    name: str,
    files: dict[str, bytes],
    code: int,
    message: str,
    bakestone: Command,
    server: WebServer,
    tmp_path: Path,
) -> None:
    assert message in refused(bakestone(*PROBE, server.file(name, zipped(files))), tmp_path, code)


def test_a_slot_cannot_have_a_name_that_means_something_else_in_conditions(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    url = server.file("probe", PROGRAM)
    shown = refused(
        bakestone("component", "new", "host", "--version", "1.4.0", "--url", url), tmp_path, 2
    )
    assert "--slot cannot be 'host'" in shown
    assert (
        bakestone(
            "component", "new", "host", "--slot", "interpreter", "--version", "1.4.0", "--url", url
        ).exit_code
        == 0
    )
    path = tmp_path / "components/host/component.yaml"
    path.write_text(path.read_text("utf-8").replace("slot: interpreter", "slot: host"), "utf-8")
    checked = bakestone("component", "check", "host").output
    assert checked.startswith('components/host/component.yaml:2:7: slot cannot be "host"'), (
        "a file is called as it lies below the folder"
    )


def test_files_for_two_platforms_make_one_version(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    urls = [
        server.file(f"probe-{arch}.tar.gz", tarball({f"probe-{arch}/bin/probe": PROGRAM}))
        for arch in ("x86_64", "aarch64")
    ]
    assert bakestone(*PROBE, urls[0], "--url", urls[1]).exit_code == 0
    artifacts = yaml.safe_load(made(tmp_path)["versions.yaml"])["versions"]["1.4.0"]["methods"][
        "archive"
    ]["artifacts"]
    assert [a["platform"] for a in artifacts] == ["linux/amd64", "linux/arm64"]


def test_files_that_do_not_lie_alike_are_refused(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    one = server.file("probe-x86_64.tar.gz", tarball({"p/bin/probe": PROGRAM}))
    other = server.file("probe-aarch64.tar.gz", tarball({"p/probe": PROGRAM}))
    assert "do not lie alike" in refused(bakestone(*PROBE, one, "--url", other), tmp_path, 1)


def test_a_version_more_is_added_to_it(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    for version in ("1.4.0", "1.5.0"):
        server.file(
            f"probe-{version}-x86_64.tar.gz", tarball({f"probe-{version}/bin/probe": PROGRAM})
        )
    bakestone(*PROBE, f"{server.url}probe-1.4.0-x86_64.tar.gz")
    shown = bakestone(
        "component", "add", "probe", "1.5.0", "--url", f"{server.url}probe-1.5.0-x86_64.tar.gz"
    )
    assert shown.exit_code == 0, shown.output
    assert list(yaml.safe_load(made(tmp_path)["versions.yaml"])["versions"]) == ["1.5.0", "1.4.0"]
    assert (
        "whole (2 versions, 2 Dockerfiles rendered)"
        in bakestone("component", "check", "probe").output
    )


def test_a_package_of_the_distros_becomes_a_component_that_passes_and_is_used(
    bakestone: Command, tmp_path: Path
) -> None:
    shown = bakestone(
        *JQ, "--distro", "debian@13=1.7.1-6+deb13u1", "--licence", "MIT", "--title", "jq"
    )
    assert shown.exit_code == 0, shown.output
    assert "whole (2 versions, 2 Dockerfiles rendered)" in shown.output
    versions = yaml.safe_load(made(tmp_path, "jq")["versions.yaml"])["versions"]
    assert {v: e["methods"]["apt"]["versions"] for v, e in versions.items()} == {
        "1.7.1": {"debian@13": "1.7.1-6+deb13u1"},
        "1.6": {"debian@12": "1.6-2.1+deb12u1"},
    }
    assert " jq=" in uses(tmp_path, "jq", "1.6")
    assert bakestone("validate").exit_code == 0


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("1.6-2.1+deb12u1", "1.6"),
        ("1:2.39.5-0+deb12u3", "2.39.5"),
        ("2.43.0-1ubuntu7.3", "2.43.0"),
        ("1.7.1+dfsg-6", "1.7.1"),
        ("590-2", "590"),
        ("3.0~rc1-1", "3.0"),
        ("1.2-3-4", "1.2-3"),
    ],
)
def test_the_programs_version_is_read_from_the_packages(package: str, version: str) -> None:
    assert scaffold.upstream(package) == version


@pytest.mark.parametrize(
    "arguments",
    [
        JQ[3:],
        ("--version", "1.4.0", "--url", "URL"),
        ("--version", "7", "--url", "URL"),
        ("--version", "1.0rc1", "--url", "URL"),
    ],
)
def test_what_is_made_is_clean_shell(
    arguments: tuple[str, ...], bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    url = server.file("p.tar.gz", tarball({"p/bin/made": PROGRAM}))
    assert (
        bakestone(
            "component", "new", "made", *(url if a == "URL" else a for a in arguments)
        ).exit_code
        == 0
    )
    for text in (made(tmp_path, "made")["inventory.sh"],):
        done = subprocess.run(
            [SHELLCHECK, "-s", "sh", "-"], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("said", "version", "measured"),
    [
        ("cmake version 3.31.6\n\nCMake suite maintained", "3.31.6", "3.31.6"),
        ("uv 0.13.9 (x86_64-unknown-linux-gnu)", "0.13.9", "0.13.9"),
        ("git-lfs/3.6.0 (GitHub; linux amd64; go 1.23.1)", "3.6.0", "3.6.0"),
        ("bzip2, Version 1.0.8, 13-Jul-2019", "1.0.8", "1.0.8"),
        ("v22.1.0", "22.1.0", "22.1.0"),
        ("less 590 (PCRE2 regular expressions)", "590", "590"),
        ("tool 2.0rc1", "2.0rc1", "2.0rc1"),
        ("probe 9.9.9", "1.4.0", "9.9.9"),
    ],
)
def test_the_inventory_measures_what_the_program_says(
    said: str, version: str, measured: str, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    program = f"#!/bin/sh\ncat <<'X'\n{said}\nX\n".encode()
    shown = bakestone(
        "component", "new", "probe", "--version", version, "--url", server.file("probe", program)
    )
    assert shown.exit_code == 0, shown.output
    folder = tmp_path / "opt/probe/bin"
    folder.mkdir(parents=True)
    (folder / "probe").write_bytes(program)
    (folder / "probe").chmod(0o755)
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "PREFIX": str(tmp_path / "opt/probe"),
        "VERSION": version,
    }
    done = subprocess.run(
        ["sh", tmp_path / "components/probe/inventory.sh"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"version={measured}\n", done.stderr


def test_nothing_that_is_downloaded_is_run(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    program = f"#!/bin/sh\ntouch {tmp_path}/was-run\n".encode()
    assert (
        bakestone(*PROBE, server.file("p.tar.gz", tarball({"p/bin/probe": program}))).exit_code == 0
    )
    assert bakestone("component", "check", "probe").exit_code == 0
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("name", ["Base", "1x", "a_b", "x/../y", "-x", "", "x" * 41, "a b", "é"])
def test_bad_names_are_refused_with_what_a_name_is(
    name: str, bakestone: Command, tmp_path: Path
) -> None:
    shown = bakestone(
        "component", "new", "--package", "jq", "--distro", "debian@12=1.6-1", "--", name
    )
    assert "lower case letters, digits and dashes" in refused(shown, tmp_path, 2)


@pytest.mark.parametrize("name", ["gate", "keyrings", "none", "scratch", "tools", "my-files"])
def test_words_that_mean_something_else_are_refused(
    name: str, bakestone: Command, tmp_path: Path
) -> None:
    said = refused(bakestone("component", "new", name, *JQ[3:]), tmp_path, 2)
    assert "not a word that means another stage or an empty slot" in said


@pytest.mark.parametrize("name", ["on", "no", "null", "true", "y"])
def test_names_that_yaml_reads_as_something_else_stay_names(
    name: str, bakestone: Command, tmp_path: Path
) -> None:
    assert bakestone("component", "new", name, *JQ[3:], "--bin", "jq").exit_code == 0
    assert yaml.safe_load(made(tmp_path, name)["component.yaml"])["component"] == name


def test_a_name_of_the_library_is_refused_with_what_to_do(
    bakestone: Command, tmp_path: Path
) -> None:
    said = refused(bakestone("component", "new", "openmpi", *JQ[3:]), tmp_path, 1)
    assert "the library has openmpi already" in said
    assert "bakestone component add openmpi VERSION --url URL" in said


@pytest.mark.parametrize("kind", ["component", "folder", "file", "dangling link"])
def test_nothing_that_is_there_is_overwritten(
    kind: str, bakestone: Command, tmp_path: Path
) -> None:
    place = tmp_path / "components/jq"
    if kind == "component":
        assert bakestone(*JQ).exit_code == 0
    elif kind == "folder":
        place.mkdir(parents=True)
        (place / "notes").write_text("mine", "utf-8")
    else:
        place.parent.mkdir()
        place.write_text("mine", "utf-8") if kind == "file" else place.symlink_to("nowhere")
    before = sorted((p.name, p.is_file() and p.read_bytes()) for p in tmp_path.rglob("*"))
    shown = bakestone(*JQ, "--title", "another")
    assert shown.exit_code == 1, shown.output
    assert "components/jq is there already; it is left as it is" in shown.output
    assert sorted((p.name, p.is_file() and p.read_bytes()) for p in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((), "needs something to install"),
        (("--url", "https://vendor.test/x.tar.gz"), "--version X --url URL"),
        (
            ("--url", "https://vendor.test/x.tar.gz", "--version", "1", "--package", "x"),
            "needs something to install",
        ),
        (("--package", "jq"), "--package needs a --distro"),
        (("--package", "jq", "--distro", "debian@12"), "write NAME@VERSION=PACKAGE-VERSION"),
        (("--package", "jq", "--distro", "debain@12=1"), "there is no distro debain"),
        (("--package", "jq", "--distro", "debian@99=1"), "debian has no version 99"),
        (("--package", "jq;id", "--distro", "debian@12=1"), "--package cannot be"),
        (("--package", "jq", "--distro", "debian@12=1$(id)"), "the package's version cannot be"),
        ((*JQ[3:], "--slot", "distro"), "a distro comes as an image"),
        ((*JQ[3:], "--slot", "My-Slot"), "--slot cannot be"),
        ((*JQ[3:], "--licence", "GNU or so"), "--licence cannot be"),
        ((*JQ[3:], "--homepage", "javascript:x"), "--homepage cannot be"),
        ((*JQ[3:], "--title", 'x"y'), "--title cannot be"),
        ((*JQ[3:], "--ask", "--version; id"), "--ask cannot be"),
        ((*JQ[3:], "--bin", "../jq"), "--bin cannot be"),
        ((*JQ[3:], "--bin", "$(id)"), "--bin cannot be"),
    ],
)
def test_wrong_usage_says_what_is_right(
    arguments: tuple[str, ...], what: str, bakestone: Command, tmp_path: Path
) -> None:
    shown = bakestone("component", "new", "tool", *arguments)
    assert shown.exit_code in (1, 2), shown.output
    assert what in refused(shown, tmp_path, shown.exit_code)


@pytest.mark.parametrize(
    ("filename", "content", "what"),
    [
        ("p.tar.gz", tarball({"p/bin/other": PROGRAM}), "has no program named probe"),
        ("p.tar.gz", tarball({"p/bin/$(id)/probe": PROGRAM}), "has no program named probe"),
        ("p.tar.gz", tarball({"p/x": b""})[:30] + bytes(30), "cannot be read"),
        ("p.zip", b"PK\x03\x04 and nothing more", "cannot be read"),
        ("p.sh", PROGRAM, "is an installer"),
        ("p.deb", b"!<arch>\n", "neither an archive"),
    ],
    ids=[
        "without the program",
        "in a folder with a wrong name",
        "cut off",
        "no zip",
        "an installer",
        "a Debian package",
    ],
)
def test_a_file_that_is_no_component_is_refused(
    filename: str, content: bytes, what: str, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    assert what in refused(bakestone(*PROBE, server.file(filename, content)), tmp_path, 1)


def test_the_program_can_be_named(bakestone: Command, server: WebServer, tmp_path: Path) -> None:
    url = server.file("p.tar.gz", tarball({"p/tools/bin/rg": PROGRAM, "p/tools/bin/rgx": b"->rg"}))
    assert "its programs: tools/bin/rg, tools/bin/rgx" in refused(
        bakestone(*PROBE, url), tmp_path, 1
    )
    assert "it has tools/bin/rg" in refused(bakestone(*PROBE, url, "--bin", "rg"), tmp_path, 1)
    assert (
        bakestone(*PROBE, url, "--bin", "tools/bin/rg", "--ask", "version --short").exit_code == 0
    )
    assert 'said="$(rg version --short 2>&1)"' in made(tmp_path)["inventory.sh"]
    assert yaml.safe_load(made(tmp_path)["component.yaml"])["path"] == ["{{ prefix }}/tools/bin"]


def test_a_download_that_fails_leaves_nothing(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    assert "the server answers 404" in refused(
        bakestone(*PROBE, f"{server.url}nothing.tar.gz"), tmp_path, 3
    )
    url = server.file("p.tar.gz", tarball({"p/bin/probe": PROGRAM}))
    assert "the checksum is" in refused(bakestone(*PROBE, url, "--sha256", "0" * 64), tmp_path, 1)


def test_an_archive_made_to_fill_a_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bakestone.errors import BakestoneError

    monkeypatch.setattr("bakestone.jobs.library.contents.MAX_MEMBERS", 10)
    path = tmp_path / "p.tar"
    path.write_bytes(tarball({f"p/bin/{i}": b"" for i in range(11)}, "w"))
    with pytest.raises(BakestoneError, match="unpacks to more than 10 files"):
        contents(path, "p.tar")
    monkeypatch.setattr("bakestone.jobs.library.contents.MAX_UNPACKED", 999)
    path.write_bytes(zipped({"x": bytes(1000)}))
    with pytest.raises(BakestoneError, match="unpacks to more than"):
        contents(path, "p.zip")


def test_programs_are_found_by_name_and_place(tmp_path: Path) -> None:
    path = tmp_path / "p.tar"
    path.write_bytes(
        tarball(
            {
                "p/share/probe": b"data",
                "p/lib/bin/probe": PROGRAM,
                "p/bin/probe": PROGRAM,
                "p/sbin/probe": PROGRAM,
            },
            "w",
        )
    )
    assert contents(path, "p.tar").programs("probe") == ["bin/probe", "lib/bin/probe", "sbin/probe"]


def broken(folder: Path, file: str, before: str, after: str) -> None:
    path = folder / "components/probe" / file
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")


@pytest.mark.parametrize(
    ("file", "before", "after", "what"),
    [
        ("component.yaml", "licence:", "license:", "unknown key 'license'"),
        ("component.yaml", "component: probe", "component: prober", "is in a folder named probe"),
        (
            "component.yaml",
            "builder: debian@12",
            "builder: debian@99",
            "is built on debian@99, which the library does not have",
        ),
        ("component.yaml", "  archive:", "  source:", "has no install.source.j2"),
        (
            "versions.yaml",
            "            sha256",
            "            sha265",
            "the key 'sha256' is missing",
        ),
        (
            "versions.yaml",
            "            source: computed",
            "            note: computed",
            "nobody says where",
        ),
        (
            "versions.yaml",
            "      archive:",
            "      installer:",
            "it offers the method installer, which component.yaml does not have",
        ),
        ("install.archive.j2", "{{ files }}", "{{ flies }}", "'flies' is undefined"),
        ("install.archive.j2", "{{ files }}", "{% if %}", "the template cannot be filled"),
        ("install.archive.j2", "find /out ", "# find /out ", "does not set the times"),
        ("install.archive.j2", "\nEOF\n", "\nEOF\nRUN true\n", "does not set the times"),
        ("install.archive.j2", "find /out ", ". /tools/timed.sh #", "does not set the times"),
        ("inventory.sh", 'echo "version=$version"', 'echo "$version"', "it prints no `version=`"),
        (
            "inventory.sh",
            'echo "version=$version"',
            'echo "version=$VERSION"',
            "it prints the pin instead of measuring",
        ),
        ("inventory.sh", "fail()", "fail( {", "inventory.sh:4:1:"),
        (
            "component.yaml",
            "methods:",
            "options: {fast: {title: x, methods: [archive], measure: {fast: y}, programs: [a.c]}}\n"
            "methods:",
            "the option fast names the program a.c, which is not there",
        ),
        (
            "component.yaml",
            "methods:",
            "options: {fast: {title: x, methods: [wheel], measure: {fast: y}}}\nmethods:",
            "the option fast names the method wheel, which is not there",
        ),
    ],
)
def test_check_finds_what_is_broken(
    file: str,
    before: str,
    after: str,
    what: str,
    bakestone: Command,
    server: WebServer,
    tmp_path: Path,
) -> None:
    assert (
        bakestone(*PROBE, server.file("p.tar.gz", tarball({"p/bin/probe": PROGRAM}))).exit_code == 0
    )
    broken(tmp_path, file, before, after)
    shown = bakestone("component", "check", "probe")
    assert shown.exit_code == 1, shown.output
    assert isinstance(shown.exception, SystemExit)
    assert what in shown.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("{{ words | join(' ') }}", "whole (1 version, 2 Dockerfiles rendered)"),
        ("{{ words[7] }}", "tuple object has no element 7"),
    ],
)
def test_check_renders_each_option_as_well(
    words: str, told: str, bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    bakestone(*PROBE, server.file("p.tar.gz", tarball({"p/bin/probe": PROGRAM})))
    option = "{fast: {title: x, methods: [archive], measure: {fast: y}, configure: [--fast]}}"
    broken(tmp_path, "component.yaml", "methods:", f"options: {option}\nmethods:")
    each = f"{{% for words in options.values() %}}# {words}\n{{% endfor %}}"
    broken(tmp_path, "install.archive.j2", "find /out ", f"{each}find /out ")
    assert told in bakestone("component", "check", "probe").output


def test_a_template_that_sets_no_times_is_told_by_its_place_with_what_to_write(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    bakestone(*PROBE, server.file("p.tar.gz", tarball({"p/bin/probe": PROGRAM})))
    broken(tmp_path, "install.archive.j2", "find /out -exec touch -h -d @315532800 {} +\n", "")
    assert bakestone("component", "check", "probe").output == (
        "components/probe/install.archive.j2: the last RUN does not set the times of what is in"
        " /out, so its layer is another one in each build\n"
        "    hint: end it with the line `find /out -exec touch -h -d @315532800 {} +`\n"
    )


def test_lines_that_run_together_behind_a_backslash_are_told(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    """The minus of `{%- if` takes the line's end away: `configure` got an argument of one blank."""
    bakestone(*PROBE, server.file("p.tar.gz", tarball({"p/bin/probe": PROGRAM})))
    lines = "true --one \\\n  {%- if version %}\n  --two \\\n  {%- endif %}\n  --three\n"
    broken(tmp_path, "install.archive.j2", "find /out ", f"{lines}find /out ")
    shown = bakestone("component", "check", "probe")
    assert shown.exit_code == 1
    assert "its lines run together behind a backslash: true --one \\  --two" in shown.output


@pytest.mark.parametrize(
    ("template", "fits"),
    [
        ("RUN {{ tools }} <<'EOF'\n. /tools/timed.sh\ntrue\nEOF\n", True),
        ("RUN <<'EOF'\nset -eu\ntrue\nEOF\n", False),
        ("RUN {{ tools }} <<'EOF'\n# . /tools/timed.sh\ntrue\nEOF\n", False),
        ("RUN {{ tools }} <<'EOF'\n. /tools/timed.sh\nEOF\nRUN ln -s a /b\n", False),
        ("{#- RUN nothing -#}\nRUN {{ tools }} <<'EOF'\n. /tools/timed.sh\ntrue\nEOF\n", True),
        ("ENV A=b\n", True),
    ],
)
def test_each_run_in_the_image_itself_sets_times(
    template: str, fits: bool, bakestone: Command, tmp_path: Path
) -> None:
    bakestone(*JQ)
    (tmp_path / "components/jq/install.apt.j2").write_text(template, "utf-8")
    shown = bakestone("component", "check", "jq").output
    message = "components/jq/install.apt.j2: a RUN does not set the times of what it changes"
    assert (message in shown) is not fits
    assert "install.apt.j2 is never used: it is for packages of a vendor only" in shown


def test_check_uses_shellcheck_where_there_is_one(
    bakestone: Command, server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{SHELLCHECK.parent}:/usr/bin:/bin")
    bakestone(*PROBE, server.file("p.tar.gz", tarball({"p/bin/probe": PROGRAM})))
    broken(
        tmp_path,
        "inventory.sh",
        "set -eu",
        "set -eu\nfor x in $(ls *.c); do echo $x | read -r y; done; unused=1",
    )
    shown = bakestone("component", "check", "probe")
    assert shown.exit_code == 1
    assert "components/probe/inventory.sh:4:" in shown.output
    assert "[SC2034]" in shown.output


def test_check_is_json_for_programs(bakestone: Command) -> None:
    assert bakestone(*JQ).exit_code == 0
    assert json.loads(bakestone("component", "check", "jq", "--format", "json").output) == {
        "component": "jq",
        "versions": 1,
        "dockerfiles": 1,
        "findings": [],
    }
    assert "did you mean jq?" in bakestone("component", "check", "jqq", "--format", "json").output
