"""What BuildKit tells of a build, line by line: recorded, or made up."""

from __future__ import annotations

import json
from pathlib import Path

RECORDED = Path(__file__).with_name("recorded")
"""Whole builds, as `docker buildx bake --progress rawjson` told them."""


def vertex(name: str, **more: object) -> str:
    return json.dumps(
        {
            "vertexes": [
                {
                    "digest": f"sha256:{name}",
                    "name": name,
                    "started": "2026-11-22T00:00:00Z",
                    **more,
                }
            ]
        }
    )
