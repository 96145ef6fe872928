"""The GPUs of the machines: names that families use, and what rules look at (`host.oldest_sm`,
`host.newest_sm`: compute capabilities without their dot).

The table is data of the component `cuda`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.suggest import near
from bakestone.core.library.component import BUILT_IN


@cache
def known() -> dict[str, int]:
    """Name of a GPU -> its compute capability: H100 -> 90."""
    table = yamldoc.fast(BUILT_IN / "cuda" / "component.yaml")["gpus"]
    return {name: int(sm) for sm, names in table.items() for name in names}


def capability(name: str) -> int | None:
    """The compute capability of a GPU, however its name is spelled; None for one that is not
    known.
    """
    return {_plain(other): sm for other, sm in known().items()}.get(_plain(name))


def hint(name: str) -> str:
    """What to write for a name that is not known."""
    return near(name.upper(), list(known()), "give its compute capability: `sm: [90]`")


def host(sms: Iterable[int]) -> dict[str, str]:
    """What is stated of the machines, for rules; empty where nothing is."""
    ordered = sorted(sms)
    return {"oldest_sm": str(ordered[0]), "newest_sm": str(ordered[-1])} if ordered else {}


def _plain(name: str) -> str:
    """NVIDIA H100, h100 and H-100 are one."""
    letters = "".join(c for c in name.lower() if c.isalnum())
    for vendor in ("nvidia", "geforce", "tesla"):
        letters = letters.removeprefix(vendor)
    return letters
