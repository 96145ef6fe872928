"""Base images: is each digest still in its registry, or in the site's mirror of it, for every
platform?
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from bakestone.clients.http.session import Session, UnreachableError
from bakestone.clients.registry.client import Manifest, Reference, Registry
from bakestone.clients.site.site import Site
from bakestone.core.lock.demand import Users
from bakestone.core.lock.model import LockedBase
from bakestone.errors import BakestoneError
from bakestone.jobs.doctor.report import Trouble

_T = TypeVar("_T")
_KEPT = "name a mirror that has it under `mirrors.registries` in the site file"


class Bases:
    """Asks registries about base images.

    `there` holds each (base, platform) that its registry has, `sizes` the compressed bytes of a
    base.
    """

    def __init__(self, registry: Registry, site: Site, hosts: Session) -> None:
        self.registry = registry
        self.site = site
        self.hosts = hosts
        self.sizes: dict[str, int] = {}
        self.there: set[tuple[str, str]] = set()

    def check(self, ref: str, locked: LockedBase, users: Users) -> list[Trouble]:
        """What is wrong with a base image.

        Raises `BakestoneError` or `UnreachableError` when its registry cannot say.
        """
        reference = self.site.mirror(ref)
        host = Reference.parse(reference).host
        place = "" if reference == ref else f" (the mirror of {ref.partition('/')[0]})"
        if not locked.digest:
            if self._ask(host, lambda: self.registry.head(reference)) is None:
                return [
                    Trouble(
                        "base",
                        ref,
                        f"{host}{place} has no such tag, and no digest of it is known",
                        _KEPT,
                    )
                ]
            self.there |= {(ref, platform) for platform in users.platforms}
            return []
        repository = _repository(reference)
        manifest = self._ask(host, lambda: self.registry.manifest(f"{repository}@{locked.digest}"))
        if manifest is None:
            return [self._gone(ref, reference, host + place, locked.digest)]
        return self._platforms(ref, repository, host + place, manifest, users)

    def _gone(self, ref: str, reference: str, place: str, digest: str) -> Trouble:
        now = self._ask(Reference.parse(reference).host, lambda: self.registry.head(reference))
        why = f"{place} no longer has {digest[:19]}"
        if now is None:
            return Trouble(
                "base", ref, f"{why}, nor the tag", f"{_KEPT}, or choose another version"
            )
        return Trouble(
            "base",
            ref,
            f"{why}; the tag is {now[:19]} now",
            f"`bakestone lock --update` takes what the tag is now; or {_KEPT}",
        )

    def _platforms(
        self, ref: str, repository: str, place: str, manifest: Manifest, users: Users
    ) -> list[Trouble]:
        data = _object(manifest.raw)
        if "manifests" not in data:
            self.there |= {(ref, platform) for platform in users.platforms}
            self._weigh(ref, data)
            return []
        there, troubles = manifest.platforms, []
        for platform in users.platforms:
            digest = there.get(platform)
            if digest is None:
                why, hint = (
                    f"{place} has it for {', '.join(there) or 'no platform'}, not for {platform}",
                    "take the platform out of the family",
                )
                troubles.append(
                    Trouble(
                        "base",
                        ref,
                        why,
                        f"{hint}, or choose another version",
                        variants=users.on(platform),
                    )
                )
                continue
            single = self._ask(
                Reference.parse(repository).host,
                partial(self.registry.manifest, f"{repository}@{digest}"),
            )
            if single is None:
                why = (
                    f"{place} has the index, but no longer {digest[:19]}, the image for {platform}"
                )
                troubles.append(
                    Trouble(
                        "base",
                        ref,
                        why,
                        f"`bakestone lock --update`, or {_KEPT}",
                        variants=users.on(platform),
                    )
                )
            else:
                self.there.add((ref, platform))
                self._weigh(ref, _object(single.raw))
        return troubles

    def _ask(self, host: str, question: Callable[[], _T]) -> _T:
        """A question to a registry; one that gives no answer at all is `UnreachableError`, and is
        not asked again.
        """
        self.hosts.alive(host)
        try:
            return question()
        except BakestoneError as problem:
            raise silent(problem, self.hosts) from None

    def _weigh(self, ref: str, manifest: dict[str, Any]) -> None:
        layers = manifest.get("layers", [])
        self.sizes[ref] = self.sizes.get(ref, 0) + sum(
            int(layer.get("size", 0)) for layer in layers if isinstance(layer, dict)
        )


def silent(problem: BakestoneError, hosts: Session) -> Exception:
    """The error of a registry, or `UnreachableError` when it is that no answer came."""
    reason = problem.__cause__
    return hosts.dead(reason) if isinstance(reason, UnreachableError) else problem


def _repository(reference: str) -> str:
    parsed = Reference.parse(reference)
    return f"{parsed.host}/{parsed.repository}"


def _object(raw: bytes) -> dict[str, Any]:
    loaded = json.loads(raw)
    if not isinstance(loaded, dict):
        raise ValueError("a manifest that is no object")
    return loaded
