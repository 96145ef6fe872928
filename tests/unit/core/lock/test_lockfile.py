"""The lock: written the same each time, and read with suspicion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.library.catalog import Library
from bakestone.core.lock import lockfile, survey
from bakestone.core.lock.lock import Lock, LockedArtifact, LockedBase
from bakestone.project import Project
from tests.support.samples import (
    AZUREML,
    FIRST,
    MANY,
    locked,
    made_up,
    made_up_lock,
    project,
    refused,
    stale,
)


@pytest.fixture
def lock(library: Library, tmp_path: Path) -> Lock:
    """A lock with all three ways to pin packages, files and wheels."""
    made = project(
        tmp_path / "made", MANY + AZUREML.partition("families:\n")[2], library=library
    ).matrix
    return made_up_lock(made.variants, library)


def test_what_is_written_is_what_is_read(lock: Lock, tmp_path: Path) -> None:
    assert {p.pins for p in lock.packages.values()} == {"snapshot", "versions", "frozen"}
    path = tmp_path / "images.lock.yaml"
    assert lockfile.write(lock, path)
    again = lockfile.load(path)
    assert again == lock
    assert lockfile.dump(again) == path.read_text("utf-8")


def before(text: str) -> str:
    """A lock as the format before has it: each package a key."""
    plain = yaml.safe_load(text) | {"version": 1}
    for entry in plain["packages"].values():
        for one in (one for sets in entry.get("platforms", {}).values() for one in sets):
            one["versions"] = dict(line.split(" ") for line in one["versions"].splitlines())
    return yaml.safe_dump(plain, sort_keys=False)


def test_the_format_before_is_read_and_the_new_one_is_written(lock: Lock, tmp_path: Path) -> None:
    path, text = tmp_path / "images.lock.yaml", lockfile.dump(lock)
    path.write_text(before(text), "utf-8")
    again = lockfile.load(path)
    assert again == lock
    assert lockfile.write(again, path)
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("curl 1; id", '"curl 1; id" is not a package and its version'),
        ("curl", '"curl" is not a package and its version'),
        ("curl 1-", '"curl 1-" is not a package and its version'),  # apt would remove it
        ("curl- 1", '"curl- 1" is not a package and its version'),
        ("curl 1 2", '"curl 1 2" is not a package and its version'),
        ("--x 1", '"--x 1" is not a package and its version'),
        ("\tcurl 1", '"\\tcurl 1" is not a package and its version'),
        ("bzip2 2", "the package bzip2 is there twice"),
        ("<<<<<<< HEAD", '"<<<<<<< HEAD" is not a package and its version'),
    ],
)
def test_what_is_no_package_is_told_at_its_line(
    line: str, message: str, lock: Lock, tmp_path: Path
) -> None:
    lines = lockfile.dump(lock).splitlines()
    at = next(n for n, one in enumerate(lines) if one.strip().startswith("bzip2 ")) + 1
    indent = len(lines[at - 1]) - len(lines[at - 1].lstrip())
    lines.insert(at, " " * indent + line)
    path = tmp_path / "images.lock.yaml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    (found,) = refused(lambda: lockfile.load(path))
    assert (found.message, found.line) == (message, at + 1)


def test_the_same_lock_is_not_written_again(lock: Lock, tmp_path: Path) -> None:
    path = tmp_path / "images.lock.yaml"
    assert lockfile.write(lock, path)
    before = path.stat().st_mtime_ns
    assert not lockfile.write(lock, path)
    assert path.stat().st_mtime_ns == before


def test_the_order_of_entries_does_not_show_in_the_file(lock: Lock) -> None:
    text = lockfile.dump(lock)
    lock.bases = dict(reversed(lock.bases.items()))
    lock.packages = dict(reversed(lock.packages.items()))
    lock.artifacts = dict(reversed(lock.artifacts.items()))
    lock.wheels = dict(reversed(lock.wheels.items()))
    assert lockfile.dump(lock) == text


def test_a_base_without_a_digest_is_kept_as_such(lock: Lock, tmp_path: Path) -> None:
    ref = next(iter(lock.bases))
    lock.bases[ref] = LockedBase("", {}, "library", "2026-11-22T00:00:00Z", 0, "nobody knows it")
    path = tmp_path / "images.lock.yaml"
    lockfile.write(lock, path)
    assert yaml.safe_load(path.read_text("utf-8"))["bases"][ref]["digest"] is None
    assert lockfile.load(path) == lock


def test_a_missing_lock_is_answered_with_the_command_that_makes_it(
    library: Library, tmp_path: Path
) -> None:
    (found,) = refused(lambda: project(tmp_path, library=library).lock)
    assert found.message == f"the lock not found: {tmp_path / 'images.lock.yaml'}"
    assert found.hint == "run `bakestone lock` to make it"


STALE = {
    "another base": (
        "ubuntu@22.04, ubuntu@24.04",
        "ubuntu@22.04, ubuntu@20.04",
        ["docker.io/library/ubuntu:20.04 is not in it", "ubuntu:24.04 is no longer used"],
    ),
    "another file": (
        "openmpi@4.1.8, openmpi@5.0.10",
        "openmpi@4.1.8, openmpi@5.0.9",
        ["openmpi 5.0.9 (", "images.yaml:8:28) is not locked: 1 file to resolve"],
    ),
    "a file less": ('git: ["2.53.0"]', "git: [none]", ["git-2.53.0.tar.gz is no longer used"]),
    "another wheel": (
        'nccl: "2.27.7"',
        'nccl: "2.31.2"',
        ["nccl 2.27.7 -> 2.31.2 (", "is not locked: 1 wheel to resolve and 1 wheel to leave out"],
    ),
    "another package": (
        "{openmpi: wheel}",
        "{openmpi: wheel}\n    packages: [curl]",
        ["the packages", "on docker.io/library/debian:12 for linux/arm64"],
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), STALE.values(), ids=list(STALE))
def test_a_stale_lock_says_what_changed(
    old: str, new: str, said: list[str], library: Library, tmp_path: Path
) -> None:
    locked(tmp_path, MANY, library=library)
    text = MANY.replace(old, new).replace(
        "ubuntu@24.04, mpi: openmpi@4.1.*", "ubuntu@2*, mpi: openmpi@4.1.*"
    )
    assert text != MANY
    found = refused(lambda: project(tmp_path, text, library=library).lock)
    told = "\n".join(f.message for f in found)
    for part in said:
        assert part in told
    assert all(f.message.startswith("the lock is stale: ") for f in found)
    assert all(f.hint == "run `bakestone lock`, then `bakestone generate`" for f in found)
    assert all(str(tmp_path / "images.lock.yaml") in f.text for f in found)


def test_a_lock_for_a_selection_is_fresh_for_that_selection(
    library: Library, tmp_path: Path
) -> None:
    made = project(tmp_path, MANY, library=library)
    lock = made_up_lock(made.select(["family=gpu"]), library)
    lock.selection = ("family=gpu",)
    lockfile.write(lock, made.lock_path)
    assert [v.family.name for v in made.locked_variants] == ["gpu"]


def test_reasons_and_names_do_not_make_a_lock_stale(library: Library, tmp_path: Path) -> None:
    locked(tmp_path, MANY, library=library)
    text = MANY.replace("the old MPI stays on the old distro", "another reason").replace(
        "registry.example.com", "other.example.com"
    )
    assert project(tmp_path, text, library=library).lock


def test_the_inputs_do_not_depend_on_the_order_of_the_variants(
    library: Library, tmp_path: Path
) -> None:
    variants = project(tmp_path, MANY, library=library).matrix.variants
    assert (
        survey.collect(variants, library).fingerprint()
        == survey.collect(list(reversed(variants)), library).fingerprint()
    )


def test_a_tampered_checksum_in_the_library_makes_the_lock_stale(
    library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    wanted = survey.collect(made.matrix.variants, library)
    lock = lockfile.load(made.lock_path)
    url = next(iter(lock.artifacts))
    lock.artifacts[url] = LockedArtifact("0" * 64, 0, "x")
    lock.inputs = "sha256:" + "0" * 64
    (found,) = stale(lock, wanted, made.lock_path)
    assert "has another checksum in the library" in found.message


Change = Callable[[dict[str, dict[str, dict[str, object]]]], None]


def set_version(text: str) -> Change:
    """Put `text` where a package's version is."""

    def change(plain: dict[str, dict[str, dict[str, object]]]) -> None:
        platforms = plain["packages"]["docker.io/library/debian:12"]["platforms"]
        assert isinstance(platforms, dict)
        (one, *_) = platforms["linux/amd64"]
        one["versions"] = {"bzip2": text}  # as the format before has it

    return change


