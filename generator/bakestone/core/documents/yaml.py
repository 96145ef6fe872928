"""YAML with a source position for every node, and without YAML's dangers.

Only plain data passes: no tags, bounded size, bounded depth, and aliases that
cannot multiply (a "billion laughs" file is refused before it is expanded).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from bakestone.errors import BakestoneError, Finding, Position, fail, read_text

MAX_BYTES = 2_000_000
"""Largest file read; the thousand-variant benchmark's matrix is under 10 kB, a lock of 1,000 bases
under 1 MB.
"""
MAX_NODES = 500_000
"""Most nodes after aliases are expanded."""
MAX_DEPTH = 40

Json = dict[str, Any]
"""A mapping as a file has it: which keys it has, and what they hold, its schema says."""
Path_ = tuple["str | int", ...]
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{kind}"
    for kind in ("str", "int", "float", "bool", "null", "seq", "map", "timestamp")
}
_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_FIELDS = re.compile(r"[\s\[,](\{\w+\}[^\s,\[\]'\":]+)\s*(?:[,\]#]|$)")
"""A text that begins with a field in braces, which YAML takes for a mapping with more behind it."""
_DIGITS = 60
"""Most characters of a number: in base 60 (`1:0:0`) the time for one grows with their square."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Document:
    """A loaded YAML file: plain `data`, and where each value and key stands."""

    path: str
    data: Json
    lines: list[str] = field(repr=False)
    values: dict[Path_, tuple[int, int, int]] = field(default_factory=dict, repr=False)
    keys: dict[Path_, tuple[int, int, int]] = field(default_factory=dict, repr=False)
    raw: dict[Path_, str] = field(default_factory=dict, repr=False)

    def position(self, path: Path_ = (), *, key: bool = False) -> Position:
        """Where the value at `path` stands (or its key); the nearest known parent if it has no
        place.
        """
        place = (self.keys if key else self.values).get(path)
        while place is None and path:
            path = path[:-1]
            place = self.values.get(path)
        return self.at(*(place or (1, 1, 1)))

    def at(self, line: int, column: int, width: int = 1) -> Position:
        """A place in the file."""
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Position(self.path, line, column, text, width)


def load(
    path: Path, what: str, *, hint: str = "", limit: int = MAX_BYTES, within: Path | None = None
) -> Document:
    """Read a YAML file, which must lie below `within` where that is given.

    Raises `BakestoneError` with positions for everything that is not plain data.
    """
    return parse(read_text(path, what, limit=limit, hint=hint, within=within), _shown(path), what)


def _shown(path: Path) -> str:
    """A file as a person calls it: from the folder that the command runs in, where it is below."""
    try:
        return str(path.relative_to(Path.cwd()) if path.is_absolute() else path)
    except (ValueError, OSError):
        return str(path)


def parse(text: str, name: str, what: str = "file") -> Document:
    """Like `load`, from a string; `name` is used in messages."""
    document = Document(name, {}, text.splitlines())
    _check_characters(document, text)
    _check_conflict(document)
    try:
        _check_depth(document, text)
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = _marked(document, mark) if mark else None
        why = f"not valid YAML: {problem.problem or problem.context or 'not valid YAML'}"
        tabs = where and "\t" in where.text[: where.column]
        hint = "indent with spaces" if tabs else "check quotes, colons and indentation"
        if fields := _FIELDS.search(where.text if where else ""):
            hint = f'write it in quotes: "{fields[1]}"'
        raise fail(why, hint, where=where, name=name) from problem
    except yaml.YAMLError as problem:
        why = f"not valid YAML: {str(problem).splitlines()[0]}"
        raise fail(why, "remove control characters", name=name) from problem
    if node is None:
        hint = "`bakestone init` in an empty folder shows a first one"
        raise fail(f"{what} is empty", hint, where=document.position(), name=name)
    return replace(document, data=_Converter(document).run(node))


def fast(path: Path) -> Json:
    """Load a data file that is part of Bakestone or was checked before: no positions, still only
    plain data.
    """
    return fast_text(path.read_bytes())


def fast_text(text: str | bytes) -> Json:
    """Like `fast`, from a text."""
    loaded: Json = yaml.load(text, _Loader)  # noqa: S506
    return loaded


