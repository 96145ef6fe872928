"""Two images side by side: layer by layer, file by file, and their configurations; each in an OCI
layout on disk or in a registry, whose parts are checked against their digests.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bakestone.clients.registry import blobs
from bakestone.clients.registry.client import Registry
from bakestone.clients.registry.layout import Layout, parsed
from bakestone.clients.registry.manifest import Json
from bakestone.errors import fail
from bakestone.jobs.reproduce.layers import Difference, LayerFile, differences, listing


@dataclass(frozen=True)
class Published:
    """A repository of a registry; layers pass through a temporary file below `folder`, one at a
    time.
    """

    registry: Registry
    repository: str
    folder: Path

    def manifest(self, digest: str) -> Json:
        """A manifest or index."""
        return self.registry.need(f"{self.repository}@{digest}").data

    def document(self, descriptor: Json) -> Json:
        """A JSON blob."""
        digest = descriptor["digest"]
        return parsed(self.registry.blob(f"{self.repository}@{digest}"), digest)

    @contextmanager
    def open(self, descriptor: Json) -> Iterator[IO[bytes]]:
        """A blob as a stream, fetched whole and checked before anything is read from it."""
        with tempfile.TemporaryFile(dir=self.folder) as stream:
            digest, size = descriptor["digest"], descriptor["size"]
            blobs.fetch(self.registry, self.repository, digest, stream, size)
            stream.seek(0)
            yield stream


Store = Layout | Published
"""What comparing two images needs of the place where one of them is."""


@dataclass(frozen=True)
class Layer:
    """A layer of an image; `size` is compressed, in bytes, `content` the digest before compression,
    `instruction` what made it. All is empty where there is no such layer.
    """

    digest: str = ""
    size: int = 0
    content: str = ""
    instruction: str = ""

    def as_dict(self) -> Json:
        """As manifests describe it, and for `--format json`."""
        return {"digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class LayerDifference:
    """A layer that two images do not have alike; `number` counts from 1.

    With `same_content` the layers are the same tar stream, compressed in another way, as another
    BuildKit does. Without it and without `files`, the files are alike and only their order is
    another.
    """

    number: int
    before: Layer
    after: Layer
    same_content: bool
    files: tuple[Difference, ...]

    @property
    def instruction(self) -> str:
        """What made it."""
        return self.before.instruction or self.after.instruction

    def as_dict(self) -> Json:
        """For `--format json`."""
        return {
            "layer": self.number,
            "instruction": self.instruction,
            "same_content": self.same_content,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "files": [file.as_dict() for file in self.files],
        }


@dataclass(frozen=True)
class ConfigDifference:
    """A value of the image configuration, such as `config.Env.0`, that two images do not have
    alike; None for none.
    """

    path: str
    before: object
    after: object

    def as_dict(self) -> Json:
        """For `--format json`."""
        return {**vars(self)}


@dataclass(frozen=True)
class ImageDifference:
    """All that two images do not have alike."""

    layers: tuple[LayerDifference, ...]
    config: tuple[ConfigDifference, ...]
    manifest: tuple[ConfigDifference, ...]

    @property
    def same_content(self) -> bool:
        """Whether only the compression is another: the same files, byte for byte, and the same
        configuration.
        """
        return not self.config and all(layer.same_content for layer in self.layers)

    def as_dict(self) -> Json:
        """For `--format json`."""
        return {name: [one.as_dict() for one in found] for name, found in vars(self).items()}


def compare(before: Store, first: str, after: Store, second: str) -> ImageDifference:
    """What two single-platform images, by their manifests' digests, do not have alike.

    Layers with one digest, compressed or not, are not read.
    """
    manifests = before.manifest(first), after.manifest(second)
    if any("layers" not in m or "config" not in m for m in manifests):
        raise fail(
            f"{first} or {second} is no image manifest", "was the image made by something else?"
        )
    configs = before.document(manifests[0]["config"]), after.document(manifests[1]["config"])
    pairs = itertools.zip_longest(*map(_layers, manifests, configs), fillvalue=Layer())
    layers = []
    for number, (old, new) in enumerate(pairs, 1):
        if old.digest != new.digest:
            same = old.content == new.content != ""
            files = () if same else tuple(differences(_files(before, old), _files(after, new)))
            layers.append(LayerDifference(number, old, new, same, files))
    # the layers' digests are told with the layers
    config = _values(_but(configs[0], "rootfs"), _but(configs[1], "rootfs"))
    manifest = _values(_bare(manifests[0]), _bare(manifests[1]))
    return ImageDifference(tuple(layers), tuple(config), tuple(manifest))


def _layers(manifest: Json, config: Json) -> list[Layer]:
    """The layers of an image, with what its configuration says of each."""
    contents = dict(enumerate((config.get("rootfs") or {}).get("diff_ids") or []))
    history = [step for step in config.get("history") or [] if not step.get("empty_layer")]
    made = {number: str(step.get("created_by", "")) for number, step in enumerate(history)}
    return [
        Layer(layer["digest"], layer["size"], contents.get(number, ""), made.get(number, ""))
        for number, layer in enumerate(manifest["layers"])
    ]


def _files(store: Store, layer: Layer) -> dict[str, LayerFile]:
    if not layer.digest:
        return {}
    with store.open(layer.as_dict()) as stream:
        return listing(stream, layer.digest)


def _bare(manifest: Json) -> Json:
    """A manifest without digests and sizes."""
    layers = [_but(layer, "digest", "size") for layer in manifest["layers"]]
    numbered = {str(number): layer for number, layer in enumerate(layers, 1)}
    return _but(manifest, "config") | {"layers": numbered}


def _but(data: Json, *keys: str) -> Json:
    return {key: value for key, value in data.items() if key not in keys}


def _values(before: object, after: object, path: str = "") -> Iterator[ConfigDifference]:
    if before == after:
        return
    if isinstance(before, list) and isinstance(after, list):
        before, after = dict(enumerate(before)), dict(enumerate(after))
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _values(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))
    else:
        yield ConfigDifference(path, before, after)