def set_package(text: str) -> Change:
    """Put `text` where a package's name is."""

    def change(plain: dict[str, dict[str, dict[str, object]]]) -> None:
        platforms = plain["packages"]["docker.io/library/debian:12"]["platforms"]
        assert isinstance(platforms, dict)
        (one, *_) = platforms["linux/amd64"]
        one["versions"] = {text: "1.0"}

    return change


def set_base(key: str, value: object) -> Change:
    def change(plain: dict[str, dict[str, dict[str, object]]]) -> None:
        plain["bases"]["docker.io/library/debian:12"][key] = value

    return change


def set_packages(ref: str, key: str, value: object) -> Change:
    def change(plain: dict[str, dict[str, dict[str, object]]]) -> None:
        plain["packages"][f"docker.io/library/{ref}"][key] = value

    return change


def set_wheel(key: str, value: object) -> Change:
    def change(plain: dict[str, dict[str, dict[str, object]]]) -> None:
        files = plain["wheels"]["openmpi==5.0.10"]["linux/amd64"]
        assert isinstance(files, dict)
        files[key] = value

    return change


def add_artifact(url: str, sha256: str = "0" * 64) -> Change:
    def change(plain: dict[str, dict[str, dict[str, object]]]) -> None:
        plain["artifacts"][url] = {"component": "git@2.53.0", "sha256": sha256}

    return change