def _check_characters(document: Document, text: str) -> None:
    """Control characters are refused before the parser, which would not say where they are."""
    found = _CONTROL.search(text)
    if found:
        before, shown = text[: found.start()].split("\n"), text.split("\n")
        line, column = len(before), len(before[-1]) + 1
        where = Position(document.path, line, column, shown[line - 1].rstrip("\r"))
        hint = "remove it; was the file saved as text, in UTF-8?"
        raise fail(f"a control character (0x{ord(found[0]):02x}) is not allowed", hint, where=where)


def _check_conflict(document: Document) -> None:
    """Marks that git left at a line's begin; the parser would blame quotes or colons near them."""
    marks = ("<<<<<<< ", ">>>>>>> ")
    for number, line in enumerate(document.lines, 1):
        if line.startswith(marks):
            why = "a merge conflict was left here"
            hint = (
                "keep one side and take the marks out; of a lock take either side whole"
                " (`git checkout --ours FILE`), then run `bakestone lock`"
            )
            raise fail(why, hint, where=document.at(number, 1, 7))


def _check_depth(document: Document, text: str) -> None:
    """Endless nesting is refused while it is read: composing recurses, and the stack has an end."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                where = _marked(document, event.start_mark)
                raise fail(f"more than {MAX_DEPTH} levels", "write it flatter", where=where)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _marked(document: Document, mark: Any) -> Position:
    """A place as the parser says it, which may be behind the last line."""
    return document.at(min(mark.line + 1, max(1, len(document.lines))), mark.column + 1)


class _Converter:
    """Nodes as plain data, with their places noted in the document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.constructor: Any = _Loader("")
        self.findings: list[Finding] = []
        self.nodes = 0

    def run(self, node: Any) -> Any:
        data = self.convert(node, (), 0)
        if self.findings:
            raise BakestoneError(self.findings)
        return data

    def place(self, node: Any) -> tuple[int, int, int]:
        start, end = node.start_mark, node.end_mark
        last = end.column if end.line == start.line else len(self.document.lines[start.line])
        return start.line + 1, start.column + 1, max(1, last - start.column)

    def report(self, node: Any, message: str, hint: str) -> None:
        self.findings.append(Finding(message, hint, self.document.at(*self.place(node))))

    def plain(self, node: Any) -> bool:
        """Whether a node has none but a plain tag; reported when it has another."""
        if node.tag not in _PLAIN_TAGS:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            hint = "only plain values are read: text, lists and mappings"
            self.report(node, f"the tag {tag} is not allowed", hint)
        return node.tag in _PLAIN_TAGS

    def convert(self, node: Any, path: Path_, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            most = f"more than {MAX_NODES} values or {MAX_DEPTH} levels"
            hint = "write the values out instead of nesting aliases"
            self.report(node, f"{most} once aliases (*name) are expanded", hint)
            raise BakestoneError(self.findings)
        self.document.values[path] = self.place(node)
        if not self.plain(node):
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            children = enumerate(node.value)
            return [self.convert(child, (*path, index), depth + 1) for index, child in children]
        self.document.raw[path] = node.value
        if node.tag in _NUMBERS and len(node.value) > _DIGITS:
            self.report(node, f"a number of {len(node.value)} characters", "put text in quotes")
            return None
        try:
            return self.constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError):
            # `!!bool x`
            self.report(node, f"cannot read {node.value!r}", "put the value in quotes")
            return None

    def mapping(self, node: Any, path: Path_, depth: int) -> Json:
        out: Json = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                self.report(key_node, "a key must be plain text", "write `key: value`")
            elif key_node.tag == "tag:yaml.org,2002:merge":
                self.report(key_node, "merge keys (<<) are not allowed", "write the values out")
            elif not self.plain(key_node):
                continue
            elif key in out:
                first = self.document.keys[(*path, key)][0]
                why = f"the key {key!r} is there twice (first on line {first})"
                self.report(key_node, why, "remove one of them")
            else:
                self.document.keys[(*path, key)] = self.place(key_node)
                out[key] = self.convert(value_node, (*path, key), depth + 1)
        return out
