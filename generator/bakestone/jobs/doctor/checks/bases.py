"""Registries: is each base image's digest still there, or in the site's mirror, for every platform;
and may this account push where the images go?
"""

from __future__ import annotations

from bakestone.clients.http.session import UnreachableError
from bakestone.clients.registry.client import Manifest, Reference, Registry
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import LockedBase
from bakestone.errors import BakestoneError
from bakestone.jobs.doctor.report import ENVIRONMENTAL, Trouble

_KEPT = "name a mirror that has it under `mirrors.registries` in the site file"


class Bases:
    """Asks registries about base images.

    `there` holds each (base, platform) that its registry has, `sizes` the compressed bytes of a
    base.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.sizes: dict[str, int] = {}
        self.there: set[tuple[str, str]] = set()

    def check(self, ref: str, locked: LockedBase, users: Users) -> list[Trouble]:
        """What is wrong with a base image.

        Raises `BakestoneError` when its registry cannot say.
        """
        reference = self.registry.site.mirror(ref)
        place = Reference.parse(reference).host
        place += "" if reference == ref else f" (the mirror of {ref.partition('/')[0]})"
        if not locked.digest:
            if self.registry.head(reference) is None:
                why = f"{place} has no such tag, and no digest of it is known"
                return [Trouble("base", ref, why, _KEPT)]
            self.there |= {(ref, platform) for platform in users.platforms}
            return []
        pinned = _pinned(reference, locked.digest)
        manifest = self.registry.manifest(pinned)
        if manifest is None:
            return [self._gone(ref, reference, f"{place} no longer has {locked.digest[:19]}")]
        if "manifests" not in manifest.data:
            self.there |= {(ref, platform) for platform in users.platforms}
            self._weigh(ref, manifest)
            return []
        lacking = {p: self._lacking(ref, pinned, manifest, p) for p in users.platforms}
        return [
            Trouble("base", ref, f"{place} {why}", hint, variants=users.on(platform))
            for platform, found in lacking.items()
            if found
            for why, hint in (found,)
        ]

    def _gone(self, ref: str, reference: str, why: str) -> Trouble:
        now = self.registry.head(reference)
        if now is None:
            hint = f"{_KEPT}, or choose another version"
            return Trouble("base", ref, f"{why}, nor the tag", hint)
        hint = f"`bakestone lock --update` takes what the tag is now; or {_KEPT}"
        return Trouble("base", ref, f"{why}; the tag is {now[:19]} now", hint)

    def _lacking(
        self, ref: str, pinned: str, manifest: Manifest, platform: str
    ) -> tuple[str, str] | None:
        """Why the image of one platform is not there, and what to do; None when it is."""
        there = manifest.platforms
        digest = there.get(platform)
        if digest is None:
            why = f"has it for {', '.join(there) or 'no platform'}, not for {platform}"
            return why, "take the platform out of the family, or choose another version"
        single = self.registry.manifest(_pinned(pinned, digest))
        if single is None:
            why = f"has the index, but no longer {digest[:19]}, the image for {platform}"
            return why, f"`bakestone lock --update`, or {_KEPT}"
        self.there.add((ref, platform))
        self._weigh(ref, single)
        return None

    def _weigh(self, ref: str, manifest: Manifest) -> None:
        self.sizes[ref] = self.sizes.get(ref, 0) + sum(layer.size for layer in manifest.layers)


def pushable(repository: str, registry: Registry) -> list[Trouble]:
    """What is in the way of pushing to HOST/REPOSITORY.

    Raises `BakestoneError` when its registry gives no answer.
    """
    try:
        registry.probe(repository)
    except BakestoneError as problem:
        if isinstance(problem.__cause__, UnreachableError):
            raise
        return [
            Trouble("registry", repository, f.message, f.hint, ENVIRONMENTAL)
            for f in problem.findings
        ]
    return []


def _pinned(reference: str, digest: str) -> str:
    place = Reference.parse(reference)
    return f"{place.host}/{place.repository}@{digest}"
