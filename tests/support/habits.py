"""The habits of this code that no linter knows, read off the syntax.

    python -m tests.support.habits [PATH...]

Each rule is a function below with its name in `RULES`. A finding is `file:line: rule: sentence`;
exit status 1 when there is one. What a path is says which rules hold for it: the package, tests,
or neither (benchmarks). Programs that run inside images are left alone: they are no part of the
package, and their bytes are in fingerprints.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("generator/bakestone", "tests", "benchmarks")
COLUMNS = 100
"""Bytes of a line at most: as many as ruff's format takes, and two editors fit beside each other.
"""
PARAMETERS = 6
"""Of one function at most, self aside: a caller with more mixes them up, and wants a record."""
EMPTY_WORDS = {
    *("util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "stuff"),
    "more",
}
"""Words in a module's name that would fit every other module as well."""
OF_TUPLES = {"_replace", "_asdict", "_fields", "_make"}
"""Names of named tuples that begin with an underscore and are public all the same."""
BY_NAME = {"setattr", "getattr", "delattr", "hasattr"}
"""Functions, and pytest's of the same names, that take an attribute as text."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Broken:
    """A line that breaks a rule, and the sentence that says how."""

    path: str
    line: int
    rule: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.sentence}"


@dataclass(frozen=True)
class Source:
    """A Python file: its path from the root of the repository, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All of its syntax, in no order that matters."""
        return list(ast.walk(self.tree))

    @property
    def in_package(self) -> bool:
        """Whether it is a part of `bakestone`."""
        return self.path.startswith("generator/bakestone/")

    @property
    def in_cli(self) -> bool:
        """Whether it is a part of the command, which alone prints."""
        return self.path.startswith("generator/bakestone/cli/")

    @property
    def own_names(self) -> set[str]:
        """Private names that are defined somewhere in this file."""
        names: set[str] = set()
        for node in self.nodes:
            if isinstance(node, Function | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names |= {node.attr} if _is_self(node.value) else set()
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
        return names

    @property
    def made_by_libraries(self) -> set[str]:
        """Names of variables that hold what a module of others made."""
        others: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                others |= {(a.asname or a.name).partition(".")[0] for a in node.names}
        made: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                maker = ast.unparse(node.value).partition(".")[0]
                if maker in others - {"bakestone"}:
                    made |= {ast.unparse(target) for target in node.targets}
        return made


Files = Mapping[str, Source]
Rule = Callable[[Files], Iterator[Broken]]


def parameters(files: Files) -> Iterator[Broken]:
    """At most six parameters a function. A command's are its options, and a test's its fixtures."""
    for path, source in files.items():
        for node in source.nodes:
            if not isinstance(node, Function) or _is_called_by_name(node):
                continue
            taken = node.args
            names = [a.arg for a in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            count += bool(taken.vararg) + bool(taken.kwarg)
            if count > PARAMETERS:
                said = f"{node.name} takes {count}, at most {PARAMETERS}: hand over a record"
                yield Broken(path, node.lineno, "parameters", said)


def any_in_public(files: Files) -> Iterator[Broken]:
    """No `Any` in public signatures and in fields of records: a person reads both."""
    for path, source in files.items():
        for node in _public(source.tree) if source.in_package else ():
            if isinstance(node, Function):
                taken = node.args
                every = (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)
                wanted = [a.annotation for a in (*every, taken.vararg, taken.kwarg) if a]
                noted = [*wanted, node.returns]
            else:
                fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
                noted = [f.annotation for f in fields if not _name(f.target).startswith("_")]
            for note in noted:
                if note is not None and "Any" in map(_name, ast.walk(note)):
                    said = f"{node.name} says Any: name the type, or parse at the border"
                    yield Broken(path, _line(note), "any", said)


def class_names(files: Files) -> Iterator[Broken]:
    """One name, one thing in the whole package."""
    first: dict[str, str] = {}
    for path, source in files.items():
        for node in source.tree.body if source.in_package else ():
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                other = first.setdefault(node.name, f"{path}:{node.lineno}")
                if other != f"{path}:{node.lineno}":
                    said = f"{node.name} is another thing in {other}"
                    yield Broken(path, node.lineno, "class-name", said)


def module_aliases(files: Files) -> Iterator[Broken]:
    """Modules are imported by their own names; one that stays in the new name hides nothing
    (`file as lockfile`).
    """
    modules = {_module(path) for path in _all_files(files)}
    for path, source in files.items():
        for node in source.nodes:
            for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
                full = alias.name
                if isinstance(node, ast.ImportFrom):
                    full = f"{node.module}.{alias.name}"
                    if full not in modules:
                        continue
                own = alias.name.rpartition(".")[2]
                if alias.asname and own.strip("_") not in alias.asname:
                    said = f"{full} is called {alias.asname} here: call it {own}"
                    yield Broken(path, _line(node), "module-alias", said)


def printing(files: Files) -> Iterator[Broken]:
    """Only cli/ prints."""
    for path, source in files.items():
        for node in source.nodes if source.in_package and not source.in_cli else ():
            prints = isinstance(node, ast.Call) and _name(node.func) == "print"
            streams = isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr")
            if streams and isinstance(node, ast.Attribute):
                streams = _name(node.value) == "sys"
            if prints or streams:
                said = "only cli/ prints: give a record back, or take a `say`"
                yield Broken(path, _line(node), "printing", said)


def columns(files: Files) -> Iterator[Broken]:
    """100 columns, in bytes. `noqa: E501` stands where a line cannot be broken."""
    for path, source in files.items():
        for number, line in enumerate(source.text.splitlines(), 1):
            length = len(line.encode())
            if length > COLUMNS and "noqa: E501" not in line:
                yield Broken(path, number, "columns", f"{length} bytes, at most {COLUMNS}")


def private_names(files: Files) -> Iterator[Broken]:
    """Nobody calls, imports or replaces a private name of another module."""
    for path, source in files.items():
        own = source.own_names | OF_TUPLES
        for node in source.nodes:
            name = ""
            if isinstance(node, ast.ImportFrom):
                name = next((a.name for a in node.names if _is_private(a.name)), "")
            elif isinstance(node, ast.Attribute) and not _is_self(node.value):
                name = node.attr
            elif isinstance(node, ast.Call) and _name(node.func) in BY_NAME:
                name = next((t for t in map(_text, node.args[:2]) if _is_private(t)), "")
            if _is_private(name) and name not in own:
                said = f"{name} is private to another module: make it public, or use its door"
                yield Broken(path, _line(node), "private-name", said)


def imports_of_tests(files: Files) -> Iterator[Broken]:
    """What two test modules need lies in a module of its own, in tests/support: nobody imports from
    a test module or a conftest. A test of a conftest imports it as a whole.
    """
    for path, source in files.items():
        for node in source.nodes:
            found = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests"):
                modules = (a.name for a in node.names if a.name != "conftest")
                found = [str(node.module), *modules]
            for last in (name.rpartition(".")[2] for name in found):
                if last.startswith("test_") or last == "conftest":
                    said = f"{last} is for tests alone: what others need goes to tests/support"
                    yield Broken(path, _line(node), "test-module", said)


def foreign_fields(files: Files) -> Iterator[Broken]:
    """Nobody assigns to a field of another's record: `dataclasses.replace` makes a new one.

    What a library of others made is set up by its fields (`session.max_redirects`), and what one
    keeps in a private field of one's own is one's own (`self._threads.session`).
    """
    for path, source in files.items():
        free = source.made_by_libraries
        for node in source.nodes if source.in_package else ():
            if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store | ast.Del):
                continue
            whose = ast.unparse(node.value)
            if not _is_self(node.value) and whose not in free and not whose.startswith("self._"):
                said = f"{whose}.{node.attr} is another's: replace the record, or ask it to"
                yield Broken(path, node.lineno, "foreign-field", said)


def docstrings(files: Files) -> Iterator[Broken]:
    """What is public says in its first line what it is."""
    for path, source in files.items():
        for node in (source.tree, *_public(source.tree)) if source.in_package else ():
            name = "the module" if isinstance(node, ast.Module) else node.name
            if not (ast.get_docstring(node) or "").strip() and not name.startswith("__"):
                line = 1 if isinstance(node, ast.Module) else node.lineno
                yield Broken(path, line, "docstring", f"{name} does not say what it is")


def module_names(files: Files) -> Iterator[Broken]:
    """A module's name says what is in it."""
    for path in files:
        for part in PurePosixPath(path).with_suffix("").parts:
            empty = EMPTY_WORDS.intersection(re.split(r"[_-]", part))
            if empty:
                said = f"{part} says nothing: every module could be called {min(empty)!r}"
                yield Broken(path, 1, "module-name", said)