def add_keyring(url: str, fingerprint: str, **more: str) -> Change:
    def change(plain: dict[str, dict[str, dict[str, object]]]) -> None:
        plain["keyrings"] = {"vendor": {"url": url, "fingerprint": fingerprint, **more}}

    return change


HOSTILE: dict[str, Change] = {
    "newline in a package version": set_version("1.0\nRUN id"),
    "newline at the end of a package version": set_version("1.0\n"),
    "semicolon in a package version": set_version("1.0;id"),
    "dollar in a package version": set_version("1.0$(id)"),
    "option in place of a version": set_version("-o=x"),
    "number in place of a version": set_version(1.5),  # type: ignore[arg-type]
    "option in place of a package": set_package("--allow-unauthenticated"),
    "space in a package": set_package("a b"),
    "quote in a URL": add_artifact("https://example.com/a'b"),
    "double quote in a URL": add_artifact('https://example.com/a"b'),
    "newline in a URL": add_artifact("https://example.com/a\nRUN id"),
    "file URL": add_artifact("file:///etc/passwd"),
    "credentials in a URL": add_artifact("https://user:secret@example.com/a"),
    "short checksum": add_artifact("https://example.com/a", "0" * 63),
    "capitals in a checksum": add_artifact("https://example.com/a", "A" * 64),
    "digest with more behind it": set_base("digest", f"sha256:{'0' * 64}\nRUN id"),
    "platform digest": set_base("platforms", {"linux/amd64": "sha256:1"}),
    "time stamp": set_base("epoch", "1; id"),
    "snapshot time": set_packages("ubuntu:22.04", "snapshot", "20261122T000000Z; id"),
    "no snapshot time": set_packages("ubuntu:22.04", "snapshot", None),
    "unknown way": set_packages("ubuntu:22.04", "pins", "latest"),
    "known version": set_packages("ubuntu:16.04", "known", {"git": "1 || id"}),
    "wheel file": set_wheel("filename", "../../x.whl"),
    "wheel checksum": set_wheel("sha256", "0" * 64 + "\n"),
    "fingerprint": add_keyring("https://example.com/key", "A" * 39 + ";"),
    "URL of a key": add_keyring("https://example.com/k'\nRUN id", "A" * 40),
    "checksum of a key": add_keyring("https://example.com/key", "A" * 40, sha256="0" * 64 + " id"),
    "a package of a snapshot": set_packages("ubuntu:22.04", "install", ["curl; id"]),
    "who said so": set_packages("ubuntu:22.04", "from", "somebody"),
    "contents of a base": set_base("provides", {"cuda": "12; id"}),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_value_is_refused_where_it_stands(
    change: Change, lock: Lock, tmp_path: Path
) -> None:
    plain = yaml.safe_load(lockfile.dump(lock))
    before = yaml.safe_dump(plain, width=1000, sort_keys=False)
    change(plain)
    text = yaml.safe_dump(plain, width=1000, sort_keys=False)
    changed = {n + 1 for n, line in enumerate(text.splitlines()) if line not in before.splitlines()}
    path = tmp_path / "images.lock.yaml"
    path.write_text(text, "utf-8")
    found = refused(lambda: lockfile.load(path))
    assert {f.line for f in found} & changed, "\n".join(f.text for f in found)
    assert all(f.text.startswith(f"{path}:{f.line}:{f.column}: ") for f in found)
    assert all("bakestone lock" in f.hint for f in found)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "version: 2",
        "version: 1\nbases: [a]",
        "version: 1\nbases: {a: b}",
        "hello",
        "version: 1\nwheels: {a==1: 3}",
    ],
)
def test_what_is_no_lock_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "images.lock.yaml"
    path.write_text(text + "\n", "utf-8")
    assert refused(lambda: lockfile.load(path))


