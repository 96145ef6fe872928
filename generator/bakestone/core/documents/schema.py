"""Check documents against the JSON Schemas in schemas/, with messages for people.

jsonschema finds what is wrong; this module says it with a position, in the
words of the file, and with a hint (a near miss, the quoted form of a number).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from bakestone.core.documents.suggest import near
from bakestone.core.documents.yaml import Document, Json, Path_
from bakestone.errors import USAGE, BakestoneError, Finding, fail

_PACKAGE = Path(__file__).parents[2]


@cache
def schema(name: str) -> Json:
    """The schema `name` ("images", "lock", ...) as plain data."""
    for folder in (_PACKAGE / "schemas", _PACKAGE.parent.parent / "schemas"):
        path = folder / f"{name}.schema.json"
        if path.is_file():
            loaded: Json = json.loads(path.read_text("utf-8"))
            return loaded
    raise FileNotFoundError(f"schemas/{name}.schema.json is not installed with bakestone")


def check(document: Document, name: str) -> None:
    """Raise `BakestoneError` with every place where `document` does not follow a schema."""
    findings = list(findings_of(document, name))
    if findings:
        raise BakestoneError(findings)


def check_value(value: str, name: str, definition: str, what: str) -> None:
    """Raise `BakestoneError` (wrong usage) when a value of the command line is not as `definition`
    in the schema says.
    """
    rule = schema(name)["$defs"][definition]
    if len(value) > rule["maxLength"] or not re.fullmatch(rule["pattern"], value):
        shown = '"***"' if "@" in value else _show(value) + _offender(value)  # a login, it seems
        raise fail(f"{what} cannot be {shown}", rule["x-hint"], code=USAGE)


def findings_of(document: Document, name: str) -> Iterator[Finding]:
    """The findings of `check`, without raising."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    checker = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    found = checker(schema(name)).iter_errors(document.data)
    errors = sorted(found, key=lambda e: _order(document, e))
    seen: set[tuple[str, str]] = set()
    private = {
        key for key, about in schema(name).get("properties", {}).items() if about.get("x-private")
    }
    for error in errors:
        for finding in (
            _explain_private(document, error)
            if private.intersection(list(error.absolute_path)[:1])
            else _explain(document, error)
        ):
            mark = (str(finding.where), finding.message)
            if mark not in seen:
                seen.add(mark)
                yield finding


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    """The keyword `pattern`, but with `$` as in JSON Schema: the very end, not also before a last
    line break.
    """
    from jsonschema import ValidationError

    if isinstance(value, str) and not re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _order(document: Document, error: Any) -> tuple[int, int]:
    where = document.position(tuple(error.absolute_path))
    return where.line, where.column


