"""A Dockerfile is whole and hermetic, and every pin is in its text."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.lock.lock import Lock, LockedBase
from bakestone.core.matrix.expansion import Matrix
from bakestone.core.matrix.spec import UID
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.dockerfile import Renderer
from bakestone.core.render.frames import HEREDOC, tool
from bakestone.core.render.inventory import STRANGER
from bakestone.core.render.stages import SELF
from bakestone.project import Project
from tests.support.samples import FIRST, MANY, ROOT, locked, made_up, made_up_lock, project, refused
from tests.support.stages import stage_texts

FAMILIES = MANY.partition("families:\n")
ALL = (
    FAMILIES[0]
    + FAMILIES[1]
    + """\
  - name: old
    user: me
    axes:
      distro: [ubuntu@16.04]
      mpi: [openmpi@3.1.2, intelmpi@2018.3.222]
      gpu: [none, {cuda: "10.0", cudnn: "7.5.0.56", nccl: "2.4.2"}]
      conda: [miniconda@4.5.11]
      git: ["2.7.4"]
  - name: vendor
    axes:
      distro: [ubuntu@24.04]
      gpu: [{cuda: "13.0.0", cudnn: "9.12.0.46", nccl: "2.27.7"}]
"""
    + FAMILIES[2]
)


@pytest.fixture(scope="module")
def made(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return locked(tmp_path_factory.mktemp("made"), ALL, library=library)


@pytest.fixture(scope="module")
def matrix(made: Project) -> Matrix:
    return made.matrix


def text(made: Project, name: str) -> str:
    return made.dockerfiles[name]


def instructions(dockerfile: str) -> list[str]:
    """The lines outside heredocs."""
    out, end = [], ""
    for line in dockerfile.splitlines():
        if end:
            end = "" if line == end else end
            continue
        out.append(line)
        found = re.search(r"<<-?'?(\w+)'?", line)
        if found and not line.startswith("#"):
            end = found[1]
    return out


def test_every_base_is_pinned_by_digest(made: Project) -> None:
    for name, dockerfile in made.dockerfiles.items():
        stages = set(re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.MULTILINE))
        for origin in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE):
            begin, platform, _ = origin.partition("${TARGETARCH}")
            local = origin in stages | {"scratch"} or (
                platform and {f"{begin}amd64", f"{begin}arm64"} <= stages
            )
            assert local or re.fullmatch(r"[a-z0-9./:-]+@sha256:[0-9a-f]{64}", origin), (
                f"{name}: {origin}"
            )


def test_every_file_is_added_by_checksum(made: Project) -> None:
    for dockerfile in made.dockerfiles.values():
        for line in instructions(dockerfile):
            if line.startswith("ADD ") and not line.endswith(
                ".key"
            ):  # the stage `keyrings` verifies keys by their fingerprint
                assert re.fullmatch(
                    r"ADD --checksum=sha256:[0-9a-f]{64} https://\S+ /[A-Za-z0-9._+-]+", line
                ), line


def test_every_wheel_is_installed_by_hash(made: Project) -> None:
    stages = stage_texts(text(made, "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"))
    names: set[str] = set()
    for stage in stages.values():
        for run in re.findall(
            r"^RUN .*<<'EOF'\n(?:.*\n)*?.*/tools/wheels\.sh", stage, re.MULTILINE
        ):
            (pins,) = re.findall(r"from=(\S+),target=/pins ", run)
            assert (
                " --mount=type=cache,id=bakestone-wheels,target=/var/cache/bakestone-wheels " in run
            )
            (listed,) = re.findall(
                rf" /requirements\.txt\n(.*?)\n{HEREDOC}$", stages[pins], re.DOTALL
            )
            for line in listed.splitlines():
                wheel = re.fullmatch(r"(\S+)==\S+( --hash=sha256:[0-9a-f]{64}){1,2}", line)
                assert wheel, line
                names.add(wheel[1])
    assert names >= {"openmpi", "nvidia-cudnn-cu13", "nvidia-nccl-cu13", "nvidia-cuda-nvcc"}
    assert "--require-hashes" in tool("wheels.sh")
    assert "-m pip " not in "".join(t for name, t in stages.items() if name != "tools")


def test_there_is_no_build_context_and_no_frontend_to_fetch(made: Project) -> None:
    for dockerfile in made.dockerfiles.values():
        assert "# syntax=" not in dockerfile
        for line in instructions(dockerfile):
            if line.startswith("COPY "):
                assert "--from=" in line or "<<" in line, line


def test_there_are_no_dates_hosts_or_accounts_in_the_text(made: Project) -> None:
    for dockerfile in made.dockerfiles.values():
        assert "2026-11-22" not in dockerfile
        assert str(ROOT) not in dockerfile
        assert "localhost:" not in dockerfile
        assert "registry.example.com" not in dockerfile


def test_the_last_stage_cannot_be_built_without_the_inventory(made: Project) -> None:
    for name, dockerfile in made.dockerfiles.items():
        last = dockerfile[dockerfile.rindex("\nFROM ") :]
        assert last.startswith(
            f"\nFROM {name}.image AS {name}\n"
            f"COPY --link --from={name}.inventory --chown=0:0 /tmp/o/ /\n"
        )


def test_the_inventory_measures_every_slot_of_the_name(made: Project) -> None:
    for variant in made.matrix.variants:
        stages = stage_texts(made.dockerfiles[variant.name])
        gate = stages[f"{variant.name}.inventory"].rpartition("\nRUN ")[2]
        asked = shlex.split(gate.rpartition(" /tools/inventory.sh ")[2])
        needs = variant.driver
        driver = ["--driver", f"{needs['minimum']} {needs['toolkit']}"] if needs else []
        user = variant.family.user
        measured = f"{user.name}:{user.uid}:{user.gid}"
        options = ["--fuse", "yes", *driver]
        assert asked == [variant.name, measured, *options, *variant.slots]
        for slot, chosen in variant.slots.items():
            (place,) = re.findall(rf"from=(\S+),target=/measure/{slot} ", gate)
            if chosen.staged:
                (place,) = re.findall(r"^FROM (\S+)", stages[place])
            (expected,) = re.findall(
                rf" /expected\n{slot} {chosen.component.name} {re.escape(chosen.version.version)}"
                rf" (/\S+ .*)\n{HEREDOC}$",
                stages[place],
            )
            for key, value in chosen.version.measure.items():
                assert f" {key}={value}" in expected
            (programs,) = re.findall(r"^FROM (\S+)", stages[place])
            assert chosen.component.inventory
            assert chosen.component.inventory.partition("\n")[2].rstrip() in stages[programs]


def test_images_run_as_their_user(made: Project) -> None:
    for variant in made.matrix.variants:
        dockerfile = made.dockerfiles[variant.name]
        stages = stage_texts(dockerfile)
        user = variant.family.user
        assert f"\nsh /tools/user.sh {user.name} {UID} {UID}\n" in dockerfile
        users = {
            name: re.findall(r"^USER (\S+)$", stage, re.MULTILINE) for name, stage in stages.items()
        }
        # by number: Kubernetes' runAsNonRoot cannot check a name
        assert {name: found for name, found in users.items() if found} == {
            f"{variant.name}.image": [str(UID)],
            f"{variant.name}.inventory": [STRANGER, str(UID)],
        }
        # and the inventory checks whose number it is: see test_measured.py
        gate = stages[f"{variant.name}.inventory"].partition(f"\nUSER {UID}\n")[2]
        assert f" sh /tools/inventory.sh {variant.name} {user.name}:{UID}:{UID} " in gate


def test_only_real_folders_are_copied_over_the_image(made: Project) -> None:
    copied = 0
    for variant in made.matrix.variants:
        file = made.families[variant.family.name]
        titles = {file.names[s.identity]: s.title for s in file.stages[variant.name]}
        lines = instructions(stage_texts(made.dockerfiles[variant.name])[f"{variant.name}.image"])
        copies = [line for line in lines if line.startswith(("COPY", "ADD"))]
        found = [re.fullmatch(r"COPY --link --from=(\S+) /out/ /", line) for line in copies]
        staged = {chosen.component.name for chosen in variant.slots.values() if chosen.staged}
        assert sorted(titles[one[1]] if one else "" for one in found) == sorted(staged), (
            "what came with the base or by apt has no files to copy"
        )
        copied += len(copies)
    assert copied > len(made.matrix.variants)


def test_tools_are_on_the_path_of_any_shell(made: Project) -> None:
    (path,) = re.findall(r' PATH="([^"]*)"', text(made, "openmpi4.1.8-ubuntu22.04"))
    assert path.split(":") == [
        "/opt/openmpi/bin", "/opt/miniforge/bin", "/usr/local/git/bin",
        "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
    ]  # fmt: skip
    assert ".bashrc" not in text(made, "openmpi4.1.8-ubuntu22.04")


def test_an_image_of_a_vendor_keeps_its_own_path(made: Project) -> None:
    dockerfile = text(made, "cuda13.0.0-cudnn9-ubuntu24.04")
    assert re.search(r' PATH="[^"]*:\$\{PATH\}"', dockerfile)
    assert "FROM docker.io/nvidia/cuda:13.0.0-cudnn-devel-ubuntu24.04@sha256:" in dockerfile


def test_labels_say_what_is_inside(made: Project) -> None:
    for variant in made.matrix.variants:
        labels = dict(
            re.findall(
                r'^\s*(?:LABEL )?([a-z.]+)="([^"]*)"',
                made.dockerfiles[variant.name][-3000:],
                re.MULTILINE,
            )
        )
        assert labels["io.bakestone.variant"] == variant.name
        assert labels["io.bakestone.family"] == variant.family.name
        assert labels["org.opencontainers.image.base.name"] == variant.base.ref
        assert (
            labels["org.opencontainers.image.base.digest"]
            == made.lock.bases[variant.base.ref].digest
        )
        about = labels["org.opencontainers.image.description"]
        for slot, chosen in variant.slots.items():
            assert chosen.component.data["title"] in about, slot


def test_a_version_is_in_the_labels_by_the_name_alone(made: Project) -> None:
    """So that a version that the name does not have changes no label."""
    for variant in made.matrix.variants:
        last = stage_texts(made.dockerfiles[variant.name])[variant.name]
        rest = last.replace(variant.name, "").replace(variant.base.ref, "")
        for slot, chosen in variant.slots.items():
            if slot not in ("distro", "cuda"):  # of CUDA there is the driver
                assert chosen.version.version not in rest, slot


def base_of(made: Project, name: str) -> str:
    """The stage that a variant's image begins from."""
    stages = stage_texts(text(made, name))
    return stages[stages[f"{name}.image"].split()[1]]


