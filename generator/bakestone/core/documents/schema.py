"""Check documents against the JSON Schemas in schemas/, with messages for people.

`shape` lets through what is right. Of the rest jsonschema finds what is wrong; this module says it
with a position, in the words of the file, and with a hint (a near miss, the quoted form of a
number).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakestone.core.documents.patterns import understood
from bakestone.core.documents.shape import Shape, anchored, one_of_a_kind
from bakestone.core.documents.suggest import near
from bakestone.core.documents.yaml import Document, Json, Path_
from bakestone.errors import USAGE, BakestoneError, Finding, Position, fail

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_PACKAGE = Path(__file__).parents[2]


def text(name: str) -> str:
    """The file of the schema `name`."""
    for folder in (_PACKAGE / "schemas", _PACKAGE.parent.parent / "schemas"):
        path = folder / f"{name}.schema.json"
        if path.is_file():
            return path.read_text("utf-8")
    raise FileNotFoundError(f"schemas/{name}.schema.json is not installed with bakestone")


@cache
def schema(name: str) -> Json:
    """The schema `name` ("images", "lock", ...) as plain data."""
    loaded: Json = json.loads(text(name))
    return loaded


@cache
def _shape(name: str) -> Shape:
    return Shape(schema(name))


@cache
def validator(name: str) -> Validator:
    """jsonschema's for the schema `name`, with our keywords."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    keywords = {"pattern": _pattern, "format": _format, "uniqueItems": _unique}
    # 1.0 is no integer: it would be written as it is read
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, n: type(n) is int)
    usual = Draft202012Validator
    extended = extend(usual, keywords, type_checker=types)  # type: ignore[no-untyped-call]
    made: Validator = extended(schema(name))
    return made


class NewerFormatError(BakestoneError):
    """A file of a format that a later Bakestone writes: nothing of it is understood, and it is
    never written over.
    """


def check(document: Document, name: str) -> None:
    """Raise `BakestoneError` with every place where `document` does not follow a schema;
    `NewerFormatError` when it is of a later format.
    """
    findings = list(findings_of(document, name))
    if findings:
        raise BakestoneError(findings)


def check_value(value: str, name: str, definition: str, what: str) -> None:
    """Raise `BakestoneError` (wrong usage) when a value of the command line is not as `definition`
    in the schema says.
    """
    if not fits(value, name, definition):
        rule = schema(name)["$defs"][definition]
        shown = '"***"' if "@" in value else _show(value) + _offender(value)  # a login, it seems
        raise fail(f"{what} cannot be {shown}", rule["x-hint"], code=USAGE)


def fits(value: str, name: str, definition: str) -> bool:
    """Whether a text is as `definition` in a schema says."""
    rule = schema(name)["$defs"][definition]
    taken = rule.get("not", {}).get("pattern")
    return (
        len(value) <= rule["maxLength"]
        and bool(re.fullmatch(rule["pattern"], value))
        and not (taken and re.search(taken, value))
    )


def findings_of(document: Document, name: str) -> Iterator[Finding]:
    """The findings of `check`, without raising: the first `MOST`, and that there are more.

    Raises `NewerFormatError` when the file's `version` is above the schema's.
    """
    found = _findings_of(document, name)
    yield from islice(found, MOST)
    if next(found, None) is not None:
        yield Finding(f"there are more than these {MOST}", "mend these first")


def _findings_of(document: Document, name: str) -> Iterator[Finding]:
    """Every one of them.

    Of a part that is `x-private`, where somebody may have written a secret, neither a value nor its
    line is shown. Raises `NewerFormatError` when the file's `version` is above the schema's.
    """
    _check_format(document, name)
    if _shape(name).fits(document.data):
        return
    errors = validator(name).iter_errors(document.data)
    about = schema(name).get("properties", {})
    seen: set[tuple[str, str]] = set()
    for error in sorted(errors, key=lambda error: _order(document, error)):
        part = next(iter(error.absolute_path), None)
        private = bool(about.get(part, {}).get("x-private"))
        for message, hint, where in _explain(document, error, private=private):
            if (str(where), message) not in seen:
                seen.add((str(where), message))
                yield Finding(message, hint, replace(where, text="") if private else where)


def _check_format(document: Document, name: str) -> None:
    data = document.data
    about = schema(name).get("properties", {}).get("version", {})
    known = max(about.get("enum", ()), default=about.get("const"))
    said = data.get("version") if isinstance(data, dict) else None
    if type(known) is int and type(said) is int and said > known:
        why = f"it was made by a newer bakestone: its format is {said}, and this one knows {known}"
        hint = "upgrade bakestone; the file is left as it is"
        raise NewerFormatError([Finding(why, hint, document.position(("version",)))])


