"""A stand-in for the engine: its images hold nothing but an inventory, and come to the registry in
each of the ways that real builders have.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakestone.clients.engine.buildx import Definition, Engine, Watch
from bakestone.clients.engine.capabilities import BY_DIGEST, Abilities
from bakestone.clients.engine.events import State
from bakestone.clients.registry.client import INDEX_TYPES, MANIFEST_TYPES, Registry
from bakestone.clients.site.site import Site
from bakestone.core.matrix.conditions import python
from bakestone.core.matrix.variant import Variant
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.errors import Finding
from bakestone.jobs.publish import run
from bakestone.jobs.publish.watching import Status
from tests.support.buildkit_events import vertex
from tests.support.writable_registry import WritableRegistry, digest_of

IN_TOTO = "application/vnd.in-toto+json"
PROVENANCE = "https://slsa.dev/provenance/v0.2"
ENDED = "2026-11-22T00:00:01Z"
GPU = "openmpi5.0.10-cuda13.0.2-cudnn9-debian12"
"""A variant of `samples.MANY` that has two platforms."""
PLACE = "usr/share/bakestone/inventory.json"
LIST_PLACE = "usr/share/bakestone/packages.tsv"
LISTED = b"""\
deb\tgcc-12-base\t12.2.0-14+deb12u1\tamd64\tgcc-12 12.2.0-14+deb12u1\t
deb\tlibc6\t2.36-9+deb12u13\tamd64\tglibc 2.36-9+deb12u13\t
pypi\tpip\t26.1.2\t\t\tMIT
"""
"""A list of packages as the gate writes it."""


def inventory(variant: Variant) -> dict[str, Any]:
    """What the gate measures in an image that is what its name says."""
    components = {
        slot: {
            "component": chosen.component.name,
            "pinned": chosen.version.version,
            "measured": {**chosen.measure, "arch": "x86_64"},
        }
        for slot, chosen in variant.slots.items()
    }
    if own := variant.family.content.python:
        measured = {"version": python(variant.slots) or "", "packages": "3", "imports": "3"}
        components["environment"] = {
            "component": "environment",
            "pinned": own.identity,
            "measured": measured,
        }
    driver = {"driver": variant.driver} if variant.driver else {}
    about = {"variant": variant.name, "user": variant.family.user.name, "fuse": "2.9.9"}
    return {**about, **driver, "components": components}


def layer(
    content: bytes,
    name: str = PLACE,
    kind: bytes = tarfile.REGTYPE,
    packages: Sequence[bytes] = (LISTED,),
) -> bytes:
    """A layer that holds one file, and these lists of packages."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        files = [(name, kind, content)]
        files += [(LIST_PLACE, tarfile.REGTYPE, listed) for listed in packages]
        for one, its_kind, held in files:
            member = tarfile.TarInfo(one)
            member.size, member.type = len(held), its_kind
            archive.addfile(member, io.BytesIO(held))
    return gzip.compress(raw.getvalue(), mtime=0)


