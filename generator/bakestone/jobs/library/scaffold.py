"""A new component: the texts of its folder, complete and working, and the folder itself.

From an archive or a program behind a URL (method `archive`), from a wheel of the Python package
index (method `wheel`), or from the distro's own package (method `apt`). Nothing is left to fill in
for it to be built and measured.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from bakestone.core.documents import schema
from bakestone.core.library.catalog import Library, nearest_version
from bakestone.errors import USAGE, BakestoneError, fail
from bakestone.files import refused, scratch
from bakestone.jobs.library.additions import Entry, FetchedFile, artifacts, inserted, wheels
from bakestone.jobs.library.unpacking import (
    FileLayout,
    install,
    method_lines,
    python_lines,
    started,
)

_WORD = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
_NAME = "[A-Za-z_][A-Za-z0-9_]*"

_COMPONENT = """\
component: {name}
slot: {slot}
title: {title}
homepage: {homepage}
licence: {licence}   # SPDX; it goes into the labels of images
prefix: {prefix}
{settings}methods:
  {method}:
    summary: {summary}
"""
_PYTHON = """\
packages:
  debian: [libgcc-s1, libstdc++6]
  ubuntu: [libgcc-s1, libstdc++6]
  rocky: [libgcc, libstdc++]
  ubi: [libgcc, libstdc++]
python_packages: {debian: [python3], ubuntu: [python3], rocky: [python3], ubi: [python3]}
"""
"""What compiled wheels need of every distro (PEP 513 and PEP 600 let them ask for it)."""


@dataclass(frozen=True)
class About:
    """What a person says of a component. `ask` is what its program takes to tell its version."""

    name: str
    slot: str
    title: str
    homepage: str
    licence: str
    ask: str = "--version"


@dataclass(frozen=True)
class PythonPackage:
    """A package of the index: what the index calls it, the module that the gate imports, and the
    Pythons of the images (3.11) that it is for.
    """

    project: str
    module: str
    pythons: tuple[str, ...]

    def check(self) -> None:
        """Raise unless all of it can stand in the files."""
        for option, value, pattern, hint in (
            ("--project", self.project, r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*", "a name for pip"),
            ("--import", self.module, rf"{_NAME}(\.{_NAME})*", "a module, such as jax or a.b"),
            *(("--python", p, r"3\.[0-9]{1,2}", "a minor, such as 3.11") for p in self.pythons),
        ):
            if len(value) > 100 or not re.fullmatch(pattern, value):
                raise fail(f"{option} cannot be {value[:60]!r}", hint, code=USAGE)


Texts = Mapping[str, str]
"""File name -> text."""


def check_name(name: str, library: Library, folder: Path) -> None:
    """Raise when a component cannot be made under this name: a bad one, or one that is taken."""
    schema.check_value(name, "component", "component", "NAME")
    path = folder / name
    if library.get(name) is not None and not (path / "component.yaml").exists():
        hint = f"`bakestone component add {name} VERSION --url URL` adds a version to it"
        raise fail(f"the library has {name} already", hint, name=name)
    if os.path.lexists(path):
        raise _taken(path, "choose another name, or edit what is there")


def _taken(path: Path, hint: str) -> BakestoneError:
    return fail(f"{path} is there already; it is left as it is", hint, name=str(path))


def from_files(about: About, version: str, files: list[FetchedFile], layout: FileLayout) -> Texts:
    """The folder of a component whose files were fetched. All files have the same layout."""
    directory = layout.program.rpartition("/")[0]
    place = f'path: ["{{{{ prefix }}}}{"/" + directory if directory else ""}"]\n'
    method, summary, data = "archive", "the files as published", artifacts(files)
    if layout.kind == "wheel":
        method, summary, data = "wheel", "the wheel of the Python package index", wheels(files, {})
    component = _component(about, method, f"/opt/{about.name}", place, summary)
    return {
        "component.yaml": component + method_lines(layout, [f.filename for f in files]),
        "versions.yaml": _versions({version: {"methods": {method: data}}}),
        f"install.{method}.j2": install(layout),
        "inventory.sh": _inventory("files", about, layout.program, version),
    }


def from_python(
    about: About, package: PythonPackage, version: str, filenames: Sequence[str], data: Entry
) -> Texts:
    """The folder of a component that is a Python package with all that it needs (`closure`)."""
    summary = "the wheels of the Python package index, for the image's Python"
    component = _component(about, "wheel", f"/opt/{about.name}", _PYTHON, summary)
    named = {"name": about.name, "project": package.project, "module": package.module}
    return {
        "component.yaml": component + python_lines(filenames, package.pythons),
        "versions.yaml": _versions({version: {"methods": {"wheel": data}}}),
        "install.wheel.j2": started("install.python.j2", **named),
        "inventory.sh": started("inventory.python.sh", **named),
    }


def from_package(
    about: About, package: str, program: str, there: Mapping[str, str], origin: str
) -> tuple[Texts, str]:
    """The folder of a component that is a package of distros (`pinned`); and its first version."""
    schema.check_value(package, "versions", "package", "--package")
    there_by_version: dict[str, dict[str, str]] = {}
    for distro, number in there.items():
        there_by_version.setdefault(upstream(number), {})[distro] = number
    entries: dict[str, Entry] = {
        version: {"methods": {"apt": {"package": package, "versions": of, "source": origin}}}
        for version, of in there_by_version.items()
    }
    first = next(iter(entries))
    texts = {
        "component.yaml": _component(about, "apt", "/usr", "", "the distribution's own package"),
        "versions.yaml": _versions(entries),
        "inventory.sh": _inventory("package", about, program or about.name, first),
    }
    return texts, first


def pinned(distros: Sequence[str], library: Library) -> dict[str, str]:
    """NAME@VERSION=PACKAGE-VERSION as a mapping. Raises for a distro that is not there."""
    found = {}
    for text in distros:
        distro, mark, number = text.partition("=")
        if not mark:
            hint = "write NAME@VERSION=PACKAGE-VERSION, such as debian@12=1.6-2.1+deb12u1"
            raise fail(f"--distro cannot be {text[:60]!r}", hint, code=USAGE)
        check_distro(distro, library)
        schema.check_value(number, "versions", "packageVersion", "the package's version")
        schema.check_value(upstream(number), "versions", "version", f"the version in {number}")
        found[distro] = number
    if not found:
        hint = "say which version each distro has, such as --distro debian@12=1.6-2.1+deb12u1"
        raise fail("--package needs a --distro", hint, code=USAGE)
    return found


def check_distro(distro: str, library: Library) -> None:
    """Raise unless it is the component@version of a distro in the library."""
    name, _, version = distro.partition("@")
    component = library.get(name)
    if component is None or component.slot != "distro":
        names = ", ".join(c.name for c in library.of_slot("distro"))
        hint = f"one of: {names}; write it as debian@12"
        raise fail(f"there is no distro {name}", hint, name=distro)
    if version not in component.versions:
        hint = nearest_version(component, version)
        raise fail(f"{name} has no version {version or '(none was given)'}", hint, name=distro)


def homepage(urls: Sequence[str], distros: Sequence[str], library: Library) -> str:
    """A page to begin with: the host of the first URL, which is checked, or the first distro's."""
    if urls:
        scheme, _, rest = urls[0].partition("://")
        return f"{scheme}://{rest.partition('/')[0].partition(':')[0]}/"
    distro = library.get(distros[0].partition("@")[0])
    return str(distro.data["homepage"]) if distro else ""


