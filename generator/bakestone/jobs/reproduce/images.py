"""Two images side by side: layer by layer, file by file, and their configurations."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from bakestone.clients.registry.manifest import Json
from bakestone.errors import fail
from bakestone.jobs.reproduce.layers import Difference, LayerFile, differences, listing
from bakestone.jobs.reproduce.stores import Store


@dataclass(frozen=True)
class LayerDifference:
    """A layer that two images do not have alike.

    `number` counts from 1; sizes are compressed, in bytes.

    With `same_content` the layers are the same tar stream, compressed in another way, as another
    BuildKit does. Without it and without `files`, the files are alike and only their order is
    another.
    """

    number: int
    instruction: str
    before: str
    size_before: int
    after: str
    size_after: int
    same_content: bool
    files: tuple[Difference, ...]

    def as_dict(self) -> Json:
        """For `--format json`."""
        sizes = {
            "before": {"digest": self.before, "size": self.size_before},
            "after": {"digest": self.after, "size": self.size_after},
        }
        about = {
            "layer": self.number,
            "instruction": self.instruction,
            "same_content": self.same_content,
        }
        return {**about, **sizes, "files": [f.as_dict() for f in self.files]}


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
        return {"path": self.path, "before": self.before, "after": self.after}


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
        names = ("layers", "config", "manifest")
        return {name: [one.as_dict() for one in getattr(self, name)] for name in names}


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
    layers = []
    names = _instructions(configs[0]), _instructions(configs[1])
    contents = [
        (c.get("rootfs") or {}).get("diff_ids") or [] for c in configs
    ]  # digests before compression
    pairs = itertools.zip_longest(manifests[0]["layers"], manifests[1]["layers"])
    for index, (old, new) in enumerate(pairs):
        if old and new and old["digest"] == new["digest"]:
            continue
        same = index < min(map(len, contents)) and contents[0][index] == contents[1][index]
        files = () if same else tuple(differences(_files(before, old), _files(after, new)))
        instruction = next(
            (n[index] for n in (names if old else names[::-1]) if index < len(n)), ""
        )
        layers.append(
            LayerDifference(index + 1, instruction, *_facts(old), *_facts(new), same, files)
        )
    plain = [{k: v for k, v in m.items() if k not in ("config", "layers")} for m in manifests]
    options = [
        {
            str(n): {k: v for k, v in d.items() if k not in ("digest", "size")}
            for n, d in enumerate(m["layers"], 1)
        }
        for m in manifests
    ]
    shown = tuple(_values(plain[0] | {"layers": options[0]}, plain[1] | {"layers": options[1]}))
    return ImageDifference(
        tuple(layers),
        tuple(_values(_without_layers(configs[0]), _without_layers(configs[1]))),
        shown,
    )


def _facts(descriptor: Json | None) -> tuple[str, int]:
    return (descriptor["digest"], descriptor["size"]) if descriptor else ("", 0)


def _files(store: Store, descriptor: Json | None) -> dict[str, LayerFile]:
    if descriptor is None:
        return {}
    with store.open(descriptor) as stream:
        return listing(stream, descriptor["digest"])


def _instructions(config: Json) -> list[str]:
    """What made each layer, by the image's own history."""
    history = config.get("history") or []
    return [str(entry.get("created_by", "")) for entry in history if not entry.get("empty_layer")]


def _without_layers(config: Json) -> Json:
    # the layers' own digests: told with the layers
    return {k: v for k, v in config.items() if k != "rootfs"}


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