RULES: dict[str, Rule] = {
    "parameters": parameters,
    "any": any_in_public,
    "class-name": class_names,
    "module-alias": module_aliases,
    "printing": printing,
    "columns": columns,
    "private-name": private_names,
    "test-module": imports_of_tests,
    "foreign-field": foreign_fields,
    "docstring": docstrings,
    "module-name": module_names,
}


def read(paths: Iterable[Path]) -> dict[str, Source]:
    """The Python files below the paths, without programs that run inside images."""
    found: dict[str, Source] = {}
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            inside = PurePosixPath(file.resolve().relative_to(ROOT).as_posix())
            if not {"programs", "examples"}.intersection(inside.parts[:-1]):
                found[str(inside)] = Source(str(inside), file.read_text("utf-8"))
    return found


def check(texts: Mapping[str, str], rule: str) -> list[Broken]:
    """What breaks one rule in files given as texts."""
    return sorted(RULES[rule]({path: Source(path, text) for path, text in texts.items()}))


def main(arguments: list[str]) -> int:
    """Print the findings and a count of them a folder and rule."""
    files = read([Path(a) for a in arguments] or [ROOT / folder for folder in FOLDERS])
    found = sorted(broken for rule in RULES.values() for broken in rule(files))
    counts = sorted(Counter((_folder(b.path), b.rule) for b in found).items())
    lines = [*map(str, found), *(f"{n:5} {folder}: {rule}" for (folder, rule), n in counts)]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 1 if found else 0


def _folder(path: str) -> str:
    parts = PurePosixPath(path).parts
    return "/".join(parts[1:-1][:3] if parts[0] == "generator" else parts[:-1][:4])


def _module(path: str) -> str:
    return path.removeprefix("generator/").removesuffix(".py").replace("/", ".")


def _all_files(files: Files) -> set[str]:
    """The files that are looked at and all others of the repository: either may be imported."""
    there = (p.relative_to(ROOT) for f in FOLDERS for p in (ROOT / f).rglob("*.py"))
    return {*files, *(p.as_posix() for p in there)}


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Public functions and classes, and what is public in those classes."""
    for node in tree.body:
        if not isinstance(node, Function | ast.ClassDef):
            continue
        if _is_private(node.name) or "overload" in map(_name, node.decorator_list):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from _public(node)


def _is_called_by_name(node: Function) -> bool:
    """Whether click or pytest calls it, each parameter by its name."""
    made_by = {_name(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list}
    return node.name.startswith("test_") or bool(made_by & {"command", "group"})


def _is_private(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.startswith("_") and not last.startswith("__") and last != "_"


def _is_self(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return _name(node.func) == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _name(node: ast.AST) -> str:
    """The last word of a name: `echo` of `click.echo`; of a note in quotes, the text."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else _text(node)


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
