"""`bakestone base`: which image, from which mirror, under which names; what is there already is
left alone.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.manifest import INDEX, MANIFEST
from bakestone.clients.site.site import Site
from bakestone.core.documents import schema
from bakestone.core.documents.patterns import TAG
from bakestone.core.documents.suggest import near
from bakestone.core.documents.words import Say
from bakestone.core.library.catalog import Library
from bakestone.errors import ENVIRONMENT, USAGE, fail
from bakestone.files import scratch
from bakestone.jobs.base import image, machine, root
from bakestone.jobs.base.image import PlatformImage
from bakestone.jobs.base.root import Recipe, SuiteSource

DISTRO = "debian"
_ONE_LINE = ("bullseye", "buster")
"""Suites whose images have a sources.list; from Debian 12 on there is a debian.sources instead."""


@dataclass(frozen=True)
class BaseWish:
    """What the command line asked for; empty texts and None stand for what the site, the machine or
    the mirror says.
    """

    architectures: tuple[str, ...]
    to: str = ""
    mirror: str = ""
    security: str = ""
    epoch: int | None = None
    force: bool = False
    keep: Path | None = None


@dataclass(frozen=True)
class Release:
    """A version of the distro, and the name that images.yaml's bases have for its image."""

    version: str
    codename: str
    ref: str


def release(text: str, library: Library) -> Release:
    """`debian@12`, or `debian@bookworm`. Raises `BakestoneError` (exit 2) for any other."""
    name, at, wanted = text.partition("@")
    component = library.get(name)
    if name != DISTRO or component is None or not at:
        hint = "Debian's can, by mmdebstrap: debian@12"
        raise fail(f"no base can be made of {text[:80]!r}", hint, name="base", code=USAGE)
    known = [
        Release(v.version, str(v.data["codename"]), str(v.data["image"]))
        for v in component.versions.values()
    ]
    for found in known:
        if wanted in (found.version, found.codename):
            return found
    names = [*(r.version for r in known), *(r.codename for r in known)]
    hint = near(wanted, names, f"known: {', '.join(names)}")
    raise fail(f"{name} has no version {wanted[:40]!r}", hint, name="base", code=USAGE)


def architecture(platform: str) -> str:
    """`linux/arm64` -> arm64. Raises `BakestoneError` (exit 2)."""
    system, _, found = platform.strip().partition("/")
    if system != "linux" or not re.fullmatch(r"[a-z0-9]{1,20}", found):
        hint = "for example linux/amd64, or linux/amd64,linux/arm64"
        raise fail(f"--platform cannot be {platform[:80]!r}", hint, code=USAGE)
    return found


def make(what: Release, wish: BaseWish, registry: Registry, say: Say) -> str:
    """Make the image for each architecture and push it. Gives its reference with the digest."""
    for option, url in (("--mirror", wish.mirror), ("--security-mirror", wish.security)):
        if url:
            schema.check_value(url, "site", "index", option)
    names = references(what, wish.to, registry.site)
    if len(wish.architectures) > 1:
        if wish.keep:
            hint = "one platform at a time"
            raise fail("--keep keeps one root file system, and these are several", hint, code=USAGE)
        return _several(what, wish, names, registry, say)
    (only,) = wish.architectures
    if only != machine.NATIVE and not _tagged(wish.to):
        # it does not take the plain tag from this machine's
        names = [f"{name}-{only}" for name in names]
    return f"{names[0]}@{_one(what, wish, only, names, registry, say)[0]}"


def references(what: Release, to: str, site: Site) -> list[str]:
    """The references to push: what was given, or where this site's builds look for the image."""
    if not to:
        mirrored = site.mirror(what.ref)
        registry = os.environ.get("BAKESTONE_REGISTRY", "")
        if mirrored != what.ref:
            to = mirrored.rpartition(":")[0]
        elif registry:
            to = f"{registry}/mirror/library/{DISTRO}"
        else:
            hint = f"--to HOST/REPOSITORY; or a site file whose mirrors have {what.ref}"
            hint += "; or `scripts/engine up`"
            raise fail("there is no registry to push to", hint, name="base", code=USAGE)
    repository, _, tag = to.rpartition(":") if _tagged(to) else (to, "", "")
    schema.check_value(repository, "site", "place", "--to")
    if "/" not in repository or (tag and not TAG.fullmatch(tag)):
        raise fail(f"--to cannot be {to[:120]!r}", "HOST[:PORT]/REPOSITORY[:TAG]", code=USAGE)
    return [to] if tag else [f"{to}:{name}" for name in (what.version, what.codename)]


