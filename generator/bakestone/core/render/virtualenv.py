"""A family's Python packages: the stages that fetch their wheels, install them by hash, and measure
what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from bakestone.core.lock.environments import (
    MACHINES,
    SDIST,
    pins,
    project_and_version,
    requirement_name,
)
from bakestone.core.lock.lock import Lock, LockedEnvironment
from bakestone.core.lock.needs import Environment
from bakestone.core.matrix.checks import environments
from bakestone.core.matrix.content import OwnPython
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.frames import heredocs, mounted, program, tools
from bakestone.core.render.inventory import ENVIRONMENT
from bakestone.core.render.packages import pip
from bakestone.core.render.stages import SELF, ContentsRow, Mark, RenderedStage
from bakestone.errors import fail

TOOLS = RenderedStage(
    "environment-tools", tools(["environment.sh", "sources.sh", "files.sh"], SELF)
)
"""The stage of the script that installs."""
_INVENTORY = '"$PREFIX/bin/python" -B "$PROGRAMS/environment.py" "$PROGRAMS"'
_CONTRACT = '"$PREFIX/bin/python" -B -m pip --version'


def locked(wanted: Environment, lock: Lock, platforms: Sequence[str]) -> LockedEnvironment:
    """The wheels. Raises `BakestoneError` where the lock does not have them."""
    found = lock.environments.get(wanted.key)
    if found is None or any(platform not in found.files for platform in platforms):
        raise fail(f"the lock has no environment {wanted.key}", "run `bakestone lock`")
    return found


def fetched(
    environment: LockedEnvironment,
    platforms: Sequence[str],
    builder: RenderedStage,
    toolbox: RenderedStage,
    marks: tuple[Mark, ...],
) -> tuple[RenderedStage, RenderedStage]:
    """The stage of what pip is told to fetch, and the one that has the wheels in /wheels."""
    files = {f"{MACHINES[p]}.txt": _requirements(environment, p, source=False) for p in platforms}
    sources = {_requirements(environment, p, source=True) for p in platforms}
    if sources != {""}:
        files["sources.txt"] = "\n".join(sorted(sources))
    held = RenderedStage("environment.pins", f"FROM scratch AS {SELF}\n{heredocs(files)}", marks)
    names = {
        p: [name for name, _, _ in environment.files[p] if not name.endswith(SDIST)]
        for p in platforms
    }
    run = pip.fetch(names, environment.python, toolbox.reference, held.reference)
    if "sources.txt" in files:
        run += pip.build(TOOLS.reference, held.reference)
    text = f"FROM {builder.reference} AS {SELF}\n{run}"
    return held, RenderedStage("environment.wheels", text, marks)


def installed(
    own: OwnPython,
    variant: Variant,
    base: RenderedStage,
    python: RenderedStage | None,
    wheels: RenderedStage,
    environment: LockedEnvironment,
) -> RenderedStage:
    """The environment, in /out: made in the image's `base` with the files of its Python."""
    user = variant.family.user
    owner = f"{user.uid}:{user.gid}" if own.of_user else "0:0"
    copy = f"COPY --from={python.reference} /out/ /\n" if python else ""
    seen = f"{mounted(TOOLS.reference)} {mounted(wheels.reference, '/wheels', '/wheels')}"
    words = f"{own.prefix} {environments.program(variant.slots)} {owner}"
    run = f"RUN --network=none {seen} sh /tools/environment.sh {words}\n"
    listed = f"RUN {mounted(TOOLS.reference)} sh /tools/files.sh\n"
    direct = {requirement_name(text) for text in own.requirements}
    found = pins(next(iter(environment.files.values())))
    shown = ", ".join(f"{name}=={found[name]}" for name in sorted(direct & found.keys()))
    rest = len(found) - len(direct & found.keys())
    row = ContentsRow(f"{shown}, {rest} more" if rest else shown, "pip", "package index")
    text = f"FROM {base.reference} AS {SELF}\n{copy}{run}{listed}"
    return RenderedStage("environment", text, contents=(row,))


def measured(
    own: OwnPython, environment: LockedEnvironment, platforms: Sequence[str], made: RenderedStage
) -> RenderedStage:
    """What it is measured with, and the list of its files."""
    texts = {
        f"{MACHINES[p]}.txt": "\n".join(
            f"{name}=={version}" for name, version in sorted(pins(environment.files[p]).items())
        )
        for p in platforms
    }
    asked = sorted({requirement_name(text) for text in own.requirements})
    words = [ENVIRONMENT, ENVIRONMENT, own.identity, own.prefix, f"version={environment.python}"]
    files = {
        "inventory.sh": _INVENTORY,
        "contract.sh": _CONTRACT,
        "environment.py": "\n".join(program("environment.py")),
        **texts,
        "asked.txt": "\n".join(asked),
        "expected": " ".join(words),
    }
    text = f"FROM scratch AS {SELF}\n{heredocs(files)}"
    text += f"\nCOPY --from={made.reference} /files.tsv /\n"  # hadolint wants the empty line
    return RenderedStage("environment.measure", text, made.marks)


def _requirements(environment: LockedEnvironment, platform: str, *, source: bool) -> str:
    """A requirements.txt of a platform's wheels, or of its source distributions, each by its
    hash.
    """
    files = [file for file in environment.files[platform] if file[0].endswith(SDIST) == source]
    pinned = (("==".join(project_and_version(name)), sha256) for name, sha256, _ in files)
    return "\n".join(f"{pin} --hash=sha256:{sha256}" for pin, sha256 in pinned)