def _explain(document: Document, error: Any) -> Iterator[Finding]:
    path = tuple(error.absolute_path)
    where = document.position(path)
    what = _name(path)
    value, rule = error.instance, error.validator
    hint = error.schema.get("x-hint", "") if isinstance(error.schema, dict) else ""
    if rule == "additionalProperties" and isinstance(error.validator_value, bool):
        known = list(error.schema.get("properties", {}))
        for key in value:
            if key not in known:
                near_miss = near(key, known, f"known here: {', '.join(known)}")
                yield Finding(
                    f"unknown key {key!r}{_in(path)}",
                    near_miss,
                    document.position((*path, key), key=True),
                )
    elif "propertyNames" in error.absolute_schema_path:
        yield Finding(
            f"{_show(value)} is not a name that can be used here",
            hint,
            document.position((*path, str(value)), key=True),
        )
    elif rule == "required":
        for key in error.validator_value:
            if key not in value:
                about = error.schema.get("properties", {}).get(key, {})
                described = about.get("description") or schema_text(about)
                yield Finding(f"the key {key!r} is missing{_in(path)}", described, where)
    elif rule == "type":
        finding = _wrong_type(document, path, error.validator_value, value, what)
        unit = error.schema.get("x-unit") if type(value) is int else None
        yield replace(finding, hint=f"write its unit: {value}{unit}; {hint}") if unit else finding
    elif rule == "pattern":
        yield Finding(
            f"{what} cannot be {_show(value)}{_offender(value)}",
            hint or f"it must match {error.validator_value}",
            where,
        )
    elif rule in ("enum", "const"):
        allowed = error.validator_value if rule == "enum" else [error.validator_value]
        yield Finding(
            f"{what} cannot be {_show(value)}",
            near(str(value), allowed, f"one of: {', '.join(map(str, allowed))}"),
            where,
        )
    elif rule == "not":
        yield Finding(f"{what} cannot be {_show(value)}", hint, where)
    elif rule == "uniqueItems":
        for index, item in enumerate(value):
            if item in value[:index]:
                first = document.position((*path, value.index(item))).line
                yield Finding(
                    f"{_show(item)} is there twice{_in(path)} (first on line {first})",
                    "remove one of them",
                    document.position((*path, index)),
                )
    elif rule == "maxLength":
        yield Finding(
            f"{what} is too long: {len(value)} characters",
            f"at most {error.validator_value}",
            where,
        )
    elif rule in ("minItems", "minProperties"):
        yield Finding(
            f"{what} has too few entries", hint or error.schema.get("description", ""), where
        )
    else:
        yield Finding(f"{what}: {error.message}", hint, where)


def _explain_private(document: Document, error: Any) -> Iterator[Finding]:
    """`_explain` for a part of a file where somebody may have written a secret: neither a value nor
    its line is shown.
    """
    path = tuple(error.absolute_path)
    where = replace(document.position(path), text="")
    what, hint = _name(path), error.schema.get("x-hint", "")
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        for key in error.instance:
            if key not in known:
                place = replace(document.position((*path, key), key=True), text="")
                yield Finding(
                    f"unknown key in {what}",
                    near(key, known, f"known here: {', '.join(known)}"),
                    place,
                )
    else:
        yield Finding(
            f"{what} is not written as it must be",
            hint or error.schema.get("description", ""),
            where,
        )


def schema_text(about: Json) -> str:
    """The description behind a `$ref` of the images schema, for hints."""
    name = about.get("$ref", "").rsplit("/", 1)[-1]
    text: str = schema("images")["$defs"].get(name, {}).get("description", "") if name else ""
    return text


def _wrong_type(document: Document, path: Path_, wanted: Any, value: Any, what: str) -> Finding:
    where = document.position(path)
    raw = document.raw.get(path, "")
    if wanted == "string" and isinstance(value, (int, float, bool, date, type(None))):
        kind = {type(None): "empty", bool: "a truth value", date: "a date", datetime: "a date"}.get(
            type(value), "a number"
        )
        hint = f'write it in quotes: "{raw}"'
        return Finding(f"{what} must be text, and {raw or 'this'} is {kind} in YAML", hint, where)
    names = {
        "object": "a mapping (key: value)",
        "array": "a list",
        "string": "text",
        "integer": "a whole number",
        "boolean": "true or false",
    }
    hint = "look at the indentation of this line and the next"
    return Finding(f"{what} must be {names.get(str(wanted), wanted)}", hint, where)


def _name(path: tuple[object, ...]) -> str:
    words = [str(p) for p in path if not isinstance(p, int)]
    return words[-1] if words else "the file"


def _in(path: tuple[object, ...]) -> str:
    return f" in {_name(path)}" if path else ""


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _offender(value: Any) -> str:
    """Which character is to blame, where that can be said plainly."""
    if isinstance(value, str):
        for char, name in (
            ("\n", "a line break"),
            ("$", "a dollar sign"),
            ('"', "a quote"),
            ("'", "a quote"),
            ("`", "a backtick"),
            ("\\", "a backslash"),
            (" ", "a space"),
            (";", "a semicolon"),
        ):
            if char in value:
                return f": it contains {name}"
        if ".." in value:
            return ": it contains two dots in a row"
    return ""