def _format(_validator: Any, name: str, value: Any, _schema: Any) -> Iterator[Any]:
    """The keyword `format`: for `date-time` and `date`, in the forms of ISO 8601 (a pattern lets
    the 30th of February pass), and for our `slot-pattern`.
    """
    from jsonschema import ValidationError

    reader = {"date-time": datetime, "date": date}.get(name)
    if name == "slot-pattern" and isinstance(value, str) and not understood(value):
        yield ValidationError("no range")
    if reader and isinstance(value, str):
        try:
            reader.fromisoformat(value)
        except ValueError:
            yield ValidationError(f"there is no such {name}")


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    """The keyword `pattern`, with `$` as in JSON Schema."""
    from jsonschema import ValidationError

    if isinstance(value, str) and not anchored(pattern).search(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _unique(_validator: Any, wanted: bool, value: Any, _schema: Any) -> Iterator[Any]:
    """The keyword `uniqueItems`, in one pass."""
    from jsonschema import ValidationError

    if wanted and isinstance(value, list) and len(set(map(one_of_a_kind, value))) < len(value):
        yield ValidationError("doubles")


def _order(document: Document, error: Any) -> tuple[int, int]:
    where = document.position(tuple(error.absolute_path))
    return where.line, where.column


def _explain(
    document: Document, error: Any, *, private: bool
) -> Iterator[tuple[str, str, Position]]:
    """Message, hint and place of everything that one error of jsonschema means."""
    path = tuple(error.absolute_path)
    value, rule, wanted = error.instance, error.validator, error.validator_value
    about = error.schema if isinstance(error.schema, dict) else {}
    hint = about.get("x-hint", "")
    here = document.position(path)
    what = _name(path)
    inside = f" in {what}" if path else ""
    cannot = f"{what} cannot be {_show(value)}"
    if rule == "additionalProperties":
        known = list(about.get("properties", {}))
        for key in value:
            if key not in known:
                shown = "" if private else f" {key!r}"
                otherwise = about.get("x-otherwise", {}).get(key)
                everything = f"known here: {', '.join(known)}"
                near_miss = otherwise or near(key, known, everything, cutoff=_KEYS)
                place = document.position((*path, key), key=True)
                yield f"unknown key{shown}{inside}", near_miss, place
    elif private:
        yield f"{what} is not written as it must be", hint or about.get("description", ""), here
    elif "propertyNames" in error.absolute_schema_path:
        place = document.position((*path, str(value)), key=True)
        yield f"{_show(value)} is not a name that can be used here", hint, place
    elif rule == "required":
        for key in wanted:
            if key not in value:
                described = _description(about.get("properties", {}).get(key, {}))
                yield f"the key {key!r} is missing{inside}", described, here
    elif rule == "type":
        message, general = _wrong_type(document, path, wanted, value, about)
        if general == INDENTATION and hint:
            general = hint
        in_unit = f"write its unit: {value}{about.get('x-unit')}; {hint}"
        yield message, in_unit if type(value) is int and "x-unit" in about else general, here
    elif rule == "pattern" and "x-line" in about:
        number, text = _wrong_line(value, wanted)
        place = document.at(here.line + number, 1, max(1, len(text)))
        # a text in quotes has no lines of its own
        place = place if place.text.strip() == text.strip() else here
        yield f"{_show(text)} is not {about['x-line']}", hint, place
    elif rule == "pattern":
        yield f"{cannot}{_offender(value)}", hint or f"it must match {wanted}", here
    elif rule == "format":
        if re.fullmatch(about.get("pattern", ".*"), value):  # else told already
            missing = {"date": "there is no such day", "date-time": "there is no such time"}
            why = missing.get(wanted, "what begins as a range is none")
            yield f"{cannot}: {why}", hint, here
    elif rule in ("enum", "const"):
        allowed = wanted if rule == "enum" else [wanted]
        yield cannot, near(str(value), allowed, f"one of: {', '.join(map(str, allowed))}"), here
    elif rule == "not":
        yield cannot, hint, here
    elif rule == "uniqueItems":
        first: dict[object, int] = {}
        for index, item in enumerate(value):
            before = first.setdefault(one_of_a_kind(item), index)
            if before != index:
                line = document.position((*path, before)).line
                twice = f"{_show(item)} is there twice{inside} (first on line {line})"
                yield twice, "remove one of them", document.position((*path, index))
    elif rule == "maxLength":
        yield f"{what} is too long: {len(value)} characters", f"at most {wanted}", here
    elif rule in ("minItems", "minProperties"):
        yield f"{what} has too few entries", hint or about.get("description", ""), here
    else:
        yield f"{what}: {error.message}", hint, here


_BARE = re.compile(r"(?!(?i:true|false|yes|no|on|off|null)$)-{0,2}[A-Za-z/.][A-Za-z0-9/._@=+-]*")
"""A word that needs no quotes in a list."""
MOST = 100
"""Findings of one file that are told: nobody mends more at a time."""
_KEYS = 0.7
"""How near a key must be to be the one that was meant: `exclud`, but not `volumes` for `roles`."""


def _wrong_line(text: str, pattern: str) -> tuple[int, str]:
    """The number, from 1 on, and the text of the first line of a block that its pattern, which
    says what its lines are, does not take.
    """
    whole = anchored(pattern)
    for number, line in enumerate(text.split("\n"), 1):
        if not whole.search(f"{line}\n"):
            return number, line
    return text.count("\n") + 1, text.rpartition("\n")[2]


def _description(about: Json) -> str:
    """What a key is for, as its schema says it or the definition of images.json behind `$ref`."""
    definition = schema("images")["$defs"].get(about.get("$ref", "").rsplit("/", 1)[-1], {})
    return str(about.get("description") or definition.get("description", ""))


INDENTATION = "look at the indentation of this line and the next"
"""What to do about a value of another kind, where nothing better is known."""
_KINDS = {type(None): "empty", bool: "a truth value", date: "a date", datetime: "a date"}
"""How YAML reads a plain value that should have been text; a number when it is none of these."""
_TYPES = {
    "object": "a mapping (key: value)",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


def _wrong_type(
    document: Document, path: Path_, wanted: Any, value: Any, about: Json
) -> tuple[str, str]:
    """Message and hint; `about` is the schema of what is there."""
    kinds = [wanted] if isinstance(wanted, str) else wanted
    must = f"{_name(path)} must be {' or '.join(_TYPES.get(kind, kind) for kind in kinds)}"
    if wanted == "string" and not isinstance(value, (list, dict)):
        raw = document.raw.get(path, "")
        kind = _KINDS.get(type(value), "a number")
        if value is None:
            empty = "write none, which leaves the slot empty, or " if "axes" in path else "write "
            return f"{must}, and {raw or 'this'} is empty in YAML", f"{empty}a text in quotes"
        takes = re.search(about.get("pattern", ""), raw)  # or the quotes would not be enough
        quotes = f'write it in quotes: "{raw}"' if takes else about.get("x-hint", "")
        return f"{must}, and {raw or 'this'} is {kind} in YAML", quotes
    if value is None and "axes" in path:
        raw = document.raw.get(path, "") or "this"
        empty = "write [none], which leaves the slot empty, or take the axis out"
        return f"{must}, and {raw} is empty in YAML", empty
    if wanted == "array" and not isinstance(value, dict):
        return must, _as_list(document.raw.get(path, ""), value, about)
    if "axes" in path and isinstance(value, list):  # nothing there but `with` is a list
        return must, near(_name(path), ["with"], INDENTATION)
    return must, INDENTATION


def _as_list(raw: str, value: Any, about: Json) -> str:
    """What one value is as a list: word by word where the words are texts."""
    items = about.get("items", {})
    if "$ref" in items or items.get("type") == "object":
        return str(about.get("x-hint") or about.get("description", ""))
    if value is None:
        return "write it as a list; [] is an empty one"
    if items.get("type", "string") != "string":
        return f"write it as a list: [{raw or value}]"
    try:
        words = shlex.split(value) if isinstance(value, str) else [raw]
        if len(words) == 1:  # `a,b`, as some tools take it
            words = [word for word in words[0].split(",") if word]
    except ValueError:
        words = [raw]
    shown = [w if _BARE.fullmatch(w) else json.dumps(w, ensure_ascii=False) for w in words]
    return f"write it as a list: [{', '.join(shown)}]"


def _name(path: Path_) -> str:
    words = [part for part in path if isinstance(part, str)]
    return words[-1] if words else "the file"


def _show(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=True, default=str)
    except ValueError:  # Python writes no number of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."


_OFFENDERS = {
    "\n": "a line break",
    "$": "a dollar sign",
    '"': "a quote",
    "'": "a quote",
    "`": "a backtick",
    "\\": "a backslash",
    " ": "a space",
    ";": "a semicolon",
    "..": "two dots in a row",
}


def _offender(value: str) -> str:
    """Which character is to blame, where that can be said plainly."""
    names = (name for text, name in _OFFENDERS.items() if text in value)
    return next((f": it contains {name}" for name in names), "")
