"""Values in a YAML file replaced in place: comments, layout, quotes and line ends stay as they are."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.yaml import Document, Path_
from bakestone.errors import BakestoneError, fail

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def replaced(text: str, name: str, changes: Mapping[Path_, str]) -> str:
    """The text of a YAML file in which the values at some paths are others.

    What is read from it differs from before in those values only; raises `BakestoneError` when the
    file is written in a form in which that is not so (a value shared by an alias, one that is
    spread over several lines).
    """
    document = yamldoc.parse(text, name)
    nodes = dict(_scalars(yaml.compose(text, _Loader), ()))
    spots = {}
    for path, new in changes.items():
        node = nodes[path]
        start, end = node.start_mark.index, node.end_mark.index
        spots[start] = (end, _scalar(text[start:end], node.value, new, plain=not node.style))
    out = text
    for start in sorted(spots, reverse=True):
        end, new = spots[start]
        out = out[:start] + new + out[end:]
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
    return (
        isinstance(node, yaml.ScalarNode)
        and node.tag == "tag:yaml.org,2002:str"
        and node.value == value
    )


def _expected(document: Document, changes: Mapping[Path_, str]) -> Any:
    data = copy.deepcopy(
        document.data
    )  # what is behind an alias was converted once for each use, so nothing is shared
    for path, new in changes.items():
        inner = data
        for part in path[:-1]:
            inner = inner[part]
        inner[path[-1]] = new
    return data


def _by_hand(document: Document, changes: Mapping[Path_, str]) -> BakestoneError:
    first = next(iter(changes))
    shared = [
        path
        for path in document.values
        if path not in changes and document.values[path] in {document.values[p] for p in changes}
    ]
    if shared:
        where = ".".join(map(str, shared[0]))
        return fail(
            f"this value is shared: {where} is an alias of it",
            "write the value out there, or edit both by hand",
            where=document.position(first),
        )
    return fail(
        "this value is written in a form that cannot be edited with certainty",
        f"edit it by hand: {changes[first]}",
        where=document.position(first),
    )
