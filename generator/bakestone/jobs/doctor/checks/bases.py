"""Registries: is each base image's digest still there, or in the site's mirror, for every platform;
and may this account push where the images go?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from bakestone.clients.http.session import UnreachableError
from bakestone.clients.registry.client import Manifest, Reference, Registry
from bakestone.core.lock.demand import Users
from bakestone.core.lock.lock import REGISTRY, LockedBase
from bakestone.errors import BakestoneError
from bakestone.jobs.doctor.report import ENVIRONMENTAL, Trouble

_AGAIN = "`bakestone lock --update` takes what the registry says"
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

    def check(self, ref: str, locked: LockedBase, users: Users) -> Iterator[Trouble]:
        """What is wrong with a base image.

        Raises `BakestoneError` when its registry cannot say.
        """
        tag = self.registry.site.mirror(ref)
        place = Reference.parse(tag)
        host = place.host + ("" if tag == ref else f" (the mirror of {ref.partition('/')[0]})")
        if not locked.digest:
            if self.registry.head(tag) is None:
                yield Trouble(f"{host} has no such tag, and no digest of it is known", _KEPT)
            else:
                self.there |= {(ref, platform) for platform in users.platforms}
            return
        manifest = self.registry.manifest(str(place.at(locked.digest)))
        if manifest is None:
            yield self._gone(tag, f"{host} no longer has {locked.digest[:19]}")
        elif "manifests" not in manifest.data:
            self._found(ref, manifest, users.platforms)
            yield from self._time(locked, {"": (str(place.at(locked.digest)), manifest)}, host)
        else:
            images: dict[str, tuple[str, Manifest]] = {}
            for platform in users.platforms:
                digest = manifest.platforms.get(platform)
                said = locked.platforms.get(platform)
                if digest and said and digest != said:
                    why = f"has {digest[:19]} for {platform}, and the lock says {said[:19]}"
                    hint = f"was it edited by hand? {_AGAIN}"
                    yield Trouble(f"{host} {why}", hint, variants=users.on(platform))
                    continue
                single = digest and self.registry.manifest(str(place.at(digest)))
                if single:
                    self._found(ref, single, [platform])
                    images[platform] = str(place.at(digest or "")), single
                    continue
                if digest:
                    why = f"has the index, but no longer {digest[:19]}, the image for {platform}"
                    hint = f"`bakestone lock --update`, or {_KEPT}"
                else:
                    has = ", ".join(manifest.platforms) or "no platform"
                    why = f"has it for {has}, not for {platform}"
                    hint = "take the platform out of the family, or choose another version"
                yield Trouble(f"{host} {why}", hint, variants=users.on(platform))
            if images.keys() >= locked.platforms.keys():
                yield from self._time(locked, images, host)

    def _time(
        self, locked: LockedBase, images: Mapping[str, tuple[str, Manifest]], host: str
    ) -> Iterator[Trouble]:
        """Another time than the oldest of these images has: everything built on them gets it."""
        if locked.resolved_from != REGISTRY or not images:
            return
        made = min(self.registry.created(name, manifest) for name, manifest in images.values())
        if made != locked.epoch:
            has, says = (_day(seconds) for seconds in (made, locked.epoch))
            why = f"has an image made {has} (`epoch: {made}`), and the lock says {says}"
            yield Trouble(f"{host} {why}", f"was it edited by hand? {_AGAIN}")

    def _gone(self, tag: str, why: str) -> Trouble:
        now = self.registry.head(tag)
        if now is None:
            return Trouble(f"{why}, nor the tag", f"{_KEPT}, or choose another version")
        hint = f"`bakestone lock --update` takes what the tag is now; or {_KEPT}"
        return Trouble(f"{why}; the tag is {now[:19]} now", hint)

    def _found(self, ref: str, manifest: Manifest, platforms: Iterable[str]) -> None:
        self.there |= {(ref, platform) for platform in platforms}
        self.sizes[ref] = self.sizes.get(ref, 0) + sum(layer.size for layer in manifest.layers)


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}" if seconds else "at no known time"


def pushable(repository: str, registry: Registry) -> list[Trouble]:
    """What is in the way of pushing to HOST/REPOSITORY.

    Raises `BakestoneError` when its registry gives no answer.
    """
    try:
        registry.probe(repository)
    except BakestoneError as problem:
        if isinstance(problem.__cause__, UnreachableError):
            raise
        return [Trouble(f.message, f.hint, ENVIRONMENTAL) for f in problem.findings]
    return []