MALFORMED = {
    "a number for a wheel": "wheels: {a==1: {linux/amd64: 3}}",
    "a list of platforms": "bases: {a: {platforms: [1]}}",
    "a number for a set of packages": (
        "packages: {a: {pins: versions, platforms: {linux/amd64: [1]}}}"
    ),
    "a set without versions": (
        "packages: {a: {pins: versions, platforms: {linux/amd64: [{install: [b]}]}}}"
    ),
    "text for a size": f"artifacts: {{'https://a/b': {{sha256: {'0' * 64}, size: x}}}}",
    "a list of known versions": "packages: {a: {pins: frozen, known: [b]}}",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=list(MALFORMED))
def test_a_lock_of_the_wrong_shape_is_refused_and_no_traceback(text: str, tmp_path: Path) -> None:
    path = tmp_path / "images.lock.yaml"
    path.write_text(f"version: 1\n{text}\n", "utf-8")
    assert refused(lambda: lockfile.load(path))


def test_all_wrong_values_of_a_lock_are_shown(lock: Lock, tmp_path: Path) -> None:
    plain = yaml.safe_load(lockfile.dump(lock))
    for change in (set_version("1;2"), set_base("digest", "x"), add_artifact("ftp://x/y")):
        change(plain)
    path = tmp_path / "images.lock.yaml"
    path.write_text(yaml.safe_dump(plain, width=1000), "utf-8")
    assert len(refused(lambda: lockfile.load(path))) == 3


def test_a_lock_is_read_as_plain_data(tmp_path: Path) -> None:
    path = tmp_path / "images.lock.yaml"
    path.write_text("version: 1\nbases: !!python/object:os.system {}\n", "utf-8")
    (found,) = refused(lambda: lockfile.load(path))
    assert "is not allowed" in found.message