def _tagged(to: str) -> bool:
    return ":" in to.rpartition("/")[2]


def _several(what: Release, wish: BaseWish, names: list[str], registry: Registry, say: Say) -> str:
    """One tag for several platforms: an index of their images, each of which has a tag NAME-ARCH as
    well.
    """
    digest, there = image.parts_of(names[0], registry)
    lacking = [arch for arch in wish.architectures if wish.force or arch not in there]
    if not lacking:
        platforms = ", ".join(wish.architectures)
        say(f"{names[0]} is there already for {platforms}, nothing to do (--force makes it again)")
        return f"{names[0]}@{digest}"
    # what the tag had for a platform that is not asked for stays in it
    parts = dict(there)
    for arch in lacking:
        own = [f"{name}-{arch}" for name in names]
        _, parts[arch] = _one(what, wish, arch, own, registry, say)
    say(f"push {' '.join(names)} for {', '.join(sorted(parts))}")
    return f"{names[0]}@{image.tag(image.index(list(parts.values())), INDEX, names, registry)}"


def _one(
    what: Release, wish: BaseWish, arch: str, names: list[str], registry: Registry, say: Say
) -> tuple[str, PlatformImage]:
    """The image of one architecture, under each name; the first one is looked for.

    Gives the digest behind the names, and the image.
    """
    digest, there = image.parts_of(names[0], registry)
    if digest and not wish.force:
        if arch not in there:
            hint = "--force replaces it; several platforms make one tag for all"
            raise fail(f"it is there, but not for linux/{arch}", hint, name=names[0])
        say(f"{names[0]} is there already, nothing to do (--force makes it again)")
        return digest, there[arch]
    machine.need("mmdebstrap", ("mmdebstrap", "debian-archive-keyring"), say)
    machine.emulate(arch, say)
    recipe = _recipe(what, wish, arch, registry.site, say)
    with scratch("base") as folder:
        folder.chmod(0o755)
        tarball = folder / "root.tar"
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(recipe.epoch))
        say(f"make Debian {what.version} ({what.codename}, {arch}) as of {when} UTC")
        root.make(recipe, tarball)
        say(f"push {' '.join(names)}")
        repository = names[0].rpartition(":")[0]
        part, manifest = image.push(tarball, arch, recipe.epoch, repository, registry)
        image.tag(manifest, MANIFEST, names, registry)
        if wish.keep:
            wish.keep.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(tarball, wish.keep)
            say(f"kept {wish.keep}")
    return part.digest, part


def _recipe(what: Release, wish: BaseWish, arch: str, site: Site, say: Say) -> Recipe:
    """From which mirror, and as of when.

    Raises `BakestoneError` (exit 3) when there is none with the suite.
    """
    known = machine.mirrors(say) if not (wish.mirror and wish.security) else {}
    main = (wish.mirror or known.get("Debian", "")).rstrip("/")
    own = "" if wish.mirror else known.get("Debian-Security", "")
    security = (wish.security or own).rstrip("/")
    if not main:
        hint = "name one with --mirror"
        raise fail("this machine's apt has no Debian mirror", hint, name="base", code=ENVIRONMENT)
    if not security:
        say("note: no security suite is known here; the image does without (--security-mirror)")
    wanted = {main: [what.codename, f"{what.codename}-updates"]}
    if security:
        wanted.setdefault(security, []).append(f"{what.codename}-security")
    dates: list[int] = []
    sources = []
    for uri, suites in wanted.items():
        fetched = site.mirror_url(f"{uri}/").rstrip("/")  # the image keeps the name outside
        there = []
        for suite in suites:
            date = machine.release_date(fetched, suite)
            if date is not None:
                dates.append(date)
                there.append(suite)
            elif suite == what.codename:
                why = f"the mirror has no {suite}"
                raise fail(why, "name another one with --mirror", name="base", code=ENVIRONMENT)
            else:
                say(f"note: the mirror has no {suite}; the image does without")
        if there:
            sources.append(SuiteSource(uri, fetched, tuple(there)))
    stale = machine.dates_unchecked()
    if stale:
        say("note: apt's date check is off on this machine, and so it is in the image")
    epoch = wish.epoch if wish.epoch is not None else max(dates)
    return Recipe(what.codename, arch, tuple(sources), epoch, what.codename in _ONE_LINE, stale)
