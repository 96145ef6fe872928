"""Images in OCI layouts, as BuildKit exports them, made by hand."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from bakestone.clients.registry.layout import Layout

File = dict[str, Any]


def tar(*files: File) -> bytes:
    """A tar with members by their TarInfo attributes; `content` is a regular file's."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            content = file.get("content", b"")
            member = tarfile.TarInfo(file["name"])
            member.size = len(content)
            for key in file.keys() - {"name", "content"}:
                setattr(member, key, file[key])
            archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()


class Image:
    """An image in an OCI layout of its own; layers are (instruction, tar, compression level)."""

    def __init__(
        self,
        folder: Path,
        layers: list[tuple[str, bytes, int]],
        *,
        name: str = "x:1",
        **config: Any,
    ) -> None:
        self.folder = folder
        described = [self.blob(gzip.compress(raw, level, mtime=0)) for _, raw, level in layers]
        diff_ids = [f"sha256:{hashlib.sha256(raw).hexdigest()}" for _, raw, _ in layers]
        history = [{"created_by": text} for text, _, _ in layers] + [
            {"created_by": "ENV A=b", "empty_layer": True}
        ]
        about = {
            "history": history,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "config": config,
        }
        manifest = {
            "schemaVersion": 2,
            "config": self.blob(json.dumps(about).encode()),
            "layers": described,
        }
        top = self.blob(json.dumps(manifest).encode())
        self.digest = str(top["digest"])
        entry = top | {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "annotations": {"io.containerd.image.name": name},
        }
        (folder / "index.json").write_text(json.dumps({"manifests": [entry]}), "utf-8")
        self.store = Layout(folder)

    def blob(self, raw: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(raw).hexdigest()
        path = self.folder / "blobs" / "sha256" / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        return {"digest": f"sha256:{digest}", "size": len(raw)}
