"""An OCI image layout on disk: blobs under their digests, each written whole or not at all, the
index last.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bakestone.errors import ENVIRONMENT, Finding, fail
from bakestone.files import StrangeFileError, hash_of, open_regular, write_text
from bakestone.jobs.archive import catalog as catalogs
from bakestone.jobs.archive.catalog import ARTIFACT, CONFIG, IMAGE, PLAIN, Catalog

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_TITLE, _REF = "org.opencontainers.image.title", "org.opencontainers.image.ref.name"
_MARK = '{"imageLayoutVersion": "1.0.0"}\n'
_MAX_INDEX, MAX_CATALOG = 2**20, 2**28
"""Bytes that are read of files which say what the others are."""


class Written:
    """What `ArchiveLayout.writing` gives: takes bytes, and knows their digest and size."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._sum = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> int:
        """Take bytes."""
        self._sum.update(chunk)
        self.size += len(chunk)
        return self._stream.write(chunk)

    @property
    def digest(self) -> str:
        """Of what was taken so far."""
        return f"sha256:{self._sum.hexdigest()}"


class ArchiveLayout:
    """The archive in a folder, which need not be there yet.

    Anybody may have made it: only regular files are read, and nothing outside is changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"

    def path(self, digest: str) -> Path:
        """Where a blob is."""
        return self.blobs / digest.removeprefix("sha256:")

    def right(self, digest: str) -> bool:
        """Whether a blob is there, with the bytes that its digest says."""
        try:
            return hash_of(self.path(digest))[0] == digest
        except (FileNotFoundError, StrangeFileError):
            return False
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
            if strange or ((self.folder / "index.json").is_file() and not self._descriptors()):
                hint = "give a new folder, or one that holds an archive"
                raise fail("there is something else in it", hint, name=str(self.folder))
            self.blobs.mkdir(parents=True, exist_ok=True)
            # of a run that was killed
            for left in [*self.blobs.glob(".new-*"), *self.folder.glob(".new-*")]:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        except OSError as problem:
            raise self._unwritable(problem) from problem
        write_text(self.folder / "oci-layout", _MARK)

    @contextmanager
    def writing(self, digest: str = "") -> Iterator[Written]:
        """Write a blob; it is there only when the block ends well and, with a `digest`, is what
        that says.
        """
        try:
            handle, temporary = tempfile.mkstemp(prefix=".new-", dir=self.blobs)
            try:
                with os.fdopen(handle, "wb") as stream:
                    written = Written(stream)
                    yield written
                    stream.flush()
                    os.fsync(stream.fileno())
                if digest and written.digest != digest:
                    hint = "what was fetched was altered or cut off; try again"
                    raise fail(f"it came with the digest {written.digest}", hint, name=digest)
                os.chmod(temporary, 0o644)
                os.replace(temporary, self.path(written.digest))
            finally:
                Path(temporary).unlink(missing_ok=True)
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def put(self, content: bytes) -> str:
        """Write a small blob. Gives its digest."""
        with self.writing() as written:
            written.write(content)
        return written.digest

    def adopt(self, path: Path) -> tuple[str, int]:
        """Move a file of the same file system in as a blob. Gives digest and size."""
        try:
            digest, size = hash_of(path)
            os.chmod(path, 0o644)
            os.replace(path, self.path(digest))
        except OSError as problem:
            raise self._unwritable(problem) from problem
        return digest, size

    def read(self, digest: str, limit: int = MAX_CATALOG) -> bytes:
        """A small blob, checked.

        Raises `BakestoneError` when it is missing, too long or not what its digest says.
        """
        raw = self._bytes(self.path(digest), limit)
        if f"sha256:{hashlib.sha256(raw).hexdigest()}" != digest:
            hint = "copy the archive again, or run `bakestone archive create` again"
            raise fail("it does not have its digest", hint, name=str(self.path(digest)))
        return raw

    def seal(self, catalog: Catalog) -> str:
        """Write catalog, manifest and, last, the index; then remove blobs that nothing names.

        Gives the manifest's digest.
        """
        config = catalogs.dump(catalog)
        layers = [
            {
                "mediaType": PLAIN,
                "digest": digest,
                "size": entry.size,
                "annotations": {_TITLE: entry.name.rstrip("/").rpartition("/")[2] or entry.name},
            }
            for digest, entry in sorted(catalog.blobs().items())
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": ARTIFACT,
            "config": {"mediaType": CONFIG, "digest": self.put(config), "size": len(config)},
            "layers": layers,
        }
        raw = json.dumps(manifest, indent=1).encode() + b"\n"
        digest = self.put(raw)
        images = [
            {
                "mediaType": e.media_type,
                "digest": e.digest,
                "size": e.size,
                "annotations": {_REF: e.name},
            }
            for e in catalog.entries
            if e.kind == IMAGE
        ]
        descriptor = {
            "mediaType": MANIFEST,
            "artifactType": ARTIFACT,
            "digest": digest,
            "size": len(raw),
        }
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [descriptor, *images]}
        write_text(self.folder / "index.json", json.dumps(index, indent=1) + "\n")
        self._prune({digest, manifest["config"]["digest"], *catalog.blobs()})  # type: ignore[index]
        return digest

    def manifest(self) -> tuple[str, bytes]:
        """Digest and bytes of the archive's manifest.

        Raises `BakestoneError` when the folder holds no archive.
        """
        self._own()
        found = self._descriptors()
        if not found:
            hint = "`bakestone archive create` makes one; one that was interrupted is run again"
            raise fail("there is no archive in it", hint, name=str(self.folder))
        return found[0], self.read(found[0])

    def catalog(self) -> Catalog:
        """What is in the archive. Raises `BakestoneError` when it cannot be read."""
        digest, raw = self.manifest()
        return catalogs.parse(self.read(config_of(raw, str(self.path(digest)))), str(self.folder))

    def verify(self) -> tuple[Catalog, list[Finding]]:
        """Read every blob. Gives the catalog and a finding for each blob that is not what its
        digest says.
        """
        catalog = self.catalog()
        findings = []
        for digest, entry in sorted(
            catalog.blobs().items(), key=lambda pair: (pair[1].kind, pair[1].name)
        ):
            if self.right(digest):
                continue
            names = catalog.variants_of(digest)
            hit = f"{', '.join(names[:5])}{' and others' if len(names) > 5 else ''}"
            without = f"; without it {hit} cannot be built" if names else ""
            findings.append(
                Finding(
                    f"the {entry} {self._fault(digest)}{without}",
                    "copy it again, or run `bakestone archive create` again where there is a"
                    " network: it fetches this blob only",
                    name=str(self.path(digest)),
                )
            )
        return catalog, findings

    def _descriptors(self) -> list[str]:
        path = self.folder / "index.json"
        if not path.is_file():
            return []
        try:
            listed = json.loads(self._bytes(path, _MAX_INDEX))["manifests"]
            return [
                m["digest"]
                for m in listed
                if m.get("artifactType") == ARTIFACT and catalogs.is_digest(m["digest"])
            ]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            raise fail(
                "it is no index of an OCI layout", "copy the archive again", name=str(path)
            ) from problem

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

    def _prune(self, named: set[str]) -> None:
        for path in self.blobs.iterdir():
            digest = f"sha256:{path.name}"
            if catalogs.is_digest(digest) and digest not in named and not path.is_dir():
                path.unlink()

    def _fault(self, digest: str) -> str:
        path = self.path(digest)
        if path.is_symlink() or (path.exists() and not path.is_file()):
            return "is no regular file"
        return "is altered" if path.exists() else "is missing"

    def _own(self) -> None:
        """Refuse a folder of blobs that is a link: what it leads to is not the archive's."""
        for place in (self.blobs.parent, self.blobs):
            if place.is_symlink():
                raise fail("it is a link, not a folder", "copy the archive again", name=str(place))

    def _unwritable(self, problem: OSError) -> Exception:
        why = f"cannot write to it: {problem.strerror}"
        hint = "make room, or check the permissions"
        return fail(why, hint, name=str(self.folder), code=ENVIRONMENT)

    @staticmethod
    def _unreadable(path: Path, problem: OSError) -> Exception:
        hint = "copy the archive again, or check the permissions"
        return fail(f"cannot read it: {problem.strerror}", hint, name=str(path))


def config_of(manifest: bytes, name: str) -> str:
    """The digest of the catalog that a manifest names.

    Raises `BakestoneError` when it is no archive's.
    """
    try:
        data: dict[str, Any] = json.loads(manifest)
        digest = data["config"]["digest"]
        if data["config"]["mediaType"] == CONFIG and catalogs.is_digest(digest):
            return str(digest)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise fail(
        "it is no manifest of an archive", "was it made by `bakestone archive create`?", name=name
    )
