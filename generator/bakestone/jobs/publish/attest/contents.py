"""What an image is made of: one `Part` for each base, component, wheel and file, as the lock has
it, and for each package, as it was measured. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packageurl import PackageURL
from packaging.licenses import canonicalize_license_expression
from packaging.utils import canonicalize_name

from bakestone.core.library.catalog import Library
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import Stage
from bakestone.core.lock.survey import Survey
from bakestone.core.matrix.variant import Chosen, Variant, slot_rank
from bakestone.core.render.packagelist import MeasuredPackage

OWN = re.compile(r"LicenseRef-[^ ()]*")
NAMED = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
"""A licence in an expression that SPDX has no name for: what may be one, and what is one."""


@dataclass(frozen=True)
class Part:
    """A thing with a name and, mostly, a version and a Package URL.

    `role` says how it belongs to the image: `component`, `base`, `package` (installed in the image)
    or `source` (a component was made from it). `of` is the slot of a component and its sources.
    `licence_text` is what a package says whose `licence` is a name of our own.
    """

    role: str
    name: str
    version: str = ""
    purl: str = ""
    sha256: str = ""
    location: str = ""
    licence: str = ""
    licence_text: str = ""
    homepage: str = ""
    comment: str = ""
    of: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def parts(
    variant: Variant,
    platform: str,
    lock: Lock,
    library: Library,
    measured: Mapping[str, Mapping[str, str]],
) -> list[Part]:
    """The base and the components of a variant's image, and what these were made from.

    `measured` is slot -> what the inventory found.
    """
    found = [_base(variant, platform, lock)]
    for chosen in sorted(variant.slots.values(), key=lambda c: slot_rank(c.slot)):
        found.append(_component(chosen, measured.get(chosen.slot, {})))
    for stage in Survey(library).stages(variant):
        found += _stage(stage, platform, lock)
    return list({(p.role, p.name, p.version, p.purl, p.of): p for p in found}.values())  # each once


def _base(variant: Variant, platform: str, lock: Lock) -> Part:
    ref, locked = variant.base.ref, lock.bases[variant.base.ref]
    digest = locked.platforms.get(platform) or locked.digest
    name, _, tag = ref.partition(":")
    facts = {"repository_url": name, "tag": tag}
    purl = PackageURL("oci", None, name.rpartition("/")[2], digest, facts).to_string()
    return Part("base", ref, digest, purl if digest else "", digest.removeprefix("sha256:"))


def _component(chosen: Chosen, measured: Mapping[str, str]) -> Part:
    data, name = chosen.component.data, chosen.component.name
    return Part(
        "component",
        name,
        chosen.version.version,
        PackageURL("generic", None, name, chosen.version.version).to_string(),
        licence=str(data.get("licence", "")),
        homepage=str(data.get("homepage", "")),
        comment=f"slot {chosen.slot}, by {chosen.method or 'the base image'}",
        of=chosen.slot,
        facts=measured,
    )


def packages(variant: Variant, measured: Sequence[MeasuredPackage]) -> list[Part]:
    """Every package that was measured in a variant's image."""
    distro, _, release = variant.distro.text.partition("@")
    found: dict[tuple[str, str, str], Part] = {}
    for one in measured:
        licence, text = _licence(one.licence)
        purl = _purl(one, distro, f"{distro}-{release}").to_string()
        part = Part("package", one.name, one.version, purl, licence=licence, licence_text=text)
        found.setdefault((part.name, part.version, part.purl), part)
    return list(found.values())


def _purl(package: MeasuredPackage, distro: str, release: str) -> PackageURL:
    """As github.com/package-url/purl-spec has it for each type; `upstream` is what syft writes, and
    vulnerability scanners read.
    """
    version, facts = package.version, {"arch": package.architecture, "distro": release}
    match package.type:
        case "deb":
            name, _, source_version = package.source.partition(" ")
            if source_version not in ("", version):
                facts["upstream"] = f"{name}@{source_version}"
            elif name != package.name:
                facts["upstream"] = name
        case "rpm":
            epoch, colon, rest = version.partition(":")
            if colon:
                version, facts["epoch"] = rest, epoch
            facts["upstream"] = package.source
        case "conda":
            distro, facts = "", _conda(package)
        case _:
            name = canonicalize_name(package.name)
            return PackageURL("pypi", None, name, version or None)
    known = {key: value for key, value in facts.items() if value}
    return PackageURL(package.type, distro or None, package.name, version or None, known)


def _conda(package: MeasuredPackage) -> dict[str, str]:
    """What the URL of a conda package says: .../CHANNEL/SUBDIR/NAME-VERSION-BUILD.ENDING."""
    facts = {"subdir": package.architecture}
    *_, channel, subdir, file = ["", "", *package.source.split("/")]
    start = f"{package.name}-{package.version}-"
    for ending in ("conda", "tar.bz2"):
        if file.startswith(start) and file.endswith(f".{ending}"):
            build = file.removeprefix(start).removesuffix(f".{ending}")
            facts |= {"build": build, "channel": channel, "subdir": subdir, "type": ending}
    return facts


def _licence(said: str) -> tuple[str, str]:
    """A package's licence as an SPDX expression; where it is none, a name for it, which is the
    text's own, and the text.
    """
    try:
        expression = str(canonicalize_license_expression(said))
    except ValueError:
        expression = ""
    if expression and all(map(NAMED.fullmatch, OWN.findall(expression))):
        return expression, ""
    if not said:
        return "", ""
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", said)[:40].strip("-")
    return f"LicenseRef-{readable}-{hashlib.sha256(said.encode()).hexdigest()[:12]}", said


def _stage(stage: Stage, platform: str, lock: Lock) -> Iterator[Part]:
    slot = stage.chosen.slot
    for artifact in stage.artifacts:
        if artifact.platform in ("", platform):
            version, sha256 = stage.chosen.version.version, artifact.sha256
            yield Part("source", artifact.filename, version, "", sha256, artifact.url, of=slot)
    for wheel in stage.wheels:
        locked = lock.wheels.get(wheel.key)
        filename, sha256, _ = locked.files.get(platform, ("", "", 0)) if locked else ("", "", 0)
        facts = {"file_name": filename} if filename else {}
        purl = PackageURL("pypi", None, wheel.name, wheel.version, facts).to_string()
        yield Part("source", wheel.name, wheel.version, purl, sha256, comment=filename, of=slot)
