"""LABEL of the finished image.

A base image's labels are inherited, so each that it may have is set.
"""

from __future__ import annotations

from bakestone.core.lock.model import Lock
from bakestone.core.matrix.checks.terms import accepted
from bakestone.core.matrix.variant import Chosen, Variant


def labels(variant: Variant, filled: list[Chosen], lock: Lock) -> dict[str, str]:
    """Every label of a variant; `filled` are its slots in their order."""
    locked = lock.bases[variant.base.ref]
    title = ", ".join(
        f"{c.component.data.get('title', c.component.name)} {c.version.version}" for c in filled
    )
    found = {
        "org.opencontainers.image.title": variant.name,
        "org.opencontainers.image.ref.name": variant.name,
        "org.opencontainers.image.version": variant.name,
        "org.opencontainers.image.description": title,
        "org.opencontainers.image.licenses": licences(filled),
        "org.opencontainers.image.base.name": variant.base.ref,
        "org.opencontainers.image.base.digest": locked.digest,
        "io.bakestone.family": variant.family.name,
        "io.bakestone.variant": variant.name,
    }
    found |= {f"io.bakestone.slot.{c.slot}": c.text for c in filled}
    if variant.driver:
        found |= {
            "io.bakestone.driver": variant.driver["toolkit"],
            "io.bakestone.driver.minimum": variant.driver["minimum"],
        }
    terms = accepted(variant)
    if terms:
        found["io.bakestone.accepted"] = ",".join(terms)
    if variant.family.profiles:
        found["io.bakestone.profiles"] = ",".join(variant.family.profiles)
    return found


def licences(filled: list[Chosen]) -> str:
    """The components' licences as one SPDX expression, each once."""
    known = dict.fromkeys(str(c.component.data.get("licence", "NOASSERTION")) for c in filled)
    return " AND ".join(f"({text})" if " OR " in text else text for text in known)
