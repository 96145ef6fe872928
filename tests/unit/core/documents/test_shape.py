"""What `shape` lets through is what jsonschema lets through, by every schema and keyword."""

from __future__ import annotations

import copy
import datetime
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.shape import Shape
from bakestone.core.library.component import BUILT_IN

ROOT = Path(__file__).parents[4]
SEED = 11
CHANGES = 120
"""Changed documents for each schema; three in four are wrong."""
DOCUMENTS = {
    "images": ["images.yaml", "tests/golden/images.yaml"],
    "lock": ["images.lock.yaml", "tests/golden/images.lock.yaml"],
    "profile": ["generator/bakestone/profiles/azureml.yaml"],
    "component": [f"{BUILT_IN / name}/component.yaml" for name in ("cuda", "openmpi", "ubuntu")],
    "index": [f"{BUILT_IN / name}/index.yaml" for name in ("onnxruntime", "tensorrt")],
    "versions": [f"{BUILT_IN / name}/versions.yaml" for name in ("pmix", "debian")],
}
ODD: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        10**15,
        "",
        " ",
        "a",
        "A b",
        "1.2",
        ">=1.0,<2",
        ">=,",
        "..",
        "a\n",
    ),
    *("x" * 400, "none", "root", "2026-02-30", "2026-02-30T00:00:00Z", "sha256:" + "0" * 64),
    *([], {}, [1, 1], ["a", "a"], {"a": 1}, {"version": "1"}, datetime.date(2026, 1, 1)),
]
"""Values that something may be changed to."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (mapping or list, key or index) in a value."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys if isinstance(value, dict | list) else ():
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def changed(document: Any, chance: random.Random) -> Any:
    """The document with a value, a key or an entry more, less or otherwise."""
    document = copy.deepcopy(document)
    where, key = chance.choice(list(places(document)))
    odd = copy.deepcopy(chance.choice(ODD))
    kind = chance.choice(["value", "value", "less", "more", "key", "twice"])
    if kind == "value":
        where[key] = odd
    elif kind == "less":
        del where[key]
    elif kind == "twice" and isinstance(where, list):
        where.append(copy.deepcopy(where[key]))
    elif isinstance(where, list):
        where.insert(0, odd)
    else:
        where[str(odd)[:300] if kind == "key" else "more"] = where[key] if kind == "key" else odd
    return document


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_changed_document_is_let_through_by_both_or_by_neither(name: str) -> None:
    chance = random.Random(SEED)  # noqa: S311
    shape = Shape(schema.schema(name))
    refused = 0
    for path in DOCUMENTS[name]:
        document = yamldoc.fast(ROOT / path)
        assert shape.fits(document), path
        for _ in range(CHANGES // len(DOCUMENTS[name])):
            one = changed(document, chance)
            right = schema.validator(name).is_valid(one)
            refused += not right
            assert shape.fits(one) == right, json.dumps(one, default=str)[:2000]
    assert CHANGES * 0.2 < refused < CHANGES


@pytest.mark.parametrize(
    "name", ["images", "lock", "profile", "component", "index", "versions", "site", "release"]
)
def test_every_keyword_of_our_schemas_is_known(name: str) -> None:
    def walk(part: Any) -> None:
        Shape(part, Shape(schema.schema(name))).fits(part)
        for key, value in part.items() if isinstance(part, dict) else ():
            parts = value.values() if key in ("properties", "$defs") else [value]
            for one in value if isinstance(value, list) else parts:
                if isinstance(one, dict) and key not in (
                    "default",
                    "dependentRequired",
                    "x-otherwise",
                ):
                    walk(one)

    walk(schema.schema(name))
