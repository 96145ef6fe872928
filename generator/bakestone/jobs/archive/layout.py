"""An OCI image layout on disk: blobs under their digests, each written whole or not at all, the
index last.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bakestone.clients.registry.manifest import (
    INDEX,
    MANIFEST,
    Descriptor,
    Json,
    Manifest,
    check_manifest,
    digest_of,
    document,
    is_digest,
)
from bakestone.errors import Finding, fail
from bakestone.files import (
    StrangeFileError,
    hash_of,
    open_regular,
    refused,
    scratch,
    sweep,
    write_text,
)
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import ARTIFACT, CONFIG, IMAGE, PLAIN, Catalog

_TITLE, _REF = "org.opencontainers.image.title", "org.opencontainers.image.ref.name"
_MARK = '{"imageLayoutVersion": "1.0.0"}\n'
_MAX_INDEX, MAX_CATALOG = 2**20, 2**28
"""Bytes that are read of files which say what the others are."""


class ArchiveLayout:
    """The archive in a folder, which need not be there yet.

    Anybody may have made it: only regular files are read, and nothing outside is changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self._index = folder / "index.json"  # written last

    def path(self, digest: str) -> Path:
        """Where a blob is."""
        return self.blobs / digest.removeprefix("sha256:")

    def right(self, digest: str) -> bool:
        """Whether a blob is there, with the bytes that its digest says."""
        return not self._fault(digest)

    def _fault(self, digest: str) -> str:
        """What is not right with a blob; empty when nothing is."""
        try:
            return "" if hash_of(self.path(digest))[0] == digest else "is altered"
        except FileNotFoundError:
            return "is missing"
        except StrangeFileError:
            return "is no regular file"
        except OSError as problem:
            raise self._unreadable(self.path(digest), problem) from problem

    def prepare(self) -> None:
        """Make the folder, or take one that holds an archive or the beginning of one.

        Raises `BakestoneError` for any other.
        """
        self._own()
        try:
            marked = (self.folder / "oci-layout").is_file()
            strange = not marked and self.folder.is_dir() and any(self.folder.iterdir())
            if strange or (self._index.is_file() and not self._archive()):
                hint = "give a new folder, or one that holds an archive"
                raise fail("there is something else in it", hint, name=str(self.folder))
            self.blobs.mkdir(parents=True, exist_ok=True)
            for place in (self.folder, self.blobs):
                sweep(place, ".new-")  # of a run that was killed
        except OSError as problem:
            raise refused("cannot write to it", str(self.folder), problem) from problem
        write_text(self.folder / "oci-layout", _MARK)

    @contextlib.contextmanager
    def writing(self, digest: str) -> Iterator[IO[bytes]]:
        """A stream for a blob, which is there only when the block ends well and wrote what the
        digest says; what it wrote, where that is empty.
        """
        with scratch("blob", self.folder) as folder:
            path = folder / "blob"
            try:
                with path.open("wb") as stream:
                    yield stream
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as problem:
                raise refused("cannot write to it", str(self.folder), problem) from problem
            self.adopt(path, digest)

    def put(self, content: bytes) -> str:
        """Write a small blob. Gives its digest."""
        digest = digest_of(content)
        with self.writing(digest) as stream:
            stream.write(content)
        return digest

    def adopt(self, path: Path, expected: str = "") -> tuple[str, int]:
        """Move a file of the same file system in as a blob. Gives digest and size.

        Raises `BakestoneError` when it has another digest than is expected.
        """
        try:
            digest, size = hash_of(path)
            if expected not in ("", digest):
                hint = "what was fetched was altered or cut off; try again"
                raise fail(f"it came with the digest {digest}", hint, name=expected)
            os.chmod(path, 0o644)
            os.replace(path, self.path(digest))
        except OSError as problem:
            raise refused("cannot write to it", str(self.folder), problem) from problem
        return digest, size

    def read(self, digest: str) -> bytes:
        """A small blob, checked.

        Raises `BakestoneError` when it is missing, too long or not what its digest says.
        """
        raw = self._bytes(self.path(digest), MAX_CATALOG)
        if digest_of(raw) != digest:
            hint = "copy the archive again, or run `bakestone archive create` again"
            raise fail("it does not have its digest", hint, name=str(self.path(digest)))
        return raw

    def seal(self, catalog: Catalog) -> str:
        """Write catalog, manifest and, last, the index; then remove blobs that nothing names.

        Gives the manifest's digest.
        """
        dumped = catalogs.dump(catalog)
        config = self.put(dumped)
        layers = []
        for digest, entry in sorted(catalog.blobs().items()):
            title = entry.name.rstrip("/").rpartition("/")[2] or entry.name
            layers.append(_described(PLAIN, digest, entry.size) | {"annotations": {_TITLE: title}})
        archive = {"mediaType": MANIFEST, "artifactType": ARTIFACT}
        parts = {"config": _described(CONFIG, config, len(dumped)), "layers": layers}
        raw = json.dumps({"schemaVersion": 2, **archive, **parts}, indent=1).encode() + b"\n"
        manifest = self.put(raw)
        images = [
            _described(e.media_type, e.digest, e.size) | {"annotations": {_REF: e.name}}
            for e in catalog.entries
            if e.kind == IMAGE
        ]
        listed = [archive | {"digest": manifest, "size": len(raw)}, *images]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        write_text(self._index, json.dumps(index, indent=1) + "\n")
        named = {manifest, config, *catalog.blobs()}
        for path in self.blobs.iterdir():
            digest = f"sha256:{path.name}"
            if is_digest(digest) and digest not in named and not path.is_dir():
                path.unlink()
        return manifest

    def manifest(self) -> Manifest:
        """The archive's manifest.

        Raises `BakestoneError` when the folder holds no archive.
        """
        self._own()
        digest = self._archive()
        if not digest:
            hint = "`bakestone archive create` makes one; one that was interrupted is run again"
            raise fail("there is no archive in it", hint, name=str(self.folder))
        return Manifest(digest, MANIFEST, self.read(digest))

    def catalog(self) -> Catalog:
        """What is in the archive. Raises `BakestoneError` when it cannot be read."""
        manifest = self.manifest()
        config = config_of(manifest, str(self.path(manifest.digest)))
        return catalogs.parse(self.read(config.digest), str(self.folder))

    def verify(self) -> tuple[Catalog, list[Finding]]:
        """Read every blob. Gives the catalog and a finding for each blob that is not what its
        digest says.
        """
        catalog, findings = self.catalog(), []
        hint = (
            "copy it again, or run `bakestone archive create` again where there is a network: it"
            " fetches this blob only"
        )
        for entry in sorted(catalog.blobs().values(), key=lambda e: (e.kind, e.name)):
            if fault := self._fault(entry.digest):
                names = catalog.variants_of(entry.digest)
                hit = f"{', '.join(names[:5])}{' and others' if len(names) > 5 else ''}"
                without = f"; without it {hit} cannot be built" if names else ""
                where = str(self.path(entry.digest))
                findings.append(Finding(f"the {entry} {fault}{without}", hint, name=where))
        return catalog, findings

    def _archive(self) -> str:
        """The digest of the archive's manifest; empty when the index names none."""
        if not self._index.is_file():
            return ""
        try:
            listed = document(self._bytes(self._index, _MAX_INDEX))["manifests"]
            found = (str(m["digest"]) for m in listed if m.get("artifactType") == ARTIFACT)
            return next(filter(is_digest, found), "")
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            hint = "copy the archive again"
            raise fail("it is no index of an OCI layout", hint, name=str(self._index)) from problem

    def _bytes(self, path: Path, limit: int) -> bytes:
        try:
            with open_regular(path) as stream:
                raw = stream.read(limit + 1)
        except OSError as problem:
            raise self._unreadable(path, problem) from problem
        if len(raw) > limit:
            hint = "it is not part of an archive that Bakestone made"
            raise fail(f"it is longer than {limit} bytes", hint, name=str(path))
        return raw

    def _own(self) -> None:
        """Refuse a folder of blobs that is a link: what it leads to is not the archive's."""
        for place in (self.blobs.parent, self.blobs):
            if place.is_symlink():
                raise fail("it is a link, not a folder", "copy the archive again", name=str(place))

    @staticmethod
    def _unreadable(path: Path, problem: OSError) -> Exception:
        hint = "copy the archive again, or check the permissions"
        return fail(f"cannot read it: {problem.strerror}", hint, name=str(path))


def config_of(manifest: Manifest, name: str) -> Descriptor:
    """The catalog that a manifest names.

    Raises `BakestoneError` when it is no archive's.
    """
    with contextlib.suppress(ValueError):
        check_manifest(manifest.raw)
        if manifest.config and manifest.config.media_type == CONFIG:
            return manifest.config
    hint = "was it made by `bakestone archive create`?"
    raise fail("it is no manifest of an archive", hint, name=name)


def _described(media_type: str, digest: str, size: int) -> Json:
    return {"mediaType": media_type, "digest": digest, "size": size}
