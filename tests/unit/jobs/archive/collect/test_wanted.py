"""What a selection needs from outside, and who needs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bakestone.core.library.catalog import Library
from bakestone.jobs.archive.catalog import FILE, WHEEL
from bakestone.jobs.archive.collect import wanted
from tests.support.samples import MANY, made_up_lock, project, refused


def test_what_is_wanted_names_the_variants_and_the_platforms(
    tmp_path: Path, library: Library
) -> None:
    made = project(tmp_path, MANY, library=library)
    lock = made_up_lock(made.matrix.variants, library)
    found = wanted.of(made.matrix.variants, library, lock)
    names = {v.name for v in made.matrix.variants}
    assert {name for users in found.images.values() for name in users.variants} == names
    (gpu,) = (v for v in made.matrix.variants if v.family.name == "gpu")
    assert set(found.images["docker.io/library/debian:12"].platforms) == {
        "linux/amd64",
        "linux/arm64",
    }
    assert {w.variants for w in found.blobs if w.kind == WHEEL} == {(gpu.name,)}
    files = [blob for blob in found.blobs if blob.kind == FILE]
    assert files
    assert all(f.digest == f"sha256:{lock.artifacts[f.name].sha256}" for f in files)


def test_a_base_without_a_digest_is_refused_by_name(tmp_path: Path, library: Library) -> None:
    made = project(tmp_path, MANY, library=library)
    lock = made_up_lock(made.matrix.variants, library)
    lock.bases["docker.io/library/debian:12"] = replace(
        lock.bases["docker.io/library/debian:12"], digest=""
    )
    (finding,) = refused(lambda: wanted.of(made.matrix.variants, library, lock))
    assert finding.message.startswith("docker.io/library/debian:12 has no digest in the lock")