def test_the_times_of_what_is_in_an_image_are_set_in_its_own_runs(made: Project) -> None:
    for variant in made.matrix.variants:
        base = base_of(made, variant.name)
        epoch = made.lock.bases[variant.base.ref].epoch or 315532800
        assert f"\nARG SOURCE_DATE_EPOCH={epoch}\n" in base
        scripts = re.findall(r"^RUN (.*)<<'EOF'\n(?:# .*\n)?(.*)$", base, re.MULTILINE)
        assert len(scripts) >= 2
        for mounts, first in scripts:
            assert ",target=/tools " in mounts
            assert first == ". /tools/timed.sh"
        assert len(re.findall(r"^RUN ", base, re.MULTILINE)) == len(scripts)


def test_packages_of_a_snapshot_come_from_its_time(made: Project) -> None:
    base = base_of(made, "openmpi5.0.10-ubuntu24.04")
    assert "20261122T000000Z" in base
    assert re.search(r"^only \\\n  'deb ", base, re.MULTILINE)
    assert " noble main" in base


def test_packages_of_a_frozen_archive_have_their_known_versions(made: Project) -> None:
    base = base_of(made, "openmpi3.1.2-ubuntu16.04")
    assert "  git=1:2.7.4-0ubuntu1.10" in base
    assert "this archive no longer changes" in base
    assert "\nno_parts\n" in base