def test_the_lock_has_a_line_that_says_who_writes_it(lock: Lock) -> None:
    text = lockfile.dump(lock)
    assert text.startswith(
        "# What every name in images.yaml resolved to. Written by `bakestone lock`"
    )
    assert yamldoc.parse(text, "lock").data["version"] == lockfile.VERSION


VENDORED = """\
version: 1
registry: localhost:5000/base
accept: [nvidia-eula]
families:
  - name: gpu
    axes:
      distro: [ubuntu@22.04]
      gpu: [{cuda: "12.4.1", cudnn: "9.1.0.70", nccl: "2.21.5"}]
    methods: {cuda: apt, cudnn: apt, nccl: apt}
"""
IMAGE = VENDORED.replace(
    "cuda: apt, cudnn: apt, nccl: apt", "cuda: image, cudnn: image, nccl: image"
)


def said_of(made: Project, change: Callable[[Lock], object]) -> list[str]:
    """What is said of a lock after somebody changed it by hand."""
    lock = lockfile.load(made.lock_path)
    change(lock)
    lockfile.write(lock, made.lock_path)
    again = replace(made)  # which has read nothing yet
    again.matrix = made.matrix
    return [found.message for found in refused(lambda: again.lock)]


def test_keyrings_are_locked_by_fingerprint_and_the_texts_have_the_locks(
    library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, VENDORED, library=library)
    (name, keyring), *_ = sorted(made.lock.keyrings.items())
    assert keyring.resolved_from == "library"
    (text,) = made.dockerfiles.values()
    assert f"\n  {name} {keyring.fingerprint}" in text.partition("\nsh /tools/keyrings.sh ")[2]
    assert f"ADD {keyring.url} /{name}.key" in text


def test_a_key_with_a_checksum_is_fetched_by_it(library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, VENDORED, library=library)
    (name, keyring), *_ = sorted(made.lock.keyrings.items())
    lock = lockfile.load(made.lock_path)
    lock.keyrings[name] = replace(keyring, sha256=made_up("key"))
    lockfile.write(lock, made.lock_path)
    again = replace(made)
    again.matrix = made.matrix
    assert again.lock.keyrings[name].sha256 == made_up("key")
    (text,) = again.dockerfiles.values()
    assert f"ADD --checksum=sha256:{made_up('key')} {keyring.url} /{name}.key\n" in text


def test_another_key_in_the_lock_than_in_the_library_is_told(
    library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, VENDORED, library=library)
    name = next(iter(made.lock.keyrings))

    def another(lock: Lock) -> None:
        lock.keyrings[name] = replace(lock.keyrings[name], fingerprint="A" * 40)

    (said,) = said_of(made, another)
    assert f"the keyring {name} has the key" in said
    assert said.endswith(f"in the library, and {'A' * 40} in it")


def test_a_keyring_that_is_missing_or_somewhere_else_is_told(
    library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, VENDORED, library=library)
    name = next(iter(made.lock.keyrings))

    def moved(lock: Lock) -> None:
        lock.keyrings[name] = replace(lock.keyrings[name], url="https://example.com/key")

    assert "and at https://example.com/key in it" in said_of(made, moved)[0]
    assert (
        f"the keyring {name} is not in it" in said_of(made, lambda lock: lock.keyrings.clear())[0]
    )


def test_other_contents_of_a_base_are_told_slot_by_slot(library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, IMAGE, library=library)
    ref = next(r for r in made.lock.bases if "nvidia" in r)

    def older(lock: Lock) -> None:
        lock.bases[ref] = replace(
            lock.bases[ref], provides={**lock.bases[ref].provides, "nccl": "2.4.8"}
        )

    (said,) = said_of(made, older)
    assert f"{ref} is in it with " in said
    assert "nccl 2.4.8, and is wanted with " in said
    assert said.endswith("nccl 2.21.5")


