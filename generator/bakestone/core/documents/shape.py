"""Whether data follows one of our schemas: yes or no, in no time.

jsonschema says what is wrong and where, and takes many times as long to import and to run: it is
asked only about what this refuses. Both understand the same (tests compare them, with values
changed at random); a keyword that this does not know is an error, never a yes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Any

from bakestone.core.documents.patterns import understood
from bakestone.core.documents.yaml import Json

Check = Callable[[Any], bool]
_TYPES: dict[str, Check] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,  # 1.0 is no integer: it is written as it is read
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_ABOUT = {
    *("$schema", "$id", "$defs", "title", "description", "default", "then", "else"),
    *("x-hint", "x-line", "x-otherwise", "x-private", "x-unit"),
}
"""Keywords that ask for nothing themselves."""


class Shape:
    """A schema as a check of whole values. Its parts are made ready when data first asks for them.

    `root` is the schema whose `$defs` are referred to.
    """

    def __init__(self, schema: Json | bool, root: Shape | None = None) -> None:
        self.schema = schema
        self.root = root or self
        self._defined: dict[str, Shape] = {}

    def fits(self, value: object) -> bool:
        """Whether a value follows it."""
        return all(check(value) for check in self._checks)

    def of(self, schema: Json | bool) -> Shape:
        """A part of it."""
        return Shape(schema, self.root)

    def defined(self, name: str) -> Shape:
        """One of its `$defs`."""
        if name not in self._defined:
            definitions = self.schema["$defs"] if isinstance(self.schema, dict) else {}
            self._defined[name] = self.of(definitions[name])
        return self._defined[name]

    @cached_property
    def _checks(self) -> tuple[Check, ...]:
        if isinstance(self.schema, bool):
            answer = self.schema
            return (lambda _: answer,)
        return tuple(
            _KEYWORDS[name](self, wanted, self.schema)
            for name, wanted in self.schema.items()
            if name not in _ABOUT
        )


def _type(_shape: Shape, wanted: Any, _schema: Json) -> Check:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    checks = [_TYPES[kind] for kind in kinds]
    return checks[0] if len(checks) == 1 else lambda value: any(one(value) for one in checks)


def _reference(shape: Shape, wanted: str, _schema: Json) -> Check:
    begin, _, name = wanted.rpartition("/")
    if begin != "#/$defs":
        raise NotImplementedError(f"a reference to {wanted}")
    return shape.root.defined(name).fits


def anchored(pattern: str) -> re.Pattern[str]:
    """A `pattern` of a schema: `$` is the very end there, not also before a last line break."""
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", pattern))


def _pattern(_shape: Shape, wanted: str, _schema: Json) -> Check:
    found = anchored(wanted).search
    return lambda value: not isinstance(value, str) or bool(found(value))


def _format(_shape: Shape, wanted: str, _schema: Json) -> Check:
    if wanted == "slot-pattern":
        return lambda value: not isinstance(value, str) or understood(value)
    reader = {"date-time": datetime.fromisoformat, "date": date.fromisoformat}[wanted]

    def there_is(value: Any) -> bool:
        try:
            return not isinstance(value, str) or bool(reader(value))
        except ValueError:
            return False

    return there_is


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are one: as in JSON a truth value is no number."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def one_of_a_kind(value: object) -> object:
    """The same for values that are `_alike`, and for no others: to find doubles in one pass."""
    if isinstance(value, dict):
        return "object", frozenset((key, one_of_a_kind(one)) for key, one in value.items())
    if isinstance(value, list):
        return "array", tuple(map(one_of_a_kind, value))
    return isinstance(value, bool), value


def _enum(_shape: Shape, wanted: list[Any], _schema: Json) -> Check:
    if all(isinstance(one, str) for one in wanted):
        return lambda value: isinstance(value, str) and value in wanted
    return lambda value: any(_alike(value, one) for one in wanted)


def _properties(shape: Shape, wanted: Mapping[str, Json], _schema: Json) -> Check:
    parts = {key: shape.of(part) for key, part in wanted.items()}
    return lambda value: (
        not isinstance(value, dict)
        or all(key not in parts or parts[key].fits(one) for key, one in value.items())
    )


def _additional(shape: Shape, wanted: Json | bool, schema: Json) -> Check:
    known, part = schema.get("properties", {}), shape.of(wanted)
    return lambda value: (
        not isinstance(value, dict)
        or all(key in known or part.fits(one) for key, one in value.items())
    )


def _names(shape: Shape, wanted: Json, _schema: Json) -> Check:
    part = shape.of(wanted)
    return lambda value: not isinstance(value, dict) or all(map(part.fits, value))


def _required(_shape: Shape, wanted: list[str], _schema: Json) -> Check:
    return lambda value: not isinstance(value, dict) or all(key in value for key in wanted)


def _dependent(_shape: Shape, wanted: Mapping[str, list[str]], _schema: Json) -> Check:
    return lambda value: (
        not isinstance(value, dict)
        or all(one in value for key, needed in wanted.items() if key in value for one in needed)
    )


def _items(shape: Shape, wanted: Json, _schema: Json) -> Check:
    part = shape.of(wanted)
    return lambda value: not isinstance(value, list) or all(map(part.fits, value))


def _unique(_shape: Shape, wanted: bool, _schema: Json) -> Check:
    def once(value: Any) -> bool:
        if not wanted or not isinstance(value, list):
            return True
        return len(set(map(one_of_a_kind, value))) == len(value)

    return once


def _limit(kind: type | tuple[type, ...], holds: Callable[[Any, Any], bool]) -> _Keyword:
    """A keyword that compares with a number."""

    def limited(_shape: Shape, wanted: Any, _schema: Json) -> Check:
        return lambda value: (
            not isinstance(value, kind) or isinstance(value, bool) or holds(value, wanted)
        )

    return limited


def _all_of(shape: Shape, wanted: list[Json], _schema: Json) -> Check:
    parts = [shape.of(one) for one in wanted]
    return lambda value: all(part.fits(value) for part in parts)


def _any_of(shape: Shape, wanted: list[Json], _schema: Json) -> Check:
    parts = [shape.of(one) for one in wanted]
    return lambda value: any(part.fits(value) for part in parts)


def _one_of(shape: Shape, wanted: list[Json], _schema: Json) -> Check:
    parts = [shape.of(one) for one in wanted]
    return lambda value: sum(part.fits(value) for part in parts) == 1


def _not(shape: Shape, wanted: Json, _schema: Json) -> Check:
    part = shape.of(wanted)
    return lambda value: not part.fits(value)


def _if(shape: Shape, wanted: Json, schema: Json) -> Check:
    asked = shape.of(wanted)
    then, otherwise = (shape.of(schema.get(key, True)) for key in ("then", "else"))
    return lambda value: (then if asked.fits(value) else otherwise).fits(value)


_Keyword = Callable[[Shape, Any, Json], Check]
_KEYWORDS: dict[str, _Keyword] = {
    "$ref": _reference,
    "type": _type,
    "pattern": _pattern,
    "format": _format,
    "enum": _enum,
    "const": lambda shape, wanted, schema: _enum(shape, [wanted], schema),
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "required": _required,
    "dependentRequired": _dependent,
    "items": _items,
    "uniqueItems": _unique,
    "minLength": _limit(str, lambda value, wanted: len(value) >= wanted),
    "maxLength": _limit(str, lambda value, wanted: len(value) <= wanted),
    "minItems": _limit(list, lambda value, wanted: len(value) >= wanted),
    "maxItems": _limit(list, lambda value, wanted: len(value) <= wanted),
    "minProperties": _limit(dict, lambda value, wanted: len(value) >= wanted),
    "maxProperties": _limit(dict, lambda value, wanted: len(value) <= wanted),
    "minimum": _limit((int, float), lambda value, wanted: value >= wanted),
    "maximum": _limit((int, float), lambda value, wanted: value <= wanted),
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
}
"""Keyword of JSON Schema (draft 2020-12) -> the check that it makes of what stands behind it."""
