"""Every file that people or Bakestone write follows its schema, and the schemas say what each field
is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN
from bakestone.core.lock import lockfile
from bakestone.core.render.release import ReleasedImage, ReleaseRecord
from bakestone.errors import render
from bakestone.jobs.publish import records
from tests.support.builder import inventory
from tests.support.samples import FIRST, MANY, ROOT, Marked, locked, made_up, project, refused
from tests.support.site_files import SITE

SCHEMAS = sorted(p.name.split(".")[0] for p in (ROOT / "schemas").glob("*.schema.json"))
LIBRARY_FILES = sorted(BUILT_IN.glob("*/*.yaml"))


def check(path: Path, name: str) -> None:
    findings = list(schema.findings_of(yamldoc.load(path, "the file"), name))
    assert not findings, render(findings)


def check_text(text: str, name: str) -> None:
    findings = list(schema.findings_of(yamldoc.parse(text, "file"), name))
    assert not findings, render(findings)


def test_there_is_a_schema_for_every_file() -> None:
    assert SCHEMAS == [
        "component",
        "images",
        "index",
        "lock",
        "profile",
        "release",
        "site",
        "versions",
    ]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_itself(name: str) -> None:
    loaded = schema.schema(name)
    Draft202012Validator.check_schema(loaded)
    assert loaded["$id"] == f"https://bakestone.dev/schemas/{name}.schema.json"
    assert loaded["title"]
    assert loaded["description"]


def test_a_base_of_ones_own_is_named_as_a_component_is() -> None:
    """The library checks a name and a version that follow from the image by these rules."""
    said = schema.schema("images")["$defs"]["ownBase"]["properties"]
    for key, (name, definition) in {
        "name": ("component", "component"),
        "version": ("versions", "version"),
        "like": ("component", "like"),
    }.items():
        rule = schema.schema(name)["$defs"][definition]
        same = {k: said[key].get(k) for k in ("not", "maxLength")}
        assert same == {k: rule.get(k) for k in same}, key
        pattern = rule["pattern"].replace("(@", "@").replace(")?$", "$") if key == "like" else ""
        assert said[key]["pattern"] == (pattern or rule["pattern"]), key


def fields(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict) and "additionalProperties" in part:
            yield from part["properties"].items()
        for value in part.values():
            yield from fields(value)
    elif isinstance(part, list):
        for value in part:
            yield from fields(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_says_whether_it_is_required_and_what_it_is(name: str) -> None:
    loaded = schema.schema(name)
    for field, about in fields(loaded):
        described = about.get("description") or loaded["$defs"].get(
            about.get("$ref", "").rpartition("/")[2], {}
        ).get("description", "")
        assert re.match(r"(Required|Optional)\b.*\.", described), f"{name}: {field}: {described!r}"


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_required_is_described_as_required(name: str) -> None:
    loaded = schema.schema(name)

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            properties = part.get("properties")
            if isinstance(properties, dict) and "additionalProperties" in part:
                for field, about in properties.items():
                    described = about.get("description", "")
                    if described:
                        assert described.startswith("Required.") == (
                            field in part.get("required", [])
                        ) or described.startswith("Required with"), field
            for value in part.values():
                walk(value)

    walk(loaded)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_reference_leads_somewhere_and_every_definition_is_used(name: str) -> None:
    text = json.dumps(schema.schema(name))
    used = set(re.findall(r'"#/\$defs/(\w+)"', text))
    assert used == set(schema.schema(name)["$defs"])


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_pattern_holds_the_whole_text(name: str) -> None:
    for pattern in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(schema.schema(name))):
        loaded = json.loads(pattern)
        assert (loaded.startswith("^") and loaded.endswith("$")) or loaded == r"\.\.", loaded


def test_the_committed_matrix_follows_its_schema() -> None:
    check(ROOT / "images.yaml", "images")


def test_the_committed_lock_follows_its_schema() -> None:
    check(ROOT / "images.lock.yaml", "lock")


def test_the_committed_bake_file_is_well_formed() -> None:
    plain = json.loads((ROOT / "dockerfiles" / "docker-bake.json").read_text("utf-8"))
    assert set(plain) == {"group", "target"}
    for group in plain["group"].values():
        assert all(name in plain["target"] or name in plain["group"] for name in group["targets"])
    for target in plain["target"].values():
        assert (ROOT / target["context"] / target["dockerfile"]).is_file()


@pytest.mark.parametrize("path", LIBRARY_FILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_library_follows_its_schemas(path: Path) -> None:
    check(path, path.stem)


def test_examples_of_the_tests_follow_their_schemas() -> None:
    check_text(FIRST, "images")
    check_text(MANY, "images")
    check_text(SITE, "site")


def test_a_lock_that_is_written_follows_its_schema(library: Library, tmp_path: Path) -> None:
    text = MANY + "  - name: old\n    axes: {distro: [ubuntu@16.04], git: ['2.7.4']}\n"
    made = locked(tmp_path, text, library=library)
    assert {p.pins for p in made.lock.packages.values()} == {"versions", "snapshot", "frozen"}
    check(made.lock_path, "lock")


def test_a_bake_file_that_is_written_names_targets_that_are_there(
    library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    made.generate()
    plain = json.loads((made.output / "docker-bake.json").read_text("utf-8"))
    assert all(
        (made.output.parent / t["context"] / "Dockerfile").is_file()
        for t in plain["target"].values()
    )


def test_a_release_that_is_written_follows_its_schema(library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, MANY, library=library)
    plan = made.plan(made.matrix.variants)
    images = [
        ReleasedImage(
            variant.name,
            variant.family,
            variant.repository,
            variant.fingerprint,
            f"sha256:{made_up(variant.name)}",
            {p: f"sha256:{made_up(variant.name, p)}" for p in variant.platforms},
            123456789,
            variant.variant.base.ref,
            {slot: chosen.text for slot, chosen in variant.variant.slots.items()},
            inventory(variant.variant),
        )
        for variant in plan.variants
    ]
    path = tmp_path / "release.json"
    images[0] = replace(images[0], aliases=("latest", "4"), dated=("4-20261130",))
    before = ReleaseRecord(plan.registry, (replace(images[0], aliases=("edge",), dated=()),))
    path.write_text(before.text, "utf-8")
    assert records.write(path, plan, images).wrote
    assert not records.write(path, plan, images).wrote
    check(path, "release")
    plain = json.loads(path.read_text("utf-8"))
    assert [("aliases" in i, "dated" in i, "former" in i) for i in plain["images"]] == [
        (True, True, True),
        *[(False, False, False)] * 3,
    ]
    assert [i["tag"] for i in plain["images"]] == [v.name for v in made.matrix.variants]
    assert images[0].measured.startswith(
        "ubuntu 22.04, openmpi 4.1.8, miniforge 26.3.2, git 2.53.0"
    )
    assert (
        images[0].pinned
        == f"registry.example.com/base/cpu@sha256:{made_up('openmpi4.1.8-ubuntu22.04')}"
    )


COMPONENT = """\
component: tool
slot: tool
title: Tool
homepage: https://example.com/
licence: MIT
prefix: /opt/tool
methods:
  source: {summary: from source, builder: distro}