def test_packages_of_exact_versions_are_all_named_for_each_platform(made: Project) -> None:
    base = base_of(made, "openmpi5.0.10-cuda13.0.2-cudnn9-debian12")
    assert "amd64) packages='" in base
    assert "arm64) packages='" in base
    assert "libmade-up-amd64=1.0-1" in base
    assert "libmade-up-arm64=1.0-1" in base


def test_platforms_have_their_own_files(library: Library, tmp_path: Path) -> None:
    two = FIRST.replace(
        "    methods:",
        "      conda: [miniforge@26.3.2-3]\n    platforms: [linux/amd64, linux/arm64]\n   "
        " methods:",
    )
    (dockerfile,) = locked(tmp_path, two, library=library).dockerfiles.values()
    assert re.search(
        r"^FROM scratch AS miniforge\.pins-amd64\nADD \S+ \S+x86_64.sh ", dockerfile, re.MULTILINE
    )
    assert re.search(
        r"^FROM scratch AS miniforge\.pins-arm64\nADD \S+ \S+aarch64.sh ", dockerfile, re.MULTILINE
    )
    assert "FROM miniforge.pins-${TARGETARCH} AS miniforge.pins\n" in dockerfile
    assert "FROM scratch AS openmpi.pins\n" in dockerfile


def test_a_base_whose_digest_nobody_knows_is_named_by_its_tag(
    library: Library, tmp_path: Path
) -> None:
    made = project(tmp_path, FIRST, library=library)
    lock = made_up_lock(made.matrix.variants, library)
    ref = made.matrix.variants[0].base.ref
    lock.bases[ref] = LockedBase("", {}, "library", "", 0, "nobody knows")
    stages = Renderer(library, lock).stages(made.matrix.variants[0])
    assert f"FROM {ref} AS {SELF}\n" in "".join(stage.text for stage in stages)


