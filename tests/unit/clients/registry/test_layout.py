"""What BuildKit exported is read as it is, and only when it is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bakestone.clients.registry.layout import Layout
from tests.support.samples import refused


def test_an_export_that_is_cut_off_or_altered_is_not_sent(tmp_path: Path) -> None:
    content = b"layer" * 1000
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    path = tmp_path / "blobs" / "sha256" / digest.removeprefix("sha256:")
    path.parent.mkdir(parents=True)
    descriptor = {"digest": digest, "size": len(content)}
    for wrong in (content[:-1], content[:-1] + b"R"):
        path.write_bytes(wrong)
        (found,) = refused(lambda: Layout(tmp_path).checked(descriptor), code=3)
        assert found.message == f"the builder's export has no whole {digest}"
    path.unlink()
    (found,) = refused(lambda: Layout(tmp_path).checked(descriptor), code=3)
    assert found.message.endswith(f"{digest}: No such file or directory")
    (found,) = refused(lambda: Layout(tmp_path).checked({"digest": "sha256:../../x", "size": 1}))
    assert "is no SHA-256 digest" in found.message
    path.write_bytes(content)
    with Layout(tmp_path).checked(descriptor) as stream:
        assert stream.read() == content
