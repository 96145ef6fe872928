"""What registries answer, before it is used: small enough, and what it claims to be."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import Any

import requests

from bakestone.clients.http.session import BrokenError, pieces

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST_TYPES = (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
MAX_DOCUMENT = 4 * 2**20
"""Bytes of a manifest or an image's configuration: what registries themselves take at most."""
MAX_SAID = 4096
"""Bytes of an error's body that are looked at."""

Json = dict[str, Any]
"""A JSON object that came from outside; what is taken out of it is checked first."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WORD = re.compile(r"[a-z0-9_.-]{0,40}")


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of a blob or of another manifest; `size` in bytes."""

    digest: str
    size: int = 0
    media_type: str = ""


@dataclass(frozen=True)
class Manifest:
    """A manifest or index as the registry has it."""

    digest: str
    media_type: str
    raw: bytes

    @property
    def data(self) -> Json:
        """The parsed JSON."""
        loaded: Json = json.loads(self.raw)
        return loaded

    @property
    def platforms(self) -> dict[str, str]:
        """Of an index: platform -> manifest digest; attestations are left out."""
        entries = self.data.get("manifests", [])
        named = ((platform(entry.get("platform")), entry["digest"]) for entry in entries)
        return {platform: digest for platform, digest in named if platform}

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """Of a manifest: its layers, from the base up."""
        return tuple(_descriptor(entry) for entry in self.data.get("layers", []))

    @property
    def config(self) -> Descriptor | None:
        """Of a manifest: the image's configuration."""
        entry = self.data.get("config")
        return _descriptor(entry) if entry else None


def document(raw: bytes) -> Json:
    """A JSON object. Raises `ValueError` with a reason for people."""
    try:
        loaded = json.loads(raw)
    except (ValueError, RecursionError) as problem:
        page = raw.lstrip()[:15].lower().startswith((b"<!doctype", b"<html"))
        raise ValueError("a web page came instead" if page else "it is not JSON") from problem
    if not isinstance(loaded, dict):
        raise ValueError("it is not a JSON object")
    if b"\\ud" in raw or b"\\uD" in raw:
        try:  # half a character, which can be written nowhere
            json.dumps(loaded, ensure_ascii=False).encode()
        except UnicodeError as problem:
            raise ValueError("it holds text that is none") from problem
    return loaded


def check_manifest(raw: bytes) -> None:
    """Raise `ValueError` when this is neither an image manifest nor an index of them, or has
    another shape than the image specification gives it.
    """
    data = document(raw)
    if "manifests" in data and ("config" in data or "layers" in data):
        raise ValueError("it is both an image manifest and an index")
    if "manifests" in data:
        if not _are_descriptors(data["manifests"]):
            raise ValueError(
                "it is an index with an entry without a digest (SHA-256) or with an odd size"
            )
    elif "config" in data:
        if not _are_descriptors([data["config"]]):
            raise ValueError("its configuration has no digest (SHA-256) or an odd size")
        layers = data.get("layers", [])
        if not _are_descriptors(layers) or not all("size" in layer for layer in layers):
            raise ValueError("it has a layer without a digest (SHA-256) or a size")
    else:
        old = data.get("schemaVersion") == 1
        unknown = "it is neither an image manifest nor an index"
        raise ValueError("it is of the old schema 1" if old else unknown)


def _are_descriptors(entries: object) -> bool:
    return isinstance(entries, list) and all(_is_descriptor(entry) for entry in entries)


def _is_descriptor(entry: object) -> bool:
    if not isinstance(entry, dict) or not is_digest(entry.get("digest")):
        return False
    size, notes = entry.get("size", 0), entry.get("annotations") or {}
    return (
        isinstance(size, int)
        and not isinstance(size, bool)
        and size >= 0
        and isinstance(entry.get("mediaType", ""), str)
        and isinstance(notes, dict)
        and all(isinstance(note, str) for note in notes.values())
    )


def _descriptor(entry: Json) -> Descriptor:
    return Descriptor(entry["digest"], entry.get("size", 0), entry.get("mediaType", ""))


def is_digest(value: object) -> bool:
    """Whether it is `sha256:` and 64 hex digits."""
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))


def digest_of(raw: bytes) -> str:
    """SHA-256, as registries write it."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def has_digest(raw: bytes, digest: str) -> bool:
    """Whether it is the digest of these bytes: SHA-256, or SHA-512, which a registry may prefer."""
    algorithm, _, stated = digest.partition(":")
    known = algorithm in ("sha256", "sha512")
    return known and hashlib.new(algorithm, raw).hexdigest() == stated


def media_type(stated: str, data: Json) -> str:
    """What a manifest is sent on as: what its registry stated, where that is a manifest's type."""
    kinds = INDEX_TYPES if "manifests" in data else MANIFEST_TYPES
    return next((kind for kind in (stated, data.get("mediaType")) if kind in kinds), kinds[0])


def platform(about: object) -> str:
    """`linux/arm64` of an index's entry or a configuration; empty for others (attestations)."""
    if not isinstance(about, dict) or about.get("os") != "linux":
        return ""
    words = ["linux", about.get("architecture", ""), about.get("variant") or ""]
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words) or not words[1]:
        return ""
    return "/".join(word for word in words if word).removesuffix("/v8")


def said(response: requests.Response) -> str:
    """The first words of an error's body, on one line; nothing of a web page."""
    raw = b""
    with contextlib.suppress(BrokenError):
        for piece in pieces(response, time.monotonic() + 10):
            raw += piece
            if len(raw) >= MAX_SAID:
                break
    text = raw[:MAX_SAID].decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