def test_a_platform_more_is_told(library: Library, tmp_path: Path) -> None:
    made = locked(tmp_path, FIRST, library=library)
    text = FIRST.replace(
        "  - name: first\n", "  - name: first\n    platforms: [linux/amd64, linux/arm64]\n"
    )
    found = refused(lambda: project(tmp_path, text, library=library).lock)
    assert any(
        "docker.io/library/ubuntu:22.04 is in it for linux/amd64, and not for linux/arm64"
        in f.message
        for f in found
    )
    assert made.lock_path.exists()


def test_another_package_in_a_snapshot_is_told(library: Library, tmp_path: Path) -> None:
    locked(tmp_path, FIRST, library=library)
    text = FIRST.replace("  - name: first\n", "  - name: first\n    packages: [adduser]\n")
    told = [f.message for f in refused(lambda: project(tmp_path, text, library=library).lock)]
    assert told == [
        "the lock is stale: of the packages on docker.io/library/ubuntu:22.04 adduser is not in it"
    ]


def test_an_entry_that_somebody_took_out_is_told_though_the_input_hash_is_right(
    lock: Lock, library: Library, tmp_path: Path
) -> None:
    made = locked(tmp_path, MANY, library=library)
    assert (
        "the wheel openmpi==5.0.10 is not in it"
        in said_of(made, lambda lock: lock.wheels.pop("openmpi==5.0.10"))[0]
    )


def test_a_lock_of_the_time_before_from_was_written_is_read(lock: Lock, tmp_path: Path) -> None:
    plain = yaml.safe_load(lockfile.dump(lock))
    plain.pop("keyrings", None)
    for part in ("packages", "artifacts", "wheels"):
        for entry in plain[part].values():
            entry.pop("from", None)
            entry.pop("install", None)
            if part != "packages":
                entry.pop("resolved", None)
    path = tmp_path / "images.lock.yaml"
    path.write_text(yaml.safe_dump(plain), "utf-8")
    read = lockfile.load(path)
    assert read.wheels.keys() == lock.wheels.keys()
    assert {w.resolved for w in read.wheels.values()} == {""}


def test_what_is_no_pin_is_not_written(lock: Lock, tmp_path: Path) -> None:
    path = tmp_path / "images.lock.yaml"
    lockfile.write(lock, path)
    before = path.read_bytes()
    ref = "docker.io/library/debian:12"
    lock.bases[ref] = replace(lock.bases[ref], digest="sha256:1\nRUN id")
    (found,) = refused(lambda: lockfile.write(lock, path), code=3)
    assert "what was resolved cannot be locked: digest cannot be" in found.message
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("curl\nRUN id", "1"),
        ("curl", "1\n"),
        ("curl", "1; id"),
        ("--x", "1"),
        ("c" * 101, "1"),
        ("curl", "1" * 121),
    ],
)
def test_a_package_that_is_none_is_not_written(
    name: str, version: str, lock: Lock, tmp_path: Path
) -> None:
    ref = "docker.io/library/debian:12"
    lock.packages[ref] = replace(
        lock.packages[ref], versions={"linux/amd64": {("curl",): {name: version}}}
    )
    (found,) = refused(lambda: lockfile.write(lock, tmp_path / "images.lock.yaml"), code=3)
    assert f"the package {name[:80]!r} in the version {version[:80]!r} on {ref}" in found.message
    assert not list(tmp_path.glob("images.lock.yaml"))


def test_a_lock_that_could_not_be_read_again_is_not_written(
    lock: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockfile, "MAX_BYTES", 1000)
    (found,) = refused(lambda: lockfile.write(lock, tmp_path / "images.lock.yaml"))
    assert "the lock would be larger than 1000 bytes" in found.message
    assert not list(tmp_path.glob("images.lock.yaml"))
