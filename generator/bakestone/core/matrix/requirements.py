"""Requirements of Python packages, as pip and pyproject.toml write them."""

from __future__ import annotations

import re
import tomllib

from bakestone.errors import BakestoneError, fail

_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,<>=!~*+()\[\]_;'\"-]{0,300}")
"""What a requirement may be made of: no URL, no path, no line's end."""


def normal(text: str) -> str:
    """A requirement as the lock has it: `Flask [async]>= 3` is `flask[async]>=3`.

    Raises `BakestoneError` for what is none, or is not from a package index.
    """
    from packaging.requirements import InvalidRequirement, Requirement  # 20 ms for few commands
    from packaging.utils import canonicalize_name

    shown = text if len(text) <= 80 else f"{text[:77]}..."
    try:
        if "://" in text or text.startswith((".", "/")):
            raise InvalidRequirement
        found = Requirement(text)
    except InvalidRequirement:
        hint = "a name and its versions, as in `numpy>=2,<3`: packages come from the package index"
        raise fail(f"{shown!r} is no requirement", hint) from None
    if found.url or not _TEXT.fullmatch(str(found)):
        hint = "packages come from the package index, by name: build a wheel for it there"
        raise fail(f"{shown!r} names a place of its own", hint)
    extras = f"[{','.join(sorted(found.extras))}]" if found.extras else ""
    marker = f" ; {found.marker}" if found.marker else ""
    return f"{canonicalize_name(found.name)}{extras}{found.specifier}{marker}"


def listed(name: str, line: int, text: str) -> str:
    """The same of a line of a file, which errors name."""
    try:
        return normal(text)
    except BakestoneError as problem:
        (found,) = problem.findings
        raise fail(f"{name}:{line}: {found.message}", found.hint) from None


def of_file(name: str, content: bytes) -> list[tuple[int, str]]:
    """The requirements of a requirements.txt or a pyproject.toml, each with its line (1 where that
    is not known). Raises `BakestoneError` for a file that is neither.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise fail(f"{name} is not UTF-8", "save it as UTF-8") from None
    if name.endswith((".yml", ".yaml")):
        hint = "name its pip packages in a requirements.txt; those of conda are not taken yet"
        raise fail(f"{name} is an environment of conda", hint)
    if name.endswith(".toml"):
        return _of_project(name, text)
    found = []
    whole, first = "", 0
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        first = first if whole else number
        whole += line.removesuffix("\\")
        if line.endswith("\\") and number < len(lines):
            continue
        bare = re.sub(r"(^|\s)#.*", "", whole).strip()
        whole = ""
        if bare.startswith("-"):
            word = bare.split()[0].partition("=")[0]
            hint = "indexes are said in the site file, and files are read alone: write what it has"
            raise fail(f"{name}:{first}: the option {word[:40]} is not taken", hint)
        if bare:
            found.append((first, re.sub(r"\s--hash=\S+", "", bare).strip()))
    return found


def _of_project(name: str, text: str) -> list[tuple[int, str]]:
    try:
        project = tomllib.loads(text).get("project")
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise fail(f"{name} is no TOML: {str(problem)[:200]}", "correct it") from None
    wanted = project.get("dependencies") if isinstance(project, dict) else None
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        hint = "a pyproject.toml has them under [project] (PEP 621)"
        raise fail(f"{name} has no list `dependencies`", hint)
    return [(1, one) for one in wanted]