@dataclass
class Image:
    """An image as blobs; `top` is the digest of its index or manifest."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    top: str = ""

    def add(self, raw: bytes) -> dict[str, object]:
        """Keep a blob; gives its digest and size."""
        self.blobs[digest_of(raw)] = raw
        return {"digest": digest_of(raw), "size": len(raw)}

    def document(self, data: object, media_type: str) -> dict[str, object]:
        """Keep a document; gives its descriptor."""
        return {**self.add(json.dumps(data).encode()), "mediaType": media_type}

    def put(self, registry: WritableRegistry, repository: str, tag: str = "") -> str:
        """Bring it to a registry. Gives its digest."""
        for raw in self.blobs.values():
            registry.put(repository, raw)
        return registry.put(repository, self.blobs[self.top], tag)


def image(platforms: Sequence[str], last: bytes, *, attest: bool = True) -> Image:
    """An image for platforms, each with a layer of its own and `last`; with provenance, or, for
    one platform, without an index.
    """
    made, entries = Image(), []
    for platform in platforms:
        system, architecture = platform.split("/")
        config = made.document({"os": system, "architecture": architecture}, "application/json")
        layers = [made.add(f"base {platform}".encode()), made.add(last)]
        manifest = {
            "schemaVersion": 2, "mediaType": MANIFEST_TYPES[0], "config": config, "layers": layers
        }  # fmt: skip
        entry = made.document(manifest, MANIFEST_TYPES[0])
        made.top = str(entry["digest"])
        entries.append({**entry, "platform": {"os": system, "architecture": architecture}})
        if attest:
            statement = {**made.add(platform.encode()), "mediaType": IN_TOTO}
            statement["annotations"] = {"in-toto.io/predicate-type": PROVENANCE}
            about = {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": made.top,
            }
            held = {"schemaVersion": 2, "config": config, "layers": [statement]}
            attested = made.document(held, MANIFEST_TYPES[0])
            nowhere = {"os": "unknown", "architecture": "unknown"}
            entries.append({**attested, "annotations": about, "platform": nowhere})
    if attest or len(platforms) > 1:
        entries.sort(key=lambda entry: "annotations" in entry)
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": entries}
        made.top = str(made.document(index, INDEX_TYPES[0])["digest"])
    return made


class Builder(Engine):
    """Builds everything at once; `inventories` may be changed, `order` is what it did. It needs no
    registry where it exports (`way`).
    """

    def __init__(
        self, registry: WritableRegistry | None, plan: BuildPlan, way: str = BY_DIGEST
    ) -> None:
        super().__init__(Site())
        self.registry = registry
        self.way = way
        self.variants: dict[str, PlannedVariant] = {v.target: v for v in plan.variants}
        self.inventories = {v.name: inventory(v.variant) for v in plan.variants}
        self.order: list[str] = []

    def abilities(self) -> Abilities:
        return Abilities(self.way, "a stand-in")

    def bake(self, definition: Definition, *, watch: Watch | None = None) -> tuple[State, bool]:
        stages = {name: str(t["target"]) for name, t in definition["target"].items()}
        state = State(tuple(stages), last=stages)
        for name, target in definition["target"].items():
            variant = self.variants[name]
            (output,) = target["output"] if isinstance(target["output"], list) else ("",)
            self.order.append(f"{variant.name} {output.partition(',')[0]}")
            asked = dict(option.split("=", 1) for option in output.split(","))
            if asked["type"] == "cacheonly":
                for platform in variant.platforms:
                    state.feed(
                        vertex(f"[{name} {platform} {variant.stage} 2/2] COPY", completed=ENDED)
                    )
                    if watch:
                        watch(state)
                continue
            attest = "mode=max" in str(target["attest"])
            last = layer(json.dumps(self.inventories[variant.name]).encode())
            made = image(variant.platforms, last, attest=attest)
            if asked["type"] == "oci":
                _export(made, Path(asked["dest"]), asked["name"])
            else:
                assert self.registry
                place, _, tag = asked["name"].partition("/")[2].partition(":")
                state.digests[name] = made.put(self.registry, place, tag)
        return state, True


def _export(made: Image, folder: Path, name: str) -> None:
    """An OCI layout, as BuildKit writes it."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for digest, raw in made.blobs.items():
        (blobs / digest.removeprefix("sha256:")).write_bytes(raw)
    media_type = json.loads(made.blobs[made.top])["mediaType"]
    about = {"io.containerd.image.name": name}
    size = len(made.blobs[made.top])
    entry = {"digest": made.top, "size": size, "mediaType": media_type, "annotations": about}
    (folder / "index.json").write_text(json.dumps({"manifests": [entry]}), "utf-8")


class Onlooker:
    """Who looks on, and remembers it: `said` is variant -> its states in turn, `retried` what is
    tried again and why.
    """

    def __init__(self) -> None:
        self.said: dict[str, list[Status]] = {}
        self.warnings: list[Finding] = []
        self.lines: list[str] = []
        self.retried: list[tuple[tuple[str, ...], Status, str]] = []

    def warn(self, finding: Finding) -> None:
        self.warnings.append(finding)

    def say(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def building(self, variants: Sequence[PlannedVariant]) -> Iterator[Onlooker]:
        yield self

    def set(self, name: str, status: Status, detail: str = "") -> None:
        self.said.setdefault(name, []).append(status)

    def again(self, names: Sequence[str], status: Status, why: str) -> None:
        self.retried.append((tuple(names), status, why))

    def watch(self, state: State) -> None:
        pass


def push(
    plan: BuildPlan, engine: Builder, path: Path, onlooker: Onlooker | None = None, **asked: Any
) -> run.Outcome:
    """A run of `build --push` with this builder."""
    options = run.BuildOptions(release=path, push=True, **asked)
    return run.build(plan, options, engine, Registry(Site()), onlooker or Onlooker())


def place(plan: BuildPlan, name: str) -> tuple[str, str]:
    """The repository's path and the fingerprint tag of a variant."""
    (variant,) = (v for v in plan.variants if v.name == name)
    return variant.repository.partition("/")[2], variant.tag
