"""docs/components.md adds a real component: its files are those of docs/examples, its commands say
what it shows, and no key is left out.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.errors import render
from tests.support import webserver
from tests.support.command import Command
from tests.support.samples import ROOT
from tests.support.vendor_files import PROGRAM, zipped
from tests.support.webserver import WebServer

EXAMPLES = ROOT / "docs" / "examples"
DOCUMENT = (ROOT / "docs" / "components.md").read_text("utf-8")
BLOCK = r"```(?P<kind>[a-z0-9]*)\n(?P<text>.*?)^```$"
STAND_IN = {
    "uv-0.13.9.data/scripts/uv": PROGRAM,
    "uv-0.13.9.dist-info/licenses/LICENSE-MIT": b"free",
}
"""A wheel that is laid out as uv's; the real one has 17 MB."""


@pytest.fixture
def server() -> Iterator[WebServer]:
    with webserver.serving() as running:
        yield running


def blocks(kind: str) -> list[str]:
    return [
        match["text"]
        for match in re.finditer(BLOCK, DOCUMENT, re.DOTALL | re.MULTILINE)
        if match["kind"] == kind
    ]


def commands() -> list[tuple[list[str], str]]:
    """Every command that is shown, and what is shown of its output."""
    text = "".join(blocks("console")).replace("\\\n", "")
    return [
        (shlex.split(c), output)
        for c, output in re.findall(r"^\$ bakestone (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
    ]


def own(files: Path) -> dict[str, str]:
    return {
        str(path.relative_to(files)): path.read_text("utf-8")
        for path in sorted(files.rglob("*"))
        if path.is_file()
    }


def test_the_files_that_are_shown_are_the_example() -> None:
    shown = {
        m["name"]: m["text"]
        for m in re.finditer(
            r"^`(?P<name>[^`\n]+)`(?:(?!\n\n).)*\n\n" + BLOCK, DOCUMENT, re.DOTALL | re.MULTILINE
        )
    }
    example = own(EXAMPLES)
    assert set(example) == {
        "images.yaml",
        *(
            f"components/uv/{n}"
            for n in ("component.yaml", "versions.yaml", "install.wheel.j2", "inventory.sh")
        ),
    }
    for name, text in example.items():
        assert shown[name] == text, name


def test_the_example_is_whole_and_can_be_used_as_the_document_says(
    bakestone: Command, tmp_path: Path
) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    told = [
        (arguments, output)
        for arguments, output in commands()
        if arguments[:2] not in (["component", "new"], ["component", "python"]) and output
    ]
    assert [arguments[0] for arguments, _ in told] == ["component", "list"]
    for arguments, output in told:
        shown = bakestone(*arguments)
        assert (shown.exit_code, shown.output) == (0, output)


def plain(text: str) -> str:
    """Without what differs between the real wheels and the ones that stand in for them."""
    return re.sub(r"[0-9.]+ (bytes|[kM]B)", "SIZE", re.sub(r"[0-9a-f]{64}", "SUM", text))


def versions(text: str) -> Any:
    """The same of versions.yaml; and who states the checksums is for a person to say."""
    data = yaml.safe_load(text)
    data["versions"]["0.13.9"]["methods"]["wheel"].pop("source")
    for file in data["versions"]["0.13.9"]["methods"]["wheel"]["wheels"][0]["files"].values():
        file["sha256"], file["size"] = "SUM", 0
    return data


def test_the_command_makes_the_example(
    bakestone: Command, server: WebServer, tmp_path: Path
) -> None:
    (arguments, output), *_ = commands()
    urls = [argument for argument in arguments if argument.startswith("https://HOST/")]
    for url in urls:
        server.file(url.rpartition("/")[2], zipped(STAND_IN))
    shown = bakestone(*(a.replace("https://HOST/", server.url) for a in arguments))
    assert shown.exit_code == 0, shown.output
    assert plain(shown.output) == plain(output)
    made, example = own(tmp_path / "components"), own(EXAMPLES / "components")
    assert versions(made.pop("uv/versions.yaml")) == versions(example.pop("uv/versions.yaml"))
    assert made == example
    sums = re.findall(
        r"[0-9a-f]{64}", (EXAMPLES / "components/uv/versions.yaml").read_text("utf-8")
    )
    assert re.findall(r"[0-9a-f]{64}", output) == sums, "the real ones"


def keys(rule: Any) -> Iterator[str]:
    """Every key that a schema allows anywhere."""
    if isinstance(rule, dict):
        yield from rule.get("properties", {})
        for inner in rule.values():
            yield from keys(inner)
    elif isinstance(rule, list):
        for inner in rule:
            yield from keys(inner)


@pytest.mark.parametrize("name", ["component", "versions"])
def test_every_key_is_in_the_document(name: str) -> None:
    told = set(re.findall(r"`([a-z0-9_]+)`", DOCUMENT))
    told |= {
        key
        for text in blocks("yaml")
        for key in re.findall(r"(?:^|[ {-])([a-z0-9_]+):(?: |$)", text, re.MULTILINE)
    }
    assert set(keys(schema.schema(name))) - told == set()


def parts(name: str) -> list[str]:
    return [text for text in blocks("yaml") if text.startswith(f"# {name}.yaml\n")]


BASE = (
    "component: x\nslot: x\ntitle: x\nhomepage: https://x.example.com/\nlicence: MIT\nprefix:"
    " /opt/x\nmethods: {apt: {summary: x}}\n"
)


@pytest.mark.parametrize("text", [*parts("component"), *parts("versions")])
def test_every_part_of_a_file_that_is_shown_follows_its_schema(text: str) -> None:
    name = text.split(".")[0].removeprefix("# ")
    data = yaml.safe_load(text)
    whole = yaml.safe_dump(yaml.safe_load(BASE) | data) if name == "component" else text
    findings = list(schema.findings_of(yamldoc.parse(whole, f"{name}.yaml"), name))
    assert not findings, render(findings)


def test_the_document_s_own_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 _-]", "", h.lower()).replace(" ", "-")
        for h in re.findall(r"^#+ (.*)$", DOCUMENT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", DOCUMENT)) <= headings
    for path in re.findall(r"\]\((?!#|https?:)([^)#]+)", DOCUMENT):
        assert (ROOT / "docs" / path).exists(), path
