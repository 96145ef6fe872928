"""A team's own content as a stage that holds its files and scripts, and the instructions that bring
them into an image.
"""

from __future__ import annotations

import base64
import json
import re
import shlex

from bakestone.core.documents.words import count
from bakestone.core.matrix.content import Content, OwnFile
from bakestone.core.matrix.spec import Family
from bakestone.core.render.frames import HEREDOC, heredocs, mounted, pairs, tools
from bakestone.core.render.stages import MARKER, SELF, ContentsRow, RenderedStage

TOOLS = RenderedStage("content-tools", tools(["content.sh", "timed.sh"], SELF))
"""The stage of the scripts that put a team's files into an image."""
CA_TOOLS = RenderedStage("ca-tools", tools(["ca.sh", "timed.sh"], SELF))
"""The stage of the script that puts certificates into the trust store."""
_LINE = 76
"""Characters of a line of base64, as base64 writes them."""


def stages(content: Content) -> tuple[RenderedStage, ...]:
    """The stage of a family's files and scripts, after its tools; none where it has neither, nor a
    working directory of its own.
    """
    files = {_name(n, one): _text(one) for n, one in enumerate(content.files)}
    files |= {f"{step.name}.sh": step.script.rstrip("\n") for step in content.steps}
    if not files:
        return (TOOLS,) if content.workdir else ()
    what = [f"{len(content.files)} files"] if content.files else []
    what += [f"step {step.name}" for step in content.steps]
    row = ContentsRow(", ".join(what), "content", "this repository")
    text = f"FROM scratch AS {SELF}\n{heredocs(files, 'the content of the family')}"
    return (TOOLS, RenderedStage("content", text, contents=(row,)))


def certificates(content: Content) -> tuple[RenderedStage, ...]:
    """The stage of a family's certificates, after its tools; none where it has none."""
    files = {one.name: one.pem for one in content.certificates}
    if not files:
        return ()
    row = ContentsRow(count(len(files), "certificate"), "trust store", "this repository")
    text = f"FROM scratch AS {SELF}\n{heredocs(files, 'the certificates of the family')}"
    return (CA_TOOLS, RenderedStage("certificates", text, contents=(row,)))


def trust(made: tuple[RenderedStage, ...], manager: str) -> str:
    """The RUN that puts what `certificates` gave into the trust store of a distro with this package
    manager.
    """
    if not made:
        return ""
    toolbox, own = (stage.reference for stage in made)
    seen = [mounted(toolbox), mounted(own, "/certificates")]
    return _run("certificates", ["--network=none", *seen], [f"sh /tools/ca.sh {manager}"])


def runs(family: Family, made: tuple[RenderedStage, ...]) -> str:
    """The RUNs that bring the content into an image, with what `stages` gave."""
    content, user = family.content, family.user
    own = made[-1].reference if made else ""
    lines = [
        f"sh /tools/content.sh {_name(n, one)} {one.path} {one.mode}"
        f" {f'{user.uid} {user.gid}' if one.of_user else '0 0'}"
        for n, one in enumerate(content.files)
    ]
    if content.workdir:
        # as the user's home: group 0 writes, which OpenShift's own ids are in
        lines.append(f"sh /tools/content.sh - {content.workdir} 0775 {user.uid} 0")
    seen = [mounted(TOOLS.reference), *([mounted(own, "/content")] if len(made) > 1 else [])]
    found = [_run("files", ["--network=none", *seen], lines)] if lines else []
    for step in content.steps:
        network = [] if step.network else ["--network=none"]
        variables = [f"{name}={shlex.quote(value)}" for name, value in sorted(content.env.items())]
        script = [
            " ".join(
                [*(["env", *variables] if variables else []), f"sh -eu /content/{step.name}.sh"]
            )
        ]
        found.append(_run(f"{step.name}: {step.because}", [*network, *seen], script))
    return "".join(found)


def start(content: Content) -> str:
    """The instructions that say how a container begins, for the last stage: the gate measures
    without them, so that no variable (LD_PRELOAD, PS4) speaks for it.
    """
    entrypoint = _words(content.entrypoint)
    usual = ("/bin/bash",) if not content.entrypoint else ()
    lines = (
        [f"ENV {pairs(quoted(dict(sorted(content.env.items()))), 'ENV')}"] if content.env else []
    )
    lines += [f"EXPOSE {' '.join(content.expose)}"] if content.expose else []
    lines += [f"SHELL {_words(content.shell)}"] if content.shell else []
    lines += [f"ENTRYPOINT {entrypoint}"]
    lines += [f"CMD {_words(usual if content.cmd is None else content.cmd)}"]
    return "".join(f"{line}\n" for line in lines)


def quoted(values: dict[str, str]) -> dict[str, str]:
    """Values as ENV and LABEL take them between double quotes: as they are, nothing is expanded."""
    return {key: re.sub(r'(["$\\])', r"\\\1", value) for key, value in values.items()}


def _words(words: tuple[str, ...]) -> str:
    return json.dumps(list(words), ensure_ascii=False)


def _run(title: str, options: list[str], lines: list[str]) -> str:
    script = "\n".join([f"# {title}", ". /tools/timed.sh", *lines])
    return f"RUN {' '.join(options)} <<'EOF'\n{script}\nEOF\n"


def _name(number: int, one: OwnFile) -> str:
    """What a file is called in the stage: its own name, after a number that makes it unique."""
    plain = re.sub(r"[^A-Za-z0-9._+-]", "_", one.origin.rpartition("/")[2])
    return f"{number}.{plain}" + ("" if _is_plain(one.content) else ".base64")


def _is_plain(content: bytes) -> bool:
    """Whether a Dockerfile can hold it byte for byte, for people to read: lines of text that all
    end, without characters that steer a terminal.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    bare = text.replace("\n", "").replace("\t", "")
    plain = text.endswith("\n") and bare.isprintable() and not content.startswith(b"\xef\xbb\xbf")
    return plain and HEREDOC not in text and MARKER not in text


def _text(one: OwnFile) -> str:
    """The lines of a file in a heredoc."""
    if _is_plain(one.content):
        return one.content.decode().removesuffix("\n")
    code = base64.b64encode(one.content).decode()
    return "\n".join(code[i : i + _LINE] for i in range(0, len(code), _LINE))
