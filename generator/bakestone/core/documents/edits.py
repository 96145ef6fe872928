"""A file that people edit, and values in it replaced in place: comments, layout, quotes and line
ends stay as they are.

It is read with its exact bytes, and replaced only when nobody else changed it meanwhile.
"""

from __future__ import annotations

import codecs
import copy
import operator
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.yaml import Document, Path_
from bakestone.errors import BakestoneError, fail, read_text
from bakestone.files import alone, write_text

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Handwritten:
    """`text` is without the byte order mark that some editors write;

    `mark` says that there was one.
    """

    path: Path
    text: str
    mark: bool


def read(path: Path, what: str, *, hint: str = "") -> Handwritten:
    """Read a file of UTF-8 text.

    Raises `BakestoneError` when it is missing, too large or not UTF-8.
    """
    text = read_text(path, what, limit=yamldoc.MAX_BYTES, hint=hint)
    with path.open("rb") as stream:
        return Handwritten(path, text, stream.read(3) == codecs.BOM_UTF8)


def replace(before: Handwritten, text: str) -> None:
    """Write the new text in one step: the file's rights, its byte order mark and a link to it stay.

    Raises `BakestoneError`, and leaves the file as it is, when it is no longer what was read.
    """
    real = before.path.resolve()
    mark = "\ufeff" if before.mark else ""
    with alone(real.parent):
        now = real.read_bytes() if real.is_file() else None
        if now != (mark + before.text).encode():
            why = "the file was changed by someone else meanwhile; nothing was written"
            raise fail(why, "run the command again", name=str(before.path))
        write_text(real, mark + text, mode=stat.S_IMODE(real.stat().st_mode))


def replaced(text: str, name: str, changes: Mapping[Path_, str]) -> str:
    """The text of a YAML file in which the values at some paths are others.

    What is read from it differs from before in those values only; raises `BakestoneError` when the
    file is written in a form in which that is not so (a value shared by an alias, one that is
    spread over several lines).
    """
    document = yamldoc.parse(text, name)
    nodes = dict(_scalars(yaml.compose(text, _Loader), ()))
    # an alias and its anchor are one place
    places = {nodes[path].start_mark.index: (nodes[path], new) for path, new in changes.items()}
    out = text
    for start in sorted(places, reverse=True):
        node, new = places[start]
        end = node.end_mark.index
        written = _scalar(text[start:end], node.value, new, plain=not node.style)
        out = out[:start] + written + out[end:]
    try:
        after = yamldoc.parse(out, name).data
    except BakestoneError:
        after = None
    if after != _expected(document, changes):
        raise _by_hand(document, changes)
    return out


def _scalars(node: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    """Every single value and where it is; one behind an alias is there once for each use."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _scalars(value, (*path, index))
    else:
        yield path, node


def _scalar(source: str, old: str, new: str, *, plain: bool) -> str:
    """A value as it stands in the file, with its tag, anchor and quotes, made another one."""
    head, found, tail = source.rpartition(old)
    if not found:
        # written with escapes or over several lines: `replaced` sees that nothing changed
        return source
    if plain and not _is_text(new):
        return f'{head}"{new}"{tail}'  # 2.54 without quotes would be a number
    return f"{head}{new}{tail}"


def _is_text(value: str) -> bool:
    node = yaml.compose(value, _Loader)
    text = ("tag:yaml.org,2002:str", value)
    return isinstance(node, yaml.ScalarNode) and (node.tag, node.value) == text


def _expected(document: Document, changes: Mapping[Path_, str]) -> Any:
    # what is behind an alias was converted once for each use, so nothing is shared
    data: Any = copy.deepcopy(document.data)
    for path, new in changes.items():
        reduce(operator.getitem, path[:-1], data)[path[-1]] = new
    return data


def _by_hand(document: Document, changes: Mapping[Path_, str]) -> BakestoneError:
    where = document.position(next(iter(changes)))
    changed = {document.values[path] for path in changes}
    for path, place in document.values.items():
        if path not in changes and place in changed:
            why = f"this value is shared: {'.'.join(map(str, path))} is an alias of it"
            return fail(why, "write the value out there, or edit both by hand", where=where)
    why = "this value is written in a form that cannot be edited with certainty"
    return fail(why, f"edit it by hand: {next(iter(changes.values()))}", where=where)
