"""What an image is made of, by the lock: one `Part` for each base, package, wheel, file and
component. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from packageurl import PackageURL

from bakestone.core.library.catalog import Library
from bakestone.core.lock.lock import Lock
from bakestone.core.lock.needs import PackageSet, Stage
from bakestone.core.lock.survey import Survey
from bakestone.core.matrix.variant import Chosen, Variant, slot_rank

ARCHITECTURES = {"linux/amd64": ("amd64", "x86_64"), "linux/arm64": ("arm64", "aarch64")}
"""Platform -> its name in Debian's packages and in rpm's."""


@dataclass(frozen=True)
class Part:
    """A thing with a name and, mostly, a version and a Package URL.

    `role` says how it belongs to the image: `component`, `base`, `package` (installed in the
    image), `source` (a component was made from it) or `tool` (was in the stage in which a component
    was made). `of` is the component's slot for the last two.
    """

    role: str
    name: str
    version: str = ""
    purl: str = ""
    sha256: str = ""
    location: str = ""
    licence: str = ""
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
    """Everything that is in a variant's image, or that went into it.

    `measured` is slot -> what the inventory found.
    """
    survey = Survey(library)
    found = [_base(variant, platform, lock)]
    for chosen in sorted(variant.slots.values(), key=lambda c: slot_rank(c.slot)):
        found.append(_component(chosen, measured.get(chosen.slot, {})))
    vendors = (vendor.packages for vendor in survey.vendor_packages(variant))
    for packages in (survey.base_packages(variant), *vendors):
        found += _packages(packages, platform, lock, "package", "")
    for stage in survey.stages(variant):
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


def _packages(
    packages: PackageSet, platform: str, lock: Lock, role: str, of: str
) -> Iterator[Part]:
    """A package set as the lock pins it: each of the closure, or by name only when an archive as a
    whole is pinned.
    """
    locked = lock.packages.get(packages.base)
    if locked is None or not packages.names:
        return
    distro, _, release = packages.distro.text.partition("@")
    rpm = packages.distro.package_manager == "dnf"
    architecture = ARCHITECTURES.get(platform, (platform.partition("/")[2],) * 2)[rpm]
    closure = locked.versions.get(platform, {}).get(packages.names)
    if closure is None:
        named = dict(name.partition("=")[::2] for name in packages.names)
        closure = {name: version or locked.known.get(name, "") for name, version in named.items()}
    comment = f"of the archive as it was at {locked.snapshot}" if locked.snapshot else ""
    for name, version in sorted(closure.items()):
        facts = {"arch": architecture, "distro": f"{distro}-{release}"}
        purl = PackageURL("rpm" if rpm else "deb", distro, name, version or None, facts)
        yield Part(role, name, version, purl.to_string(), comment=comment, of=of)


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
    yield from _packages(stage.packages, platform, lock, "tool", slot)