def test_a_lock_without_what_is_needed_is_refused(library: Library, tmp_path: Path) -> None:
    made = project(tmp_path, FIRST, library=library)
    (found,) = refused(lambda: Renderer(library, Lock()).stages(made.matrix.variants[0]))
    assert "the lock has no" in found.message
    assert found.hint == "run `bakestone lock`"


def test_build_secrets_are_optional_and_leave_no_trace(made: Project) -> None:
    for dockerfile in made.dockerfiles.values():
        mounts = re.findall(r"--mount=type=secret,(\S+)", dockerfile)
        assert set(mounts) <= {"id=apt", "id=ca", "id=mirrors", "id=pip"}
        assert "/run/secrets/ca" in dockerfile
        assert "cp /run/secrets" not in dockerfile


def test_every_script_in_a_dockerfile_is_a_shell_script(made: Project) -> None:
    scripts = {
        s
        for d in made.dockerfiles.values()
        for s in re.findall(r"<<'EOF'\n(.*?)\nEOF\n", d, re.DOTALL)
    }
    scripts |= {
        s
        for d in made.dockerfiles.values()
        for s in re.findall(rf"<<'{HEREDOC}' \S+\.sh\n(.*?)\n{HEREDOC}\n", d, re.DOTALL)
    }
    assert len(scripts) > 10
    for script in scripts:
        done = subprocess.run(
            ["sh", "-n"], input=script, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr + script


def test_every_heredoc_is_closed_and_followed_by_an_empty_line(made: Project) -> None:
    for dockerfile in made.dockerfiles.values():
        lines = dockerfile.splitlines()
        ends = [i for i, line in enumerate(lines) if line in ("EOF", HEREDOC)]
        assert ends
        assert all(lines[i + 1] == "" for i in ends)


def test_a_file_that_would_end_its_heredoc_is_refused(tmp_path: Path) -> None:
    folder = team(tmp_path)
    (folder / "inventory.sh").write_text(f"echo version=1\n{HEREDOC}\nRUN id\n", "utf-8")
    (found,) = refused(lambda: locked(tmp_path, WITH_TOOL).dockerfiles)
    assert f"contains {HEREDOC}" in found.message


def test_the_name_of_a_stage_is_no_word_that_a_file_or_a_template_may_have(tmp_path: Path) -> None:
    """Whatever stands for it while a text is made."""
    folder = team(tmp_path)
    words = "@stage@ @stage:" + "0" * 64 + "@"
    (folder / "inventory.sh").write_text(f"echo version=1.2 # {words}\n", "utf-8")
    (folder / "install.source.j2").write_text(f"RUN echo {words}\n", "utf-8")
    (dockerfile,) = locked(tmp_path, WITH_TOOL).dockerfiles.values()
    assert f"\necho version=1.2 # {words}\n" in dockerfile
    assert f"\nRUN echo {words}\n" in dockerfile


UNFIT = {
    "a NUL character in a program": ("programs/x.sh", "\0", "x.sh has a NUL character"),
    "one in a template": (
        "install.source.j2",
        "RUN echo {{ '\\x00' }}\n",
        "the template gives a NUL character",
    ),
    "a name with a space": ("programs/a b", "", "'a b' cannot be a file of a Dockerfile"),
    "a name with a line break": ("programs/a\nRUN id", "", "'a\\nRUN id' cannot be a file"),
    "an open last line": (
        "install.source.j2",
        "RUN id \\\n\n",
        "the template ends with a backslash",
    ),
    "bytes that are no text": ("programs/x", "\udcff", "not UTF-8: byte 0xff"),
}


@pytest.mark.parametrize(("name", "text", "message"), UNFIT.values(), ids=list(UNFIT))
def test_what_would_break_the_dockerfile_is_refused(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    folder = team(tmp_path)
    (folder / "programs").mkdir()
    (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    (found,) = refused(lambda: locked(tmp_path, WITH_TOOL).dockerfiles)
    assert message in found.message


def test_what_a_program_leaves_beside_it_is_no_program(tmp_path: Path) -> None:
    left = team(tmp_path) / "programs" / "__pycache__"
    left.mkdir(parents=True)
    (left / "model.pyc").write_bytes(b"\xff")
    assert locked(tmp_path, WITH_TOOL).dockerfiles


def test_a_component_that_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    (team(tmp_path) / "inventory.sh").unlink()
    (found,) = refused(lambda: locked(tmp_path, WITH_TOOL).dockerfiles)
    assert found.message == "tool has no inventory.sh"


def test_a_component_without_its_template_is_refused(tmp_path: Path) -> None:
    (team(tmp_path) / "install.source.j2").unlink()
    (found,) = refused(lambda: locked(tmp_path, WITH_TOOL).dockerfiles)
    assert found.message == "tool has no install.source.j2"


@pytest.mark.parametrize(
    "body",
    ["RUN echo {{ nobody.knows }}", "RUN echo {{ version", "RUN {{ version.__class__.__mro__ }}"],
)
def test_a_template_that_cannot_be_filled_is_shown_with_its_line(body: str, tmp_path: Path) -> None:
    (team(tmp_path) / "install.source.j2").write_text(f"RUN true\n{body}\n", "utf-8")
    (found,) = refused(lambda: locked(tmp_path, WITH_TOOL).dockerfiles)
    assert "the template cannot be filled" in found.message
    assert found.text.startswith("components/tool/install.source.j2:2:1: ")


@pytest.mark.parametrize(
    "body",
    [
        "RUN {% include 'x' %}",
        "RUN {{ 1 / 0 }}",
        "RUN {{ range(10 ** 9) | list }}",
        "RUN {{ version + 1 }}",
    ],
)
def test_a_template_that_fails_is_no_traceback(body: str, tmp_path: Path) -> None:
    test_a_template_that_cannot_be_filled_is_shown_with_its_line(body, tmp_path)


SHA = made_up("tool")
WITH_TOOL = FIRST.replace("    methods:", "      tool: ['1.2']\n    methods:")


def team(folder: Path, versions: str = "") -> Path:
    """A team's own component beside images.yaml."""
    own = folder / "components" / "tool"
    own.mkdir(parents=True)
    (own / "component.yaml").write_text(
        "component: tool\nslot: tool\ntitle: Tool\nhomepage: https://example.com\nlicence:"
        " MIT\nprefix: /opt/tool\nmethods:\n  source: {summary: from source, builder: distro}\n",
        "utf-8",
    )
    (own / "versions.yaml").write_text(versions or TOOL_VERSIONS, "utf-8")
    (own / "inventory.sh").write_text("echo version=1.2\n", "utf-8")
    (own / "install.source.j2").write_text(
        "RUN --mount=type=bind,from={{ files }},target=/files mkdir -p /out{{ prefix }}\n", "utf-8"
    )
    return own


TOOL_VERSIONS = (
    "versions:\n  '1.2':\n    methods:\n      source:\n        artifacts: [{url:"
    f" https://example.com/tool-1.2.tar.gz, sha256: {SHA}}}]\n"
)

HOSTILE = {
    "a file name": TOOL_VERSIONS.replace("sha256:", '"filename": "x\\nRUN id", sha256:'),
    "a measured value": TOOL_VERSIONS.replace(
        "    methods:", '    measure: {version: "1; id"}\n    methods:'
    ),
    "a label": TOOL_VERSIONS.replace("    methods:", '    label: "a b"\n    methods:'),
    "a checksum": TOOL_VERSIONS.replace(SHA, '"0 https://evil.example.com"'),
    "an unknown key": TOOL_VERSIONS.replace("    methods:", "    methds: {}\n    methods:"),
}


@pytest.mark.parametrize("versions", HOSTILE.values(), ids=list(HOSTILE))
def test_a_teams_versions_are_checked_before_they_reach_a_dockerfile(
    versions: str, tmp_path: Path
) -> None:
    team(tmp_path, versions)
    found = refused(
        lambda: (
            locked(
                tmp_path, WITH_TOOL.replace("    methods:", "    name_slots: [tool]\n    methods:")
            ).dockerfiles
        )
    )
    assert "versions.yaml:" in found[0].text


def test_a_teams_component_without_versions_is_refused(tmp_path: Path) -> None:
    (team(tmp_path) / "versions.yaml").unlink()
    assert "versions.yaml" in refused(lambda: locked(tmp_path, WITH_TOOL).dockerfiles)[0].text


@pytest.mark.parametrize("entry", ["{pins: frozen}", "{image: example.com/own:1, pins: snapshot}"])
def test_a_teams_distro_without_what_a_distro_needs_is_refused(entry: str, tmp_path: Path) -> None:
    folder = tmp_path / "components" / "own"
    folder.mkdir(parents=True)
    (folder / "component.yaml").write_text(
        "component: own\nslot: distro\ntitle: Own\nhomepage: https://example.com\nlicence:"
        " MIT\nlabel: 'own{{ version }}'\nprefix: /usr\nmethods:\n  image: {summary:"
        " ours}\nsnapshot: {source: x, sources: ['deb http://x/{{ time }} {{ codename }} main']}\n",
        "utf-8",
    )
    (folder / "versions.yaml").write_text(f"versions:\n  '1': {entry}\n", "utf-8")
    (folder / "inventory.sh").write_text("echo version=1\n", "utf-8")
    text = FIRST.replace("ubuntu@22.04", "own@1").replace(
        "      mpi: [openmpi@5.0.10]\n    methods: {openmpi: source}\n", "    packages: [curl]\n"
    )
    found = refused(lambda: locked(tmp_path, text).dockerfiles)
    assert "own@1" in found[0].text or "versions.yaml" in found[0].text


def test_a_teams_component_is_rendered_like_the_others(tmp_path: Path) -> None:
    team(tmp_path)
    (dockerfile,) = locked(tmp_path, WITH_TOOL).dockerfiles.values()
    assert (
        f"ADD --checksum=sha256:{SHA} https://example.com/tool-1.2.tar.gz /tool-1.2.tar.gz\n"
        in dockerfile
    )
    assert "COPY --link --from=tool /out/ /\n" in dockerfile
    assert "\ntool tool 1.2 /opt/tool version=1.2\n" in dockerfile


ONE_EACH = """\
versions:
  '1.2':
    methods:
      source:
        artifacts:
          - {url: https://example.com/a.tgz, sha256: A, platform: linux/amd64,
             when: {distro: ubuntu@22.04}, filename: tool.tgz}
          - {url: https://example.com/b.tgz, sha256: B, platform: linux/amd64,
             when: {distro: ubuntu@24.04}, filename: tool.tgz}
          - {url: https://example.com/c.tgz, sha256: C, platform: linux/arm64, filename: tool.tgz}
"""


def test_files_for_one_platform_that_two_sets_have_alike_are_found_by_both(tmp_path: Path) -> None:
    versions = ONE_EACH
    for letter in "ABC":
        versions = versions.replace(f"sha256: {letter},", f"sha256: {made_up(letter)},")
    team(tmp_path, versions)
    text = WITH_TOOL.replace("[ubuntu@22.04]", "[ubuntu@22.04, ubuntu@24.04]").replace(
        "    axes:", "    platforms: [linux/amd64, linux/arm64]\n    axes:"
    )
    (file,) = locked(tmp_path, text).families.values()
    begun = set(re.findall(r"^FROM \S+ AS (\S+)$", file.text, re.MULTILINE))
    asked = re.findall(r"^FROM (\S+-)\$\{TARGETARCH\} AS \S+$", file.text, re.MULTILINE)
    assert len(asked) == 2
    assert {f"{name}{arch}" for name in asked for arch in ("amd64", "arm64")} <= begun


def test_wheels_for_several_pythons_go_where_each_image_s_own_looks(tmp_path: Path) -> None:
    """Also where the template does not ask which Python that is."""
    folder = team(tmp_path, ABI3.replace("sha256: A", f"sha256: {SHA}"))
    about = (folder / "component.yaml").read_text("utf-8")
    about = about.replace("source:", "wheel:").replace("distro}", "debian@12}")
    (folder / "component.yaml").write_text(about, "utf-8")
    (folder / "install.source.j2").unlink()
    (folder / "install.wheel.j2").write_text("RUN mv /wheels /out\n", "utf-8")
    text = WITH_TOOL.replace("[ubuntu@22.04]", "[ubuntu@22.04, ubuntu@24.04]")
    (file,) = locked(tmp_path, text).families.values()
    assert set(re.findall(r"^sh /tools/wheels.sh (\S+)", file.text, re.MULTILINE)) == {
        "3.10",
        "3.12",
    }


ABI3 = """\
versions:
  '1.2':
    methods:
      wheel:
        wheels:
          - name: tool
            version: "1.2"
            files:
              linux/amd64: {filename: tool-1.2-cp38-abi3-manylinux_2_17_x86_64.whl, sha256: A}
        source: the index
"""


@pytest.mark.parametrize(("one", "other"), [("1.2rc", "1.2RC"), ("1.2", "1.2.image")])
def test_two_variants_whose_stages_would_have_one_name_are_refused(
    one: str, other: str, tmp_path: Path
) -> None:
    entry = TOOL_VERSIONS.partition("\n")[2]
    entries = [entry.replace("'1.2':", f"'{version}':") for version in (one, other)]
    team(tmp_path, "versions:\n" + "".join(entries))
    text = WITH_TOOL.replace("['1.2']", f"['{one}', '{other}']").replace(
        "    methods:", "    name_slots: [tool]\n    methods:"
    )
    (found,) = refused(lambda: locked(tmp_path, text).dockerfiles)
    assert f"tool{one} and tool{other} are one name in a Dockerfile" in found.message


def test_equal_stages_come_from_equal_inputs_in_any_order(made: Project, matrix: Matrix) -> None:
    def identities(renderer: Renderer, variants: Iterable[Variant]) -> dict[str, list[str]]:
        return {v.name: [stage.identity for stage in renderer.stages(v)] for v in variants}

    found = identities(Renderer(matrix.library, made.lock), matrix.variants)
    backwards = Renderer(matrix.library, made.lock)
    assert found == identities(backwards, reversed(matrix.variants))
    for variant in matrix.variants:
        alone = identities(Renderer(matrix.library, made.lock), [variant])
        assert alone[variant.name] == found[variant.name]
    assert BUILT_IN.is_dir()
