"""What a team adds to its images: read with its places, inherited, refused where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.jobs.explain import explain
from tests.support.samples import FIRST, Marked, locked, project, refused

HEAD = "version: 1\nregistry: localhost:5000/base\n"
BODY = FIRST.removeprefix(HEAD)
NAME = "openmpi5.0.10-ubuntu22.04"


def matrix(more: str, defaults: str = "") -> str:
    """A family with more lines, after what every family has."""
    return f"{HEAD}{defaults}{BODY}{more}"


def dockerfile(text: str, folder: Path, library: Library, name: str = NAME) -> str:
    return locked(folder, text, library=library).dockerfile(name)


def test_values_reach_the_image_as_they_are_written(library: Library, tmp_path: Path) -> None:
    odd = r"""a "b" $HOME \ 'c' ${PATH} `id` ü"""
    said = f"    env: {{ODD: {odd!r}}}\n    labels: {{com.example.team: 'a $b'}}\n".replace(
        repr(odd), "'" + odd.replace("'", "''") + "'"
    )
    text = dockerfile(matrix(said), tmp_path, library)
    assert r'''ODD="a \"b\" \$HOME \\ 'c' \${PATH} `id` ü"''' in text
    assert r'com.example.team="a \$b"' in text


def test_how_a_container_begins(library: Library, tmp_path: Path) -> None:
    said = (
        '    entrypoint: [tini, --, "a b", "\\"$x"]\n    workdir: /srv/app\n    shell: [bash, -c]\n'
        '    expose: ["8080", "53/udp"]\n'
    )
    text = dockerfile(matrix(said), tmp_path, library)
    end = (
        'EXPOSE 8080 53/udp\nSHELL ["bash", "-c"]\nENTRYPOINT ["tini", "--", "a b", "\\"$x"]\n'
        "CMD []\n"
    )
    assert text.endswith(end)
    assert "\nsh /tools/content.sh - /srv/app 0775 10001 0\nEOF\nWORKDIR /srv/app\n" in text


def test_who_says_nothing_gets_a_shell_in_the_user_s_home(library: Library, tmp_path: Path) -> None:
    text = dockerfile(FIRST, tmp_path, library)
    assert text.endswith('ENTRYPOINT []\nCMD ["/bin/bash"]\n')
    assert "content" not in text


def test_files_stand_in_the_dockerfile_as_they_are(library: Library, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "start").write_text('#!/bin/sh\nexec "$@" # $HOME `x`\n', "utf-8")
    (tmp_path / "own" / "logo").write_bytes(b"\x00\xff\r\n")
    (tmp_path / "own" / "tail").write_text("no end", "utf-8")
    said = (
        "    user: {name: worker, uid: 1234, gid: 100, home: /work}\n    files:\n"
        '      - {from: own/start, to: /usr/local/bin/start, mode: "0755"}\n'
        "      - {from: own/logo, to: /work/.logo, owner: user}\n"
        "      - {from: own/tail, to: /etc/tail}\n"
    )
    text = dockerfile(matrix(said), tmp_path, library)
    assert '/0.start\n#!/bin/sh\nexec "$@" # $HOME `x`\nBAKESTONE_FILE\n' in text
    assert "/1.logo.base64\nAP8NCg==\nBAKESTONE_FILE\n" in text
    assert "/2.tail.base64\nbm8gZW5k\nBAKESTONE_FILE\n" in text
    assert "\nsh /tools/content.sh 0.start /usr/local/bin/start 0755 0 0\n" in text
    assert "\nsh /tools/content.sh 1.logo.base64 /work/.logo 0644 1234 100\n" in text
    assert "sh /tools/user.sh worker 1234 100 /work\n" in text
    assert text.count("\nWORKDIR /work\nUSER 1234\n") == 1


STEP = (
    "    run:\n      - name: fonts\n        because: reports need them\n        script: |\n"
    "          fc-cache\n          echo $HOME\n"
)


def test_a_step_has_no_network_unless_it_says_so(library: Library, tmp_path: Path) -> None:
    text = dockerfile(matrix(STEP), tmp_path, library)
    assert "/fonts.sh\nfc-cache\necho $HOME\nBAKESTONE_FILE\n" in text
    run = text[text.index("# fonts: reports need them") - 200 :]
    assert run.partition("# fonts")[0].rpartition("RUN ")[2].startswith("--network=none ")
    assert run.startswith(run.partition("# fonts")[0] + "# fonts: reports need them\n. /tools/ti")
    with_network = matrix(STEP + "        network: true\n")
    text = dockerfile(with_network, tmp_path / "net", library)
    before = text.partition("# fonts")[0].rpartition("RUN ")[2]
    assert before.startswith("--mount=")


def test_the_gate_measures_without_the_variables_of_the_team(
    library: Library, tmp_path: Path
) -> None:
    """One of them (PS4, LD_PRELOAD, ROLE) could speak for it; steps have them."""
    said = "    env: {ROLE: worker, PS4: '$((failed=0))+ '}\n" + STEP
    text = dockerfile(matrix(said), tmp_path, library)
    before, _, last = text.rpartition("\nFROM ")
    assert 'ENV PS4="\\$((failed=0))+ " \\\n    ROLE="worker"\n' in last
    assert before.count("PS4") == 1
    assert "\nenv PS4='$((failed=0))+ ' ROLE=worker sh -eu /content/fonts.sh\n" in before


def test_what_a_container_begins_with_is_asked_of_the_gate(
    library: Library, tmp_path: Path
) -> None:
    text = dockerfile(matrix("    entrypoint: [/opt/x/start, a]\n"), tmp_path, library)
    assert " --begins /opt/x/start " in text


def test_a_nearer_file_or_step_stands_for_an_inherited_one(
    library: Library, tmp_path: Path
) -> None:
    for name in "ab":
        (tmp_path / name).write_text(f"{name}\n", "utf-8")
    said = "    files: [{from: a, to: /etc/x}]\n" + STEP
    second = (
        "  - name: second\n    extends: first\n    suffix: debug\n"
        "    files: [{from: b, to: /etc/x}]\n"
        "    run: [{name: fonts, because: others, script: 'true'}]\n"
    )
    _, variant = project(tmp_path, matrix(said) + second, library=library).matrix.variants
    assert variant.name == f"{NAME}-debug"
    assert [one.content for one in variant.family.content.files] == [b"b\n"]
    assert [step.script for step in variant.family.content.steps] == ["true"]


def test_a_package_that_components_ask_for_cannot_be_left_out(
    library: Library, tmp_path: Path
) -> None:
    text = matrix("    packages: ['!wget', '!tree']\n", "defaults: {packages: [wget, tree]}\n")
    (warning,) = project(tmp_path, text, library=library).warnings()
    assert warning.message.startswith("wget is installed all the same")
    assert warning.where is not None
    assert warning.where.line == 10


def test_files_of_more_than_a_mebibyte_are_refused(library: Library, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 65536)
    files = ", ".join(f"{{from: large, to: /etc/x{n}}}" for n in range(17))
    found = refused(
        lambda: project(tmp_path, matrix(f"    files: [{files}]\n"), library=library).matrix
    )
    assert "more than 1048576 bytes in all" in found[0].message


def test_a_changed_file_changes_the_fingerprint(library: Library, tmp_path: Path) -> None:
    said = matrix("    files: [{from: motd, to: /etc/motd}]\n")
    found = set()
    for number, content in enumerate(("one\n", "two\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "motd").write_text(content, "utf-8")
        made = locked(folder, said, library=library)
        found.add(made.fingerprint(made.matrix.variants[0]))
    assert len(found) == 2


DEFAULTS = (
    "defaults:\n  platforms: [linux/amd64]\n  env: {A: one, B: one}\n  packages: [vim, wget]\n"
    "  labels: {com.example.team: x}\n"
)
SECOND = (
    "  - name: second\n    extends: first\n    axes: {mpi: [openmpi@4.1.8]}\n"
    "    env: {A: null, C: three}\n    packages: ['!wget', tree]\n"
)


def test_a_family_has_what_it_extends_and_the_defaults_unless_it_says_otherwise(
    library: Library, tmp_path: Path
) -> None:
    text = matrix("    env: {B: two}\n    packages: [curl]\n", DEFAULTS) + SECOND
    first, second = project(tmp_path, text, library=library).matrix.variants
    assert first.family.content.env == {"A": "one", "B": "two"}
    assert first.family.packages == ("vim", "wget", "curl")
    assert (second.name, second.family.methods) == (
        "openmpi4.1.8-ubuntu22.04",
        {"openmpi": "source"},
    )
    assert second.family.content.env == {"B": "two", "C": "three"}
    assert second.family.packages == ("vim", "curl", "tree")
    assert second.family.content.labels == {"com.example.team": "x"}


def test_explain_says_where_what_is_inherited_stands(library: Library, tmp_path: Path) -> None:
    made = project(tmp_path, matrix("", DEFAULTS) + SECOND, library=library)
    lines = {
        (line.topic, line.pin): line.origin for line in explain(made, "openmpi4.1.8-ubuntu22.04")[1]
    }
    assert lines["env", "B=one"].endswith("images.yaml:5:20")
    assert lines["env", "C=three"].endswith(":17:23")
    assert lines["inherits", "methods"].endswith("images.yaml:13:5")
    assert ("inherits", "axes") not in lines
    assert ("env", "A=one") not in lines


def test_a_finding_about_what_is_inherited_is_where_it_is_said(
    library: Library, tmp_path: Path
) -> None:
    marked = Marked.of(matrix("", "defaults:\n  gpus: [«H1000»]\n"))
    (found,) = refused(lambda: project(tmp_path, marked.text, library=library).matrix)
    assert (found.line, found.column, found.marked) == (marked.line, marked.column, "H1000")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("    env: {«PATH»: /x}\n", '"PATH" is not a name that can be used here'),
        ("    env: {«LD_LIBRARY_PATH»: /x}\n", "is not a name that can be used here"),
        ("    env: {A: «1»}\n", "A must be text, and 1 is a number in YAML"),
        ('    env: {A: «"a\\nb"»}\n', "A cannot be"),
        ('    env: {A: «"\\u202e"»}\n', "A cannot be"),
        ("    env: {OPAL_PREFIX: «/x»}\n", "openmpi@5.0.10 sets OPAL_PREFIX itself"),
        ("    labels: {«io.bakestone.variant»: x}\n", "is not a name that can be used here"),
        ("    annotations: {com.example.x: «1»}\n", "com.example.x must be text"),
        ('    annotations: {com.example.x: «"a\\nb"»}\n', "com.example.x cannot be"),
        ("    annotations: {com.example.x: «null»}\n", "no com.example.x is inherited here"),
        ("    annotations: {«Com.example»: x}\n", "is not a name that can be used here"),
        ("    annotations: {«io.bakestone.size»: x}\n", "is not a name that can be used here"),
        ("    annotations: {«vnd.docker.reference.type»: x}\n", "is not a name that can"),
        (
            "    annotations: {«org.opencontainers.image.base.name»: x}\n",
            "is not a name that can be used here",
        ),
        (
            "    annotations: {«org.opencontainers.image.vendor»: x}\n",
            "is not a name that can be used here",
        ),
        ("    workdir: «a»\n", "workdir cannot be"),
        ("    workdir: «/a/../b»\n", "workdir cannot be"),
        ("    workdir: «/proc/1»\n", "nothing can be put at /proc/1"),
        ("    user: «{home: /etc}»\n", "/etc cannot be a user's home"),
        ("    user: «{home: /usr/bin}»\n", "/usr/bin cannot be a user's home"),
        ("    user: «{home: /tmp/x}»\n", "nothing can be put at /tmp/x"),
        ('    expose: [«"70000"»]\n', "expose cannot be"),
        ("    files: [{from: «../x», to: /x}]\n", "from cannot be"),
        ("    files: [{from: «nothing», to: /x}]\n", "the file not found: nothing"),
        ("    files: [{from: «link», to: /x}]\n", "the file is a link that leads out of"),
        ("    files: [{from: «large», to: /x}]\n", "is too large: more than 65536 bytes"),
        ("    files: [{from: «.», to: /x}]\n", "from cannot be"),
        ("    files: [{from: «own», to: /usr/share/bakestone/x}]\n", "nothing can be put at"),
        ("    files: [{from: own, to: /x}, {from: «own», to: /x}]\n", "two files go to /x"),
        ('    files: [{from: own, to: /x, mode: «"9999"»}]\n', "mode cannot be"),
        ("    packages: [«'!vim'»]\n", "no package vim is inherited here"),
        ("    env: {A: «null»}\n", "no A is inherited here"),
        ("    env: {«SOURCE_DATE_EPOCH»: '1'}\n", "is not a name that can be used here"),
        ("    workdir: «/usr/share/bakestone/x»\n", "nothing can be put at"),
        ("    user: «{home: /usr/local/bin}»\n", "/usr/local/bin cannot be a user's home"),
        ("    user: «{home: /etc/cron.d}»\n", "/etc/cron.d cannot be a user's home"),
        ("    files: [{from: «.git/config», to: /x}]\n", "is one that git keeps for itself"),
        ("    files: [{from: «tokens», to: /x}]\n", "is one that git keeps for itself"),
        ("    files: [{from: «own», to: /etc/passwd}]\n", "nothing can be put at /etc/passwd"),
        ("    files: [{from: «own», to: /usr/bin/dpkg-query}]\n", "is the distro's"),
        ("    files: [{from: «own», to: /etc/ld.so.preload}]\n", "is the distro's"),
        ("    files: [{from: «own», to: /var/lib/dpkg/status}]\n", "is the distro's"),
        ("    files: [{from: «own», to: /opt/openmpi/bin/mpirun}]\n", "is below /opt/openmpi"),
        (
            "    files: [{from: own, to: /srv/go}]\n    entrypoint: «[/srv/go]»\n",
            "its mode 0644 lets nobody run it",
        ),
        ("    cmd: «bash -l»\n", "cmd must be a list"),
        ('    exclude: [{mpi: openmpi, because: «"a \\x9b31m"»}]\n', "because cannot be"),
        ("    extends: «nobody»\n", "no family is named 'nobody'"),
        ("    extends: «first»\n", "the family first extends itself"),
        ('    run: [{name: a, because: reason, script: «"\\0"»}]\n', "script cannot be"),
    ],
)
def test_what_cannot_be_added_is_refused_where_it_is_said(
    more: str, message: str, library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "team"
    folder.mkdir()
    (tmp_path / "secret").write_text("x", "utf-8")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "large").write_bytes(b"x" * 65537)
    (folder / "own").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("token", "utf-8")
    (folder / "tokens").symlink_to(".git/config")
    marked = Marked.of(matrix(more))
    (found,) = refused(lambda: project(folder, marked.text, library=library).matrix)
    assert message in found.message
    assert (found.line, found.column) == (marked.line, marked.column)
    assert str(tmp_path) not in found.message
    assert found.hint


def test_families_that_extend_one_another_are_told(tmp_path: Path) -> None:
    text = f"{HEAD}families:\n  - {{name: a, extends: b}}\n  - {{name: b, extends: a}}\n"
    found = refused(lambda: project(tmp_path, text).matrix)
    assert {f.message for f in found} == {
        "the family a extends itself, by way of b",
        "the family b extends itself, by way of a",
    }


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("cmd: bash -l", "write it as a list: [bash, -l]"),
        ("expose: 8080", 'write it as a list: ["8080"]'),
        ("files: null", "a list: - {from: files/start.sh"),
        ("entrypoint: null", "write it as a list; [] is an empty one"),
        ("user: 1000", "a user name other than root"),
        ("env: [A=b]", "a mapping, without dashes: NAME: value"),
        ("annotations: {org.opencontainers.image.source: x}", "`metadata` in the site file"),
        ("files: ['a:b']", "such as {from: files/start.sh, to: /usr/local/bin/start"),
        ("environment: {A: b}", "write `env`"),
        ("command: [a]", "write `cmd`"),
        ("volumes: [/x]", "an image has no volumes"),
        ("ports: ['8080']", "write `expose`"),
        ("pip: [numpy]", "`python`"),
        ("aliases: [latest]", "write `tags`"),
    ],
)
def test_what_people_write_first_is_answered_with_what_is_meant(
    line: str, hint: str, tmp_path: Path
) -> None:
    (found,) = refused(lambda: project(tmp_path, matrix(f"    {line}\n")).matrix)
    assert hint in found.hint


def test_annotations_are_for_manifests_and_no_stage_of_the_dockerfile(
    library: Library, tmp_path: Path
) -> None:
    said = "    annotations: {com.example.cost: 'a=b ${x} \"$y\"', com.example.a/b: ü}\n"
    plain, made = locked(tmp_path / "a", library=library), tmp_path / "b"
    with_own = locked(made, matrix(said), library=library)
    assert with_own.dockerfile(NAME) == plain.dockerfile(NAME)
    target = json.loads(with_own.texts[with_own.output / "docker-bake.json"])["target"]
    assert target["openmpi5_0_10-ubuntu22_04"]["annotations"] == [
        "manifest:com.example.a/b=ü",
        'manifest:com.example.cost=a=b $${x} "$y"',
    ]
    lines = {(one.topic, one.pin) for one in explain(with_own, NAME)[1]}
    assert ("annotation", 'com.example.cost=a=b ${x} "$y"') in lines


def test_an_annotation_is_published_anew_and_nobody_else_s_fingerprint_changes(
    library: Library, tmp_path: Path
) -> None:
    found = []
    for number, value in enumerate(("", "one", "two")):
        said = f"    annotations: {{com.example.cost: {value}}}\n" if value else ""
        made = locked(tmp_path / str(number), matrix(said), library=library)
        found.append(made.fingerprint(made.matrix.variants[0]))
    assert len(set(found)) == 3
    nothing = locked(tmp_path / "nothing", matrix("    annotations: {}\n"), library=library)
    assert nothing.fingerprint(nothing.matrix.variants[0]) == found[0]


def test_only_what_writes_a_manifest_gets_annotations(library: Library, tmp_path: Path) -> None:
    """The cache has none, and an engine's own image store may refuse them."""
    said = matrix("    annotations: {com.example.cost: one}\n")
    made = locked(tmp_path, said, library=library)
    plan = made.plan(made.matrix.variants)
    for output, there in (
        ("type=image,name=x,push=true", True),
        ("type=oci,dest=x", True),
        ("type=cacheonly", False),
        ("type=docker,name=x", False),
    ):
        target = plan.target(plan.variants[0], output, attest=False)
        assert ("annotations" in target) is there


def test_annotations_are_inherited_as_labels_are(library: Library, tmp_path: Path) -> None:
    first = "defaults: {annotations: {com.example.a: x, com.example.b: y}}\n"
    text = matrix("    annotations: {com.example.a: null, com.example.c: z}\n", first)
    (variant,) = project(tmp_path, text, library=library).matrix.variants
    assert variant.family.content.annotations == {"com.example.b": "y", "com.example.c": "z"}