"""

WRONG_COMPONENTS = {
    "unknown key": (COMPONENT + "«lable»: x\n", "did you mean label?"),
    "quote in a title": (COMPONENT.replace("title: Tool", "title: «'a\"b'»"), "letters, digits"),
    "dollar in a title": (COMPONENT.replace("title: Tool", "title: «$HOME»"), "letters, digits"),
    "relative prefix": (COMPONENT.replace("/opt/tool", "«opt/tool»"), "absolute path"),
    "prefix that climbs": (COMPONENT.replace("/opt/tool", "«/opt/../etc»"), "no .."),
    "prefix with a space": (COMPONENT.replace("/opt/tool", "«/opt/a b»"), "absolute path"),
    "prefix that calls": (COMPONENT.replace("/opt/tool", "«'/opt/{{ x() }}'»"), "absolute path"),
    "PATH in the environment": (
        COMPONENT + "environment: {«PATH»: /x}\n",
        "the keys `path` and `library_path`",
    ),
    "quote in the environment": (COMPONENT + "environment: {A: «'\"'»}\n", "letters, digits"),
    "dollar in the environment": (COMPONENT + "environment: {A: «$B»}\n", "letters, digits"),
    "version in a package": (COMPONENT + "packages: {debian: [«curl=1»]}\n", "the lock pins it"),
    "option for a package": (COMPONENT + "packages: {debian: [«-y»]}\n", "the lock pins it"),
    "unknown method": (COMPONENT.replace("  source:", "  «sauce»:"), "did you mean source?"),
    "builder without a version": (
        COMPONENT.replace("builder: distro", "builder: «debian»"),
        "component@version",
    ),
    "rule without a source": (
        COMPONENT
        + "rules:\n  - «{id: a, when: {tool: '*'}, require: {cuda: '*'}, because: it is so}»\n",
        "Who says so",
    ),
    "a file as home page": (COMPONENT.replace("https://example.com/", "«file:///etc»"), "URL"),
    "quote in a snapshot source": (
        COMPONENT + 'snapshot: {source: x, sources: [«"deb http://x/\' main"»]}\n',
        "without quotes",
    ),
}


@pytest.mark.parametrize(("text", "hint"), WRONG_COMPONENTS.values(), ids=list(WRONG_COMPONENTS))
def test_a_wrong_component_of_a_team_is_marked_and_explained(
    text: str, hint: str, tmp_path: Path
) -> None:
    marked = Marked.of(text)
    folder = tmp_path / "components" / "tool"
    folder.mkdir(parents=True)
    (folder / "component.yaml").write_text(marked.text, "utf-8")
    (folder / "versions.yaml").write_text("versions: {'1': {methods: {}}}\n", "utf-8")
    found = refused(
        lambda: (
            project(
                tmp_path, FIRST.replace("    methods:", "      tool: ['1']\n    methods:")
            ).matrix
        )
    )
    assert found[0].text.startswith(str(folder / "component.yaml"))
    assert (found[0].line, found[0].column, found[0].marked) == (
        marked.line,
        marked.column,
        marked.marked,
    ), found[0].text
    if hint != "did you mean source?":
        assert hint in found[0].hint, found[0].text


ENTRY = (
    "versions:\n  '1.2':\n    methods:\n      source:\n        artifacts: [{{url: {url}, sha256:"
    " {sha}, filename: {name}}}]\n"
)
GOOD = {"url": "https://example.com/a.tar.gz", "sha": made_up("a"), "name": "a.tar.gz"}

WRONG_VERSIONS = {
    "quote in a URL": ENTRY.format(**GOOD | {"url": '"https://example.com/a\'b"'}),
    "newline in a URL": ENTRY.format(**GOOD | {"url": '"https://example.com/a\\nRUN id"'}),
    "dots in a URL": ENTRY.format(**GOOD | {"url": "https://example.com/../a"}),
    "query in a URL": ENTRY.format(**GOOD | {"url": "'https://example.com/a?b=c'"}),
    "credentials in a URL": ENTRY.format(**GOOD | {"url": "https://u:p@example.com/a"}),
    "short checksum": ENTRY.format(**GOOD | {"sha": "abc"}),
    "capital checksum": ENTRY.format(**GOOD | {"sha": "A" * 64}),
    "folder in a file name": ENTRY.format(**GOOD | {"name": "a/b"}),
    "dots as a file name": ENTRY.format(**GOOD | {"name": "'..'"}),
    "option as a file name": ENTRY.format(**GOOD | {"name": "-rf"}),
    "unquoted version": "versions:\n  '1':\n    label: 1.10\n",
    "semicolon in a measured value": "versions:\n  '1':\n    measure: {version: '1; id'}\n",
    "dollar in an apt version": (
        "versions:\n  '1':\n    methods:\n      apt: {package: git, versions: {debian@12: '1$x'}}\n"
    ),
    "image without a tag": "versions:\n  '1':\n    image: docker.io/library/debian\n",
    "image with a digest": (
        f"versions:\n  '1':\n    image: docker.io/library/debian:12@sha256:{'0' * 64}\n"
    ),
    "unknown way to pin": "versions:\n  '1':\n    pins: latest\n",
    "version with a slash": "versions:\n  '1/2': {}\n",
}


@pytest.mark.parametrize("text", WRONG_VERSIONS.values(), ids=list(WRONG_VERSIONS))
def test_wrong_versions_are_found(text: str) -> None:
    found = list(schema.findings_of(yamldoc.parse(text, "versions.yaml"), "versions"))
    assert found
    assert all(f.where and f.where.line > 1 for f in found)


def test_right_versions_are_right() -> None:
    check_text(ENTRY.format(**GOOD), "versions")
    check_text(COMPONENT, "component")


@pytest.mark.parametrize(
    ("key", "value"),
    [("url", '"https://example.com/a\\n"'), ("name", '"a\\n"'), ("sha", f'"{made_up("a")}\\n"')],
)
def test_a_last_line_break_is_found(key: str, value: str) -> None:
    assert list(
        schema.findings_of(
            yamldoc.parse(ENTRY.format(**GOOD | {key: value}), "versions.yaml"), "versions"
        )
    )


def test_a_lock_with_a_hostile_value_does_not_follow_the_schema(
    library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    plain = yaml.safe_load(lockfile.dump(made.lock))
    plain["artifacts"]["https://example.com/a'b"] = {"component": "git@1", "sha256": "0"}
    assert len(list(schema.findings_of(yamldoc.parse(yaml.safe_dump(plain), "lock"), "lock"))) >= 2


def test_the_matrix_and_the_components_name_their_schema_for_the_editor() -> None:
    first = (ROOT / "images.yaml").read_text("utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=schemas/images.schema.json"
    for path in BUILT_IN.glob("*/component.yaml"):
        line = path.read_text("utf-8").splitlines()[0]
        _, _, target = line.partition("$schema=")
        assert (path.parent / target).resolve() == ROOT / "schemas" / "component.schema.json", path