def upstream(package_version: str) -> str:
    """The program's version in a package's (Debian Policy, 5.6.12): 1.7.1 of 2:1.7.1+dfsg-6."""
    text = package_version.rpartition(":")[2]
    return re.split(r"[+~]", text.rpartition("-")[0] or text)[0]


def check_about(about: About, program: str) -> None:
    """Raise unless all that a person said can stand in the files: `program` is a path, or empty."""
    rules = schema.schema("component")
    for key in ("slot", "title", "homepage", "licence"):
        value = str(getattr(about, key))
        rule = rules["$defs"].get(key) or rules["properties"][key]
        if (
            len(value) > rule["maxLength"]
            or not re.fullmatch(rule["pattern"], value)
            or value in rule.get("not", {}).get("enum", ())
        ):
            raise fail(f"--{key} cannot be {value[:60]!r}", rule["x-hint"], code=USAGE)
    if about.slot == "distro":
        hint = "write it by hand: see docs/components.md"
        raise fail("a distro comes as an image, not as files", hint, code=USAGE)
    if program and not is_path(program):
        hint = "a path below the prefix, of letters, digits and . _ + - /, such as bin/cmake"
        raise fail(f"--bin cannot be {program[:60]!r}", hint, code=USAGE)
    if len(about.ask) > 60 or not re.fullmatch(r"[A-Za-z0-9=._-]+( [A-Za-z0-9=._-]+)*", about.ask):
        hint = "plain arguments, such as --version, or version --client"
        raise fail(f"--ask cannot be {about.ask[:60]!r}", hint, code=USAGE)


def is_path(path: str) -> bool:
    """Whether it is a relative path that a line of a shell script can hold as it is."""
    plain = re.fullmatch(rf"{_WORD}(/{_WORD})*", path)
    return plain is not None and len(path) <= 100 and ".." not in path


def write(folder: Path, name: str, texts: Texts) -> None:
    """Make `folder`/NAME with these files, whole or not at all; what is there is never replaced."""
    place = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch("component", folder) as made:
            (made / name).mkdir()
            for file, text in texts.items():
                (made / name / file).write_text(text, "utf-8", newline="\n")
            if os.path.lexists(place):
                raise _taken(place, "choose another name")
            (made / name).rename(place)
    except OSError as problem:
        raise refused(f"cannot write {place}", str(place), problem) from problem


def _component(about: About, method: str, prefix: str, settings: str, summary: str) -> str:
    # as YAML writes it: in quotes where it would be read as something else
    said = {
        key: yaml.safe_dump({"": value}, width=10_000).partition(": ")[2].strip()
        for key, value in asdict(about).items()
        if key != "ask"
    }
    how = {"prefix": prefix, "settings": settings, "method": method, "summary": summary}
    return _COMPONENT.format(**how, **said)


def _versions(versions: Mapping[str, Entry]) -> str:
    text = "# Newest first. `bakestone component add` puts further versions here.\n"
    for version, data in versions.items():
        text = inserted(text, version, data, "versions.yaml")
    return text


def _inventory(kind: str, about: About, program: str, version: str) -> str:
    """The inventory of a program, asked for a version that looks like this one."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)+", version):
        digits = r"[0-9]+(\.[0-9]+)+"
    else:
        digits = r"[0-9]+" if version.isdigit() else r"[0-9]+[0-9A-Za-z.+~_-]*"
    named = {"name": about.name, "command": program.rpartition("/")[2], "program": program}
    return started(f"inventory.{kind}.sh", **named, ask=about.ask, digits=digits)
